"""The key that the hub signs its feed with: made on first use, its private half in the home."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

from django.conf import settings

from dougong_ci.report import signing
from dougong_registry.advisories.models import SigningKey

NAME = "hub_signing_key.pem"


def private_key() -> str:
    """Return the private key (PEM), made and registered where there is none."""
    private = _kept(Path(settings.DOUGONG_HOME) / NAME)
    public = signing.public_of(private)
    SigningKey.objects.get_or_create(key_id=signing.key_id(public), defaults={"public_key": public})
    return private


def _kept(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return path.read_text()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    fresh.touch(mode=0o600)
    fresh.write_text(signing.generate()[0])
    # A link fails where a sibling process was faster; then its key is the key.
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(fresh)
    fresh.unlink()
    return path.read_text()
