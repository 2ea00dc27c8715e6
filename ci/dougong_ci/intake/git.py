"""Real git, used to fetch objects and to read them: no checkout, no hook, nobody else's config."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import resource
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
FETCH_S = 300.0
READ_S = 60.0
MAX_PACK_BYTES = 1 << 30
_ANSWER_BYTES = 64 << 20
_PLAIN = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0"),
    *("-c", "fetch.fsckObjects=true", "-c", "submodule.recurse=false", "-c", "maintenance.auto=0"),
)


class GitError(Exception):
    """Git did not do what was asked, and what it said."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a tree."""

    path: str
    mode: str
    oid: str
    size_bytes: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file that differs between two commits."""

    path: str
    status: str
    """`A` added, `M` modified, `D` deleted, `T` of another type."""
    mode: str
    """After the change; `000000` where it is gone."""


class Repository:
    """A repository on this machine, read without a work tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ensure(self) -> None:
        """Make a bare repository where there is none."""
        if not (self.folder / "HEAD").is_file():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._git("init", "--bare", "--quiet", "--template=", ".")

    def has(self, sha: str) -> bool:
        """Whether a commit is here, whole: it is pinned once its fetch is done."""
        with contextlib.suppress(GitError):
            return bool(self._git("rev-parse", "--verify", "--quiet", f"refs/dougong/{whole(sha)}"))
        return False

    def fetch(self, url: str, *shas: str) -> None:
        """Fetch commits by their hashes and pin them. What is here already is not asked for.

        Raises:
            GitError: the remote does not answer in time, or has no such commit.
        """
        missing = [whole(sha) for sha in shas if not self.has(sha)]
        if not missing:
            return
        self._git(
            *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"),
            *("--", url, *(f"{sha}:refs/dougong/{sha}" for sha in missing)),
            limit_s=FETCH_S,
            protocol=urlsplit(url).scheme or "file",
        )

    def commit(self, name: str) -> str:
        """Return the whole hash of a commit by any name that git knows.

        Raises:
            GitError: there is none.
        """
        if name.startswith("-"):
            raise GitError(f"{name!r} is no commit")
        return self._git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").decode().strip()

    def merge_base(self, base: str, head: str) -> str:
        """Return where a head left its base.

        Raises:
            GitError: they have no common history.
        """
        return self._git("merge-base", whole(base), whole(head)).decode().strip()

    def changes(self, base: str, head: str, limit: int) -> list[Change]:
        """Return what differs, renames taken apart; one more than the limit at most."""
        raw = self._git(
            *("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev"),
            *(whole(base), whole(head)),
        )
        words = raw.decode("utf-8", "surrogateescape").split("\0")
        found = []
        for meta, path in zip(words[0::2], words[1::2], strict=False):
            _, mode, _, _, status = meta.split(" ")
            found.append(Change(path=path, status=status[:1], mode=mode))
            if len(found) > limit:
                break
        return found

    def tree(self, commit: str, path: str) -> str:
        """Return the hash of a folder in a commit; empty where it has none."""
        with contextlib.suppress(GitError):
            name = f"{whole(commit)}:{path}"
            return self._git("rev-parse", "--verify", "--quiet", name).decode().strip()
        return ""

    def entries(self, commit: str, path: str, limit: int) -> list[Entry]:
        """Return the files below a folder; one more than the limit at most."""
        raw = self._git("ls-tree", "-r", "-l", "-z", "--full-tree", whole(commit), "--", f"{path}/")
        found = []
        for row in raw.decode("utf-8", "surrogateescape").split("\0")[:-1]:
            meta, _, name = row.partition("\t")
            mode, _, oid, size = meta.split()
            bytes_ = int(size) if size.isdecimal() else 0
            found.append(Entry(path=name, mode=mode, oid=oid, size_bytes=bytes_))
            if len(found) > limit:
                break
        return found

    def blobs(self, oids: Sequence[str]) -> Iterator[bytes]:
        """Yield the bytes of blobs, in order.

        Raises:
            GitError: one is not here.
        """
        raw = self._git("cat-file", "--batch", stdin="".join(f"{oid}\n" for oid in oids).encode())
        at = 0
        for oid in oids:
            end = raw.find(b"\n", at)
            head = raw[at:end].split()
            if len(head) != 3:
                raise GitError(f"blob {oid} is not in {self.folder.name}")
            at = end + 1 + int(head[2])
            yield raw[end + 1 : at]
            at += 1

    def blob(self, commit: str, path: str) -> bytes | None:
        """Return the bytes of one file of a commit; None where it has none."""
        oid = self.tree(commit, path)
        return next(self.blobs([oid])) if oid else None

    def _git(
        self, *words: str, stdin: bytes = b"", limit_s: float = READ_S, protocol: str = "none"
    ) -> bytes:
        env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": "/nonexistent",
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": protocol,
        }
        command = ["git", *_PLAIN, *words]
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            # What it starts afterwards inherits the limit: no pack fills the disk.
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (MAX_PACK_BYTES, MAX_PACK_BYTES))
            try:
                out, said = process.communicate(stdin, timeout=limit_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise GitError(f"git {words[0]} was not done within {limit_s:g} s") from None
        if process.returncode:
            reason = said.decode("utf-8", "replace").strip().splitlines()
            last = reason[-1][:300] if reason else f"exit status {process.returncode}"
            raise GitError(f"git {words[0]}: {last}")
        if len(out) > _ANSWER_BYTES:
            raise GitError(f"git {words[0]} answered with over {_ANSWER_BYTES >> 20} MiB")
        return out


def whole(sha: str) -> str:
    """Return a commit's hash if it is a whole one: no option, no name.

    Raises:
        GitError: it is not.
    """
    if not SHA.fullmatch(sha):
        raise GitError(f"a commit is named by its whole hash, got {sha[:80]!r}")
    return sha
