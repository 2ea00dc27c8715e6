"""Every released contract can tell right from wrong: the baselines pass, every mutant falls."""

from __future__ import annotations

import pytest

from dougong import contracts
from dougong_ci.lint.killing import Fate, baseline, judged, mutants, quick, tried
from dougong_ci.report.verdict import Outcome

pytestmark = pytest.mark.timeout(300)

MEMBERS = [
    (id, variant)
    for id in contracts.ids()
    for variant in (contracts.contract(id).variants or ("",))
]
WANTED = (
    "zeros",
    "input-copy",
    "downcast-bfloat16",
    "downcast-float16",
    "drop-output-rows",
    "drop-input-features",
    "eps-x10",
    "eps-left-out",
    "strides-ignored",
)


@pytest.mark.parametrize(("id", "variant"), MEMBERS)
def test_every_mutant_of_a_contract_falls_at_a_gate(id: str, variant: str):
    contract = quick(id)
    found = [tried(contract, mutant, variant) for mutant in mutants(contract, variant)]
    assert [t for t in found if t.fate is Fate.SURVIVED] == []
    assert set(WANTED) <= {t.mutant for t in found}
    assert sum(t.fate is Fate.KILLED for t in found) >= 15
    for trial in found:
        assert trial.reason
        assert (trial.gate != "") == (trial.fate is Fate.KILLED)
        assert trial.gate not in ("build", "contract"), trial
        if trial.fate is Fate.ADMITTED:
            assert contract.equivalence == "approximate"


@pytest.mark.parametrize(("id", "variant"), MEMBERS)
def test_the_baseline_of_a_contract_passes_every_gate(id: str, variant: str):
    contract = quick(id)
    docket = judged(contract, baseline(contract), variant, hasty=False)
    pairs = docket.gates["laws"].measurements["pairs"]
    unheld = {law.name for law in contract.laws if not pairs[law.name]}
    # Only the rules that work element by element treat two halves of a parameter alike.
    assert unheld <= ({"split"} if variant in ("muon", "adafactor") else set())
    for gate in docket.gates.values():
        assert gate.outcome is Outcome.PASSED or gate.summary == "the contract has no gradient"


@pytest.mark.parametrize("id", ["norm.rms@1", "attention.exact@1", "activation.gelu@1"])
def test_what_cannot_be_wrong_on_a_contract_says_why(id: str):
    spared = [m for m in mutants(quick(id)) if m.inapplicable]
    assert {m.name for m in spared} <= {
        "eps-x10",
        "eps-left-out",
        "gradient-of-eps-x10",
        "gradient-of-eps-left-out",
        "reductions-bfloat16",
        "drop-last-tensor",
    }
    assert id != "norm.rms@1" or not spared


@pytest.mark.parametrize("low", ["downcast-bfloat16", "downcast-float16"])
def test_float32_attention_computed_in_half_the_bits_is_refused_with_its_ratio(low: str):
    contract = quick("attention.exact@1")
    mutant = next(m for m in mutants(contract) if m.name == low)
    docket = judged(contract, mutant, hasty=False)
    gate = docket.gates["accuracy"]
    assert gate.outcome is Outcome.FAILED
    assert "x the native float32 error, at most 2x and a rounding may be" in gate.summary
    failed = [row for row in docket.accuracy if not row.passed and row.direction == "forward"]
    assert max(row.native_ratio for row in failed) > 500
    assert {row.dtype for row in failed} == {"float32"}
