"""The task models need attention: what exact attention solves, nothing less does."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
import torch

import dougong_ci.quality
from dougong.contracts.attention.exact import attention_torch
from dougong_ci.quality.exam import Exam, exam, scores

pytestmark = pytest.mark.timeout(300)

RETRIEVAL = ("recall", "copy", "needle")


@pytest.fixture(scope="module")
def paper_set() -> Exam:
    return exam(20260101, "quick")


def own_value(q, k, v, *, mask):
    return v.clone()


def window_of_8(q, k, v, *, mask):
    T = q.shape[2]
    apart = torch.arange(T).unsqueeze(1) - torch.arange(T)
    return attention_torch(q, k, v, mask=(apart >= 0) & (apart < 8))


def mean_score(papers: Exam, paper, attend) -> float:
    net = papers.models[paper.task.spec.name]
    return statistics.fmean(scores(net, paper.task, paper.batch, attend))


def papers_of(papers: Exam, *names: str, longest: int = 1024):
    found = [p for p in papers.papers if p.task.name in names and p.task.length <= longest]
    assert found
    return found


def test_exact_attention_solves_recall_copying_and_needles(paper_set):
    for paper in papers_of(paper_set, *RETRIEVAL, longest=4096):
        assert statistics.fmean(paper.exact) > 0.95, paper.task


def test_the_mean_of_the_values_and_the_own_value_solve_none_of_them(paper_set):
    for paper in papers_of(paper_set, *RETRIEVAL):
        assert statistics.fmean(paper.blind) < 0.2, paper.task
        assert mean_score(paper_set, paper, own_value) < 0.2, paper.task


def test_text_gets_clearly_worse_without_attention_or_with_eight_keys(paper_set):
    (text,) = [p for p in papers_of(paper_set, "text") if p.task.length == 1024]
    exact = statistics.fmean(text.exact)
    assert statistics.fmean(text.blind) > exact + 0.3
    assert mean_score(paper_set, text, window_of_8) > exact + 0.05


def test_exact_attention_puts_nine_tenths_of_its_weight_on_the_needle(paper_set):
    for paper in papers_of(paper_set, "needle", longest=4096):
        assert paper.needle_weight >= 0.9, paper.task


def test_every_length_and_mask_that_the_contract_times_is_asked(paper_set):
    from dougong import contracts

    asked = {
        (p.task.length, p.task.spec.head_size, p.task.spec.is_causal, p.task.is_padded)
        for p in paper_set.papers
    }
    for work in contracts.contract("attention.approx@1").workloads:
        if "speed" in work.purpose:
            sizes = work.params
            key = (sizes["S"], sizes["D"], sizes["is_causal"], sizes["mask"] != "none")
            assert key in asked, work.name


def test_the_weights_are_small(paper_set):
    folder = Path(dougong_ci.quality.__file__).parent / "weights"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 1_000_000
