"""Locks, full disks, cut connections, dead brokers, late and doubled messages, wrong clocks."""

from __future__ import annotations

import json
import os
import threading

import pytest


@pytest.fixture
def restarted(broker, monkeypatch):
    """Tend the broker: whoever kills it finds it back."""
    child, _, supervisor = broker
    monkeypatch.setenv("FAULTS_BROKER_PID", str(child.pid))
    stop = threading.Event()

    def tend():
        while not stop.is_set():
            supervisor.wait(0.05)

    tending = threading.Thread(target=tend)
    tending.start()
    yield child
    stop.set()
    tending.join()


def check(output, *, at_least):
    report = json.loads(output.splitlines()[-1])
    assert {name: found for name, found in report.items() if found} == {}
    assert len(report) >= at_least


def test_a_sample_of_troubles_passes(program, restarted):
    check(program("trouble.py", "4"), at_least=9)


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("DOUGONG_FAULTS") != "whole",
    reason="every moment takes minutes: DOUGONG_FAULTS=whole",
)
@pytest.mark.timeout(400)
def test_every_trouble_passes_and_leaves_nothing_untrue(program, restarted):
    check(program("trouble.py", "1", timeout_s=390.0), at_least=35)
    assert restarted.restarts == 1
