"""What a word that occurs nowhere was probably meant to be."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from dougong_registry.search.backends import backend
from dougong_registry.search.models import Entry, Spelling
from dougong_registry.search.words import SPELLED, deletions, distance

FARTHEST = 2
"""Edits between what was typed and what was meant; three make another word."""


def corrected(asked: Sequence[str]) -> list[str]:
    """Put the nearest word that occurs for each that does not, nor begins one; others stay."""
    return [word if _occurs(word) else _nearest(word) for word in asked]


def _occurs(word: str) -> bool:
    return bool(backend(connection.vendor).narrow(Entry.objects.all(), [word]).exists())


def _nearest(word: str) -> str:
    if len(word) not in SPELLED:
        return word
    keys = set(deletions(word))
    near = set(Spelling.objects.filter(key__in=keys).values_list("word", flat=True))
    ranked = sorted((distance(word, each), each) for each in near)
    return ranked[0][1] if ranked and ranked[0][0] <= FARTHEST else word
