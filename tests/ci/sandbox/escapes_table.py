"""Try every way out of the sandbox on this machine and print how each was denied or contained.

    python tests/ci/sandbox/escapes_table.py [--tier T3|T2] [--json]

Safe on a shared machine: a bomb meets a limit of 1.5 GiB or 256 processes, and lasts seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import platform
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from escapes import archives

from dougong import contracts
from dougong.contracts import evaluate
from dougong_ci.judge import JudgeRequest, SubmissionError, party, source, unpacking
from dougong_ci.judge.building import build_wheel
from dougong_ci.judge.child import Fell
from dougong_ci.judge.memory import image
from dougong_ci.judge.party import Party
from dougong_ci.judge.request import PROFILES
from dougong_ci.runner.protocol import Fault
from dougong_ci.sandbox import Cache, Mounts, Tier, probe, seccomp

CODE = Path(__file__).parent / "escapes" / "attempts.py"
LIMIT_BYTES = 3 << 29
PROFILE = dataclasses.replace(PROFILES["quick"], prepare_s=30.0)
Outcome = dict[str, object] | Fault


@dataclasses.dataclass(frozen=True)
class Case:
    """One attempt, and what being contained means for it."""

    attempt: str
    title: str
    contained: Callable[[Outcome], bool]
    limit_s: float = 20.0


def denied(outcome: Outcome) -> bool:
    return isinstance(outcome, dict) and "ok" not in outcome.values()


def crashed(outcome: Outcome) -> bool:
    return outcome is Fault.CRASH


def at_most(name: str, most: int) -> Callable[[Outcome], bool]:
    def contained(outcome: Outcome) -> bool:
        return outcome is Fault.CRASH or (
            isinstance(outcome, dict) and 0 < int(str(outcome[name])) <= most
        )

    return contained


CASES = (
    Case("network", "network: connect, raw socket, DNS, netlink, host's sockets", denied),
    Case("host_files", "host files: secrets, environments, other scratch folders", denied),
    Case("writing", "writing anywhere but /tmp and /dev/shm", denied),
    Case("mounts_seen", "mounts of the host for writing", lambda o: o == {"writable": "-"}),
    Case("other_processes", "other processes: signal, ptrace, memory, descriptors", denied),
    Case("user_namespace", "user namespaces: unshare, clone, clone3, setns, setuid", denied),
    Case("mounting", "mount, remount, umount, pivot_root, chroot, devices", denied),
    Case("kernel_surface", "bpf, io_uring, perf, keys, modules, handles, kexec", denied),
    Case("arguments_of_calls", "personality, TIOCSTI, x32 and 32-bit calls", denied),
    Case("setuid_program", "a setuid program", denied),
    Case("fork_bomb", "fork bomb", at_most("processes", 260)),
    Case("thread_bomb", "thread bomb", at_most("threads", 256)),
    Case("starving", "64 endless loops", lambda o: isinstance(o, Fault), 1.5),
    Case("output_flood", "10 GB of output", denied),
    Case("memory_bomb", "memory bomb", crashed),
    Case("memory_bomb_of_many", "memory bomb of seven processes", crashed),
    Case("shared_memory_bomb", "shared memory bomb", crashed),
    Case("shared_files_bomb", "files in /dev/shm", at_most("written MiB", 1024)),
    Case("disk_fill", "files in /tmp", at_most("written MiB", 1024)),
    Case("cache_fill", "files in the cache", at_most("written MiB", 1024)),
    Case("killing", "kill everything, the zygote too", crashed),
    Case("stopping", "stop the zygote", lambda o: isinstance(o, dict)),
)


class Trial:
    """A sandbox of one tier, and what happened in it."""

    def __init__(self, tier: Tier, scratch: Path) -> None:
        self.tier = dataclasses.replace(tier, memory_bytes=LIMIT_BYTES)
        self.scratch = scratch
        self.rows: list[dict[str, object]] = []
        self._noted = time.monotonic()
        self.contract = contracts.contract("norm.rms@1")
        self.case = self.contract.generate(self.contract.workloads[0], 1, torch.float32)
        self.outputs = evaluate.natives(self.contract, self.case)[0]
        self.plugin = scratch / "plugin"

    def run(self, unpack: bool) -> None:
        """Try everything; what is only unpacked meets no sandbox, so once is enough."""
        with self._facts(), Cache() as cache:
            mounts = Mounts(plugin=self.plugin, cache=cache)
            with Party(self.tier, mounts, PROFILE, None) as inside:
                for case in CASES:
                    self._note(case.title, *self._attempt(inside, case))
                answer = self._answer(inside, "honest", 20.0)
                self._note("an honest operator afterwards", answer == {"answered": True}, "answers")
            self._cache(mounts)
        if unpack:
            self._archives()
        self._builds()

    def _attempt(self, inside: Party, case: Case) -> tuple[bool, str]:
        outcome = self._answer(inside, case.attempt, case.limit_s)
        held = case.contained(outcome)
        begin = time.monotonic()
        inside.drop()
        held = held and time.monotonic() - begin < 15
        peak = inside.peak_memory_bytes()
        if peak is not None:
            held = held and peak <= LIMIT_BYTES
        return held, spoken(outcome)

    def _answer(self, inside: Party, attempt: str, limit_s: float) -> Outcome:
        child = inside.spawn()
        try:
            buffers = child.prepare(
                self.contract.id, f"attempts:{attempt}", self.case, self.outputs
            )
            with child.armed():
                child.call(image(buffers.in_plan, self.case.tensors), limit_s, timed=False)
        except Fell as fell:
            text = str(fell).partition(": ")[2]
            if fell.fault is Fault.EXCEPTION and text.startswith("{"):
                return dict(json.loads(text))
            return fell.fault if fell.fault is not Fault.EXCEPTION else {str(fell): "ok"}
        return {"answered": True}

    def _cache(self, mounts: Mounts) -> None:
        """Lay snares in one sandbox's cache and look at what the next one finds."""
        for number, title in enumerate(("", "cache: links, pipes, holes", "cache: depth")):
            with Party(self.tier, mounts, PROFILE, None) as inside:
                if title:
                    seen = self._answer(inside, "cache_seen", 20.0)
                    kept = isinstance(seen, dict) and "sparse" in str(seen.get("names"))
                    self._note(title, kept and seen.get("not plain") == "-", spoken(seen))
                if number < 2:
                    self._answer(inside, ("cache_tricks", "cache_deep")[number], 20.0)

    def _archives(self) -> None:
        folder = self.scratch / "archives"
        folder.mkdir()
        unpacking.MAX_BYTES = 32 << 20  # the rule is the same, the disk is spared
        for title, path in archives.made(folder):
            begin = time.monotonic()
            try:
                with source.opened(JudgeRequest(path=path)):
                    held, how = False, "unpacked"
            except SubmissionError as error:
                held, how = time.monotonic() - begin < 20, str(error)
            self._note(f"archive: {title}", held, how)
        held = not [
            p for p in (folder / "out", folder.parent / "out", Path("/etc/out")) if p.exists()
        ]
        self._note("archive: nothing lies outside", held, "looked")
        shutil.rmtree(folder)

    def _builds(self) -> None:
        for title, code, held in BUILDS:
            project = self.scratch / "project"
            project.mkdir()
            (project / "pyproject.toml").write_text(PYPROJECT)
            (project / "backend.py").write_text(
                BACKEND.replace("@CODE@", code).replace("@SECRET@", str(self.scratch / "secret"))
            )
            (project / "link").symlink_to("/etc/shadow")
            try:
                how = f"built {build_wheel(project, self.scratch, self.tier).name}"
            except SubmissionError as error:
                how = str(error).partition("built: ")[2]
            self._note(f"setup-time code: {title}", held in how, how)
            shutil.rmtree(project)
        self._note("setup-time code: nothing ran outside", not MARK.exists(), "looked")

    @contextlib.contextmanager
    def _facts(self) -> Iterator[None]:
        """Put something worth stealing on the host, and tell the attempts where it is."""
        (self.scratch / "secret").write_text("s")
        self.plugin.mkdir()
        shutil.copy(CODE, self.plugin)
        machine = platform.machine()
        column = 0 if machine == "x86_64" else 1
        with (
            tempfile.TemporaryDirectory(prefix="dougong-judge-") as other,
            socket.socket(socket.AF_UNIX) as listener,
        ):
            name = f"dougong-escape-{os.getpid()}"
            listener.bind("\0" + name)
            listener.listen()
            facts = {
                "secret": str(self.scratch / "secret"),
                "scratch": other,
                "judge": os.getpid(),
                "listener": name,
                "machine": machine,
                "numbers": {name: pair[column] for name, pair in seccomp.DENIED.items()},
                "clone": (56, 220)[column],
                "personality": (135, 92)[column],
            }
            (self.plugin / "facts.json").write_text(json.dumps(facts))
            os.environ["CANARY"] = "1"
            yield
            del os.environ["CANARY"]

    def _note(self, title: str, held: bool, how: str) -> None:
        now = time.monotonic()
        took_s, self._noted = round(now - self._noted, 1), now
        row = {"attempt": title, "contained": held, "how": how[:300], "seconds": took_s}
        self.rows.append(row)


