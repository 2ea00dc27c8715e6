"""What can go wrong before any untrusted code runs."""

from __future__ import annotations

from dougong.errors import DougongError


class SandboxError(DougongError):
    """No sandbox can be made on this machine, or one could not be started."""
