"""What readers see: ranked boards, operators, runs and submissions as typed rows."""

from __future__ import annotations
