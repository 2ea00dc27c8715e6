"""Which queue a job is sent to, and which queues a machine serves: said once for both ends.

A queue is named `judge.<device>`, `judge.<device>.<hardware class>` for a job that only machines of
one class may judge, and ends in `.high` or `.low` where its priority is not the ordinary one.
"""

from __future__ import annotations

from collections.abc import Mapping

HIGH, NORMAL, LOW = "high", "normal", "low"
PRIORITIES = (HIGH, NORMAL, LOW)
"""In the order in which a worker takes them."""


def queue_of(device: str, hardware_class: str = "", priority: str = NORMAL) -> str:
    """Return the queue of a job."""
    parts = ["judge", device, hardware_class, "" if priority == NORMAL else priority]
    return ".".join(filter(None, parts))


def queues_of(hardware: Mapping[str, str]) -> list[str]:
    """Return the queues that a machine can serve, the most urgent first.

    Args:
        hardware: The hardware class of each device it judges on.
    """
    return [
        queue_of(device, wanted, priority)
        for priority in PRIORITIES
        for device, own in hardware.items()
        for wanted in dict.fromkeys((own, ""))
    ]


def fits(hardware: Mapping[str, str], device: str, hardware_class: str = "") -> bool:
    """Say whether a machine can do a job; a class that it does not tell is taken as any."""
    own = hardware.get(device)
    return own is not None and (not hardware_class or own in ("", hardware_class))
