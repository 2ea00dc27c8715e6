"""Attention to chosen blocks of keys, for prefill and decoding on the CPU.

Within the chosen blocks attention is exact; outside them there is none. Papers: as in
`dougong_kernels.selection`. The definition is `sparse_reference`: a mask over all keys.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size,
E = size of a value, N = blocks of queries, M = blocks of keys, J = most blocks kept.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dougong_kernels import definition, library
from dougong_kernels.cache import PageBounds
from dougong_kernels.definition import scale_of
from dougong_kernels.exact import can_run, check_shapes, dense_rows, needs_gradient
from dougong_kernels.selection import BLOCK, Blocks, by_map, by_map_reference

KEEP = 0.2
PART_BLOCKS = 16
"""Fewest blocks of a decoded part."""


def sparse(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSE: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    keep: float = KEEP,
) -> Tensor:
    """Attend to a share of the blocks of 64 keys, chosen for each block of 64 queries and head.

    Args:
        q_BHTD: Queries, shape (B, H, T, D).
        k_BKSD: Keys, shape (B, K, S, D), K a divisor of H.
        v_BKSE: Values, shape (B, K, S, E).
        mask: As in `definition.attention`; taken the slow way, as gradients are.
        is_causal: As there.
        scale: As there.
        keep: Share of the blocks that a query block may see, in (0, 1].

    Returns:
        Shape (B, H, T, E), dtype of `q_BHTD`; zeros for a query that sees no key.

    Raises:
        ValueError: `keep` is outside (0, 1], or shapes do not fit.
    """
    _check_keep(keep)
    check_shapes(q_BHTD, k_BKSD, v_BKSE)
    tensors = q_BHTD, k_BKSD, v_BKSE
    if mask is not None or needs_gradient(*tensors) or not can_run(*tensors):
        return sparse_reference(
            *tensors, mask=mask, is_causal=is_causal, scale=scale, keep=keep, exact=True
        )
    out_BHTE = q_BHTD.new_zeros(*q_BHTD.shape[:3], v_BKSE.shape[-1])
    if out_BHTE.numel() == 0 or k_BKSD.numel() == 0:
        return out_BHTE
    kept = by_map(q_BHTD, k_BKSD, keep=keep, is_causal=is_causal, scale=scale)
    return _attended(*tensors, kept, is_causal, scale)


def attend_to(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSE: Tensor,
    kept: Blocks,
    *,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Attend to the blocks listed for each block of 64 queries, by the kernel: any selection.

    Args:
        q_BHTD: Queries, shape (B, H, T, D), float32 or bfloat16, as the others.
        k_BKSD: Keys, shape (B, K, S, D).
        v_BKSE: Values, shape (B, K, S, E).
        kept: The selection, one for each query head or for each key head; blocks of 64 keys cost
            least, single keys about a third more in float32 (`benchmarks/attention_kernels.py`).
        is_causal: As in `definition.attention`; hides keys within the blocks too.
        scale: As there.

    Raises:
        ValueError: the selection is not of these shapes, or names a block past the last key.
        RuntimeError: this install has no library.
    """
    check_shapes(q_BHTD, k_BKSD, v_BKSE)
    kept = _for_heads(kept, q_BHTD, k_BKSD)
    return _attended(q_BHTD, k_BKSD, v_BKSE, kept, is_causal, scale)


