"""Which judge this is: what verdicts are made by, and what a runner says that it has.

Standard library only, so that a heartbeat needs no torch and the hub can read it.
"""

from __future__ import annotations

JUDGE = "2"
"""Version of the judge's rules; verdicts of different versions are not compared."""
SUITE = "2026.1"
"""Version of the suites that it times and checks by; a verdict's suite is `<contract>/<this>`."""
