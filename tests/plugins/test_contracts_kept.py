"""Every first-party operator keeps its contract in this process, as it must in the judge's."""

from __future__ import annotations

import pytest

EXACT = [
    "dougong/layer-torch",
    "dougong/rms-torch",
    "dougong/group-torch",
    "dougong/gelu-torch",
    "dougong/silu-torch",
    "dougong/squared-relu-torch",
    "dougong/swiglu-torch",
    "dougong/torch-sdpa",
    "dougong/standard",
    "dougong/gated-delta",
]
OPTIMIZERS = [
    "dougong/adamw-loop",
    "dougong/adamw-foreach",
    "dougong/adamw-fused",
    "dougong/sgd-momentum",
    "dougong/lion",
    "dougong/muon",
    "dougong/adafactor",
]
TRAINED = [
    "dougong/adamw-8bit",
    "dougong/ademamix",
    "dougong/prodigy",
    "dougong/schedule-free-adamw",
    "dougong/shampoo",
    "dougong/soap",
    "dougong/sophia-g",
    "dougong/train-adafactor",
    "dougong/train-adamw",
    "dougong/train-lion",
    "dougong/train-muon",
    "dougong/train-sgd-momentum",
]
APPROXIMATE = [
    "dougong/linear",
    "dougong/linear-softmax",
    "dougong/sparse-topk",
    "dougong/sliding-window",
    "dougong/dsa",
]
MODELS = ["dougong/eager", "dougong/int8-dynamic", "dougong/packed-linear"]
COMPILING = ["dougong/inductor"]
# Checked in the interpreter (`test_triton.py`), or by the judge where the device is.
ELSEWHERE = [
    "dougong/rms-triton",
    "dougong/layer-triton",
    "dougong/gelu-triton",
    "dougong/silu-triton",
    "dougong/squared-relu-triton",
    "dougong/swiglu-triton",
    "dougong/flash-triton",
    "dougong/sparse-triton",
    "dougong/cuda",
    "dougong/rocm",
    "dougong/ascend",
]
JUDGED_HERE = [*EXACT, *OPTIMIZERS, *TRAINED, *APPROXIMATE, *MODELS]


def test_no_operator_is_left_out(catalogue):
    assert set(catalogue.entries) == {*JUDGED_HERE, *COMPILING, *ELSEWHERE}


@pytest.mark.filterwarnings("ignore:oneDNN packs bfloat16 only")  # plain there, and right
@pytest.mark.parametrize("operator", JUDGED_HERE, indirect=True)
def test_outputs_are_within_the_tolerance_of_the_contract(operator, outputs_fail):
    assert outputs_fail(operator) == []


@pytest.mark.parametrize("operator", EXACT, indirect=True)
def test_gradients_are_within_the_tolerance_of_the_contract(operator, gradients_fail):
    assert gradients_fail(operator) == []


@pytest.mark.parametrize("operator", [*EXACT, *OPTIMIZERS, *TRAINED, *APPROXIMATE], indirect=True)
def test_the_laws_of_the_contract_hold(operator, laws_fail):
    assert laws_fail(operator) == []
