"""Pages of how the community does, and of its levels and roles."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dougong_registry.boards.selectors.contributions import community as community_now
from dougong_registry.boards.selectors.contributions import roles_held
from dougong_registry.contributions.policy import policy_in_force, policy_versions


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
        "roles": [(role, *held[role.name]) for role in policy.roles],
    }
    return render(request, "dougong/roles.html", context)
