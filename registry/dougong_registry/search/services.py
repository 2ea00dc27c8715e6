"""Keeping the entries true: one operator at a time, or all of them anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from itertools import islice

from django.db import transaction
from django.db.models import Max

from dougong_registry.boards.selectors.records import operator_row, telling_runs
from dougong_registry.plugins.models import OperatorName, OperatorRecord
from dougong_registry.runs.models import Run
from dougong_registry.search.models import Entry, Spelling
from dougong_registry.search.words import SPELLED, deletions, words

BATCH = 500


def entry_refresh(*, operator_name_id: int) -> None:
    """Make an operator's entry anew, from its newest release and its newest telling run."""
    for entry in _entries([operator_name_id]):
        Entry.objects.update_or_create(
            operator_name_id=operator_name_id,
            defaults={
                field.name: getattr(entry, field.name)
                for field in Entry._meta.concrete_fields
                if field.name not in {"id", "operator_name"}
            },
        )
        _spell([entry])


def entries_missing() -> bool:
    """Whether there are operators and not one entry."""
    return OperatorName.objects.exists() and not Entry.objects.exists()


def entries_rebuild() -> Iterator[int]:
    """Make all entries anew; yields how many are done after each batch."""
    with transaction.atomic():
        Entry.objects.all().delete()
        Spelling.objects.all().delete()
        names = OperatorName.objects.order_by("pk").values_list("pk", flat=True).iterator()
        done = 0
        while batch := list(islice(names, BATCH)):
            entries = _entries(batch)
            Entry.objects.bulk_create(entries)
            _spell(entries)
            done += len(batch)
            yield done


def _entries(operator_names: list[int]) -> list[Entry]:
    newest = (
        OperatorRecord.objects.filter(claimed_name__in=operator_names)
        .order_by()
        .values("claimed_name")
        .annotate(newest=Max("pk"))
        .values_list("newest", flat=True)
    )
    records = OperatorRecord.objects.filter(pk__in=list(newest)).select_related("release__plugin")
    runs = telling_runs(records)
    return [_entry(record, runs.get(record.pk)) for record in records]


def _entry(record: OperatorRecord, run: Run | None) -> Entry:
    row = operator_row(record, run)
    devices, dtypes = (_spaced(record.metadata.get(key)) for key in ("devices", "dtypes"))
    others = (row.contract, row.variant, row.summary, row.paper, row.distribution, devices, dtypes)
    return Entry(
        **dataclasses.asdict(row),
        operator_name_id=record.claimed_name_id,
        devices=devices,
        dtypes=dtypes,
        name_words=" ".join(words(row.name)),
        other_words=" ".join(words(" ".join(others))),
    )


def _spaced(values: object) -> str:
    given = [str(value) for value in values] if isinstance(values, (list, tuple)) else []
    joined = " ".join(sorted({value for value in given if value and " " not in value}))
    return f" {joined} " if 0 < len(joined) < 250 else ""


def _spell(entries: Iterable[Entry]) -> None:
    told = {
        word
        for entry in entries
        for word in f"{entry.name_words} {entry.other_words}".split()
        if len(word) in SPELLED and not word.isdigit()
    }
    rows = [Spelling(key=key, word=word) for word in sorted(told) for key in set(deletions(word))]
    Spelling.objects.bulk_create(rows, ignore_conflicts=True, batch_size=BATCH)
