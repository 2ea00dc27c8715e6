"""`dougong ci`: what a hub asks of a pull request, asked of a range of a local git repository."""

from __future__ import annotations

import dataclasses
import json as json_module
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dougong_ci.intake.examine import Examination
    from dougong_ci.intake.git import Repository
    from dougong_ci.report.verdict import Verdict

STOPPED = 1


def ci(
    base: Annotated[str, typer.Argument(help="What the change is meant to be merged into.")],
    head: Annotated[str, typer.Argument(help="The change.")] = "HEAD",
    repository: Annotated[
        Path, typer.Option("--repository", help="Root of the git repository.")
    ] = Path(),
    judge: Annotated[
        bool, typer.Option("--judge/--no-judge", help="Build and judge it too.")
    ] = True,
    profile: Annotated[
        str, typer.Option("--profile", help="How thoroughly: quick, standard or full.")
    ] = "standard",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Check a submission as a hub's reporter does, without a forge: lint, scan, build, judge.

    On GitHub Actions what is found is also shown at its file and line.

    Exit status: 0 nothing stops it, or it submits no plugin; 1 something stops it; 2 the range
    cannot be read.
    """
    from dougong.errors import DougongError
    from dougong_ci.intake.examine import examine
    from dougong_ci.intake.git import GitError, Repository

    here = Repository(repository.resolve())
    try:
        found = examine(here, base=here.commit(base), head=here.commit(head))
        verdicts, error = [], ""
        if judge and found.project is not None and not found.findings:
            try:
                verdicts = _judge(here, here.commit(head), found.plugin, profile)
            except DougongError as failed:
                error = str(failed)
    except GitError as unreadable:
        raise typer.BadParameter(f"{base}..{head}: {unreadable}") from unreadable
    passed = not found.findings and not error and all(v.outcome == "passed" for v in verdicts)
    if json:
        print(json_module.dumps(_record(found, verdicts, error, passed), indent=2))
    else:
        for line in _lines(found, verdicts, error):
            print(line)
    return 0 if passed else STOPPED


def _judge(repository: Repository, commit: str, plugin: str, profile: str) -> list[Verdict]:
    from dougong_ci.intake import scope, sources
    from dougong_ci.judge import PROFILES, JudgeRequest
    from dougong_ci.judge import judge as run
    from dougong_ci.judge.building import build_wheel

    if profile not in PROFILES:
        raise typer.BadParameter(f"--profile must be one of {', '.join(PROFILES)}, got {profile!r}")
    with tempfile.TemporaryDirectory(prefix="dougong-ci-") as scratch:
        archive, folder = Path(scratch) / "sources.tar", Path(scratch) / plugin
        sources.pack(repository, commit, f"{scope.ROOT}/{plugin}", archive)
        sources.unpack(archive, folder)
        wheel = build_wheel(folder, Path(scratch))
        repeat = f"dougong judge {scope.ROOT}/{plugin} --profile {profile}"
        request = JudgeRequest(path=wheel, profile=PROFILES[profile], repeat=repeat)
        return list(run(request, lambda _: None))


def _record(
    found: Examination, verdicts: list[Verdict], error: str, passed: bool
) -> dict[str, Any]:
    project = found.project
    return {
        "plugin": found.plugin,
        "version": project.version if project else "",
        "level": found.level if found.plugin else "",
        "passed": passed,
        "findings": [dataclasses.asdict(each) for each in found.findings],
        "unblock": list(found.unblock),
        "error": error,
        "verdicts": [json_module.loads(each.to_json()) for each in verdicts],
    }


def _lines(found: Examination, verdicts: list[Verdict], error: str) -> Iterator[str]:
    if not found.plugin and not found.findings:
        yield "no plugin under contrib/ is touched: nothing is submitted"
        return
    project = found.project
    yield f"plugin {found.plugin or '?'} {project.version if project else ''} ({found.level})"
    for each in found.findings:
        yield f"{each.stage} {each.rule}: {each.path}:{each.line}: {each.message}"
        if os.environ.get("GITHUB_ACTIONS") == "true":
            yield (
                f"::error file={_escaped(each.path)},line={each.line},"
                f"title={_escaped(each.rule)}::{_escaped(each.message)}"
            )
    for reason in found.unblock:
        yield f"a reviewer must unblock it on a hub: {reason}"
    if error:
        yield f"build or judge: {error}"
    for verdict in verdicts:
        name = verdict.subject.operator.get("name", "?")
        yield f"{verdict.outcome} {name} ({verdict.contract}): {verdict.summary}"


def _escaped(text: str) -> str:
    """Keep a stranger's words inside one workflow command of GitHub Actions."""
    for char in "%\r\n:,":
        text = text.replace(char, f"%{ord(char):02X}")
    return text
