"""RECEIVED and EXAMINING: what the forge says of the head now, then what its blobs say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from packaging.utils import canonicalize_name

from dougong_ci.intake.examine import Examination, Known, examine
from dougong_ci.intake.findings import LINT, SCAN
from dougong_ci.intake.git import Repository
from dougong_ci.intake.project import Project
from dougong_registry.forge.client import Forge
from dougong_registry.forge.config import Config
from dougong_registry.forge.models import Event, Head
from dougong_registry.forge.pulls.services import pull_seen
from dougong_registry.forge.stages.move import Move, Say, wait
from dougong_registry.plugins.models import Plugin, Release
from dougong_registry.plugins.names import confusable_key, refuse_reserved
from dougong_registry.plugins.status import closed
from dougong_registry.problem import Conflict

MAX_ANNOTATIONS = 1_000


def received(config: Config, forge: Forge, head: Head) -> Move:
    """Ask the forge itself: a message is a hint, and may come late or out of order."""
    facts = forge.pull(head.pull.number)
    pull_seen(facts)
    if facts.head_sha != head.sha and facts.state == "open":
        return wait(head)  # by now it gave way to another
    # Once merged, the tip of the base holds the change itself.
    moved = facts.state == "open" or not head.base_sha
    return Move(state="examining", fields={"base_sha": facts.base_sha} if moved else {})


def examining(config: Config, forge: Forge, head: Head) -> Move:
    """Fetch both commits and read the blobs; nothing is checked out and nothing runs."""
    repository = mirror(config)
    repository.fetch(config.git_url, head.base_sha, head.sha)
    found = examine(repository, base=head.base_sha, head=head.sha, known=_known(head))
    if not found.plugin and not found.findings:
        return Move(state="ignored", reason="no plugin under contrib/ is touched")
    fields = {
        "plugin": found.plugin[:64],
        "tree": found.tree,
        "level": found.level,
        "unblock": list(found.unblock),
    }
    say = [_say(LINT, found), _say(SCAN, found)] if not found.of(LINT) else [_say(LINT, found)]
    if found.findings:
        first = found.findings[0]
        return Move(state="rejected", reason=first.message, say=say, fields=fields)
    return _unblocked(head, found.unblock, say, fields)


def blocked(config: Config, forge: Forge, head: Head) -> Move:
    """Wait for a reviewer who looked at this very commit."""
    return _unblocked(head, head.unblock, [], {})


def mirror(config: Config) -> Repository:
    """Return the hub's own copy of the forge's objects."""
    repository = Repository(config.mirror)
    repository.ensure()
    return repository


def _unblocked(
    head: Head, reasons: Sequence[str], say: list[Say], fields: Mapping[str, Any]
) -> Move:
    if reasons:
        by = Event.objects.filter(head=head, kind="unblocked").order_by("pk").first()
        if by is None:
            title = f"A reviewer must look at {head.sha[:12]} before it is built"
            lines = [f"- {code(reason)}" for reason in reasons]
            lines += ["", f"A reviewer who has looked writes `/dougong unblock {head.sha[:12]}`."]
            said = Say(name="unblock", outcome="blocked", title=title, summary="\n".join(lines))
            return Move(state="blocked", say=[*say, said], fields=fields)
        title = f"Unblocked by person {by.actor_id}"
        say = [*say, Say(name="unblock", outcome="passed", title=title)]
    say = [*say, Say(name="build", outcome="running", title="Waiting for a worker to build it")]
    return Move(state="building", say=say, fields=fields)


def _say(stage: str, found: Examination) -> Say:
    findings = found.of(stage)
    what = (
        "Scope, names, licence, sizes" if stage == LINT else "Secrets, hidden characters, binaries"
    )
    if not findings:
        return Say(name=stage, outcome="passed", title=f"{what}: nothing found")
    rows = [
        {"path": each.path, "line": each.line, "title": each.rule, "message": each.message}
        for each in findings
        if each.path and each.path.isprintable()
    ]
    lines = [f"- {each.rule}: {code(each.message)}" for each in findings[:50]]
    return Say(
        name=stage,
        outcome="failed",
        title=findings[0].message,
        summary="\n".join(lines),
        annotations=rows[:MAX_ANNOTATIONS],
    )


def code(text: str) -> str:
    """Return a stranger's words as code, which no Markdown in them can leave."""
    return "`" + " ".join(text.replace("`", "'").split()) + "`"


def _known(head: Head) -> Known:
    author = head.pull.author_id
    before = Head.objects.filter(pull__author_id=author, state="published").exists()

    def refusal(project: Project, tree: str, code_changed: bool) -> str:
        return _refusal(author, project, tree, code_changed)

    return Known(first_time=not before, is_known=_is_known, refusal=refusal)


def _is_known(plugin: str) -> bool:
    published = Release.objects.filter(plugin__canonical=plugin, published_at__isnull=False)
    return published.exists()


def _refusal(author_id: int, project: Project, tree: str, code_changed: bool) -> str:
    canonical = canonicalize_name(project.name)
    plugin = Plugin.objects.select_related("owner").filter(canonical=canonical).first()
    if plugin is None:
        return _refused_name(project.name)
    if (plugin.owner.provider, plugin.owner.external_id) != ("github", str(author_id)):
        return f"{plugin.name} belongs to {plugin.owner.login}; ask them to make the change"
    if why := closed(plugin):
        return why
    release = Release.objects.filter(plugin=plugin, version=project.version).first()
    if release is None or not code_changed:
        return ""
    if Head.objects.filter(submission__release=release, tree=tree).exists():
        return ""
    return (
        f"{plugin.name} {project.version} is sealed with other files; releases never change, so "
        "raise the version in pyproject.toml"
    )


def _refused_name(name: str) -> str:
    canonical = canonicalize_name(name)
    try:
        refuse_reserved(canonical)
    except Conflict as refused:
        return refused.detail
    alike = Plugin.objects.filter(confusable_key=confusable_key(canonical)).first()
    return f"the name {name} reads like {alike.name}, which is taken" if alike else ""
