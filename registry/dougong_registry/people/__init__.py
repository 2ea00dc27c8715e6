"""Who acts on the hub: identities and their API tokens."""

from __future__ import annotations
