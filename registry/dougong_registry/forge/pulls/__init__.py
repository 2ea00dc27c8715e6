"""Pull requests and their heads: what is known of them, and how they move."""

from __future__ import annotations
