"""What the hub asks of the forge and tells it, through githubkit; loaded by tasks only."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Protocol, Self

from dougong_registry.forge.config import Config
from dougong_registry.forge.webhooks.payloads import (
    CommentFacts,
    PullFacts,
    ReviewFacts,
    comment_facts,
    pull_facts,
    review_facts,
)
from dougong_registry.problem import Unavailable

PAGE = 100
MAX_PAGES = 50
TIMEOUT_S = 20.0


class _Answer(Protocol):
    def json(self) -> Any: ...


class Forge:
    """One repository of GitHub, met as the installation of an App."""

    def __init__(self, config: Config) -> None:
        # Web processes import this module's callers and never need the client.
        from githubkit import AppInstallationAuthStrategy, GitHub

        self._root = f"/repos/{config.owner}/{config.name}"
        self._repository_id = config.repository_id
        self._app_id = config.app_id
        self._github = GitHub(
            AppInstallationAuthStrategy(
                config.app_id, config.private_key.read_text("ascii"), config.installation_id
            ),
            base_url=config.api_url,
            user_agent="dougong-hub",
            timeout=TIMEOUT_S,
            follow_redirects=False,
            http_cache=False,
            ssl_verify=_certificates(),
            # A task that failed is tried again by the hub's own clock.
            auto_retry=False,
        )

    def __enter__(self) -> Self:
        """Keep one connection for all that is asked within."""
        self._github.__enter__()  # type: ignore[no-untyped-call]  # theirs has no types
        return self

    def __exit__(self, *error: Any) -> None:
        """Close it."""
        self._github.__exit__(*error)

    def pull(self, number: int) -> PullFacts:
        """Return what a pull request is now."""
        return pull_facts(self._get(f"/pulls/{number}").json(), self._repository_id)

    def pulls(self, since: dt.datetime) -> Iterator[PullFacts]:
        """Yield the pull requests that changed since a time, the newest change first."""
        query = {"state": "all", "sort": "updated", "direction": "desc"}
        for row in self._pages("/pulls", query):
            facts = pull_facts(row, self._repository_id)
            if facts.updated_at < since:
                return
            yield facts

    def comments(self, since: dt.datetime) -> Iterator[CommentFacts]:
        """Yield the comments that changed since a time, below issues and pull requests."""
        for row in self._pages("/issues/comments", {"since": _text(since), "sort": "updated"}):
            number = int(str(row["issue_url"]).rpartition("/")[2])
            yield comment_facts(row, self._repository_id, number)

    def reviews(self, number: int) -> Iterator[ReviewFacts]:
        """Yield the reviews of a pull request."""
        for row in self._pages(f"/pulls/{number}/reviews", {}):
            yield review_facts(row)

    def review_dismiss(self, number: int, review_id: int, message: str) -> None:
        """Take a review back on the forge too."""
        self._send("PUT", f"/pulls/{number}/reviews/{review_id}/dismissals", {"message": message})

    def check_runs(self, sha: str) -> Iterator[dict[str, Any]]:
        """Yield the check runs of this App on a commit."""
        query = {"filter": "all", "app_id": self._app_id}
        yield from self._pages(f"/commits/{sha}/check-runs", query, "check_runs")

    def check_create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a check run."""
        return dict(self._send("POST", "/check-runs", body).json())

    def check_update(self, check_run_id: int, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change a check run; its annotations are added to."""
        return dict(self._send("PATCH", f"/check-runs/{check_run_id}", body).json())

    def own_comment(self, number: int, marker: str) -> int | None:
        """Return the id of this App's comment that begins with a marker, if there is one."""
        for row in self._pages(f"/issues/{number}/comments", {}):
            via = row.get("performed_via_github_app") or {}
            if via.get("id") == self._app_id and str(row["body"]).startswith(marker):
                return int(row["id"])
        return None

    def comment_create(self, number: int, body: str) -> int:
        """Write a comment; return its id."""
        return int(self._send("POST", f"/issues/{number}/comments", {"body": body}).json()["id"])

    def comment_update(self, comment_id: int, body: str) -> None:
        """Write a comment anew."""
        self._send("PATCH", f"/issues/comments/{comment_id}", {"body": body})

    def _pages(
        self, path: str, query: Mapping[str, Any], member: str = ""
    ) -> Iterator[dict[str, Any]]:
        for page in range(1, MAX_PAGES + 1):
            found = self._get(path, {**query, "per_page": PAGE, "page": page}).json()
            rows = found[member] if member else found
            yield from rows
            if len(rows) < PAGE:
                return

    def _get(self, path: str, query: Mapping[str, Any] | None = None) -> _Answer:
        return self._ask("GET", path, params=dict(query or {}))

    def _send(self, method: str, path: str, body: Mapping[str, Any]) -> _Answer:
        return self._ask(method, path, json=dict(body))

    def _ask(self, method: str, path: str, **what: Any) -> _Answer:
        from githubkit.exception import GitHubException, RequestFailed

        try:
            return self._github.request(method, self._root + path, **what)
        except RequestFailed as error:
            status = error.response.status_code
            raise Unavailable(f"the forge answered {status} to {method} {path}") from error
        except GitHubException as error:
            raise Unavailable(f"the forge did not answer {method} {path}: {error!r}") from error


@cache
def _certificates() -> ssl.SSLContext:
    """Read them once: that takes longer than most requests."""
    return ssl.create_default_context()


def _text(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
