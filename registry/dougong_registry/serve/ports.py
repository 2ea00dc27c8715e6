"""The listening socket: bound once by the supervisor, handed to every life of the web server."""

from __future__ import annotations

import errno
import socket

from dougong_registry.serve.errors import UpError, UsageError

DEFAULT_PORT = 8000
_TRIES = 20


def listen(host: str, port: int | None) -> tuple[socket.socket, str | None]:
    """Return a listening socket, and what to tell the user if it is not on the usual port.

    Held open by the supervisor, it keeps its queue while a killed web server is started again:
    clients wait a moment instead of being refused.

    Args:
        host: Address to bind.
        port: A port to take or fail; 0 for a free one; None for 8000 or the next free one.

    Raises:
        UpError: the port is taken.
        UsageError: the host or the port cannot be bound at all.
    """
    if port is not None:
        return _bind(host, port), None
    for candidate in range(DEFAULT_PORT, DEFAULT_PORT + _TRIES):
        try:
            bound = _bind(host, candidate)
        except UpError as error:
            if isinstance(error, UsageError):
                raise
            continue
        taken = f"port {DEFAULT_PORT} is taken, using {candidate} (choose one with --port)"
        return bound, None if candidate == DEFAULT_PORT else taken
    raise UpError(
        f"ports {DEFAULT_PORT} to {DEFAULT_PORT + _TRIES - 1} of {host} are all taken; "
        "use --port 0 for any free one"
    )


def url(bound: socket.socket) -> str:
    """Return where this machine reaches the socket: loopback if it listens everywhere."""
    host, port = bound.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - comparing, not binding
        host = "127.0.0.1" if bound.family == socket.AF_INET else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as error:
        raise UsageError(f"cannot listen on {host}:{port}: {error}") from error
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
        bound.listen(512)
    except (OSError, OverflowError) as error:
        bound.close()
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise UpError(
                f"port {port} of {host} is taken by another program; choose another with --port N, "
                "or --port 0 for any free one"
            ) from error
        raise UsageError(f"cannot listen on {host}:{port}: {error}") from error
    return bound
