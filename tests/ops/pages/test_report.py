"""Reports: what stands on the page of one run, of several, and what is left out of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gitexp.ops.finding import find
from gitexp.ops.pages import curves, pictures, report
from gitexp.ops.recording import lifecycle
from gitexp.pages import html
from gitexp.pages.parts import Report, Section, Table
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Run
from tests import recording, support
from tests.pages import sample


def build(runs: Sequence[Run], **options: Any) -> Report:
    return report.build(workspaces.open(), runs, report.Options(**options))


def section(page: Report, title: str) -> Section:
    return next(part for part in page.sections if part.title.startswith(title))


def texts(table: Table | None) -> list[list[str]]:
    assert table is not None
    return [[cell.text for cell in row] for row in table.rows]


@pytest.fixture
def two(project: Path) -> list[Run]:
    """Return two runs: of edited code and of clean code, that differ in a param, a package and an artifact."""
    support.write(project / "train.py", "print(1)\n")
    environment = {**recording.ENVIRONMENT, "packages": {"lightgbm": {"version": "4.4.0"}}}
    one = recording.record(
        project, "slow", params={"lr": 0.1, "depth": 3}, metrics={"val_auc": [0.8, 0.9], "loss": [0.5, 0.2]},
        environment=environment, artifacts={"model.txt": b"one"},
    )  # fmt: skip
    support.git(project, "checkout", "--quiet", "train.py")
    environment = {**recording.ENVIRONMENT, "packages": {"lightgbm": {"version": "4.5.0"}}}
    other = recording.record(
        project, "fast", params={"lr": 0.2, "depth": 3}, metrics={"val_auc": [0.8, 0.95], "loss": [0.5, 0.2]},
        environment=environment, artifacts={"model.txt": b"two"},
    )  # fmt: skip
    return [one, other]


def test_the_table_of_runs_has_what_differs_first(two: list[Run], untouched: None) -> None:
    page = build(two)
    assert page.table is not None
    assert [column.title for column in page.table.columns] == [
        "run", "status", "val_auc:max", "lr", "took", "started", "code",
    ]  # fmt: skip
    rows = texts(page.table)
    assert [row[:4] for row in rows] == [
        ["A  slow", "completed", "0.9000", "0.1"],
        ["B  fast", "completed", "0.9500", "0.2"],
    ]
    assert rows[0][6].endswith("+") and not rows[1][6].endswith("+")
    marks = [[cell.marks for cell in row][2] for row in page.table.rows]
    assert marks == ["", "best"]
    assert page.subtitle == ("2 runs", "1 with uncommitted edits (+)")


def test_the_sections_say_what_differs_and_fold_what_is_equal(two: list[Run]) -> None:
    page = build(two)
    assert page.compared
    assert texts(section(page, "params").table) == [["lr", "0.1", "0.2"]]
    assert section(page, "params").rest_title == "1 equal"
    assert texts(section(page, "packages").table) == [["lightgbm", "4.4.0", "4.5.0"]]
    assert section(page, "code").lines[0] == "The same commit, with other edits."
    assert texts(section(page, "code").table) == [["train.py", "+3", "−1"]]
    assert section(page, "metrics").rest_title == "1 equal"
    change = texts(section(page, "metrics").table)[0]
    assert change == ["val_auc:max", "0.9000", "0.9500", "+0.05000", "+5.6 %"]
    short = section(page, "in short").lines
    assert short[0].startswith("val_auc:max: B is better than A, +0.05000, +5.6 %")
    assert short[-1] == "3 causes possible (1 param, code, 1 package): rerun with one changed to know which."
    assert section(page, "machine").table is None and section(page, "machine").rest is not None


def test_the_whole_diff_of_the_code_is_there_only_when_asked_for(two: list[Run]) -> None:
    assert section(build(two), "code").patch == ""
    patch = section(build(two, patch=True), "code").patch
    assert patch.startswith("diff --git a/train.py b/train.py") and "-print(1)" in patch


def test_one_run_has_its_record_instead(two: list[Run]) -> None:
    page = build(two[:1])
    assert not page.compared and page.table is None
    assert [part.title for part in page.sections] == ["metrics (2)", "params (2)", "artifacts (1, 3 bytes)"]
    assert texts(section(page, "params").table) == [["depth", "3"], ["lr", "0.1"]]
    assert "uncommitted edits, recorded as" in page.subtitle[3]
    labels = [fact.label for fact in page.sheets[0].facts]
    assert {"run", "status", "when", "run commit", "code commit", "command", "edits", "machine"} <= set(labels)


def test_edits_that_are_not_recorded_are_a_warning(project: Path) -> None:
    support.write(project / "train.py", "print(1)\n")
    run = recording.record(project, "run", settings={"dirty": "allow"})
    assert build([run]).warnings == ("Not all of the code is recorded: uncommitted edits were left out.",)


def test_a_run_without_anything_has_a_page(project: Path) -> None:
    page = build([recording.record(project, "empty", environment=None)])
    assert page.sections == () and page.charts == () and page.pictures == () and page.sheets


def test_a_running_run_has_a_page_with_its_curves_and_images(project: Path) -> None:
    session = recording.start(project, "live", metrics={"loss": [0.5, 0.25]}, artifacts={"plot.png": sample.png()})
    try:
        session.writer.drain()
        page = build([find.one(workspaces.open(), "live")])
        assert page.runs[0].status == "running"
        assert list(page.charts[0].series[0].values) == [0.5, 0.25]
        assert [picture.name for picture in page.pictures] == ["plot.png"]
    finally:
        lifecycle.finish(session, "killed")


def test_metrics_of_one_value_are_numbers_and_no_curves(project: Path) -> None:
    run = recording.record(project, "run", metrics={"loss": [0.5, 0.4], "test_auc": [0.9]})
    assert [chart.name for chart in build([run]).charts] == ["loss"]


def test_gaps_are_counted_and_a_curve_of_nothing_but_nan_is_kept(project: Path) -> None:
    run = recording.record(project, "run", metrics={"loss": [0.5, math.nan, math.inf], "nan": [math.nan] * 3})
    charts = {chart.name: chart for chart in build([run]).charts}
    assert list(charts["loss"].series[0].values) == [0.5, None, None]
    assert charts["loss"].note == "lower is better, 2 values not finite"
    assert list(charts["nan"].series[0].values) == [None] * 3


def test_long_curves_are_thinned_and_keep_their_peaks(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "POINTS", 400)
    values = [float(step % 7) for step in range(5000)]
    values[2500] = 99.0
    page = build([recording.record(project, "run", metrics={"loss": values})])
    series = page.charts[0].series[0]
    assert len(series.steps) < 600 and 99.0 in series.values
    assert list(series.steps) == sorted(series.steps) and (series.steps[0], series.steps[-1]) == (0, 4999)
    assert any("thinned" in line for line in page.charts_left_out)


def test_of_many_metrics_the_weightiest_are_drawn_and_the_others_counted(project: Path) -> None:
    run = recording.record(
        project, "run", metrics={f"m{at:03}": [1.0, 2.0] for at in range(40)} | {"val_auc": [0.1, 0.2]}
    )
    page = build([run])
    assert len(page.charts) == curves.MAX_CHARTS and page.charts[0].name == "val_auc"
    assert page.charts_left_out == ("17 metrics more: choose with --metric 'val_*'",)
    chosen = build([run], metrics=["m03*"])
    assert [chart.name for chart in chosen.charts] == [f"m03{at}" for at in range(10)]


def test_images_are_known_by_their_bytes_and_what_is_left_out_is_said(project: Path) -> None:
    files = {
        "b.png": sample.png(), "a.gif": b"<script>alert(1)</script>", "c.jpg": sample.png(50, 20), "d.svg": b"<svg/>",
        "e.png": b"", "notes.txt": b"x",
    }  # fmt: skip
    page = build([recording.record(project, "run", artifacts=files)])
    assert [(item.name, item.width, item.height) for item in page.pictures] == [("b.png", 40, 30), ("c.jpg", 50, 20)]
    assert all(item.source.startswith("data:image/png;base64,") for item in page.pictures)
    assert page.pictures_left_out == (
        "Not shown (not an image that a browser shows safely): a.gif, e.png",
        "Not shown (may hold scripts): d.svg",
    )


def test_images_are_bounded_each_together_and_in_number(project: Path) -> None:
    files = {f"{at}.png": sample.png(30 + at, 30) for at in range(5)}
    run = recording.record(project, "run", artifacts=files)
    size = max(map(len, files.values()))
    for limits, count in (
        (pictures.Limits(each_bytes=10), 0),
        (pictures.Limits(total_bytes=2 * size + 5), 2),
        (pictures.Limits(count=3), 3),
        (pictures.Limits(pixels=30 * 32), 3),
        (pictures.Limits(), 5),
    ):
        found = pictures.gather(workspaces.open(), [run], limits=limits)
        assert len(found.shown) == count and (len(found.left_out) == 0) == (count == 5)


def test_images_of_one_name_stand_side_by_side(project: Path) -> None:
    runs = [
        recording.record(project, name, artifacts={"a.png": sample.png(), "b.png": sample.png(9, 9)})
        for name in ("one", "two")
    ]
    assert [(item.name, item.run) for item in build(runs).pictures] == [
        ("a.png", 0), ("a.png", 1), ("b.png", 0), ("b.png", 1),
    ]  # fmt: skip


def test_large_images_that_are_not_here_are_named(project: Path) -> None:
    run = recording.record(project, "run", artifacts={"big.png": sample.png() + b"\0" * 200_000})
    sha256 = run.artifacts[0].sha256
    assert sha256 is not None and len(build([run]).pictures) == 1
    stored = workspaces.open().objects / sha256[:2] / sha256[2:4] / sha256
    stored.unlink()
    assert build([run]).pictures_left_out == ("Not shown (its bytes are not here): big.png",)


def test_data_and_params_of_other_names_are_told(project: Path) -> None:
    support.git(project, "config", "gitexp.aliases.lr", "learning_rate")
    digests = ("7be1c04a" + "0" * 56, "9c2f" + "1" * 60)
    runs = [
        recording.record(project, name, params={name: 0.1}, data=[{"role": "train", "sha256": sha256, "rows": 1200}])
        for name, sha256 in zip(("lr", "learning_rate"), digests, strict=True)
    ]
    page = build(runs)
    assert texts(section(page, "data").table) == [["train", "7be1c04a0000, 1,200 rows", "9c2f11111111, 1,200 rows"]]
    params = section(page, "params").table
    assert texts(params) == [["lr", "0.1", "0.1"]]
    assert params is not None and next(iter(params.rows))[0].note.startswith("learning_rate in B (")


def test_steps_and_values_beyond_all_floats_are_drawn_at_the_edge(project: Path) -> None:
    session = recording.start(project, "far")
    for step, value in ((0, 1.0), (10**400, 2.0), (-(10**400), 10**400), (2**60, 3.0)):
        session.writer.rows.append(("loss", step, session.start.record.start_ms, value))
    run = lifecycle.finish(session, "completed")
    assert run is not None
    page = build([run])
    series = page.charts[0].series[0]
    assert list(series.values) == [None, 1.0, 3.0, 2.0] and series.steps[2] == 2.0**60
    assert '"y":[null,1.0,3.0,2.0]' in html.report(page)


def test_of_very_many_runs_the_table_is_whole_and_the_rest_is_short(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MANY", 2)
    runs = [recording.record(project, f"r{at}", params={"lr": at}, metrics={"loss": [1.0, at / 10]}) for at in range(4)]
    page = build(runs)
    assert page.table is not None and len(texts(page.table)) == 4
    assert [part.title for part in page.sections] == ["in short"]
    assert {series.run for series in page.charts[0].series} == {0, 1}
    assert page.charts_left_out == ("Curves of the first 2 of 4 runs.",)
    assert len(page.sheets) == 4 and all(sheet.lists == () for sheet in page.sheets)


def test_an_experiment_is_called_what_it_is_called_now(project: Path) -> None:
    run = recording.record(project, "run")
    support.gitexp("experiment", "rename", "churn", "retention")
    assert build([run]).runs[0].experiment == "retention"


EVALUATIONS = """\
import gitexp
for name, scores in (("one", [0.1, 0.4, 0.35, 0.8]), ("two", [0.3, 0.2, 0.6, 0.9])):
    with gitexp.start_run("churn", name=name, params={"name": name}) as run:
        run.log_confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1])
        run.log_roc([0, 0, 1, 1], scores)
"""


def test_evaluations_are_drawn_with_all_runs_in_one_figure(project: Path) -> None:
    support.python(project, EVALUATIONS)
    workspace = workspaces.open()
    found = build([find.one(workspace, "one"), find.one(workspace, "two"), recording.record(project, "none")])
    assert [(item.name, item.run) for item in found.pictures] == [("confusion matrix", None), ("ROC curves", None)]
    assert all(item.source.startswith("data:image/png;base64,") and item.width > 200 for item in found.pictures)
    assert html.report(found).count("<img ") == 2
