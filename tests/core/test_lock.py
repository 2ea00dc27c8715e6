"""A lock pins every byte: verify finds each change, and sync puts the bytes back."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dougong import pip, scaffold


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory) -> Path:
    """A folder with one wheel, built from a new plugin."""
    base = tmp_path_factory.mktemp("wheelhouse")
    folder = scaffold.create("norm", "demo", provider="acme", directory=base / "demo")
    pip.build_wheel(folder, base)
    return base


@pytest.fixture
def installed(wheelhouse: Path, site: Path) -> Path:
    """The plugin installed by pip into a folder that every test has for itself."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile"]
    wheel = next(wheelhouse.glob("*.whl"))
    subprocess.run([*command, "--target", str(site), str(wheel)], check=True, capture_output=True)
    return site


def dougong(run, *arguments: str, **environment: str):
    return run("-m", "dougong", *arguments, DOUGONG_PLUGINS="acme-demo", **environment)


def test_lock_then_verify_is_identical(installed, run, tmp_path):
    done = dougong(run, "lock")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "dougong.lock").read_text()
    assert 'name = "acme/demo"' in text
    assert '"acme_demo/rms_norm.py" = "' in text
    assert "norm.rms@1" in text
    verified = dougong(run, "verify")
    assert (verified.returncode, verified.stderr) == (0, "")
    assert "identical" in verified.stdout


def test_each_difference_is_one_line_and_exit_1(installed, run):
    dougong(run, "lock")
    package = installed / "acme_demo"
    (package / "rms_norm.py").write_text("# changed\n")
    (package / "py.typed").unlink()
    (package / "extra.py").write_text("raise RuntimeError\n")
    done = dougong(run, "verify")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert any("rms_norm.py has sha256" in line for line in lines)
    assert "acme-demo: acme_demo/py.typed is missing" in lines
    assert any("extra.py lies in the package and is not part of it" in line for line in lines)
    assert '"identical": false' in dougong(run, "verify", "--json").stdout


def test_tampered_plugin_is_not_imported_by_verify(installed, run, tmp_path):
    dougong(run, "lock")
    mark = tmp_path / "imported"
    (installed / "acme_demo" / "__init__.py").write_text(f"open({str(mark)!r}, 'w')\n")
    assert dougong(run, "verify").returncode == 1
    assert not mark.exists()


def test_contract_digest_and_contract_are_compared(installed, run, tmp_path):
    dougong(run, "lock")
    lock = tmp_path / "dougong.lock"
    text = lock.read_text()
    start = text.index('contract_digest = "') + len('contract_digest = "')
    lock.write_text(text[:start] + "0" * 64 + text[start + 64 :])
    done = dougong(run, "verify")
    assert done.returncode == 1
    assert done.stdout.startswith("norm.rms@1: digest ")


@pytest.mark.parametrize("command", ["verify", "sync"])
def test_missing_lock_is_exit_2(command, run):
    done = dougong(run, command)
    assert done.returncode == 2
    assert done.stderr.startswith("dougong: ")
    assert "does not exist; dougong lock writes it" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("text", ["format = 9\n", "not toml [", 'format = 1\ndougong = "1"\n'])
def test_malformed_lock_is_exit_2(text, run, tmp_path):
    (tmp_path / "dougong.lock").write_text(text)
    done = dougong(run, "verify")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is malformed" in done.stderr


def test_nothing_installed_has_nothing_to_lock(run):
    done = run("-m", "dougong", "lock", DOUGONG_DISABLE="1")
    assert (done.returncode, done.stderr) == (
        2,
        "dougong: no operator is installed, so there is nothing to lock\n",
    )


def test_lock_of_a_folder_above_is_found(installed, run, tmp_path):
    dougong(run, "lock")
    below = tmp_path / "deep" / "er"
    below.mkdir(parents=True)
    code = textwrap.dedent(
        f"""
        import os; os.chdir({str(below)!r})
        from dougong.lock import find; print(find())
        """
    )
    assert run("-c", code).stdout.strip() == str(tmp_path / "dougong.lock")


@pytest.fixture
def environment(tmp_path) -> Path:
    """A virtual environment of its own, which sees the packages of this one; its Python."""
    folder = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    ours = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    theirs = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    path = ours.stdout.strip()
    line = f"import site; site.addsitedir({path!r})\n"
    Path(theirs.stdout.strip(), "ours.pth").write_text(line)
    return python


def test_sync_frozen_restores_the_locked_bytes(environment, wheelhouse, tmp_path):
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        home = {"DOUGONG_HOME": str(tmp_path / "home"), "DOUGONG_PLUGINS": "acme-demo"}
        return subprocess.run(
            [str(environment), "-m", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1", **home},
        )

    wheel = next(wheelhouse.glob("*.whl"))
    installed = call("dougong", "install", str(wheel))
    assert installed.returncode == 0, installed.stderr
    said = f"installed acme/demo (norm.rms@1) ok\nlocked in {tmp_path / 'dougong.lock'}\n"
    assert installed.stdout == said
    assert call("dougong", "lock").returncode == 0
    before = (tmp_path / "dougong.lock").read_bytes()
    assert b'wheel = "' in before
    module = next(tmp_path.glob("venv/lib/*/site-packages/acme_demo/rms_norm.py"))
    original = module.read_bytes()
    module.write_text("# changed\n")
    assert call("dougong", "verify").returncode == 1
    synced = call("dougong", "sync", "--frozen", "--find-links", str(wheelhouse))
    assert synced.returncode == 0, synced.stderr
    assert module.read_bytes() == original
    assert (tmp_path / "dougong.lock").read_bytes() == before
    assert call("pip", "uninstall", "-qy", "acme-demo").returncode == 0
    assert "not installed, locked 0.1.0" in call("dougong", "verify").stdout
    again = call("dougong", "sync", "--frozen", "--find-links", str(wheelhouse))
    assert again.returncode == 0, again.stderr
    assert call("dougong", "verify").returncode == 0
