"""What the forge is told: check runs, annotations, one comment."""

from __future__ import annotations
