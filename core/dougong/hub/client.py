"""A hub, through its public HTTP API.

Addresses come from the command line, then `DOUGONG_HUB_URL` and `DOUGONG_TOKEN`, then the
`hub.json` that `dougong up` leaves in the state folder. Nothing here is called unless asked for.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from dougong.errors import HubError
from dougong.home import state_folder
from dougong.hub import ambient
from dougong.hub.records import (
    Board,
    BoardRow,
    BoardSummary,
    Detail,
    Event,
    FacetValue,
    Found,
    HubOperator,
    Plugin,
    Release,
    Run,
    Score,
    Submission,
    SubmittedOperator,
    Unranked,
)

TIMEOUT_S = 30.0
PAGE_ROWS = 200
LARGEST_WHEEL_BYTES = 1 << 30
_SHA256 = re.compile(r"[0-9a-f]{64}")
_T = TypeVar("_T")


class Hub:
    """A hub at an address. Use as a context manager, or `close` it.

    Every method raises HubError, in one line, where the hub cannot be reached or refuses.
    """

    def __init__(self, url: str, token: str = "") -> None:
        """Connect lazily to `url` with a submitter's token (`dgp_...`) where there is one."""
        if not url.startswith(("http://", "https://")):
            raise HubError(f"hub address must begin with http:// or https://, got {url!r}")
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(
            base_url=f"{self.url}/api/v1/", headers=headers, timeout=TIMEOUT_S
        )

    @classmethod
    def configured(cls, url: str | None = None, token: str | None = None) -> Self | None:
        """Return the hub that this machine is set to use, or None where there is none."""
        url = url or os.environ.get("DOUGONG_HUB_URL")
        token = token or os.environ.get("DOUGONG_TOKEN")
        local = _local_hub()
        if not url:
            url = local.get("url")
        # The token of the local hub is not shown to any other.
        if not token and url and url.rstrip("/") == str(local.get("url", "")).rstrip("/"):
            token = local.get("token")
        return cls(url, token or "") if url else None

    @classmethod
    def required(cls, url: str | None = None, token: str | None = None) -> Self:
        """Return the hub that this machine is set to use.

        Raises:
            HubError: there is none.
        """
        if hub := cls.configured(url, token):
            return hub
        raise HubError("no hub is set; give --hub URL, set DOUGONG_HUB_URL, or start dougong up")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def trusted(self, plugin: str) -> bool:
        """Upload one plugin as the CI job that this is, if it is one and has no token yet.

        The forge's ID token is given for a token of minutes, as docs/accounts.md says.

        Returns:
            Whether it is so now.
        """
        if "Authorization" in self._client.headers:
            return False
        given = ambient.id_token(self.url)
        if given is None:
            return False
        asked = {"token": given, "plugin": plugin}
        answer = self._json("POST", "oidc/exchange", json=asked)
        self._client.headers["Authorization"] = f"Bearer {answer['token']}"
        return True

    def submit(self, wheel: Path) -> Submission:
        """Upload a wheel; the same bytes again return the submission that there is."""
        with wheel.open("rb") as file:
            files = {"wheel": (wheel.name, file, "application/octet-stream")}
            return _submission(self._json("POST", "submissions", files=files))

    def submission(self, submission_id: str) -> Submission:
        """Return how far a submission is."""
        return _submission(self._json("GET", f"submissions/{submission_id}"))

    def events(self, submission_id: str, after: int = 0) -> tuple[Event, ...]:
        """Return what has happened since the event of sequence number `after`."""
        answer = self._json("GET", f"submissions/{submission_id}/events", params={"after": after})
        return tuple(_pick(Event, row) for row in _rows(answer))

    def cancel(self, submission_id: str) -> Submission:
        """Stop the judgement of a submission of one's own."""
        return _submission(self._json("POST", f"submissions/{submission_id}/cancel"))

    def yank(self, plugin: str, version: str, reason: str) -> None:
        """Yank a release of one's own; an empty reason puts it back."""
        path = f"plugins/{plugin}/releases/{version}/{'yank' if reason else 'unyank'}"
        self._json("POST", path, json={"reason": reason} if reason else {})

    def set_status(self, plugin: str, status: str, reason: str = "") -> Plugin:
        """Set the status of one's own plugin: `active`, `archived` or `deprecated`.

        Returns:
            The plugin, of which `name` and `status` are known.
        """
        given = {"status": status, "reason": reason}
        return _pick(Plugin, self._json("POST", f"plugins/{plugin}/status", json=given))

    def search(self, words: str = "", *, limit: int = 200, **filters: str) -> Found:
        """Return the first operators that match, and what the search could be narrowed to.

        Args:
            words: Each must occur; the last may be a beginning.
            limit: Operators at most, up to 200.
            filters: As of `operators`.
        """
        query = _given({"q": words, **filters})
        answer = self._json("GET", "operators", params={**query, "limit": limit})
        facets = answer.get("facets", {})
        return Found(
            operators=tuple(_pick(HubOperator, row) for row in _rows(answer)),
            total=int(answer.get("total", 0)),
            facets={
                name: tuple(_pick(FacetValue, each) for each in values)
                for name, values in facets.items()
            },
            corrected=answer.get("corrected") or "",
        )

    def operators(self, words: str = "", **filters: str) -> Iterator[HubOperator]:
        """Yield every operator that matches, page after page.

        Args:
            words: Each must occur; the last may be a beginning.
            filters: `family`, `contract`, `verdict`, `device`, `dtype`; `ordering` is `name` (as it
                is without), `relevance`, `newest` or `fastest`.
        """
        return self._listed(HubOperator, "operators", {"ordering": "name", "q": words, **filters})

    def plugins(self, words: str = "", **filters: str) -> Iterator[Plugin]:
        """Yield every plugin whose name or summary holds the words; `status`, `ordering`."""
        return self._listed(Plugin, "plugins", {"q": words, **filters})

    def releases(self, plugin: str) -> Iterator[Release]:
        """Yield the releases of a plugin, newest first."""
        return self._listed(Release, f"plugins/{plugin}/releases", {})

    def runs(self, **filters: str) -> Iterator[Run]:
        """Yield runs, newest first.

        Args:
            filters: `operator`, `contract`, `outcome`, `runner`; `official` is `true` or `false`.
        """
        for row in self._pages("runs", filters):
            scores = tuple(_pick(Score, each) for each in row.get("scores", ()))
            yield _pick(Run, {**row, "scores": scores})

    def boards(self, **filters: str) -> Iterator[BoardSummary]:
        """Yield the boards that rank someone; `family` and `hardware` narrow them."""
        return self._listed(BoardSummary, "boards", filters)

    def advisories(self) -> Iterator[Mapping[str, Any]]:
        """Yield the advisories as OSV records, newest first."""
        return self._pages("advisories", {})

    def operator(self, name: str) -> Detail:
        """Return one operator with its releases and runs."""
        answer = self._json("GET", f"operators/{name}")
        return Detail(
            operator=_pick(HubOperator, answer.get("operator", answer)),
            releases=tuple(_pick(Release, row) for row in answer.get("releases", ())),
            run_ids=tuple(str(row["id"]) for row in answer.get("runs", ())),
        )

    def board(self, contract: str, **choice: str | None) -> Board:
        """Return a board; `hardware`, `dtype` and `mode` that are not given are the hub's."""
        params = {key: value for key, value in choice.items() if value}
        answer = self._json("GET", f"boards/{contract}", params=params)
        rows = tuple(_pick(BoardRow, row) for row in answer.get("rows", ()))
        unranked = tuple(_pick(Unranked, row) for row in answer.get("unranked", ()))
        return _pick(Board, {**answer, "rows": rows, "unranked": unranked})

    def verdict(self, run_id: str) -> str:
        """Return the verdict of a run, as JSON text of schema `dougong.verdict/1`."""
        answer = self._json("GET", f"runs/{run_id}")
        for found in (answer.get("payload"), answer.get("verdict"), answer):
            text = found if isinstance(found, str) else json.dumps(found)
            if '"dougong.verdict/' in text:
                return text
        raise HubError(f"the hub gave run {run_id} without its verdict")

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON at a path below `/api/v1/`, or at any where it begins with a slash."""
        address = f"{self.url}{path}" if path.startswith("/") else path
        return self._json("GET", address, params=params)

    def download(self, path: str, target: Path, *, largest_bytes: int) -> None:
        """Write the bytes at an absolute path of this hub, and of no other, to a file.

        Raises:
            HubError: more bytes came than were promised.
        """
        if not path.startswith("/") or path.startswith("//"):
            raise HubError(f"the hub sent {path!r}; files are taken from {self.url} only")
        size_bytes = 0
        try:
            with self._client.stream("GET", self.url + path) as answer, target.open("wb") as file:
                self._refuse(answer)
                for chunk in answer.iter_bytes():
                    size_bytes += file.write(chunk)
                    if size_bytes > largest_bytes:
                        raise HubError(f"{path} has more than the {largest_bytes} bytes promised")
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def artifact(self, sha256: str, folder: Path) -> Path:
        """Download a wheel into a folder, check its hash and name it as pip expects."""
        import hashlib

        if not _SHA256.fullmatch(sha256):
            raise HubError(f"a sha256 has 64 hexadecimal digits, got {sha256!r}")
        draft, digest, size = folder / f"{sha256}.part", hashlib.sha256(), 0
        try:
            with self._client.stream("GET", f"artifacts/{sha256}") as answer, draft.open("wb") as f:
                self._refuse(answer)
                for chunk in answer.iter_bytes():
                    digest.update(chunk)
                    size += f.write(chunk)
                    if size > LARGEST_WHEEL_BYTES:
                        raise HubError(f"artifact {sha256[:12]} is larger than 1 GiB")
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if digest.hexdigest() != sha256:
            raise HubError(
                f"artifact {sha256[:12]} came with sha256 {digest.hexdigest()[:12]}; not installed"
            )
        return draft.rename(folder / _wheel_name(draft))

    def _listed(self, kind: type[_T], path: str, query: Mapping[str, str]) -> Iterator[_T]:
        return (_pick(kind, row) for row in self._pages(path, query))

    def _pages(self, path: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of a list, following its links; the next page is asked for when due."""
        answer = self._json("GET", path, params={**_given(query), "limit": PAGE_ROWS})
        while True:
            yield from _rows(answer)
            link = answer.get("next")
            if not link:
                return
            if not link.startswith("/") or link.startswith("//"):
                raise HubError(f"the hub sent {link!r}; lists are read from {self.url} only")
            answer = self._json("GET", self.url + link)

    def _json(self, method: str, path: str, **request: Any) -> Any:
        try:
            answer = self._client.request(method, path, **request)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        self._refuse(answer)
        try:
            return answer.json()
        except ValueError:
            raise HubError(f"{answer.url} did not answer with JSON; is it a Dougong hub?") from None

    def _unreachable(self, error: httpx.HTTPError) -> HubError:
        reason = str(error) or type(error).__name__
        return HubError(f"hub {self.url} cannot be reached: {reason}")

    def _refuse(self, answer: httpx.Response) -> None:
        """Turn an RFC 9457 problem into an error."""
        if answer.is_success:
            return
        answer.read()
        try:
            problem = answer.json()
        except ValueError:
            problem = None
        if not isinstance(problem, dict):
            problem = {}
        plain = answer.text[:300] if "text/plain" in answer.headers.get("Content-Type", "") else ""
        text = problem.get("detail") or problem.get("title") or plain or answer.reason_phrase
        hint = "; give --token or set DOUGONG_TOKEN" if answer.status_code == 401 else ""
        raise HubError(f"hub {self.url} refused ({answer.status_code}): {text}{hint}")


