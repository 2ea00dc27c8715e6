"""One sandbox of a judgement: a zygote, and at most one operator's process at a time."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from typing import Self

from dougong_ci.judge.activity import descendants
from dougong_ci.judge.child import Child, Fell
from dougong_ci.judge.device import Cpu, Device
from dougong_ci.judge.memory import shared_bytes
from dougong_ci.judge.request import Profile
from dougong_ci.runner import protocol
from dougong_ci.runner.protocol import Fault
from dougong_ci.sandbox import Box, Mounts, Tier
from dougong_ci.sandbox.cache import MAX_BYTES, sealed
from dougong_ci.sandbox.errors import SandboxError

PROMPT_S = 10.0
"""Within which a zygote forks, freezes or kills; one that its operator stopped never does."""
_PACK_S = 30.0


class Party:
    """A sandbox that starts at once and is waited for on first use."""

    def __init__(
        self,
        tier: Tier,
        mounts: Mounts,
        profile: Profile,
        cpu: int | None,
        device: Device | None = None,
    ) -> None:
        self._settings = (tier, mounts, profile, cpu)
        self._device = device or Cpu()
        self._profile = profile
        self.cpu = cpu
        """The one processor its operators are pinned to, or None where they are not."""
        self.child: Child | None = None
        self._preloads = False
        self._walls: frozenset[int] = frozenset()
        self._start()

    def _start(self) -> None:
        tier, mounts, _, cpu = self._settings
        self._judge, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._owed = 1  # answers not yet read: the first says that torch is loaded
        try:
            gpu = self._device.name == "cuda"
            self._box = Box(tier, mounts, channel=theirs.fileno(), cpu=cpu, gpu=gpu)
        finally:
            theirs.close()
        self._unpacked = mounts.cache.archives() if mounts.cache and tier.isolated else ()
        for archive in self._unpacked:
            self._ask(protocol.UNPACK, (archive,))
        if self._preloads:
            self._ask(protocol.PRELOAD)

    def wait_ready(self) -> None:
        """Wait until torch, and what else was asked for, is loaded over there.

        Raises:
            SandboxError: it never came up; the message carries its last words.
        """
        while self._owed:
            if self._answer(self._profile.start_s) != protocol.OK:
                words = protocol.printable(self._box.log()[-400:], 300)
                raise SandboxError(f"the sandbox did not start: {words or 'no answer'}")
            self._owed -= 1
            if self.child is None:
                self._walls = frozenset(descendants(self._box.pid))

    def spawn(self) -> Child:
        """Fork a fresh process for one operator; the one before is killed with all it started.

        A sandbox that its operator brought down is replaced.
        """
        self.drop()
        try:
            return self._spawn()
        except Fell:
            self._end()
            self._start()
            return self._spawn()

    def preload_compiler(self) -> None:
        """Load torch.compile's modules before forking, for operators that need a compiler.

        It takes seconds and is waited for on the next use, so that sandboxes load side by side.
        """
        if not self._preloads:
            self._preloads = True
            self._ask(protocol.PRELOAD)

    def freeze(self) -> None:
        """Stop every process of the operator, so that it cannot disturb the others' turn."""
        self._tell(protocol.FREEZE)

    def thaw(self) -> None:
        """Let them run again."""
        self._tell(protocol.THAW)

    def drop(self) -> None:
        """Kill the operator's processes, if there are any."""
        if self.child is None:
            return
        child, self.child = self.child, None
        child.close()
        try:
            self._tell(protocol.KILL)
        except Fell:
            self._end()
            self._start()
        child.free()

    def operator_pids(self) -> list[int]:
        """Return the host's ids of the operator's processes: all but the zygote and its walls."""
        return [pid for pid in descendants(self._box.pid) if pid not in self._walls]

    def cpu_time_s(self) -> float | None:
        """Return the processor time of everything that ever ran inside, where it is accounted."""
        return self._box.cpu_time_s()

    def peak_memory_bytes(self) -> int | None:
        """Return the most memory ever in use inside at once, where it is accounted."""
        return self._box.peak_memory_bytes()

    def close(self) -> None:
        """Kill the sandbox and everything in it; only what it compiled is kept."""
        self._pack()
        self._end()

    def _end(self) -> None:
        child, self.child = self.child, None
        if child is not None:
            child.close()
        self._box.close()
        self._judge.close()
        if child is not None:
            child.free()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, word: bytes, fds: Sequence[int] = ()) -> None:
        """Ask for what takes long; the answer is waited for on the next use."""
        # Where the sandbox is gone already, reading the answer owed tells so, with its last words.
        with contextlib.suppress(OSError):
            socket.send_fds(self._judge, [word], list(fds))
        self._owed += 1

    def _pack(self) -> None:
        """Keep what was compiled here, if anything was, for this candidate's next sandbox."""
        tier, mounts, _, _ = self._settings
        if mounts.cache is None or not tier.isolated or self._owed:
            return
        archive = sealed(MAX_BYTES)
        try:
            self._tell(protocol.KILL)
            self._tell(protocol.PACK, (archive,), _PACK_S)
        except (Fell, SandboxError):
            os.close(archive)
        else:
            mounts.cache.keep(archive, self._unpacked)

    def _spawn(self) -> Child:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        page = shared_bytes(protocol.CONTROL_BYTES)
        try:
            self._tell(protocol.SPAWN, (theirs.fileno(), page))
            self.child = Child(mine, page, self._profile, self._device)
        except Fell:
            mine.close()
            raise
        finally:
            theirs.close()
            os.close(page)
        return self.child

    def _tell(self, word: bytes, fds: Sequence[int] = (), limit_s: float | None = None) -> None:
        self.wait_ready()
        try:
            socket.send_fds(self._judge, [word], list(fds))
        except OSError:
            raise Fell(Fault.CRASH, "its sandbox is gone") from None
        if self._answer(limit_s or PROMPT_S) != protocol.OK:
            raise Fell(Fault.CRASH, "its sandbox is gone")

    def _answer(self, limit_s: float) -> bytes:
        try:
            self._judge.settimeout(limit_s)
            return self._judge.recv(16)
        except OSError:
            return b""
