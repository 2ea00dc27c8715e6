"""Community plugins as folders: what they must say of themselves, their locks and their verdicts.

Schema and commands are described in `docs/contrib.md`.
"""

from __future__ import annotations

from dougong_ci.contribution.reading import ContributionError, read
from dougong_ci.intake.folder import Contribution, Owner, Upstream

__all__ = ["Contribution", "ContributionError", "Owner", "Upstream", "read"]
