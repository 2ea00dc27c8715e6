"""What can stop `dougong up`; each message says what is wrong and the way out."""

from __future__ import annotations


class UpError(Exception):
    """`dougong up` cannot start or go on; printed as one line, exit code 1."""


class UsageError(UpError):
    """An option has a value that cannot work; exit code 2."""


class StopRequested(Exception):  # noqa: N818 - a wish of the user, not an error
    """SIGINT, SIGTERM or SIGHUP arrived: stop everything and leave."""
