"""What keeps the boards true: campaigns of judging again, second runs, notices."""

from __future__ import annotations

from django.db.models import Prefetch, Q, QuerySet

from dougong_registry.boards.upkeep_rows import CampaignRow, NoticeRow, RerunRow
from dougong_registry.campaigns.models import Campaign
from dougong_registry.notices.models import Notice
from dougong_registry.paging import Page, page_of
from dougong_registry.reruns.models import Rerun
from dougong_registry.runs.models import Run

SHOWN = 20
"""Notices on the page of one operator or plugin."""
_NEWEST = "-pk"
_RUNS = ("from_run", "to_run", "closing_run")


def campaigns_live() -> tuple[CampaignRow, ...]:
    """Return the campaigns that go on, by kind of machine."""
    live = Campaign.objects.filter(ended_at__isnull=True).order_by("hardware_class", "pk")
    return tuple(map(_campaign, live))


def campaigns_over(*, limit: int = 50, offset: int = 0) -> tuple[CampaignRow, ...]:
    """Return the campaigns that ended, the newest first."""
    over = Campaign.objects.filter(ended_at__isnull=False).order_by("-pk")
    return tuple(map(_campaign, over[offset : offset + limit]))


def campaigns_page(
    *, hardware: str = "", live: bool | None = None, limit: int = 50, cursor: str = ""
) -> Page[CampaignRow]:
    """Return campaigns, newest first."""
    found = Campaign.objects.all()
    if hardware:
        found = found.filter(hardware_class=hardware)
    if live is not None:
        found = found.filter(ended_at__isnull=live)
    return page_of(found, _campaign, order=_NEWEST, limit=limit, cursor=cursor)


def reruns_newest(limit: int = 50) -> tuple[RerunRow, ...]:
    """Return the runs that were last asked to be checked."""
    return tuple(map(_rerun, _reruns().order_by("-pk")[:limit]))


def reruns_page(*, result: str = "", limit: int = 50, cursor: str = "") -> Page[RerunRow]:
    """Return runs that are or were checked, newest first."""
    found = _reruns().filter(result=result) if result else _reruns()
    return page_of(found, _rerun, order=_NEWEST, limit=limit, cursor=cursor)


def notices_list(*, state: str = "", limit: int = 50, offset: int = 0) -> tuple[NoticeRow, ...]:
    """Return notices, the newest first: of one state, or those that are not closed."""
    found = _notices()
    found = found.filter(state=state) if state else found.filter(closed_at__isnull=True)
    return tuple(map(_notice, found.order_by("-pk")[offset : offset + limit]))


def notices_page(
    *, state: str = "", plugin: str = "", operator: str = "", limit: int = 50, cursor: str = ""
) -> Page[NoticeRow]:
    """Return notices, newest first."""
    chosen = {"state": state, "plugin__canonical": plugin, "operator_name__name": operator}
    found = _notices().filter(**{name: value for name, value in chosen.items() if value})
    return page_of(found, _notice, order=_NEWEST, limit=limit, cursor=cursor)


def notices_standing(**of: str) -> tuple[NoticeRow, ...]:
    """Return the notices of an operator or a plugin that are not closed, the newest first."""
    standing = _notices().filter(Q(**of), closed_at__isnull=True)
    return tuple(map(_notice, standing.order_by("-pk")[:SHOWN]))


def notice_plugin(notice_id: int) -> str:
    """Return the plugin of a notice by its PEP 503 name; empty where there is no such notice."""
    plugins = Notice.objects.filter(pk=notice_id).values_list("plugin__canonical", flat=True)
    return plugins.first() or ""


def notice_row(notice_id: int) -> NoticeRow:
    """Return one notice that is there."""
    return _notice(_notices().get(pk=notice_id))


def _campaign(row: Campaign) -> CampaignRow:
    return CampaignRow(
        id=row.pk,
        reason=row.reason,
        hardware_class=row.hardware_class,
        from_versions=row.from_versions,
        to_version=row.to_version,
        because=row.because,
        total=row.total,
        done=row.done,
        left=row.total - row.done,
        started_at=row.started_at,
        ended_at=row.ended_at,
        ended_as=row.ended_as,
        ended_because=row.ended_because,
    )


def _reruns() -> QuerySet[Rerun]:
    of_first = ("suite", "hardware_class", "verdict_id", "operator__name")
    own = [field.name for field in Rerun._meta.concrete_fields]
    return Rerun.objects.select_related("draw", "first__operator", "second").only(
        *own, "draw__week", *(f"first__{name}" for name in of_first), "second__verdict_id"
    )


def _rerun(row: Rerun) -> RerunRow:
    return RerunRow(
        id=row.pk,
        cause=row.cause,
        week=row.draw.week if row.draw else "",
        operator=row.first.operator.name,
        suite=row.first.suite,
        hardware_class=row.first.hardware_class,
        first_run_id=row.first.verdict_id,
        second_run_id=row.second.verdict_id if row.second else "",
        result=row.result,
        words=row.words,
        created_at=row.created_at,
        settled_at=row.settled_at,
    )


def _notices() -> QuerySet[Notice]:
    # Of a run its id alone: what stands behind the signed text in its row is slow to reach. And not
    # by joins: PostgreSQL plans seven of them for 20 ms, most often to find no notice at all.
    names = ("plugin__canonical", "operator_name__name", "acknowledged_by__login")
    own = [field.name for field in Notice._meta.concrete_fields]
    return (
        Notice.objects.select_related("plugin", "operator_name", "acknowledged_by")
        .only(*own, *names)
        .prefetch_related(
            *(Prefetch(run, Run.objects.only("verdict_id")) for run in _RUNS),
        )
    )


def _notice(row: Notice) -> NoticeRow:
    return NoticeRow(
        id=row.pk,
        state=row.state,
        plugin=row.plugin.canonical,
        operator=row.operator_name.name,
        suite=row.suite,
        hardware_class=row.hardware_class,
        dtype=row.dtype,
        mode=row.mode,
        from_run_id=row.from_run.verdict_id,
        to_run_id=row.to_run.verdict_id,
        words=row.words,
        opened_at=row.opened_at,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by.login if row.acknowledged_by else "",
        closed_at=row.closed_at,
        closing_run_id=row.closing_run.verdict_id if row.closing_run else "",
    )
