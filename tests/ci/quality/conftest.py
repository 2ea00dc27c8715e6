from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import random
from pathlib import Path

import pytest
from torch import get_num_threads, set_num_threads

from dougong import contracts
from dougong_ci.judge import PROFILES
from dougong_ci.judge.answers import Answers
from dougong_ci.judge.docket import Docket
from dougong_ci.judge.party import Party
from dougong_ci.quality.cost import Cost
from dougong_ci.quality.gate import Quality
from dougong_ci.sandbox import Mounts, probe

LIARS = Path(__file__).parent / "liars"


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    before = get_num_threads()
    set_num_threads(1)
    yield
    set_num_threads(before)


@pytest.fixture(scope="session")
def small_profile():
    return dataclasses.replace(PROFILES["quick"], call_s=10.0)


@pytest.fixture(scope="session")
def parties(small_profile):
    tier = probe()
    with contextlib.ExitStack() as stack:
        mounts = {"baseline": Mounts(), "candidate": Mounts(plugin=LIARS)}
        yield {
            name: stack.enter_context(Party(tier, mounted, small_profile, None))
            for name, mounted in mounts.items()
        }


@pytest.fixture(scope="session")
def examined(parties, small_profile):
    """Return a function that puts one liar through the gate, once a session."""
    spec = importlib.util.spec_from_file_location("liars_plugin", LIARS / "liars_plugin.py")
    assert spec is not None
    assert spec.loader is not None
    plugin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plugin)
    operators = {each.name.partition("/")[2]: each for each in plugin.OPERATORS}
    answers = Answers(contracts.contract("attention.approx@1"), seed=20260101)
    kept: dict[str, Docket] = {}

    def run(name: str) -> Docket:
        if name not in kept:
            # The gate reads nothing of the distribution, only of the operator.
            docket = Docket(operators[name], None, answers, lambda event: None)
            Quality(docket, parties["candidate"], small_profile).run()
            kept[name] = docket
        return kept[name]

    return run


@pytest.fixture
def timed(parties, small_profile):
    """Return a function that times the calls of a docket that went through the gate."""

    def run(docket: Docket) -> None:
        children = {name: party.spawn() for name, party in parties.items()}
        parties["candidate"].freeze()
        contract = docket.answers.contract
        cost = Cost(docket.operator, contract, parties, children, small_profile, random.Random(1))
        try:
            cost.run(docket.sent, docket.lengths)
        finally:
            for party in parties.values():
                party.drop()

    return run
