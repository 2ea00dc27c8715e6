"""Runners, runs, scores and gates, with the rules the database holds."""

# ruff: noqa: D106 - `Meta` and the choices are words of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from dougong_registry.people.models import SHA256
from dougong_registry.plugins.models import OperatorRecord
from dougong_registry.submissions.models import Job, Submission

OUTCOMES = ("passed", "failed", "inconclusive", "errored", "skipped")
CONCLUSIVE = ("passed", "failed")
"""Outcomes that tell something of the operator; the others never take the place of one of these."""
DECISIONS = ("faster", "not_faster", "undecided")
MODES = ("infer", "train", "compiled")


class Runner(models.Model):
    """A registered machine that judges, known by its Ed25519 public key."""

    name = models.CharField(max_length=64, unique=True)
    public_key = models.CharField(max_length=64, unique=True)
    """Raw 32 bytes in base64."""
    key_id = models.CharField(max_length=64, unique=True)
    hardware_class = models.CharField(max_length=128, blank=True)
    """Where set, verdicts of another class are refused."""
    official = models.BooleanField(default=False)
    """Its runs are ranked; the runs of other runners are shown only."""
    created_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class Run(models.Model):
    """A verdict, exactly as it was signed, with the columns that boards are read by."""

    verdict_id = models.CharField(max_length=64, unique=True)
    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="runs")
    job = models.ForeignKey(
        Job, on_delete=models.PROTECT, related_name="runs", null=True, blank=True
    )
    """Which of the submission's jobs; not kept of runs before there were retries."""
    operator = models.ForeignKey(OperatorRecord, on_delete=models.PROTECT, related_name="runs")
    runner = models.ForeignKey(Runner, on_delete=models.PROTECT, related_name="runs")
    contract = models.CharField(max_length=64)
    suite = models.CharField(max_length=96)
    device = models.CharField(max_length=32)
    hardware_class = models.CharField(max_length=128)
    torch_version = models.CharField(max_length=64, blank=True)
    judge_version = models.CharField(max_length=64, blank=True)
    """By what it was made, as its own fingerprint says; empty where that does not say."""
    outcome = models.CharField(max_length=16)
    code = models.CharField(max_length=64)
    summary = models.CharField(max_length=1024, blank=True)
    official = models.BooleanField(default=False)
    superseded_at = models.DateTimeField(null=True, blank=True)
    """When a later official run took its place on the boards, or this one did not get the place of
    an earlier one."""
    held_reason = models.CharField(max_length=512, blank=True)
    """Why a reviewer must look before it is ranked (a time under the physical floor)."""
    payload = models.TextField()
    payload_sha256 = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)
    key_id = models.CharField(max_length=64)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(outcome__in=OUTCOMES), name="run_outcome_known"
            ),
            models.CheckConstraint(
                condition=models.Q(payload_sha256__regex=SHA256), name="run_payload_sha256_hex"
            ),
            models.UniqueConstraint(
                fields=["operator", "suite", "device", "hardware_class"],
                condition=models.Q(official=True, superseded_at__isnull=True),
                name="run_one_official",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["contract", "hardware_class", "suite"],
                condition=models.Q(official=True, superseded_at__isnull=True),
                name="run_board",
            ),
            models.Index(
                "hardware_class",
                models.F("recorded_at").desc(),
                "runner",
                "operator",
                condition=models.Q(superseded_at__isnull=True),
                name="run_in_force",
            ),
            models.Index(
                fields=["contract", "suite", "hardware_class", "recorded_at"],
                condition=models.Q(superseded_at__isnull=True),
                name="run_of_suite",
            ),
            models.Index(models.F("recorded_at").desc(), name="run_newest"),
            models.Index(
                fields=["hardware_class", "torch_version", "judge_version", "suite"],
                condition=models.Q(official=True, superseded_at__isnull=True),
                name="run_made_by",
            ),
        ]

    def __str__(self) -> str:
        return self.verdict_id


class Score(models.Model):
    """One place on one board, computed by the hub from the raw samples of a run."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="scores")
    dtype = models.CharField(max_length=16)
    mode = models.CharField(max_length=8)
    speedup = models.FloatField()
    ci_low = models.FloatField()
    ci_high = models.FloatField()
    coverage = models.FloatField()
    restarts = models.PositiveIntegerField()
    decision = models.CharField(max_length=16, default="undecided")
    """Whether it beats the baseline by 5 %, by counting restarts."""
    relative_l2 = models.FloatField(null=True, blank=True)
    """Worst ||x - golden|| / ||golden|| of the forward accuracy rows of this dtype."""
    error_share = models.FloatField(null=True, blank=True)
    """Worst max_error / bound of all accuracy rows of this dtype; 1 is the edge."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "dtype", "mode"], name="score_unique"),
            models.CheckConstraint(
                condition=models.Q(ci_low__gt=0, speedup__gt=0, ci_high__gte=models.F("ci_low")),
                name="score_interval_ordered",
            ),
            models.CheckConstraint(
                condition=models.Q(coverage__gte=0, coverage__lte=1), name="score_coverage_share"
            ),
            models.CheckConstraint(condition=models.Q(mode__in=MODES), name="score_mode_known"),
            models.CheckConstraint(
                condition=models.Q(decision__in=DECISIONS), name="score_decision_known"
            ),
        ]
        indexes: ClassVar = [
            models.Index("dtype", "mode", models.F("speedup").desc(), name="score_board")
        ]

    def __str__(self) -> str:
        return f"{self.speedup:.3f} ({self.dtype}, {self.mode})"


class Lesson(models.Model):
    """What an optimizer made of one task: means over starts, computed by the hub from each start.

    The ends of an interval are null of fewer than two starts, a mean where no start got there.
    """

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="lessons")
    task = models.CharField(max_length=32)
    starts = models.PositiveIntegerField()
    reached = models.PositiveIntegerField()
    """How many of the starts reached the target."""
    final_loss = models.FloatField()
    final_loss_low = models.FloatField(null=True, blank=True)
    final_loss_high = models.FloatField(null=True, blank=True)
    steps_to_target = models.FloatField(null=True, blank=True)
    steps_to_target_low = models.FloatField(null=True, blank=True)
    steps_to_target_high = models.FloatField(null=True, blank=True)
    ms_to_target = models.FloatField(null=True, blank=True)
    ms_to_target_low = models.FloatField(null=True, blank=True)
    ms_to_target_high = models.FloatField(null=True, blank=True)
    state_share = models.FloatField(null=True, blank=True)
    """Bytes that the optimizer keeps for each byte of parameters."""
    retained = models.FloatField()
    """Share of the way of plain momentum that it went."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "task"], name="lesson_unique"),
            models.CheckConstraint(
                condition=models.Q(starts__gte=1, reached__lte=models.F("starts")),
                name="lesson_reached_of_starts",
            ),
            models.CheckConstraint(
                condition=models.Q(retained__gte=0, retained__lte=1), name="lesson_retained_share"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task}: {self.final_loss:.3f}"


class GateResult(models.Model):
    """One gate of a run, for lists; its measurements stay in the payload."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="gates")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=64)
    outcome = models.CharField(max_length=16)
    required = models.BooleanField(default=True)
    summary = models.CharField(max_length=1024, blank=True)
    duration_s = models.FloatField(default=0.0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "position"], name="gate_result_in_order"),
            models.CheckConstraint(
                condition=models.Q(outcome__in=OUTCOMES), name="gate_result_outcome_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.outcome}"
