"""Attention by a kernel feature map: linear in the number of keys.

Paper: Katharopoulos et al., "Transformers are RNNs: Fast Autoregressive Transformers with Linear
Attention", 2020, arXiv:2006.16236, eq. 4 to 7, with its feature map phi(x) = elu(x) + 1 or another.
Differs from the paper: a `scale` other than the usual 1 / sqrt(D) is shared out, relative to it, as
its square root on queries and keys; sums run in float32 (float64 for float64 inputs), causal sums
go chunk by chunk, and masks are handled.

Shape suffixes: B = batch, H = query heads, K = key heads, R = query heads per key head,
T = queries, S = keys, D = head size = features, V = value size + 1, N = chunks, C = queries and
keys of a chunk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from dougong_plugins.attention.gathered import blocks_of
from dougong_plugins.attention.visibility import added_to

CHUNK = 64


def elu_features(x: Tensor) -> Tensor:
    """Return elu(x) + 1: positive, linear for large x (arXiv:2006.16236, eq. 7)."""
    return functional.elu(x) + 1


def relu_features(x: Tensor) -> Tensor:
    """Return max(x, 0): what points away from a query is not seen at all (arXiv:2103.13076)."""
    return functional.relu(x)


def softmax_features(x: Tensor) -> Tensor:
    """Return the softmax over x and -x: twice the features, sharp as the exponential is.

    Zhang et al., "The Hedgehog & the Porcupine", 2024, arXiv:2402.04347, eq. 6, without its learned
    projection.
    """
    return torch.cat((x, -x), dim=-1).softmax(-1)


FEATURE_MAPS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "elu": elu_features,
    "relu": relu_features,
    "softmax": softmax_features,
}


def linear_reference(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    feature_map: str = "elu",
) -> Tensor:
    """`linear` with every similarity written out, T * S of them; the definition.

    out_i = sum_j w_ij v_j / sum_j w_ij over the visible keys, with
    w_ij = phi(c q_i) . phi(c k_j) * exp(mask_ij) and c = sqrt(scale * sqrt(D)), 1 by default.
    """
    phi_q, phi_k = (_features(x, scale, feature_map) for x in (q_BHTD, k_BKSD))
    repeats = q_BHTD.shape[1] // k_BKSD.shape[1]
    log_mask = added_to(
        phi_q.new_zeros(*phi_q.shape[:3], phi_k.shape[2]), mask, is_causal=is_causal
    )
    # Any factor common to a row cancels; its maximum is taken out so that exp cannot overflow.
    if log_mask.shape[-1]:
        log_mask = log_mask - log_mask.detach().amax(-1, keepdim=True).clamp(min=-1e30)
    weight_BHTS = phi_q @ phi_k.repeat_interleave(repeats, dim=1).mT * log_mask.exp()
    total_BHT1 = weight_BHTS.sum(-1, keepdim=True)
    v_BHSD = v_BKSD.to(phi_k.dtype).repeat_interleave(repeats, dim=1)
    out_BHTD = weight_BHTS @ v_BHSD / total_BHT1.masked_fill(total_BHT1 == 0, 1)
    return out_BHTD.to(q_BHTD.dtype)


def linear(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    feature_map: str = "elu",
) -> Tensor:
    """Average the values by a similarity that splits into features of query and key.

    See `linear_reference` for the formula. Work is (T + S) * D * Dv a head, and T * C more under
    `is_causal`. A boolean mask that is the same for every query (padding) keeps that; any other
    mask is applied to the similarities one by one, T * S of them. It is not the softmax: a model
    trained with softmax attention needs training with this one.

    Args:
        q_BHTD: Queries, shape (B, H, T, D).
        k_BKSD: Keys, shape (B, K, S, D), K a divisor of H.
        v_BKSD: Values, shape (B, K, S, Dv).
        mask: As in `standard`; a floating-point mask multiplies the similarity by its exponential.
        is_causal: As in `standard`.
        scale: As in `standard`; must be positive.
        feature_map: One of `FEATURE_MAPS`.

    Returns:
        Shape (B, H, T, Dv), dtype of `q_BHTD`; zeros for a query that sees no key.

    Raises:
        ValueError: `scale` is not positive, or there is no such feature map.
    """
    if mask is not None:
        mask = mask[(None,) * (4 - mask.ndim)]
        if mask.dtype != torch.bool or mask.shape[1] > 1 or mask.shape[2] > 1:
            return linear_reference(
                q_BHTD,
                k_BKSD,
                v_BKSD,
                mask=mask,
                is_causal=is_causal,
                scale=scale,
                feature_map=feature_map,
            )
    B, H, T, _ = q_BHTD.shape
    K, S = k_BKSD.shape[1:3]
    phi_q, phi_k = (_features(x, scale, feature_map) for x in (q_BHTD, k_BKSD))
    q_BKRTD = phi_q.reshape(B, K, H // K, T, phi_q.shape[-1])
    if mask is not None:
        phi_k = phi_k * mask.expand(-1, -1, -1, S).to(phi_k.dtype).mT
    # A value of 1 beside the others sums the weights themselves.
    v_BKSV = functional.pad(v_BKSD.to(phi_k.dtype), (0, 1), value=1.0)
    if is_causal and T > 1:
        sums = _causal_sums(q_BKRTD, phi_k, v_BKSV)
    else:
        sums = q_BKRTD @ (phi_k.mT @ v_BKSV).unsqueeze(2)
    total = sums[..., -1:]
    out = sums[..., :-1] / total.masked_fill(total == 0, 1)
    return out.reshape(B, H, T, out.shape[-1]).to(q_BHTD.dtype)


def linear_softmax(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """`linear` with the feature map `softmax`: arguments and result as there."""
    return linear(
        q_BHTD,
        k_BKSD,
        v_BKSD,
        mask=mask,
        is_causal=is_causal,
        scale=scale,
        feature_map="softmax",
    )


def linear_softmax_reference(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """`linear_reference` with the feature map `softmax`; the definition."""
    return linear_reference(
        q_BHTD,
        k_BKSD,
        v_BKSD,
        mask=mask,
        is_causal=is_causal,
        scale=scale,
        feature_map="softmax",
    )


def _features(x: Tensor, scale: float | None, feature_map: str) -> Tensor:
    """Return the features of c * x in float32 or wider, with c = 1 at the softmax's usual scale."""
    if scale is not None and scale <= 0:
        raise ValueError(f"scale must be positive for a feature map, got {scale}")
    if feature_map not in FEATURE_MAPS:
        known = ", ".join(FEATURE_MAPS)
        raise ValueError(f"feature_map must be one of {known}, got {feature_map!r}")
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    if scale is not None:
        wide = wide * math.sqrt(scale * math.sqrt(x.shape[-1]))
    return FEATURE_MAPS[feature_map](wide)


