"""Contributions, roles and months, as rows."""

from __future__ import annotations

import datetime as dt

from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from packaging.utils import canonicalize_name

from dougong_registry.boards.contribution_rows import (
    CommunityPage,
    ContributionRow,
    EvidenceRow,
    MissingRow,
    MonthRow,
    PersonRecord,
    RoleActRow,
    SponsorRow,
    StandingRow,
)
from dougong_registry.contributions.models import (
    Contribution,
    Month,
    RoleAct,
    Sponsorship,
    Standing,
)
from dougong_registry.contributions.policy import decide, policy_in_force
from dougong_registry.paging import Page, page_of
from dougong_registry.people.models import Identity

MONTHS = 24
"""Drawn and listed at most."""
RECENT = 12
_COUNTED = ("changes", "reviews", "triages", "reports")


def contributions_page(
    *,
    person: str = "",
    provider: str = "",
    level: str = "",
    kind: str = "",
    plugin: str = "",
    limit: int = 50,
    cursor: str = "",
) -> Page[ContributionRow]:
    """Return the records of the ledger, newest first, also those that others took the place of."""
    chosen = {
        "person__login": person,
        "person__provider": provider,
        "level": level,
        "kind": kind,
        "plugin__canonical": canonicalize_name(plugin),
    }
    rows = _related().filter(**{name: value for name, value in chosen.items() if value})
    return page_of(rows, _row, order="-pk", limit=limit, cursor=cursor)


def person_record(
    provider: str, external_id: str, *, limit: int = 50, offset: int = 0
) -> PersonRecord:
    """Return what is recorded of one person; of a stranger, what the first role asks for.

    Args:
        provider: Of the identity.
        external_id: Of the identity.
        limit: Contributions at most.
        offset: Contributions to skip.
    """
    # By the key itself, so that the newest are read off the index.
    identity = Identity.objects.filter(provider=provider, external_id=external_id)
    who = {"person": identity.values_list("pk", flat=True).first()}
    known = Q(replaced_by__isnull=True) | Q(replaced_by__kind="void")
    works = _related().filter(known, **who).exclude(kind="void").order_by("-occurred_at", "-pk")
    acts = RoleAct.objects.filter(**who).select_related("by").order_by("-at", "-pk")
    sponsors = Sponsorship.objects.filter(**who).select_related("sponsor").order_by("-at", "-pk")
    return PersonRecord(
        standing=standing_of(provider, external_id),
        contributions=tuple(map(_row, works[offset : offset + limit])),
        acts=tuple(map(_act_row, acts[:limit])),
        sponsors=tuple(map(_sponsor_row, sponsors[:limit])),
    )


def standing_of(provider: str, external_id: str) -> StandingRow:
    """Return where somebody stands, as it was last decided."""
    kept = Standing.objects.filter(person__provider=provider, person__external_id=external_id)
    if row := kept.first():
        return _standing_row(row)
    nothing = decide(policy_in_force(), (), timezone.now())
    return StandingRow(
        role=nothing.role,
        standing=nothing.standing,
        eligible_for=nothing.eligible_for,
        next_role=nothing.next_role,
        points=nothing.points,
        contributions=0,
        reasons=nothing.reasons,
        missing=tuple(
            MissingRow(what=each.what, has=each.has, needs=each.needs) for each in nothing.missing
        ),
        policy_version=nothing.policy_version,
        decided_at=None,
    )


def roles_held() -> tuple[tuple[str, int, int], ...]:
    """Return each role, highest first, with how many hold it and in how many it rests."""
    counts = {
        (role, standing == "emeritus"): count
        for role, standing, count in Standing.objects.order_by()
        .values_list("role", "standing")
        .annotate(Count("pk"))
    }
    held = {role.name: [0, 0] for role in reversed(policy_in_force().roles)}
    for (role, rests), count in counts.items():
        if role in held:
            held[role][rests] += count
    return tuple((name, active, resting) for name, (active, resting) in held.items())


def community() -> CommunityPage:
    """Return how the community does, month by month."""
    every = [_month_row(month) for month in Month.objects.order_by("month")]
    return CommunityPage(
        months=_without_gaps(every),
        contributions=sum(getattr(row, name) for row in every for name in _COUNTED),
        roles=roles_held(),
        recent=tuple(map(_row, _related().exclude(kind="void").order_by("-pk")[:RECENT])),
    )


def _without_gaps(rows: list[MonthRow]) -> tuple[MonthRow, ...]:
    known = {row.month: row for row in rows}
    month = timezone.now().date().replace(day=1)
    found: list[MonthRow] = []
    while known and month >= min(known) and len(found) < MONTHS:
        found.append(known.get(month) or _month_row(_empty(month)))
        month = (month - dt.timedelta(days=1)).replace(day=1)
    return tuple(reversed(found))


def _empty(month: dt.date) -> Month:
    zeros = dict.fromkeys((*_COUNTED, "people_new", "people_returning", "absence_factor"), 0)
    return Month(month=month, responses=0, reviewed=0, **zeros)


def _related() -> QuerySet[Contribution]:
    return Contribution.objects.select_related(
        "person", "decided_by", "about", "plugin", "replaced_by"
    )


def _row(row: Contribution) -> ContributionRow:
    later: Contribution | None = getattr(row, "replaced_by", None)
    return ContributionRow(
        id=row.pk,
        person=row.person.login,
        provider=row.person.provider,
        kind=row.kind,
        level=row.level,
        decided_by=row.decided_by.login if row.decided_by else "",
        about=row.about.login if row.about else "",
        plugin=row.plugin.name if row.plugin else "",
        summary=row.summary,
        evidence=tuple(EvidenceRow(kind=each["kind"], id=each["id"]) for each in row.evidence),
        data_only=row.data_only,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        policy_version=row.policy_version,
        replaces=row.replaces_id,
        replaced_by=later.pk if later else None,
        taken_back=later.summary if later and later.kind == "void" else "",
    )


def _standing_row(row: Standing) -> StandingRow:
    return StandingRow(
        role=row.role,
        standing=row.standing,
        eligible_for=row.eligible_for,
        next_role=row.next_role,
        points=row.points,
        contributions=row.contributions,
        reasons=tuple(row.reasons),
        missing=tuple(MissingRow(**each) for each in row.missing),
        policy_version=row.policy_version,
        decided_at=row.decided_at,
    )


def _act_row(row: RoleAct) -> RoleActRow:
    return RoleActRow(
        at=row.at,
        act=row.act,
        role=row.role,
        by=row.by.login if row.by else "",
        reason=row.reason,
        policy_version=row.policy_version,
        policy_sha256=row.policy_sha256,
    )


def _sponsor_row(row: Sponsorship) -> SponsorRow:
    return SponsorRow(
        sponsor=row.sponsor.login,
        sponsor_role=row.sponsor_role,
        affiliation=row.affiliation,
        role=row.role,
        reason=row.reason,
        at=row.at,
    )


def _month_row(row: Month) -> MonthRow:
    names = [field.name for field in Month._meta.concrete_fields if not field.primary_key]
    return MonthRow(**{name: getattr(row, name) for name in names})
