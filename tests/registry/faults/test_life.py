"""A hub that is killed at any moment of a submission's life: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os

import pytest


def check(output, *, at_least):
    report = json.loads(output.splitlines()[-1])
    problems = [line for each in report.values() for line in each["problems"]]
    assert problems == []
    killed = sum(each["killed"] for each in report.values())
    assert killed >= at_least
    print({name: each["moments"] for name, each in report.items()}, killed)


@pytest.mark.timeout(420)
def test_a_hub_killed_at_a_sample_of_moments(program):
    check(program("life.py", "11", timeout_s=400.0), at_least=30)


@pytest.mark.timeout(420)
def test_a_hub_killed_at_a_sample_of_moments_of_a_pull_request(program):
    check(program("forge_life.py", "12", "1", timeout_s=400.0), at_least=20)


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("DOUGONG_FAULTS") != "whole",
    reason="every moment takes minutes: DOUGONG_FAULTS=whole",
)
@pytest.mark.timeout(1800)
def test_a_hub_killed_at_every_moment_of_a_pull_request(program):
    check(program("forge_life.py", "6", "6", timeout_s=1780.0), at_least=200)


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("DOUGONG_FAULTS") != "whole",
    reason="every moment takes minutes: DOUGONG_FAULTS=whole",
)
@pytest.mark.timeout(1800)
def test_a_hub_killed_at_every_moment(program):
    check(program("life.py", "1", timeout_s=1780.0), at_least=200)