MARK = Path("/tmp") / f"dougong-escaped-{os.getpid()}"
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "evil"
version = "1.0"
"""
BACKEND = f"""
import os, socket, sys, time
open({str(MARK)!r}, "w").write("x")
def build_wheel(target, settings, metadata):
    @CODE@
"""
BUILDS = (
    ("reads the judge's secret", "return open('@SECRET@').read()", "FileNotFoundError"),
    ("reads through a link", "return open('link').read()", "FileNotFoundError"),
    ("fetches", "socket.create_connection(('1.1.1.1', 80), timeout=2)", "OSError"),
    ("floods its streams", "while True: os.write(2, b'x' * (1 << 16))", "PermissionError"),
    (
        "fills the disk",
        "[open('/tmp/%d' % i, 'wb').write(bytes(1 << 28)) for i in range(99)]",
        "rror",
    ),
    ("names its wheel upwards", "return '../../x'", "rror"),
    ("ends at once", "os._exit(0)", "died without a word"),
    ("kills itself", "os.kill(os.getpid(), 9)", "died without a word"),
)


def spoken(outcome: Outcome) -> str:
    if isinstance(outcome, Fault):
        return {"CRASH": "killed; a crash of the candidate"}.get(outcome.name, outcome.name.lower())
    return ", ".join(f"{name}: {value}" for name, value in outcome.items())


def tier_of(name: str) -> Tier | None:
    """Return this machine's sandbox as a tier, or None where it has none such."""
    found = probe()
    if name == "T2" and found.isolated:
        return found.without_groups()
    return found if found.name == name else None


