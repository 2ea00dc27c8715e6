"""pip of this interpreter, as a child process: the one installer everybody already has."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dougong.errors import DougongError

_QUIET = ("--disable-pip-version-check", "--no-input", "--quiet")


class PipError(DougongError):
    """pip refused; the message is its own last error line."""


def install(what: Sequence[str], *, dependencies: bool, options: Sequence[str] = ()) -> None:
    """Install into this environment.

    Args:
        what: requirements or paths of wheels.
        dependencies: whether pip may install what they require.
        options: further options of `pip install`.

    Raises:
        PipError: pip failed.
    """
    _run("install", *_QUIET, *(() if dependencies else ("--no-deps",)), *options, *what)


def install_exactly(wheel: Path, sha256: str) -> None:
    """Install one wheel, and nothing else, if pip too finds that it has this hash.

    Raises:
        PipError: pip failed.
    """
    pinned = wheel.with_name("pinned.txt")
    pinned.write_text(f"{wheel.resolve().as_uri()} --hash=sha256:{sha256}\n", encoding="utf-8")
    options = ("--no-deps", "--no-index", "--require-hashes", "--force-reinstall")
    _run("install", *_QUIET, *options, "--requirement", str(pinned), alone=True)


def install_from(index: str, requirements: Sequence[str]) -> None:
    """Install wheels from one index and no other, whatever pip is configured to use besides.

    Raises:
        PipError: pip failed.
    """
    options = ("--index-url", index, "--only-binary", ":all:")
    _run("install", *_QUIET, *options, *requirements, alone=True)


def download_exactly(pins: Sequence[str], folder: Path, *, timeout_s: float) -> None:
    """Download wheels, and nothing that they require, from where pip is configured to look.

    Nothing of them is run or installed.

    Args:
        pins: Lines `name==version --hash=sha256:...`, trusted to be nothing else.
        folder: An existing folder, for the wheels.
        timeout_s: Of the whole download.

    Raises:
        PipError: pip failed, a hash is another, or it took too long.
    """
    pinned = folder / "pinned.txt"
    pinned.write_text("\n".join(pins) + "\n", encoding="utf-8")
    options = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "--dest", str(folder))
    _run("download", *_QUIET, *options, "--requirement", str(pinned), timeout_s=timeout_s)


def uninstall(name: str) -> None:
    """Take a distribution out of this environment.

    Raises:
        PipError: pip failed.
    """
    _run("uninstall", *_QUIET, "--yes", name)


def build_wheel(folder: Path, target: Path) -> Path:
    """Build the wheel of a project folder and return its path.

    The build runs in this environment where hatchling is at hand, so that it needs no network;
    otherwise pip prepares an isolated one.

    Raises:
        PipError: there is no project, or its build failed.
    """
    if not (folder / "pyproject.toml").is_file():
        raise PipError(f"{folder} has no pyproject.toml, so it is no distribution")
    # An absolute path, because a bare name would be looked up on the index.
    source = str(folder.resolve())
    here = importlib.util.find_spec("hatchling") is not None
    isolation = ("--no-build-isolation",) if here else ()
    _run("wheel", *_QUIET, "--no-deps", *isolation, "--wheel-dir", str(target), source)
    wheels = sorted(target.glob("*.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        raise PipError(f"building {folder} left no wheel")
    return wheels[-1]


def _run(*arguments: str, alone: bool = False, timeout_s: float | None = None) -> None:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pip", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=_unconfigured() if alone else None,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise PipError(f"pip {arguments[0]} was not done within {error.timeout:g} s") from error
    if done.returncode:
        raise PipError(f"pip {arguments[0]} failed: {_last_error(done.stderr or done.stdout)}")


def _unconfigured() -> dict[str, str]:
    """Return the environment without what could bring a second index in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return {**kept, "PIP_CONFIG_FILE": os.devnull}


def _last_error(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["no message"])[-1]