def _causal_sums(q_BKRTD: Tensor, k_BKSD: Tensor, v_BKSV: Tensor) -> Tensor:
    """Return for each query the weighted sum of values over keys j <= i + S - T."""
    B, K, R, T, D = q_BKRTD.shape
    S = k_BKSD.shape[2]
    # The last min(T, S) queries pair off with as many keys; earlier keys are seen by all of these
    # queries, earlier queries see nothing.
    paired = min(T, S)
    start_BK1DV = (k_BKSD[:, :, : S - paired].mT @ v_BKSV[:, :, : S - paired]).unsqueeze(2)
    q = q_BKRTD[:, :, :, T - paired :].reshape(B, K * R, paired, D)
    C = min(CHUNK, paired) or 1
    blocks = blocks_of(q, C)
    q_BKRNCD = blocks.view(B, K, R, *blocks.shape[2:])
    k_BKNCD = blocks_of(k_BKSD[:, :, S - paired :], C)
    v_BKNCV = blocks_of(v_BKSV[:, :, S - paired :], C)
    chunk_BKNDV = k_BKNCD.mT @ v_BKNCV
    # An exclusive sum: subtracting a chunk from its own running sum would leak it by rounding.
    before_BKNDV = start_BK1DV + functional.pad(
        chunk_BKNDV[:, :, :-1].cumsum(2), (0, 0, 0, 0, 1, 0)
    )
    within = (q_BKRNCD @ k_BKNCD.unsqueeze(2).mT).tril() @ v_BKNCV.unsqueeze(2)
    sums = (q_BKRNCD @ before_BKNDV.unsqueeze(2) + within).flatten(3, 4)[:, :, :, :paired]
    return functional.pad(sums, (0, 0, T - paired, 0))
