"""Runs repeated to check them: a sample of each week, and whoever comes to lead a board."""

from __future__ import annotations
