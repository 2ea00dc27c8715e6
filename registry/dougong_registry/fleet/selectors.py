"""Who can judge what, now."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping

from django.utils import timezone

from dougong_ci.report.routes import fits
from dougong_registry.fleet.models import Capability
from dougong_registry.runs.models import Runner

ALIVE_S = 60
"""A runner that was not heard for this long is taken as gone."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A registered runner, as far as a job is concerned."""

    key_id: str
    hardware: Mapping[str, str]
    alive: bool
    draining: bool


def machines() -> tuple[Machine, ...]:
    """Return every runner whose key is good."""
    runners = Runner.objects.filter(revoked_at__isnull=True).select_related("capability")
    return tuple(_machine(runner) for runner in runners.order_by("pk"))


def machine_of(key_id: str) -> Machine | None:
    """Return the runner of a key; None for a key that is unknown or revoked."""
    runner = (
        Runner.objects.filter(key_id=key_id, revoked_at__isnull=True)
        .select_related("capability")
        .first()
    )
    return _machine(runner) if runner else None


def waiting_for(fleet: Iterable[Machine], device: str, hardware_class: str = "") -> str:
    """Say what a queued job waits for besides its turn; empty where a machine can take it."""
    able = [each for each in fleet if fits(each.hardware, device, hardware_class)]
    if any(each.alive and not each.draining for each in able):
        return ""
    wanted = f"{device} of class {hardware_class}" if hardware_class else device
    if not able:
        return f"waiting for a runner with {wanted}; none is registered"
    if any(each.alive for each in able):
        return f"waiting for a runner with {wanted}; those there are being taken down"
    return f"waiting for a runner with {wanted}; none was heard from for {ALIVE_S} s"


def _machine(runner: Runner) -> Machine:
    told: Capability | None = getattr(runner, "capability", None)
    seen = told.seen_at if told else runner.last_seen_at
    recent = seen is not None and timezone.now() - seen < dt.timedelta(seconds=ALIVE_S)
    return Machine(
        key_id=runner.key_id,
        # One that never told is a judge of the plain kind.
        hardware=told.hardware if told else {"cpu": runner.hardware_class},
        alive=recent,
        draining=told.draining if told else False,
    )
