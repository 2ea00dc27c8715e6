"""Tags and filters of the site: numbers for people, badges, links, charts."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django import template
from django.template import Context
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from packaging.utils import canonicalize_name

from dougong_ci.report.verdict import AccuracyRow, SpeedCase
from dougong_registry.boards.pages import HistoryPoint, PersonRow
from dougong_registry.boards.rows import (
    BoardSummary,
    EventRow,
    RankedRow,
    ScoreRow,
    SubmissionDetail,
    SubmissionRow,
)
from dougong_registry.web import (
    case_figures,
    decisions,
    evidence,
    figures,
    formats,
    history,
    training,
)

register = template.Library()

register.filter("ratio", formats.ratio)
register.filter("scientific", formats.scientific)
register.filter("percent", formats.percent)
register.filter("file_size", formats.file_size)
register.filter("worst_first", figures.worst_first)
register.filter("least_kept_first", evidence.least_kept_first)
register.filter("histogram_tables", evidence.histogram_tables)
register.filter("speed_grid", case_figures.speed_grid)
register.filter("memory_points", case_figures.memory_points)
register.filter("longest_series", history.longest_series)
register.filter("drawn", evidence.drawn)
register.filter("final_loss", training.final_loss)
register.filter("steps_to_target", training.steps_to_target)
register.filter("time_to_target", training.time_to_target)
register.filter("resources", evidence.resources)
register.filter("restart_rows", evidence.restart_rows)
for chart in (
    figures.board_chart,
    figures.pareto_chart,
    figures.operator_chart,
    figures.compare_chart,
    figures.run_chart,
    figures.kept_chart,
    case_figures.heatmap_chart,
    case_figures.memory_chart,
    history.history_chart,
    training.course_chart,
    figures.gates_chart,
    figures.samples_chart,
    figures.accuracy_chart,
):
    register.simple_tag(chart)

_ICONS = {
    "passed": "M2 7l3.500 3.500L12 3.500",
    "failed": "M3 3l8 8M11 3l-8 8",
    "inconclusive": "M1.500 8.500c2-4 4-4 5.500-1.500s3.500 2.500 5.500-1.500",
    "errored": "M7 2v6M7 11.500v.1",
    "skipped": "M2.500 7h9",
    "running": "M12 7a5 5 0 1 1-5-5",
    "waiting": "M7 4v3l2 1.500M12.500 7a5.500 5.500 0 1 1-11 0 5.500 5.500 0 0 1 11 0",
}
_SAME = {
    "judged": "passed",
    "measured": "passed",
    "proved": "passed",
    "done": "passed",
    "refuted": "failed",
    "judging": "running",
    "active": "running",
    "queued": "waiting",
    "held": "inconclusive",
    "unmeasured": "skipped",
    "not judged": "waiting",
}


@register.simple_tag
@functools.lru_cache(maxsize=1024)
def badge(outcome: str, label: str = "") -> SafeString:
    """Write an outcome as an icon and a word, so that colour is never the only sign."""
    icon = _ICONS.get(_SAME.get(outcome, outcome), _ICONS["waiting"])
    return format_html(
        '<span class="badge {}"><svg viewBox="0 0 14 14" aria-hidden="true">'
        '<path d="{}"/></svg>{}</span>',
        outcome.replace(" ", "-"),
        icon,
        label or outcome,
    )


@register.simple_tag
def decision(row: ScoreRow | RankedRow) -> SafeString:
    """Write what was decided of a speed, what it rests on on hover."""
    return format_html(
        '<span class="decision {}" title="{}">{}</span>',
        row.decision.replace("_", "-"),
        decision_meaning(row),
        decisions.word(row.decision),
    )


@register.simple_tag
def decision_meaning(row: ScoreRow | RankedRow) -> str:
    """Say what a decision rests on."""
    return decisions.meaning(row.decision, row.restarts)


register.simple_tag(decisions.rule, name="decision_rule")
register.filter("decided", decisions.decided)


@register.simple_tag
def query(**values: str) -> str:
    """Write a query string of these values and no others."""
    return "?" + urlencode(values)


@register.simple_tag(takes_context=True)
def choose(context: Context, name: str, value: str | None) -> str:
    """Write the present query string with one value put in or left out, on the first page."""
    chosen = context["request"].GET.copy()
    for key in ("page", name):
        chosen.pop(key, None)
    if value:
        chosen[name] = value
    return f"?{chosen.urlencode()}"


@register.simple_tag
def compare_query(contract: str, names: Sequence[str]) -> str:
    """Write the query that lists the operators of a contract with some of them ticked."""
    return "?" + urlencode([("contract", contract), *(("operator", name) for name in names[:1])])


@register.filter
def took(row: SubmissionRow) -> str:
    """Write how long a submission took from upload to verdict."""
    if row.finished_at is None:
        return "—"
    return formats.duration((row.finished_at - row.created_at).total_seconds() * 1e6)


@register.filter
def duration(us: float | None) -> str:
    """Write microseconds in the unit that fits."""
    return "—" if us is None else formats.duration(us)


@register.filter
def seconds(duration_s: float | None) -> str:
    """Write seconds in the unit that fits."""
    return "—" if duration_s is None else formats.duration(duration_s * 1e6)


@register.filter
def ago(moment: dt.datetime | None) -> SafeString | str:
    """Write how long ago something was, the exact time on hover and for machines."""
    if moment is None:
        return "—"
    said = moment.astimezone(dt.UTC).isoformat(" ", "seconds").removesuffix("+00:00")
    # Digits and our own words: nothing to escape, and a page says it a hundred times.
    return SafeString(
        f'<time datetime="{moment.isoformat(timespec="seconds")}" title="{said} UTC">'
        f"{formats.ago(moment, timezone.now())}</time>"
    )


@register.filter
def clock(moment: dt.datetime) -> SafeString:
    """Write the time of the day, the date on hover and for machines."""
    moment = moment.astimezone(dt.UTC)
    return format_html(
        '<time datetime="{}" title="{}">{} UTC</time>',
        moment.isoformat(timespec="seconds"),
        f"{moment:%Y-%m-%d}",
        f"{moment:%H:%M}",
    )


@register.filter
def is_past(moment: dt.datetime) -> bool:
    """Say whether a time is over."""
    return moment <= timezone.now()


@register.filter
def interval(row: ScoreRow | RankedRow | BoardSummary | HistoryPoint) -> str:
    """Write the 95% interval of a score."""
    return formats.interval(*_ends(row))


@register.filter
def side(row: ScoreRow | RankedRow | BoardSummary) -> str:
    """Say `faster` or `slower` where the whole interval is, else `even`."""
    low, high = _ends(row)
    if low > 1:
        return "faster"
    return "slower" if high < 1 else "even"


def _ends(row: ScoreRow | RankedRow | BoardSummary | HistoryPoint) -> tuple[float, float]:
    if isinstance(row, BoardSummary):
        return row.leader_ci_low, row.leader_ci_high
    return row.ci_low, row.ci_high


@register.filter
def operator_url(name: str) -> str:
    """Return the page of `provider/name`."""
    provider, _, short = name.partition("/")
    return reverse("operator", args=[provider, short])


@register.filter
def person_url(person: PersonRow) -> str:
    """Return the page of a person: the login alone does not say which one of that name."""
    return f"{reverse('person', args=[person.login])}?{urlencode({'provider': person.provider})}"


@register.filter
def suite_url(suite: str) -> str:
    """Return the page of `<contract>/<version>`."""
    contract, _, version = suite.partition("/")
    return reverse("suite", args=[contract, version])


@register.filter
def suite_version(suite: str) -> str:
    """Return the last part of `<contract>/<version>`."""
    return suite.rpartition("/")[2]


@register.filter
def canonical(distribution: str) -> str:
    """Return the name that a plugin's page stands under."""
    return canonicalize_name(distribution)


