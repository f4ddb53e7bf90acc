"""Groups of runs: their means, deviations and best runs."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.errors import NotFound, UsageError
from gitexp.ops.finding import group, listing
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace
from tests import stored, support

A, B, C, D, E = (letter * 16 for letter in "klmno")
MAX, NONE = "max", ""


@pytest.fixture
def workspace(project: Path) -> Workspace:
    """Return a project with five runs of two models; one run has no model."""
    opened = workspaces.open()
    runs = [
        (A, "cnn", [0.7, 0.9], 0.1),
        (B, "cnn", [0.8], 0.2),
        (C, "vit", [0.95], 0.3),
        (D, "vit", [float("nan")], 0.4),
    ]
    for at, (run_id, model, accuracy, loss) in enumerate(runs):
        given = {"model": model, "depth": 1 + at % 2}
        stored.make(opened, f"r{at}", run_id, at=f"14:0{at}", given=given, logged={"val_acc": accuracy, "loss": [loss]})
    stored.make(opened, "bare", E, at="14:09", given={"depth": 1.0}, logged={"loss": [0.5]})
    return opened


def collect(workspace: Workspace, by: str, *wanted: str, **query: Any) -> group.Grouping:
    return group.collect(workspace, listing.selection(workspace, listing.Query(**query)), by.split(","), wanted)


def test_groups_have_counts_means_deviations_and_the_best_run(workspace: Workspace) -> None:
    found = collect(workspace, "model", "val_acc")
    assert [(item.key, item.runs) for item in found.groups] == [(("cnn",), 2), (("vit",), 2), ((None,), 1)]
    assert [column.title for column in found.metrics] == ["val_acc:max"]
    cnn, vit, bare = (item.stats[0] for item in found.groups)
    assert (cnn.count, cnn.nan, cnn.best, cnn.best_id) == (2, 0, 0.9, A)
    assert [cnn.mean, cnn.std] == pytest.approx([0.85, statistics.stdev([0.9, 0.8])])
    assert (vit.count, vit.nan, vit.mean, vit.std, vit.best_id) == (1, 1, 0.95, None, C)
    assert (bare.count, bare.nan, bare.mean, bare.best, bare.best_id) == (0, 0, None, None, "")


def test_what_is_better_decides_the_best_of_a_group(workspace: Workspace) -> None:
    found = collect(workspace, "params.model", "loss")
    assert [(item.stats[0].best, item.stats[0].best_id) for item in found.groups] == [(0.1, A), (0.3, C), (0.5, E)]


def test_numbers_that_are_equal_are_one_group(workspace: Workspace) -> None:
    found = collect(workspace, "depth", "loss")
    assert [(item.key, item.runs) for item in found.groups] == [((1,), 3), ((2,), 2)]


def test_runs_are_grouped_by_several_things_and_by_expressions(workspace: Workspace) -> None:
    found = collect(workspace, "model,depth", "loss")
    assert [item.key for item in found.groups] == [("cnn", 1), ("cnn", 2), ("vit", 1), ("vit", 2), (None, 1.0)]
    found = collect(workspace, "params.depth * 10", "loss")
    assert [(item.key, item.runs) for item in found.groups] == [((10,), 3), ((20,), 2)]
    found = collect(workspace, "status", "loss")
    assert [(item.key, item.runs) for item in found.groups] == [(("completed",), 5)]


def test_groups_are_of_the_runs_that_are_asked_for(workspace: Workspace) -> None:
    found = collect(workspace, "model", "loss", where="metrics.loss < 0.35")
    assert [(item.key, item.runs) for item in found.groups] == [(("cnn",), 2), (("vit",), 1)]


def test_groups_are_sorted_by_the_mean_of_a_metric_or_backwards(workspace: Workspace) -> None:
    assert [item.key for item in collect(workspace, "model", best="val_acc").groups] == [("vit",), ("cnn",)]
    found = collect(workspace, "model", sort="-metrics.loss")
    assert [item.key for item in found.groups] == [(None,), ("vit",), ("cnn",)]
    assert [item.key for item in collect(workspace, "model", sort="-model").groups] == [("vit",), ("cnn",), (None,)]
    with pytest.raises(UsageError, match="takes what the runs are grouped by"):
        collect(workspace, "model", sort="start")


def test_what_no_run_has_is_no_group(workspace: Workspace) -> None:
    with pytest.raises(NotFound) as caught:
        collect(workspace, "modle")
    assert caught.value.hint == "did you mean: model"
    with pytest.raises(UsageError, match="'depth' is no metric"):
        collect(workspace, "model", "depth")


def test_the_table_of_groups(workspace: Workspace) -> None:
    assert (
        support.gitexp("log", "--group-by", "model", "--columns", "val_acc,loss").stdout
        == """\
