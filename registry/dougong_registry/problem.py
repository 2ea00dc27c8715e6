"""Refusals that services raise; the API turns them into RFC 9457 problems.

Each says what the rule is, what was found, and the way out.
"""

from __future__ import annotations

from typing import ClassVar


class Problem(Exception):  # noqa: N818 - a refusal, not always an error of ours
    """Base of all refusals."""

    status: ClassVar[int] = 400
    title: ClassVar[str] = "Bad request"
    slug: ClassVar[str] = "bad-request"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Unauthorized(Problem):
    status = 401
    title = "Not signed in"
    slug = "unauthorized"


class Forbidden(Problem):
    status = 403
    title = "Not allowed"
    slug = "forbidden"


class Missing(Problem):
    status = 404
    title = "Not found"
    slug = "not-found"


class Conflict(Problem):
    status = 409
    title = "Conflict"
    slug = "conflict"


class TooLarge(Problem):
    status = 413
    title = "Too large"
    slug = "too-large"


class Refused(Problem):
    """The request was understood and does not hold up: a bad wheel, a verdict that is off."""

    status = 422
    title = "Does not hold up"
    slug = "refused"


class Unavailable(Problem):
    """Something behind the hub did not do its part: another store, another machine."""

    status = 503
    title = "Not available now"
    slug = "unavailable"


class Full(Problem):
    """There is no room left for what was sent."""

    status = 507
    title = "No room left"
    slug = "full"
