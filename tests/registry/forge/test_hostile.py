"""Pull requests that want something else than to submit a plugin: each stops where it must."""

from __future__ import annotations

import pytest

from dougong_registry.forge.client import Forge
from dougong_registry.forge.models import Build, Head
from dougong_registry.plugins.models import Plugin
from dougong_registry.problem import Unavailable
from dougong_registry.submissions.models import Submission

FOLDER = "contrib/acme-rms"
STRANGER = 66


def end(hub, head):
    hub.go()
    head.refresh_from_db()
    return head.state, head.reason


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("contrib/other-norm/README.md", "acme-rms, other-norm"),
        ("ci/dougong_ci/judge/speed.py", "the judge"),
        ("core/dougong/contracts/norm.py", "a contract"),
        ("governance/levels-2026.1.toml", "the policy"),
        (".github/workflows/dougong.yml", "a workflow"),
    ],
)
def test_edits_of_what_is_not_its_own_stop_at_lint(hub, plugin, path, what):
    head = hub.propose({**plugin(), path: "mine\n"})
    state, reason = end(hub, head)
    assert state == "rejected"
    assert what in reason
    check = hub.check(head, "lint")
    assert (check["conclusion"], check["rows"][0]["annotation_level"]) == ("failure", "failure")
    assert head.steps.values_list("name", flat=True).get() == "lint"
    assert hub.summary().count("Reason:") == 1


def test_an_edit_of_the_project_alone_is_no_submission(hub, forge):
    head = hub.propose({"ci/dougong_ci/judge/speed.py": "FAIR = False\n"})
    assert end(hub, head)[0] == "ignored"
    assert (forge.checks, forge.comments) == ({}, {})


def test_a_plugin_of_somebody_else_stops_at_lint(hub, release):
    hub.to_review()
    hub.upstream.git("checkout", "--quiet", "main")
    hub.upstream.git("merge", "--quiet", "pull-1")
    hub.upstream.main = hub.upstream.git("rev-parse", "HEAD")
    change = release(version="6.6")
    head = hub.propose(change, 2, author=STRANGER, login="mallory")
    state, reason = end(hub, head)
    assert (state, "acme-rms belongs to eve" in reason) == ("rejected", True)


@pytest.mark.parametrize("name", ["d0ugong", "t0rch", "acmer-ms"])
def test_names_that_mislead_stop_at_lint(hub, plugin, name):
    if name == "acmer-ms":
        hub.to_review()  # somebody has acme-rms
    state, reason = end(hub, hub.propose(plugin(name), 2))
    assert state == "rejected"
    assert "reads like" in reason


def test_a_secret_stops_at_the_scan_with_its_line(hub, plugin):
    token = "ghp_" + "a" * 36
    head = hub.propose({**plugin(), f"{FOLDER}/acme_rms/keys.py": f"\nKEY = '{token}'\n"})
    assert end(hub, head)[0] == "rejected"
    (row,) = hub.check(head, "scan")["rows"]
    assert (row["path"], row["start_line"]) == (f"{FOLDER}/acme_rms/keys.py", 2)
    assert token not in str(hub.forge.checks) + hub.summary()


def test_annotations_come_fifty_at_a_time_and_all_of_them(hub, plugin):
    code = "".join(f"x{at} = 1  # \u200b\n" for at in range(120))
    head = hub.propose({**plugin(), f"{FOLDER}/acme_rms/more.py": code})
    end(hub, head)
    rows = hub.check(head, "scan")["rows"]
    assert [row["start_line"] for row in rows] == list(range(1, 121))


def test_annotations_that_were_cut_off_are_gone_on_with(hub, plugin, monkeypatch):
    code = "".join(f"x{at} = 1  # \u200b\n" for at in range(120))
    head = hub.propose({**plugin(), f"{FOLDER}/acme_rms/more.py": code})
    update, calls = Forge.check_update, []

    def cut_off(self, check_run_id, body):
        calls.append(body)
        answer = update(self, check_run_id, body)
        if len(calls) == 1:
            raise Unavailable("the connection broke after the forge had acted")
        return answer

    monkeypatch.setattr(Forge, "check_update", cut_off)
    with pytest.raises(Unavailable):
        hub.go()
    end(hub, head)
    rows = hub.check(head, "scan")["rows"]
    assert [row["start_line"] for row in rows] == list(range(1, 121))


def test_a_symbolic_link_stops_at_lint(hub, plugin):
    hub.upstream.commit("pull-1", plugin(), links={f"{FOLDER}/link": "/etc/passwd"})
    head = hub.propose({f"{FOLDER}/README.md": "# Again\n"})
    state, reason = end(hub, head)
    assert (state, "symbolic link" in reason) == ("rejected", True)


def test_ten_thousand_files_stop_at_lint(hub):
    sha = hub.upstream.crowd("pull-1", FOLDER, 10_000)
    hub.forge.open(1, sha, hub.upstream.main)
    assert hub.deliver(hub.forge.message(1)).status_code == 202
    state, reason = end(hub, Head.objects.get())
    assert (state, "1,000 files" in reason) == ("rejected", True)


def test_nothing_of_a_blocked_pull_request_is_built(hub, plugin):
    head = hub.propose(plugin())
    assert end(hub, head)[0] == "blocked"
    assert (Build.objects.count(), Submission.objects.count()) == (0, 0)
    assert not Plugin.objects.exists(), "no name is taken by a pull request that nobody looked at"


def test_a_cheat_that_the_judge_refuses_is_stopped_by_the_judge(hub, plugin):
    head = hub.propose(plugin())
    hub.go()
    hub.comment(11, f"/dougong unblock {head.sha[:12]}")
    hub.go()
    hub.build()
    hub.go()
    hub.judge(head, outcome="failed", code="WRONG_OUTPUT")
    assert end(hub, head)[0] == "rejected"
    assert "WRONG_OUTPUT" in hub.summary()


def test_a_strangers_markdown_stays_code(hub, plugin, forge):
    name = "| [free](https://evil.example) @everyone `"
    head = hub.propose({**plugin(), f"{FOLDER}/{name}.py": ""})
    end(hub, head)
    line = next(each for each in hub.summary().splitlines() if "Reason" in each)
    assert line.count("`") == 2


def test_a_wheel_that_is_another_plugin_is_stopped_at_the_build(hub, plugin):
    head = hub.propose(plugin())
    hub.go()
    hub.comment(11, f"/dougong unblock {head.sha[:12]}")
    hub.go()
    build = Build.objects.get()
    body = {
        "nonce": build.nonce,
        "outcome": "done",
        "filename": "other_norm-1.0-py3-none-any.whl",
        "wheel": "AAAA",
    }
    assert hub.runner.post(f"/api/v1/builds/{build.pk}/complete", body).status_code == 200
    state, reason = end(hub, head)
    assert (state, "the build gave other-norm" in reason) == ("rejected", True)
    again = hub.runner.post(f"/api/v1/builds/{build.pk}/complete", body)
    assert again.status_code == 409