@register.filter
def share_of_bound(row: AccuracyRow) -> str:
    """Write an error as a share of its bound."""
    return formats.percent(figures.bound_share(row.max_error, row.bound))


@register.filter
def median_us(samples_us: list[list[float]]) -> str:
    """Write the median that the score is made of."""
    middle = figures.median_us(samples_us)
    return "—" if middle is None else formats.duration(middle)


@register.filter
def case_ratio(case: SpeedCase) -> str:
    """Write how many times faster the operator ran one case, as the score takes it."""
    return formats.ratio(figures.paired_ratio(case.baseline_us, case.candidate_us))


@register.filter
def drift(case: SpeedCase) -> str:
    """Write how far the A/A copy of the baseline fell from the baseline itself."""
    found = figures.paired_ratio(case.control_us, case.baseline_us)
    return "—" if found is None else f"{(found - 1) * 100:+.1f}%"


@register.filter
def flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return a nested record as (dotted name, value) pairs; empty values are left out."""
    pairs: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, dict):
            pairs.extend(flat(value, f"{name}: "))
        elif isinstance(value, list | tuple):
            pairs.append((name, ", ".join(map(str, value))))
        elif value not in (None, ""):
            pairs.append((name, str(value)))
    return pairs


@register.filter
def progress(detail: SubmissionDetail) -> str:
    """Say how far the judge is, in one line."""
    judged = sum(bool(operator.outcome) for operator in detail.operators)
    running = next(
        (
            f", {operator.name}: {gate.name} is running"
            for operator in detail.operators
            for gate in operator.gates
            if gate.outcome == "running"
        ),
        "",
    )
    return f"{judged} of {len(detail.operators)} judged{running}" if detail.operators else ""


@register.filter
def newest(events: Sequence[EventRow], count: int) -> list[EventRow]:
    """Return the last events, newest first."""
    return list(reversed(events[-count:]))


@register.filter
def spaced(word: str) -> str:
    """Write `gate_started` as `gate started`."""
    return word.replace("_", " ")


@register.filter
def params(values: dict[str, object]) -> str:
    """Write the sizes of a workload in one line; what is a list or a table itself is left out."""
    plain = {key: value for key, value in values.items() if not isinstance(value, dict | list)}
    return ", ".join(f"{key}={value}" for key, value in plain.items())


@register.filter
def paper_url(paper: str) -> str:
    """Return where a paper can be read, or nothing where the reference is not an address."""
    if paper.lower().startswith("arxiv:"):
        return f"https://arxiv.org/abs/{paper[6:]}"
    if paper.lower().startswith("doi:"):
        return f"https://doi.org/{paper[4:]}"
    return paper if paper.startswith("https://") else ""
