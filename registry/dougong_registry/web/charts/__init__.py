"""Server-side SVG charts: data in, safe markup out, colours left to the style sheet.

Every chart is drawn twice, for wide and for narrow screens; the style sheet shows one of them.
"""

from __future__ import annotations

from dougong_registry.web.charts.accuracy import AccuracyMark, accuracy_chart
from dougong_registry.web.charts.columns import Column, columns_chart
from dougong_registry.web.charts.forest import Interval, forest_chart
from dougong_registry.web.charts.heatmap import Tile, heatmap_chart
from dougong_registry.web.charts.kept import KeptPoint, kept_chart
from dougong_registry.web.charts.memory import MemoryPoint, memory_chart
from dougong_registry.web.charts.pareto import ParetoPoint, pareto_chart
from dougong_registry.web.charts.strip import Lane, strip_chart
from dougong_registry.web.charts.timeline import Span, timeline_chart
from dougong_registry.web.charts.training import TrainedPoint, training_chart

__all__ = [
    "AccuracyMark",
    "Column",
    "Interval",
    "KeptPoint",
    "Lane",
    "MemoryPoint",
    "ParetoPoint",
    "Span",
    "Tile",
    "TrainedPoint",
    "accuracy_chart",
    "columns_chart",
    "forest_chart",
    "heatmap_chart",
    "kept_chart",
    "memory_chart",
    "pareto_chart",
    "strip_chart",
    "timeline_chart",
    "training_chart",
]