churn: 5 runs in 3 groups

model  RUNS        val_acc:max     best  RUN             loss:min     best  RUN
cnn       2    0.8500 ± 0.0707   0.9000  kkkkkkk  0.1500 ± 0.0707  *0.1000  kkkkkkk
vit       2  0.9500 (1, 1 nan)  *0.9500  mmmmmmm  0.3500 ± 0.0707   0.3000  mmmmmmm
-         1                  -        -  -                 0.5000   0.5000  ooooooo

mean ± standard deviation of the runs (n - 1).  (n) where not all runs have a number.  \
* best: higher val_acc, lower loss (guessed from the name).
"""
    )


def test_on_a_terminal_what_stands_below_the_groups_is_folded(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITEXP_FORCE_TERMINAL", "1")
    monkeypatch.setenv("COLUMNS", "60")
    shown = support.gitexp("log", "--group-by", "model", "--columns", "val_acc,loss")
    assert max(map(len, shown.lines)) <= 60
    assert "Too narrow for RUN, best." in " ".join(shown.lines)


def test_groups_as_json(workspace: Workspace) -> None:
    found = support.gitexp("log", "--group-by", "model", "--columns", "val_acc", "--json").json
    assert found["by"] == ["model"]
    assert [item["key"] for item in found["groups"]] == [{"model": "cnn"}, {"model": "vit"}, {"model": None}]
    assert found["groups"][1]["metrics"]["val_acc"] == {
        "aggregate": "max", "count": 1, "nan": 1, "mean": 0.95, "std": None, "best": 0.95, "best_run": C,
    }  # fmt: skip


def stat(*values: float, best_is: str = MAX) -> group.Stat:
    made = group.Stat(best_is)
    for at, value in enumerate(values):
        made.add(str(at), value)
    return made


def test_infinite_values_are_values() -> None:
    found = stat(1.0, math.inf, 2.0)
    assert (found.count, found.mean, found.best, found.best_id) == (3, math.inf, math.inf, "1")
    assert math.isnan(found.std or 0.0)
    assert math.isnan(stat(math.inf, -math.inf).mean or 0.0)
    assert stat(10**400).mean == math.inf


def test_of_equal_values_the_first_is_the_best_and_without_a_direction_none_is() -> None:
    assert stat(1.0, 1.0).best_id == "0"
    assert (stat(1.0, 2.0, best_is=NONE).best, stat(1.0, 2.0, best_is=NONE).mean) == (None, 1.5)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50), st.floats(-1e9, 1e9))
def test_mean_and_deviation_are_those_of_the_values_however_far_from_zero(values: list[float], far: float) -> None:
    shifted = [value + far for value in values]
    found = stat(*shifted)
    assert found.mean == pytest.approx(statistics.fmean(shifted), rel=1e-9, abs=1e-6)
    assert found.std == pytest.approx(statistics.stdev(shifted), rel=1e-6, abs=1e-5)


def test_values_of_other_types_are_groups_of_their_own() -> None:
    rows = [("a", 1), ("b", 1.0), ("c", True), ("d", "1"), ("e", None), ("f", [1, 2]), ("g", [1, 2]), ("h", math.nan)]
    found = group.fold(rows, 1, [])
    assert [(item.key[0], item.runs) for item in found][:5] == [(1, 2), ("1", 1), ([1, 2], 2), (math.nan, 1), (True, 1)]
    assert found[-1].key == (None,)
