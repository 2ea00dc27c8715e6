"""The laws of roles and levels, held against histories that nobody would think of."""

from __future__ import annotations

import dataclasses
import datetime as dt
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dougong_registry.contributions.policy import (
    MONTH,
    ChangeFacts,
    Event,
    decide,
    is_data_only,
    policy_in_force,
    suggest_level,
)
from dougong_registry.contributions.policy.loading import policy_of

ROOT = Path(__file__).resolve().parents[3]
POLICY = policy_in_force()
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
END = START + 60 * MONTH
OTHERS = ("ben", "cleo", "dan", "mia")
GRANTED = [role.name for role in POLICY.roles if role.granted]
STANDINGS = ("", "emeritus", "warned", "active")

moments = st.integers(0, 60 * 24).map(lambda step: START + step * MONTH / 24)
others = st.sampled_from(OTHERS)
levels = st.sampled_from([level.name for level in POLICY.levels])
ids = st.uuids().map(str)


def event(**fields):
    return st.builds(Event, at=moments, id=ids, person=st.just("ada"), **fields)


changes = event(kind=st.just("change"), level=levels, by=others | st.just(""))
reviews = event(kind=st.just("review"), about=others)
works = changes | reviews | event(kind=st.sampled_from(["triage", "report"]))
sponsorships = event(
    kind=st.just("sponsorship"),
    by=others,
    role=st.sampled_from(GRANTED),
    by_role=st.sampled_from(GRANTED),
    affiliation=st.sampled_from(["", "Acme", "Initech"]),
)
grants = event(kind=st.just("grant"), role=st.sampled_from(GRANTED), by=others)
restores = event(kind=st.just("restore"), by=others)
ends = event(kind=st.just("end"), by=others)
histories = st.lists(works | sponsorships | grants | restores | ends, max_size=40)
busy = st.lists(changes | reviews, min_size=20, max_size=40)
laws = settings(max_examples=100, deadline=None)


def rank(decision):
    """How far somebody is: a role that is active is more than one that rests or is to come."""
    return POLICY.role_rank(decision.role), STANDINGS.index(decision.standing)


def reachable(decision):
    return max(POLICY.role_rank(decision.role), POLICY.role_rank(decision.eligible_for))


@laws
@given(histories, works | sponsorships | restores, moments)
def test_more_evidence_never_lowers_anything(history, more, now):
    before, after = decide(POLICY, history, now), decide(POLICY, [*history, more], now)
    assert rank(after) >= rank(before)
    assert reachable(after) >= reachable(before)
    assert after.points >= before.points


@laws
@given(busy, st.lists(sponsorships, max_size=8), st.data())
def test_nor_does_it_for_busy_people(work, vouched, data):
    history = [*work, *vouched]
    more = data.draw(works | sponsorships)
    before, after = decide(POLICY, history, END), decide(POLICY, [*history, more], END)
    assert reachable(after) >= reachable(before)
    assert after.points >= before.points


@laws
@given(histories, changes | reviews | sponsorships | grants, moments)
def test_nothing_counts_that_one_says_of_oneself(history, more, now):
    own = dataclasses.replace(more, **{"about" if more.kind == "review" else "by": "ada"})
    assert decide(POLICY, [*history, own], now) == decide(POLICY, history, now)


@laws
@given(st.lists(works, max_size=30), st.integers(0, 50), moments)
def test_reviews_are_at_most_half(work, count, now):
    others_only = [each for each in work if each.kind != "review"]
    reviewed = [
        Event(at=START, id=f"r{number}", kind="review", person="ada", about="ben")
        for number in range(count)
    ]
    without = decide(POLICY, others_only, now).points
    assert decide(POLICY, [*others_only, *reviewed], now).points <= 2 * without


@laws
@given(histories, st.data())
def test_what_is_taken_back_counts_as_if_it_had_never_been(history, data):
    work = [each for each in history if each.kind in ("change", "review", "triage", "report")]
    assume(work)
    gone = data.draw(st.sampled_from(work))
    void = Event(at=gone.at, id="void", kind="void", person="ada", by="ben", voids=gone.id)
    rest = [each for each in history if each is not gone]
    after = decide(POLICY, [*history, void], END)
    assert after == decide(POLICY, rest, END)
    assert after.points <= decide(POLICY, history, END).points


@laws
@given(histories, moments, st.randoms(use_true_random=False))
def test_order_and_repetition_are_of_no_matter(history, now, draw):
    shuffled = [*history, *history]
    draw.shuffle(shuffled)
    assert decide(POLICY, shuffled, now) == decide(POLICY, history, now)


@laws
@given(histories, moments)
def test_what_is_to_come_does_not_count(history, now):
    past = [each for each in history if each.at <= now]
    assert decide(POLICY, history, now) == decide(POLICY, past, now)


@laws
@given(busy, st.lists(sponsorships, max_size=8), moments)
def test_no_count_gives_a_role_and_every_grant_is_by_somebody(work, vouched, now):
    decision = decide(POLICY, [*work, *vouched], now)
    assert decision.role in ("", "contributor")
    assert decision.standing == ""


@laws
@given(histories, changes, moments)
def test_policy_files_grant_nothing(history, more, now):
    own = dataclasses.replace(more, data_only=True)
    assert decide(POLICY, [*history, own], now) == decide(POLICY, history, now)


