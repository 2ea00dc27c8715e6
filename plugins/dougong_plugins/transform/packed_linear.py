"""Linear layers whose weights lie as the product wants them.

Implementation: oneDNN (https://github.com/uxlfoundation/oneDNN) through the operators that torch's
own compiler uses, `mkldnn::_reorder_linear_weight` and `mkldnn::_linear_pointwise`. A plain
`nn.Linear` hands its weights over in rows, and every call turns them into tiles again, or a slower
product takes them as they are; here that is done once. The arithmetic is the same: only the order
of summation changes.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

DTYPES = (torch.float32, torch.bfloat16)
NO_BFLOAT16 = "oneDNN packs bfloat16 only where the processor has AVX-512BW or avx_ne_convert"
_READS_WEIGHTS = (nn.MultiheadAttention, nn.TransformerEncoderLayer)
"""Modules of torch that hand the weights of their linear layers to a kernel of their own."""


def can_pack(dtype: torch.dtype) -> bool:
    """Say whether this processor has packed weights of a dtype: float32 everywhere."""
    if dtype is torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return dtype in DTYPES


class PackedLinear(nn.Module):
    """A linear layer with packed weights: y = x @ weight.T + bias, over the last dimension.

    Takes the place of an `nn.Linear` in inference. `weight` unpacks; `state_dict` holds it under
    its old name, and `load_state_dict` packs again. Inputs that need a gradient or are of another
    dtype get `torch.nn.functional.linear` with the unpacked weights: right, and slow.

    Args:
        linear: Where weight and bias come from; float32 or bfloat16 on the CPU. Not changed.
    """

    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        bias: Tensor | None = linear.bias
        self.register_buffer("bias", None if bias is None else bias.detach().clone())
        self._pack(linear.weight.detach())

    def _pack(self, weight: Tensor) -> None:
        self.dtype = weight.dtype
        # Not a buffer: opaque tensors can neither be copied nor moved. It always lies on the CPU.
        self.__dict__["packed"] = torch.ops.mkldnn._reorder_linear_weight(weight, None)

    @property
    def weight(self) -> Tensor:
        """The weights in rows, (out_features, in_features), unpacked anew each time."""
        unpacked: Tensor = self.__dict__["packed"].to_dense()
        return unpacked

    def forward(self, x: Tensor) -> Tensor:
        """Return the product, of shape (*, out_features)."""
        if x.dtype != self.dtype or (torch.is_grad_enabled() and x.requires_grad):
            return functional.linear(x, self.weight, self.bias)
        y: Tensor = _product(x, self.__dict__["packed"], self.bias)
        return y

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        has_bias = self.bias is not None
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={has_bias}"

    def _apply(self, fn: Any, recurse: bool = True) -> PackedLinear:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        weight = fn(self.weight)
        if weight.dtype not in DTYPES or not weight.is_cpu:
            raise ValueError(
                f"packed weights must be float32 or bfloat16 on the cpu, got {weight.dtype} on "
                f"{weight.device}; move or convert the model first and pack then"
            )
        if not can_pack(weight.dtype):
            raise ValueError(f"{NO_BFLOAT16}; keep the packed model in float32")
        self._pack(weight)
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Return the state with plain weights, for copies and pickles."""
        state = {**self.__dict__, "plain": self.weight}
        del state["packed"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Pack again."""
        plain = state.pop("plain")
        super().__setstate__(state)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._pack(plain)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        destination[prefix + "weight"] = self.weight
        super()._save_to_state_dict(destination, prefix, keep_vars)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        weight = state_dict.pop(prefix + "weight", None)
        super()._load_from_state_dict(state_dict, prefix, *rest)
        missing = rest[2]
        if weight is None:
            missing.append(prefix + "weight")
            return
        state_dict[prefix + "weight"] = weight
        self._pack(weight.detach().to(self.dtype))


# Its weights are opaque to the tracer; and where torch.compile packs, nothing is left to gain.
@torch.compiler.disable  # type: ignore[untyped-decorator]  # torch leaves it untyped
def _product(x: Tensor, packed: Tensor, bias: Tensor | None) -> Tensor:
    y: Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")
    return y


def packed_linear(model: nn.Module, *, calibration: Any = None) -> nn.Module:
    """Return a copy of the model in which every `nn.Linear` has packed weights.

    How much that gains depends on what torch's plain product makes of the processor: for 128 rows
    and more, 1.1 to 1.5 times in float32 on a Zen 4 core and 2.2 on a Zen 5 one, where it uses a
    third of the width. In bfloat16 it gains for few rows.

    Args:
        model: In evaluation mode; float32 or bfloat16, on the CPU. Never changed.
        calibration: Ignored; nothing is measured.

    Returns:
        A deep copy for inference, other modules untouched. Weights that a layer shared, as a
        language model's head with its embedding, are its own from then on. Where the processor
        packs no bfloat16 such layers stay plain, with a warning.

    Raises:
        ValueError: the model has no `nn.Linear` that can be packed, or this torch has no oneDNN.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # torch's
        raise ValueError("packed-linear needs oneDNN, which this build of torch has not")
    if type(model) is nn.Linear and _can_be_packed(model):
        return _packed(copy.deepcopy(model))
    made = copy.deepcopy(model)
    found = sum(_pack_children(module) for module in list(made.modules()))
    if not found:
        name = type(model).__name__
        raise ValueError(f"{name} has no nn.Linear of float32 or bfloat16 on the cpu to pack")
    return made


def _packed(linear: nn.Linear) -> nn.Module:
    if can_pack(linear.weight.dtype):
        return PackedLinear(linear)
    warnings.warn(f"{NO_BFLOAT16}; here the layer stays plain", stacklevel=4)
    return linear


def _pack_children(module: nn.Module) -> int:
    if isinstance(module, _READS_WEIGHTS):
        return 0
    found = [
        (name, child)
        for name, child in module.named_children()
        if type(child) is nn.Linear and _can_be_packed(child)
    ]
    for name, child in found:
        setattr(module, name, _packed(child))
    return len(found)


def _can_be_packed(linear: nn.Linear) -> bool:
    # Hooks would be lost, and with them whatever they do.
    hooked = linear._forward_hooks or linear._forward_pre_hooks
    weight = linear.weight
    return not hooked and weight.dtype in DTYPES and weight.is_cpu and weight.numel() > 0
