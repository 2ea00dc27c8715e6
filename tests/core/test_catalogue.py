"""A plugin can be wrong in every way there is; the others are found, and the reason is one line."""

from __future__ import annotations

import sys
import textwrap
import types
from pathlib import Path

import pytest

import dougong
from dougong.catalogue import Catalogue, Entry
from dougong.errors import CatalogueError
from dougong.operator import Operator

GOOD = """
import dougong

@dougong.hookimpl
def dougong_register_norm():
    return [dougong.Operator(name="acme/fused-rms", contract="norm.rms@1", target="nowhere:f")]
"""
OPERATOR = 'dougong.Operator(name="{name}", contract="{contract}", target="nowhere:f")'


def hook(family: str, body: str, signature: str = "") -> str:
    return (
        "import dougong, sys\n@dougong.hookimpl\n"
        f"def dougong_register_{family}({signature}):\n    {body}\n"
    )


def entry(**fields: object) -> Entry:
    data = {"name": "acme/x", "contract": "norm.rms@1", "target": "nowhere:f", **fields}
    return Entry(Operator(**data), "acme", "acme", "1.0")


BROKEN = {
    "raises-on-import": (
        "1 / 0",
        "ZeroDivisionError: division by zero (site/raises_on_import.py:1)",
    ),
    "exits-on-import": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "syntax": ("def (", "SyntaxError: invalid syntax"),
    "raises-in-hook": (hook("norm", "raise KeyError('boom')"), "KeyError: 'boom'"),
    "misspelt": (hook("norms", "return []"), "unknown hook 'dougong_register_norms'"),
    "wrong-signature": (hook("norm", "return []", "registry"), "hookimpl definition"),
    "not-a-list": (hook("norm", "return ()"), "must return a list, returned tuple"),
    "nothing": (hook("norm", "pass"), "must return a list, returned NoneType"),
    "not-an-operator": (hook("norm", "return ['rms']"), "returned a str"),
    "bare-function": ("def dougong_register_norm(): return []", "no hook implementation found"),
    "other-family": (
        hook("norm", "return [" + OPERATOR.format(name="a/b", contract="activation.silu@1") + "]"),
        "belongs in dougong_register_activation",
    ),
    "unknown-contract": (
        hook("norm", "return [" + OPERATOR.format(name="a/b", contract="norm.rms@77") + "]"),
        "unknown contract norm.rms@77; known: norm.rms@1",
    ),
    "bad-metadata": (
        hook("norm", "return [" + OPERATOR.format(name="A B", contract="norm.rms@1") + "]"),
        "operator name must be provider/name",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_plugin_is_data_and_hurts_nothing_else(kind, install, site, monkeypatch):
    source, reason = BROKEN[kind]
    install(kind, source)
    install("acme-rms", GOOD)
    monkeypatch.syspath_prepend(site)
    catalogue = Catalogue.at(site)
    assert list(catalogue.entries) == ["acme/fused-rms"]
    (broken,) = catalogue.broken
    assert (broken.plugin, broken.distribution, broken.version) == (kind, kind, "1.0")
    assert reason in broken.reason
    assert "\n" not in broken.reason
    with pytest.raises(CatalogueError) as raised:
        catalogue.get(kind)
    assert broken.reason in str(raised.value)


@pytest.fixture(autouse=True)
def _forget_modules(monkeypatch):
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if "." not in name and "_" in name and not name.startswith("_"):
            monkeypatch.delitem(sys.modules, name)


def test_operator_of_a_broken_plugin_gives_the_reason(install, site, monkeypatch):
    operator = OPERATOR.format(name="acme/late", contract="activation.silu@1")
    install("half-good", hook("norm", f"return [{operator}]"))
    monkeypatch.syspath_prepend(site)
    with pytest.raises(CatalogueError, match="plugin half-good is broken"):
        Catalogue.at(site).get("acme/late")


def test_duplicate_name_has_no_winner_and_names_both(install, site, monkeypatch):
    install("acme-rms", GOOD)
    install("zeta-rms", GOOD)
    monkeypatch.syspath_prepend(site)
    catalogue = Catalogue.at(site)
    assert "acme/fused-rms" not in catalogue.entries
    assert catalogue.broken == ()
    with pytest.raises(CatalogueError, match=r"acme-rms \(acme-rms 1.0\) and zeta-rms"):
        catalogue.get("acme/fused-rms")


def test_unknown_name_offers_close_ones(install, site, monkeypatch):
    install("acme-rms", GOOD)
    monkeypatch.syspath_prepend(site)
    catalogue = Catalogue.at(site)
    with pytest.raises(CatalogueError, match="close: acme/fused-rms"):
        catalogue.get("acme/fused-rmx")
    with pytest.raises(CatalogueError, match="close: acme/fused-rms"):
        catalogue.get("fused-rms")


def test_damaged_distribution_is_reported_and_passed_over(install, site, monkeypatch):
    install("acme-rms", GOOD)
    install("damaged", GOOD, entry_points="[dougong]\nthis line is not an entry point\n")
    info = install("no-metadata", GOOD)
    (info / "METADATA").unlink()
    monkeypatch.syspath_prepend(site)
    catalogue = Catalogue.at(site)
    assert list(catalogue.entries) == ["acme/fused-rms"]
    assert {"damaged metadata" in broken.reason for broken in catalogue.broken} == {True}
    assert len(catalogue.broken) == 2
    # Libraries bring finders of their own, which find everything again.
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, *sys.meta_path])
    assert Catalogue.at(site).broken == catalogue.broken


