"""Large pages: the values stay, and what cannot be had is said."""

from __future__ import annotations

from pathlib import Path

import torch

from dougong_kernels.memory import use_large_pages


def test_values_stay_and_the_answer_is_what_the_system_shows():
    data = torch.arange(4 << 20, dtype=torch.float32)
    before = large_kib()
    moved = use_large_pages(data)
    assert torch.equal(data, torch.arange(4 << 20, dtype=torch.float32))
    assert not moved or large_kib() >= before + 8 * 1024


def test_what_is_smaller_than_a_page_or_elsewhere_is_not_moved():
    assert not use_large_pages(torch.zeros(3))
    assert not use_large_pages(torch.zeros(1 << 20, device="meta"))


def large_kib() -> int:
    lines = Path("/proc/self/smaps").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("AnonHugePages"))
