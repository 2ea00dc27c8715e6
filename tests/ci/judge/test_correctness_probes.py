"""Edges and laws that the judge asks beyond a contract's own workloads."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from dougong import contracts
from dougong.contracts.accuracy import Comparison
from dougong_ci.judge import stricter
from dougong_ci.judge.answers import Answers, compared, held
from dougong_ci.judge.correctness import Correctness
from dougong_ci.judge.probes import edges, missing_layouts
from dougong_ci.lint.inprocess import InProcess
from dougong_ci.lint.killing import judged, quick
from dougong_ci.lint.mutants import Mutant, right
from dougong_ci.report.verdict import Outcome


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def plain(id, variant=""):
    contract = contracts.contract(id)
    return contract, [
        w
        for w in contract.workloads
        if "accuracy" in w.purpose and (not variant or f"variant:{variant}" in w.features)
    ]


def kinds(answers):
    return {answer.workload.name.partition("+")[2] for answer in answers}


def test_edges_keep_layout_and_setup_so_that_nothing_is_prepared_anew():
    contract, works = plain("norm.layer@1")
    answers = Answers(contract, 3)
    asked, _ = edges(answers, works, torch.float32)
    base = answers.forward(works[0], torch.float32).case
    for answer in asked:
        for name, tensor in answer.case.tensors.items():
            assert tensor.stride() == base.tensors[name].stride()
            assert (
                tensor.untyped_storage().nbytes() == base.tensors[name].untyped_storage().nbytes()
            )
    assert {"nan-in-x", "subnormal-x", "mixed-x", "nan-in-weight", "inf-in-weight"} <= kinds(asked)


def test_edges_leave_the_inputs_they_are_made_from_alone():
    contract, works = plain("norm.rms@1")
    answers = Answers(contract, 3)
    before = answers.forward(works[0], torch.float64).case.tensors["x"].clone()
    edges(answers, works, torch.float64)
    assert torch.equal(answers.forward(works[0], torch.float64).case.tensors["x"], before)


def test_an_edge_that_a_trusted_implementation_does_not_meet_is_not_asked():
    contract, works = plain("norm.rms@1")
    asked, refused = edges(Answers(contract, 3), works, torch.float32)
    assert "values-normal+largest-in-x" in refused
    assert "largest-in-x" not in kinds(asked)


def test_an_edge_is_not_a_matter_of_luck():
    """The same layer norm in another order of operations meets every edge, whatever the seed."""
    contract, works = plain("norm.layer@1")
    asked_at_all = 0
    for seed in range(24):
        asked, refused = edges(Answers(contract, seed), works, torch.float32)
        for answer in asked:
            case = answer.case
            x, weight, bias = (case.tensors[name] for name in ("x", "weight", "bias"))
            mean = x.sum(-1, keepdim=True) / x.shape[-1]
            variance = (x * x).sum(-1, keepdim=True) / x.shape[-1] - mean * mean
            if "largest-in-weight" in answer.workload.name:
                asked_at_all += 1
                y = (x - mean) * torch.rsqrt(variance + case.static["eps"]) * weight + bias
                assert compared(contract, answer, 0, y).passed, answer.workload.name
        assert len(asked) > len(refused)
    assert asked_at_all >= 4


def test_a_cap_that_the_baseline_breaks_is_held_against_nobody():
    contract, works = plain("activation.gelu@1")
    answer = Answers(contract, 3).forward(works[0], torch.float32)
    golden = answer.golden[0]
    rough = (golden + 0.5).float()
    broken = dataclasses.replace(answer, natives=((rough,), answer.natives[0]))
    assert "the cap" in compared(contract, answer, 0, (golden - 0.4).float()).reason
    assert compared(contract, broken, 0, (golden - 0.4).float()).passed
    assert not compared(contract, broken, 0, (golden - 4.0).float()).passed
    assert not compared(contract, broken, 0, torch.full_like(rough, torch.nan)).passed


def test_a_sum_in_the_order_of_memory_is_honest_and_half_the_bits_are_not():
    contract, _ = plain("norm.rms@1")
    outside = 0
    for seed in (6, 16, 44, 45, 67):
        answers = Answers(contract, seed)
        for work in answers.hidden():
            answer = answers.forward(work, torch.float32)
            x, weight = answer.case.tensors["x"], answer.case.tensors["weight"]
            total = torch.zeros_like(x[..., :1])
            for column in x.split(1, -1):
                total += column * column
            y = x * torch.rsqrt(total / x.shape[-1] + answer.case.static["eps"])
            y = y if weight is None else y * weight
            outside += not held(contract, answer, 0, y, [n[0] for n in answer.natives]).passed
            assert compared(contract, answer, 0, y).passed, work.name
            if float(y.abs().max()):
                assert not compared(contract, answer, 0, y.half().float()).passed, work.name
    assert outside


def test_attention_meets_products_of_ten_thousand():
    contract, works = plain("attention.exact@1")
    asked, _ = edges(Answers(contract, 3), works, torch.float32)
    answer = next(a for a in asked if a.workload.name.endswith("logits-1e4"))
    q, k = (answer.case.tensors[name].double() for name in "qk")
    assert 5e3 < float((q @ k.mT).abs().max() / q.shape[-1] ** 0.5) < 1e5


@pytest.mark.parametrize("id", contracts.ids())
def test_every_layout_is_asked_of_every_contract_by_its_workloads_or_by_the_judge(id: str):
    contract = contracts.contract(id)
    works = plain(id, contract.variants[0] if contract.variants else "")[1]
    asked, _ = edges(Answers(contract, 3), works, torch.float32)
    assert set(missing_layouts(contract)) <= kinds(asked)


def test_non_finite_gradients_are_asked_of_optimizers():
    contract, works = plain("optimizer.step@1", "adamw")
    asked, _ = edges(Answers(contract, 3), works, torch.float32)
    assert {"nan-in-g", "nan-in-p"} <= kinds(asked)


def test_a_formula_that_gives_nan_at_infinity_is_not_held_against_the_limit():
    contract, works = plain("activation.gelu@1")
    asked, refused = edges(Answers(contract, 3), works, torch.float32)
    assert "inf-in-x" in kinds(asked)
    assert "none-values-normal+minus-inf-in-x" in refused


def passed(**changes):
    found = Comparison(
        max_error=0.0,
        rms_error=0.0,
        native_max_error=0.0,
        native_rms_error=0.0,
        bound=0.0,
        relative_l2=0.0,
        passed=True,
    )
    return dataclasses.replace(found, **changes)


def test_float64_computed_in_float32_is_coarser_than_float64_is():
    tolerance = contracts.contract("norm.rms@1").tolerance
    golden = torch.randn(64, 64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    output = golden.float().double()
    error = float((output - golden).abs().max())
    found = passed(max_error=error, native_max_error=1e-16)
    assert "coarser" in stricter.fault(output, golden, found, tolerance)
    near = golden * (1 + 1e-13)
    found = passed(max_error=float((near - golden).abs().max()), native_max_error=1e-16)
    assert stricter.fault(near, golden, found, tolerance) == ""


def test_an_approximation_may_be_off_and_not_leave_rows_out():
    tolerance = contracts.contract("attention.approx@1").tolerance
    source = torch.Generator().manual_seed(1)
    golden = torch.randn(2, 4, 384, 32, generator=source, dtype=torch.float64)
    noise = torch.randn(golden.shape, generator=source, dtype=torch.float64)
    off = (golden + 0.8 * noise).float()
    assert stricter.fault(off, golden, passed(), tolerance) == ""
    short = off.clone()
    short[:, :, -20:] = 0
    assert stricter.fault(short, golden, passed(), tolerance) == (
        "slice 31 of 32 along dimension 2 is missing"
    )
    garbage = off.clone()
    garbage[:, :, -20:] = 3 * noise[:, :, -20:].float()
    assert "off" in stricter.fault(garbage, golden, passed(), tolerance)


def test_an_approximation_of_a_vector_is_not_looked_at_entry_by_entry():
    tolerance = contracts.contract("optimizer.train@1").tolerance
    golden = torch.randn(32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    one_near_zero = golden.float()
    one_near_zero[int(golden.abs().argmax())] = 0.0
    assert stricter.fault(one_near_zero, golden, passed(), tolerance) == ""
    half = golden.float()
    half[16:] = 0.0
    assert stricter.fault(half, golden, passed(), tolerance) == (
        "slice 1 of 2 along dimension 0 is missing"
    )
    rows = torch.randn(32, 48, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    short = rows.float()
    short[7] = 0.0
    assert stricter.fault(short, rows, passed(), tolerance) == (
        "slice 7 of 32 along dimension 0 is missing"
    )


def shaken(share: float):
    """Make an implementation whose calls differ by a share of float32's rounding."""

    def bind(contract, case):
        bound = right(contract, case)

        def call(tensors):
            outputs = bound(tensors)
            return tuple(
                y * (1 + share * torch.finfo(y.dtype).eps * torch.randn_like(y)) for y in outputs
            )

        return call

    return Mutant(name="shaken", summary="differs from call to call", bind=bind)


def determinism(share: float, *, declared: bool):
    contract = quick("norm.rms@1")
    docket = judged(contract, shaken(0.0))
    docket.operator = dataclasses.replace(docket.operator, deterministic=not declared)
    docket.gates.clear()
    correctness = Correctness(docket, InProcess(shaken(share).bind))
    with docket.gate("determinism") as gate:
        correctness._determinism(gate)
    return gate


def test_a_deterministic_operator_whose_calls_differ_is_refused():
    gate = determinism(0.5, declared=False)
    assert gate.outcome is Outcome.FAILED
    assert "different bits" in gate.summary


def test_a_nondeterministic_operator_is_held_to_the_accuracy_rule_over_its_calls():
    gate = determinism(0.2, declared=True)
    assert gate.outcome is Outcome.PASSED, gate.summary
    assert 0 < gate.measurements["spread_share_of_bound"] <= 1
    gate = determinism(200.0, declared=True)
    assert gate.outcome is Outcome.FAILED
    assert "call 1 of 4" in gate.summary
