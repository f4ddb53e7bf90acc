"""What stands in a figure: its axes, lines, points, labels and marks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from matplotlib.figure import Figure

from gitexp.ops.recording import evaluate
from gitexp.plots import axes as shared
from gitexp.plots import sheet, style
from gitexp.plots.curves import Curve, Curves, Panel
from gitexp.plots.groups import Group, Groups
from gitexp.plots.heatmap import Heatmap
from gitexp.plots.matrix import Matrices
from gitexp.plots.parallel import Axis, Parallel
from gitexp.plots.rates import Line, RateCurves
from gitexp.plots.scatter import Scatter


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    with style.settings():
        yield


def drawn(drawing: sheet.Drawing) -> Figure:
    """Return the figure of a drawing, laid out as it is written."""
    figure = Figure(figsize=drawing.size(), dpi=100, layout="constrained")
    drawing.draw(figure)
    sheet._finish(figure)
    figure.draw_without_rendering()
    return figure


def curve(values: Any, number: int = 0, label: str = "", **more: Any) -> Curve:
    y = np.array(values, dtype=float)
    return Curve(label or f"run {number}", number, (f"id{number}",), np.arange(len(y), dtype=float), y, **more)


def curves(*found: Curve, metrics: tuple[str, ...] = ("loss",), **more: Any) -> Curves:
    looks = {item.number: item.label for item in found}
    return Curves(tuple(Panel(name, found) for name in metrics), more.pop("x", "step"), looks=looks, **more)


def lines(axes: Any, gid: str = "curve") -> list[Any]:
    return [line for line in axes.get_lines() if line.get_gid() == gid]


def marks(axes: Any) -> dict[str, list[float]]:
    found = [line for line in axes.get_lines() if str(line.get_gid()).startswith("marks")]
    return {line.get_gid(): line.get_xdata().tolist() for line in found}


def test_each_metric_has_a_panel_with_a_line_a_run() -> None:
    figure = drawn(curves(curve([3, 2, 1]), curve([2, 2, 2], 1), metrics=("loss", "val_loss")))
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "val_loss"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["step", "step"]
    assert [line.get_ydata().tolist() for line in lines(figure.axes[0])] == [[3, 2, 1], [2, 2, 2]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["run 0", "run 1"]


def test_twenty_runs_have_labels_that_do_not_overlap_and_looks_of_their_own() -> None:
    random = np.random.default_rng(0)
    found = [curve(1 + random.normal(0, 0.01, 50), at, f"model-{at}, 0.{at:03d}") for at in range(20)]
    figure = drawn(curves(*found, legend_title="model, lr"))
    axes = figure.axes[0]
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 21
    assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[at + 1 :])
    assert all(box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1 and box.y0 >= 0 for box in boxes)
    assert len({(line.get_color(), str(line.get_linestyle()), str(line._dash_pattern)) for line in lines(axes)}) == 20


def test_more_runs_than_labels_have_room_for_get_a_legend() -> None:
    figure = drawn(curves(*(curve([1, 2], at) for at in range(60))))
    assert len(figure.legends[0].get_texts()) == 60


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.001, 0.03))
def test_labels_are_spread_within_the_axes_in_their_order(heights: list[float], gap: float) -> None:
    places = shared.spread(heights, gap)
    order = sorted(range(len(heights)), key=lambda at: places[at])
    assert all(places[two] - places[one] >= gap - 1e-9 for one, two in pairwise(order))
    assert all(heights[one] <= heights[two] + 1e-9 for one, two in pairwise(order))
    assert min(places) >= -1e-9
    assert max(places) <= 1 + 1e-9


def test_a_raw_line_is_faint_behind_the_smoothed_one() -> None:
    raw = np.array([1.0, 3.0, 1.0])
    axes = drawn(curves(curve([1, 2, 1.5], raw=raw), said="smoothed 0.5")).axes[0]
    faint = [line for line in axes.get_lines() if line.get_alpha() is not None]
    assert faint[0].get_ydata().tolist() == raw.tolist()
    assert axes.get_ylabel() == "loss, smoothed 0.5"


def test_values_that_no_axis_has_are_marked_at_the_edges() -> None:
    axes = drawn(curves(curve([1, math.nan, math.inf, 2, -math.inf, 1e301]))).axes[0]
    assert marks(axes) == {"marks-nan": [1], "marks-inf": [2, 5], "marks--inf": [4]}
    assert axes.get_title("right") == "× NaN   ▲ inf   ▼ −inf"
    low, high = axes.get_ylim()
    assert 0 < low < high < 3


@pytest.mark.parametrize("values", [[math.nan] * 3, [math.inf], [2.0], [1.0] * 100, [1e308, -1e308], [5e-324, 1e-320]])
@pytest.mark.parametrize("log", ["", "xy"])
def test_strange_series_are_drawn(values: list[float], log: str) -> None:
    drawn(curves(curve(values), curve([1, 2, 3], 1), log=log))


def test_a_value_between_gaps_is_a_point() -> None:
    values = [math.nan if at % 2 else 1.0 for at in range(101)]
    axes = drawn(curves(curve(values))).axes[0]
    assert len(lines(axes, "lone")[0].get_ydata()) == 51


def test_a_spike_among_a_million_points_is_drawn() -> None:
    values = np.zeros(1_000_000)
    values[345_678] = 50.0
    axes = drawn(curves(curve(values))).axes[0]
    found = lines(axes)[0]
    assert len(found.get_ydata()) < 10_000
    assert found.get_ydata().max() == 50.0
    assert axes.get_ylim()[1] > 50


def test_a_logarithmic_axis_leaves_out_what_it_cannot_hold() -> None:
    axes = drawn(curves(curve([-1, 0, 10, 1000]), log="y")).axes[0]
    assert axes.get_yscale() == "log"
    assert lines(axes)[0].get_ydata()[2:].tolist() == [10, 1000]
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert "100" in shown
    assert not any("$" in text for text in shown)


def test_a_band_is_the_mean_and_the_spread() -> None:
    axes = drawn(curves(curve([1, 2, 3], spread=np.array([0.5, 0.5, math.nan])), said="mean ± std")).axes[0]
    edges = axes.collections[0].get_paths()[0].vertices
    assert {0.5, 1.5, 2.5} <= set(edges[:, 1].tolist())


def test_dates_are_dates() -> None:
    found = Curve("a", 0, ("a",), np.array([1.79e9, 1.79e9 + 7200]), np.array([1.0, 2.0]))
    axes = drawn(Curves((Panel("loss", (found,)),), "time", dates=True, looks={0: "a"})).axes[0]
    assert any(":" in label.get_text() for label in axes.get_xticklabels())


def test_a_scatter_has_a_point_a_run() -> None:
    drawing = Scatter("lr", "val_auc:max", (0.1, 0.01), (0.9, 0.8), ("a", "b"), names=("x$y$", "b"), log="x")
    axes = drawn(drawing).axes[0]
    assert axes.collections[0].get_offsets().tolist() == [[0.1, 0.9], [0.01, 0.8]]
    assert (axes.get_xscale(), [text.get_text() for text in axes.texts]) == ("log", ["x$y$", "b"])


def test_words_have_places_and_colours_have_a_legend_or_a_scale() -> None:
    words = Scatter("model", "auc", ("vit", "cnn", "vit"), (1.0, 2.0, 3.0), tuple("abc"), colour_label="opt",
                    colour=("sgd", "adam", None))  # fmt: skip
    axes = drawn(words).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["vit", "cnn"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["adam", "sgd", "none"]
    shaded = Scatter(
        "a", "b", (1.0, 2.0, 3.0), (1.0, 2.0, 3.0), tuple("abc"), colour_label="lr", colour=(1e-5, 0.1, None)
    )
    figure = drawn(shaded)
    assert figure.axes[1].get_ylabel() == "lr"
    assert not any("$" in label.get_text() for label in figure.axes[1].get_yticklabels())


def test_parallel_lines_go_through_each_axis_and_stop_at_what_is_missing() -> None:
    drawing = Parallel(
        (Axis("lr", (0.1, 1e-5, 0.01)), Axis("model", ("a", None, "b")), Axis("auc", (0.9, 0.8, math.nan))),
        tuple("xyz"),
    )
    axes = drawn(drawing).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["lr", "model", "auc"]
    found = [path.vertices for path in axes.collections[0].get_paths()]
    assert [(path[0, 0], path[-1, 0]) for path in found] == [(0, 2), (0, 1)]  # y goes nowhere, z ends early
    assert found[0][-1].tolist() == [2.0, 1.0]


def test_bars_show_the_mean_the_spread_and_each_run() -> None:
    groups = (Group("a", (1.0, 3.0), ("x", "y")), Group("b", (5.0,), ("z",)))
    axes = drawn(Groups(groups, "auc:max", by="model", title="model")).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [2.0, 5.0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a  (n=2)", "b  (n=1)"]
    assert lines(axes, "runs")[0].get_xdata().tolist() == [1.0, 3.0]
    assert Groups(groups, "auc").to_json()["groups"][0]["std"] == pytest.approx(math.sqrt(2))


def test_boxes_show_the_quartiles() -> None:
    groups = (Group("a", (1.0, 2.0, 3.0, 4.0, 5.0), tuple("vwxyz")), Group("b", (2.0,), ("u",)))
    axes = drawn(Groups(groups, "auc", by="model", boxes=True)).axes[0]
    box = axes.patches[0].get_path().vertices
    assert (box[:, 0].min(), box[:, 0].max()) == (2.0, 4.0)


def test_bars_that_begin_above_zero_say_so() -> None:
    groups = tuple(Group(name, (value,), (name,)) for name, value in (("a", 0.90), ("b", 0.91)))
    axes = drawn(Groups(groups, "auc")).axes[0]
    assert axes.get_title("right") == "the axis does not begin at 0"
    assert axes.get_xlim()[0] > 0.8


def test_a_heatmap_writes_its_cells() -> None:
    cells = (((0.5, 1), None), ((0.7, 2), (0.9, 1)))
    axes = drawn(Heatmap("lr", "model", "mean auc", ("0.1", "0.2"), ("a", "b"), cells)).axes[0]
    assert [text.get_text() for text in axes.texts] == ["0.5000\nn=1", "0.7000\nn=2", "0.9000\nn=1"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("lr", "model")


def test_a_confusion_matrix_has_counts_and_shares() -> None:
    matrix = evaluate.confusion(["a", "a", "b"], ["a", "b", "b"], ["a", "b", "c"], "m")
    figure = drawn(Matrices((("run", "id", matrix),)))
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["1", "1", "0", "0", "1", "0", "0", "0", "0"]
    assert axes.images[0].get_array()[0].tolist() == [0.5, 0.5, 0.0]
    assert axes.images[0].get_array().mask[2].all()  # no sample is of c
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")


@pytest.mark.parametrize(("kind", "word"), [("roc", "AUC"), ("pr", "AP")])
def test_curves_of_rates_name_their_area_and_chance(kind: Any, word: str) -> None:
    rates = getattr(evaluate, kind)([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.2], None, None, kind)
    drawing = RateCurves(kind, (("", (Line("lr=0.1", "id", 0, rates.curves[0]),)),))
    axes = drawn(drawing).axes[0]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[0] == f"lr=0.1  ({word} 1.0000)"
    assert labels[1].startswith("chance")
    assert len(lines(axes)) == 1


def test_the_data_of_every_drawing_is_json() -> None:
    from gitexp import canonical

    found = curves(curve([1, math.nan, math.inf], raw=np.array([1, 2, 3.0]), spread=np.array([0, 1, math.nan])))
    value = canonical.loads(canonical.dumps(found.to_json()))
    assert value["panels"][0]["lines"][0] == {
        "label": "run 0", "runs": ["id0"], "points": 3, "x": [0.0, 1.0, 2.0], "y": [1.0, "NaN", "Infinity"],
        "raw": [1.0, 2.0, 3.0], "spread": [0.0, 1.0, "NaN"],
    }  # fmt: skip


def test_names_of_points_do_not_lie_on_each_other() -> None:
    values = (1.0, 1.001, 1.002, 1.003, 1.004, 1.005, 9.0)
    axes = drawn(
        Scatter("a", "b", values, values, tuple("abcdefg"), names=tuple(f"a long name {at}" for at in range(7)))
    ).axes[0]
    boxes = [text.get_window_extent() for text in axes.texts if text.get_visible()]
    assert 2 <= len(boxes) < 7
    assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[at + 1 :])
    assert all(box.x0 >= axes.bbox.x0 and box.y0 >= axes.bbox.y0 for box in boxes)  # nor on the ticks
