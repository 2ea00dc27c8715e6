"""What runs inside the sandbox: the same code for the baseline, its A/A copy and the candidate."""

from __future__ import annotations
