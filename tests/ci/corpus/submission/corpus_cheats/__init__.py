"""Operators that look honest, and the honest ones beside them; see `catalogue.py` for each."""

from __future__ import annotations
