"""Starting, advancing and ending campaigns. Every step is whole or did not happen."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from dougong_registry.audit.services import HUB, record
from dougong_registry.campaigns.models import BY_ITSELF, Campaign, Order
from dougong_registry.campaigns.selectors import runs_about, runs_left, versions_older
from dougong_registry.columns import hold_to_columns
from dougong_registry.fleet.editions import NONE, Edition, editions, is_older
from dougong_registry.fleet.selectors import machines
from dougong_registry.problem import Conflict, Missing, Refused
from dougong_registry.runs.models import Run
from dougong_registry.submissions.background import OPEN, job_again
from dougong_registry.submissions.jobs import job_close
from dougong_registry.submissions.models import Job

AT_ONCE = 4
"""Jobs of one campaign that are open: few, so that it can be stopped, and finds new machines."""


def campaigns_advance() -> None:
    """Start what is due and take every live campaign one step further.

    Each part is a transaction of its own and asks what is so: after a kill, or twice at once, the
    next call goes on where this one ended.
    """
    now = editions()
    for hardware_class, edition in sorted(now.items()):
        for reason in BY_ITSELF:
            _start_if_due(reason, hardware_class, edition)
    for pk in Campaign.objects.filter(ended_at__isnull=True).order_by("pk").values_list("pk"):
        campaign_step(campaign_id=pk[0], now=now)


def campaign_start(*, hardware_class: str, because: str, actor: str = HUB) -> Campaign:
    """Order everything in force on a kind of machine anew, because a person says so.

    Raises:
        Refused: no reason is given.
        Missing: nothing is in force there.
        Conflict: such a campaign is live.
    """
    if not because.strip():
        raise Refused("a campaign needs a reason: it is shown to whoever waits behind it")
    edition = editions().get(hardware_class, NONE)
    if not runs_about("asked", hardware_class, edition).exists():
        raise Missing(
            f"nothing that can be judged again is in force on {hardware_class[:128]!r}; "
            "/hardware/ lists the kinds of machines"
        )
    campaign = Campaign(reason="asked", hardware_class=hardware_class, because=because.strip())
    if not _begin(campaign, edition, actor):
        raise Conflict(f"a campaign that was asked for is live on {hardware_class}; stop it first")
    return campaign


@transaction.atomic
def campaign_stop(*, campaign_id: int, because: str, actor: str = HUB) -> Campaign:
    """End a campaign by hand: what is not at a machine yet is not judged again.

    Raises:
        Missing: there is no such campaign.
        Refused: no reason is given.
        Conflict: it is over.
    """
    campaign = Campaign.objects.select_for_update().filter(pk=campaign_id).first()
    if campaign is None:
        raise Missing(f"no campaign {campaign_id}; `dougong-hub rejudge list` shows them")
    if not because.strip():
        raise Refused("stopping a campaign needs a reason: /rejudging/ shows it")
    if campaign.ended_at is not None:
        raise Conflict(f"campaign {campaign_id} is over ({campaign.ended_as})")
    _end(campaign, "stopped", because.strip(), actor)
    return campaign


@transaction.atomic
def campaign_step(*, campaign_id: int, now: dict[str, Edition]) -> None:
    """Settle what came back of a live campaign, order a few more runs, and end it at the last."""
    campaign = (
        Campaign.objects.select_for_update(skip_locked=True)
        .filter(pk=campaign_id, ended_at__isnull=True)
        .first()
    )
    if campaign is None:
        return
    edition = now.get(campaign.hardware_class, NONE)
    _settle(campaign)
    if campaign.reason in BY_ITSELF:
        newest = getattr(edition, campaign.reason)
        if not newest:
            return  # No machine of the kind was heard of for days: wait for one.
        if is_older(campaign.to_version, newest):
            _end(campaign, "overtaken", f"by {campaign.reason} {newest}")
            return
    if _served(campaign.hardware_class):
        _order_some(campaign, edition)
    _count(campaign, edition)
    if campaign.done == campaign.total:
        _end(campaign, "finished", "")


def _start_if_due(reason: str, hardware_class: str, edition: Edition) -> None:
    to = getattr(edition, reason)
    of_kind = Campaign.objects.filter(reason=reason, hardware_class=hardware_class)
    stopped = of_kind.filter(to_version=to, ended_as="stopped")
    if not to or of_kind.filter(ended_at__isnull=True).exists() or stopped.exists():
        return
    older = versions_older(reason, hardware_class, edition)
    if not older:
        return
    plain = sorted({each.rpartition("/")[2] for each in older})
    campaign = Campaign(
        reason=reason,
        hardware_class=hardware_class,
        from_versions=", ".join(plain)[:512],
        to_version=to,
        because=f"machines of this kind now have {reason} {to}",
    )
    if runs_left(campaign, edition).exists():
        _begin(campaign, edition, HUB)


def _begin(campaign: Campaign, edition: Edition, actor: str) -> bool:
    """Save a campaign; return whether it is the only live one of its kind."""
    hold_to_columns(campaign)
    campaign.total = runs_left(campaign, edition).count()
    try:
        with transaction.atomic():
            campaign.save(force_insert=True)
            _note(campaign, "started", actor, because=campaign.because)
    except IntegrityError:
        return False
    return True


def _settle(campaign: Campaign) -> None:
    under_way = campaign.orders.filter(settled_at__isnull=True).exclude(job__state__in=OPEN)
    for order in under_way.select_related("run"):
        again = Run.objects.filter(job=order.job_id, operator=order.run.operator_id)
        order.again_id = again.order_by("-pk").values_list("pk", flat=True).first()
        order.settled_at = timezone.now()
        order.save(update_fields=["again", "settled_at"])


def _served(hardware_class: str) -> bool:
    return any(
        each.alive and not each.draining and hardware_class in each.hardware.values()
        for each in machines()
    )


def _order_some(campaign: Campaign, edition: Edition) -> None:
    open_jobs = Job.objects.filter(orders__campaign=campaign, state__in=OPEN).distinct().count()
    room = AT_ONCE - open_jobs
    busy = Job.objects.filter(
        submission=OuterRef("submission"), device=OuterRef("device"), state__in=OPEN
    )
    free = runs_left(campaign, edition).exclude(Exists(busy)).select_related("operator")
    groups: dict[tuple[int, str], list[Run]] = {}
    for run in free.defer("payload", "operator__metadata")[: 50 * max(room, 0)]:
        groups.setdefault((run.submission_id, run.device), []).append(run)
    for (submission_id, device), runs in list(groups.items())[: max(room, 0)]:
        _order(campaign, submission_id, device, runs)


def _order(campaign: Campaign, submission_id: int, device: str, runs: Sequence[Run]) -> None:
    job = job_again(
        submission_id=submission_id,
        device=device,
        hardware_class=campaign.hardware_class,
        operators=[run.operator.name for run in runs],
        cause="campaign",
        reason=campaign.because,
    )
    if job is not None:
        Order.objects.bulk_create(Order(campaign=campaign, run=run, job=job) for run in runs)


def _count(campaign: Campaign, edition: Edition) -> None:
    ordered = campaign.orders.count()
    campaign.total = ordered + runs_left(campaign, edition).count()
    campaign.done = ordered - campaign.orders.filter(settled_at__isnull=True).count()
    campaign.save(update_fields=["total", "done"])


def _end(campaign: Campaign, ended_as: str, because: str, actor: str = HUB) -> None:
    waiting = Job.objects.select_for_update(of=("self",)).filter(
        pk__in=campaign.orders.filter(settled_at__isnull=True).values("job"), state="queued"
    )
    for job in waiting.select_related("submission__release").order_by("pk"):
        job_close(job=job, state=Job.State.FAILED, reason=f"{campaign} was {ended_as}")
    _settle(campaign)
    campaign.done = campaign.orders.filter(settled_at__isnull=False).count()
    campaign.total = max(campaign.total, campaign.done)
    campaign.ended_at = timezone.now()
    campaign.ended_as, campaign.ended_because = ended_as, because[:512]
    campaign.save(update_fields=["total", "done", "ended_at", "ended_as", "ended_because"])
    _note(campaign, ended_as, actor, because=because, done=campaign.done, total=campaign.total)


def _note(campaign: Campaign, what: str, actor: str, **more: str | int) -> None:
    record(
        actor=actor,
        verb=f"campaign.{what}",
        target=f"campaign:{campaign.pk}",
        reason=campaign.reason,
        hardware_class=campaign.hardware_class,
        from_versions=campaign.from_versions,
        to_version=campaign.to_version,
        **more,
    )
