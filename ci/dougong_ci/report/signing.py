"""Ed25519 signatures: a runner signs its verdicts and its requests, the hub checks them.

Private keys travel as PKCS#8 PEM text, public keys as base64 of their 32 raw bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TypedDict

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from dougong_ci.report.verdict import Verdict


class Envelope(TypedDict):
    """A verdict with its signature; the signature covers the bytes of `payload` as they stand."""

    payload: str
    key_id: str
    signature: str


def generate() -> tuple[str, str]:
    """Make a new key pair: private PEM text, public raw base64."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    return pem, public_of(pem)


def public_of(private: str) -> str:
    """Return the public key (raw base64) of a private key (PEM).

    Raises:
        ValueError: the text is not an Ed25519 private key.
    """
    raw = _load(private).public_key().public_bytes_raw()
    return base64.b64encode(raw).decode()


def key_id(public: str) -> str:
    """Name a public key: the first 16 hex digits of the sha256 of its raw bytes."""
    return hashlib.sha256(base64.b64decode(public, validate=True)).hexdigest()[:16]


def sign(data: bytes, private: str) -> str:
    """Return the base64 signature of `data`."""
    return base64.b64encode(_load(private).sign(data)).decode()


def verify(data: bytes, signature: str, public: str) -> bool:
    """Say whether `signature` is of `data` by the owner of `public`; malformed input is False."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True))
        key.verify(base64.b64decode(signature, validate=True), data)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def seal(verdict: Verdict, private: str) -> Envelope:
    """Sign the canonical JSON of a verdict."""
    payload = verdict.to_json()
    return Envelope(
        payload=payload,
        key_id=key_id(public_of(private)),
        signature=sign(payload.encode(), private),
    )


def request_message(method: str, path: str, timestamp: int | str, body: bytes) -> bytes:
    """Return the bytes a runner signs for one HTTP request.

    `path` is the path of the URL without scheme, host and query, beginning with a slash.
    """
    digest = hashlib.sha256(body).hexdigest()
    return f"{method.upper()}\n{path}\n{timestamp}\n{digest}".encode()


def request_headers(
    method: str, path: str, timestamp: int, body: bytes, private: str
) -> dict[str, str]:
    """Return the three headers that authenticate a runner's request."""
    return {
        "X-Dougong-Key": key_id(public_of(private)),
        "X-Dougong-Timestamp": str(timestamp),
        "X-Dougong-Signature": sign(request_message(method, path, timestamp, body), private),
    }


def _load(private: str) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(private.encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"private key must be Ed25519, got {type(key).__name__}")
    return key
