from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("intake_made", Path(__file__).with_name("made.py"))
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    return made.Made(tmp_path_factory.mktemp("template") / "upstream")


@pytest.fixture
def repository(template, tmp_path):
    return template.copied(tmp_path / "upstream")


@pytest.fixture
def plugin():
    return made.plugin


@pytest.fixture
def project():
    return made.project


@pytest.fixture
def release():
    return made.release
