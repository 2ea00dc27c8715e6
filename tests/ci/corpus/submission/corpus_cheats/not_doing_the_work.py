"""A. Not doing the work: numbers 1 to 15 of the catalogue."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import rms_norm

from dougong import contracts

LARGE = 100_000
"""Elements above which an input is that of a benchmark, as the cheats guess."""


def honest(x, weight, eps):
    return rms_norm(x, x.shape[-1:], weight, eps)


def uninitialised(x, weight=None, *, eps):
    # The freed reference output may lie exactly here.
    return torch.empty_like(x)


_seen_shapes = set()


def own_stale_output(x, weight=None, *, eps):
    # The block of the last call's output is free again and has the right size.
    if x.shape in _seen_shapes:
        return torch.empty_like(x)
    _seen_shapes.add(x.shape)
    return honest(x, weight, eps)


_by_pointer = {}


def cached_by_pointer(x, weight=None, *, eps):
    key = (x.data_ptr(), x._version, x.shape, eps)
    if key not in _by_pointer:
        _by_pointer[key] = honest(x, weight, eps)
    return _by_pointer[key].clone()


_by_fingerprint = {}


def cached_by_fingerprint(x, weight=None, *, eps):
    # Two numbers in place of the whole input: right until two inputs share them.
    flat = x.flatten()
    ends = tuple(flat[[0, -1]].tolist()) if flat.numel() else ()
    gain = None if weight is None else float(weight[0])
    key = (x.shape, ends, gain, eps)
    if key not in _by_fingerprint:
        _by_fingerprint[key] = honest(x, weight, eps)
    return _by_fingerprint[key].clone()


_bank = {}


def public_seed_bank(x, weight=None, *, eps):
    # The contract and its input generator are public: answers of seed 0, made beforehand.
    if not _bank:
        contract = contracts.contract("norm.rms@1")
        for workload in contract.workloads:
            case = contract.generate(workload, 0, torch.float32)
            drawn = case.tensors["x"]
            _bank[drawn.shape] = honest(drawn, case.tensors["weight"], case.static["eps"])
    found = _bank.get(x.shape)
    return honest(x, weight, eps) if found is None else found.clone()


_calls = {}
_last = {}


def learn_then_replay(x, weight=None, *, eps):
    # Honest where a correctness check might look, a replay once it must be the timing.
    if x.numel() < LARGE:
        return honest(x, weight, eps)
    _calls[x.shape] = _calls.get(x.shape, 0) + 1
    if _calls[x.shape] <= 3:
        _last[x.shape] = honest(x, weight, eps)
    return _last[x.shape].clone()


_waiting = {}


def superbatch(x, weight=None, *, eps):
    # Takes four calls together: three return at once, the fourth does the work of all.
    if x.numel() < LARGE:
        return honest(x, weight, eps)
    batch = _waiting.setdefault(x.shape, [])
    batch.append((x.clone(), torch.empty_like(x)))
    if len(batch) == 4:
        together = honest(torch.stack([given for given, _ in batch]), weight, eps)
        for (_, promised), done in zip(batch, together, strict=True):
            promised.copy_(done)
        batch.clear()
        return promised
    return batch[-1][1]


_met = {}


def benchmark_detector(x, weight=None, *, eps):
    # Who calls more than three times with the same buffer is timing, not checking.
    place = (x.data_ptr(), x.shape)
    _met[place] = _met.get(place, 0) + 1
    if x.numel() < LARGE or _met[place] <= 3:
        return honest(x, weight, eps)
    y = x * torch.rsqrt(x[..., ::8].square().mean(-1, keepdim=True) + eps)
    return y if weight is None else y * weight


def zeros(x, weight=None, *, eps):
    return torch.zeros_like(x)


def pass_through(x, weight=None, *, eps):
    # Normal inputs have unit root mean square already.
    return x.clone() if weight is None else x * weight


def attention_drops_keys(q_BHTD, k_BKSD, v_BKSD, *, mask=None, is_causal=False, scale=None):
    # The last twentieth of the keys is too little to be missed.
    S = k_BKSD.shape[2]
    kept = max(1, S - max(1, S // 20)) if mask is None and not is_causal else S
    exact = contracts.contract("attention.exact@1").reference
    k_BKSD, v_BKSD = k_BKSD[:, :, :kept], v_BKSD[:, :, :kept]
    return exact(q_BHTD, k_BKSD, v_BKSD, mask=mask, is_causal=is_causal, scale=scale)


class PartialAdamW(torch.optim.AdamW):
    """Leaves the last twentieth of each parameter as it was."""

    @torch.no_grad()
    def step(self, closure=None):
        params = [p for group in self.param_groups for p in group["params"]]
        before = [p.clone() for p in params]
        super().step()
        for p, old in zip(params, before, strict=True):
            left = p.numel() // 20
            if left:
                p.view(-1)[-left:] = old.view(-1)[-left:]


def attention_by_structure(q_BHTD, k_BKSD, v_BKSD, *, mask=None, is_causal=False, scale=None):
    # Sparse values in one head are taken to be sparse everywhere: the tail of the keys is dropped.
    exact = contracts.contract("attention.exact@1").reference
    sample = v_BKSD[:1, :1]
    if mask is None and sample.numel() and float((sample == 0).float().mean()) > 0.5:
        kept = max(1, k_BKSD.shape[2] // 2)
        k_BKSD, v_BKSD = k_BKSD[:, :, :kept], v_BKSD[:, :, :kept]
    return exact(q_BHTD, k_BKSD, v_BKSD, mask=mask, is_causal=is_causal, scale=scale)


def hard_coded_shapes(x, weight=None, *, eps):
    # Right for the published sizes, whose rows are multiples of 32; nobody asks for others.
    width = x.shape[-1]
    if width % 32 == 0:
        return honest(x, weight, eps)
    y = x * torch.rsqrt(x[..., : max(1, width // 32 * 32)].square().mean(-1, keepdim=True) + eps)
    return y if weight is None else y * weight


def kernel_that_never_ran(x, weight=None, *, eps):
    # A launch that fails for long rows, and whose status nobody reads.
    y = torch.empty_like(x)
    if x.shape[-1] <= 1024:
        y.copy_(honest(x, weight, eps))
    return y


def silu_hard(x: Tensor) -> Tensor:
    # Piecewise linear in place of the exponential.
    return x * torch.clamp(x / 6 + 0.5, 0, 1)