def run(name: str, unpack: bool = True) -> dict[str, object]:
    """Try everything at one tier."""
    tier = tier_of(name)
    if tier is None:
        return {"tier": name, "detail": f"not to be had here: {probe().detail}", "rows": []}
    with tempfile.TemporaryDirectory(prefix="dougong-escapes-") as scratch:
        Path(scratch).chmod(0o711)
        trial = Trial(tier, Path(scratch))
        trial.run(unpack)
    return {"tier": name, "detail": tier.detail, "rows": trial.rows}


def show(found: list[dict[str, object]]) -> None:
    """Print the table: attempt | each tier | how."""
    for each in found:
        print(f"{each['tier']}: {each['detail']}")
    columns = [{row["attempt"]: row for row in each["rows"]} for each in found]  # type: ignore[attr-defined]
    titles = list(dict.fromkeys(title for column in columns for title in column))
    print(f"\n{'attempt':62} " + " ".join(f"{each['tier']:8}" for each in found) + "how")
    for title in titles:
        cells = [column.get(title) for column in columns]
        marks = ["-" if c is None else "held" if c["contained"] else "ESCAPED" for c in cells]
        how = next(str(c["how"]) for c in cells if c is not None)
        print(f"{title:62} " + " ".join(f"{mark:8}" for mark in marks) + how[:120])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", action="append", choices=["T3", "T2"])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--without-archives", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    party.PROMPT_S = 2.0
    unpack = not arguments.without_archives
    found = [run(name, unpack) for name in arguments.tier or ["T3", "T2"]]
    if arguments.json:
        print(json.dumps(found))
    else:
        show(found)
    rows = [row for each in found for row in each["rows"]]  # type: ignore[attr-defined]
    return 0 if all(row["contained"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
