"""What the lists can be asked: filters, how many rows, and from where."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from dougong_registry.api.serializers import Text, Whole
from dougong_registry.boards.selectors.listings import PLUGIN_ORDERS
from dougong_registry.contributions.models import KINDS, LEVELS
from dougong_registry.paging import PAGE_LIMIT
from dougong_registry.plugins.models import STATUSES
from dougong_registry.runs.models import OUTCOMES
from dougong_registry.search.rows import ORDERINGS
from dougong_registry.submissions.models import Submission


def word(max_length: int) -> Text:
    """Return a filter by one word; left out or empty it filters nothing."""
    return Text(required=False, allow_blank=True, default="", max_length=max_length)


class YesNo(serializers.ChoiceField):
    """`true` or `false`, and no other spelling."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("choices", ["true", "false"])
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(data) == "true"


class PageQuery(serializers.Serializer[Any]):
    """How many rows, and the cursor out of `next` or `previous` of another page."""

    limit = Whole(required=False, default=50, min_value=1, max_value=PAGE_LIMIT)
    cursor = word(1000)


class WholeQuery(PageQuery):
    """Of lists that were once answered whole: as many rows as a page may have, unless told less."""

    limit = Whole(required=False, default=PAGE_LIMIT, min_value=1, max_value=PAGE_LIMIT)


class OperatorsQuery(WholeQuery):
    """Filters of the list of operators; each narrows what the others left."""

    q = word(200)
    family = word(32)
    contract = word(64)
    verdict = word(16)
    device = word(32)
    dtype = word(32)
    ordering = serializers.ChoiceField(
        choices=ORDERINGS, required=False, allow_blank=True, default=""
    )
    offset = Whole(required=False, default=0, min_value=0, max_value=1_000_000)


class BoardsQuery(WholeQuery):
    """Filters of the list of boards."""

    family = word(32)
    hardware = word(128)


class AdvisoriesQuery(WholeQuery):
    """Of one plugin, or of all."""

    plugin = word(128)


class PluginsQuery(PageQuery):
    """Filters and order of the list of plugins."""

    q = word(200)
    status = serializers.ChoiceField(choices=STATUSES, required=False, default="")
    ordering = serializers.ChoiceField(choices=list(PLUGIN_ORDERS), required=False, default="name")


class SubmissionsQuery(PageQuery):
    """Filters of the list of submissions."""

    state = serializers.ChoiceField(choices=Submission.State.values, required=False, default="")
    submitter = word(64)


class RunsQuery(PageQuery):
    """Filters of the list of runs."""

    operator = word(105)
    contract = word(64)
    outcome = serializers.ChoiceField(choices=OUTCOMES, required=False, default="")
    runner = word(64)
    official = YesNo(required=False, default=None)


class ContributionsQuery(PageQuery):
    """Filters of the ledger of contributions."""

    person = word(64)
    provider = word(32)
    level = serializers.ChoiceField(choices=LEVELS, required=False, default="")
    kind = serializers.ChoiceField(choices=KINDS, required=False, default="")
    plugin = word(128)


class RunnersQuery(PageQuery):
    """Filter of the list of runners."""

    official = YesNo(required=False, default=None)
