"""The decision itself: rows in, one release and the reasons out."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from dougong_registry.resolution.decision import Candidate, Measured, Wish, decide

NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
HOUR_S = 3600

PASSED = Measured(
    operator="acme/rms",
    device="cpu",
    hardware_class="cpu-test",
    outcome="passed",
    code="ACCEPTED",
    run_id="r1",
    finished_at=NOW,
    held_reason="",
    dtypes=("float32",),
    speeds=(),
)
OLD = Candidate(
    distribution="acme-rms",
    version="1.0",
    filename="acme_rms-1.0-py3-none-any.whl",
    sha256="0" * 64,
    size_bytes=1,
    requires_python="",
    requires_torch="",
    publisher="local:1",
    publisher_login="ada",
    published_at=NOW - dt.timedelta(days=30),
    yanked_reason="",
    revoked_reason="",
    quarantined_reason="",
    devices=("cpu", "cuda"),
    dtypes=("float32", "bfloat16"),
    measured=(PASSED,),
)
YOUNG = dataclasses.replace(OLD, version="1.10", published_at=NOW - dt.timedelta(hours=5))
WISH = Wish(now=NOW, device="cpu", dtype="float32", min_age_s=72 * HOUR_S)


def newer(**changed) -> Candidate:
    return dataclasses.replace(OLD, version="1.1", **changed)


def test_the_newest_by_version_not_by_text():
    chosen = decide([dataclasses.replace(OLD, version="1.9"), YOUNG, OLD], Wish(now=NOW)).chosen
    assert chosen is YOUNG


@pytest.mark.parametrize(
    ("against", "code", "words"),
    [
        ({"yanked_reason": "wrong"}, "yanked", "yanked: wrong"),
        ({"revoked_reason": "steals"}, "revoked", "steals"),
        ({"quarantined_reason": "looked at"}, "quarantined", "quarantined: looked at"),
        ({"published_at": NOW - dt.timedelta(hours=5)}, "too_young", "5.0 h ago, asked for 72.0 h"),
        ({"requires_python": ">=3.13"}, "requires_python", "asks for Python >=3.13, here is 3.11"),
        ({"requires_torch": ">=3"}, "requires_torch", "asks for torch >=3, here is 2.6.0"),
        ({"measured": ()}, "unmeasured", "never passed there"),
        ({"devices": ("cuda",), "measured": ()}, "undeclared_device", "made for cuda, not cpu"),
        (
            {"measured": (dataclasses.replace(PASSED, outcome="failed", code="REJECTED"),)},
            "failed",
            "failed on cpu in float32: REJECTED",
        ),
        (
            {"measured": (dataclasses.replace(PASSED, dtypes=("bfloat16",)),)},
            "unmeasured",
            "on cpu in float32",
        ),
        (
            {"measured": (dataclasses.replace(PASSED, held_reason="too fast"),)},
            "unmeasured",
            "never passed",
        ),
    ],
)
def test_a_newer_release_is_passed_over_with_the_reason(against, code, words):
    wish = dataclasses.replace(WISH, python="3.11", torch="2.6.0")
    found = decide([OLD, newer(**against)], wish)
    assert found.chosen is OLD
    (over,) = found.passed_over
    assert (over.version, over.code) == ("1.1", code)
    assert words in over.reason


@pytest.mark.parametrize(
    ("against", "taken"),
    [
        ({"yanked_reason": "wrong"}, True),
        ({"published_at": NOW}, True),
        ({"revoked_reason": "steals"}, False),
        ({"quarantined_reason": "looked at"}, False),
        ({"requires_python": ">=3.13"}, False),
        ({"measured": ()}, False),
    ],
)
def test_what_a_pin_overrides(against, taken):
    wish = dataclasses.replace(WISH, version="1.1", python="3.11")
    found = decide([OLD, newer(**against)], wish)
    assert (found.chosen is not None) is taken


def test_declared_only_is_said_and_taken_when_asked():
    wish = dataclasses.replace(WISH, dtype="bfloat16")
    assert decide([OLD], wish).chosen is None
    found = decide([OLD], dataclasses.replace(wish, allow_unmeasured=True))
    assert found.chosen is OLD
    assert found.evidence == ()
    assert "never passed there" in found.warnings[0]


def test_a_failure_is_not_taken_even_when_unmeasured_is():
    failed = dataclasses.replace(PASSED, outcome="failed", code="REJECTED")
    wish = dataclasses.replace(WISH, allow_unmeasured=True)
    assert decide([newer(measured=(failed,))], wish).chosen is None


def test_a_pre_release_is_taken_only_where_there_is_nothing_else():
    rc = dataclasses.replace(OLD, version="2.0rc1")
    assert decide([OLD, rc], WISH).chosen is OLD
    assert decide([rc], WISH).chosen is rc
