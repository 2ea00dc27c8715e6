"""Words, cut by the hub, so that one text means the same in both databases."""

from __future__ import annotations

import re
from collections.abc import Iterator

_WORD = re.compile(r"[a-z0-9]+")
MAX_WORDS = 8
"""Of a query; more words than this narrow nothing any more."""
MAX_LENGTH = 40
SPELLED = range(4, 25)
"""Lengths that are worth correcting: shorter words are too near to each other."""


def words(text: str) -> list[str]:
    """Cut a text into its words, in lower case and in order."""
    return [word[:MAX_LENGTH] for word in _WORD.findall(text.casefold())]


def query_words(text: str) -> list[str]:
    """Return the different words of a query, the first eight."""
    return list(dict.fromkeys(words(text)))[:MAX_WORDS]


def deletions(word: str) -> Iterator[str]:
    """Return the word, and the word without any one of its letters.

    Two words that share one of these are at most two edits apart: a letter more, less, other, or
    two swapped. It makes looking for a misspelled word an ordinary lookup, on any database.
    Source: W. Garbe, "1000x faster spelling correction" (SymSpell), 2012.
    """
    yield word
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]


def distance(left: str, right: str) -> int:
    """Count the edits between two words; two letters swapped are one edit (optimal alignment)."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        next_ = [i]
        for j, b in enumerate(right, 1):
            cost = min(row[j] + 1, next_[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            next_.append(cost)
        before, row = row, next_
    return row[-1]
