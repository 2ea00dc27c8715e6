"""L0, the lint of a definition: can the judge tell right from wrong on this contract at all?

Two questions to every released contract. Filters: do its outputs vary, with the seed, along every
axis and with every input? Mutants: wrong implementations, most of them made from the contract's own
baseline, each of which must fall at one of the judge's gates. `python -m dougong_ci.lint` prints
the table. The gates, the comparison and the laws are the judge's own; mutants are ours, and are
called in process.
"""

from __future__ import annotations

from dougong_ci.lint.filters import Finding, filtered
from dougong_ci.lint.killing import Fate, Trial, trials

__all__ = ["Fate", "Finding", "Trial", "filtered", "trials"]
