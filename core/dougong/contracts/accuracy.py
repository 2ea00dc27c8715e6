"""Whether an output is close enough to the float64 golden: pure comparison, nothing is run here.

The primary rule is relative to a trusted implementation in the same dtype (the rule of
flash-attention's own tests): with e = |x - golden|,

    max(e_candidate) <= max_ratio * max(e_native) + floor
    rms(e_candidate) <= rms_ratio * rms(e_native) + floor
    floor = max of eps * (|golden| + offset),  offset = 0.3 * min(1, max|golden|)

The floor bounds twice the rounding of (golden + 0.3) - 0.3 in the working dtype, and shrinks with
tiny outputs. Gradients get `gradient_ratio` in place of both ratios. Beside it stand:

- Slices. A small broken row (last dimension) or head (last two) must not hide in a large tensor. A
  slice fails when its RMS error is beyond max_ratio times its own maximum native error and also,
  relative to its size, beyond twice that of the worst native slice.
- Small tensors. The largest of n native errors says little when n is small, so that bounds are
  widened by 1 + 4 / sqrt(n).
- Non-finite values. Where the golden, rounded to the working dtype, is NaN or infinite, the
  candidate must be the same, sign included; anywhere else a non-finite value fails.
- The cap. Elementwise e <= rtol * |golden| + scale * (atol + rtol * rms(row of golden)), however
  bad the native implementation is. The row term is there because an element that is small by
  cancellation has no relative accuracy in any implementation. Gradients have no cap: those that
  sum over rows lose more than any fixed one allows (torch's bfloat16 gradient of a norm's weight
  is 3 to 5 % off), so that the native error is all there is to go by.

In float64 the golden is no better than a good candidate, so only the non-finite rule and the cap
apply, to gradients too. An approximate contract (`max_relative_l2`) is held to
||x - golden|| / ||golden|| and to the non-finite rule only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from dougong.contracts.definition import Workload


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far from the float64 golden a candidate may be.

    The ratios, the cap (values of `torch.testing.assert_close`) and the rules they enter are
    explained at the top of this module. An approximate contract sets `max_relative_l2`, which
    replaces all of this.
    """

    max_ratio: float = 2.0
    rms_ratio: float = 1.5
    gradient_ratio: float = 3.0
    cap: Mapping[str, tuple[float, float]] = dataclasses.field(
        default_factory=lambda: {
            "float64": (1e-7, 1e-7),
            "float32": (1.3e-6, 1e-5),
            "bfloat16": (1.6e-2, 1e-5),
            "float16": (1e-3, 1e-5),
        }
    )
    """dtype -> (rtol, atol); contracts that reduce over K elements scale atol in `cap_scale`."""
    cap_scale: Callable[[Workload], float] | None = None
    max_relative_l2: float | None = None
    """For approximate contracts only: ||x - golden|| / ||golden|| must not exceed it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What `compare` found. Errors are absolute; `reason` is empty when it passed."""

    max_error: float
    rms_error: float
    native_max_error: float
    native_rms_error: float
    bound: float
    """What `max_error` had to stay under; for an approximate contract, what `relative_l2` had."""
    relative_l2: float
    passed: bool
    reason: str = ""


def compare(
    candidate: Tensor,
    native: Tensor | Sequence[Tensor],
    golden: Tensor,
    *,
    tolerance: Tolerance,
    dtype: torch.dtype,
    scale: float = 1.0,
    gradient: bool = False,
) -> Comparison:
    """Judge one output of one call.

    Args:
        candidate: What the operator returned, any device.
        native: The same output of a trusted implementation in the working dtype, or of several;
            the worst of them sets the bar, so that one lucky exact result does not make it zero.
        golden: The reference in float64 on the exact values of the inputs.
        tolerance: The contract's.
        dtype: Working dtype; the candidate must have it.
        scale: `tolerance.cap_scale(workload)`, or 1.
        gradient: Compare a gradient: `gradient_ratio` applies, and no cap below float64.

    Returns:
        The errors, the bound and, where it failed, the rule and the value in one line. A wrong
        shape, dtype or non-finite value gives infinite errors.
    """
    if wrong := _misfit(candidate, golden, dtype):
        return _refusal(wrong)
    natives = [native] if isinstance(native, Tensor) else list(native)
    if unfit := next((w for n in natives if (w := _misfit(n, golden, n.dtype))), None):
        return _refusal(f"native: {unfit}")
    expected = golden.detach().cpu().to(dtype)
    value = candidate.detach().cpu()
    if wrong := _non_finite(value, expected):
        return _refusal(wrong)
    finite = expected.isfinite()
    gold = torch.where(finite, golden.detach().cpu().double(), 0.0)
    error = _error(value, gold, finite)
    native_errors = [_error(n.detach().cpu(), gold, finite) for n in natives]
    reason, bound = _verdict(error, native_errors, gold, tolerance, dtype, scale, gradient)
    return Comparison(
        max_error=_largest(error),
        rms_error=_rms(error),
        native_max_error=max(map(_largest, native_errors), default=0.0),
        native_rms_error=max(map(_rms, native_errors), default=0.0),
        bound=bound,
        relative_l2=_relative_l2(error, gold),
        passed=not reason,
        reason=reason,
    )


