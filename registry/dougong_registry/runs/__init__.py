"""Runners, their signed verdicts, and the scores the hub recomputes from them."""

from __future__ import annotations
