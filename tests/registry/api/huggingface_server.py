"""The part of the Hugging Face Hub's protocol that a dataset of files needs, on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REPO = "acme/artifacts"


class Repository:
    """Commits, each a whole tree; branches and tags that point at one; large files by hash."""

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, bytes]] = {}
        self.refs: dict[str, str] = {}
        self.large: dict[str, bytes] = {}
        self.refs["main"] = self.commit({})
        self.meanwhile: Callable[[], None] = lambda: None
        """Called between two steps of an upload."""

    def commit(self, changes: dict[str, bytes], *, parent: str = "") -> str:
        tree = {**self.commits.get(parent, {}), **changes}
        seed = parent + json.dumps({k: hashlib.sha256(v).hexdigest() for k, v in tree.items()})
        oid = hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()
        self.commits[oid] = tree
        return oid


def serve(repository: Repository) -> ThreadingHTTPServer:
    """Start a server on a free port; the caller shuts it down."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if match := re.match(r"/datasets/acme/artifacts/resolve/([^/]+)/(.+)", self.path):
                self._file(repository.refs.get(match[1], match[1]), match[2])
            elif self.path.startswith("/api/datasets/acme/artifacts"):
                self._json({"id": REPO, "sha": repository.refs["main"], "siblings": []})
            else:
                self._json({"error": f"no {self.path}"}, 404)

        do_HEAD = do_GET  # noqa: N815 - a word of http.server

        def do_POST(self) -> None:
            body = self._body()
            if "/preupload/" in self.path:
                repository.meanwhile()
                files = [
                    {"path": each["path"], "uploadMode": "lfs", "shouldIgnore": False}
                    for each in json.loads(body)["files"]
                ]
                self._json({"files": files})
            elif self.path.endswith("/info/lfs/objects/batch"):
                self._json(
                    {
                        "transfer": "basic",
                        "objects": list(map(_upload, json.loads(body)["objects"])),
                    }
                )
            elif "/commit/" in self.path:
                self._commit([json.loads(line) for line in body.splitlines() if line])
            else:
                self._json({"error": f"no {self.path}"}, 404)

        def do_PUT(self) -> None:
            repository.large[self.path.rpartition("/")[2]] = self._body()
            self._json({})

        def _commit(self, lines: list[dict]) -> None:
            header = next(line["value"] for line in lines if line["key"] == "header")
            head = repository.refs["main"]
            if header.get("parentCommit") != head:
                self._json({"error": "The branch has moved"}, 412)
                return
            changes = {
                line["value"]["path"]: repository.large[line["value"]["oid"]]
                if line["key"] == "lfsFile"
                else base64.b64decode(line["value"]["content"])
                for line in lines
                if line["key"] in ("lfsFile", "file")
            }
            oid = repository.refs["main"] = repository.commit(changes, parent=head)
            url = f"{address}/datasets/{REPO}/commit/{oid}"
            self._json({"success": True, "commitOid": oid, "commitUrl": url})

        def _file(self, commit: str, path: str) -> None:
            data = repository.commits.get(commit, {}).get(path)
            if data is None:
                self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("ETag", f'"{hashlib.sha256(path.encode()).hexdigest()}"')
            self.send_header("X-Repo-Commit", commit)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        def _json(self, data: dict, status: int = 200, headers: dict | None = None) -> None:
            body = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    def _upload(given: dict) -> dict:
        href = f"{address}/upload/{given['oid']}"
        return {**given, "actions": {"upload": {"href": href}}}

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