@laws
@given(st.sampled_from(GRANTED), st.floats(0, 48))
def test_roles_rest_after_a_year_and_come_back_by_a_decision_only(role, months):
    grant = Event(at=START, id="g", kind="grant", person="ada", by="mia", role=role)
    now = START + months * MONTH
    decision = decide(POLICY, [grant], now)
    if now > START + (12 + 24) * MONTH:
        assert (decision.role, decision.standing) == ("", "")
        return
    past_warning, past_year = now >= START + 9 * MONTH, now >= START + 12 * MONTH
    expected = "emeritus" if past_year else "warned" if past_warning else "active"
    assert (decision.role, decision.standing) == (role, expected)
    assert decision.rights_role == ("" if expected == "emeritus" else role)
    work = Event(at=now, id="w", kind="triage", person="ada")
    back = Event(at=now, id="r", kind="restore", person="ada", by="mia")
    assert decide(POLICY, [grant, work], now).standing == (
        "emeritus" if expected == "emeritus" else "active"
    )
    assert decide(POLICY, [grant, back], now).standing == "active"


def test_a_lower_grant_takes_nothing_from_a_role_that_is_active():
    acts = [
        Event(at=START + n * MONTH, id=role, kind="grant", person="ada", by="mia", role=role)
        for n, role in enumerate(("maintainer", "member"))
    ]
    assert decide(POLICY, acts, START + 2 * MONTH).role == "maintainer"


facts = st.builds(
    ChangeFacts,
    touches=st.frozensets(st.sampled_from(["operator", "contract", "family", "hook", "docs"])),
    holds=st.frozensets(st.sampled_from(sorted({c for lv in POLICY.levels for c in lv.must}))),
    measured=st.dictionaries(
        st.sampled_from(["speedup_ci_low", "peak_memory_ci_high", "error_ci_high"]),
        st.floats(0.1, 3),
    ),
)


@laws
@given(facts, st.data())
def test_a_level_is_suggested_by_proof_and_more_proof_never_lowers_it(known, data):
    suggestion = suggest_level(POLICY, known)
    level = POLICY.level(suggestion.level)
    if level is not POLICY.levels[0]:
        assert set(level.must) <= known.holds
        assert known.touches & set(level.touches) or known.measured
    assert suggestion.reasons[0].startswith(suggestion.level)
    more = dataclasses.replace(known, holds=known.holds | data.draw(facts).holds)
    after = suggest_level(POLICY, more)
    assert POLICY.level_rank(after.level) >= POLICY.level_rank(suggestion.level)


@pytest.mark.parametrize(
    ("known", "level", "why"),
    [
        (ChangeFacts(), "L1", "nothing in it is new"),
        (ChangeFacts(touches=frozenset({"operator"})), "L1", "no checks, verdict"),
        (
            ChangeFacts(touches=frozenset({"operator"}), holds=frozenset({"checks", "verdict"})),
            "L2",
            "a new operator",
        ),
        (
            ChangeFacts(measured={"speedup_ci_low": 1.03}, holds=frozenset({"checks", "verdict"})),
            "L2",
            "1.03 >= 1.03",
        ),
        (
            ChangeFacts(measured={"speedup_ci_low": 1.02}, holds=frozenset({"checks", "verdict"})),
            "L1",
            "nothing",
        ),
        (
            ChangeFacts(
                measured={"peak_memory_ci_high": 0.91}, holds=frozenset({"checks", "verdict"})
            ),
            "L1",
            "nothing",
        ),
        (
            ChangeFacts(
                touches=frozenset({"contract", "operator"}),
                holds=frozenset({"checks", "verdict", "design_record"}),
            ),
            "L2",
            "not L3, though it brings a new contract: no convergence, ablation",
        ),
        (
            ChangeFacts(touches=frozenset({"contract"}), holds=frozenset(POLICY.levels[-1].must)),
            "L3",
            "a new contract",
        ),
    ],
)
def test_levels_by_example(known, level, why):
    suggestion = suggest_level(POLICY, known)
    assert suggestion.level == level
    assert why in " / ".join(suggestion.reasons)


def test_policy_files_are_told_from_others():
    assert is_data_only(POLICY, ["governance/roles-2026.1.toml", "CODEOWNERS"])
    assert not is_data_only(POLICY, ["governance/roles-2026.1.toml", "core/dougong/cli.py"])
    assert not is_data_only(POLICY, [])


def test_a_policy_that_contradicts_itself_is_refused():
    levels = (ROOT / "governance" / "levels-2026.1.toml").read_bytes()
    roles = (ROOT / "governance" / "roles-2026.1.toml").read_bytes()
    assert policy_of(levels, roles) == POLICY
    for old, new, said in (
        (b'version = "2026.1"', b'version = "2026.2"', "roles of 2026.2"),
        (b"L2 = 3", b"L4 = 3", "names L4"),
        (b'granted_by = "maintainer"', b'granted_by = "king"', "names king"),
        (b"review_share = 0.5", b"review_share = 1.0", "review_share"),
    ):
        assert old in roles
        with pytest.raises(ValueError, match=said):
            policy_of(levels, roles.replace(old, new))


def test_a_wheel_holds_every_policy(tmp_path):
    said = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packed = said["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    files = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("governance/[lr]*-*.toml"))
    assert sorted(name for name in packed if name.endswith(".toml")) == files
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(
            tmp_path / "installed", [n for n in archive.namelist() if "registry/contrib" in n]
        )
    installed = tmp_path / "installed" / "dougong_registry" / "contributions" / "policy" / "files"
    assert {path.name: path.read_bytes() for path in installed.iterdir()} == {
        Path(name).name: (ROOT / name).read_bytes() for name in files
    }


def test_the_rules_load_neither_django_nor_a_database():
    code = (
        "import sys, dougong_registry.contributions.policy as p; p.policy_in_force(); "
        "sys.exit(str({'django', 'rest_framework', 'celery'} & set(sys.modules)) "
        "if {'django', 'celery'} & set(sys.modules) else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
