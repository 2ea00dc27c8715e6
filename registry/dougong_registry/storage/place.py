"""What a store of bytes can do, and how a place in one is spelt."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, Self

from dougong_registry.problem import Refused

_URI = re.compile(r"hf://datasets/(?P<repo>[\w.-]+/[\w.-]+)@(?P<commit>[^/]*)/(?P<path>[\w./-]+)")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Store(Protocol):
    """Bytes by their hash."""

    def put(self, path: Path, sha256: str) -> str:
        """Take the bytes of a file in, and return the address of exactly them."""
        ...

    def read(self, uri: str) -> Iterator[bytes]:
        """Return what lies at an address; whoever reads compares the hash."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file in one commit of a repository on the Hugging Face Hub."""

    repo: str
    commit: str
    path: str

    @classmethod
    def parse(cls, uri: str) -> Self:
        """Read an address.

        Raises:
            Refused: it is none, or names a branch or tag, which may be moved, or a short commit.
        """
        if not (match := _URI.fullmatch(uri)):
            raise Refused(f"a place is hf://datasets/<repo>@<commit>/<path>, got {uri!r}")
        if not _COMMIT.fullmatch(match["commit"]):
            raise Refused(
                f"{uri!r} names {match['commit']!r}; only a commit of 40 hexadecimal digits stays "
                "what it is"
            )
        return cls(**match.groupdict())

    def __str__(self) -> str:
        return f"hf://datasets/{self.repo}@{self.commit}/{self.path}"
