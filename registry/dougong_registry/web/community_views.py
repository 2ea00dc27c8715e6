"""Pages of how the community does, and of its levels and roles."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dougong_registry.boards.selectors.contributions import community as community_now
from dougong_registry.boards.selectors.contributions import roles_held
from dougong_registry.contributions.policy import policy_in_force, policy_versions
from dougong_registry.web.texts import text_load, text_titles


@require_safe
def community(request: HttpRequest) -> HttpResponse:
    """How the community does, after the CHAOSS metrics."""
    return render(request, "dougong/community.html", {"page": community_now()})


@require_safe
def roles(request: HttpRequest) -> HttpResponse:
    """Levels and roles of the policy in force."""
    held = {name: (active, resting) for name, active, resting in roles_held()}
    policy = policy_in_force()
    context = {
        "policy": policy,
        "versions": policy_versions(),
        "texts": text_titles(),
        "roles": [(role, *held[role.name]) for role in policy.roles],
    }
    return render(request, "dougong/roles.html", context)


@require_safe
def text(request: HttpRequest, name: str) -> HttpResponse:
    """One of the texts that say how the project is run."""
    try:
        found = text_load(name)
    except KeyError as missing:
        raise Http404(f"there is no text {name!r}; see /roles/") from missing
    return render(request, "dougong/text.html", {"text": found, "texts": text_titles()})
