"""What a plugin registers, found inside the sandbox and handed out as size-capped JSON.

Nothing of it is believed: the judge builds `dougong.Operator` from it again, which checks every
field, and names every other finding from the bytes it judges.
"""

from __future__ import annotations

import dataclasses
import json
import mmap
import os
from typing import Any

from dougong.catalogue import Catalogue


def main(spec_fd: int, out_fd: int) -> None:
    """Read `{"at": path or null, "distribution": name or null}`, write the findings.

    The buffer gets UTF-8 JSON ended by NUL: `{"operators": [{"plugin", "distribution", "version",
    "unavailable", "operator": {...}}], "broken": [{"plugin", "distribution", "reason"}]}`.
    """
    with mmap.mmap(spec_fd, os.fstat(spec_fd).st_size) as view:
        spec = json.loads(view[:].rstrip(b"\0"))
    catalogue = Catalogue.at(spec["at"]) if spec["at"] else Catalogue.discover()
    data = json.dumps(_findings(catalogue)).encode() + b"\0"
    with mmap.mmap(out_fd, os.fstat(out_fd).st_size) as view:
        if len(data) > len(view):
            raise ValueError(f"a plugin's metadata must fit in {len(view)} bytes, got {len(data)}")
        view[: len(data)] = data


def _findings(catalogue: Catalogue) -> dict[str, Any]:
    return {
        "operators": [
            {
                "plugin": entry.plugin,
                "distribution": entry.distribution,
                "version": entry.version,
                "unavailable": entry.unavailable(),
                "operator": dataclasses.asdict(entry.operator),
            }
            for entry in catalogue.entries.values()
        ],
        "broken": [
            {"plugin": each.plugin, "distribution": each.distribution, "reason": each.reason}
            for each in catalogue.broken
        ],
    }
