"""The task models: tiny transformers whose attention is handed in from outside.

A model computes everything but attention itself; each layer hands queries, keys and values to the
caller's `attend`. The judge gives it the exact reference, or a function that asks the sandbox.

Positions are rotated into half of each head (Su et al., 2021, arXiv:2104.09864), products grow with
the logarithm of the keys in sight, so that attention stays as sharp over 4096 keys as over 64
(Nakanishi, 2025, arXiv:2501.19399), and each token brings the one before it along, as the short
convolutions of current models do (Arora et al., 2023, arXiv:2312.04927): what is asked of attention
is to find things, not to learn where the neighbour is.

Shape suffixes: B = batch, T = tokens, W = width, H = heads, D = per-head size, V = vocabulary.
"""

from __future__ import annotations

import dataclasses
import io
import math
from importlib import resources
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional


class Attend(Protocol):
    """What a layer calls to mix its values."""

    def __call__(
        self, q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor, *, mask: Tensor | None
    ) -> Tensor:
        """Return the mixed values, (B, H, T, D); `mask` is boolean, (B, 1, 1, T), or None."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spec:
    """The sizes of a task model."""

    name: str
    vocabulary: int
    layers: int
    head_size: int
    is_causal: bool
    is_rotary: bool
    heads: int = 2
    width: int = 64


LM = Spec(name="lm", vocabulary=128, layers=3, head_size=32, is_causal=True, is_rotary=True)
"""Continues English text, byte by byte."""
FINDER = Spec(
    name="finder", vocabulary=256, layers=2, head_size=32, is_causal=True, is_rotary=False
)
"""Recalls, copies and finds needles, reading from left to right."""
READER = Spec(
    name="reader", vocabulary=256, layers=2, head_size=64, is_causal=False, is_rotary=False
)
"""Recalls and finds needles with the whole sequence in sight, padding left out."""
SPECS = (LM, FINDER, READER)


class Layer(nn.Module):
    """Pre-norm attention and MLP with residuals."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        inner = spec.heads * spec.head_size
        self.heads, self.is_rotary = spec.heads, spec.is_rotary
        self.norm1, self.norm2 = nn.RMSNorm(spec.width), nn.RMSNorm(spec.width)
        self.qkv = nn.Linear(spec.width, 3 * inner, bias=False)
        self.out = nn.Linear(inner, spec.width, bias=False)
        self.up = nn.Linear(spec.width, 2 * spec.width, bias=False)
        self.down = nn.Linear(2 * spec.width, spec.width, bias=False)

    def forward(
        self, x_BTW: Tensor, attend: Attend, sight_T1: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Add what attention and the MLP make of the normed input."""
        B, T, _ = x_BTW.shape
        qkv = self.qkv(self.norm1(x_BTW)).view(B, T, 3, self.heads, -1)
        q_BHTD, k_BHTD, v_BHTD = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        if self.is_rotary:
            q_BHTD, k_BHTD = _rotated(q_BHTD), _rotated(k_BHTD)
        mixed_BHTD = attend(
            (q_BHTD * sight_T1).contiguous(), k_BHTD.contiguous(), v_BHTD.contiguous(), mask=mask
        )
        x_BTW = x_BTW + self.out(mixed_BHTD.transpose(1, 2).reshape(B, T, -1))
        y: Tensor = x_BTW + self.down(functional.gelu(self.up(self.norm2(x_BTW))))
        return y


class TaskModel(nn.Module):
    """Tokens to logits of the next (or asked) token."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        self.here = nn.Embedding(spec.vocabulary, spec.width)
        self.before = nn.Embedding(spec.vocabulary, spec.width)
        self.layers = nn.ModuleList(Layer(spec) for _ in range(spec.layers))
        self.norm = nn.RMSNorm(spec.width)
        self.head = nn.Linear(spec.width, spec.vocabulary, bias=False)

    def forward(self, tokens_BT: Tensor, attend: Attend, mask: Tensor | None = None) -> Tensor:
        """Return logits, shape (B, T, V).

        Args:
            tokens_BT: int64, below the vocabulary.
            attend: Mixes the values of every layer; knows whether it is causal.
            mask: Keys that are no padding: boolean, (B, 1, 1, T), or None for all.
        """
        T = tokens_BT.shape[1]
        before_BTW = functional.pad(self.before(tokens_BT), (0, 0, 1, 0))[:, :T]
        x_BTW = self.here(tokens_BT) + before_BTW
        sight_T1 = self._sight(T)
        for layer in self.layers:
            x_BTW = layer(x_BTW, attend, sight_T1, mask)
        logits_BTV: Tensor = self.head(self.norm(x_BTW))
        return logits_BTV

    def _sight(self, T: int) -> Tensor:
        """Return the factor of each query: 1 where it sees 128 keys, more where it sees more."""
        if self.spec.is_causal:
            seen_T = torch.arange(1, T + 1, dtype=torch.float32)
        else:
            seen_T = torch.full((T,), float(T))
        return ((1 + seen_T).log() / math.log(128)).unsqueeze(1)


def _rotated(x_BHTD: Tensor) -> Tensor:
    """Rotate pairs of the first half of each head by an angle that grows with the position."""
    T, D = x_BHTD.shape[2:]
    count = D // 4
    turn_F = 10_000.0 ** -(torch.arange(count, dtype=torch.float32) / count)
    angle_TF = torch.arange(T, dtype=torch.float32).unsqueeze(1) * turn_F
    cos_TF, sin_TF = angle_TF.cos(), angle_TF.sin()
    one, two, rest = x_BHTD[..., :count], x_BHTD[..., count : 2 * count], x_BHTD[..., 2 * count :]
    turned = (one * cos_TF - two * sin_TF, one * sin_TF + two * cos_TF, rest)
    return torch.cat(turned, dim=-1)


def packed(model: nn.Module) -> bytes:
    """Return the weights of a model as an .npz of float16 arrays."""
    file = io.BytesIO()
    arrays = {name: w.detach().half().numpy() for name, w in model.state_dict().items()}
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def trained(spec: Spec) -> TaskModel:
    """Return a trained model of the installed release, in float32 and evaluation mode."""
    file = resources.files("dougong_ci.quality") / "weights" / f"{spec.name}.npz"
    with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as arrays:
        state = {name: torch.from_numpy(arrays[name]).float() for name in arrays.files}
    model = TaskModel(spec)
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)
