"""Pull requests on their way in, with the rules the database holds.

People and repositories are the forge's numeric ids; names are display text that may change hands.
"""

# ruff: noqa: D106 - `Meta` and the choices are words of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from dougong_registry.people.models import SHA256
from dougong_registry.plugins.models import Release
from dougong_registry.submissions.models import Submission

COMMIT = r"^[0-9a-f]{40}([0-9a-f]{24})?$"
STATES = (
    "received",
    "examining",
    "blocked",
    "building",
    "judging",
    "review",
    "publishing",
    "published",
    "ignored",
    "rejected",
    "errored",
    "superseded",
    "closed",
    "quarantined",
)
MOVING = ("received", "examining", "blocked", "building", "judging", "review", "publishing")
"""States in which the hub has something to do, or to wait for, by itself."""
OPEN = (*MOVING, "rejected", "errored")
"""States in which a newer head takes the place of this one."""
STEPS = ("lint", "scan", "unblock", "build", "correctness", "speed", "review", "publish")
OUTCOMES = ("running", "passed", "failed", "blocked", "errored", "cancelled")


class Delivery(models.Model):
    """One message of the forge. Its id and its bytes are taken once, whatever it says."""

    delivery_id = models.CharField(max_length=64, unique=True)
    body_sha256 = models.CharField(max_length=64, unique=True)
    event = models.CharField(max_length=64)
    action = models.CharField(max_length=64, blank=True)
    outcome = models.CharField(max_length=200)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(body_sha256__regex=SHA256), name="delivery_body_hex"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event}.{self.action} {self.delivery_id}"


class Pull(models.Model):
    """A pull request."""

    repository_id = models.BigIntegerField()
    number = models.PositiveIntegerField()
    author_id = models.BigIntegerField()
    author_login = models.CharField(max_length=64)
    state = models.CharField(max_length=8, default="open")
    merge_sha = models.CharField(max_length=64, blank=True)
    held_reason = models.CharField(max_length=512, blank=True)
    comment_id = models.BigIntegerField(null=True, blank=True)
    comment_sha256 = models.CharField(max_length=64, blank=True)
    """Of the summary comment as it was last sent."""
    forge_updated_at = models.DateTimeField()
    """When the forge last changed it, as far as the hub was told: older news is no news."""
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["repository_id", "number"], name="pull_unique"),
            models.CheckConstraint(
                condition=models.Q(state__in=["open", "closed", "merged"]), name="pull_state_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(state="merged") | models.Q(merge_sha__regex=COMMIT),
                name="pull_merged_has_commit",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["author_id"], name="pull_of_author")]

    def __str__(self) -> str:
        return f"pull request {self.number}"


class Head(models.Model):
    """One commit that a pull request asked to be merged: judged once, however often it is told."""

    pull = models.ForeignKey(Pull, on_delete=models.PROTECT, related_name="heads")
    sha = models.CharField(max_length=64)
    state = models.CharField(max_length=16, default="received")
    reason = models.TextField(blank=True)
    round = models.PositiveSmallIntegerField(default=1)
    """Counts how often it was gone through; `/dougong rerun` begins another."""
    base_sha = models.CharField(max_length=64, blank=True)
    plugin = models.CharField(max_length=64, blank=True)
    tree = models.CharField(max_length=64, blank=True)
    """Git's hash of the plugin's folder: what was judged, whatever else is merged."""
    level = models.CharField(max_length=2, blank=True)
    unblock = models.JSONField(default=list, blank=True)
    """Why a reviewer had to look before it was built."""
    submission = models.ForeignKey(
        Submission, on_delete=models.PROTECT, null=True, blank=True, related_name="heads"
    )
    failures = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    """When it is worth looking at again."""
    busy_until = models.DateTimeField(default=timezone.now)
    """Until when a process has it for itself."""
    changes = models.PositiveIntegerField(default=0)
    """Counts what there was to tell the forge."""
    told = models.PositiveIntegerField(default=0)
    """How many of the changes the forge was told."""
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["pull", "sha"], name="head_unique"),
            models.CheckConstraint(condition=models.Q(state__in=STATES), name="head_state_known"),
            models.CheckConstraint(
                condition=models.Q(sha__regex=COMMIT), name="head_sha_is_a_commit"
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["rejected", "errored", "quarantined"])
                | ~models.Q(reason=""),
                name="head_stopped_has_reason",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["judging", "review", "publishing", "published"])
                | models.Q(submission__isnull=False),
                name="head_judged_has_submission",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["not_before"],
                condition=models.Q(state__in=MOVING),
                name="head_moving",
            ),
            models.Index(
                fields=["not_before"],
                condition=models.Q(told__lt=models.F("changes")),
                name="head_untold",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sha[:12]} ({self.state})"


