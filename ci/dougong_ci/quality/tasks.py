"""What the task models are asked, drawn anew for every judgement from its secret seed.

- recall: key-value pairs stand scattered among noise; later each key is asked for and its value is
  the answer (multi-query associative recall; Arora et al., 2023, arXiv:2312.04927).
- copy: a string of distinct tokens stands somewhere; it is to be repeated at the end.
- needle: one pair or two, at depths stratified over the sequence, asked for at the very end.
- text: held-out English. The loss is that of the next byte.

Tokens of the first three: 96 keys, 96 values, 60 of noise, and two marks.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib

import torch
from torch import Generator, Tensor

KEYS, VALUES, NOISE = range(96), range(96, 192), range(192, 252)
ASK, COPY = 252, 253
_TAIL = 8
"""Tokens at the end that hold no needle."""


@dataclasses.dataclass(frozen=True)
class Batch:
    """Sequences and what is asked of them."""

    tokens_BT: Tensor
    targets_BT: Tensor
    """The right token at each asked position, -100 elsewhere."""
    mask: Tensor | None = None
    """Keys that are no padding, (B, 1, 1, T), or None."""
    where_B: Tensor | None = None
    """Of needles: the position that the last token must find."""


IGNORED = -100


def _pick(low: int, high: int, source: Generator) -> int:
    return int(torch.randint(low, high + 1, (1,), generator=source))


def _noise(count: int, T: int, source: Generator) -> Tensor:
    return torch.randint(NOISE.start, NOISE.stop, (count, T), generator=source)


def recall(count: int, T: int, pairs: int, source: Generator, *, ordered: bool = True) -> Batch:
    """Draw sequences with scattered pairs and a question for each.

    Args:
        count: Sequences.
        T: Tokens, at least 6 a pair.
        pairs: Pairs of each sequence, at most 96.
        source: Generator.
        ordered: Whether all pairs stand in the first half and all questions in the second;
            otherwise anywhere.
    """
    tokens_BT = _noise(count, T, source)
    targets_BT = torch.full((count, T), IGNORED)
    for b in range(count):
        keys = torch.randperm(len(KEYS), generator=source)[:pairs]
        values = torch.randint(VALUES.start, VALUES.stop, (pairs,), generator=source)
        if ordered:
            half = T // 4
            at = 2 * torch.randperm(half, generator=source)[:pairs]
            asked_at = 2 * (half + torch.randperm(T // 2 - half, generator=source)[:pairs])
        else:
            places = 2 * torch.randperm(T // 2, generator=source)[: 2 * pairs]
            at, asked_at = places[:pairs], places[pairs:]
        tokens_BT[b, at], tokens_BT[b, at + 1] = keys, values
        tokens_BT[b, asked_at], tokens_BT[b, asked_at + 1] = ASK, keys
        targets_BT[b, asked_at + 1] = values
    return Batch(tokens_BT, targets_BT)


def copy(count: int, T: int, length: int, source: Generator) -> Batch:
    """Draw sequences with a string of distinct tokens (at most 96), to be repeated at the end."""
    tokens_BT = _noise(count, T, source)
    targets_BT = torch.full((count, T), IGNORED)
    for b in range(count):
        string = VALUES.start + torch.randperm(len(VALUES), generator=source)[:length]
        begin = _pick(0, T - 2 * length - 1, source)
        tokens_BT[b, begin : begin + length] = string
        tokens_BT[b, T - length - 1] = COPY
        tokens_BT[b, T - length :] = string
        # The first token has nothing before it to be found by.
        targets_BT[b, T - length : T - 1] = string[1:]
    return Batch(tokens_BT, targets_BT)


def needle(count: int, T: int, each: int, source: Generator) -> Batch:
    """Draw sequences with a few pairs each, asked for at the end.

    There are `count * each` equal depths, at most 4 in a sequence; each holds one pair.
    """
    tokens_BT = _noise(count, T, source)
    targets_BT = torch.full((count, T), IGNORED)
    room, depths = T - _TAIL - 1, count * each
    last_B = torch.zeros(count, dtype=torch.long)
    for b in range(count):
        keys = torch.randperm(len(KEYS), generator=source)[:each]
        values = torch.randint(VALUES.start, VALUES.stop, (each,), generator=source)
        for i in range(each):
            low, high = ((b + i * count + step) * room // depths for step in (0, 1))
            # Two tokens long, it must end before the next depth begins.
            at = _pick(low, max(low, high - 2), source)
            tokens_BT[b, at], tokens_BT[b, at + 1] = keys[i], values[i]
            asked_at = T - 2 * (each - i)
            tokens_BT[b, asked_at], tokens_BT[b, asked_at + 1] = ASK, keys[i]
            targets_BT[b, asked_at + 1] = values[i]
            last_B[b] = at + 1
    return Batch(tokens_BT, targets_BT, where_B=last_B)


def padded(batch: Batch, source: Generator) -> Batch:
    """Return the batch with up to half of each sequence's end turned into padding.

    The first sequence stays whole. What is asked beyond a sequence's end, and what its answer
    would need, is dropped.
    """
    tokens_BT, targets_BT = batch.tokens_BT.clone(), batch.targets_BT.clone()
    B, T = tokens_BT.shape
    mask = torch.ones(B, 1, 1, T, dtype=torch.bool)
    for b in range(1, B):
        end = _pick(T // 2, T, source)
        kept = {int(key) for key in _pair_keys(tokens_BT[b, :end])}
        mask[b, :, :, end:] = False
        for i in targets_BT[b].ne(IGNORED).nonzero().flatten().tolist():
            if i >= end or int(tokens_BT[b, i]) not in kept:
                targets_BT[b, i] = IGNORED
    return Batch(tokens_BT, targets_BT, mask)


def _pair_keys(tokens_T: Tensor) -> Tensor:
    is_value = (tokens_T >= VALUES.start) & (tokens_T < VALUES.stop)
    return tokens_T[is_value.nonzero().flatten() - 1]


@functools.cache
def corpus(*, held_out: bool) -> Tensor:
    """Return English text that comes with every Python, as bytes below 128, int64.

    It is the manual of the language (`pydoc_data.topics`). One topic in eight, chosen by its name,
    is held out of training, without the paragraphs that stand in other topics too.
    """
    from pydoc_data.topics import topics

    paragraphs: dict[bool, list[str]] = {True: [], False: []}
    for name, text in sorted(topics.items()):
        is_held_out = hashlib.sha256(name.encode()).digest()[0] % 8 == 0
        paragraphs[is_held_out] += text.split("\n\n")
    known = set(paragraphs[False])
    chosen = [p for p in paragraphs[held_out] if not held_out or p not in known]
    raw = "\n\n".join(chosen).encode("ascii", "replace")
    return torch.frombuffer(bytearray(raw), dtype=torch.uint8).long()


def text(count: int, T: int, source: Generator, *, held_out: bool = True) -> Batch:
    """Draw windows of the corpus; every byte but the first is asked."""
    found = corpus(held_out=held_out)
    starts = torch.randint(0, len(found) - T - 1, (count,), generator=source)
    windows = torch.stack([found[s : s + T + 1] for s in starts.tolist()])
    return Batch(windows[:, :-1], windows[:, 1:].clone())


def retold(count: int, T: int, source: Generator) -> Batch:
    """Draw windows of the training text in which passages come a second time, further on."""
    plain = text(count, T, source, held_out=False)
    windows = torch.cat((plain.tokens_BT, plain.targets_BT[:, -1:]), dim=1)
    for b in range(count):
        # The first third is only quoted from; then quotes alternate with new text.
        at = T // 3
        while at + 96 < T:
            length = _pick(32, 80, source)
            begin = _pick(0, at - length, source)
            windows[b, at : at + length] = windows[b, begin : begin + length].clone()
            at += length + _pick(16, 64, source)
    return Batch(windows[:, :-1], windows[:, 1:].clone())
