"""What the hub reads from the environment; docs/settings.md lists every name.

Reading has no side effects: folders and the secret key are made when first needed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import platformdirs

# Without recursive triggers, INSERT OR REPLACE takes a guarded row away and asks no guard.
SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; "
    "PRAGMA recursive_triggers=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-20000; "
    "PRAGMA mmap_size=134217728"
)
BUSY_TIMEOUT_S = 10


NO_RATE = (0.0, 1)


def rates(
    environ: Mapping[str, str], **defaults: tuple[float, int]
) -> dict[str, tuple[float, int]]:
    """Return the rates of `DOUGONG_RATES` over the defaults: `release=60/30 yank=60/100`, or `off`.

    Raises:
        ValueError: a rate is not known, or not seconds/burst.
    """
    given = environ.get("DOUGONG_RATES", "").strip()
    if given == "off":
        return dict.fromkeys(defaults, NO_RATE)
    found = dict(defaults)
    for word in given.split():
        name, _, rate = word.partition("=")
        every_s, _, burst = rate.partition("/")
        if name not in defaults or not burst.isdecimal() or not every_s.isdecimal():
            known = ", ".join(defaults)
            raise ValueError(
                f"DOUGONG_RATES holds {word!r}; write name=seconds/burst with a name of {known}, "
                "or `off`"
            )
        found[name] = float(every_s), int(burst)
    return found


def home(environ: Mapping[str, str]) -> Path:
    """Return the state folder: `DOUGONG_HOME`, else the platform's place for user data."""
    named = environ.get("DOUGONG_HOME") or platformdirs.user_data_path("dougong")
    return Path(named).expanduser().resolve()


def flag(environ: Mapping[str, str], name: str) -> bool:
    """Return whether a switch is on: `1`, `true`, `yes` or `on`."""
    return environ.get(name, "").strip().lower() in {"1", "true", "yes", "on"}


def count(environ: Mapping[str, str], name: str, default: int) -> int:
    """Return a number of things, at least one.

    Raises:
        ValueError: it is not such a number.
    """
    text = environ.get(name, "").strip() or str(default)
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {text!r}")
    return int(text)


def share(environ: Mapping[str, str], name: str, default: float) -> float:
    """Return a share, from 0 for nothing to 1 for all.

    Raises:
        ValueError: it is not such a number.
    """
    text = environ.get(name, "").strip() or str(default)
    with contextlib.suppress(ValueError):
        if 0 <= float(text) <= 1:
            return float(text)
    raise ValueError(f"{name} must be a share from 0 to 1, got {text!r}")


FORGE = (
    "DOUGONG_FORGE_REPOSITORY",
    "DOUGONG_FORGE_REPOSITORY_ID",
    "DOUGONG_FORGE_APP_ID",
    "DOUGONG_FORGE_INSTALLATION_ID",
    "DOUGONG_FORGE_PRIVATE_KEY",
    "DOUGONG_FORGE_WEBHOOK_SECRET",
    "DOUGONG_FORGE_PEOPLE",
    "DOUGONG_FORGE_API_URL",
    "DOUGONG_FORGE_GIT_URL",
)
_FORGE_NEEDED, _FORGE_NUMBERS = FORGE[:5], FORGE[1:4]


