"""BUILDING: a worker makes the wheel in the sandbox, and the wheel becomes a submission."""

from __future__ import annotations

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from dougong_ci.intake.project import folder_of
from dougong_registry.forge import builds
from dougong_registry.forge.client import Forge
from dougong_registry.forge.config import Config
from dougong_registry.forge.models import Build, Head
from dougong_registry.forge.people import identity_of
from dougong_registry.forge.stages.examining import code, mirror
from dougong_registry.forge.stages.move import Move, Say, wait
from dougong_registry.problem import Forbidden, Problem, Refused, Unavailable
from dougong_registry.requests.rates import TooOften
from dougong_registry.submissions.models import Submission
from dougong_registry.submissions.services import submission_create


def building(config: Config, forge: Forge, head: Head) -> Move:
    """Order the build, wait for it, and hand the wheel to the ordinary way in."""
    repository = mirror(config)
    repository.fetch(config.git_url, head.sha)
    build = builds.build_ensure(head=head, purpose="judge", commit=head.sha, repository=repository)
    if build.state == "queued":
        return wait(head)
    if build.state != "done":
        state = "rejected" if build.state == "failed" else "errored"
        return _stopped(state, build.error)
    try:
        submission = _submit(head, build)
    except TooOften:
        raise  # it is worth another try
    except Problem as problem:
        if problem.status >= 500:
            raise
        return _stopped("rejected", problem.detail)
    built = f"Built {build.filename}, sha256 {build.sha256[:12]}"
    return Move(
        state="judging",
        fields={"submission": submission},
        say=[
            Say(name="build", outcome="passed", title=built),
            Say(name="correctness", outcome="running", title="Waiting for the judge"),
            Say(name="speed", outcome="running", title="Waiting for the judge"),
        ],
    )


def _stopped(state: str, reason: str) -> Move:
    outcome = "failed" if state == "rejected" else "errored"
    said = Say(name="build", outcome=outcome, title=reason, summary=code(reason))
    return Move(state=state, reason=reason, say=[said])


def _submit(head: Head, build: Build) -> Submission:
    try:
        name, version, _, _ = parse_wheel_filename(build.filename)
    except InvalidWheelFilename as error:
        raise Refused(str(error)) from error
    if folder_of(name) != head.plugin:
        raise Refused(f"the build gave {name} {version}, the folder is {head.plugin}")
    wheel = builds.wheel_of(build)
    author = identity_of(head.pull.author_id, head.pull.author_login)
    with wheel.open("rb") as file:
        submission, _ = submission_create(
            submitter=author,
            chunks=iter(lambda: file.read(1 << 20), b""),
            filename=build.filename,
            publishes=False,
        )
    if submission.submitter_id != author.pk:
        raise Forbidden(f"these very bytes are on the hub as submission {submission.pk}")
    if submission.sha256 != build.sha256:
        raise Unavailable("the wheel is not what the worker sent any more")
    return submission
