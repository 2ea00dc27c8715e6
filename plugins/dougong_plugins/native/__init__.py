"""How C++ kernels are built on the machine that runs them, and called."""

from __future__ import annotations
