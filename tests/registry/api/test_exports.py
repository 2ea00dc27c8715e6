"""A hub leaves as files and comes back the same; what was changed on the way is refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from dougong_registry.advisories.keys import NAME as SIGNING_KEY
from dougong_registry.advisories.services import advisory_publish, advisory_withdraw
from dougong_registry.contributions.roles import affiliation_state, role_found, sponsor_add
from dougong_registry.exports.policy import (
    DERIVED,
    LEFT_OUT,
    MADE_ANEW,
    PASSING,
    exported_models,
    hub_models,
)
from dougong_registry.fleet.models import Capability
from dougong_registry.fleet.services import heartbeat_take
from dougong_registry.guards.rules import GUARDS
from dougong_registry.people.models import ApiToken, Identity
from dougong_registry.people.services import token_create
from dougong_registry.plugins.models import Artifact
from dougong_registry.requests.models import Allowance, Reply
from dougong_registry.runs.models import Runner
from dougong_registry.storage.models import Location
from dougong_registry.submissions.models import Job

SERVER = os.environ.get("DOUGONG_TEST_POSTGRES_URL", "")
PAGES = (
    "/api/v1/boards",
    "/api/v1/boards/norm.rms@1",
    "/boards/",
    "/boards/norm.rms@1/",
    "/operators/",
    "/simple/acme-rms/",
    "/api/v1/contributions",
    "/api/v1/advisories",
    "/api/v1/revocations",
)
READ_PAGES = """
import django, json, sys
django.setup()
from django.test import Client
client = Client()
answers = [client.get(page) for page in sys.argv[1:]]
print(json.dumps([[answer.status_code, answer.content.decode()] for answer in answers]))
"""


_IMPORTS = """
import contextlib, io, json, sys
from dougong_registry.__main__ import main

done = []
for folder in json.load(sys.stdin):
    sys.argv = ["dougong-hub", "import", folder, "--recompute"]
    said, code = io.StringIO(), 0
    with contextlib.redirect_stderr(said):
        try:
            main()
        except SystemExit as end:
            code = end.code
    done.append((code, said.getvalue()))
