"""Everything that is asked of a pull request before a line of it runs, in order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from dougong_ci.intake import folder as described
from dougong_ci.intake import project, scope, secrets, text, unblock
from dougong_ci.intake.findings import LINT, Finding, StoppedError, lint
from dougong_ci.intake.git import Change, Entry, Repository
from dougong_ci.intake.project import Project

L1, L2 = "L1", "L2"
_WORDS = frozenset({".md", ".rst", ".txt"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the hub knows besides; a range on a laptop knows nothing of it."""

    first_time: bool = False
    is_known: Callable[[str], bool] = lambda _: True
    """Whether a plugin of this name is on the hub."""
    refusal: Callable[[Project, str, bool], str] = lambda *_: ""
    """Why a project, of this tree, code changed or not, cannot be taken; empty where it can."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found of one head."""

    plugin: str
    """Empty where the pull request submits no plugin."""
    tree: str = ""
    """Git's hash of the plugin's folder."""
    project: Project | None = None
    level: str = L1
    """What the change touches: L1 documents and tests, L2 code."""
    findings: Sequence[Finding] = ()
    unblock: Sequence[str] = ()

    def of(self, stage: str) -> list[Finding]:
        """Return what stops it at one stage."""
        return [each for each in self.findings if each.stage == stage]


def examine(
    repository: Repository, *, base: str, head: str, known: Known | None = None
) -> Examination:
    """Examine what a head changes since it left its base.

    Raises:
        GitError: the commits are not here, or have no common history.
    """
    known = known or Known()
    base = repository.merge_base(base, head)
    changes = repository.changes(base, head, scope.MAX_FILES)
    try:
        plugin = scope.plugin_of(changes)
    except StoppedError as stop:
        return Examination(plugin=_named(changes), findings=stop.findings)
    if not plugin:
        return Examination(plugin="")
    return _examine(repository, base, head, plugin, changes, known)


def _examine(
    repository: Repository,
    base: str,
    head: str,
    plugin: str,
    changes: Sequence[Change],
    known: Known,
) -> Examination:
    folder = f"{scope.ROOT}/{plugin}"
    path = f"{folder}/{project.NAME}"
    tree = repository.tree(head, folder)
    entries = repository.entries(head, folder, scope.MAX_FILES)
    if not entries:
        gone = lint("removal", f"{folder} is gone; releases stay: ask for a yank or an archive")
        return Examination(plugin=plugin, findings=[gone])
    if wrong := scope.check_files(entries):
        return Examination(plugin=plugin, tree=tree, findings=wrong)
    said, found = _described(repository, plugin, entries)
    after = said.project if said else None
    level = L2 if any(_is_code(change.path) for change in changes) else L1
    if after is not None and (why := known.refusal(after, tree, level == L2)):
        found = [lint("release", why, path)]
    if after is None or any(each.stage == LINT for each in found):
        return Examination(plugin=plugin, tree=tree, project=after, level=level, findings=found)
    # What the base says need not hold to rules that came later.
    before, _ = project.read(repository.blob(base, path), plugin, path)
    there = repository.entries(base, folder, scope.MAX_FILES) if before else []
    said_before, _ = _described(repository, plugin, there)
    touched = {change.path for change in changes}
    found += _scan(repository, [entry for entry in entries if entry.path in touched])
    why_blocked = unblock.reasons(
        folder=plugin,
        changes=changes,
        before=before,
        after=after,
        same_contracts=bool(said and said_before and said.contracts == said_before.contracts),
        first_time=known.first_time,
        is_new=before is None or not known.is_known(plugin),
    )
    return Examination(
        plugin=plugin,
        tree=tree,
        project=after,
        level=level,
        findings=found,
        unblock=why_blocked,
    )


def _described(
    repository: Repository, plugin: str, entries: Sequence[Entry]
) -> tuple[described.Contribution | None, list[Finding]]:
    prefix = f"{scope.ROOT}/{plugin}/"
    oids = {entry.path.removeprefix(prefix): entry.oid for entry in entries}
    asked = [name for name in described.FILES if name in oids]
    blobs = repository.blobs([oids[name] for name in asked])
    files = dict(zip(asked, blobs, strict=True))
    return described.read(files, oids, folder=plugin, prefix=prefix)


def _scan(repository: Repository, entries: Sequence[Entry]) -> list[Finding]:
    found: list[Finding] = []
    blobs = repository.blobs([entry.oid for entry in entries])
    for entry, data in zip(entries, blobs, strict=True):
        words = text.words_of(data)
        if words is None:
            found += text.check_bytes(entry.path, data)
            words = data.decode("latin-1")  # a key in it is a key all the same
        else:
            found += text.check_text(entry.path, words)
        found += secrets.check_secrets(entry.path, words)
    return found


def _named(changes: Sequence[Change]) -> str:
    """Return the folder that a refused pull request most likely meant."""
    for change in changes:
        parts = change.path.split("/")
        if len(parts) > 2 and parts[0] == scope.ROOT and scope.FOLDER.fullmatch(parts[1]):
            return parts[1]
    return ""


def _is_code(path: str) -> bool:
    parts = PurePosixPath(path).parts[2:]
    is_words = PurePosixPath(path).suffix.lower() in _WORDS and parts != (project.WHEELS,)
    return parts[:1] != ("tests",) and not is_words
