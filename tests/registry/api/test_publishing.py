"""Publishing from CI: which ID tokens open the door, which do not, and once only."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from dougong.cli import main
from dougong_registry.audit.models import Entry
from dougong_registry.audit.services import verify
from dougong_registry.people.models import ApiToken
from dougong_registry.people.services import token_create
from dougong_registry.problem import Problem, Unauthorized
from dougong_registry.publishing import exchanging, keys
from dougong_registry.publishing.idtokens import read
from dougong_registry.publishing.models import Exchange, Publisher

_SPEC = importlib.util.spec_from_file_location(
    "oidc_issuer", Path(__file__).with_name("oidc_issuer.py")
)
oidc_issuer = importlib.util.module_from_spec(_SPEC)
sys.modules["oidc_issuer"] = oidc_issuer
_SPEC.loader.exec_module(oidc_issuer)

HUB = "http://127.0.0.1:8000"
TRUST = ["--repository-id", "1296269", "--owner-id", "583231", "--workflow", "release.yml"]


@pytest.fixture(scope="module")
def signer():
    """Making a key takes a while; tests that add one take it away again."""
    made = oidc_issuer.Issuer()
    yield made
    made.close()


@pytest.fixture
def issuer(signer, settings):
    before = dict(signer.keys), signer.kid
    settings.OIDC_ISSUER, settings.DOUGONG_HUB_URL = signer.url, HUB
    keys.client.cache_clear()
    signer.asked = 0
    yield signer
    signer.keys, signer.kid = dict(before[0]), before[1]
    signer.broken = False


@pytest.fixture
def trusted(issuer, job):
    """`acme-rms`, whose owner trusts one workflow."""
    call_command("publishers", "add", "acme-rms", *TRUST, "--repository", "acme/rms")
    return issuer


def ask(token: str, plugin: str = "acme-rms", client: Client | None = None) -> Any:
    body = {"token": token, "plugin": plugin}
    return (client or Client()).post("/api/v1/oidc/exchange", body, content_type="application/json")


def refused(answer: Any, status: int, words: str) -> None:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Cache-Control"] == "no-store"
    assert words in answer.json()["detail"]
    assert not Exchange.objects.exists()
    assert not ApiToken.objects.filter(scope__startswith="upload").exists()
    (entry,) = Entry.objects.filter(verb="publisher.refused")
    assert entry.target == "acme-rms"
    assert words in json.loads(entry.payload)["rule"]


def upload(token: str, data: bytes, name: str) -> Any:
    from django.core.files.uploadedfile import SimpleUploadedFile

    return Client().post(
        "/api/v1/submissions",
        {"wheel": SimpleUploadedFile(name, data)},
        headers={"Authorization": f"Bearer {token}"},
    )


def test_a_trusted_job_is_given_a_token_that_uploads_its_plugin_and_nothing_else(trusted, wheel_of):
    answer = ask(trusted.sign())
    assert answer.status_code == 201, answer.content
    given = answer.json()
    assert given["scope"] == "upload:plugin/acme-rms"
    left = dt.datetime.fromisoformat(given["expires_at"]) - timezone.now()
    assert dt.timedelta(minutes=14) < left <= dt.timedelta(minutes=15)
    taken = upload(given["token"], wheel_of(version="1.1"), "acme_rms-1.1-py3-none-any.whl")
    assert taken.status_code == 201, taken.content
    other = wheel_of("acme-two", "1.0")
    assert upload(given["token"], other, "acme_two-1.0-py3-none-any.whl").status_code == 403
    assert upload(given["token"], other, "acme_rms-1.0-py3-none-any.whl").status_code == 422
    bearer = {"Authorization": f"Bearer {given['token']}"}
    for path in (
        "plugins/acme-rms/releases/1.0/yank",
        f"submissions/{taken.json()['id']}/cancel",
    ):
        said = Client().post(
            f"/api/v1/{path}", {"reason": "why"}, content_type="application/json", headers=bearer
        )
        assert said.status_code == 403, path
    (used,) = Entry.objects.filter(verb="publisher.used")
    assert used.actor == "repository:1296269"
    assert given["token"] not in used.payload
    assert verify().broken_at is None


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"aud": "https://pypi.org"}, 401, "another audience"),
        ({"aud": [HUB, "https://pypi.org"]}, 401, "another audience"),
        ({"aud": None}, 401, "aud"),
        ({"iss": "https://evil.example"}, 401, "issuer"),
        ({"exp": -60, "iat": -360, "nbf": -660}, 401, "expired"),
        ({"exp": 901}, 401, "lasts 900 s at most"),
        ({"exp": 10**30}, 401, "lasts 900 s at most"),
        ({"exp": None}, 401, "exp"),
        ({"nbf": 120}, 401, "not yet valid"),
        ({"nbf": None}, 401, "nbf"),
        ({"iat": 120}, 401, "not yet valid"),
        ({"jti": None}, 401, "jti"),
        ({"jti": ""}, 401, "jti"),
        ({"jti": "j" * 256}, 401, "jti"),
        ({"repository_id": "1296270"}, 403, "repository_id must be 1296269"),
        ({"repository_id": "1296269.0"}, 401, "repository_id is a number"),
        ({"repository_id": "９"}, 401, "repository_id is a number"),
        ({"repository_id": None}, 401, "repository_id"),
        ({"repository_owner_id": "2"}, 403, "repository_owner_id must be 583231"),
        ({"event_name": "pull_request"}, 403, "'pull_request'"),
        ({"event_name": "pull_request_target"}, 403, "'pull_request_target'"),
        ({"event_name": "workflow_run"}, 403, "'workflow_run'"),
    ],
)
def test_an_id_token_that_breaks_a_rule_is_refused_and_the_log_says_which(
    trusted, changed, status, words
):
    now = int(time.time())
    for name in ("exp", "nbf", "iat"):
        if changed.get(name) is not None:
            changed = {**changed, name: now + changed[name]}
    refused(ask(trusted.sign(**changed)), status, words)


@pytest.mark.parametrize(
    ("path", "called", "status", "words"),
    [
        ("acme/rms/.github/workflows/other.yml", "", 403, "workflow must be 'release.yml'"),
        ("acme/rms/.github/workflows/release.yaml", "", 403, "workflow must be 'release.yml'"),
        ("acme/rms/.github/workflows/x/release.yml", "", 401, "workflow_ref is"),
        ("eve/rms/.github/workflows/release.yml", "", 401, "workflow_ref is"),
        ("acme/rms/release.yml", "", 401, "workflow_ref is"),
        (
            "acme/rms/.github/workflows/release.yml",
            "eve/tools/.github/workflows/release.yml",
            401,
            "which acme/rms",
        ),
    ],
)
def test_only_the_workflow_that_is_named_publishes(trusted, path, called, status, words):
    at = "@refs/heads/main"
    sent = {"workflow_ref": path + at, "job_workflow_ref": (called or path) + at}
    refused(ask(trusted.sign(**sent)), status, words)


def test_a_repository_made_anew_under_the_old_name_is_another(trusted):
    """Deleted and registered again: same owner name, same repository name, other numbers."""
    again = trusted.sign(repository_id="1300000", repository_owner_id="600000")
    refused(ask(again), 403, "repository_id must be 1296269, the ID token says 1300000")


def test_a_renamed_repository_is_the_same(trusted):
    path = "newname/norms/.github/workflows/release.yml@refs/heads/main"
    renamed = {"repository": "newname/norms", "workflow_ref": path, "job_workflow_ref": path}
    assert ask(trusted.sign(**renamed)).status_code == 201


def test_nobody_signs_with_none_or_with_the_public_key(trusted):
    claims = trusted.claims()
    refused(ask(jwt.encode(claims, None, algorithm="none")), 401, "RS256 or ES256")
    public = jwt.PyJWK(trusted.jwks()["keys"][0]).key.public_bytes(*_pem())
    head = _part({"alg": "HS256", "kid": trusted.kid, "typ": "JWT"})
    body = f"{head}.{_part(claims)}"
    mac = hmac.new(public, body.encode(), hashlib.sha256).digest()
    forged = f"{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    answer = ask(forged)
    assert answer.status_code == 401
    assert "RS256 or ES256" in answer.json()["detail"]
    lied = _part({"alg": "RS256", "kid": trusted.kid}) + forged[forged.index(".") :]
    assert "Signature verification failed" in ask(lied).json()["detail"]
    assert not Exchange.objects.exists()


def _pem() -> tuple[Any, Any]:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return Encoding.PEM, PublicFormat.SubjectPublicKeyInfo


def _part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def test_a_stranger_with_a_key_of_their_own_is_no_issuer(trusted):
    stranger = oidc_issuer.Issuer()
    try:
        forged = jwt.encode(
            trusted.claims(),
            stranger.keys[stranger.kid][1],
            algorithm="RS256",
            headers={"kid": trusted.kid, "jku": f"{stranger.url}/.well-known/jwks"},
        )
        refused(ask(forged), 401, "Signature verification failed")
        assert stranger.asked == 0
    finally:
        stranger.close()


@pytest.mark.parametrize(
    "text", ["", "a.b.c", "é.é.é", "....", "x" * 16_384, "null", "e30.e30.e30"]
)
def test_what_is_no_token_is_refused(trusted, text):
    answer = ask(text)
    assert answer.status_code in {400, 401}
    assert answer["Content-Type"] == "application/problem+json"


TEXTS = st.text("019aé\0@/.", max_size=20)
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.lists(TEXTS, max_size=2)
)
CLAIMS = (
    *("jti", "exp", "iat", "nbf", "repository", "repository_id", "repository_owner_id"),
    *("workflow_ref", "job_workflow_ref", "event_name", "environment", "ref", "sha"),
)


@given(st.dictionaries(st.sampled_from(CLAIMS), ODD, max_size=4))
def test_whatever_an_issuer_signs_is_read_or_refused(signer, changed):
    """And what is read says no more than was signed."""

    def key_of(_issuer: str, kid: str) -> jwt.PyJWK:
        return next(jwt.PyJWK(key) for key in signer.jwks()["keys"] if key["kid"] == kid)

    try:
        claims = read(_signed(signer, changed), issuer=signer.url, audience=HUB, key_of=key_of)
    except Unauthorized:
        return
    whole = signer.claims(**changed)
    assert str(claims.repository_id) == str(whole["repository_id"])
    assert int(whole["exp"]) - int(whole["iat"]) <= 900
    assert whole["workflow_ref"] == whole["job_workflow_ref"]


def _signed(signer: Any, changed: dict[str, Any]) -> str:
    """Sign what PyJWT itself would not, as another library might."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    _, private = signer.keys[signer.kid]
    head = _part({"alg": "RS256", "kid": signer.kid})
    body = f"{head}.{_part(signer.claims(**changed))}"
    signature = private.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_an_id_token_opens_the_door_once(trusted):
    token = trusted.sign()
    assert ask(token).status_code == 201
    again = ask(token)
    assert again.status_code == 409
    assert "exchanged before" in again.json()["detail"]
    # The same jti in another token, signed as well as the first.
    jti = jwt.decode(token, options={"verify_signature": False})["jti"]
    assert ask(trusted.sign(jti=jti)).status_code == 409
    assert ApiToken.objects.filter(scope__startswith="upload").count() == 1
    assert Entry.objects.filter(verb="publisher.refused").count() == 2


