"""Publishing from CI without a stored secret: who is trusted, what a token of theirs must say."""

from __future__ import annotations
