from __future__ import annotations

import json

import pytest

from dougong.cli import main
from dougong_ci.intake import sources
from dougong_ci.intake.git import Repository


def run(repository, *words):
    return main(["ci", "main", "change", "--repository", str(repository.folder), *words])


def test_a_clean_range_is_zero_and_says_what_it_is(repository, plugin, capsys):
    repository.commit("change", plugin())
    assert run(repository, "--no-judge", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["plugin"], found["version"], found["passed"]) == ("acme-rms", "1.0", True)


def test_a_finding_is_one_and_an_annotation_on_actions(repository, plugin, capsys, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    repository.commit("change", {**plugin(license="mine"), "README.md": "x\n"})
    assert run(repository) == 1
    out = capsys.readouterr().out
    assert "::error file=README.md,line=1,title=scope::" in out


def test_a_range_that_is_not_there_is_bad_input(repository, capsys):
    assert run(repository) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_cannot_be_built_is_said(repository, plugin, capsys):
    broken = {
        "contrib/acme-rms/pyproject.toml": plugin()["contrib/acme-rms/pyproject.toml"].replace(
            "hatchling.build", "no_such"
        )
    }
    repository.commit("change", {**plugin(), **broken})
    assert run(repository) == 1
    assert "build or judge: " in capsys.readouterr().out


def test_sources_come_back_as_they_were(repository, plugin, tmp_path):
    head = repository.commit("change", plugin())
    archive = tmp_path / "sources.tar"
    here = Repository(repository.folder)
    sources.pack(here, head, "contrib/acme-rms", archive)
    first = archive.read_bytes()
    sources.pack(here, head, "contrib/acme-rms", archive)
    assert archive.read_bytes() == first
    sources.unpack(archive, tmp_path / "out")
    for path, text in plugin().items():
        assert (tmp_path / "out" / path.removeprefix("contrib/acme-rms/")).read_text() == text


@pytest.mark.parametrize("name", ["../out", "/etc/x"])
def test_sources_that_lead_elsewhere_are_refused(tmp_path, name):
    import tarfile

    archive = tmp_path / "sources.tar"
    with tarfile.open(archive, "w:") as tar:
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(ValueError, match="no plain file"):
        sources.unpack(archive, tmp_path / "in")