def test_at_sees_only_its_folder(tmp_path):
    assert Catalogue.at(tmp_path).entries == {}


def test_load_takes_modules_and_ignores_the_environment(monkeypatch):
    monkeypatch.setenv("DOUGONG_DISABLE", "1")
    module = types.ModuleType("made_here")
    exec(textwrap.dedent(GOOD), module.__dict__)
    catalogue = Catalogue.load([module])
    assert catalogue.get("acme/fused-rms").plugin == "made_here"
    (broken,) = Catalogue.load(["no_such_module_anywhere"]).broken
    assert broken.reason.startswith("ModuleNotFoundError")


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ({}, ["acme/fused-rms"]),
        ({"contract": "norm.rms@1"}, ["acme/fused-rms"]),
        ({"contract": "norm.rms"}, ["acme/fused-rms"]),
        ({"contract": "norm.rms@2"}, []),
        ({"family": "norm"}, ["acme/fused-rms"]),
        ({"family": "activation"}, []),
    ],
)
def test_find_by_contract_kind_and_family(question, found, install, site, monkeypatch):
    install("acme-rms", GOOD)
    monkeypatch.syspath_prepend(site)
    assert [entry.name for entry in Catalogue.at(site).find(**question)] == found


LISTING = "from dougong import Catalogue; c = Catalogue.discover(); print(*c.entries, *c.broken)"


def test_environment_allows_disables_and_traces(install, run):
    install("acme-rms", GOOD)
    install("loud", "raise RuntimeError('imported')")
    everything = run("-c", LISTING)
    assert "acme/fused-rms" in everything.stdout
    assert "loud: RuntimeError: imported" in everything.stdout
    allowed = run("-c", LISTING, DOUGONG_PLUGINS="acme-rms, absent")
    assert allowed.stdout.split("\n")[0] == (
        "acme/fused-rms absent: named in DOUGONG_PLUGINS, not installed"
    )
    assert run("-c", LISTING, DOUGONG_DISABLE="1").stdout == "\n"
    traced = run("-c", LISTING, DOUGONG_TRACE="1", DOUGONG_PLUGINS="acme-rms")
    assert "acme-rms: dougong_register_norm() -> [acme/fused-rms]" in traced.stderr


def test_discovery_imports_neither_torch_nor_targets(install, run):
    install("acme-rms", GOOD)
    listing = LISTING + "; import sys; print('torch' in sys.modules, 'nowhere' in sys.modules)"
    done = run("-c", listing, DOUGONG_PLUGINS="acme-rms")
    assert done.stdout.split() == ["acme/fused-rms", "False", "False"]


def test_unavailable_says_what_was_not_declared():
    assert entry().unavailable() is None
    assert entry().unavailable(device="cpu", dtype="float32", mode="infer") is None
    assert entry().unavailable(device="cuda:0") == "runs on cpu, not on cuda"
    assert entry().unavailable(dtype="float64") == "accepts float32, not float64"
    assert entry(modes=("infer",)).unavailable(mode="train") == "made to infer, not to train"
    assert "has no gradient" in (entry().unavailable(mode="train") or "")
    assert entry(gradients="first").unavailable(mode="train") is None


def test_unavailable_says_which_requirement_is_missing():
    assert entry(requires=("torch>=2",)).unavailable() is None
    assert entry(requires=("torch>=99",)).unavailable().startswith("requires torch>=99, found 2.")
    absent = entry(requires=("no-such-package-here>=1",)).unavailable()
    assert absent == "requires no-such-package-here>=1, not installed"
    assert entry(requires=("no-such; python_version < '3'",)).unavailable() is None
    assert "not a PEP 508 requirement" in entry(requires=(">=1",)).unavailable()


def test_unavailable_says_which_device_is_missing():
    # No machine has every one of these; a device type that torch does not know is on none.
    assert "is not available" in (entry(devices=("mps", "npu")).unavailable() or "")
    assert entry(devices=("mps", "cpu")).unavailable() is None
    assert entry(devices=("warp",)).unavailable(device="warp") == "device warp is not available"


def test_unavailable_says_what_the_machine_lacks(monkeypatch, tmp_path):
    assert "cannot check" in (entry(needs=("luck",)).unavailable() or "")
    assert entry(needs=("avx9000",)).unavailable() == "needs avx9000, which this CPU lacks"
    monkeypatch.setenv("CXX", str(tmp_path / "no-compiler"))
    dougong.catalogue.machine.compiler_missing.cache_clear()
    assert "needs a C++ compiler" in (entry(needs=("c++-compiler",)).unavailable() or "")
    dougong.catalogue.machine.compiler_missing.cache_clear()


def test_catalogue_path_may_be_text(tmp_path: Path):
    assert Catalogue.at(str(tmp_path)).broken == ()
