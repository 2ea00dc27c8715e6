"""Notices to maintainers: a run that is worse than the one it took the place of."""

from __future__ import annotations
