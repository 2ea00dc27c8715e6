"""The C++ kernels as a user meets them: layouts, sizes, refusals, no compiler."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from dougong_plugins.activation.gelu import gelu_fused
from dougong_plugins.activation.swiglu import swiglu_fused
from dougong_plugins.norm.group import group_norm_fused
from dougong_plugins.norm.layer import layer_norm_fused
from dougong_plugins.norm.rms import rms_norm_fused

SIZES = st.integers(min_value=0, max_value=70)


@settings(max_examples=40, deadline=None)
@given(rows=SIZES, columns=st.integers(1, 70), transposed=st.booleans(), seed=st.integers(0, 99))
def test_row_norms_agree_with_torch_on_any_shape_and_layout(rows, columns, transposed, seed):
    source = torch.Generator().manual_seed(seed)
    shape = (columns, rows) if transposed else (rows, columns)
    x = torch.randn(shape, generator=source)
    x = x.T if transposed else x
    weight = torch.randn(columns, generator=source)
    rms = functional.rms_norm(x, (columns,), weight, 1e-6)
    torch.testing.assert_close(rms_norm_fused(x, weight, eps=1e-6), rms)
    layer = functional.layer_norm(x, (columns,), weight, None, 1e-5)
    torch.testing.assert_close(layer_norm_fused(x, weight, None, eps=1e-5), layer)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 4), groups=st.integers(1, 4), each=st.integers(1, 5), inner=st.integers(1, 20)
)
def test_group_norm_agrees_with_torch_on_any_shape(n, groups, each, inner):
    x = torch.randn(n, groups * each, inner)
    weight, bias = torch.randn(2, groups * each)
    if n * each * inner < 2:
        return  # torch itself refuses a single value per group in training
    # In float64: of one value a group, float32 leaves what 1 / sqrt(eps) makes of its error.
    x_64, weight_64, bias_64 = (tensor.double() for tensor in (x, weight, bias))
    expected = functional.group_norm(x_64, groups, weight_64, bias_64, 1e-5).float()
    found = group_norm_fused(x, groups, weight, bias, eps=1e-5)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(size=SIZES, seed=st.integers(0, 99), approximate=st.sampled_from(["none", "tanh"]))
def test_activations_agree_with_torch_on_any_size(size, seed, approximate):
    gate, up = torch.randn(2, size, generator=torch.Generator().manual_seed(seed)) * 4
    expected = functional.gelu(gate, approximate=approximate)
    torch.testing.assert_close(gelu_fused(gate, approximate=approximate), expected)
    torch.testing.assert_close(swiglu_fused(gate, up), functional.silu(gate) * up)


def test_gradients_reach_input_and_weight():
    x = torch.randn(5, 33, requires_grad=True)
    weight = torch.randn(33, requires_grad=True)
    cotangent = torch.randn(5, 33)
    found = torch.autograd.grad(rms_norm_fused(x, weight), (x, weight), cotangent)
    expected = torch.autograd.grad(
        functional.rms_norm(x, (33,), weight, 1e-6), (x, weight), cotangent
    )
    torch.testing.assert_close(found, expected)


def test_inside_a_compiled_function_the_graph_stays_whole():
    torch._dynamo.reset()
    x, weight = torch.randn(4, 16), torch.randn(16)

    @torch.compile(fullgraph=True, backend="eager")
    def block(x, weight):
        return gelu_fused(rms_norm_fused(x, weight))

    expected = functional.gelu(functional.rms_norm(x, (16,), weight, 1e-6))
    torch.testing.assert_close(block(x, weight), expected)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: rms_norm_fused(torch.zeros(2, 4, dtype=torch.float64)), TypeError, "float64"),
        (lambda: gelu_fused(torch.zeros(3, dtype=torch.int32)), TypeError, "int32"),
        (lambda: rms_norm_fused(torch.zeros(2, 4), torch.ones(3)), ValueError, r"\(4,\)"),
        (lambda: rms_norm_fused(torch.zeros(2, 4, device="meta")), ValueError, "meta"),
        (lambda: group_norm_fused(torch.zeros(1, 6, 2), 4, None, None), ValueError, "6 channels"),
    ],
)
def test_what_the_kernels_cannot_do_is_an_error_that_names_the_value(call, error, said):
    with pytest.raises(error, match=said):
        call()


PROGRAM = """
import torch
from dougong_plugins.norm.rms import rms_norm_fused
print(float(rms_norm_fused(torch.full((1, 4), 3.0)).sum()))
"""


def program(tmp_path, **environment):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_compiler_the_error_says_what_to_install(tmp_path):
    done = program(tmp_path, PATH=str(tmp_path), CXX="")
    assert done.returncode == 1
    assert "no C++ compiler among g++, clang++, c++; install one or set CXX" in done.stderr


def test_the_second_process_uses_what_the_first_one_built(tmp_path):
    assert program(tmp_path).stdout.startswith("4.0") or program(tmp_path).stdout.startswith("3.99")
    kept = list((tmp_path / "cache").rglob("rows-*.so"))
    assert len(kept) == 1
    built_at = kept[0].stat().st_mtime_ns
    assert program(tmp_path).returncode == 0
    assert [path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.so")] == [built_at]


def test_a_cache_that_cannot_be_written_is_no_hindrance(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert program(tmp_path).returncode == 0
