"""What is read of an ID token."""

from __future__ import annotations

import dataclasses
import datetime as dt

MAX_CHARACTERS = 16_384
"""Of a token; GitHub's have about 1,500."""
MAX_JTI = 255


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What the issuer says of the job that asks."""

    jti: str
    expires_at: dt.datetime
    repository: str
    """Names are shown and never decide."""
    repository_id: int
    repository_owner_id: int
    workflow: str
    """Name of the file, as `release.yml`."""
    environment: str
    """In lower case; empty where the job has none."""
    event: str
    ref: str
    commit: str