def _local_hub() -> Mapping[str, Any]:
    try:
        data = json.loads((state_folder() / "hub.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _submission(answer: Any) -> Submission:
    operators = tuple(_pick(SubmittedOperator, row) for row in answer.get("operators") or ())
    return _pick(Submission, {**answer, "id": str(answer["id"]), "operators": operators})


def _given(query: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in query.items() if value}


def _rows(answer: Any) -> list[Any]:
    return list(answer["results"] if isinstance(answer, dict) else answer)


def _pick(kind: type[_T], data: Mapping[str, Any]) -> _T:
    """Build a record from the fields it knows, so that a newer hub may send more."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type] # only dataclasses are passed
    known = {field.name: data[field.name] for field in fields if data.get(field.name) is not None}
    try:
        return kind(**known)
    except TypeError as error:
        raise HubError(f"the hub's answer lacks a field: {error}") from error


def _wheel_name(path: Path) -> str:
    """Name a wheel by what is inside it, because the server's word is not needed for that."""
    try:
        with zipfile.ZipFile(path) as wheel:
            found = [name for name in wheel.namelist() if name.endswith(".dist-info/WHEEL")]
            text = wheel.read(found[0]).decode()
    except (zipfile.BadZipFile, IndexError, KeyError, UnicodeDecodeError) as error:
        raise HubError(f"the artifact is not a wheel: {error}") from error
    tags = re.findall(r"^Tag: (\S+)$", text, re.MULTILINE)
    stem = found[0].partition(".dist-info/")[0]
    name = f"{stem}-{tags[0] if tags else 'py3-none-any'}.whl"
    if not re.fullmatch(r"[A-Za-z0-9_.!+-]+", name):
        raise HubError(f"the artifact has a malformed name: {name!r}")
    return name
