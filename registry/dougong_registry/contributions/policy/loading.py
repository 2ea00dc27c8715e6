"""Reading policies from `governance/*.toml`, which a wheel holds beside this module."""

from __future__ import annotations

import functools
import hashlib
import re
import tomllib
from pathlib import Path
from typing import Any

from dougong_registry.contributions.policy.rules import (
    Approvals,
    Claim,
    Level,
    Policy,
    Role,
    Sponsors,
)

_VERSION = re.compile(r"levels-(\d{4})\.(\d+)\.toml")


def policy_folder() -> Path:
    """Return where the files are: in the wheel beside this module, in a checkout at its root."""
    packed = Path(__file__).with_name("files")
    return packed if packed.is_dir() else Path(__file__).resolve().parents[4] / "governance"


def policy_versions() -> tuple[str, ...]:
    """Return every version there is, oldest first."""
    found = (_VERSION.fullmatch(path.name) for path in policy_folder().iterdir())
    pairs = sorted((int(match[1]), int(match[2])) for match in found if match)
    return tuple(f"{year}.{number}" for year, number in pairs)


def policy_in_force() -> Policy:
    """Return the newest policy."""
    return policy_load(policy_versions()[-1])


@functools.cache
def policy_load(version: str) -> Policy:
    """Return one version of the policy.

    Raises:
        ValueError: there is no such version, or its files contradict each other.
    """
    if version not in policy_versions():
        raise ValueError(f"no policy {version!r}; there are {', '.join(policy_versions())}")
    texts = [(policy_folder() / f"{kind}-{version}.toml").read_bytes() for kind in _KINDS]
    return policy_of(*texts)


_KINDS = ("levels", "roles")


def policy_of(levels_toml: bytes, roles_toml: bytes) -> Policy:
    """Return the policy that two files say.

    Raises:
        ValueError: they are of two versions, or name a level or role that they do not define.
    """
    levels, roles = (tomllib.loads(text.decode()) for text in (levels_toml, roles_toml))
    if levels["version"] != roles["version"]:
        raise ValueError(f"levels are of {levels['version']}, roles of {roles['version']}")
    policy = Policy(
        version=levels["version"],
        sha256=hashlib.sha256(levels_toml + roles_toml).hexdigest(),
        levels=tuple(map(_level, levels["level"])),
        roles=tuple(map(_role, roles["role"])),
        points={kind: float(roles["points"][kind]) for kind in ("review", "triage", "report")},
        review_share=float(roles["points"]["review_share"]),
        unconfirmed_as=levels["unconfirmed"]["as"],
        unconfirmed_most=int(levels["unconfirmed"]["most"]),
        data_only_paths=tuple(levels["data_only"]["paths"]),
        warn_months=float(roles["inactivity"]["warn_months"]),
        emeritus_months=float(roles["inactivity"]["emeritus_months"]),
        restore_months=float(roles["restoration"]["months"]),
        restored_by=roles["restoration"]["granted_by"],
    )
    _hold(policy)
    return policy


def _level(said: dict[str, Any]) -> Level:
    claims = tuple(Claim(**claim) for claim in said.pop("claims", ()))
    must, touches = tuple(said.pop("must")), tuple(said.pop("touches", ()))
    approvals = Approvals(**said.pop("approvals"))
    return Level(**said, must=must, touches=touches, claims=claims, approvals=approvals)


def _role(said: dict[str, Any]) -> Role:
    rights = tuple(said.pop("rights", ()))
    return Role(**said | {"rights": rights, "sponsors": Sponsors(**said.get("sponsors", {}))})


def _hold(policy: Policy) -> None:
    """Refuse names that lead nowhere and a share that could not be kept to."""
    levels = {level.name for level in policy.levels}
    roles = {role.name for role in policy.roles}
    asked = {name for role in policy.roles for name in role.evidence} - {
        "contributions",
        "points",
        "reviews",
    }
    named = {role.sponsors.min_role for role in policy.roles} | {policy.restored_by}
    named |= {role.granted_by for role in policy.roles}
    named |= {level.approvals.min_role for level in policy.levels}
    if unknown := sorted((asked | {policy.unconfirmed_as}) - levels) + sorted(named - roles - {""}):
        raise ValueError(f"policy {policy.version} names {', '.join(unknown)}, which it lacks")
    if not 0 <= policy.review_share < 1:
        raise ValueError(f"review_share must be from 0 to under 1, got {policy.review_share}")
