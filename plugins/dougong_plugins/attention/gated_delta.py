"""The gated delta rule: token by token, and chunk by chunk.

Paper: Yang, Kautz & Hatamizadeh, "Gated Delta Networks: Improving Mamba2 with Delta Rule", 2024,
arXiv:2412.06464, eq. 10 (the rule) and sec. 3.3 (chunks, by a triangular inverse).

Differs from the paper: differences of the running gates are taken in float64, because a long chunk
that forgets fast has large sums and small differences; sums are float32 (float64 for float64).

Shape suffixes: B = batch, H = heads, T = tokens, D = size of queries and keys, V = size of values,
N = chunks, C = tokens of a chunk.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dougong_plugins.attention.gathered import blocks_of

CHUNK = 64


def gated_delta_recurrent(
    q_BHTD: Tensor,
    k_BHTD: Tensor,
    v_BHTV: Tensor,
    log_gate_BHT: Tensor,
    beta_BHT: Tensor,
    *,
    scale: float | None = None,
) -> Tensor:
    """Decay, erase and write a state token by token, and read from it; the definition.

    S_t = a_t S_{t-1} + k_t beta_t (v_t - a_t S_{t-1}^T k_t)^T with a = exp(log_gate), S_0 = 0;
    out_t = scale * S_t^T q_t.

    Args:
        q_BHTD: Queries, shape (B, H, T, D); any floating dtype, any strides.
        k_BHTD: Keys, shape (B, H, T, D); of norm 1 in use.
        v_BHTV: Values, shape (B, H, T, V).
        log_gate_BHT: Logarithm of the share of the state that is kept; finite, <= 0.
        beta_BHT: Strength of writing, in [0, 1].
        scale: Factor of what is read; 1 / sqrt(D) if None.

    Returns:
        Shape (B, H, T, V), dtype of `q_BHTD`.
    """
    q, k, v, log_gate, beta = _wide(q_BHTD, k_BHTD, v_BHTV, log_gate_BHT, beta_BHT)
    B, H, T, D = q.shape
    state_BHDV, found = q.new_zeros(B, H, D, v.shape[-1]), []
    for t in range(T):
        key_BHD1 = k[:, :, t, :, None]
        state_BHDV = log_gate[:, :, t, None, None].exp() * state_BHDV
        missing_BH1V = v[:, :, t, None] - key_BHD1.mT @ state_BHDV
        state_BHDV = state_BHDV + key_BHD1 * (beta[:, :, t, None, None] * missing_BH1V)
        found.append(q[:, :, t, None] @ state_BHDV)
    out_BHTV = torch.cat(found, dim=2) if found else torch.zeros_like(v)
    return (_factor(D, scale) * out_BHTV).to(q_BHTD.dtype)


def gated_delta(
    q_BHTD: Tensor,
    k_BHTD: Tensor,
    v_BHTV: Tensor,
    log_gate_BHT: Tensor,
    beta_BHT: Tensor,
    *,
    scale: float | None = None,
) -> Tensor:
    """`gated_delta_recurrent` in T / 64 steps of matrix products: arguments and result as there.

    Within a chunk that starts from the state S, with G_i the sum of its gates up to i and
    W_ij = exp(G_i - G_j), what is written solves (I + A) u = beta (v - exp(G) K S) with
    A = tril(beta W * K K^T, -1). The inverse is applied to both terms for all chunks at once; only
    u = u_0 - w S, the reading and the next state go from chunk to chunk.
    """
    q, k, v, log_gate, beta = _wide(q_BHTD, k_BHTD, v_BHTV, log_gate_BHT, beta_BHT)
    B, H, T, D = q.shape
    if not v_BHTV.numel():
        return torch.zeros_like(v_BHTV)
    C = min(CHUNK, T)
    q_BHNCD, k_BHNCD, v_BHNCV = (blocks_of(x, C) for x in (q, k, v))
    beta_BHNC1 = blocks_of(beta.unsqueeze(-1), C)
    sum_BHNC1 = blocks_of(log_gate.double().unsqueeze(-1), C).cumsum(3)
    later_CC = torch.ones(C, C, dtype=torch.bool, device=q.device).triu(1)
    apart_BHNCC = (sum_BHNC1 - sum_BHNC1.mT).masked_fill(later_CC, -torch.inf)
    kept_BHNCC, since_BHNC1 = apart_BHNCC.exp().to(q.dtype), sum_BHNC1.exp().to(q.dtype)
    left_BHNC1 = (sum_BHNC1[..., -1:, :] - sum_BHNC1).exp().to(q.dtype)

    erased_BHNCC = (beta_BHNC1 * kept_BHNCC * (k_BHNCD @ k_BHNCD.mT)).tril(-1)
    system_BHNCC = erased_BHNCC + torch.eye(C, dtype=q.dtype, device=q.device)
    both = torch.cat((v_BHNCV, since_BHNC1 * k_BHNCD), dim=-1)
    solved = torch.linalg.solve_triangular(
        system_BHNCC, beta_BHNC1 * both, upper=False, unitriangular=True
    )
    first_BHNCV, w_BHNCD = solved.split((v.shape[-1], D), dim=-1)
    within_BHNCC = (q_BHNCD @ k_BHNCD.mT) * kept_BHNCC
    read_BHNCD, write_BHNCD = since_BHNC1 * q_BHNCD, left_BHNC1 * k_BHNCD

    state_BHDV, found = q.new_zeros(B, H, D, v.shape[-1]), []
    for n in range(first_BHNCV.shape[2]):
        u_BHCV = first_BHNCV[:, :, n] - w_BHNCD[:, :, n] @ state_BHDV
        found.append(read_BHNCD[:, :, n] @ state_BHDV + within_BHNCC[:, :, n] @ u_BHCV)
        whole_BH11 = since_BHNC1[:, :, n, -1:]
        state_BHDV = whole_BH11 * state_BHDV + write_BHNCD[:, :, n].mT @ u_BHCV
    out_BHTV = torch.cat(found, dim=2)[:, :, :T]
    return (_factor(D, scale) * out_BHTV).to(q_BHTD.dtype)


def _wide(*tensors: Tensor) -> list[Tensor]:
    return [x.to(torch.promote_types(x.dtype, torch.float32)) for x in tensors]


def _factor(D: int, scale: float | None) -> float:
    return 1 / math.sqrt(D) if scale is None else scale
