"""What a hub says must not be installed or loaded any more: a signed feed, kept on this machine.

Each line is signed by the hub and holds the hash of the line before, so that one taken out or
changed shows. The hub's key is remembered when it is first seen; another one later is refused.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime as dt
import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from dougong.errors import HubError
from dougong.home import state_folder

if TYPE_CHECKING:
    from dougong.hub import Hub

FIRST = "0" * 64


@dataclasses.dataclass(frozen=True, slots=True)
class Revocation:
    """One line of the feed."""

    seq: int
    previous: str
    action: str
    """`revoked` or `restored`."""
    advisory: str
    distribution: str
    version: str
    sha256: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Feed:
    """What is kept of one hub."""

    url: str
    fetched_at: dt.datetime
    key: str
    """Its public key, raw base64; empty as long as it has signed nothing."""
    payloads: tuple[str, ...]
    advisories: tuple[Mapping[str, Any], ...]
    """OSV records."""

    @property
    def lines(self) -> tuple[Revocation, ...]:
        """The feed, oldest line first."""
        return tuple(map(_line, self.payloads))


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """What is revoked now, by bytes and by name."""

    by_sha256: Mapping[str, str]
    by_release: Mapping[tuple[str, str], str]

    def reason(self, distribution: str, version: str, sha256: str = "") -> str:
        """Say why a release is refused; empty where it is not."""
        key = (canonicalize_name(distribution), version)
        return self.by_sha256.get(sha256, "") or self.by_release.get(key, "")

    def __bool__(self) -> bool:
        return bool(self.by_sha256)


def standing() -> Standing:
    """Return what the kept feeds revoke; nothing is asked of any network."""
    return _standing(line for feed in kept() for line in feed.lines)


def _standing(lines: Any) -> Standing:
    last = {(line.sha256, line.advisory): line for line in lines}
    revoked = [line for line in last.values() if line.action == "revoked"]
    texts = {line: f"revoked by {line.advisory}: {line.reason}" for line in revoked}
    return Standing(
        {line.sha256: texts[line] for line in revoked},
        {(line.distribution, line.version): texts[line] for line in revoked},
    )


def kept() -> tuple[Feed, ...]:
    """Return the feeds on this machine; one that cannot be read is passed over."""
    feeds = []
    for path in sorted(_folder().glob("*.json")):
        try:
            feeds.append(_read(path))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return tuple(feeds)


def refresh(hub: Hub) -> Feed:
    """Fetch what is new of a hub's feed and its advisories, check them, and keep them.

    Raises:
        HubError: the hub's key is another than before, or the feed is not what it signed.
    """
    path = _folder() / f"{re.sub(r'[^a-z0-9.]+', '-', hub.url.lower())}.json"
    before = _before(path, hub.url)
    keys = {
        str(each["key_id"]): str(each["public_key"])
        for each in hub.get("/.well-known/dougong-hub.json")["keys"]
    }
    key = before.key or next(reversed(keys.values()), "")
    if key and key not in keys.values():
        raise HubError(
            f"hub {hub.url} signs with another key than before; if its operator says so, "
            f"remove {path} and try again"
        )
    feed = Feed(
        hub.url,
        dt.datetime.now(dt.UTC),
        key,
        (*before.payloads, *_news(hub, before, key)),
        tuple(hub.advisories()),
    )
    _write(path, feed)
    return feed


def _before(path: Path, url: str) -> Feed:
    try:
        return _read(path)
    except FileNotFoundError:
        return Feed(url, dt.datetime.now(dt.UTC), "", (), ())
    except (ValueError, KeyError, TypeError) as error:
        raise HubError(f"{path} cannot be read ({error}); remove it and try again") from error


def _news(hub: Hub, before: Feed, key: str) -> list[str]:
    seq = len(before.payloads)
    previous = _hash(before.payloads[-1]) if before.payloads else FIRST
    payloads: list[str] = []
    while True:
        answer = hub.get("revocations", since=seq)
        for entry in answer["entries"]:
            payload = str(entry["payload"])
            line = _line(payload)
            if not _signed(payload, str(entry["signature"]), key):
                raise HubError(f"line {line.seq} of the revocations of {hub.url} is not signed")
            if (line.seq, line.previous) != (seq + 1, previous):
                raise HubError(f"the revocations of {hub.url} lack a line after {seq}")
            seq, previous = line.seq, _hash(payload)
            payloads.append(payload)
        if not answer["entries"] or seq >= answer["head"]:
            break
    if answer["head"] < seq:
        raise HubError(
            f"hub {hub.url} had {seq} revocations and now has {answer['head']}: lines are gone"
        )
    return payloads


def _signed(payload: str, signature: str, key: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True))
        public.verify(base64.b64decode(signature, validate=True), payload.encode())
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def _line(payload: str) -> Revocation:
    data = json.loads(payload)
    return Revocation(**{field.name: data[field.name] for field in dataclasses.fields(Revocation)})


def _hash(payload: str) -> str:
    return hashlib.sha256(payload.encode()).hexdigest()


def _read(path: Path) -> Feed:
    data = json.loads(path.read_text(encoding="utf-8"))
    return Feed(
        url=data["url"],
        fetched_at=dt.datetime.fromisoformat(data["fetched_at"]),
        key=data["key"],
        payloads=tuple(data["payloads"]),
        advisories=tuple(data["advisories"]),
    )


def _write(path: Path, feed: Feed) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**dataclasses.asdict(feed), "fetched_at": feed.fetched_at.isoformat()})
    # Written beside and moved, so that a reader never meets half a feed.
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).replace(path)


def _folder() -> Path:
    return state_folder() / "feeds"
