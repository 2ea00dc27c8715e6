"""The settings of a hub in production, looked at by Django itself and from outside."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ASK = """
import django, json, sys
django.setup()
from django.test import Client
plain, behind = Client(), Client(headers={"X-Forwarded-Proto": "https"})
host = {"HTTP_HOST": "hub.example.org"}
redirect, probe = plain.get("/api/v1/boards", **host), plain.get("/healthz", **host)
answer = behind.get("/api/v1/boards", **host)
print(json.dumps([redirect.status_code, redirect.get("Location"), probe.status_code,
                  answer.status_code, answer.get("Strict-Transport-Security")]))
"""


@pytest.fixture
def env(tmp_path):
    return {
        **os.environ,
        "DOUGONG_HOME": str(tmp_path),
        "DOUGONG_DATABASE_URL": f"sqlite:///{tmp_path / 'hub.sqlite3'}",
        "DOUGONG_HUB_URL": "https://hub.example.org",
        "DOUGONG_ALLOWED_HOSTS": "hub.example.org",
        "DOUGONG_PROXY_SSL_HEADER": "X-Forwarded-Proto",
        "DJANGO_SETTINGS_MODULE": "dougong_registry.settings",
    }


def run(env, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_the_deploy_check_finds_nothing(env):
    check = ("-m", "dougong_registry", "check", "--deploy", "--fail-level", "WARNING")
    done = run(env, *check)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout
    # The check is awake: on the settings of a laptop it has much to say.
    laptop = run({**env, "DOUGONG_HUB_URL": "http://127.0.0.1:8000"}, *check)
    assert laptop.returncode != 0
    assert "security.W004" in laptop.stderr


def test_plain_requests_are_redirected_and_probes_are_not(env):
    assert run(env, "-m", "dougong_registry", "migrate", "-v", "0").returncode == 0
    done = run(env, "-W", "ignore", "-c", ASK)
    assert done.stdout.strip() == (
        '[301, "https://hub.example.org/api/v1/boards", 200, 200, '
        '"max-age=31536000; includeSubDomains; preload"]'
    ), done.stderr
