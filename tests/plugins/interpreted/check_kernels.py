"""The Triton kernels beside their definitions: any shape, layout and mask, in the interpreter."""

from __future__ import annotations

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dougong_plugins.activation.gelu import gelu
from dougong_plugins.activation.silu import silu
from dougong_plugins.activation.squared_relu import squared_relu
from dougong_plugins.activation.swiglu import swiglu
from dougong_plugins.attention.sparse_topk import sparse_topk_reference
from dougong_plugins.attention.standard import standard
from dougong_plugins.norm.layer import layer_norm
from dougong_plugins.norm.rms import rms_norm
from dougong_plugins.triton import attention, pointwise, rows

# Where a device gives infinity, numpy warns as well.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
DTYPES = st.sampled_from([torch.float32, torch.bfloat16, torch.float16])
SIZES = st.integers(0, 7)
few = settings(max_examples=10, deadline=None, phases=[Phase.generate])


def drawn(shape, seed, dtype, transposed=False):
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=source).to(dtype)
    x = x.mT.contiguous().mT if transposed and x.ndim > 1 else x
    return x.requires_grad_()


def agree(fast, definition, tensors):
    """Hold values and gradients to the definition's in float64, by the dtype's rounding."""
    dtype = tensors[0].dtype
    found = fast(*tensors)
    wide = [x.detach().double().requires_grad_() for x in tensors]
    expected = definition(*wide)
    flowing = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    mine = torch.autograd.grad(found, tensors, flowing)
    theirs = torch.autograd.grad(expected, wide, flowing.double())
    eps = torch.finfo(dtype).eps
    for one, other in zip((found, *mine), (expected, *theirs), strict=True):
        assert one.dtype == dtype
        size = float(other.detach().abs().max()) if other.numel() else 0.0
        torch.testing.assert_close(one.double(), other, rtol=0, atol=30 * eps * (size + 1))


@few
@given(SIZES, st.integers(1, 70), DTYPES, st.booleans(), st.integers(0, 99))
def test_norms(count, features, dtype, transposed, seed):
    x = drawn((2, count, features), seed, dtype, transposed)
    weight, bias = (drawn((features,), seed + i, dtype) for i in (1, 2))
    agree(lambda *a: rows.rms_norm(*a, eps=1e-3), lambda *a: rms_norm(*a, eps=1e-3), (x, weight))
    agree(
        lambda *a: rows.layer_norm(*a, eps=1e-3),
        lambda *a: layer_norm(*a, eps=1e-3),
        (x, weight, bias),
    )
    agree(lambda x: rows.layer_norm(x, eps=1e-3), lambda x: layer_norm(x, eps=1e-3), (x,))


@few
@given(SIZES, st.integers(1, 40), DTYPES, st.booleans(), st.integers(0, 99))
def test_activations(count, columns, dtype, transposed, seed):
    x, up = (drawn((count, columns), seed + i, dtype, transposed) for i in (0, 1))
    for approximate in ("none", "tanh"):
        agree(
            lambda x, a=approximate: pointwise.gelu(x, approximate=a),
            lambda x, a=approximate: gelu(x, approximate=a),
            (x,),
        )
    agree(pointwise.silu, silu, (x,))
    agree(pointwise.squared_relu, squared_relu, (x,))
    agree(pointwise.swiglu, swiglu, (x, up))


def mask_of(kind, B, H, T, S, seed):
    source = torch.Generator().manual_seed(seed)
    if kind == "padding":
        return torch.arange(S) < torch.randint(0, S + 1, (B, 1, 1, 1), generator=source)
    if kind == "boolean":  # now and then a query sees nothing
        return torch.rand(B, H, T, S, generator=source) < 0.3
    return torch.randn(T, S, generator=source) if kind == "added" else None


MASKS = st.sampled_from(["none", "padding", "boolean", "added"])


@few
@given(
    sizes=st.tuples(st.integers(1, 70), st.integers(1, 50), st.integers(1, 20), st.integers(1, 20)),
    heads=st.sampled_from([(1, 1), (2, 2), (4, 2), (3, 1)]),
    kind=MASKS,
    is_causal=st.booleans(),
    dtype=DTYPES,
    transposed=st.booleans(),
    seed=st.integers(0, 99),
)
def test_exact_attention(sizes, heads, kind, is_causal, dtype, transposed, seed):
    T, S, D, V = sizes
    H, K = heads
    shapes = ((2, H, T, D), (2, K, S, D), (2, K, S, V))
    q, k, v = (drawn(shape, seed + i, dtype, transposed) for i, shape in enumerate(shapes))
    mask = mask_of(kind, 2, H, T, S, seed)
    arguments = {"mask": mask, "is_causal": is_causal}
    agree(
        lambda *a: attention.attention(*a, **arguments),
        lambda *a: standard(*a, **arguments),
        (q, k, v),
    )


@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(
    st.integers(1, 150),
    st.integers(200, 400),
    st.sampled_from([(2, 2), (2, 1)]),
    MASKS,
    st.booleans(),
)
def test_block_sparse_attention(T, S, heads, kind, is_causal):
    H, K = heads
    shapes = ((1, H, T, 16), (1, K, S, 16), (1, K, S, 16))
    q, k, v = (drawn(shape, 3 + i, torch.float32).detach() for i, shape in enumerate(shapes))
    arguments = {"mask": mask_of(kind, 1, H, T, S, 5), "is_causal": is_causal}
    found = attention.block_sparse(q, k, v, **arguments)
    torch.testing.assert_close(found, sparse_topk_reference(q, k, v, **arguments))


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda x: rows.rms_norm(x.double()), TypeError, "float32, bfloat16 or float16"),
        (lambda x: rows.rms_norm(x, torch.ones(4).half()), TypeError, "must all be"),
        (lambda x: rows.layer_norm(x.new_zeros(1, 65537)), ValueError, "at most 65536"),
        (lambda x: pointwise.swiglu(x, x[:1]), ValueError, "one shape"),
        (lambda x: pointwise.gelu(x, approximate="erf"), ValueError, "'none' or 'tanh'"),
        (
            lambda x: attention.attention(*(x.expand(1, n, 3, 4) for n in (3, 2, 2))),
            ValueError,
            "key heads must divide",
        ),
    ],
)
def test_what_a_kernel_cannot_read_is_an_error_that_names_the_value(call, error, said):
    with pytest.raises(error, match=said):
        call(torch.randn(3, 4))
