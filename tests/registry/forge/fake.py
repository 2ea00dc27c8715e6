"""A forge on this machine: real HTTP, a little of GitHub's API, everything asked written down."""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

APP = 77
ROOT = "/repos/acme/dougong"


def text(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Forge:
    """What it holds, and what it was asked."""

    def __init__(self, repository_id: int = 4242) -> None:
        self.repository_id = repository_id
        self.pulls: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.reviews: dict[int, list[dict[str, Any]]] = {}
        self.checks: dict[int, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.down = 0
        """How many of the next requests are answered with 502."""
        self._ids = 1000
        self._lock = threading.Lock()
        forge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self) -> None:
                forge.answer(self)

            do_GET = do_POST = do_PATCH = do_PUT = answer  # noqa: N815 - names of the library

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def next_id(self) -> int:
        self._ids += 1
        return self._ids

    # what people do on it

    def open(self, number: int, head: str, base: str, *, author: int = 5, login: str = "eve"):
        self.pulls[number] = {
            "number": number,
            "state": "open",
            "user": {"id": author, "login": login},
            "head": {"sha": head},
            "base": {"sha": base},
            "merged_at": None,
            "merge_commit_sha": None,
            "updated_at": text(dt.datetime.now(dt.UTC)),
        }

    def change(self, number: int, **values: Any) -> None:
        self.pulls[number] |= {"updated_at": text(dt.datetime.now(dt.UTC)), **values}

    def merge(self, number: int, commit: str) -> None:
        now = text(dt.datetime.now(dt.UTC))
        self.change(number, state="closed", merged_at=now, merge_commit_sha=commit)

    def review(self, number: int, reviewer: int, sha: str, state: str = "APPROVED"):
        made = {
            "id": self.next_id(),
            "user": {"id": reviewer, "login": f"person-{reviewer}"},
            "commit_id": sha,
            "state": state,
        }
        self.reviews.setdefault(number, []).append(made)
        return made

    def say(self, number: int, person: int, body: str, *, app: int | None = None):
        now = text(dt.datetime.now(dt.UTC))
        made = {
            "id": self.next_id(),
            "user": {"id": person, "login": f"person-{person}"},
            "body": body,
            "created_at": now,
            "updated_at": now,
            "issue_url": f"{self.url}{ROOT}/issues/{number}",
            "performed_via_github_app": {"id": app} if app else None,
        }
        self.comments.setdefault(number, []).append(made)
        return made

    # what messages it would send

    def message(self, number: int, action: str = "opened", **more: Any) -> dict[str, Any]:
        repository = {"id": self.repository_id}
        return {
            "action": action,
            "pull_request": dict(self.pulls[number]),
            "repository": repository,
            **more,
        }

    def comment_message(self, number: int, comment: dict[str, Any]) -> dict[str, Any]:
        issue = {"number": number, "pull_request": {}}
        repository = {"id": self.repository_id}
        return {"action": "created", "issue": issue, "comment": comment, "repository": repository}

    # what it answers

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        raw = request.rfile.read(length)
        parts = urlsplit(request.path)
        body = json.loads(raw) if raw else None
        with self._lock:
            query = dict(parse_qsl(parts.query))
            self.asked.append((request.command, parts.path, query, body))
            if self.down:
                self.down -= 1
                status, found = 502, {"message": "down"}
            elif (
                not request.headers.get("Authorization", "").lower().startswith(("bearer", "token"))
            ):
                status, found = 401, {"message": "who are you"}
            else:
                status, found = self.found(request.command, parts.path, query, body)
        data = json.dumps(found).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def found(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if path.startswith("/app/installations/"):
            expires = text(dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
            return 201, {"token": "ghs_test", "expires_at": expires, "permissions": {}}
        path = path.removeprefix(ROOT)
        page = int(query.get("page", 1)) - 1
        for verb, shape, act in self.doors():
            if verb == method and (match := re.fullmatch(shape, path)):
                status, found = act(*match.groups(), query, body)
                if isinstance(found, list):
                    found = found[page * 100 : (page + 1) * 100]
                return status, found
        return 404, {"message": f"no {method} {path}"}

    def doors(self):
        return [
            ("GET", r"/pulls", lambda q, b: (200, self._newest())),
            ("GET", r"/pulls/(\d+)", lambda n, q, b: (200, self.pulls[int(n)])),
            ("GET", r"/pulls/(\d+)/reviews", lambda n, q, b: (200, self.reviews.get(int(n), []))),
            ("PUT", r"/pulls/(\d+)/reviews/(\d+)/dismissals", self._dismiss),
            ("GET", r"/issues/comments", lambda q, b: (200, self._said())),
            (
                "GET",
                r"/issues/(\d+)/comments",
                lambda n, q, b: (200, self.comments.get(int(n), [])),
            ),
            ("POST", r"/issues/(\d+)/comments", self._comment),
            ("PATCH", r"/issues/comments/(\d+)", self._recomment),
            ("GET", r"/commits/(\w+)/check-runs", self._checks),
            ("POST", r"/check-runs", self._check),
            ("PATCH", r"/check-runs/(\d+)", self._recheck),
        ]

    def _newest(self):
        return sorted(self.pulls.values(), key=lambda pull: pull["updated_at"], reverse=True)

    def _said(self):
        return [each for rows in self.comments.values() for each in rows]

    def _dismiss(self, number, review_id, query, body):
        (review,) = (each for each in self.reviews[int(number)] if each["id"] == int(review_id))
        review["state"] = "DISMISSED"
        return 200, review

    def _comment(self, number, query, body):
        return 201, self.say(int(number), 9, body["body"], app=APP)

    def _recomment(self, comment_id, query, body):
        for comment in self._said():
            if comment["id"] == int(comment_id):
                comment["body"] = body["body"]
                return 200, comment
        return 404, {"message": "no comment"}

    def _checks(self, sha, query, body):
        runs = [run for run in self.checks.values() if run["head_sha"] == sha]
        return 200, {"total_count": len(runs), "check_runs": runs}

    def _check(self, query, body):
        made = {"id": self.next_id(), "rows": [], **body}
        self.checks[made["id"]] = made
        return 201, self._added(made, body)

    def _recheck(self, check_id, query, body):
        run = self.checks[int(check_id)]
        kept = {key: value for key, value in body.items() if key != "output"}
        run |= kept
        return 200, self._added(run, body)

    def _added(self, run, body):
        output = dict(body.get("output", {}))
        assert len(output.get("annotations", [])) <= 50
        run["rows"] += output.pop("annotations", [])
        run["output"] = {**run.get("output", {}), **output, "annotations_count": len(run["rows"])}
        run["output"].pop("annotations", None)
        return run