AT_ONCE = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from django.db import connection
from django.test import Client
from dougong_registry.people.models import ApiToken

ready = threading.Barrier(6)

def show(_):
    try:
        ready.wait()
        body = {"token": sys.stdin_text, "plugin": "acme-rms"}
        sent = Client().post("/api/v1/oidc/exchange", body, content_type="application/json")
        return sent.status_code
    finally:
        connection.close()

with ThreadPoolExecutor(6) as pool:
    said = sorted(pool.map(show, range(6)))
print(said, ApiToken.objects.filter(scope__startswith="upload").count())
"""


@pytest.mark.django_db(transaction=True)
def test_of_many_that_show_it_at_once_one_gets_in(trusted, tmp_path):
    """Six threads of one process; SQLite in memory knows no second connection, a file does."""
    if connection.vendor == "sqlite":
        url = f"sqlite:///{tmp_path / 'hub.sqlite3'}"
        with sqlite3.connect(tmp_path / "hub.sqlite3") as copy:
            connection.connection.backup(copy)
        copy.close()
    else:
        url = _address_of(connection.settings_dict)
    env = {**os.environ, "DOUGONG_HOME": str(tmp_path), "DOUGONG_DATABASE_URL": url}
    done = subprocess.run(
        [sys.executable, "-m", "dougong_registry", "shell", "--no-imports", "-c",
         AT_ONCE.replace("sys.stdin_text", repr(trusted.sign()))],
        env={**env, "DOUGONG_OIDC_ISSUER": trusted.url, "DOUGONG_RATES": "off",
             "DOUGONG_ALLOWED_HOSTS": "testserver"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split("\n")[0] == "[201, 409, 409, 409, 409, 409] 1"


def _address_of(database: dict[str, Any]) -> str:
    at = f"{database['HOST']}:{database['PORT']}".rstrip(":")
    who = f"{database['USER']}:{database['PASSWORD']}".rstrip(":")
    return f"postgresql://{who}@{at}/{database['NAME']}"


def test_keys_are_kept_and_asked_for_anew_when_the_issuer_has_another(trusted, monkeypatch):
    monkeypatch.setattr(keys, "ASK_ANEW_S", 0)
    for _ in range(3):
        assert ask(trusted.sign()).status_code == 201
    assert trusted.asked == 1
    old = trusted.kid
    trusted.rotate("ES256")
    assert ask(trusted.sign()).status_code == 201
    assert ask(trusted.sign(kid=old)).status_code == 201
    assert trusted.asked == 2


def test_strangers_do_not_have_the_issuer_asked_again_and_again(trusted):
    assert ask(trusted.sign()).status_code == 201
    private = trusted.keys[trusted.kid][1]
    for i in range(5):
        made_up = jwt.encode(trusted.claims(), private, "RS256", headers={"kid": f"made-up-{i}"})
        assert "no signing key" in ask(made_up).json()["detail"]
    assert trusted.asked == 1


def test_an_issuer_that_does_not_answer_is_no_refusal(trusted):
    trusted.broken = True
    answer = ask(trusted.sign())
    assert answer.status_code == 503
    assert "cannot be fetched" in answer.json()["detail"]
    trusted.broken = False
    assert ask(trusted.sign()).status_code == 201


def test_where_nobody_trusts_a_job_the_issuer_is_not_asked(issuer, job):
    refused(ask(issuer.sign()), 403, "no publisher is trusted with acme-rms")
    assert issuer.asked == 0


def test_an_environment_that_is_asked_for_must_be_the_jobs(issuer, job):
    call_command("publishers", "add", "acme-rms", *TRUST, "--environment", "Release")
    assert ask(issuer.sign()).status_code == 403
    assert ask(issuer.sign(environment="staging")).status_code == 403
    assert ask(issuer.sign(environment="release")).status_code == 201
    assert ask(issuer.sign(environment="RELEASE")).status_code == 201


def test_exchanges_have_a_rate(trusted, settings):
    settings.RATES = {**settings.RATES, "exchange": (60, 2)}
    said = [ask("a.b.c").status_code for _ in range(4)]
    assert said == [401, 401, 429, 429]
    assert Entry.objects.filter(verb="publisher.refused").count() == 2


def test_who_is_trusted_no_more_gets_nothing_and_what_it_had_is_closed(trusted, wheel_of, capsys):
    given = ask(trusted.sign()).json()["token"]
    capsys.readouterr()
    call_command("publishers", "list")
    listed = capsys.readouterr().out
    assert "acme-rms  repository 1296269 of 583231 (acme/rms)  release.yml" in listed
    call_command("publishers", "remove", listed.split()[0])
    assert ask(trusted.sign()).status_code == 403
    assert (
        upload(given, wheel_of(version="1.1"), "acme_rms-1.1-py3-none-any.whl").status_code == 401
    )
    call_command("publishers", "list")
    assert "1296269" not in capsys.readouterr().out.partition("removed:")[2].partition("\n")[2]
    call_command("publishers", "add", "acme-rms", *TRUST)
    assert ask(trusted.sign()).status_code == 201
    verbs = Entry.objects.filter(verb__startswith="publisher.").values_list("verb", flat=True)
    assert {"publisher.added", "publisher.removed", "publisher.used"} <= set(verbs)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["acme-none", *TRUST], "no plugin acme-none"),
        (["acme-rms", *TRUST[:4], "--workflow", "../x.yml"], "release.yml"),
        (["acme-rms", *TRUST[:4], "--workflow", "release.sh"], "release.yml"),
        (["acme-rms", "--repository-id", "0", *TRUST[2:]], "numbers of at least 1"),
        (["acme-rms", *TRUST, "--repository", "https://github.com/a/b"], "owner/name"),
    ],
)
def test_a_publisher_that_can_be_none_is_refused(issuer, job, options, words):
    with pytest.raises(CommandError, match=words):
        call_command("publishers", "add", *options)
    assert not Publisher.objects.exists()


def test_trust_twice_is_once(trusted):
    call_command("publishers", "add", "acme-rms", *TRUST)
    assert Publisher.objects.count() == 1


def test_what_was_exchanged_is_forgotten_when_nobody_can_show_it_any_more(trusted, aged):
    assert ask(trusted.sign()).status_code == 201
    assert exchanging.exchanges_forget() == 0
    with pytest.raises(DatabaseError, match="still good"), transaction.atomic():
        Exchange.objects.all().delete()
    aged(Exchange.objects.all(), expires_at=timezone.now() - dt.timedelta(days=2))
    assert exchanging.exchanges_forget() == 1


def test_nobody_makes_a_token_of_the_jobs_scope(ada):
    with pytest.raises(Problem, match="scopes are of"):
        token_create(login="ada", scope="upload:plugin/acme-rms")


def test_revoking_all_of_somebody_closes_the_jobs_token_too(trusted, wheel_of, ada, capsys):
    given = ask(trusted.sign()).json()["token"]
    call_command("tokens", "revoke-all", "ada")
    assert "revoked 2 tokens of ada" in capsys.readouterr().out
    for token in (given, ada.token):
        said = upload(token, wheel_of(version="1.1"), "acme_rms-1.1-py3-none-any.whl")
        assert said.status_code == 401
    assert Entry.objects.filter(verb="token.all_revoked", target="local:ada").count() == 1
    with pytest.raises(CommandError, match="nobody is known"):
        call_command("tokens", "revoke-all", "mallory")


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:No directory at:UserWarning")
def test_dougong_submit_publishes_from_a_job_without_a_token(
    trusted, live_server, settings, wheel_of, tmp_path, monkeypatch, capsys
):
    settings.DOUGONG_HUB_URL = live_server.url
    for name in ("DOUGONG_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOUGONG_HOME", str(tmp_path / "mine"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{trusted.url}/idtoken?api-version=2.0")
    wheel = tmp_path / "acme_rms-1.1-py3-none-any.whl"
    wheel.write_bytes(wheel_of(version="1.1"))
    command = ["submit", str(wheel), "--hub", live_server.url, "--json"]
    assert main(command) == 2
    assert "needs a token" in capsys.readouterr().err
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "somebody else's")
    assert main(command) == 2
    assert "id-token: write" in capsys.readouterr().err
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", oidc_issuer.REQUEST_TOKEN)
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["version"] == "1.1"
    other = tmp_path / "acme_two-1.0-py3-none-any.whl"
    other.write_bytes(wheel_of("acme-two", "1.0"))
    assert main(["submit", str(other), "--hub", live_server.url]) == 2
    assert "no publisher is trusted with acme-two" in capsys.readouterr().err
