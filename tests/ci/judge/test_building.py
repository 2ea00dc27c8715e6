from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from dougong_ci.judge.building import build_wheel
from dougong_ci.judge.source import SubmissionError

PROJECT = '[project]\nname = "acme"\nversion = "1.0"\n'
SYSTEM = '[build-system]\nrequires = ["{0}"]\nbuild-backend = "{1}"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "acme").mkdir(parents=True)
    (folder / "acme" / "__init__.py").write_text("x = 1\n")
    return folder


def write(project: Path, requires: str, backend: str) -> None:
    (project / "pyproject.toml").write_text(SYSTEM.format(requires, backend) + PROJECT)


@pytest.mark.parametrize(
    ("requires", "backend"),
    [("hatchling", "hatchling.build"), ("setuptools>=61", "setuptools.build_meta")],
)
def test_a_project_is_built_without_being_touched(
    project: Path, tmp_path: Path, requires: str, backend: str
):
    pytest.importorskip(backend)
    write(project, requires, backend)
    before = sorted(project.rglob("*"))
    wheel = build_wheel(project, tmp_path)
    assert wheel.parent == tmp_path
    assert "acme/__init__.py" in zipfile.ZipFile(wheel).namelist()
    assert sorted(project.rglob("*")) == before


def test_what_the_build_lacks_is_named_with_the_way_out(project: Path, tmp_path: Path):
    write(project, "no-such-backend>=3", "no_such_backend")
    with pytest.raises(SubmissionError, match="needs no-such-backend>=3, which this machine has"):
        build_wheel(project, tmp_path)
    write(project, "hatchling>=999", "hatchling.build")
    with pytest.raises(SubmissionError, match=r"needs hatchling>=999.*hand in a wheel"):
        build_wheel(project, tmp_path)


def test_links_lead_nowhere_and_environments_stay_outside(project: Path, tmp_path: Path):
    (tmp_path / "secret.py").write_text("secret")
    (project / "acme" / "link.py").symlink_to(tmp_path / "secret.py")
    (project / "env").mkdir()
    (project / "env" / "pyvenv.cfg").write_text("")
    os.mkfifo(project / "acme" / "pipe")
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n' + PROJECT
    )
    (project / "own.py").write_text(
        "import os\n"
        "def build_wheel(target, settings, metadata):\n"
        "    found = sorted(os.listdir('.') + os.listdir('acme'))\n"
        "    raise RuntimeError(f'{found} {os.path.exists(\"acme/link.py\")}')\n"
    )
    with pytest.raises(SubmissionError) as refused:
        build_wheel(project, tmp_path)
    expected = "RuntimeError: ['__init__.py', 'acme', 'link.py', 'own.py', 'pyproject.toml'] False"
    assert str(refused.value).endswith(expected)


def test_a_folder_without_a_project_is_refused(tmp_path: Path):
    with pytest.raises(SubmissionError, match=r"no pyproject\.toml"):
        build_wheel(tmp_path, tmp_path)
