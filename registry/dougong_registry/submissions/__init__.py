"""The way in: a wheel, the job that judges it, and what was said on the way."""

from __future__ import annotations
