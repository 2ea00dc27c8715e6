"""Every hook is documented with its exact signature and does what its page says."""

from __future__ import annotations

import inspect
import types
from pathlib import Path

import pytest

import dougong
from dougong import hookspecs
from dougong.catalogue import Catalogue

ROOT = Path(__file__).resolve().parents[2]
HOOKS = {name: value for name, value in vars(hookspecs).items() if name.startswith("dougong_")}


@pytest.mark.parametrize("name", sorted(HOOKS))
def test_hook_is_documented_with_its_exact_signature(name: str) -> None:
    signature = str(inspect.signature(HOOKS[name])).replace("'", "")
    assert f"### `{name}{signature}`" in (ROOT / "CONTRIBUTING.md").read_text()


def test_there_is_one_hook_a_family_and_a_test_for_each() -> None:
    families = {name.removeprefix("dougong_register_") for name in HOOKS}
    assert families == {"attention", "norm", "activation", "optimizer", "backend", "transform"}
    assert all(f"test_hook_{name}" in globals() for name in HOOKS)


def registered(hook: str, contract: str) -> tuple[str, ...]:
    operator = dougong.Operator(name="acme/one", contract=contract, target="acme:one")
    module = types.ModuleType("acme_plugin")
    exec(  # the hook's name is the parameter of this test
        f"import dougong\n@dougong.hookimpl\ndef {hook}():\n    return [operator]",
        vars(module) | {"operator": operator},
        namespace := {"operator": operator},
    )
    setattr(module, hook, namespace[hook])
    catalogue = Catalogue.load([module])
    assert not catalogue.broken
    return tuple(entry.operator.contract for entry in catalogue.find(contract=contract))


def test_hook_dougong_register_attention() -> None:
    assert registered("dougong_register_attention", "attention.exact@1") == ("attention.exact@1",)


def test_hook_dougong_register_norm() -> None:
    assert registered("dougong_register_norm", "norm.rms@1") == ("norm.rms@1",)


def test_hook_dougong_register_activation() -> None:
    assert registered("dougong_register_activation", "activation.silu@1") == ("activation.silu@1",)


def test_hook_dougong_register_optimizer() -> None:
    assert registered("dougong_register_optimizer", "optimizer.step@1") == ("optimizer.step@1",)


def test_hook_dougong_register_backend() -> None:
    assert registered("dougong_register_backend", "backend.inference@1") == ("backend.inference@1",)


def test_hook_dougong_register_transform() -> None:
    assert registered("dougong_register_transform", "transform.quantize@1") == (
        "transform.quantize@1",
    )


def test_hook_of_another_family_makes_the_plugin_broken() -> None:
    module = types.ModuleType("acme_wrong")
    operator = dougong.Operator(name="acme/one", contract="norm.rms@1", target="acme:one")

    @dougong.hookimpl
    def dougong_register_attention() -> list[dougong.Operator]:
        return [operator]

    module.dougong_register_attention = dougong_register_attention  # type: ignore[attr-defined]
    catalogue = Catalogue.load([module])
    assert not catalogue.entries
    assert "norm.rms@1" in catalogue.broken[0].reason
