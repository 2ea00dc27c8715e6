"""The ledger and what people decided of each other; only ever added to (`guards.rules`)."""

# ruff: noqa: D106 - `Meta` is a word of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from dougong_registry.people.models import SHA256, Identity
from dougong_registry.plugins.models import Plugin

KINDS = ("change", "review", "triage", "report", "void")
LEVELS = ("L1", "L2", "L3")
ACTS = ("grant", "restore", "end")
_WORD = r"^[a-z]+$"


class Contribution(models.Model):
    """One record of something that a person did. A later record may take its place, once."""

    person = models.ForeignKey(Identity, on_delete=models.PROTECT, related_name="contributions")
    kind = models.CharField(max_length=8)
    """`void` only takes another record back."""
    level = models.CharField(max_length=4, blank=True)
    """Of a change: final where somebody decided it, else suggested."""
    decided_by = models.ForeignKey(
        Identity, on_delete=models.PROTECT, related_name="decided", null=True, blank=True
    )
    """Who set the level, or took back; empty where the hub did from its own evidence."""
    about = models.ForeignKey(
        Identity, on_delete=models.PROTECT, related_name="reviewed_by", null=True, blank=True
    )
    """Of a review: whose change it was."""
    plugin = models.ForeignKey(
        Plugin, on_delete=models.PROTECT, related_name="contributions", null=True, blank=True
    )
    summary = models.CharField(max_length=512, blank=True)
    """What it was; of a void, why."""
    evidence = models.JSONField(default=list)
    """`{"kind": "run" | "submission" | "url" | ..., "id": "..."}`, at least one."""
    data_only = models.BooleanField(default=False)
    """It touched nothing but policy files, and grants nothing."""
    source = models.CharField(max_length=256, unique=True)
    """What it was recorded from, so that nothing is recorded twice: `release:acme-rms 1.0`."""
    thread = models.CharField(max_length=200, blank=True)
    """Where it was talked about: reviews and the change they led to have the same."""
    opened_at = models.DateTimeField(null=True, blank=True)
    """Of a change or report: when the thread was opened."""
    occurred_at = models.DateTimeField()
    replaces = models.OneToOneField(
        "self", on_delete=models.PROTECT, related_name="replaced_by", null=True, blank=True
    )
    policy_version = models.CharField(max_length=16)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(kind__in=KINDS), name="contribution_kind_known"
            ),
            models.CheckConstraint(
                condition=models.Q(kind="change", level__in=LEVELS)
                | (~models.Q(kind="change") & models.Q(level="")),
                name="contribution_changes_have_level",
            ),
            models.CheckConstraint(
                condition=models.Q(decided_by__isnull=True)
                | ~models.Q(decided_by=models.F("person")),
                name="contribution_not_decided_by_oneself",
            ),
            models.CheckConstraint(
                condition=models.Q(about__isnull=True) | ~models.Q(about=models.F("person")),
                name="contribution_not_of_oneself",
            ),
            models.CheckConstraint(
                condition=~models.Q(kind="review") | models.Q(about__isnull=False),
                name="contribution_review_has_author",
            ),
            models.CheckConstraint(
                condition=~models.Q(kind="void")
                | (models.Q(replaces__isnull=False) & ~models.Q(summary="")),
                name="contribution_void_says_of_what_and_why",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                "person",
                models.F("occurred_at").desc(),
                models.F("id").desc(),
                name="contribution_of_person",
            ),
            models.Index(fields=["level", "id"], name="contribution_of_level"),
            models.Index(fields=["kind", "id"], name="contribution_of_kind"),
            models.Index(fields=["occurred_at"], name="contribution_by_time"),
            models.Index(
                fields=["opened_at"],
                condition=models.Q(opened_at__isnull=False),
                name="contribution_by_opening",
            ),
            models.Index(
                fields=["thread", "occurred_at"],
                condition=~models.Q(thread=""),
                name="contribution_of_thread",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.level} {self.source}"

    @staticmethod
    def in_force() -> models.QuerySet[Contribution]:
        """Return the records that count: not replaced, and none that only takes another back."""
        return Contribution.objects.filter(replaced_by__isnull=True).exclude(kind="void")


