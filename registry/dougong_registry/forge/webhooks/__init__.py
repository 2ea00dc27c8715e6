"""The way in for what a forge says by itself: proved, taken once, and only a hint."""

from __future__ import annotations