print(json.dumps(done))
"""


class OtherHub:
    """Another hub, met through its own processes only."""

    def __init__(self, home: Path, database_url: str = "", migrated: Path | None = None) -> None:
        self.home = home
        self.env = {
            **os.environ,
            "DOUGONG_HOME": str(home),
            "DOUGONG_DATABASE_URL": database_url or f"sqlite:///{home / 'hub.sqlite3'}",
            "DOUGONG_DEBUG": "1",
            "DOUGONG_ALLOWED_HOSTS": "*",
            "DJANGO_SETTINGS_MODULE": "dougong_registry.settings",
        }
        if migrated:
            home.mkdir()
            shutil.copy(migrated, home)
        else:
            assert self.command("migrate", "-v", "0").returncode == 0

    def command(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return self._run("-m", "dougong_registry", *map(str, arguments))

    def pages(self) -> list[list[object]]:
        done = self._run("-W", "ignore", "-c", READ_PAGES, *PAGES)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)

    def imports(self, folders: list[str]) -> list[tuple[int, str]]:
        """Import one folder after another in one process; return exit statuses and errors."""
        done = subprocess.run(
            [sys.executable, "-c", _IMPORTS],
            env=self.env,
            input=json.dumps(folders),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [tuple(each) for each in json.loads(done.stdout.splitlines()[-1])]


@pytest.fixture
def hub(ada, runner, job, verdict_of, wheel_of):
    """A release on a board and a newer one that was revoked, restored and revoked again."""
    runner.claim(job)
    runner.discover(job)
    assert runner.send(job, verdict_of(job)).status_code == 201
    assert runner.complete(job).status_code == 200
    newer = ada.submit(wheel_of(version="1.1"), "acme_rms-1.1-py3-none-any.whl")
    assert newer.status_code == 201
    for again in (False, True):
        advisory = advisory_publish(
            plugin="acme-rms",
            versions="==1.1",
            kind="malware",
            severity="high",
            summary="It phones home.",
            revoke=True,
        )
        if not again:
            advisory_withdraw(number=advisory.number, reason="It did not.")
    Location.objects.create(
        artifact=Artifact.objects.latest("pk"), uri=f"hf://datasets/acme/wheels@{'c' * 40}/a.whl"
    )
    heartbeat_take(runner=Runner.objects.latest("pk"), hardware={"cpu": "cpu-test"})
    person = Identity.objects.get(login="ada")
    maintainer = Identity.objects.create(external_id="mia", login="mia")
    role_found(person=maintainer, reason="first")
    affiliation_state(person=maintainer, name="Acme")
    sponsor_add(person=person, sponsor=maintainer, role="member", reason="why")
    now = timezone.now()
    Allowance.objects.create(rate="read", sender="192.0.2.77", full_at=now)
    Reply.objects.create(
        identity=Identity.objects.get(login="ada"),
        key="only-ada-knows",
        fingerprint=hashlib.sha256(b"asked").hexdigest(),
        status=201,
        body={"answer": "for ada alone"},
    )
    return Client()


@pytest.fixture
def out(hub, tmp_path) -> Path:
    folder = tmp_path / "out"
    call_command("export", folder)
    return folder


@pytest.fixture
def other(tmp_path, migrated) -> OtherHub:
    return OtherHub(tmp_path / "other", migrated=migrated)


@pytest.fixture
def postgres():
    """The address of a new, empty database."""
    if not SERVER:
        pytest.skip("DOUGONG_TEST_POSTGRES_URL names no server")
    name = f"dougong_{uuid.uuid4().hex}"
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        yield urlunsplit(urlsplit(SERVER)._replace(path=f"/{name}"))
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def pages_of(hub: Client) -> list[list[object]]:
    answers = [hub.get(page) for page in PAGES]
    assert {answer.status_code for answer in answers} == {200}
    return [[answer.status_code, answer.content.decode()] for answer in answers]


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def signed_anew(folder: Path, label: str) -> None:
    """What a careful forger does: the manifest names the hash of the changed file."""
    manifest = json.loads((folder / "manifest.json").read_text())
    data = (folder / "tables" / f"{label}.jsonl").read_bytes()
    manifest["tables"][label]["sha256"] = hashlib.sha256(data).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def change(folder: Path, label: str, old: str, new: str, *, forge: bool = True) -> None:
    path = folder / "tables" / f"{label}.jsonl"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    if forge:
        signed_anew(folder, label)


def test_exported_twice_is_the_same_bytes(hub, out, tmp_path):
    call_command("export", tmp_path / "again")
    assert files_of(out) == files_of(tmp_path / "again")


@pytest.fixture
def fetch(hub):
    """Ask for the export with a token of a scope."""

    def _fetch(scope: str = "read", login: str = "mirror", **headers: str) -> HttpResponse:
        token = token_create(login=login, scope=scope)
        return hub.get("/api/v1/export", headers={"Authorization": f"Bearer {token}", **headers})

    return _fetch


def read(answer: HttpResponse) -> bytes:
    """Read an answer to its end, which closes it."""
    return b"".join(answer.streaming_content)


def unpacked(answer: HttpResponse, folder: Path) -> Path:
    data = read(answer)
    assert len(data) == int(answer["Content-Length"])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        tar.extractall(folder, filter="data")
    return folder / "dougong-export"


def test_the_api_gives_what_the_command_writes_and_another_hub_takes_it(fetch, tmp_path, other):
    left = tmp_path / ".export-of-a-killed-process"
    left.mkdir()
    os.utime(left, (0, 0))
    answer = fetch()
    assert (answer.status_code, answer["Cache-Control"]) == (200, "private, no-cache")
    folder = unpacked(answer, tmp_path / "fetched")
    assert list(tmp_path.glob(".export-*")) == []
    call_command("export", tmp_path / "out", "--no-artifacts")
    audit = "tables/audit.entry.jsonl"
    assert files_of(folder) == files_of(tmp_path / "out")
    assert (
        answer["ETag"].strip('"')
        == hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    )
    assert b"mirror" in (folder / audit).read_bytes()
    done = other.command("import", folder, "--no-artifacts")
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "manifest.json").read_text())["tables"]["runs.run"]["rows"] == 1


def test_who_has_the_export_already_gets_no_bytes(hub, tmp_path):
    headers = {"Authorization": f"Bearer {token_create(login='mirror', scope='read')}"}
    first = hub.get("/api/v1/export", headers=headers)
    assert read(first)
    again = hub.get("/api/v1/export", headers={**headers, "If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    Identity.objects.create(external_id="new", login="new")
    changed = hub.get("/api/v1/export", headers={**headers, "If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert read(changed)
    assert list(tmp_path.glob(".export-*")) == []


def test_the_export_needs_a_token_that_reads_and_comes_not_too_often(hub, fetch, settings):
    assert hub.get("/api/v1/export").status_code == 401
    assert fetch("submit yank").status_code == 403
    settings.RATES = {**settings.RATES, "export": (900, 1)}
    answer = fetch("admin")
    assert read(answer)
    assert answer.status_code == 200
    refused = fetch("admin")
    assert (refused.status_code, refused["Content-Type"]) == (429, "application/problem+json")
    other = fetch("read", login="other")
    assert read(other)
    assert other.status_code == 200


def test_the_manifest_counts_and_hashes_what_is_there(out):
    manifest = json.loads((out / "manifest.json").read_text())
    assert set(manifest["tables"]) == {model._meta.label_lower for model in exported_models()}
    for label, entry in manifest["tables"].items():
        data = (out / "tables" / f"{label}.jsonl").read_bytes()
        assert entry == {
            "rows": data.count(b"\n"),
            "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    assert manifest["artifacts"] == 2
    assert manifest["tables"]["runs.run"]["rows"] == 1
    assert manifest["tables"]["advisories.revocation"]["rows"] == 3
    assert manifest["tables"]["storage.location"]["rows"] == 1
    assert manifest["private"] == [
        "forge.build.nonce",
        "people.apitoken",
        "publishing.exchange",
        "requests.allowance",
        "requests.reply",
        "submissions.job.nonce",
    ]


@pytest.mark.timeout(300)
def test_an_import_is_the_same_hub(hub, out, other, tmp_path):
    done = other.command("import", out, "--recompute")
    assert done.returncode == 0, done.stderr
    pages = other.pages()
    assert pages == pages_of(hub)
    assert all("acme" in str(text) for _, text in pages[1:])
    assert other.command("export", tmp_path / "again").returncode == 0
    assert files_of(tmp_path / "again") == files_of(out)
    assert "unbroken" in other.command("audit", "verify").stdout
    assert files_of(other.home / "artifacts") == files_of(out / "artifacts")


@pytest.mark.postgres
@pytest.mark.timeout(300)
def test_from_one_engine_to_the_other_and_back(hub, out, other, postgres, tmp_path):
    middle = OtherHub(tmp_path / "middle", postgres)
    assert middle.command("import", out).returncode == 0
    assert middle.pages() == pages_of(hub)
    assert middle.command("export", tmp_path / "two").returncode == 0
    assert files_of(tmp_path / "two") == files_of(out)
    assert middle.command("token_create", "--login", "eve").returncode == 0
    assert other.command("import", tmp_path / "two").returncode == 0
    assert other.command("export", tmp_path / "three").returncode == 0
    assert files_of(tmp_path / "three") == files_of(out)


def test_an_imported_hub_goes_on_and_keeps_what_stands(out, other):
    assert other.command("import", out).returncode == 0
    assert other.command("token_create", "--login", "eve").returncode == 0
    with_sql = "import django; django.setup(); from django.db import connection; "
    done = other._run("-c", with_sql + "connection.cursor().execute('DELETE FROM runs_run')")
    assert "a verdict stands" in done.stderr


def test_what_opens_a_door_never_leaves(ada, job, out, settings):
    files = files_of(out)
    everything = b"".join(files.values()).decode("utf-8", "replace")
    private = (settings.DOUGONG_HOME / SIGNING_KEY).read_text()
    secrets = [ada.token, *Job.objects.values_list("nonce", flat=True), *private.splitlines()]
    secrets += ApiToken.objects.values_list("token_sha256", flat=True)
    secrets += ["192.0.2.77", "only-ada-knows", "for ada alone"]
    assert len(secrets) > 9
    assert not any(SIGNING_KEY in path for path in files)
    assert [secret for secret in secrets if secret in everything] == []


def test_every_column_that_sounds_secret_is_decided():
    """A new table leaves by itself, so whoever adds a secret must say so in the policy."""
    public = {
        "advisories.revocation.signature",
        "advisories.signingkey.public_key",
        "forge.provenance.signature",
        "runs.run.signature",
        "runs.runner.public_key",
    }
    suspicious = {
        f"{model._meta.label_lower}.{field.attname}"
        for model in exported_models()
        for field in model._meta.concrete_fields
        if re.search(
            r"token|secret|password|nonce|private|(?<!confusable_)key$|signature", field.attname
        )
    }
    assert suspicious - {f"{label}.{name}" for label, name in MADE_ANEW} == public
    staying = [*LEFT_OUT, *PASSING, *DERIVED]
    assert len(set(staying)) == len(staying)
    assert set(staying) <= {model._meta.label_lower for model in hub_models()}


def test_what_is_only_of_the_moment_changes_no_export(hub, out, tmp_path):
    assert Capability.objects.update(draining=True) == 1
    call_command("export", tmp_path / "again")
    assert files_of(out) == files_of(tmp_path / "again")


@pytest.mark.timeout(300)
def test_an_imported_hub_signs_with_a_key_of_its_own(out, other):
    """The key in the home of the first hub stays there; what it signed is still checked."""
    assert other.command("import", out).returncode == 0
    assert not (other.home / SIGNING_KEY).exists()
    more = "publish acme-rms --versions ==1.0 --kind other --severity low --summary Slow --revoke"
    done = other.command("advisory", *more.split())
    assert done.returncode == 0, done.stderr
    assert (other.home / SIGNING_KEY).exists()
    assert other.command("export", other.home / "out").returncode == 0
    tables = other.home / "out" / "tables"
    keys, revocations = (
        [
            json.loads(line)
            for line in (tables / f"advisories.{name}.jsonl").read_text().splitlines()
        ]
        for name in ("signingkey", "revocation")
    )
    first, own = (key["key_id"] for key in keys)
    assert [each["key_id"] for each in revocations] == [first, first, first, own]
    third = OtherHub(other.home / "third")
    done = third.command("import", other.home / "out")
    assert done.returncode == 0, done.stderr


def test_no_column_forgets_its_value_when_it_is_imported():
    forgetful = [
        str(field)
        for model in hub_models()
        for field in model._meta.concrete_fields
        if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    ]
    assert forgetful == []


def test_a_hub_with_rows_is_not_imported_into(hub, out):
    before = Job.objects.count()
    with pytest.raises(CommandError, match="not empty: there are rows in"):
        call_command("import", out)
    assert Job.objects.count() == before


TAMPERED = {
    "a changed line": (
        lambda out: change(out, "runs.score", '"speedup":1', '"speedup":9', forge=False),
        "runs.score.jsonl was changed",
    ),
    "a missing table": (
        lambda out: (out / "tables" / "runs.score.jsonl").unlink(),
        "runs.score.jsonl is missing",
    ),
    "a score and the manifest": (
        lambda out: change(out, "runs.score", '"speedup":1', '"speedup":9'),
        "its scores are not those of its raw samples",
    ),
    "a payload and the manifest": (
        lambda out: change(out, "runs.run", "1.5x", "9.5x"),
        "the payload is not that of its sha256",
    ),
    "what judged it and the manifest": (
        lambda out: change(out, "runs.run", '"judge_version":"1"', '"judge_version":"9"'),
        "judge_version is '9', signed was '1'",
    ),
    "an outcome and the manifest": (
        lambda out: change(out, "runs.run", '"outcome":"passed","pay', '"outcome":"failed","pay'),
        "outcome is 'failed', signed was 'passed'",
    ),
    "what was revoked and the manifest": (
        lambda out: change(
            out, "advisories.revocation", '"action":"restored","ad', '"action":"revoked","ad'
        ),
        "is not as it was signed: action",
    ),
    "a line of the feed and the manifest": (
        lambda out: change(out, "advisories.revocation", "It phones home.", "It is fine."),
        "revocation 1: the payload is not that of its sha256",
    ),
    "the key of the feed and the manifest": (
        lambda out: change(out, "advisories.signingkey", '"public_key":"', '"public_key":"AAAA'),
        "revocation 1: the signature is not of this payload",
    ),
    "the start of the feed cut off": (
        lambda out: cut_first(out, "advisories.revocation"),
        "is not as it was signed: previous",
    ),
    "an audit entry and the manifest": (
        lambda out: change(out, "audit.entry", "runner.registered", "runner.forgotten."),
        "was changed after it was made",
    ),
    "the end of the audit log cut off": (
        lambda out: cut_last(out, "audit.entry"),
        "entries up to",
    ),
    "a contribution and the manifest": (
        lambda out: change(out, "contributions.contribution", '"level":"L2"', '"level":"L3"'),
        "contributions.contribution is not what the audit log holds: 1 rows",
    ),
    "a role and the manifest": (
        lambda out: change(out, "contributions.roleact", '"reason":"first"', '"reason":"f"'),
        "contributions.roleact is not what the audit log holds",
    ),
    "a contribution that is gone": (
        lambda out: cut_last(out, "contributions.contribution"),
        "1 entries have no row",
    ),
    "a missing wheel": (
        lambda out: shutil.rmtree(out / "artifacts"),
        "are missing",
    ),
    "a changed wheel": (
        lambda out: next(p for p in (out / "artifacts").rglob("*") if p.is_file()).write_bytes(
            b"x"
        ),
        "was changed: it is not the",
    ),
    "a line that is no row": (
        lambda out: change(out, "runs.score", '"mode":', '"mood":'),
        "line 1 must have exactly the columns",
    ),
    "a link to nowhere": (
        lambda out: change(out, "runs.score", '"run_id":', '"run_id":9999'),
        "the database refuses the export",
    ),
    "another version": (
        lambda out: edit(out, lambda manifest: manifest["migrations"].pop()),
        "bring both to one version",
    ),
    "another format": (
        lambda out: edit(out, lambda manifest: manifest.update(format="dougong-export/0")),
        "this hub reads dougong-export/1",
    ),
    "no manifest": (lambda out: (out / "manifest.json").unlink(), "is no export"),
}


def cut_first(folder: Path, label: str) -> None:
    path = folder / "tables" / f"{label}.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    signed_anew(folder, label)


def cut_last(folder: Path, label: str) -> None:
    path = folder / "tables" / f"{label}.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    signed_anew(folder, label)


def edit(folder: Path, act) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    act(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_was_changed_on_the_way_is_refused_and_nothing_stays(out, other, tmp_path):
    """One empty hub for all attempts: each must leave it empty for the next."""
    for name, (tamper, _) in TAMPERED.items():
        shutil.copytree(out, tmp_path / "forged" / name)
        tamper(tmp_path / "forged" / name)
    folders = [str(tmp_path / "forged" / name) for name in TAMPERED]
    attempts = other.imports(folders)
    assert len(attempts) == len(TAMPERED)
    for (name, (_, reason)), (code, said) in zip(TAMPERED.items(), attempts, strict=True):
        assert code == 2, name
        assert reason in said, name
        assert len(said.strip().splitlines()) == 1, name
    assert other.command("import", out).returncode == 0


def test_without_wheels_only_if_asked_for(hub, other, tmp_path):
    call_command("export", tmp_path / "thin", "--no-artifacts")
    assert not (tmp_path / "thin" / "artifacts").exists()
    assert "has no wheels" in other.command("import", tmp_path / "thin").stderr
    assert other.command("import", tmp_path / "thin", "--no-artifacts").returncode == 0


def test_an_export_never_overwrites_and_a_failed_one_leaves_nothing(hub, out, tmp_path):
    with pytest.raises(CommandError, match="exists; name a folder that does not"):
        call_command("export", out)
    for path in (tmp_path / "artifacts").rglob("*"):
        if path.is_file():
            path.write_bytes(b"rotten")
    with pytest.raises(CommandError, match="are not those of its sha256 any more"):
        call_command("export", tmp_path / "bad")
    assert [path.name for path in tmp_path.iterdir() if "bad" in path.name] == []


def test_guards_name_tables_that_exist(db):
    assert {guard.table for guard in GUARDS} <= set(connection.introspection.table_names())