def sparse_decode(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSE: Tensor,
    pages: PageBounds,
    *,
    scale: float | None = None,
    keep: float = KEEP,
) -> Tensor:
    """Attend from the newest queries to a share of a cache's blocks, chosen by their bounds.

    Args:
        q_BHTD: One or a few queries a head, the last aligned with the last key; causal.
        k_BKSD: The cache's keys.
        v_BKSE: The cache's values.
        pages: The bounds of `k_BKSD`, brought up to date with it.
        scale: Factor of the products; 1 / sqrt(D) if None.
        keep: Share of all blocks, in (0, 1].

    Raises:
        ValueError: `keep` is outside (0, 1], or shapes do not fit.
        RuntimeError: this install has no library.
    """
    _check_keep(keep)
    check_shapes(q_BHTD, k_BKSD, v_BKSE)
    kept = pages.choose(q_BHTD, keep=keep)
    q_BHTD, k_BKSD, v_BKSE = (dense_rows(each) for each in (q_BHTD, k_BKSD, v_BKSE))
    out_BHTE = q_BHTD.new_empty(*q_BHTD.shape[:3], v_BKSE.shape[-1])
    arguments = _listed(q_BHTD, k_BKSD, v_BKSE, out_BHTE, kept, True, scale)
    parts = max(1, min(64, -(-kept.index.shape[-1] // PART_BLOCKS)))
    partial = torch.empty(*out_BHTE.shape[:3], parts, out_BHTE.shape[-1] + 2)
    arguments.parts, arguments.scratch = parts, partial.data_ptr()
    _kernels().decode(arguments)
    return out_BHTE


def sparse_reference(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSE: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    keep: float = KEEP,
    exact: bool = False,
) -> Tensor:
    """`sparse` by a mask of T * S that hides what was not chosen; `exact` uses torch's kernel."""
    if q_BHTD.numel() and k_BKSD.numel():
        kept = by_map_reference(q_BHTD, k_BKSD, keep=keep, is_causal=is_causal, scale=scale)
        mask = merged(mask, kept, q_BHTD.shape[2], k_BKSD.shape[2])
    attend = definition.by_torch if exact else definition.attention
    return attend(q_BHTD, k_BKSD, v_BKSE, mask=mask, is_causal=is_causal, scale=scale)


def merged(mask: Tensor | None, kept: Blocks, T: int, S: int) -> Tensor:
    """Return the mask with all that was not chosen hidden, broadcastable to (B, H, T, S)."""
    M = -(-S // kept.size)
    index = kept.index.long()
    used = torch.arange(index.shape[-1]) < kept.count.unsqueeze(-1)
    chosen_BHNM = torch.zeros(*index.shape[:3], M + 1, dtype=torch.bool)
    chosen_BHNM.scatter_(-1, index.where(used, M), True)
    chosen_BHNS = chosen_BHNM[..., :M].repeat_interleave(kept.size, 3)[..., :S]
    chosen_BHTS = chosen_BHNS.repeat_interleave(BLOCK, 2)[:, :, :T]
    if mask is None or mask.dtype == torch.bool:
        return chosen_BHTS if mask is None else chosen_BHTS & mask
    return torch.where(chosen_BHTS, mask, -torch.inf)


def _attended(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSE: Tensor,
    kept: Blocks,
    is_causal: bool,
    scale: float | None,
) -> Tensor:
    q_BHTD, k_BKSD, v_BKSE = (dense_rows(each) for each in (q_BHTD, k_BKSD, v_BKSE))
    out_BHTE = q_BHTD.new_empty(*q_BHTD.shape[:3], v_BKSE.shape[-1])
    arguments = _listed(q_BHTD, k_BKSD, v_BKSE, out_BHTE, kept, is_causal, scale)
    _kernels().attention(arguments)
    return out_BHTE


def _for_heads(kept: Blocks, q_BHTD: Tensor, k_BKSD: Tensor) -> Blocks:
    B, H, T = q_BHTD.shape[:3]
    K, S = k_BKSD.shape[1:3]
    N, M = -(-T // BLOCK), -(-S // kept.size) if kept.size > 0 else 0
    if kept.size <= 0 or (kept.size > BLOCK and kept.size % BLOCK):
        raise ValueError(
            f"blocks must have a multiple of {BLOCK} keys or at most {BLOCK}, got {kept.size}"
        )
    index, count = kept.index, kept.count
    if index.shape[:-1] != count.shape or count.shape not in ((B, H, N), (B, K, N)):
        raise ValueError(
            f"a selection for queries {tuple(q_BHTD.shape)} must have count {(B, H, N)} or "
            f"{(B, K, N)} and index with one dimension more, got {tuple(count.shape)} and "
            f"{tuple(index.shape)}"
        )
    if count.numel() and (int(count.max()) > index.shape[-1] or int(count.min()) < 0):
        raise ValueError(f"counts must lie in [0, {index.shape[-1]}], got {int(count.max())}")
    used = torch.arange(index.shape[-1]) < count.unsqueeze(-1)
    named = index[used]
    if named.numel() and (int(named.max()) >= M or int(named.min()) < 0):
        raise ValueError(f"blocks must lie in [0, {M}), got {int(named.max())}")
    if count.shape[1] != H:
        index, count = (each.repeat_interleave(H // K, dim=1) for each in (index, count))
    return Blocks(index.int().contiguous(), count.int().contiguous(), kept.size)


def _listed(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSE: Tensor,
    out_BHTE: Tensor,
    kept: Blocks,
    is_causal: bool,
    scale: float | None,
) -> library.Attention:
    arguments = library.described(
        q_BHTD, k_BKSD, v_BKSE, out_BHTE, is_causal=is_causal, scale=scale_of(q_BHTD, scale)
    )
    arguments.blocks, arguments.counts = kept.index.data_ptr(), kept.count.data_ptr()
    arguments.J, arguments.key_block = kept.index.shape[-1], kept.size
    return arguments


def _kernels() -> library.Kernels:
    found = library.kernels()
    if found is None:
        raise RuntimeError(
            "this needs the compiled kernels, which this install has not; install a C++ compiler "
            "and dougong-kernels again, or use sparse(), which torch can compute too"
        )
    return found


def _check_keep(keep: float) -> None:
    if not 0 < keep <= 1:
        raise ValueError(f"keep must lie in (0, 1], got {keep}")
