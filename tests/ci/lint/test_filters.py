from __future__ import annotations

import dataclasses
import json

import pytest
import torch

from dougong import contracts
from dougong.contracts.laws import edited, tensor_of
from dougong_ci.lint import filters
from dougong_ci.lint.__main__ import main
from dougong_ci.lint.killing import quick


@pytest.mark.parametrize("id", contracts.ids())
def test_a_released_contract_passes_every_filter(id: str):
    found = list(filters.filtered(id))
    assert [each for each in found if not each.passed] == []
    assert {"varies with the seed"} < {each.filter for each in found}


def test_an_output_that_every_seed_gives_alike_is_found():
    contract = quick("norm.rms@1")

    def generate(work, seed, dtype):
        return contract.generate(work, 1, dtype)

    found = asked(dataclasses.replace(contract, generate=generate))
    assert not found["varies with the seed"]


def test_an_input_that_nothing_depends_on_is_found():
    contract = quick("norm.rms@1")

    ignoring = dataclasses.replace(
        contract,
        bind=lambda target, case: (
            lambda tensors: contract.bind(target, case)({**tensors, "weight": None})
        ),
    )
    found = asked(ignoring)
    assert found["depends on x"]
    assert not found["depends on weight"]


def test_a_constant_axis_is_found():
    contract = quick("norm.layer@1")

    def generate(work, seed, dtype):
        case = contract.generate(work, seed, dtype)
        x = tensor_of(case, "x")
        return edited(case, x=x[..., :1, :].expand(x.shape).clone() if x.ndim > 1 else x)

    found = asked(dataclasses.replace(contract, generate=generate))
    assert not found["varies along dimension -2"]
    assert found["varies along dimension -1"]


def asked(contract):
    works = [w for w in contract.workloads if "accuracy" in w.purpose][:4]
    return {name: passed for name, passed, _ in filters._asked(contract, works)}


def test_the_command_prints_json_and_says_by_its_code_that_all_is_well(capsys):
    threads = torch.get_num_threads()
    try:
        assert main(["activation.squared_relu", "--json"]) == 0
    finally:
        torch.set_num_threads(threads)
    found = json.loads(capsys.readouterr().out)
    assert {each["fate"] for each in found["mutants"]} == {"killed", "not applicable"}
    assert all(each["passed"] for each in found["filters"])
