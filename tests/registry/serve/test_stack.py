"""What each process of `dougong up` is told, and what it is not."""

from __future__ import annotations

import pytest

from dougong_registry.serve.home import Home
from dougong_registry.serve.stack import Stack

FORGE = {
    "DOUGONG_FORGE_REPOSITORY": "acme/dougong",
    "DOUGONG_FORGE_REPOSITORY_ID": "1",
    "DOUGONG_FORGE_APP_ID": "2",
    "DOUGONG_FORGE_INSTALLATION_ID": "3",
    "DOUGONG_FORGE_PRIVATE_KEY": "/etc/app.pem",
    "DOUGONG_FORGE_WEBHOOK_SECRET": "hush",
}


@pytest.fixture
def stack(tmp_path):
    return lambda: Stack(Home(tmp_path), hub_url="http://127.0.0.1:1", broker_url="redis://x")


def test_a_judge_holds_no_credential_of_the_hub_or_the_forge(stack, monkeypatch):
    for name, value in {**FORGE, "DOUGONG_SECRET_KEY": "hush"}.items():
        monkeypatch.setenv(name, value)
    env = stack().worker(1).env
    assert not {name for name in env if name.startswith("DOUGONG_FORGE")}
    assert "hush" not in env.values()
    assert "hush" in stack().queue().env.values()


def test_a_forge_has_a_worker_of_its_own_where_one_is_served(stack, monkeypatch):
    assert stack().forge() is None
    for name, value in FORGE.items():
        monkeypatch.setenv(name, value)
    assert stack().forge().name == "forge"
