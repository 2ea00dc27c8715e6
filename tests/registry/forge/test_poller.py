"""A hub that no message reaches finds everything by asking, and counts nothing twice."""

from __future__ import annotations

from dougong_registry.forge import tasks
from dougong_registry.forge.models import Event, Head

REVIEWER, SECOND = 11, 12


def test_a_poll_finds_what_messages_would_have_said(hub, forge, plugin):
    sha = hub.upstream.commit("pull-1", plugin())
    forge.open(1, sha, hub.upstream.main)
    forge.say(1, REVIEWER, f"/dougong unblock {sha}")
    tasks.poll()
    head = Head.objects.get()
    hub.go()
    head.refresh_from_db()
    assert head.state == "building"
    hub.build()
    hub.go()
    hub.judge(head)
    for person in (REVIEWER, SECOND):
        forge.review(1, person, sha)
    tasks.poll()
    hub.go()
    hub.upstream.git("checkout", "--quiet", "main")
    hub.upstream.git("merge", "--quiet", "--no-ff", "--message", "merge", "pull-1")
    forge.merge(1, hub.upstream.git("rev-parse", "HEAD"))
    tasks.poll()
    hub.go()
    hub.build()
    hub.go()
    head.refresh_from_db()
    assert head.state == "published"
    events = Event.objects.count()
    for _ in range(2):
        tasks.poll()
        hub.go()
    assert Event.objects.count() == events
    assert hub.deliver(forge.message(1, "closed")).status_code == 202
    assert (Head.objects.count(), Event.objects.count()) == (1, events)


def test_a_head_that_the_forge_no_longer_has_gives_way(hub, forge, plugin):
    first = hub.propose(plugin())
    second = hub.upstream.commit("pull-1", {"contrib/acme-rms/README.md": "# Now\n"})
    forge.change(1, head={"sha": second})  # its message is lost
    hub.go()
    first.refresh_from_db()
    assert first.state == "superseded"
    assert Head.objects.get(sha=second).state == "blocked"
