"""Models that have learnt something, and inputs like those they learnt it from.

A network with random weights answers almost anything; one that was trained has weights of very
different sizes, and logits that decide. Three are shipped, in the architectures of
`dougong.contracts.backend.models`, with held-out results as written down when they were trained:

    text-mlp          next byte of English text from the last eight         1.59 nats a byte
    text-transformer  next byte from up to 64 before it, causal             1.82 nats a byte
    digits-conv       handwritten digits, 10 classes                        98.9 % right

`python -m dougong_ci.quality.train_backends` made them, from text that comes with Python and from
scikit-learn's digits. The table of byte vectors is fixed, and stands outside of the text models: a
backend is given numbers. Weights are kept in float16 and are used in the dtype of the workload;
their files are held by hash, so that the digest of a contract covers them.

Shape suffixes as in `dougong.contracts.backend.models`; L = bytes of a context, V = size of a
byte's vector.
"""

from __future__ import annotations

import functools
import hashlib
import math
from importlib import resources
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from dougong.contracts.backend import models
from dougong.contracts.definition import Case, Workload
from dougong.contracts.sampling import Shape, generator, lay
from dougong.errors import ContractError

CONTEXT = 8
"""Bytes that the text MLP sees."""
BYTES = 128
SIDE = 16
"""Pixels along an edge of a digit."""

SIZES: dict[str, dict[str, Any]] = {
    "text-mlp": {"model": "mlp", "width": 128, "depth": 2, "classes": BYTES},
    "text-transformer": {"model": "transformer", "width": 96, "depth": 2, "classes": BYTES},
    "digits-conv": {"model": "conv", "width": 32, "depth": 3, "classes": 10},
}
_KINDS: dict[str, type[nn.Module]] = {
    "mlp": models.Mlp,
    "transformer": models.Transformer,
    "conv": models.ConvNet,
}
_SHA256 = {
    "text-mlp": "3ae7d4d03b2e5f196906328ab18ccbc84c234a3acb5d4419018f05609647dbf5",
    "text-transformer": "ddca63e17c01cef22dd899e11f81c5439d87a2aa97de7a407cb03329ee284ead",
    "digits-conv": "63edd4125aeaf491ca6675715dc8d6facaa37747887863abc9baa6ffd5b15ec7",
}
# Common bytes of English first; the n-th is drawn n + 1 times less often than the first.
_LETTERS = " etaoinshrdlucmfwypvbgkqjxz,.'-ETAOINS\n0123456789()"


def untrained(name: str) -> nn.Module:
    """Return a model with the weights that torch begins with."""
    sizes = SIZES[name]
    return _KINDS[sizes["model"]](sizes["width"], sizes["depth"], sizes["classes"])


@functools.cache
def weights(name: str) -> dict[str, Tensor]:
    """Return the trained weights of a model in float64.

    Raises:
        ContractError: the file is not the one that was released.
    """
    file = resources.files("dougong.contracts.backend") / "weights" / f"{name}.f16"
    data = bytearray(file.read_bytes())
    if (found := hashlib.sha256(data).hexdigest()) != _SHA256[name]:
        raise ContractError(
            f"weights/{name}.f16 must have sha256 {_SHA256[name]}, got {found}; reinstall dougong"
        )
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in untrained(name).state_dict().items()}
    flat = torch.frombuffer(data, dtype=torch.float16).double()
    parts = torch.split(flat, [shape.numel() for shape in shapes.values()])
    return {key: part.view(shape) for (key, shape), part in zip(shapes.items(), parts, strict=True)}


def packed(model: nn.Module) -> bytes:
    """Return the weights of a model as they are kept: float16, one after the other."""
    flat = torch.cat([weight.detach().flatten().half() for weight in model.state_dict().values()])
    return flat.numpy().tobytes()


def table(size: int) -> Tensor:
    """Return the fixed vector of every byte, (BYTES, size), of unit variance."""
    return torch.randn(BYTES, size, generator=generator(0, "bytes"), dtype=torch.float64)


def embedded(bytes_BT: Tensor, model: str) -> Tensor:
    """Return bytes below 128 as a text model takes them, in float64.

    The transformer takes (B, T, C), a vector a byte; the MLP takes (B, C), the eight bytes of a
    context one after the other.
    """
    width = int(SIZES[model]["width"])
    if model == "text-transformer":
        return table(width)[bytes_BT]
    return table(width // CONTEXT)[bytes_BT].flatten(1)


def pixels(digits_BXY: Tensor) -> Tensor:
    """Return pictures in [0, 1] as the conv net takes them, (B, 3, SIDE, SIDE), in float64."""
    wide = functional.interpolate(
        digits_BXY.double().unsqueeze(1), (SIDE, SIDE), mode="bilinear", align_corners=False
    )
    return wide.expand(-1, 3, -1, -1).contiguous()


def generate(work: Workload, seed: int, dtype: torch.dtype) -> Case:
    """Move the trained weights a little (setup) and draw an input x such as the model knows.

    So that nobody has seen them, each is moved by about 1 %; what is right stays right.
    """
    name, shape = str(work.params["trained"]), models.shape_of(work)
    setup = {
        key: moved(value, generator(seed, work.name, key)).to(dtype)
        for key, value in weights(name).items()
    }
    x = _drawn(name, shape, generator(seed, work.name, "x")).to(dtype)
    static: dict[str, Any] = {**SIZES[name], "input": list(shape), "trained": name}
    return Case(tensors={"x": lay(x, work.layout)}, static=static, setup=setup)


def moved(weight: Tensor, source: Generator) -> Tensor:
    """Return a weight times 1 plus a hundredth of a normal number, element by element."""
    return weight * (1 + 0.01 * torch.randn(weight.shape, generator=source, dtype=weight.dtype))


def _drawn(name: str, shape: Shape, source: Generator) -> Tensor:
    """Return letters as often as English has them, or a few strokes as a picture."""
    if name == "digits-conv":
        coarse = torch.rand(shape[0], 5, 5, generator=source, dtype=torch.float64)
        strokes = (2.5 * (coarse - 0.4)).clamp(0, 1)
        return pixels(functional.interpolate(strokes.unsqueeze(1), (8, 8), mode="bilinear")[:, 0])
    rank = torch.arange(len(_LETTERS), dtype=torch.float64)
    length = shape[1] if name == "text-transformer" else CONTEXT
    drawn = torch.multinomial(1 / (rank + 1), shape[0] * length, True, generator=source)
    letters = torch.tensor([ord(letter) for letter in _LETTERS])
    return embedded(letters[drawn].view(shape[0], length), name)


def workload(name: str, rows: int, tokens: int = 0, **rest: object) -> Workload:
    """Return a workload of one trained model.

    Args:
        name: One of `SIZES`.
        rows: Batch size.
        tokens: Of the transformer.
        **rest: As in `dougong.contracts.backend.models.workload`.
    """
    sizes = SIZES[name]
    shapes: dict[str, Shape] = {
        "text-mlp": (rows, int(sizes["width"])),
        "text-transformer": (rows, tokens, int(sizes["width"])),
        "digits-conv": (rows, 3, SIDE, SIDE),
    }
    made = models.workload(
        f"{name}-{math.prod((rows, tokens or 1))}",
        str(sizes["model"]),
        shapes[name],
        int(sizes["width"]),
        int(sizes["depth"]),
    )
    params = {**made.params, "classes": int(sizes["classes"]), "trained": name}
    return Workload(name=made.name, params=params, **rest)  # type: ignore[arg-type] # checked by dataclass field names
