"""Submissions, jobs and events, with the rules the database holds."""

# ruff: noqa: D106 - `Meta` and the choices are words of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from dougong_registry.people.models import SHA256, Identity
from dougong_registry.plugins.models import Release

CAUSES = ("submission", "retry", "campaign", "check")
BACKGROUND = ("campaign", "check")
"""What the hub orders by itself: it goes after everything that somebody waits for."""
FIRST_DEVICE = "cpu"
"""Where a wheel is opened: what is in it, and on which devices it runs, is known after that."""


class Submission(models.Model):
    """A wheel on its way to a board."""

    class State(models.TextChoices):
        QUEUED = "queued"
        JUDGING = "judging"
        JUDGED = "judged"
        FAILED = "failed"

    release = models.OneToOneField(Release, on_delete=models.PROTECT, related_name="submission")
    submitter = models.ForeignKey(Identity, on_delete=models.PROTECT, related_name="submissions")
    sha256 = models.CharField(max_length=64, unique=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    profile = models.CharField(max_length=32, default="first")
    """How thoroughly the judge measures at first; the runner knows the profiles."""
    publishes = models.BooleanField(default=True)
    """Whether passing is enough; a pull request's must be reviewed and merged first."""
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(sha256__regex=SHA256), name="submission_sha256_hex"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["queued", "judging", "judged", "failed"]),
                name="submission_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["queued", "judging"], finished_at__isnull=True)
                | models.Q(state__in=["judged", "failed"], finished_at__isnull=False),
                name="submission_finished_has_time",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="failed") | ~models.Q(error=""),
                name="submission_failed_has_reason",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["state", "created_at"], name="submission_queue"),
            models.Index(models.F("created_at").desc(), name="submission_newest"),
            models.Index(
                "submitter", models.F("created_at").desc(), name="submission_of_submitter"
            ),
        ]

    def __str__(self) -> str:
        return f"submission {self.pk} ({self.state})"


class Job(models.Model):
    """One order to judge a submission. Whoever holds the nonce and the lease may report on it.

    The first judges everything; others judge again, later, what could not be told or what the hub
    wants to know anew. Operators that run on other devices too have one job for each of those.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        LEASED = "leased"
        DONE = "done"
        FAILED = "failed"

    class Priority(models.TextChoices):
        HIGH = "high"
        NORMAL = "normal"
        LOW = "low"

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="jobs")
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    device = models.CharField(max_length=32, default=FIRST_DEVICE)
    """Where it is judged."""
    hardware_class = models.CharField(max_length=128, blank=True)
    """Where set, only machines of this class may judge it."""
    cause = models.CharField(max_length=16, default="submission")
    """Why it was ordered: one of `CAUSES`. What repeats a job of the hub's own has its cause."""
    tries = models.PositiveSmallIntegerField(default=0)
    """How many jobs before it, one after the other, could not tell the same."""
    priority = models.CharField(max_length=8, choices=Priority.choices, default=Priority.NORMAL)
    nonce = models.CharField(max_length=64, unique=True)
    """New at each attempt, so that a lost worker that comes back is turned away."""
    attempts = models.PositiveSmallIntegerField(default=0)
    handed_back = models.PositiveSmallIntegerField(default=0)
    """How many of the attempts a worker gave back because it was taken down."""
    runner_key_id = models.CharField(max_length=64, blank=True)
    """Who holds, or last held, the lease."""
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    dispatched_at = models.DateTimeField(null=True, blank=True)
    """When the broker last took the message; empty while it has not."""
    operators = models.JSONField(default=list, blank=True)
    """Names of the operators to judge; empty means all."""
    profile = models.CharField(max_length=32, default="standard")
    retry = models.PositiveSmallIntegerField(default=0)
    """0 of the first job of a submission; those that judge again count from 1."""
    not_before = models.DateTimeField(null=True, blank=True)
    """Of a retry: when the machine is worth another try."""
    reason = models.TextField(blank=True)
    """Why it failed; of a retry that did not, why it was sent."""
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(state__in=["queued", "leased", "done", "failed"]),
                name="job_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(retry=0, not_before__isnull=True)
                | models.Q(retry__gt=0, not_before__isnull=False),
                name="job_retry_has_time",
            ),
            models.CheckConstraint(condition=models.Q(cause__in=CAUSES), name="job_cause_known"),
            models.CheckConstraint(
                condition=models.Q(cause="submission", retry=0)
                | (~models.Q(cause="submission") & models.Q(retry__gt=0)),
                name="job_again_has_cause",
            ),
            models.UniqueConstraint(
                fields=["submission", "device", "retry"], name="job_one_per_retry"
            ),
            models.CheckConstraint(
                condition=models.Q(priority__in=["high", "normal", "low"]),
                name="job_priority_known",
            ),
            models.CheckConstraint(
                condition=models.Q(state="leased", lease_expires_at__isnull=False)
                | (~models.Q(state="leased") & models.Q(lease_expires_at__isnull=True)),
                name="job_lease_only_while_leased",
            ),
            models.UniqueConstraint(
                fields=["submission", "device"],
                condition=models.Q(state__in=["queued", "leased"]),
                name="job_one_open_per_submission",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["state", "lease_expires_at"], name="job_expiring"),
            models.Index(fields=["state", "dispatched_at"], name="job_undispatched"),
        ]

    def __str__(self) -> str:
        return f"job {self.pk} ({self.state}, attempt {self.attempts})"

    @property
    def background(self) -> bool:
        """Whether nobody but the hub waits for it."""
        return self.cause in BACKGROUND

    @property
    def first(self) -> bool:
        """Whether its end is the end of the submission; retries and other devices only add."""
        return not self.retry and self.device == FIRST_DEVICE


class JobEvent(models.Model):
    """One thing a worker said, in order. `seq` counts through all attempts of a submission."""

    class Kind(models.TextChoices):
        QUEUED = "queued"
        CLAIMED = "claimed"
        DISCOVERED = "discovered"
        GATE_STARTED = "gate_started"
        GATE_FINISHED = "gate_finished"
        PROGRESS = "progress"
        OPERATOR_FINISHED = "operator_finished"
        ERROR = "error"
        REQUEUED = "requeued"
        COMPLETED = "completed"

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="events")
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="events")
    attempt = models.PositiveSmallIntegerField(default=0)
    seq = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=24, choices=Kind.choices)
    operator = models.CharField(max_length=105, blank=True)
    gate = models.CharField(max_length=64, blank=True)
    outcome = models.CharField(max_length=16, blank=True)
    code = models.CharField(max_length=64, blank=True)
    message = models.TextField(blank=True)
    duration_s = models.FloatField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["submission", "seq"], name="job_event_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"
