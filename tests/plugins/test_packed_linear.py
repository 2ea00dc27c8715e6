"""`dougong/packed-linear`: the same answers, and a module that is still a module."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import nn
from torch.nn import functional

import dougong
from dougong_plugins.transform import packed_linear
from dougong_plugins.transform.packed_linear import PackedLinear, can_pack

BFLOAT16 = pytest.mark.skipif(
    not can_pack(torch.bfloat16), reason="this processor packs no bfloat16"
)
DTYPES = pytest.mark.parametrize(
    "dtype", [torch.float32, pytest.param(torch.bfloat16, marks=BFLOAT16)], ids=str
)


def network(dtype=torch.float32):
    torch.manual_seed(0)
    layers = (nn.Linear(48, 130), nn.GELU(), nn.Sequential(nn.Linear(130, 48, bias=False)))
    return nn.Sequential(*layers).eval().to(dtype)


def packed(model):
    return dougong.transform(model, "dougong/packed-linear")


@DTYPES
@pytest.mark.parametrize("shape", [(48,), (1, 48), (37, 48), (2, 3, 5, 48), (0, 48)])
def test_any_shape_gives_the_same_answer(dtype, shape):
    model, x = network(dtype), torch.randn(shape, dtype=dtype)
    with torch.no_grad():
        torch.testing.assert_close(packed(model)(x), model(x))


def test_strides_do_not_matter():
    model, x = network(), torch.randn(48, 9).T
    with torch.no_grad():
        torch.testing.assert_close(packed(model)(x), model(x))


@DTYPES
def test_state_copies_and_pickles_hold_the_weights_to_the_bit(dtype):
    model, x = network(dtype), torch.randn(5, 48, dtype=dtype)
    made = packed(model)
    assert list(made.state_dict()) == list(model.state_dict())
    assert all(map(torch.equal, made.state_dict().values(), model.state_dict().values()))
    file = io.BytesIO()
    torch.save(made, file)
    file.seek(0)
    with torch.no_grad():
        for again in (copy.deepcopy(made), torch.load(file, weights_only=False)):
            assert torch.equal(again(x), made(x))


def test_other_weights_can_be_loaded():
    made, other, x = packed(network()), network(), torch.randn(5, 48)
    with torch.no_grad():
        for weight in other.parameters():
            weight.mul_(0.5)
        made.load_state_dict(other.state_dict())
        torch.testing.assert_close(made(x), other(x))
        with pytest.raises(RuntimeError, match=r"0\.weight"):
            made.load_state_dict({})


def test_where_the_processor_packs_no_bfloat16_it_is_said_and_nothing_is_lost(monkeypatch):
    monkeypatch.setattr(packed_linear, "can_pack", lambda dtype: dtype is torch.float32)
    low, x = network(torch.bfloat16), torch.randn(5, 48)
    with pytest.warns(UserWarning, match=r"AVX-512BW.*stays plain"):
        plain = packed(low)
    with torch.no_grad():
        assert torch.equal(plain(x.bfloat16()), low(x.bfloat16()))
    made = packed(network())
    with pytest.raises(ValueError, match=r"AVX-512BW.*keep the packed model in float32"):
        copy.deepcopy(made).bfloat16()
    with torch.no_grad():
        torch.testing.assert_close(made(x), network()(x))


def test_a_packed_model_cannot_change_to_a_dtype_that_is_never_packed():
    with pytest.raises(ValueError, match="pack then"):
        packed(network()).half()


@BFLOAT16
def test_a_packed_model_can_change_its_dtype():
    made, x = packed(network()), torch.randn(5, 48)
    low = copy.deepcopy(made).bfloat16()
    with torch.no_grad():
        torch.testing.assert_close(low(x.bfloat16()), network(torch.bfloat16)(x.bfloat16()))


def test_a_gradient_reaches_the_input():
    model, x = network(), torch.randn(5, 48, requires_grad=True)
    expected = torch.autograd.grad(model(x).sum(), x)
    torch.testing.assert_close(torch.autograd.grad(packed(model)(x).sum(), x), expected)


def test_what_reads_weights_itself_or_has_hooks_is_left_alone():
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    model = nn.Sequential(layer, nn.Linear(16, 16), nn.Linear(16, 16)).eval()
    model[2].register_forward_hook(lambda *_: None)
    kinds = [type(module) for module in packed(model)]
    assert kinds == [nn.TransformerEncoderLayer, PackedLinear, nn.Linear]
    assert not any(isinstance(module, PackedLinear) for module in packed(model)[0].modules())


def test_a_layer_alone_and_a_model_without_one():
    layer, x = nn.Linear(8, 3).eval(), torch.randn(2, 8)
    made = packed(layer)
    torch.testing.assert_close(made(x), functional.linear(x, layer.weight, layer.bias))
    assert "in_features=8, out_features=3, bias=True" in repr(made)
    with pytest.raises(ValueError, match=r"Sequential has no nn\.Linear"):
        packed(nn.Sequential(nn.GELU()))


def test_a_compiled_function_around_it_still_runs():
    torch._dynamo.reset()
    model, x = network(), torch.randn(5, 48)
    made = packed(model)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(made, backend="eager")(x), model(x))
