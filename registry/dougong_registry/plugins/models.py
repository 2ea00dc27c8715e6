"""Plugins, releases, artifacts and operators, with the rules the database holds."""

# ruff: noqa: D106 - `Meta` and the choices are words of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from dougong_registry.people.models import SHA256, Identity

STATUSES = ("active", "archived", "deprecated", "quarantined")
"""Markers of PEP 792; a quarantined plugin offers no files."""
FAMILIES = ("attention", "norm", "activation", "optimizer", "backend", "transform")


class Plugin(models.Model):
    """A pip distribution. Its name is never freed, and no look-alike of it can be taken."""

    name = models.CharField(max_length=128)
    """As its author spells it."""
    canonical = models.CharField(max_length=128, unique=True)
    """As PEP 503 spells it."""
    confusable_key = models.CharField(max_length=128, unique=True)
    summary = models.CharField(max_length=512, blank=True)
    owner = models.ForeignKey(Identity, on_delete=models.PROTECT, related_name="plugins")
    status = models.CharField(max_length=16, default="active")
    status_reason = models.CharField(max_length=512, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status__in=STATUSES), name="plugin_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status="active") | ~models.Q(status_reason=""),
                name="plugin_status_has_reason",
            ),
            models.CheckConstraint(
                condition=models.Q(canonical__regex=r"^[a-z0-9]+(-[a-z0-9]+)*$"),
                name="plugin_canonical_pep503",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Artifact(models.Model):
    """Bytes by their hash. This row is the authority; the file store is only storage."""

    sha256 = models.CharField(max_length=64, unique=True)
    size_bytes = models.BigIntegerField()
    filename = models.CharField(max_length=256, unique=True)
    """Never used for other bytes."""
    core_metadata = models.TextField(blank=True)
    """METADATA of the wheel, for resolvers that read it alone (PEP 658); empty of old rows."""
    core_metadata_sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(sha256__regex=SHA256), name="artifact_sha256_hex"
            ),
            models.CheckConstraint(condition=models.Q(size_bytes__gt=0), name="artifact_not_empty"),
            models.CheckConstraint(
                condition=models.Q(core_metadata="", core_metadata_sha256="")
                | models.Q(core_metadata_sha256__regex=SHA256),
                name="artifact_metadata_has_hash",
            ),
        ]

    def __str__(self) -> str:
        return self.filename


class Release(models.Model):
    """One version of a plugin: one artifact, for ever.

    Sealed once it has been judged, and published, which is to say offered to installers, once an
    operator of it has passed.
    """

    plugin = models.ForeignKey(Plugin, on_delete=models.PROTECT, related_name="releases")
    version = models.CharField(max_length=64)
    artifact = models.OneToOneField(Artifact, on_delete=models.PROTECT, related_name="release")
    license = models.CharField(max_length=256, blank=True)
    requires_python = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    sealed_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    yanked_at = models.DateTimeField(null=True, blank=True)
    yanked_reason = models.CharField(max_length=512, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["plugin", "version"], name="release_unique"),
            models.CheckConstraint(
                condition=models.Q(yanked_at__isnull=True) | ~models.Q(yanked_reason=""),
                name="release_yank_has_reason",
            ),
            models.CheckConstraint(
                condition=models.Q(published_at__isnull=True) | models.Q(sealed_at__isnull=False),
                name="release_published_is_sealed",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["plugin", "published_at"],
                condition=models.Q(published_at__isnull=False),
                name="release_offered",
            ),
            models.Index(
                models.F("published_at").desc(),
                models.F("id").desc(),
                condition=models.Q(published_at__isnull=False),
                name="release_newest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plugin_id} {self.version}"


class Provider(models.Model):
    """The part of an operator's name before the slash; belongs to who used it first."""

    name = models.CharField(max_length=40, unique=True)
    confusable_key = models.CharField(max_length=40, unique=True)
    owner = models.ForeignKey(Identity, on_delete=models.PROTECT, related_name="providers")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class OperatorName(models.Model):
    """`provider/name`, claimed for ever by one plugin."""

    name = models.CharField(max_length=105, unique=True)
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="operators")
    plugin = models.ForeignKey(Plugin, on_delete=models.PROTECT, related_name="operator_names")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(
                    name__regex=r"^[a-z0-9][a-z0-9_.-]{0,38}/[a-z0-9][a-z0-9_.-]{0,63}$"
                ),
                name="operator_name_provider_slash_name",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class OperatorRecord(models.Model):
    """What one release says of one operator: its metadata, as the judge discovered it."""

    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="operators")
    claimed_name = models.ForeignKey(OperatorName, on_delete=models.PROTECT, related_name="records")
    name = models.CharField(max_length=105)
    family = models.CharField(max_length=16)
    contract = models.CharField(max_length=64)
    variant = models.CharField(max_length=64, blank=True)
    summary = models.CharField(max_length=512, blank=True)
    paper = models.CharField(max_length=256, blank=True)
    license = models.CharField(max_length=128, blank=True)
    metadata = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["release", "name"], name="operator_record_unique"),
            models.CheckConstraint(
                condition=models.Q(family__in=FAMILIES), name="operator_record_family_known"
            ),
        ]
        indexes: ClassVar = [
            models.Index("name", models.F("release").desc(), name="operator_record_newest"),
            models.Index(fields=["family", "contract"], name="operator_record_browse"),
        ]

    def __str__(self) -> str:
        return self.name
