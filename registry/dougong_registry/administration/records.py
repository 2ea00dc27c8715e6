"""What staff may look at. Nobody adds, changes or deletes a row here, superusers neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

# Django's own classes take no parameters when they run.
if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
else:
    ModelAdmin, TabularInline = admin.ModelAdmin, admin.TabularInline


class Shown:
    """Rows that are looked at: neither made, nor changed, nor deleted."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let every member of staff look."""
        return request.user.is_active and bool(getattr(request.user, "is_staff", False))

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the app to whoever may look."""
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows come by services only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What happened stays as it was."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing goes."""
        return False


class ShownAdmin(Shown, ModelAdmin):
    """A list and a page of one kind of row."""

    list_per_page = 50
    # Counting all rows beside those that match would read a large table twice.
    show_full_result_count = False
    ordering: ClassVar[Any] = ("-pk",)


class ReleaseAdmin(ShownAdmin):
    list_display = ("__str__", "created_at", "sealed_at", "published_at", "yanked_at")
    list_select_related = ("plugin",)
    search_fields = ("plugin__canonical", "version")


class ArtifactAdmin(ShownAdmin):
    list_display = ("filename", "size_bytes", "sha256", "created_at")
    search_fields = ("filename", "sha256")


class SubmissionAdmin(ShownAdmin):
    list_display = ("__str__", "state", "submitter", "created_at", "finished_at")
    list_select_related = ("release__plugin", "submitter")
    list_filter = ("state",)
    search_fields = ("release__plugin__canonical", "submitter__login")


class JobAdmin(ShownAdmin):
    list_display = ("pk", "submission_id", "state", "device", "hardware_class", "priority")
    list_filter = ("state", "device", "priority")
    # Whoever holds the nonce may report on the job.
    exclude = ("nonce",)


class IdentityAdmin(ShownAdmin):
    list_display = ("login", "provider", "external_id", "created_at")
    search_fields = ("login", "external_id")


class ApiTokenAdmin(ShownAdmin):
    list_display = ("hint", "identity", "scope", "expires_at", "last_used_at", "revoked_at")
    list_select_related = ("identity",)
    exclude = ("token_sha256",)


class PublisherAdmin(ShownAdmin):
    list_display = ("plugin", "repository_id", "workflow", "environment", "added_by", "removed_at")
    list_select_related = ("plugin", "added_by")
    search_fields = ("plugin__canonical", "repository")


class EntryAdmin(ShownAdmin):
    list_display = ("seq", "at", "actor", "verb", "target")
    search_fields = ("actor", "verb", "target")


class AdvisoryAdmin(ShownAdmin):
    list_display = ("number", "plugin", "kind", "severity", "published_at", "withdrawn_at")
    list_select_related = ("plugin",)


class RevocationAdmin(ShownAdmin):
    list_display = ("seq", "advisory", "sha256", "action", "at")
    list_select_related = ("advisory",)


class PartInline(Shown, TabularInline):
    """Rows that belong to the one on the page."""

    extra = 0
    can_delete = False
