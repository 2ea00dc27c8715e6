"""The admin site: who gets in, how often a password may be tried, and what is shown there."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from dougong_registry.administration import actions, records
from dougong_registry.advisories.models import Advisory, Revocation
from dougong_registry.api.writes import address_of
from dougong_registry.audit.models import Entry
from dougong_registry.moderation.models import Action
from dougong_registry.people.models import ApiToken, Identity
from dougong_registry.plugins.models import Artifact, Plugin, Release
from dougong_registry.publishing.models import Publisher
from dougong_registry.requests.rates import TooOften, rate_take
from dougong_registry.runs.models import Run, Runner
from dougong_registry.submissions.models import Job, Submission


class HubAdminSite(AdminSite):
    """Staff only. Accounts are made on the hub's own machine (`dougong-hub staff`), never here."""

    site_header = site_title = "Dougong hub"
    index_title = "What the hub knows; nothing here is changed but by an action with a reason"
    enable_nav_sidebar = False

    def login(self, request: HttpRequest, extra_context: object = None) -> HttpResponse:
        """Ask for name and password; not more often than the rate `login` allows an address."""
        if request.method == "POST":
            try:
                rate_take(rate="login", sender=address_of(request))  # type: ignore[arg-type]
            except TooOften as error:
                headers = {"Retry-After": str(error.wait_s)}
                return HttpResponse(
                    error.detail, status=429, headers=headers, content_type="text/plain"
                )
        return super().login(request, extra_context)  # type: ignore[arg-type]


site = HubAdminSite(name="admin")
site.disable_action("delete_selected")
site.register(Plugin, actions.PluginAdmin)
site.register(Run, actions.RunAdmin)
site.register(Runner, actions.RunnerAdmin)
site.register(Action, actions.ActionAdmin)
site.register(Release, records.ReleaseAdmin)
site.register(Artifact, records.ArtifactAdmin)
site.register(Submission, records.SubmissionAdmin)
site.register(Job, records.JobAdmin)
site.register(Identity, records.IdentityAdmin)
site.register(ApiToken, records.ApiTokenAdmin)
site.register(Publisher, records.PublisherAdmin)
site.register(Entry, records.EntryAdmin)
site.register(Advisory, records.AdvisoryAdmin)
site.register(Revocation, records.RevocationAdmin)
