"""The state folder of a local hub: who holds it, what lies in it, what is left from a crash."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dougong_registry.serve.errors import UpError

MARK = "DOUGONG_UP_HOME"
"""Set in every child's environment, so that what a crash left behind can be told from the rest."""
_SOCKET_PATH_BYTES = 100
"""`sockaddr_un` holds 108 with the closing zero; some platforms hold 104."""


class Home:
    """The state folder of one hub; readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.hub_file = path / "hub.json"
        self.token = path / "token"
        self.broker = path / "broker"

    def make(self) -> None:
        """Create the folder and its sub-folders.

        Raises:
            UpError: it cannot be created or written, or belongs to someone else.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o700)
            for folder in (self.logs, self.broker):
                folder.mkdir(exist_ok=True)
        except OSError as error:
            raise UpError(
                f"state folder {self.path} cannot be used ({error.strerror}); "
                "choose another with --home DIR or DOUGONG_HOME"
            ) from error

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the folder for one `dougong up`; the kernel lets go however the process ends.

        Raises:
            UpError: another `dougong up` holds it.
        """
        with (self.path / "up.lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise UpError(
                    f"another `dougong up` (process {lock.read().strip() or 'unknown'}) holds "
                    f"{self.path}; stop it, or choose another folder with --home DIR"
                ) from None
            lock.seek(0)
            lock.truncate()
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def runner_key(self, number: int) -> Path:
        """Return where the private key of worker `number` lies."""
        return self.path / f"runner-{number}.pem"

    def runner_keys(self) -> list[Path]:
        """Return the keys of every worker that ever ran here."""
        return sorted(self.path.glob("runner-*.pem"))

    def write_hub_file(self, *, url: str, token: str) -> None:
        """Tell `dougong submit`, `search` and `board` where the local hub is."""
        write_private(
            self.hub_file, json.dumps({"url": url, "token": token, "pid": os.getpid()}) + "\n"
        )

    def socket_path(self) -> Path:
        """Return where the broker's socket goes: in the folder, or if that is too long in /tmp."""
        path = self.broker / "valkey.sock"
        if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES:
            return path
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        return _private_folder(f"dougong-{os.getuid()}-{digest}") / "valkey.sock"

    def kill_leftovers(self, *, timeout_s: float = 5.0) -> list[int]:
        """Kill what an earlier `up` on this folder left running; return the process ids.

        Only called by the holder of the folder, so whatever carries the mark is nobody's child. The
        children are tethered and normally die with their supervisor: this is for the rest.
        """
        pids = list(self._marked())
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + timeout_s
        while any(_alive(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.02)
        return pids

    def _marked(self) -> Iterator[int]:
        mark = os.fsencode(f"{MARK}={self.path}")
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if int(entry.name) == os.getpid():
                    continue
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 so that a reader sees the old text or the new, never half of it."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)


def _private_folder(name: str) -> Path:
    folder = Path(tempfile.gettempdir()) / name
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    # /tmp is everyone's: a folder planted there by someone else must not hold our broker.
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
        return folder
    return Path(tempfile.mkdtemp(prefix="dougong-"))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
