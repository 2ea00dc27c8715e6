"""The state of the queue, the runners and the store, read from the database at each scrape."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, Max, Sum
from django.utils import timezone
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from dougong_registry.audit.models import Entry
from dougong_registry.plugins.models import Artifact
from dougong_registry.runs.models import OUTCOMES, Run, Runner
from dougong_registry.submissions.depth import queue_depths
from dougong_registry.submissions.models import Job, Submission


class HubCollector(Collector):
    """Everything that a scrape asks the database."""

    def collect(self) -> Iterator[Metric]:
        """Yield one family after the other; queue depth first, for autoscaling."""
        yield from _queue()
        yield from _runners()
        yield from _verdicts()
        yield _single("dougong_store_bytes", "Bytes of all wheels.", _store_bytes())
        head = Entry.objects.aggregate(head=Max("seq"))["head"] or 0
        yield _single("dougong_audit_head_seq", "Number of the newest audit entry.", head)


def registry() -> CollectorRegistry:
    """Return a registry with the collector alone."""
    found = CollectorRegistry()
    found.register(HubCollector())
    return found


def _queue() -> Iterator[Metric]:
    queue = ("device", "hardware_class", "priority")
    jobs = GaugeMetricFamily(
        "dougong_queue_jobs",
        "Jobs that are not over, by queue and state (waiting: a retry before its time).",
        labels=(*queue, "state"),
    )
    oldest = GaugeMetricFamily(
        "dougong_queue_oldest_seconds",
        "How long the oldest due job of a queue has waited.",
        labels=queue,
    )
    for depth in queue_depths():
        of = (depth.device, depth.hardware_class, depth.priority)
        jobs.add_metric((*of, "queued"), depth.waiting)
        jobs.add_metric((*of, "waiting"), depth.later)
        jobs.add_metric((*of, "leased"), depth.judging)
        oldest.add_metric(of, depth.oldest_s)
    yield from (jobs, oldest)
    now = timezone.now()
    expired = Job.objects.filter(state=Job.State.LEASED, lease_expires_at__lt=now).count()
    yield _single("dougong_leases_expired", "Leases that are over and not swept yet.", expired)
    states = GaugeMetricFamily("dougong_submissions", "Submissions by state.", labels=("state",))
    by_state = Submission.objects.values_list("state").annotate(n=Count("pk"))
    found = dict(by_state.order_by("state"))
    for state in Submission.State.values:
        states.add_metric((state,), found.get(state, 0))
    yield states


def _runners() -> Iterator[Metric]:
    seen = GaugeMetricFamily(
        "dougong_runner_last_seen_timestamp_seconds",
        "When a runner last spoke; 0 if it never did. Revoked runners are left out.",
        labels=("runner", "hardware_class"),
    )
    for runner in Runner.objects.filter(revoked_at__isnull=True).order_by("pk"):
        at = runner.last_seen_at.timestamp() if runner.last_seen_at is not None else 0.0
        seen.add_metric((runner.name, runner.hardware_class), at)
    yield seen


def _verdicts() -> Iterator[Metric]:
    verdicts = GaugeMetricFamily("dougong_verdicts", "Runs by outcome.", labels=("outcome",))
    counted = Run.objects.values_list("outcome").annotate(n=Count("pk"))
    found = dict(counted.order_by("outcome"))
    for outcome in OUTCOMES:
        verdicts.add_metric((outcome,), found.get(outcome, 0))
    yield verdicts
    refused = Entry.objects.filter(verb="run.refused").count()
    yield _single("dougong_verdicts_refused", "Verdicts that were turned away.", refused)


def _store_bytes() -> int:
    return Artifact.objects.aggregate(total=Sum("size_bytes"))["total"] or 0


def _single(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
