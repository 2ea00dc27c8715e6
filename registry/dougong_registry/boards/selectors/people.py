"""People: listed, and one by one."""

from __future__ import annotations

from django.db.models import OuterRef, QuerySet, Subquery

from dougong_registry.boards.pages import PersonPage, PersonRow
from dougong_registry.boards.selectors.plugins import plugins_list
from dougong_registry.boards.selectors.submissions import submission_row, submissions_related
from dougong_registry.contributions.models import Standing
from dougong_registry.people.models import Identity
from dougong_registry.plugins.models import Plugin
from dougong_registry.problem import Missing
from dougong_registry.submissions.models import Submission
from dougong_registry.subqueries import counted, there_is


def people_list(*, limit: int = 100, offset: int = 0) -> tuple[PersonRow, ...]:
    """Return everybody who owns a plugin, submitted or contributed, in the order of logins."""
    known = _counted().filter(
        there_is(Plugin.objects.filter(owner=OuterRef("pk")))
        | there_is(Submission.objects.filter(submitter=OuterRef("pk")))
        | there_is(Standing.objects.filter(person=OuterRef("pk")))
    )
    return tuple(map(_row, known.order_by("login", "pk")[offset : offset + limit]))


def person_detail(
    login: str, *, provider: str = "", limit: int = 50, offset: int = 0
) -> PersonPage:
    """Return one person. A login is display text: whoever came first with it is shown.

    Args:
        login: As it is spelled.
        provider: `local`, `github`, ...; tells namesakes apart.
        limit: Plugins and submissions at most, each.
        offset: Of each, how many to skip.

    Raises:
        Missing: there is nobody of this login.
    """
    found = list(_counted().filter(login=login).order_by("pk"))
    chosen = next((each for each in found if provider in ("", each.provider)), None)
    if chosen is None:
        raise Missing(f"nobody here is called {login!r}; see /people/")
    submissions = submissions_related().filter(submitter=chosen).order_by("-created_at", "-pk")
    return PersonPage(
        person=_row(chosen),
        namesakes=tuple(_row(each) for each in found if each.pk != chosen.pk),
        providers=tuple(chosen.providers.order_by("name").values_list("name", flat=True)),
        plugins=plugins_list(owner=chosen.pk, limit=limit, offset=offset),
        submissions=tuple(map(submission_row, submissions[offset : offset + limit])),
    )


def _counted() -> QuerySet[Identity]:
    # Sub-queries: joins would multiply the plugins of a person by their submissions.
    held = Standing.objects.filter(person=OuterRef("pk"))
    return Identity.objects.annotate(
        held_role=Subquery(held.values("role")[:1]),
        held_standing=Subquery(held.values("standing")[:1]),
        plugin_count=counted(Plugin.objects.filter(owner=OuterRef("pk")), "owner"),
        submission_count=counted(Submission.objects.filter(submitter=OuterRef("pk")), "submitter"),
    )


def _row(identity: Identity) -> PersonRow:
    return PersonRow(
        login=identity.login,
        provider=identity.provider,
        external_id=identity.external_id,
        since=identity.created_at,
        plugins=getattr(identity, "plugin_count", 0),
        submissions=getattr(identity, "submission_count", 0),
        role=getattr(identity, "held_role", None) or "",
        standing=getattr(identity, "held_standing", None) or "",
    )
