"""Identities and the hashes of their tokens."""

# ruff: noqa: D106 - `Meta` and the choices are words of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

SHA256 = r"^[0-9a-f]{64}$"
SCOPE = "(read|submit|submit:plugin/[a-z0-9-]+|upload:plugin/[a-z0-9-]+|yank|admin)"


class Identity(models.Model):
    """A person or program. The login is display text; (provider, external id) is who it is."""

    provider = models.CharField(max_length=32, default="local")
    external_id = models.CharField(max_length=64)
    login = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "identities"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "external_id"], name="identity_unique"),
            models.CheckConstraint(
                condition=models.Q(login__regex=r"^[A-Za-z0-9][A-Za-z0-9-]*$"),
                name="identity_login_plain",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["login", "id"], name="identity_by_login")]

    def __str__(self) -> str:
        return self.login


class ApiToken(models.Model):
    """A bearer token, kept as its sha256: the database never holds what opens the door."""

    identity = models.ForeignKey(Identity, on_delete=models.PROTECT, related_name="tokens")
    token_sha256 = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=12)
    """The first characters, so that people recognise a token in a list."""
    scope = models.CharField(max_length=512)
    """What it opens, space between: `read`, `submit`, `submit:plugin/<name>`, `yank`, `admin`;
    `upload:plugin/<name>` of those that a publisher in CI is given for minutes."""
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("created_at")),
                name="api_token_expires_after_creation",
            ),
            models.CheckConstraint(
                condition=models.Q(token_sha256__regex=SHA256),
                name="api_token_is_hashed",
            ),
            models.CheckConstraint(
                condition=models.Q(scope__regex=rf"^{SCOPE}( {SCOPE})*$"),
                name="api_token_scope_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.hint}... of {self.identity_id}"
