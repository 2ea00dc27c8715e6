"""C++ norms and activations: any shape, layout and dtype, gradients, and where they give way."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from dougong.contracts import contract, evaluate
from dougong.contracts.accuracy import compare
from dougong.contracts.norm.add_layer import add_layer_norm_torch
from dougong.contracts.norm.add_rms import add_rms_norm_torch
from dougong_kernels import ACTIVATIONS, NORMS, activation, norm

SIZES = st.integers(min_value=0, max_value=70)
SEED = 20261130
BY_NAME = {operator.name: operator for operator in (*NORMS, *ACTIVATIONS)}
NAMES = [
    "dougong/rms-fused",
    "dougong/layer-fused",
    "dougong/group-fused",
    "dougong/add-rms-fused",
    "dougong/add-layer-fused",
    "dougong/gelu-fused",
    "dougong/silu-fused",
    "dougong/squared-relu-fused",
    "dougong/swiglu-fused",
]


def test_no_operator_is_left_out():
    assert set(NAMES) == set(BY_NAME)


def asked(operator, *purposes):
    found = contract(operator.contract)
    for work in (*found.workloads, *found.hidden(SEED)):
        if set(purposes) & set(work.purpose) and "speed" not in work.purpose:
            for name in operator.dtypes:
                yield found, work, found.generate(work, SEED, getattr(torch, name))


def ruled(found, work, candidate, natives, golden, dtype, *, gradient=False):
    scale = found.tolerance.cap_scale
    return compare(
        candidate,
        natives,
        golden,
        tolerance=found.tolerance,
        dtype=dtype,
        scale=scale(work) if scale else 1.0,
        gradient=gradient,
    )


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_within_the_tolerance_of_the_contract(name):
    target = BY_NAME[name].load()
    for found, work, case in asked(BY_NAME[name], "accuracy", "edge"):
        with torch.no_grad():
            outputs = found.bind(target, case)(case.tensors)
        golden, natives = evaluate.golden(found, case), evaluate.natives(found, case)
        for i, output in enumerate(outputs):
            theirs = [native[i] for native in natives]
            ruling = ruled(found, work, output, theirs, golden[i], theirs[0].dtype)
            assert ruling.passed, f"{work.name} {output.dtype} output {i}: {ruling.reason}"


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_within_the_tolerance_of_the_contract(name):
    target = BY_NAME[name].load()
    for found, work, case in asked(BY_NAME[name], "accuracy"):
        dtype = case.tensors[case.differentiable[0]].dtype
        flowing = evaluate.cotangents(evaluate.natives(found, case)[0], SEED, dtype)
        mine = evaluate.gradients(found.bind(target, case), case, flowing)
        golden = evaluate.golden_gradients(found, case, flowing)
        natives = evaluate.native_gradients(found, case, flowing)
        for key, expected in golden.items():
            theirs = [native[key] for native in natives]
            ruling = ruled(found, work, mine[key], theirs, expected, dtype, gradient=True)
            assert ruling.passed, f"{work.name} {dtype} gradient of {key}: {ruling.reason}"


@settings(max_examples=40, deadline=None)
@given(rows=SIZES, columns=st.integers(1, 70), transposed=st.booleans(), seed=st.integers(0, 99))
def test_row_norms_agree_with_torch_on_any_shape_and_layout(rows, columns, transposed, seed):
    source = torch.Generator().manual_seed(seed)
    shape = (columns, rows) if transposed else (rows, columns)
    x, residual = (torch.randn(shape, generator=source) for _ in range(2))
    x = x.T if transposed else x
    residual = residual.T if transposed else residual
    weight = torch.randn(columns, generator=source)
    pairs = [
        (norm.rms_norm(x, weight), functional.rms_norm(x, (columns,), weight, 1e-6)),
        (norm.layer_norm(x, weight), functional.layer_norm(x, (columns,), weight)),
        (
            norm.add_rms_norm(x, residual, weight),
            add_rms_norm_torch(x, residual, weight, eps=1e-6),
        ),
        (
            norm.add_layer_norm(x, residual, None, weight),
            add_layer_norm_torch(x, residual, None, weight, eps=1e-5),
        ),
    ]
    # A row of one value that is its own mean: what is left is rounding, and the factor 300.
    for found, expected in pairs:
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4 if columns < 3 else 2e-5)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 4), groups=st.integers(1, 4), each=st.integers(1, 5), inner=st.integers(1, 40)
)
def test_group_norm_agrees_with_torch_on_any_shape(n, groups, each, inner):
    x = torch.randn(n, groups * each, inner)
    weight, bias = torch.randn(2, groups * each)
    if n * each * inner < 2:
        return  # torch itself refuses a single value per group in training
    # In float64: of one value a group, float32 leaves what 1 / sqrt(eps) makes of its error.
    wide = (tensor.double() for tensor in (x, weight, bias))
    x_64, weight_64, bias_64 = wide
    expected = functional.group_norm(x_64, groups, weight_64, bias_64, 1e-5).float()
    found = norm.group_norm(x, groups, weight, bias)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(size=SIZES, seed=st.integers(0, 99), approximate=st.sampled_from(["none", "tanh"]))
def test_activations_agree_with_torch_on_any_size(size, seed, approximate):
    gate, up = torch.randn(2, size, generator=torch.Generator().manual_seed(seed)) * 4
    expected = functional.gelu(gate, approximate=approximate)
    torch.testing.assert_close(activation.gelu(gate, approximate=approximate), expected)
    torch.testing.assert_close(activation.swiglu(gate, up), functional.silu(gate) * up)
    torch.testing.assert_close(activation.squared_relu(gate), functional.relu(gate).square())


@pytest.mark.parametrize("shape", [(1500, 4096), (64, 96 * 1024)], ids=["rows", "long-rows"])
def test_results_too_large_for_the_caches_are_the_same(shape, dtype):
    x = torch.randn(shape).to(dtype)
    rows = slice(shape[0] - 2, None)
    torch.testing.assert_close(norm.rms_norm(x)[rows], norm.rms_norm(x[rows]), rtol=0, atol=0)
    torch.testing.assert_close(activation.silu(x)[rows], activation.silu(x[rows]), rtol=0, atol=0)


def test_subnormal_numbers_are_kept(dtype):
    x = torch.full((4, 64), torch.finfo(dtype).smallest_normal).to(dtype) / 4
    assert bool((activation.silu(x) > 0).all())
    torch.testing.assert_close(activation.silu(x), functional.silu(x), rtol=0.1, atol=0)
    weight = x[0].clone()
    y = torch.randn(4, 64).to(dtype)
    expected = functional.rms_norm(y.double(), (64,), weight.double(), 1e-6)
    found = norm.rms_norm(y, weight).double()
    assert float((found - expected).norm() / expected.norm()) < 0.05


def test_the_number_of_threads_changes_no_bit(compiled):
    x, residual, cotangent = torch.randn(3, 300, 511)
    weight, bias = torch.randn(2, 511)

    def both_ways(threads):
        torch.set_num_threads(threads)
        leaves = [each.clone().requires_grad_() for each in (x, residual, weight, bias)]
        y, total = norm.add_layer_norm(*leaves)
        return y, total, *torch.autograd.grad(y, leaves, cotangent)

    usual = torch.get_num_threads()
    try:
        assert all(map(torch.equal, both_ways(1), both_ways(3)))
    finally:
        torch.set_num_threads(usual)


def test_a_gradient_flows_through_the_sum_alone():
    x, residual = (torch.randn(3, 20, requires_grad=True) for _ in range(2))
    _, total = norm.add_rms_norm(x, residual)
    total.sum().backward()
    torch.testing.assert_close(x.grad, torch.ones(3, 20))
    torch.testing.assert_close(residual.grad, torch.ones(3, 20))


def test_inside_a_compiled_function_the_graph_stays_whole():
    torch._dynamo.reset()
    x, weight = torch.randn(4, 16), torch.randn(16)

    @torch.compile(fullgraph=True, backend="eager")
    def block(x, weight):
        y, total = norm.add_rms_norm(x, x, weight)
        return activation.gelu(norm.layer_norm(y, weight)) + total

    y, total = add_rms_norm_torch(x, x, weight, eps=1e-6)
    expected = functional.gelu(functional.layer_norm(y, (16,), weight)) + total
    torch.testing.assert_close(block(x, weight), expected)


def test_what_the_kernels_do_not_take_goes_to_torch():
    x = torch.randn(3, 8, dtype=torch.float64)
    torch.testing.assert_close(norm.layer_norm(x), functional.layer_norm(x, (8,)))
    torch.testing.assert_close(activation.silu(x), functional.silu(x))


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: norm.layer_norm(torch.zeros(2, 4), torch.ones(3)), RuntimeError, "3"),
        (lambda: norm.group_norm(torch.zeros(1, 6, 2), 4), RuntimeError, "divisible"),
        (lambda: activation.gelu(torch.zeros(3), approximate="fast"), ValueError, "fast"),
        (lambda: norm.add_rms_norm(torch.zeros(2, 4), torch.zeros(2, 3)), RuntimeError, "3"),
    ],
)
def test_what_does_not_fit_is_an_error_that_names_the_value(call, error, said):
    with pytest.raises(error, match=said):
        call()


AGREE = """
import torch
from torch.nn import functional
from dougong_kernels import activation, library, norm
x, r = torch.randn(2, 37, 129) * 3
w, b = torch.randn(2, 129)
near = torch.testing.assert_close
near(norm.layer_norm(x, w, b), functional.layer_norm(x, (129,), w, b))
near(norm.add_rms_norm(x, r, w)[0], functional.rms_norm(x + r, (129,), w, 1e-6))
y = x[:36].reshape(4, 9, 129)
near(norm.group_norm(y, 3), functional.group_norm(y, 3))
near(activation.gelu(x), functional.gelu(x))
near(activation.gelu(x, approximate="tanh"), functional.gelu(x, approximate="tanh"))
near(activation.swiglu(x, r), functional.silu(x) * r)
low = x.bfloat16()
near(activation.gelu(low), functional.gelu(low))
near(norm.rms_norm(low), functional.rms_norm(low, (129,), None, 1e-6))
print(library.kernels() and library.kernels().level)
"""


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", **environment},
    )


@pytest.mark.parametrize("level", ["portable", "avx2", "avx512"])
def test_every_level_agrees_with_torch(compiled, level):
    done = run(AGREE, DOUGONG_KERNELS_LEVEL=level)
    if "this processor must have it" in done.stderr.replace("\n", " "):
        pytest.skip(f"this processor has no {level}")
    assert done.stdout.strip() == level, done.stderr


def test_without_the_library_torch_computes():
    hide = "from pathlib import Path; from dougong_kernels import library as it; "
    done = run(hide + "it.PATH = Path('/nowhere')\n" + AGREE)
    assert done.stdout.strip() == "None", done.stderr
    assert done.stderr.count("install a C++ compiler") == 1
