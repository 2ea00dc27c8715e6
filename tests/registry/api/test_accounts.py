"""Nobody signs in by default; where GitHub is set up, `accounts_on.py` says what holds.

`accounts_in_browser.py` goes the same way in a real browser.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from dougong_registry import environment
from dougong_registry.people.models import Identity
from dougong_registry.people.services import identity_seen
from dougong_registry.problem import Refused

HERE = Path(__file__).resolve().parent
_SPEC = importlib.util.spec_from_file_location("github_server", HERE / "github_server.py")
github_server = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(github_server)


def test_by_default_there_is_no_account_no_link_and_nothing_loaded(client):
    assert client.get("/account/").status_code == 404
    assert client.get("/account/sign-in/").status_code == 404
    assert client.post("/account/github/login/").status_code == 404
    assert "/account/" not in client.get("/publish/").content.decode()
    assert not any(name.startswith("allauth") for name in settings.INSTALLED_APPS)
    assert not any("Session" in name or "allauth" in name for name in settings.MIDDLEWARE)
    code = (
        "import sys, django; django.setup(); import dougong_registry.urls\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('allauth', 'oauthlib')])"
    )
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "dougong_registry.settings"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_accounts_where_they_are_on(tmp_path):
    holds("accounts_on.py", tmp_path)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_accounts_in_a_browser(tmp_path):
    holds("accounts_in_browser.py", tmp_path)


def holds(file: str, tmp_path: Path) -> None:
    """Run the tests of a file in a process where people sign in with GitHub."""
    github = github_server.GitHub()
    secret = tmp_path / "secret"
    secret.write_text(f"{github_server.SECRET}\n")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider",
             str(HERE / file)],
            env={
                **os.environ,
                "DOUGONG_GITHUB_CLIENT_ID": github_server.CLIENT_ID,
                "DOUGONG_GITHUB_CLIENT_SECRET_FILE": str(secret),
                "DOUGONG_GITHUB_URL": github.url,
                "DOUGONG_ADMIN": "1",
                "NO_PROXY": "127.0.0.1",
                "COLUMNS": "150",
            },
            capture_output=True, text=True, check=False, cwd=HERE.parents[2],
        )  # fmt: skip
    finally:
        github.close()
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert github.wrong == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"CLIENT_ID": "x"}, "CLIENT_SECRET or"),
        ({"CLIENT_SECRET": "x"}, "CLIENT_ID too"),
        ({"CLIENT_ID": "x", "CLIENT_SECRET_FILE": "/nowhere"}, "cannot be read"),
        ({"CLIENT_ID": "x", "CLIENT_SECRET": "y", "URL": "http://github.example"}, "https://"),
    ],
)
def test_half_a_configuration_is_an_error_that_says_so(given, words):
    with pytest.raises(ValueError, match=words):
        environment.github({f"DOUGONG_GITHUB_{name}": value for name, value in given.items()})


def test_who_signs_id_tokens_is_reached_by_https():
    assert environment.issuer({}) == "https://token.actions.githubusercontent.com"
    with pytest.raises(ValueError, match="https://"):
        environment.issuer({"DOUGONG_OIDC_ISSUER": "http://issuer.example"})


def test_the_number_is_the_person_whatever_the_login():
    ada = identity_seen(provider="github", external_id="101", login="ada")
    assert identity_seen(provider="github", external_id="101", login="ada-l").pk == ada.pk
    other = identity_seen(provider="github", external_id="202", login="ada")
    assert other.pk != ada.pk
    assert identity_seen(provider="github", external_id="303", login="ada-l").login == "ada-l"
    shown = dict(Identity.objects.values_list("external_id", "login"))
    assert shown == {"101": "ada-l-101", "202": "ada", "303": "ada-l"}
    with pytest.raises(Refused, match="letters, digits and hyphens"):
        identity_seen(provider="github", external_id="404", login="<b>")