class Step(models.Model):
    """What one stage of one round came to, and how far the forge was told."""

    head = models.ForeignKey(Head, on_delete=models.PROTECT, related_name="steps")
    round = models.PositiveSmallIntegerField(default=1)
    name = models.CharField(max_length=16)
    outcome = models.CharField(max_length=16, default="running")
    title = models.CharField(max_length=255)
    summary = models.TextField(blank=True)
    annotations = models.JSONField(default=list, blank=True)
    check_run_id = models.BigIntegerField(null=True, blank=True)
    sent_sha256 = models.CharField(max_length=64, blank=True)
    """Of what the forge was last told, all of it."""
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["head", "round", "name"], name="step_unique"),
            models.CheckConstraint(condition=models.Q(name__in=STEPS), name="step_name_known"),
            models.CheckConstraint(
                condition=models.Q(outcome__in=OUTCOMES), name="step_outcome_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.outcome})"


class Build(models.Model):
    """An order to a worker: make the wheel of a folder of a commit, in the sandbox."""

    head = models.ForeignKey(Head, on_delete=models.PROTECT, related_name="builds")
    round = models.PositiveSmallIntegerField(default=1)
    purpose = models.CharField(max_length=8)
    """`judge`, or `publish`: again from what was merged, which must give the same bytes."""
    tree = models.CharField(max_length=64)
    state = models.CharField(max_length=8, default="queued")
    """`queued`, `done`, `failed` by the project's fault, `errored` by nobody's that we know."""
    nonce = models.CharField(max_length=64, unique=True)
    filename = models.CharField(max_length=256, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    runner_key_id = models.CharField(max_length=64, blank=True)
    dispatched_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["head", "round", "purpose"], name="build_unique"),
            models.CheckConstraint(
                condition=models.Q(purpose__in=["judge", "publish"]), name="build_purpose_known"
            ),
            models.CheckConstraint(
                condition=models.Q(state="queued")
                | (models.Q(state="done") & models.Q(sha256__regex=SHA256))
                | (models.Q(state__in=["failed", "errored"]) & ~models.Q(error="")),
                name="build_state_says_what",
            ),
        ]

    def __str__(self) -> str:
        return f"build {self.pk} ({self.purpose}, {self.state})"


class Event(models.Model):
    """One thing that was done to a pull request: a command, a review, a merge, a publication."""

    pull = models.ForeignKey(Pull, on_delete=models.PROTECT, related_name="events")
    head = models.ForeignKey(
        Head, on_delete=models.PROTECT, null=True, blank=True, related_name="events"
    )
    kind = models.CharField(max_length=32)
    actor_id = models.BigIntegerField(null=True, blank=True)
    """Who did it, by the forge's numeric id; none is the hub itself."""
    source = models.CharField(max_length=128)
    """What it was read from; the same thing read twice is one event."""
    detail = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["pull", "source"], name="event_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["actor_id", "kind"], name="event_of_actor")]

    def __str__(self) -> str:
        return f"{self.kind} by {self.actor_id or 'the hub'}"


class Provenance(models.Model):
    """Where a published wheel came from: an in-toto statement, signed with the hub's key."""

    release = models.OneToOneField(Release, on_delete=models.PROTECT, related_name="provenance")
    payload = models.TextField()
    """The statement as it was signed."""
    signature = models.CharField(max_length=128)
    key_id = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"provenance of release {self.release_id}"
