from __future__ import annotations

raise RuntimeError("raised on import")
