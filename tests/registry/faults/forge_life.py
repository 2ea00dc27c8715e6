"""A program: kill a hub at moments of a pull request's life, let it go on, check what is true.

    python forge_life.py HOME EVERY LIVES

A moment is each SQL statement (before), each commit (before and after), each git command, each
request to the forge and each file put in its place (before and after). Each step of a life is begun
in a child that SIGKILL ends at its first moment, then again in one that ends EVERY moments later,
and so on until one lives to its end; the next life begins one moment later. The forge is this
process: it survives, and remembers what it was told.

Prints one JSON object: {"pull requests": {"moments", "killed", "problems"}}.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent


def loaded(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


life = loaded("faults_life", HERE / "life.py")
scene = loaded("forge_scene", HERE.parent / "forge" / "conftest.py")

from django.conf import settings  # noqa: E402
from django.db import connection, connections  # noqa: E402
from django.utils import timezone  # noqa: E402

from dougong_ci.intake.git import Repository  # noqa: E402
from dougong_registry.audit.services import verify  # noqa: E402
from dougong_registry.forge import queue, tasks  # noqa: E402
from dougong_registry.forge.client import Forge  # noqa: E402
from dougong_registry.forge.models import Event, Head, Provenance  # noqa: E402
from dougong_registry.plugins.models import Release  # noqa: E402
from dougong_registry.submissions.models import Submission  # noqa: E402

REVIEWER, SECOND = scene.REVIEWER, scene.SECOND


class Killer(life.Killer):
    def install(self):
        super().install()
        self.around(Repository, "_git")
        self.around(Forge, "_ask")
        self.around(queue, "_send")


class PullLife:
    """One pull request; each method is a step that can be done again after it was cut off."""

    def __init__(self, hub, number):
        self.hub, self.number = hub, number
        self.name = f"acme-{'abcdefghkmnpqrstuvwxyz'[number]}x"
        self.said = {}

    def deliver(self, name, event, message):
        self.said.setdefault(name, (json.dumps(message).encode(), f"{self.number}-{name}"))
        body, delivery = self.said[name]
        assert self.hub.deliver(body, event=event, delivery=delivery).status_code in (200, 202)

    def prepare(self):
        """What happens on the forge and in git, which is not the hub's to survive."""
        forge, upstream = self.hub.forge, self.hub.upstream
        branch = f"pull-{self.number}"
        self.sha = upstream.commit(branch, scene.made.plugin(self.name), start=upstream.main)
        forge.open(self.number, self.sha, upstream.main, author=100, login="eve")
        self.opened = forge.message(self.number)
        unblock = forge.say(self.number, REVIEWER, f"/dougong unblock {self.sha}")
        self.unblock = forge.comment_message(self.number, unblock)
        self.reviews = []
        for person in (REVIEWER, SECOND):
            review = forge.review(self.number, person, self.sha)
            self.reviews.append(forge.message(self.number, "submitted", review=review))
        upstream.git("checkout", "--quiet", "main")
        upstream.git("merge", "--quiet", "--no-ff", "--message", "merge", branch)
        self.merge_sha = upstream.git("rev-parse", "HEAD")

    @property
    def head(self):
        return Head.objects.select_related("submission").get(sha=self.sha)

    def steps(self):
        yield "opened", lambda: self.deliver("opened", "pull_request", self.opened)
        yield "read", self.go
        yield "unblocked", lambda: self.deliver("unblock", "issue_comment", self.unblock)
        yield "ordered", self.go
        yield "built", self.build
        yield "submitted", self.go
        yield None, self.judge
        yield "judged", self.go
        for at, review in enumerate(self.reviews):
            yield (
                f"approved {at}",
                lambda at=at, review=review: self.deliver(f"{at}", "pull_request_review", review),
            )
        yield "reviewed", self.go
        yield None, lambda: self.hub.forge.merge(self.number, self.merge_sha)
        yield "merged", tasks.poll
        yield "ordered again", self.go
        yield "built again", self.build
        yield "published", self.go

    def go(self):
        """The clock ticks: what a dead process held is free again."""
        now = timezone.now()
        Head.objects.filter(sha=self.sha).update(busy_until=now, not_before=now)
        for _ in range(3):
            tasks.advance(self.head.pk)

    def build(self):
        if self.head.builds.filter(state="queued").exists():
            self.hub.build()

    def judge(self):
        # Enough restarts that the speed is decided, and nothing is judged again.
        cases = [scene.hub_made.speed_case(1.5, restarts=7)]
        self.hub.judge(self.head, f"acme/{self.name}", cases=cases)

    def untrue(self):
        head = self.head
        if head.state != "published":
            yield f"{head.state}: {head.reason}"
            return
        release = Release.objects.get(plugin__name=self.name)
        counts = {
            "published": life.entries("release.published", f"{self.name} 1.0"),
            "submitted": life.entries("release.submitted", f"{self.name} 1.0"),
            "submissions": Submission.objects.filter(release=release).count(),
            "jobs": head.submission.jobs.count(),
            "provenance": Provenance.objects.filter(release=release).count(),
            "builds": head.builds.count(),
        }
        expected = dict.fromkeys(counts, 1) | {"builds": 2}
        if counts != expected:
            yield f"happened {counts}, must be {expected}"
        kinds = list(Event.objects.filter(head=head).values_list("kind", flat=True))
        for kind in ("merged", "published", "credited", "unblocked", "command.unblock"):
            if kinds.count(kind) != 1:
                yield f"{kind} happened {kinds.count(kind)} times"
        forge = self.hub.forge
        shown = [run["name"] for run in forge.checks.values() if run["head_sha"] == self.sha]
        if len(shown) != len(set(shown)) or len(shown) != 8:
            yield f"check runs are {sorted(shown)}"
        own = [each for each in forge.comments[self.number] if each["performed_via_github_app"]]
        if len(own) != 1 or "is published" not in own[0]["body"]:
            yield f"comments are {own}"


