"""PUBLISHING: built again from the merged commit, hashed again, then offered in one transaction."""

from __future__ import annotations

import hashlib

from dougong_ci.intake import scope
from dougong_registry.audit.services import HUB, record
from dougong_registry.forge import builds
from dougong_registry.forge.client import Forge
from dougong_registry.forge.config import Config
from dougong_registry.forge.credit import credit
from dougong_registry.forge.models import Head
from dougong_registry.forge.provenance import provenance_record
from dougong_registry.forge.pulls.events import event_append
from dougong_registry.forge.reviews import quorum
from dougong_registry.forge.stages.examining import code, mirror
from dougong_registry.forge.stages.move import Move, Say, wait
from dougong_registry.plugins.models import Release
from dougong_registry.plugins.services import release_publish
from dougong_registry.runs.services import runs_come_in
from dougong_registry.storage.services import path_here
from dougong_registry.submissions.models import Submission


def publishing(config: Config, forge: Forge, head: Head) -> Move:
    """Hold the merged tree, the wheel built from it and the stored bytes to what was judged."""
    if not quorum(head).met:
        return Move(state="review")  # somebody thought better of it
    repository = mirror(config)
    merged, submission = head.pull.merge_sha, head.submission
    assert submission is not None  # noqa: S101 - a constraint of the table says so
    repository.fetch(config.git_url, merged)
    tree = repository.tree(merged, f"{scope.ROOT}/{head.plugin}")
    if tree != head.tree:
        return _quarantined(
            f"what was merged is tree {tree[:12] or 'none'}, what was judged {head.tree[:12]}"
        )
    build = builds.build_ensure(head=head, purpose="publish", commit=merged, repository=repository)
    if build.state == "queued":
        return wait(head)
    if build.state != "done":
        why = f"it could not be built again from {merged[:12]}: {build.error}"
        if build.state == "failed":
            return _quarantined(why)
        said = Say(name="publish", outcome="errored", title=why, summary=code(why))
        return Move(state="errored", reason=why, say=[said])
    if build.sha256 != submission.sha256:
        return _quarantined(
            f"built again it is {build.sha256[:12]}, what was judged is {submission.sha256[:12]}"
        )
    release = Release.objects.select_related("plugin", "artifact").get(submission=submission)
    with path_here(release.artifact).open("rb") as file:
        stored = hashlib.file_digest(file, "sha256").hexdigest()
    if stored != submission.sha256:
        return _quarantined(f"the store holds sha256 {stored[:12]}, not {submission.sha256[:12]}")
    said = Say(
        name="publish",
        outcome="passed",
        title=f"{release.plugin.name} {release.version} is published",
        summary=f"Built again from {merged}: the same {submission.sha256}.",
    )
    return Move(state="published", say=[said], also=_publish)


def _publish(head: Head) -> None:
    submission = head.submission
    assert submission is not None  # noqa: S101 - as above
    release = Release.objects.select_related("plugin", "artifact").get(submission=submission)
    Submission.objects.filter(pk=submission.pk).update(publishes=True)
    release_publish(release=release)
    runs_come_in(submission)
    provenance_record(head=head, release=release)
    event_append(
        pull=head.pull,
        head=head,
        kind="published",
        source="published",
        release=f"{release.plugin.canonical} {release.version}",
        sha256=submission.sha256,
    )
    credit(head, release)


def _quarantined(reason: str) -> Move:
    def note(head: Head) -> None:
        record(actor=HUB, verb="head.quarantined", target=f"head:{head.sha}", reason=reason)

    said = Say(name="publish", outcome="failed", title=reason, summary=code(reason))
    return Move(state="quarantined", reason=reason, say=[said], also=note)
