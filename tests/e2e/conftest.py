from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

MARK = "DOUGONG_UP_HOME"

TINY = """
import dougong


@dougong.hookimpl
def dougong_register_norm():
    return [
        dougong.Operator(
            name=f"tiny/rms{suffix}",
            contract="norm.rms@1",
            target=f"tiny_rms:{function}",
            gradients="first",
            paper="arXiv:1910.07467",
            reference="tiny_rms:rms",
        )
        for suffix, function in OPERATORS
    ]


def rms(x, weight=None, *, eps):
    wide = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
    y = (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)).to(x.dtype)
    return y if weight is None else y * weight


def zeros(x, weight=None, *, eps):
    return torch.zeros_like(x)
"""


def build_wheel(folder: Path, *, version: str, operators: dict[str, str]) -> Path:
    """Write the wheel of a plugin `tiny-rms`: name suffix -> function, `rms` or `zeros`."""
    # torch may not be loaded by a plugin that is only listed: the module is split in two.
    source = TINY.replace("OPERATORS", repr(sorted(operators.items())))
    hooks, _, functions = source.partition("\n\n\ndef rms")
    info = f"tiny_rms-{version}.dist-info"
    files = {
        "tiny_hooks.py": hooks,
        "tiny_rms.py": "import torch\n\n\ndef rms" + functions,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny-rms\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        f"{info}/entry_points.txt": "[dougong]\ntiny-rms = tiny_hooks\n",
    }
    record = "".join(
        f"{name},sha256={_digest(text)},{len(text.encode())}\n" for name, text in files.items()
    )
    path = folder / f"tiny_rms-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(name, text)
    return path


def _digest(text: str) -> str:
    raw = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Up:
    """A running `dougong up --json`, seen as a user sees it."""

    def __init__(self, home: Path, *arguments: object) -> None:
        command = Path(sys.executable).with_name("dougong")
        self.home = home
        self.lines: list[dict[str, Any]] = []
        self.errors = home.with_name(f"{home.name}.stderr")
        self._queue: queue.Queue[str] = queue.Queue()
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(
                [command, "up", "--home", home, "--port", "0", "--json", *map(str, arguments)],
                env={**os.environ, "DOUGONG_BROKER_URL": ""},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(json.loads(line))
        self.process.stdout.close()

    def line(self, event: str, *, timeout_s: float = 90.0) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            return next((line for line in list(self.lines) if line["event"] == event), None)

        wait_for(
            lambda: found() or self.process.poll() is not None, f"line {event}", timeout_s=timeout_s
        )
        assert found(), f"{self.lines}\n{self.errors.read_text()}"
        return found()

    @property
    def url(self) -> str:
        return self.line("ready")["url"]

    def get(self, path: str, **params: Any) -> Any:
        with httpx.Client(base_url=self.url, trust_env=False, timeout=30) as client:
            answer = client.get(path, params=params)
            answer.raise_for_status()
            return answer.json()

    def submit(self, wheel: Path) -> str:
        """Submit as anyone would; return the submission's id."""
        self.line("ready")
        command = Path(sys.executable).with_name("dougong")
        done = subprocess.run(
            [command, "submit", wheel, "--json"],
            env={**os.environ, "DOUGONG_HOME": str(self.home), "NO_PROXY": "127.0.0.1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["id"]

    def processes(self) -> dict[int, str]:
        """Everything that belongs to this hub, sandboxes included: by environment or command."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                environ = (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if f"{MARK}={self.home}".encode() in environ or str(self.home) in command:
                    found[int(entry.name)] = command
        return found

    def pid(self, name: str) -> int:
        """Process id of a supervised child: the leader whose log is `<name>.log`."""
        log = (self.home / "logs" / f"{name}.log").resolve()
        for pid in self.processes():
            with contextlib.suppress(OSError):
                if os.getsid(pid) == pid and Path(f"/proc/{pid}/fd/1").resolve() == log:
                    return pid
        raise AssertionError(f"no process {name}: {self.processes()}")

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def wait_for(condition: Callable[[], Any], what: str, *, timeout_s: float = 90.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.1)


@pytest.fixture
def until() -> Callable[..., None]:
    return wait_for


@pytest.fixture(scope="module")
def start_up() -> Iterator[Callable[..., Up]]:
    """Start hubs; whatever is left of them is ended with the module."""
    started: list[Up] = []

    def start(home: Path, *arguments: object) -> Up:
        started.append(Up(home, *arguments))
        return started[-1]

    yield start
    for up in started:
        up.end()
        for pid in up.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Callable[..., Path]:
    """Build a version of the plugin `tiny-rms`."""

    def build(version: str, **operators: str) -> Path:
        folder = tmp_path_factory.mktemp("wheels")
        names = {f"-{name}" if name != "rms" else "": f for name, f in operators.items()}
        return build_wheel(folder, version=version, operators=names)

    return build