def suffer(pull, step, first, every):
    """Do a step, dying at moments; return how often it was killed, and the moments of the last."""
    at, killed = first, 0
    while True:

        def once(at=at):
            killer = Killer()
            killer.install()
            with connection.execute_wrapper(killer.statement):
                killer.at, killer.armed = at, True
                step()
                killer.armed = False
            return killer.count

        moments = life.forked(once)
        if moments is not None:
            return killed, moments
        killed += 1
        at += every
        # Whoever is started next finds the lease of the dead one run out.
        life.forked(lambda: Head.objects.filter(sha=pull.sha).update(busy_until=timezone.now()) * 0)


def main():
    home, every, lives = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    settings.JOBS_PER_AUTHOR = 1_000_000
    settings.ALLOWED_HOSTS = ["*"]
    key = scene.new_app_key(home / "app.pem")
    (home / "people.toml").write_text(scene.PEOPLE)
    upstream = scene.made.Made(home / "upstream")
    forge = scene.fake.Forge()
    settings.FORGE = scene.forge_settings(forge, upstream, key, home / "people.toml")
    life.call_command("migrate", interactive=False, verbosity=0)
    import githubkit  # noqa: F401 - loaded once here, and not again by each of the children

    queue._send = lambda *_: True
    hub = scene.Hub(forge, upstream)
    killed = moments = 0
    problems = []
    for number in range(1, lives + 1):
        pull = PullLife(hub, number)
        pull.prepare()
        for name, step in pull.steps():
            connections.close_all()
            if name is None:
                step()
                continue
            died, last = suffer(pull, step, number, every)
            killed, moments = killed + died, moments + last
        problems += [f"{pull.name}: {each}" for each in pull.untrue()]
    chain = verify()
    if chain.broken_at is not None:
        problems.append(f"audit: {chain.reason}")
    found = {"moments": moments, "killed": killed, "problems": problems}
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps({"pull requests": found}))
    forge.close()


if __name__ == "__main__":
    main()