class RoleAct(models.Model):
    """A decision of somebody about the role of somebody else, under a version of the policy."""

    person = models.ForeignKey(Identity, on_delete=models.PROTECT, related_name="role_acts")
    act = models.CharField(max_length=8)
    role = models.CharField(max_length=32)
    by = models.ForeignKey(
        Identity,
        on_delete=models.PROTECT,
        related_name="role_acts_of_others",
        null=True,
        blank=True,
    )
    """Empty where whoever runs the hub named its first maintainer."""
    reason = models.CharField(max_length=512)
    evidence = models.JSONField(default=list, blank=True)
    """Of a grant: ids of the contributions and sponsorships that it rests on."""
    policy_version = models.CharField(max_length=16)
    policy_sha256 = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(act__in=ACTS), name="role_act_known"),
            models.CheckConstraint(
                condition=models.Q(role__regex=_WORD), name="role_act_names_role"
            ),
            models.CheckConstraint(
                condition=models.Q(by__isnull=True) | ~models.Q(by=models.F("person")),
                name="role_act_not_for_oneself",
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="role_act_has_reason"),
            models.CheckConstraint(
                condition=models.Q(policy_sha256__regex=SHA256), name="role_act_policy_hex"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.role} of {self.person_id}"


class Affiliation(models.Model):
    """Whom a person works for, as they say; the newest counts."""

    person = models.ForeignKey(Identity, on_delete=models.PROTECT, related_name="affiliations")
    name = models.CharField(max_length=128)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(name=""), name="affiliation_named"),
            models.UniqueConstraint(fields=["person", "since"], name="affiliation_one_at_a_time"),
        ]

    def __str__(self) -> str:
        return self.name


class Sponsorship(models.Model):
    """Somebody vouches for somebody else, once for each role."""

    person = models.ForeignKey(Identity, on_delete=models.PROTECT, related_name="sponsors")
    sponsor = models.ForeignKey(Identity, on_delete=models.PROTECT, related_name="sponsored")
    role = models.CharField(max_length=32)
    sponsor_role = models.CharField(max_length=32)
    """What the sponsor was then."""
    affiliation = models.CharField(max_length=128, blank=True)
    """The sponsor's, then."""
    reason = models.CharField(max_length=512)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~models.Q(sponsor=models.F("person")), name="sponsorship_not_of_oneself"
            ),
            models.CheckConstraint(
                condition=models.Q(role__regex=_WORD), name="sponsorship_names_role"
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="sponsorship_has_reason"),
            models.UniqueConstraint(
                fields=["person", "sponsor", "role"], name="sponsorship_once_a_role"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sponsor_id} for {self.person_id} as {self.role}"


class Standing(models.Model):
    """What `policy.decide` says of a person, kept; made anew with every record and every day."""

    person = models.OneToOneField(Identity, on_delete=models.CASCADE, related_name="standing")
    role = models.CharField(max_length=32, blank=True)
    standing = models.CharField(max_length=16, blank=True)
    eligible_for = models.CharField(max_length=32, blank=True)
    next_role = models.CharField(max_length=32, blank=True)
    points = models.FloatField()
    contributions = models.PositiveIntegerField()
    """In force."""
    reasons = models.JSONField(default=list)
    missing = models.JSONField(default=list)
    policy_version = models.CharField(max_length=16)
    decided_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["role", "standing"], name="standing_of_role"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} {self.role} {self.standing}"


class Month(models.Model):
    """What the community did in one calendar month (UTC), computed from the ledger."""

    month = models.DateField(unique=True)
    """Its first day."""
    changes = models.PositiveIntegerField()
    reviews = models.PositiveIntegerField()
    triages = models.PositiveIntegerField()
    reports = models.PositiveIntegerField()
    people_new = models.PositiveIntegerField()
    people_returning = models.PositiveIntegerField()
    absence_factor = models.PositiveIntegerField()
    """The fewest people who did half of what was done."""
    responses = models.PositiveIntegerField()
    """Threads opened in it that somebody else answered."""
    response_median_s = models.FloatField(null=True, blank=True)
    reviewed = models.PositiveIntegerField()
    """Changes that came in and whose thread's opening is known."""
    review_median_s = models.FloatField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(responses=0) | models.Q(response_median_s__isnull=False),
                name="month_response_measured",
            ),
            models.CheckConstraint(
                condition=models.Q(reviewed=0) | models.Q(review_median_s__isnull=False),
                name="month_review_measured",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
