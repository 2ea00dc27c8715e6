"""The rows that a decision is made from."""

from __future__ import annotations

import email
import json
from collections.abc import Iterable

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from dougong_registry.advisories.selectors import revoked_among
from dougong_registry.plugins.models import OperatorName, OperatorRecord, Plugin, Release
from dougong_registry.problem import Missing
from dougong_registry.resolution.decision import Candidate, Decision, Measured, Speed, Wish, decide
from dougong_registry.runs.models import CONCLUSIVE, Run


def resolve(name: str, wish: Wish) -> Decision:
    """Decide which release of a plugin, or of the plugin of an operator, is to be installed.

    Raises:
        Missing: there is no such name, or nothing of it, or not this version, is published.
    """
    plugin, operator = _plugin(name)
    candidates = _candidates(plugin, operator, wish.dtype)
    if not candidates:
        raise Missing(f"nothing of {plugin.canonical} is published: no version has passed yet")
    versions = sorted({Version(each.version) for each in candidates})
    if wish.version and Version(wish.version) not in versions:
        raise Missing(
            f"no version {wish.version} of {plugin.canonical} is published; "
            f"there are {', '.join(map(str, versions))}"
        )
    return decide(candidates, wish)


def _plugin(name: str) -> tuple[Plugin, str]:
    if "/" in name:
        claimed = OperatorName.objects.select_related("plugin__owner").filter(name=name).first()
        if claimed is None:
            raise Missing(f"no operator {name}; dougong search finds operators by words")
        return claimed.plugin, name
    canonical = canonicalize_name(name)
    plugin = Plugin.objects.select_related("owner").filter(canonical=canonical).first()
    if plugin is None:
        raise Missing(f"no plugin {canonical}; dougong search finds operators by words")
    return plugin, ""


def _candidates(plugin: Plugin, operator: str, dtype: str) -> list[Candidate]:
    releases = list(
        Release.objects.filter(plugin=plugin, published_at__isnull=False)
        .select_related("artifact")
        .prefetch_related("operators")
    )
    measured = _measured_of(releases, operator, dtype)
    revoked = revoked_among(release.artifact.sha256 for release in releases)
    return [
        _candidate(plugin, release, operator, measured.get(release.pk, []))
        if release.artifact.sha256 not in revoked
        else _candidate(plugin, release, operator, [], str(revoked[release.artifact.sha256]))
        for release in releases
        if not operator or operator in {each.name for each in release.operators.all()}
    ]


def _measured_of(
    releases: Iterable[Release], operator: str, dtype: str
) -> dict[int, list[Measured]]:
    """Read the runs that hold: official, the last that tells something on each hardware class.

    A run that a newer release took off the boards still tells of its own.
    """
    rows = Run.objects.filter(operator__release__in=releases, official=True, outcome__in=CONCLUSIVE)
    if operator:
        rows = rows.filter(operator__name=operator)
    last: dict[tuple[int, str, str], Run] = {}
    rows = rows.select_related("operator").prefetch_related("scores").defer("payload")
    for run in rows.order_by("-pk"):
        last.setdefault((run.operator_id, run.device, run.hardware_class), run)
    found: dict[int, list[Measured]] = {}
    for run in last.values():
        found.setdefault(run.operator.release_id, []).append(_measured(run, dtype))
    return found


def _candidate(
    plugin: Plugin, release: Release, operator: str, measured: list[Measured], revoked: str = ""
) -> Candidate:
    records = [each for each in release.operators.all() if operator in ("", each.name)]
    quarantined = plugin.status == "quarantined"
    return Candidate(
        distribution=plugin.canonical,
        version=release.version,
        filename=release.artifact.filename,
        sha256=release.artifact.sha256,
        size_bytes=release.artifact.size_bytes,
        requires_python=release.requires_python,
        requires_torch=_torch_range(release.artifact.core_metadata),
        publisher=f"{plugin.owner.provider}:{plugin.owner.external_id}",
        publisher_login=plugin.owner.login,
        # A published release has its moment: `_candidates` asks for no others.
        published_at=release.published_at or release.created_at,
        yanked_reason=release.yanked_reason if release.yanked_at else "",
        revoked_reason=revoked,
        quarantined_reason=plugin.status_reason if quarantined else "",
        devices=_declared(records, "devices"),
        dtypes=_declared(records, "dtypes"),
        measured=tuple(measured),
    )


def _declared(records: Iterable[OperatorRecord], word: str) -> tuple[str, ...]:
    found = [str(value) for record in records for value in record.metadata.get(word) or ()]
    return tuple(dict.fromkeys(found))


def _measured(run: Run, dtype: str) -> Measured:
    scores = sorted(run.scores.all(), key=lambda each: (each.dtype, each.mode))
    dtypes = {score.dtype for score in scores}
    # A payload is large: it is read only where the scores leave the question open.
    if dtype and dtype not in dtypes:
        rows = json.loads(run.payload).get("accuracy") or ()
        dtypes |= {dtype} & {str(row["dtype"]) for row in rows}
    return Measured(
        operator=run.operator.name,
        device=run.device,
        hardware_class=run.hardware_class,
        outcome=run.outcome,
        code=run.code,
        run_id=run.verdict_id,
        finished_at=run.finished_at,
        held_reason=run.held_reason,
        dtypes=tuple(sorted(dtypes)),
        speeds=tuple(
            Speed(
                dtype=score.dtype,
                mode=score.mode,
                speedup=score.speedup,
                ci_low=score.ci_low,
                ci_high=score.ci_high,
                decision=score.decision,
            )
            for score in scores
        ),
    )


def _torch_range(core_metadata: str) -> str:
    headers = email.message_from_string(core_metadata)
    for text in headers.get_all("Requires-Dist") or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.name == "torch" and "extra" not in str(requirement.marker or ""):
            return str(requirement.specifier)
    return ""
