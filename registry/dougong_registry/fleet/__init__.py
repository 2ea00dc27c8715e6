"""The machines that judge: what each can do, and whether it is there now."""

from __future__ import annotations
