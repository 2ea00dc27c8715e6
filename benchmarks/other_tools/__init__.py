"""What other public tools say of the corpus of cheats; see `benchmarks/compare_tools.py`."""

from __future__ import annotations
