"""`dougong install | uninstall | audit` in an environment of its own, from a hub that is live."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import subprocess
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from dougong_registry.advisories.models import Advisory
from dougong_registry.plugins import store
from dougong_registry.plugins.models import Artifact, Plugin, Release

pytestmark = [
    # The live server starts before a test can name a static folder; no page is asked for.
    pytest.mark.filterwarnings("ignore:No directory at:UserWarning"),
    pytest.mark.timeout(300),
]

MODULE = """\
import dougong

VERSION = {version!r}

@dougong.hookimpl
def dougong_register_norm():
    return [dougong.Operator(name="acme/rms", contract="norm.rms@1", target="acme_rms:rms")]

def rms(x):
    return x
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """An environment that finds this one's packages and keeps its own."""
    folder = tmp_path_factory.mktemp("machine") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    ours = sysconfig.get_path("purelib")
    (site / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    return folder / "bin" / "python"


@pytest.fixture
def offer(publish, aged):
    """Publish a version with an operator that loads, old enough to be chosen."""

    def _offer(version: str, *, days: float = 30) -> Artifact:
        publish(version, **{"acme_rms.py": MODULE.format(version=version)})
        rows = Release.objects.filter(version=version)
        aged(rows, published_at=timezone.now() - dt.timedelta(days=days))
        return rows.get().artifact

    return _offer


@pytest.fixture
def dougong(python, tmp_path, live_server):
    """Run the command in that environment; what it installed is gone afterwards."""
    here = tmp_path / "project"
    here.mkdir()
    clean = {name: value for name, value in os.environ.items() if "DOUGONG" not in name}
    environment = {
        **clean,
        "DOUGONG_HOME": str(tmp_path / "mine"),
        "DOUGONG_HUB_URL": live_server.url,
        "DOUGONG_PLUGINS": "acme-rms",
        "NO_PROXY": "127.0.0.1,localhost",
        # A second index that is not to be asked; were it, pip would fail.
        "PIP_EXTRA_INDEX_URL": "http://127.0.0.1:9/simple/",
    }

    def call(*arguments: str, code: int = 0, module: str = "dougong", **more: str):
        done = subprocess.run(
            [python, "-m", module, *arguments],
            cwd=here,
            env={**environment, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return done

    call.lock = lambda: tomllib.loads((here / "dougong.lock").read_text())
    call.home = tmp_path / "mine"
    yield call
    call("uninstall", "-qy", "acme-rms", module="pip")


def installed(dougong) -> list[dict]:
    return [
        row for row in json.loads(dougong("list", "--json").stdout) if row["name"] == "acme/rms"
    ]


def advise(*more: str, versions: str) -> str:
    call_command(
        "advisory", "publish", "acme-rms", "--versions", versions, "--kind", "malware",
        "--severity", "critical", "--summary", "sends keys away", *more,
    )  # fmt: skip
    return Advisory.objects.latest("pk").number


class TestInstall:
    def test_shows_the_evidence_installs_and_locks(self, offer, dougong):
        offer("1.0")
        artifact = offer("1.1")
        done = dougong("install", "acme/rms")
        assert f"acme-rms 1.1  sha256 {artifact.sha256[:12]}" in done.stdout
        assert "ACCEPTED" in done.stdout
        assert "1.50x" in done.stdout
        assert "by ada" in done.stdout
        assert "installed acme/rms (norm.rms@1) ok" in done.stdout
        (pin,) = dougong.lock()["distribution"]
        assert (pin["version"], pin["wheel"]) == ("1.1", artifact.sha256)
        assert pin["publisher"].startswith("local:")
        (operator,) = dougong.lock()["operator"]
        assert operator["verdict"]
        dougong("verify")

    def test_a_dry_run_says_the_same_and_changes_nothing(self, offer, dougong):
        offer("1.0")
        found = json.loads(dougong("install", "acme-rms", "--dry-run", "--json").stdout)
        assert (found["release"]["version"], found["installed"]) == ("1.0", False)
        assert found["evidence"][0]["operator"] == "acme/rms"
        assert installed(dougong) == []

    def test_a_flipped_byte_in_the_store_installs_nothing(self, offer, dougong):
        path = store.path_of(offer("1.0").sha256)
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 1
        path.write_bytes(data)
        done = dougong("install", "acme-rms", code=2)
        assert "the bytes were changed in its store or on the way" in done.stderr
        assert done.stderr.count("\n") == 1
        assert installed(dougong) == []

    def test_more_bytes_than_promised_are_not_read_to_the_end(self, offer, dougong):
        path = store.path_of(offer("1.0").sha256)
        path.write_bytes(path.read_bytes() + b"x" * 5_000_000)
        assert "bytes promised" in dougong("install", "acme-rms", code=2).stderr

    def test_a_yanked_version_is_passed_over_unless_pinned(self, offer, ada, dougong):
        offer("1.0")
        offer("1.1")
        answer = ada.client.post(
            "/api/v1/plugins/acme-rms/releases/1.1/yank",
            json.dumps({"reason": "wrong for odd sizes"}),
            content_type="application/json",
            headers={"Authorization": f"Bearer {ada.token}"},
        )
        assert answer.status_code == 200
        done = dougong("install", "acme-rms")
        assert "acme-rms 1.0" in done.stdout
        assert "passed over 1.1: yanked: wrong for odd sizes" in done.stdout
        done = dougong("install", "acme-rms==1.1")
        assert "1.1 is yanked: wrong for odd sizes" in done.stdout
        assert dougong.lock()["distribution"][0]["version"] == "1.1"

    def test_a_young_version_is_left_to_others_first(self, offer, dougong):
        offer("1.0")
        offer("1.1", days=1)
        done = dougong("install", "acme-rms")
        assert "passed over 1.1: published 24.0 h ago, asked for 72.0 h" in done.stdout
        assert "acme-rms 1.1" in dougong("install", "acme-rms", "--min-age", "0").stdout

    def test_only_young_ones_is_an_error_with_the_way_out(self, offer, dougong):
        offer("1.0", days=1)
        done = dougong("install", "acme-rms", code=2)
        assert "--min-age 0 or acme-rms==VERSION takes a young one" in done.stderr
        dougong("install", "acme-rms==1.0")

    def test_a_quarantined_plugin_is_refused(self, offer, dougong):
        offer("1.0")
        Plugin.objects.update(status="quarantined", status_reason="looked at")
        done = dougong("install", "acme-rms==1.0", code=2)
        assert "the plugin is quarantined: looked at" in done.stderr

    def test_what_never_passed_here_is_refused_unless_asked_for(self, offer, dougong):
        offer("1.0")
        assert (
            "not bfloat16" in dougong("install", "acme-rms", "--dtype", "bfloat16", code=2).stderr
        )

    def test_another_publisher_than_locked_must_be_trusted(self, offer, another_submitter, dougong):
        offer("1.0")
        dougong("install", "acme-rms")
        eve = another_submitter("eve")
        Plugin.objects.update(owner=Plugin.objects.get().owner.__class__.objects.get(login="eve"))
        publisher = (
            f"{Plugin.objects.get().owner.provider}:{Plugin.objects.get().owner.external_id}"
        )
        assert eve.token
        done = dougong("install", "acme-rms", code=2)
        assert f"--trust {publisher} accepts" in done.stderr
        dougong("install", "acme-rms", "--trust", publisher)
        assert dougong.lock()["distribution"][0]["publisher"] == publisher

    def test_dependencies_come_from_the_same_hub_alone(self, publish, dougong):
        publish(
            "1.0",
            **{
                "acme_rms.py": MODULE.format(version="1.0"),
                "acme_rms-1.0.dist-info/METADATA": (
                    "Metadata-Version: 2.4\nName: acme-rms\nVersion: 1.0\n"
                    "License-Expression: MIT\nRequires-Dist: surely-not-on-this-hub\n"
                ),
            },
        )
        done = dougong("install", "acme-rms==1.0", "--deps", code=2)
        assert "surely-not-on-this-hub" in done.stderr
        assert ":9/" not in done.stderr
        assert installed(dougong) == []

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ("nobody", "no plugin nobody"),
            ("acme/nobody", "no operator acme/nobody"),
            ("acme-rms==9", "no version 9 of acme-rms"),
            ("acme-rms>=1", "neither NAME nor NAME==VERSION"),
        ],
    )
    def test_errors_are_one_line_and_exit_2(self, offer, dougong, given, words):
        offer("1.0")
        done = dougong("install", given, code=2)
        assert words in done.stderr
        assert done.stderr.count("\n") == 1

    def test_uninstall_takes_it_out_of_the_lock(self, offer, dougong):
        offer("1.0")
        dougong("install", "acme-rms")
        assert "uninstalled acme-rms" in dougong("uninstall", "acme/rms").stdout
        assert installed(dougong) == []
        assert "distribution" not in dougong.lock() or dougong.lock()["distribution"] == []
        assert "is not installed" in dougong("uninstall", "acme-rms", code=2).stderr
        assert "not a plugin" in dougong("uninstall", "torch", code=2).stderr


class TestRevocation:
    def test_what_is_revoked_is_not_installed_not_loaded_and_audited(self, offer, dougong):
        offer("1.0")
        offer("1.1")
        dougong("install", "acme-rms")
        assert "nothing known" in dougong("audit").stdout
        number = advise("--revoke", versions="==1.1")
        done = dougong("audit", code=1)
        assert f"{number} revoked" in done.stdout
        assert "sends keys away" in done.stdout
        (row,) = json.loads(dougong("list", "--json").stdout)
        assert f"revoked by {number}: sends keys away" in json.dumps(row)
        assert number in dougong("install", "acme-rms==1.1", code=2).stderr
        dougong("install", "acme-rms")
        assert dougong.lock()["distribution"][0]["version"] == "1.0"
        assert "nothing known" in dougong("audit").stdout
        assert installed(dougong)[0]["status"] == "ok"

    def test_a_withdrawn_one_is_good_again(self, offer, dougong):
        offer("1.0")
        dougong("install", "acme-rms")
        number = advise("--revoke", versions="*")
        dougong("audit", code=1)
        call_command("advisory", "withdraw", number, "--reason", "a mistake")
        dougong("audit")
        assert installed(dougong)[0]["status"] == "ok"

    def test_an_advisory_alone_is_told_and_does_not_stop_anything(self, offer, dougong):
        offer("1.0")
        dougong("install", "acme-rms")
        number = advise(versions="*")
        found = json.loads(dougong("audit", "--json", code=1).stdout)["findings"]
        assert [(row["advisory"], row["revoked"]) for row in found] == [(number, False)]
        assert installed(dougong)[0]["status"] == "ok"

    def test_audit_works_without_the_hub_and_says_how_old_it_is(self, offer, dougong):
        offer("1.0")
        dougong("install", "acme-rms")
        advise("--revoke", versions="*")
        dougong("audit", code=1)
        gone = dougong("audit", code=1, DOUGONG_HUB_URL="http://127.0.0.1:9")
        assert "cannot be reached" in gone.stdout
        (path,) = (dougong.home / "feeds").glob("*.json")
        data = json.loads(path.read_text())
        old = dt.datetime.now(dt.UTC) - dt.timedelta(hours=5)
        path.write_text(json.dumps({**data, "fetched_at": old.isoformat()}))
        assert "5.0 h old" in dougong("audit", "--offline", code=1).stdout

    def test_audit_that_knows_nothing_says_so(self, dougong):
        assert "nothing is known" in dougong("audit", "--offline", code=2).stderr

    def test_a_feed_that_lost_a_line_or_its_signature_is_refused(self, offer, dougong):
        from django.db import connection

        from dougong_registry.advisories.models import Revocation
        from dougong_registry.guards.install import install, lift

        offer("1.0")
        dougong("install", "acme-rms")
        advise("--revoke", versions="*")
        advise("--revoke", versions="*")
        lift(connection)
        first = Revocation.objects.get(seq=1)
        Revocation.objects.filter(seq=1).update(signature=base64.b64encode(b"0" * 64).decode())
        assert "is not signed" in dougong("audit", code=2).stderr
        Revocation.objects.filter(seq=1).update(signature=first.signature)
        Revocation.objects.filter(seq=1).update(seq=9)
        assert "lack a line" in dougong("audit", code=2).stderr
        Revocation.objects.filter(seq=9).update(seq=1)
        dougong("audit", code=1)
        Revocation.objects.all().delete()
        assert "lines are gone" in dougong("audit", code=2).stderr
        install(connection)