def forge(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what is set of the forge, by the last part of its name; nothing where none is served.

    Raises:
        ValueError: a part is missing, or is no number.
    """
    given = {name: environ[name].strip() for name in FORGE if environ.get(name, "").strip()}
    if not given:
        return {}
    if missing := [name for name in _FORGE_NEEDED if name not in given]:
        raise ValueError(f"{next(iter(given))} is set, so {', '.join(missing)} must be set too")
    for name in _FORGE_NUMBERS:
        if not given[name].isdecimal():
            raise ValueError(f"{name} must be the forge's numeric id, got {given[name]!r}")
    if given[FORGE[0]].count("/") != 1:
        raise ValueError(f"{FORGE[0]} must be owner/name, got {given[FORGE[0]]!r}")
    return {name.removeprefix("DOUGONG_FORGE_"): value for name, value in given.items()}


ISSUER = "https://token.actions.githubusercontent.com"


def issuer(environ: Mapping[str, str]) -> str:
    """Return who signs the ID tokens of CI jobs.

    Raises:
        ValueError: it is no address of https; plain http is for this machine only.
    """
    url = environ.get("DOUGONG_OIDC_ISSUER", "").strip().rstrip("/") or ISSUER
    return _address("DOUGONG_OIDC_ISSUER", url)


GITHUB_ID, GITHUB_SECRET = "DOUGONG_GITHUB_CLIENT_ID", "DOUGONG_GITHUB_CLIENT_SECRET"
GITHUB_SECRET_FILE, GITHUB_URL = "DOUGONG_GITHUB_CLIENT_SECRET_FILE", "DOUGONG_GITHUB_URL"


def github(environ: Mapping[str, str]) -> dict[str, str]:
    """Return how people sign in with GitHub: `client_id`, `secret`, `url`; nothing if unset.

    Raises:
        ValueError: a part is missing, or the file of the secret cannot be read.
    """
    client_id = environ.get(GITHUB_ID, "").strip()
    secret = environ.get(GITHUB_SECRET, "").strip()
    file = environ.get(GITHUB_SECRET_FILE, "").strip()
    if not (client_id or secret or file):
        return {}
    if file and not secret:
        try:
            secret = Path(file).read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            raise ValueError(f"{GITHUB_SECRET_FILE} cannot be read: {error}") from error
    if not (client_id and secret):
        missing = f"{GITHUB_SECRET} or {GITHUB_SECRET_FILE}" if client_id else GITHUB_ID
        raise ValueError(f"sign-in with GitHub needs {missing} too, which is not set")
    url = environ.get(GITHUB_URL, "").strip().rstrip("/")
    return {
        "client_id": client_id,
        "secret": secret,
        "url": _address(GITHUB_URL, url) if url else "",
    }


def _address(name: str, url: str) -> str:
    parts = urlsplit(url)
    here = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    if parts.scheme == "https" or (parts.scheme == "http" and here):
        return url
    raise ValueError(f"{name} must begin with https://, got {url!r}")


def words(environ: Mapping[str, str], name: str, default: str) -> list[str]:
    """Return a comma-separated setting as a list."""
    return [word.strip() for word in environ.get(name, default).split(",") if word.strip()]


def database(environ: Mapping[str, str], home: Path) -> dict[str, Any]:
    """Return Django's database settings for `DOUGONG_DATABASE_URL`.

    Raises:
        ValueError: the scheme is neither `sqlite` nor `postgresql`.
    """
    url = environ.get("DOUGONG_DATABASE_URL") or f"sqlite:///{home / 'hub.sqlite3'}"
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return _sqlite(unquote(parts.path.removeprefix("/")))
    if parts.scheme in {"postgres", "postgresql"}:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.removeprefix("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": dict(parse_qsl(parts.query)),
        }
    raise ValueError(
        "DOUGONG_DATABASE_URL must begin with sqlite:/// or postgresql://, "
        f"got the scheme {parts.scheme!r}"
    )


def _sqlite(path: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        # A new connection reads the whole schema before its first answer: milliseconds each time.
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            # IMMEDIATE: two writers wait for each other instead of failing half way.
            "transaction_mode": "IMMEDIATE",
            "timeout": BUSY_TIMEOUT_S,
            "init_command": SQLITE_PRAGMAS,
        },
    }


def secret_key(home: Path) -> str:
    """Return `DOUGONG_SECRET_KEY`, else the key kept in the state folder, made on first use."""
    if named := os.environ.get("DOUGONG_SECRET_KEY"):
        return named
    path = home / "secret_key"
    with contextlib.suppress(FileNotFoundError):
        return path.read_text().strip()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = home / f".secret_key.{secrets.token_hex(8)}"
    fresh.touch(mode=0o600)
    fresh.write_text(secrets.token_urlsafe(48))
    # A link fails where a sibling process was faster; then its key is the key.
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(fresh)
    fresh.unlink()
    return path.read_text().strip()
