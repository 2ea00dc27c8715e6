"""What this machine is called on the boards, so that times are compared with those of its like."""

from __future__ import annotations

import itertools
import os
import platform
import re
from pathlib import Path


def cpu_model() -> str:
    """Return the marketing name of the processor."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        text = ""
    found = re.search(r"^(?:model name|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def cores() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0))


def hardware_class() -> str:
    """Return the name under which times are comparable: `cpu-amd-epyc-9b45-2c`."""
    name = re.sub(r"\((r|tm)\)|\bcpu\b|@.*|\b\d+-core\b|\bprocessor\b", " ", cpu_model().lower())
    slug = re.sub(r"[^a-z0-9]+", "-", name).strip("-") or "unknown"
    return f"cpu-{slug}-{cores()}c"


def nearness(found: str) -> int:
    """Count the words that begin a hardware class's name as this machine's; more is nearer."""
    pairs = zip(found.split("-"), hardware_class().split("-"), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
