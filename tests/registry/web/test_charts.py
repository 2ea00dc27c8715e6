from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from dougong_registry.web import charts

HOSTILE = "</text><script>alert(1)</script>\" onload='x' &\x00\x0b]]>"
SVG = "{http://www.w3.org/2000/svg}"


def interval(label: str, value: float = 1.2, **fields: object) -> charts.Interval:
    return charts.Interval(
        label=label, value=value, low=value * 0.9, high=value * 1.1, href="/runs/x/"
    )


def every_chart(name: str) -> dict[str, str]:
    runs = [[10.0, 11.0, 12.0], [10.5, 11.5, 40.0]]
    return {
        "heatmap": charts.heatmap_chart(
            [
                charts.Tile(row=name, column="float32", value=1.4),
                charts.Tile(row=name, column=name, value=None),
            ],
            title=name,
        ),
        "columns": charts.columns_chart(
            [
                charts.Column(label=name, values=(3.0, 4.0)),
                charts.Column(label="2026-02", values=(None, 0.5)),
            ],
            title=name,
            unit=name,
            series=((name, "candidate"), ("new", "baseline")),
        ),
        "memory": charts.memory_chart(
            [
                charts.MemoryPoint(
                    label=name,
                    time_us=10.0,
                    baseline_time_us=14.0,
                    peak_bytes=3e6,
                    baseline_peak_bytes=2e6,
                )
            ],
            title=name,
        ),
        "forest": charts.forest_chart([interval(name)], title=name, baseline=name),
        "pareto": charts.pareto_chart(
            [charts.ParetoPoint(label=name, error=0.0, speedup=2.0, on_frontier=True, note=name)],
            title=name,
        ),
        "kept": charts.kept_chart(
            [
                charts.KeptPoint(label=name, retained=0.0, speedup=0.5, note=name),
                charts.KeptPoint(label=name, retained=1.0, speedup=30.0),
            ],
            title=name,
        ),
        "strip": charts.strip_chart([charts.Lane(kind="candidate", samples_us=runs)], title=name),
        "accuracy": charts.accuracy_chart(
            [charts.AccuracyMark(label=name, share=0.0, native_share=2.0, passed=True)], title=name
        ),
        "training": charts.training_chart(
            [
                charts.TrainedPoint(label=name, steps=10, loss=0.1, note=name),
                charts.TrainedPoint(label=name, steps=90, loss=0.3),
            ],
            title=name,
        ),
        "timeline": charts.timeline_chart(
            [charts.Span(name=name, outcome="passed", duration_s=1.0)], title=name
        ),
    }


KINDS = [
    "forest",
    "pareto",
    "kept",
    "strip",
    "accuracy",
    "timeline",
    "heatmap",
    "memory",
    "training",
]


def parse(chart: str) -> list[ET.Element]:
    return list(ET.fromstring(f"<root>{chart}</root>"))


@pytest.mark.parametrize("kind", KINDS)
def test_chart_is_xml_that_escapes_hostile_names(kind: str) -> None:
    plots = parse(every_chart(HOSTILE)[kind])
    assert {plot.get("class") for plot in plots} >= {"plot wide", "plot narrow"}
    for plot in plots:
        assert not any(node.tag.endswith("script") for node in plot.iter())
        assert not any(name.startswith("on") for node in plot.iter() for name in node.attrib)


@pytest.mark.parametrize("kind", KINDS)
def test_chart_names_itself_and_carries_no_style(kind: str) -> None:
    for plot in parse(every_chart("acme/fused")[kind]):
        # An image has no parts that can be reached, so what holds links is a group.
        linked = plot.find(f".//{SVG}a") is not None
        assert plot.get("role") == ("group" if linked else "img")
        assert plot.findtext(f"{SVG}title") == "acme/fused"
        assert plot.findtext(f"{SVG}desc")
        assert not any("style" in node.attrib for node in plot.iter())


def test_forest_places_faster_right_of_the_baseline_and_slower_left() -> None:
    chart = charts.forest_chart([interval("fast", 2.0), interval("slow", 0.5)], title="t")
    wide = parse(chart)[0]
    fast, slow = (float(dot.get("cx", "nan")) for dot in wide.iter(f"{SVG}circle"))
    one = next(line for line in wide.iter(f"{SVG}path") if line.get("class") == "one")
    assert slow < float(one.get("d", "").removeprefix("M").split()[0]) < fast


def test_forest_says_even_where_the_interval_holds_the_baseline() -> None:
    assert interval("x", 1.05).side == "even"
    assert interval("x", 1.5).side == "faster"
    assert interval("x", 0.5).side == "slower"


