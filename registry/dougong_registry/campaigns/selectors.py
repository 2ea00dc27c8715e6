"""Which runs a campaign has yet to order anew."""

from __future__ import annotations

from django.db.models import Exists, F, OuterRef, QuerySet, Value
from django.db.models.functions import Concat

from dougong_registry.campaigns.models import Campaign, Order
from dougong_registry.fleet.editions import NONE, Edition, is_older
from dougong_registry.plugins.models import OperatorRecord
from dougong_registry.runs.models import Run
from dougong_registry.suites.selectors import retired_suites


def runs_left(campaign: Campaign, edition: Edition = NONE) -> QuerySet[Run]:
    """Return the runs in force that the campaign is about and has not ordered anew, oldest first.

    A release is ordered once for a target, however it ends: what cannot be judged does not come
    round for ever. Held runs wait for a person, quarantined plugins are not run, and under a
    retired suite nothing is ranked.
    """
    runs = runs_about(campaign.reason, campaign.hardware_class, edition)
    tried = Order.objects.all()
    if campaign.reason == "asked":
        runs = runs.filter(recorded_at__lt=campaign.started_at)
        tried = tried.filter(campaign=campaign.pk)
    else:
        tried = tried.filter(
            campaign__reason=campaign.reason,
            campaign__hardware_class=campaign.hardware_class,
            campaign__to_version=campaign.to_version,
        )
    # Looked up once, not for every run.
    return runs.exclude(operator__in=tried.values("run__operator")).order_by("pk")


def runs_about(reason: str, hardware_class: str, edition: Edition) -> QuerySet[Run]:
    """Return the runs in force on a kind of machine that a reason is one to judge again."""
    runs = _in_force(hardware_class)
    if reason == "asked":
        return _of_present_suite(runs, edition)
    older = versions_older(reason, hardware_class, edition)
    if reason == "suite":
        newer = Run.objects.filter(
            operator__claimed_name=OuterRef("operator__claimed_name"),
            suite=Concat(OuterRef("contract"), Value(f"/{edition.suite}")),
            device=OuterRef("device"),
            hardware_class=hardware_class,
            official=True,
            superseded_at__isnull=True,
        )
        return runs.filter(suite__in=older).exclude(Exists(newer))
    column = f"{reason}_version"
    return _of_present_suite(runs.filter(**{f"{column}__in": older}), edition)


def versions_older(reason: str, hardware_class: str, edition: Edition) -> list[str]:
    """Return what older things judged runs in force: versions, of suites their whole names."""
    to = getattr(edition, reason)
    column = "suite" if reason == "suite" else f"{reason}_version"
    # Only columns of the index `run_made_by`: what else a run must be is asked of those chosen.
    in_force = Run.objects.filter(
        hardware_class=hardware_class, official=True, superseded_at__isnull=True
    )
    found = in_force.order_by().values_list(column, flat=True).distinct()
    return sorted(each for each in found if is_older(each.rpartition("/")[2], to))


def _in_force(hardware_class: str) -> QuerySet[Run]:
    return (
        Run.objects.filter(
            hardware_class=hardware_class,
            official=True,
            superseded_at__isnull=True,
            held_reason="",
        )
        .exclude(suite__in=retired_suites())
        .exclude(
            operator__in=OperatorRecord.objects.filter(
                release__plugin__status="quarantined"
            ).values("pk")
        )
    )


def _of_present_suite(runs: QuerySet[Run], edition: Edition) -> QuerySet[Run]:
    """Keep what would get its place back: a machine judges by one version of the suites."""
    if not edition.suite:
        return runs
    return runs.filter(suite=Concat(F("contract"), Value(f"/{edition.suite}")))
