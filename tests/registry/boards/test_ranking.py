"""Ranks and the frontier, held to their definitions over any board."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dougong_registry.boards.ranking import Standing, pareto, rank

SPEEDS = st.floats(0.1, 10.0)
ERRORS = st.none() | st.sampled_from([0.0, 1e-6, 1e-3, 0.5]) | st.floats(0, 1)


@st.composite
def boards(draw) -> list[Standing]:
    rows = draw(st.lists(st.tuples(SPEEDS, SPEEDS, SPEEDS, ERRORS), max_size=12))
    return [
        Standing(
            id=number,
            operator=f"acme/op-{number}",
            run_id=f"{number:032x}",
            speedup=sorted(speeds)[1],
            ci_low=min(speeds),
            ci_high=max(speeds),
            coverage=1.0,
            error_share=None,
            relative_l2=error,
        )
        for number, (*speeds, error) in enumerate(rows)
    ]


@given(boards())
def test_a_rank_is_one_more_than_those_that_are_certainly_faster(entries):
    by_id = {entry.id: entry for entry in entries}
    places = rank(entries)
    assert sorted(pk for _, pk in places) == sorted(by_id)
    for place, pk in places:
        faster = sum(other.ci_low > by_id[pk].ci_high for other in entries)
        assert place == 1 + faster


@given(boards())
def test_the_frontier_is_what_nothing_beats_on_both(entries):
    measured = {entry.run_id: entry for entry in entries if entry.relative_l2 is not None}
    points = pareto(entries)
    assert {point.run_id for point in points} == set(measured)
    for point in points:
        dominated = any(
            other.relative_l2 <= point.relative_l2
            and other.speedup >= point.speedup
            and (other.relative_l2, other.speedup) != (point.relative_l2, point.speedup)
            for other in measured.values()
        )
        assert not (point.on_frontier and dominated)
        twin = any(
            (other.relative_l2, other.speedup) == (point.relative_l2, point.speedup)
            for key, other in measured.items()
            if key != point.run_id
        )
        assert point.on_frontier or dominated or twin


@given(boards(), st.integers(1, 5))
def test_of_a_crowd_the_whole_frontier_and_the_fastest_of_the_rest_are_kept(entries, most):
    everything = pareto(entries)
    kept = pareto(entries, most)
    assert [point for point in everything if point in kept] == list(kept)
    assert [p for p in kept if p.on_frontier] == [p for p in everything if p.on_frontier]
    rest = sorted((p.speedup for p in everything if not p.on_frontier), reverse=True)
    shown = sorted((p.speedup for p in kept if not p.on_frontier), reverse=True)
    # Who ties with the last that is shown is shown as well.
    assert shown == [speed for speed in rest if speed >= rest[min(most, len(rest)) - 1]]
