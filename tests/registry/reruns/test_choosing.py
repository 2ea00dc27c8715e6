"""The sample of a week, as anybody can draw it."""

from __future__ import annotations

import hashlib
import random

from dougong_registry.reruns.choosing import choose, digest

IDS = [f"run-{number:04}" for number in range(1000)]


def test_two_in_a_hundred_and_at_least_one():
    assert len(choose("seed", IDS, 0.02)) == 20
    assert len(choose("seed", IDS[:51], 0.02)) == 2
    assert len(choose("seed", IDS[:1], 0.02)) == 1
    assert choose("seed", [], 0.02) == []


def test_order_tells_nothing_and_the_seed_everything():
    shuffled = random.Random(3).sample(IDS, len(IDS))
    assert choose("seed", shuffled, 0.02) == choose("seed", IDS, 0.02)
    assert choose("another", IDS, 0.02) != choose("seed", IDS, 0.02)
    assert digest(shuffled) == digest(IDS) != digest(IDS[1:])


def test_it_is_what_the_docs_say_it_is():
    (lowest,) = choose("seed", IDS, 0.001)
    assert lowest == min(IDS, key=lambda each: hashlib.sha256(f"seed:{each}".encode()).hexdigest())


def test_every_run_is_as_likely_as_another():
    counts = dict.fromkeys(IDS[:50], 0)
    for seed in range(400):
        for each in choose(str(seed), IDS[:50], 0.1):
            counts[each] += 1
    # Of 400 draws with a chance of a tenth: five standard deviations of six around forty.
    assert all(10 < count < 70 for count in counts.values())
