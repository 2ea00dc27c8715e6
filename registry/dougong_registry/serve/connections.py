"""How the web server waits for connections that say nothing yet."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from gunicorn.workers import gthread


class PatientWorker(gthread.ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """Gunicorn's threads, none of which waits for a new connection to speak.

    Gunicorn gives a new connection to a thread, which waits five seconds for the first byte: as
    many silent connections as there are threads would hold up everybody. Here it waits where kept
    connections wait between requests, at no thread's cost, and is closed as late as they are.
    """

    def enqueue_req(self, conn: Any) -> None:
        """Give a connection to a thread once there is something to read."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        silent: Future[object] = Future()
        silent.set_result(gthread._DEFER)
        self.finish_request(conn, silent)
