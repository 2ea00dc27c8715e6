"""Publishers that a plugin's owner trusts, and the ID tokens that were exchanged."""

# ruff: noqa: D106 - `Meta` is a word of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from dougong_registry.people.models import ApiToken, Identity
from dougong_registry.plugins.models import Plugin

WORKFLOW = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*[.]ya?ml$"
"""A file of `.github/workflows/`, without the folder."""


class Publisher(models.Model):
    """One workflow of one repository, by the forge's numeric ids: names change hands, ids do not.

    A repository that is deleted and made anew under its old name has another id, and so has an
    account that takes an old login.
    """

    plugin = models.ForeignKey(Plugin, on_delete=models.PROTECT, related_name="publishers")
    repository_id = models.PositiveBigIntegerField()
    repository_owner_id = models.PositiveBigIntegerField()
    repository = models.CharField(max_length=140, blank=True)
    """`owner/name` when it was added: for people to read, and for nothing else."""
    workflow = models.CharField(
        max_length=100,
        validators=[RegexValidator(WORKFLOW, "name a file as release.yml, without its folder")],
    )
    environment = models.CharField(max_length=255, blank=True)
    """In lower case; empty where any environment, or none, will do."""
    added_by = models.ForeignKey(Identity, on_delete=models.PROTECT, related_name="publishers")
    created_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=[
                    "plugin",
                    "repository_id",
                    "repository_owner_id",
                    "workflow",
                    "environment",
                ],
                condition=models.Q(removed_at__isnull=True),
                name="publisher_once_a_plugin",
            ),
            models.CheckConstraint(
                condition=models.Q(repository_id__gt=0, repository_owner_id__gt=0),
                name="publisher_has_ids",
            ),
            models.CheckConstraint(
                condition=models.Q(workflow__regex=WORKFLOW), name="publisher_workflow_is_a_file"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.repository_id} {self.workflow} of {self.plugin_id}"


class Exchange(models.Model):
    """One ID token that was given for a token of the hub. Kept while it could be shown again."""

    issuer = models.CharField(max_length=255)
    jti = models.CharField(max_length=255)
    expires_at = models.DateTimeField()
    """Of the ID token."""
    publisher = models.ForeignKey(Publisher, on_delete=models.PROTECT, related_name="exchanges")
    token = models.OneToOneField(ApiToken, on_delete=models.PROTECT, related_name="exchange")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["issuer", "jti"], name="exchange_jti_once"),
            models.CheckConstraint(condition=~models.Q(jti=""), name="exchange_has_jti"),
        ]
        indexes: ClassVar = [models.Index(fields=["expires_at"], name="exchange_oldest")]

    def __str__(self) -> str:
        return f"{self.jti} of {self.issuer}"
