"""Taking in what a runner says of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from dougong_ci.report.verdict import DEVICES
from dougong_registry.columns import hold_to_columns
from dougong_registry.fleet.models import Capability
from dougong_registry.fleet.selectors import machine_of
from dougong_registry.problem import Refused
from dougong_registry.runs.models import Runner
from dougong_registry.submissions.dispatch import jobs_dispatch_waiting

_CLASS = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")


@transaction.atomic
def heartbeat_take(
    *,
    runner: Runner,
    hardware: Mapping[str, str],
    memory_bytes: int = 0,
    judge_version: str = "",
    torch_version: str = "",
    suite_version: str = "",
    draining: bool = False,
) -> Capability:
    """Keep what a runner can do; one that has come back is sent work at once.

    Raises:
        Refused: a device or class is none, or not the class that the key was registered for.
    """
    _refuse_strange(runner, hardware)
    before = machine_of(runner.key_id)
    told = Capability(
        runner=runner,
        hardware=dict(hardware),
        memory_bytes=memory_bytes,
        judge_version=judge_version,
        torch_version=torch_version,
        suite_version=suite_version,
        draining=draining,
        seen_at=timezone.now(),
    )
    hold_to_columns(told)
    _, new = Capability.objects.update_or_create(
        runner=runner,
        defaults={
            field.attname: getattr(told, field.attname)
            for field in Capability._meta.concrete_fields
            if not field.primary_key
        },
    )
    if new or before is None or not before.alive or before.draining:
        transaction.on_commit(jobs_dispatch_waiting, robust=True)
    return told


def _refuse_strange(runner: Runner, hardware: Mapping[str, str]) -> None:
    if not hardware or set(hardware) - set(DEVICES):
        raise Refused(
            f"hardware names a class for each of {', '.join(DEVICES)} that the runner judges on, "
            f"got {', '.join(map(repr, sorted(hardware))) or 'none'}"
        )
    for name in hardware.values():
        if not _CLASS.fullmatch(name):
            raise Refused(f"a hardware class has small letters, digits and hyphens, got {name!r}")
    if runner.hardware_class and runner.hardware_class not in hardware.values():
        raise Refused(
            f"runner {runner.name} is registered as {runner.hardware_class!r}, and says it is "
            f"{', '.join(map(repr, sorted(hardware.values())))}; register another key for it"
        )
