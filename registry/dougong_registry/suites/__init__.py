"""Suites: until when one is in force."""

from __future__ import annotations
