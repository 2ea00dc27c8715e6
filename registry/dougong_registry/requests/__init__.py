"""How often something may be asked, and what was answered to a request that comes again."""

from __future__ import annotations
