"""Lists of the API, page by page: plugins, releases, submissions, runs, people, runners."""

from __future__ import annotations

from django.db.models import OuterRef, QuerySet
from packaging.utils import canonicalize_name

from dougong_registry.boards.list_rows import (
    PersonDetail,
    PersonRow,
    PluginDetail,
    PluginRelease,
    PluginReleaseDetail,
    RunnerRow,
)
from dougong_registry.boards.pages import PluginRow
from dougong_registry.boards.rows import RunRow, SubmissionRow
from dougong_registry.boards.selectors.contributions import standing_of
from dougong_registry.boards.selectors.plugins import matching, plugin_row, with_counts
from dougong_registry.boards.selectors.runs import run_row_maker, runs_with_scores
from dougong_registry.boards.selectors.submissions import submission_row, submissions_related
from dougong_registry.contributions.models import Standing
from dougong_registry.paging import Page, page_of
from dougong_registry.people.models import Identity
from dougong_registry.plugins.models import Plugin, Release
from dougong_registry.problem import Missing
from dougong_registry.runs.models import Runner
from dougong_registry.submissions.models import Submission
from dougong_registry.subqueries import counted, there_is

PLUGIN_ORDERS = {"name": "canonical", "-name": "-canonical", "created": "pk", "-created": "-pk"}
_NEWEST = "-pk"


def plugins_page(
    *, q: str = "", status: str = "", ordering: str = "name", limit: int = 50, cursor: str = ""
) -> Page[PluginRow]:
    """Return plugins whose name or summary holds every word.

    Args:
        q: Words, at most eight.
        status: `active`, `archived`, `deprecated` or `quarantined`; empty for all.
        ordering: A key of `PLUGIN_ORDERS`.
        limit: Rows at most.
        cursor: Of a page before.
    """
    plugins = with_counts(Plugin.objects.all())
    if status:
        plugins = plugins.filter(status=status)
    order = PLUGIN_ORDERS[ordering]
    return page_of(matching(plugins, q), plugin_row, order=order, limit=limit, cursor=cursor)


def plugin_detail(name: str) -> PluginDetail:
    """Return one plugin.

    Raises:
        Missing: there is none of this name.
    """
    plugins = Plugin.objects.filter(canonical=canonicalize_name(name))
    plugin = with_counts(plugins).first()
    if plugin is None:
        raise Missing(f"no plugin {name!r}; /api/v1/plugins lists them")
    names = plugin.operator_names.order_by("name").values_list("name", flat=True)
    return PluginDetail(plugin=plugin_row(plugin), operators=tuple(names))


def releases_page(name: str, *, limit: int = 50, cursor: str = "") -> Page[PluginRelease]:
    """Return the releases of a plugin, newest first.

    Raises:
        Missing: there is no such plugin.
    """
    plugin = Plugin.objects.filter(canonical=canonicalize_name(name)).first()
    if plugin is None:
        raise Missing(f"no plugin {name!r}; /api/v1/plugins lists them")
    releases = _releases().filter(plugin=plugin)
    return page_of(releases, _release_row, order=_NEWEST, limit=limit, cursor=cursor)


def release_detail(name: str, version: str) -> PluginReleaseDetail:
    """Return one release.

    Raises:
        Missing: there is none.
    """
    canonical = canonicalize_name(name)
    release = _releases().filter(plugin__canonical=canonical, version=version).first()
    if release is None:
        raise Missing(f"no release {name} {version}; /api/v1/plugins/<name>/releases lists them")
    names = release.operators.order_by("name").values_list("name", flat=True)
    return PluginReleaseDetail(release=_release_row(release), operators=tuple(names))


def submissions_page(
    *, state: str = "", submitter: str = "", limit: int = 50, cursor: str = ""
) -> Page[SubmissionRow]:
    """Return submissions, newest first."""
    found = submissions_related()
    chosen = {"state": state, "submitter__login": submitter}
    found = found.filter(**{name: value for name, value in chosen.items() if value})
    return page_of(found, submission_row, order=_NEWEST, limit=limit, cursor=cursor)


def runs_page(
    *,
    operator: str = "",
    contract: str = "",
    outcome: str = "",
    runner: str = "",
    official: bool | None = None,
    limit: int = 50,
    cursor: str = "",
) -> Page[RunRow]:
    """Return runs, newest first."""
    chosen = {"operator__name": operator, "contract": contract, "outcome": outcome}
    chosen["runner__name"] = runner
    runs = runs_with_scores().filter(**{name: value for name, value in chosen.items() if value})
    if official is not None:
        runs = runs.filter(official=official)
    return page_of(runs, run_row_maker(), order=_NEWEST, limit=limit, cursor=cursor)


def people_page(*, limit: int = 50, cursor: str = "") -> Page[PersonRow]:
    """Return who has submitted or contributed something, in the order they came."""
    return page_of(_people(), _person_row, order="pk", limit=limit, cursor=cursor)


def person_detail(login: str) -> PersonDetail:
    """Return who goes by a login; of several, who came first.

    Raises:
        Missing: nobody who has submitted or contributed something does.
    """
    person = _people().filter(login=login).order_by("pk").first()
    if person is None:
        raise Missing(f"nobody called {login!r} has submitted anything; see /api/v1/people")
    return PersonDetail(
        person=_person_row(person),
        plugins=tuple(person.plugins.order_by("canonical").values_list("name", flat=True)),
        providers=tuple(person.providers.order_by("name").values_list("name", flat=True)),
        standing=standing_of(person.provider, person.external_id),
    )


def runners_page(
    *, official: bool | None = None, limit: int = 50, cursor: str = ""
) -> Page[RunnerRow]:
    """Return runners by name, revoked ones too: their verdicts stand."""
    runners = Runner.objects.all()
    if official is not None:
        runners = runners.filter(official=official)
    return page_of(runners, _runner_row, order="name", limit=limit, cursor=cursor)


def _releases() -> QuerySet[Release]:
    return Release.objects.select_related("plugin", "artifact", "submission")


def _release_row(release: Release) -> PluginRelease:
    return PluginRelease(
        plugin=release.plugin.name,
        version=release.version,
        sha256=release.artifact.sha256,
        filename=release.artifact.filename,
        size_bytes=release.artifact.size_bytes,
        license=release.license,
        requires_python=release.requires_python,
        created_at=release.created_at,
        sealed_at=release.sealed_at,
        published_at=release.published_at,
        yanked_at=release.yanked_at,
        yanked_reason=release.yanked_reason,
        submission_id=release.submission.pk,
    )


def _people() -> QuerySet[Identity]:
    theirs = Submission.objects.filter(submitter=OuterRef("pk")).order_by()
    known = Standing.objects.filter(person=OuterRef("pk"))
    return Identity.objects.filter(there_is(theirs) | there_is(known)).annotate(
        submission_count=counted(theirs, "submitter")
    )


def _person_row(person: Identity) -> PersonRow:
    return PersonRow(
        login=person.login,
        provider=person.provider,
        external_id=person.external_id,
        created_at=person.created_at,
        submissions=getattr(person, "submission_count", 0),
    )


def _runner_row(runner: Runner) -> RunnerRow:
    return RunnerRow(
        name=runner.name,
        key_id=runner.key_id,
        public_key=runner.public_key,
        official=runner.official,
        hardware_class=runner.hardware_class,
        created_at=runner.created_at,
        last_seen_at=runner.last_seen_at,
        revoked_at=runner.revoked_at,
    )
