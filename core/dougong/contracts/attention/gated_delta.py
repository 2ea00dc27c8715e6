"""The gated delta rule, exact: `attention.gated_delta@1`.

A state that is decayed, erased where the key points, and written to; not softmax attention, so that
it has a contract of its own with inputs of its own. Fast forms go chunk by chunk and must equal the
recurrence, gradients included.

Paper: Yang, Kautz & Hatamizadeh, "Gated Delta Networks: Improving Mamba2 with Delta Rule", 2024,
arXiv:2412.06464, eq. 10; the product with a triangular inverse is its sec. 3.3.

Shape suffixes: B = batch, H = heads, T = tokens, D = size of queries and keys, V = size of values.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.attention import delta_inputs
from dougong.contracts.definition import Contract
from dougong.contracts.functional import binder, in_float32


def gated_delta(
    q_BHTD: Tensor,
    k_BHTD: Tensor,
    v_BHTV: Tensor,
    log_gate_BHT: Tensor,
    beta_BHT: Tensor,
    *,
    scale: float | None = None,
) -> Tensor:
    """Read with each query from a state that the tokens up to it have written.

    With a = exp(log_gate) and S_0 = 0, token by token:
    S_t = a_t S_{t-1} + k_t beta_t (v_t - a_t S_{t-1}^T k_t)^T, out_t = scale * S_t^T q_t.

    Args:
        q_BHTD: Queries, shape (B, H, T, D); floating point; any strides.
        k_BHTD: Keys, like the queries; of norm 1 in use, and then nothing grows.
        v_BHTV: Values, shape (B, H, T, V); dtype and device of `q_BHTD`.
        log_gate_BHT: Logarithm of the share of the state that is kept, finite and <= 0.
        beta_BHT: Strength of writing, in [0, 1].
        scale: Factor of what is read; None for 1 / sqrt(D).

    Returns:
        Shape (B, H, T, V), dtype and device of `q_BHTD`.

    Example:
        >>> k, v = torch.tensor([[[[1.0], [1.0]]]]), torch.tensor([[[[3.0], [5.0]]]])
        >>> gated_delta(k, k, v, torch.zeros(1, 1, 2), torch.ones(1, 1, 2)).flatten()
        tensor([3., 5.])
    """
    B, H, T, D = q_BHTD.shape
    factor = 1 / math.sqrt(D) if scale is None else scale
    state_BHDV = q_BHTD.new_zeros(B, H, D, v_BHTV.shape[-1])
    found = []
    for t in range(T):
        key_BHD1 = k_BHTD[:, :, t].unsqueeze(-1)
        state_BHDV = log_gate_BHT[:, :, t, None, None].exp() * state_BHDV
        missing_BH1V = v_BHTV[:, :, t].unsqueeze(-2) - key_BHD1.mT @ state_BHDV
        state_BHDV = state_BHDV + key_BHD1 @ (beta_BHT[:, :, t, None, None] * missing_BH1V)
        found.append(factor * (q_BHTD[:, :, t].unsqueeze(-2) @ state_BHDV))
    return torch.cat(found, dim=2) if found else torch.zeros_like(v_BHTV)


gated_delta_float32 = in_float32(gated_delta)


@in_float32
def gated_delta_parallel(
    q_BHTD: Tensor,
    k_BHTD: Tensor,
    v_BHTV: Tensor,
    log_gate_BHT: Tensor,
    beta_BHT: Tensor,
    *,
    scale: float | None = None,
) -> Tensor:
    """Compute the same without a state, by one triangular system over all tokens.

    What is written, u, solves (I + A) u = beta v with A_tj = beta_t exp(g_t - g_j) k_t . k_j for
    j < t and g the running sum of the gates; what is read is the sum over j <= t of
    exp(g_t - g_j) (q_t . k_j) u_j. As right as the recurrence, and rounded elsewhere.
    """
    T, D = q_BHTD.shape[2:]
    sum_BHT = log_gate_BHT.cumsum(-1)
    apart_BHTT = sum_BHT.unsqueeze(-1) - sum_BHT.unsqueeze(-2)
    earlier_TT = torch.ones(T, T, dtype=torch.bool, device=q_BHTD.device).tril()
    kept_BHTT = apart_BHTT.masked_fill(~earlier_TT, -torch.inf).exp()
    erased_BHTT = (beta_BHT.unsqueeze(-1) * kept_BHTT * (k_BHTD @ k_BHTD.mT)).tril(-1)
    system_BHTT = erased_BHTT + torch.eye(T, dtype=q_BHTD.dtype, device=q_BHTD.device)
    written_BHTV = torch.linalg.solve_triangular(
        system_BHTT, beta_BHT.unsqueeze(-1) * v_BHTV, upper=False, unitriangular=True
    )
    factor = 1 / math.sqrt(D) if scale is None else scale
    read_BHTV: Tensor = ((q_BHTD @ k_BHTD.mT) * kept_BHTT) @ written_BHTV
    return factor * read_BHTV


CONTRACT = Contract(
    id="attention.gated_delta@1",
    summary="The gated delta rule, equal to its recurrence",
    signature="f(q_BHTD, k_BHTD, v_BHTV, log_gate_BHT, beta_BHT, *, scale=None) -> out_BHTV",
    paper="arXiv:2412.06464",
    reference=gated_delta,
    baselines={
        "recurrent": "dougong.contracts.attention.gated_delta:gated_delta_float32",
        "parallel": "dougong.contracts.attention.gated_delta:gated_delta_parallel",
    },
    generate=delta_inputs.generate,
    workloads=delta_inputs.WORKLOADS,
    hidden=delta_inputs.hidden,
    bind=binder("q", "k", "v", "log_gate", "beta"),
    # Errors of many tokens compound differently under another order of summation.
    tolerance=Tolerance(max_ratio=3.0, rms_ratio=2.0, cap_scale=delta_inputs.cap_scale),
    gradient="optional",
    laws=(delta_inputs.CAUSALITY, delta_inputs.LINEARITY, delta_inputs.BATCH),
    cost=delta_inputs.cost,
    dtypes=("float32", "bfloat16"),
)
