"""`plugin.toml` and `release.toml`: every rule, by a folder that breaks only that one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dougong import scaffold
from dougong_ci.contribution import ContributionError, Owner, read
from dougong_ci.contribution.__main__ import main

UPSTREAM = """
[upstream]
package = "einops"
requires = ">=0.8,<0.9"
license = "MIT"
url = "https://example.org/einops"
differs = "nothing"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A plugin at birth, made an adapter."""
    made = scaffold.create("norm", "demo", provider="acme", directory=tmp_path / "demo")
    edit(made, "plugin.toml", "\n# An adapter", f"{UPSTREAM}\n# An adapter")
    edit(made, "pyproject.toml", '"torch>=2.6"]', '"torch>=2.6", "einops>=0.8,<0.9"]')
    return made


def edit(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_what_a_folder_says_is_read(folder: Path, capsys):
    found = read(folder)
    assert (found.plugin, found.version, found.level) == ("acme-demo", "0.1.0", "L2")
    assert (found.families, found.contracts) == (("norm",), ("norm.rms@1",))
    assert found.upstream is not None
    assert (found.upstream.package, found.upstream.license) == ("einops", "MIT")
    assert main(["check", str(folder.parent)]) == 0
    assert "acme-demo 0.1.0: well-formed" in capsys.readouterr().out


BROKEN = [
    ("plugin.toml", "schema = 1", "schema = 2", "schema must be 1"),
    ("plugin.toml", '"acme-demo"', '"other"', "plugin must be the name in pyproject.toml"),
    ("plugin.toml", '["norm"]', '["kernel"]', "families must be of attention"),
    ("plugin.toml", '"Apache-2.0"', '"Apache 2"', "license must be an SPDX expression"),
    ("plugin.toml", '"Apache-2.0"', '"MIT"', "license must be the licence in pyproject"),
    ("plugin.toml", "id = 0", 'id = "12"', "id must be the account's number"),
    ("plugin.toml", "id = 0", "id = true", "id must be the account's number"),
    ("plugin.toml", "[[owners]]", "[[people]]", "owners must be one or more"),
    ("plugin.toml", "login = ", 'login = "a b" # ', "login must be a login"),
    ("plugin.toml", '">=0.8,<0.9"', '">=0.8"', "requires must be versions with an upper bound"),
    ("plugin.toml", '">=0.8,<0.9"', '">=0.8,<1"', "upstream must be a dependency: einops"),
    ("plugin.toml", "https://example", "http://example", "url must begin with https"),
    ("plugin.toml", 'differs = "nothing"', "", "differs must be one line of text"),
    ("plugin.toml", 'license = "MIT"', 'license = "free"', "license must be an SPDX expression"),
    ("plugin.toml", "schema = 1", "schema = ", "cannot be read"),
    ("release.toml", '"0.1.0"', '"0.2.0"', "version must be pyproject.toml's"),
    ("release.toml", '"L2"', '"L9"', "level must be of L1"),
    ("release.toml", "norm.rms@1", "norm.rms", "contracts must be contracts with versions"),
    ("release.toml", "norm.rms@1", "activation.silu@1", "contracts must be of the families"),
    ("release.toml", '"First release."', '"""\na\nb"""', "summary must be one line"),
    (
        "pyproject.toml",
        "entry-points.dougong",
        "entry-points.other",
        "there is no [project.entry-points.dougong]",
    ),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), BROKEN)
def test_a_broken_rule_is_named(folder: Path, name: str, old: str, new: str, message: str):
    edit(folder, name, old, new)
    with pytest.raises(ContributionError) as caught:
        read(folder)
    assert message in str(caught.value)
    assert str(caught.value).startswith("demo/")


def test_a_folder_without_tests_or_files_says_all_of_it(folder: Path):
    for path in [*folder.glob("tests/*.py"), folder / "README.md", folder / "release.toml"]:
        path.unlink()
    with pytest.raises(ContributionError) as caught:
        read(folder)
    for finding in ("tests/ must", "README.md must", "there is no release.toml"):
        assert finding in str(caught.value)


def test_the_account_at_the_forge_comes_from_a_private_address(tmp_path: Path, monkeypatch):
    config = tmp_path / "gitconfig"
    config.write_text(
        "[user]\nname = Ada\nemail = 4711+ada-lovelace@users.noreply.github.com\n", "utf-8"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    made = scaffold.create("norm", "demo", directory=tmp_path / "demo")
    assert read(made).owners == (Owner("ada-lovelace", 4711),)
