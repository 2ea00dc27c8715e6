"""The store on this machine's disk: an address is the hash itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dougong_registry.plugins import store
from dougong_registry.problem import Missing

_SCHEME = "cas://"
_CHUNK_BYTES = 1 << 20


class LocalStore:
    """`$DOUGONG_HOME/artifacts`, behind the interface of every store."""

    def put(self, path: Path, sha256: str) -> str:
        """Copy a file in; bytes of another hash are not taken."""
        with path.open("rb") as file:
            store.receive_exactly(iter(lambda: file.read(_CHUNK_BYTES), b""), sha256).keep()
        return _SCHEME + sha256

    def read(self, uri: str) -> Iterator[bytes]:
        """Return the bytes of a hash."""
        path = store.path_of(uri.removeprefix(_SCHEME))
        if not path.is_file():
            raise Missing(f"the bytes of {uri} are gone from the store")
        with path.open("rb") as file:
            yield from iter(lambda: file.read(_CHUNK_BYTES), b"")