def floor(golden: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the rounding that any implementation in `dtype` may add, elementwise."""
    if golden.numel() == 0:
        return golden.abs()
    return torch.finfo(dtype).eps * (golden.abs() + 0.3 * golden.abs().amax().clamp(max=1.0))


def _verdict(
    error: Tensor,
    native_errors: list[Tensor],
    gold: Tensor,
    tolerance: Tolerance,
    dtype: torch.dtype,
    scale: float,
    gradient: bool,
) -> tuple[str, float]:
    """Return (reason or empty, bound)."""
    if tolerance.max_relative_l2 is not None:
        found, limit = _relative_l2(error, gold), tolerance.max_relative_l2
        return ("" if found <= limit else _over("relative L2 error", found, limit)), limit
    widen = tolerance.gradient_ratio if gradient else 1.0
    rtol, atol = (widen * part for part in tolerance.cap[str(dtype).removeprefix("torch.")])
    cap = rtol * gold.abs() + scale * (atol + rtol * _row_rms(gold))
    native = torch.stack(native_errors).amax(0) if native_errors else torch.zeros_like(gold)
    ulps = floor(gold, dtype)
    few = 1 + 4 / max(gold.numel(), 1) ** 0.5
    max_ratio = tolerance.gradient_ratio if gradient else tolerance.max_ratio
    rms_ratio = tolerance.gradient_ratio if gradient else tolerance.rms_ratio
    bound = few * (max_ratio * _largest(native) + _largest(ulps))
    if dtype == torch.float64:
        bound = _largest(cap)
    capped = not gradient or dtype == torch.float64
    reason = ""
    if capped and bool((error > cap).any()):
        worst = int((error - cap).argmax())
        reason = _over("error", float(error.flatten()[worst]), float(cap.flatten()[worst]))
        reason += f" (the cap, at flat index {worst})"
    elif dtype == torch.float64:
        pass
    elif _largest(error) > bound:
        reason = _over("maximum error", _largest(error), bound)
    elif _rms(error) > (limit := few * (rms_ratio * _rms(native) + _largest(ulps))):
        reason = _over("RMS error", _rms(error), limit)
    else:
        reason = _broken_slice(error, native, ulps, gold, few * max_ratio, torch.finfo(dtype).eps)
    return reason, bound


def _broken_slice(
    error: Tensor, native: Tensor, ulps: Tensor, gold: Tensor, ratio: float, eps: float
) -> str:
    """Return the reason if the error of a row or head is beyond what its size excuses."""
    for name, depth in (("row", 1), ("head", 2)):
        if gold.ndim <= depth or gold.numel() == 0:
            continue
        mine, size = _slice_rms(error, depth), _slice_rms(gold, depth)
        theirs = native.flatten(-depth).amax(-1)
        own = ratio * theirs + ulps.flatten(-depth).amax(-1)
        size = size.clamp_min(eps * _largest(gold))
        anyones = (2 * ratio * (theirs / size).nan_to_num(0.0).amax() + 4 * eps) * size
        excess = mine - torch.maximum(own, anyones)
        if bool((excess > 0).any()):
            worst = int(excess.argmax())
            limit = float(torch.maximum(own, anyones).flatten()[worst])
            return f"{name} {worst}: " + _over("RMS error", float(mine.flatten()[worst]), limit)
    return ""


def _misfit(value: object, golden: Tensor, dtype: torch.dtype) -> str:
    if not isinstance(value, Tensor):
        return f"output must be a tensor, got {type(value).__name__}"
    if value.shape != golden.shape:
        return f"output shape must be {tuple(golden.shape)}, got {tuple(value.shape)}"
    if value.dtype != dtype:
        return f"output dtype must be {dtype}, got {value.dtype}"
    return ""


def _non_finite(value: Tensor, expected: Tensor) -> str:
    wrong = ~value.isfinite() | ~expected.isfinite()
    wrong &= ~((value == expected) | (value.isnan() & expected.isnan()))
    if not bool(wrong.any()):
        return ""
    at = int(wrong.flatten().to(torch.uint8).argmax())
    return (
        f"non-finite values must be exactly the golden's: expected {expected.flatten()[at].item()}"
        f" at flat index {at}, got {value.flatten()[at].item()}"
    )


def _refusal(reason: str) -> Comparison:
    infinite = float("inf")
    return Comparison(
        max_error=infinite,
        rms_error=infinite,
        native_max_error=0.0,
        native_rms_error=0.0,
        bound=0.0,
        relative_l2=infinite,
        passed=False,
        reason=reason,
    )


def _over(what: str, value: float, limit: float) -> str:
    return f"{what} must be <= {limit:.3g}, got {value:.3g}"


def _error(value: Tensor, gold: Tensor, finite: Tensor) -> Tensor:
    error = (value.double() - gold).abs()
    return torch.where(finite & error.isfinite(), error, 0.0)


def _largest(error: Tensor) -> float:
    return float(error.abs().max()) if error.numel() else 0.0


def _rms(error: Tensor) -> float:
    return float(error.square().mean().sqrt()) if error.numel() else 0.0


def _relative_l2(error: Tensor, gold: Tensor) -> float:
    found, size = float(error.norm()), float(gold.norm())
    return found / size if size else (0.0 if found == 0 else float("inf"))


def _row_rms(gold: Tensor) -> Tensor:
    if gold.ndim == 0 or gold.numel() == 0:
        return gold.abs()
    return gold.square().mean(-1, keepdim=True).sqrt()


def _slice_rms(value: Tensor, depth: int) -> Tensor:
    return value.flatten(-depth).square().mean(-1).sqrt()
