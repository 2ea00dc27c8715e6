"""What is asked of a pull request before any of it runs: blobs are read, never executed."""

from __future__ import annotations