def test_strip_draws_every_sample() -> None:
    runs = [[10.0] * 17, [11.0] * 13]
    chart = charts.strip_chart([charts.Lane(kind="candidate", samples_us=runs)], title="t")
    wide = parse(chart)[0]
    dots = [path.get("d", "") for path in wide.iter(f"{SVG}path")]
    assert sum(path.count("M") for path in dots) == 30


def test_strip_without_samples_is_nothing() -> None:
    assert charts.strip_chart([charts.Lane(kind="candidate", samples_us=[])], title="t") == ""


def test_pareto_labels_do_not_overlap() -> None:
    points = [
        charts.ParetoPoint(
            label=f"acme/operator-{index}",
            error=0.01 + index * 1e-4,
            speedup=2.0 + index * 0.01,
            on_frontier=True,
        )
        for index in range(12)
    ]
    for plot in parse(charts.pareto_chart(points, title="t")):
        boxes = [
            (float(text.get("x", "nan")), float(text.get("y", "nan")), text.get("text-anchor"))
            for text in plot.iter(f"{SVG}text")
            if (text.text or "").startswith("acme/")
        ]
        assert len(boxes) == len(set(boxes))
        for index, one in enumerate(boxes):
            for other in boxes[index + 1 :]:
                assert one[1] != other[1] or abs(one[0] - other[0]) > 60


def test_kept_joins_the_lengths_and_places_better_to_the_right_and_up() -> None:
    points = [
        charts.KeptPoint(label="512 tokens", retained=0.98, speedup=0.8),
        charts.KeptPoint(label="8,192 tokens", retained=0.91, speedup=4.0),
    ]
    for plot in parse(charts.kept_chart(points, title="t")):
        dots = [dot for dot in plot.iter(f"{SVG}circle") if dot.get("class") == "dot"]
        (short_x, short_y), (long_x, long_y) = (
            (float(dot.get("cx", "nan")), float(dot.get("cy", "nan"))) for dot in dots
        )
        assert long_x < short_x
        assert long_y < short_y
        path = next(plot.iter(f"{SVG}path")).get("d", "")
        assert path.count("M") == path.count("L") == 1
        labels = [text.text for text in plot.iter(f"{SVG}text")]
        assert {"512 tokens", "8,192 tokens", "100%", "90%"} <= set(labels)


def test_accuracy_marks_what_is_beyond_its_bound() -> None:
    marks = [
        charts.AccuracyMark(label="bad", share=40.0, native_share=0.4, passed=False),
        charts.AccuracyMark(label="good", share=0.4, native_share=0.4, passed=True),
    ]
    wide = parse(charts.accuracy_chart(marks, title="t"))[0]
    rows = [node for node in wide.iter(f"{SVG}g") if "row" in node.get("class", "")]
    assert [row.get("class") for row in rows] == ["row failed", "row passed"]
    assert re.search(r"1 of them beyond", wide.findtext(f"{SVG}desc") or "")


def test_timeline_is_as_wide_as_the_gates_took_long() -> None:
    spans = [
        charts.Span(name="a", outcome="passed", duration_s=1.0),
        charts.Span(name="b", outcome="failed", duration_s=3.0),
        charts.Span(name="c", outcome="skipped", duration_s=0.0),
    ]
    wide = parse(charts.timeline_chart(spans, title="t"))[0]
    first, second, third = (float(r.get("width", "nan")) for r in wide.iter(f"{SVG}rect"))
    assert third < first < second
    assert (second - third) / (first - third) == pytest.approx(3, rel=0.01)


def test_training_marks_what_nothing_beats_on_both() -> None:
    points = [
        charts.TrainedPoint(label=label, steps=steps, loss=loss)
        for label, steps, loss in (("quick", 10, 0.2), ("low", 40, 0.1), ("neither", 40, 0.3))
    ]
    for plot in parse(charts.training_chart(points, title="t")):
        groups = [g for g in plot.iter(f"{SVG}g") if "point" in (g.get("class") or "")]
        kinds = {g.findtext(f".//{SVG}title", "").split(":")[0]: g.get("class") for g in groups}
        assert kinds == {
            "quick": "point on-frontier",
            "low": "point on-frontier",
            "neither": "point dominated",
        }
        places = {
            g.findtext(f".//{SVG}title", "").split(":")[0]: g.find(f".//{SVG}circle")
            for g in groups
        }
        assert float(places["quick"].get("cx")) < float(places["low"].get("cx"))
        assert float(places["low"].get("cy")) > float(places["quick"].get("cy"))
