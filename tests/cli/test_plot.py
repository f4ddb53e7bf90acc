"""gitexp plot: files that are what they say, the data that is drawn, and what is told about it."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest

from gitexp import canonical
from gitexp.ops.recording import evaluate
from gitexp.record import evaluation
from tests import stored, support

IDS = [
    "kqzvmxrkqzvmxrkq",
    "mzrokvumzrokvumz",
    "tvnqylstvnqylstv",
    "pqwtznopqwtznopq",
    "wxlnptywxlnptywx",
    "ymozzosymozzosym",
]
MODELS = ("vit", "cnn")


@pytest.fixture
def runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the ids of six runs: two models at three rates; the last one has no val_auc."""
    monkeypatch.setenv("GITEXP_NOW", stored.NOW)
    for at, run_id in enumerate(IDS):
        rate = (0.1, 0.01, 0.001)[at % 3]
        logged = {"loss": [1.0, 0.5, 0.25 + at / 100]}
        if at < 5:
            logged["val_auc"] = [0.5, 0.9 - at / 50]
        given = {"model": MODELS[at // 3], "lr": rate, "seed": 42}
        stored.make(None, f"run{at}", run_id, at=f"13:0{at}", given=given, logged=logged)
    return IDS


def files(folder: Path) -> list[str]:
    """Return what stands in a folder beside what was there."""
    return sorted(set(os.listdir(folder)) - {".git", "train.py", "README.md"})


@pytest.mark.parametrize(
    ("name", "magic"),
    [("out.png", b"\x89PNG"), ("out.svg", b"<?xml"), ("deep/out.pdf", b"%PDF-"), ("OUT.PNG", b"\x89PNG")],
)
def test_the_file_is_of_the_format_that_its_name_says(
    runs: list[str], project: Path, untouched: None, tmp_path: Path, name: str, magic: bytes
) -> None:
    target = tmp_path / "pictures" / name
    found = support.gitexp("plot", "run0", "run1", "--metric", "loss,val_auc", "-o", str(target))
    assert (found.stdout, found.stderr) == (f"{target}\n", "")
    assert target.read_bytes().startswith(magic)
    assert os.listdir(target.parent) == [target.name]


def test_without_a_name_the_file_says_what_it_is(runs: list[str], project: Path) -> None:
    assert support.gitexp("plot", "run0", "-m", "loss").stdout == "gitexp-loss.png\n"
    assert support.gitexp("plot", "--kind", "bar", "-m", "loss").stdout == "gitexp-bar-loss.png\n"
    assert files(project) == ["gitexp-bar-loss.png", "gitexp-loss.png"]


def lines(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = support.gitexp("plot", *arguments, "--json").json["panels"][0]["lines"]
    return found


def test_json_is_the_data_and_writes_no_file(runs: list[str], project: Path) -> None:
    found = support.gitexp("plot", "run0", "run3", "-m", "val_auc", "--json")
    assert found.json == {
        "kind": "curve", "log": "", "notes": [], "values": None, "x": "step",
        "panels": [
            {
                "metric": "val_auc",
                "lines": [
                    {"label": "vit", "points": 2, "runs": [IDS[0]], "x": [0.0, 1.0], "y": [0.5, 0.9]},
                    {"label": "cnn", "points": 2, "runs": [IDS[3]], "x": [0.0, 1.0], "y": [0.5, 0.9 - 3 / 50]},
                ],
            }
        ],
    }  # fmt: skip
    assert files(project) == []


def test_runs_are_chosen_as_log_does_and_told_apart_by_what_differs(runs: list[str]) -> None:
    assert [line["label"] for line in lines("-m", "loss")] == [
        "cnn, 0.001", "cnn, 0.01", "cnn, 0.1", "vit, 0.001", "vit, 0.01", "vit, 0.1",
    ]  # fmt: skip
    assert [line["label"] for line in lines("-m", "loss", "--where", "params.lr > 0.01")] == ["cnn", "vit"]
    assert [line["runs"] for line in lines("-m", "loss", "-n", "1")] == [[IDS[5]]]
    assert [line["runs"] for line in lines("-m", "loss", "--last", "1", "-e", "churn")] == [[IDS[5]]]
    assert [line["runs"] for line in lines("run*", "-m", "loss", "-n", "2")] == [[IDS[5]], [IDS[4]]]


def test_what_some_runs_lack_is_said(runs: list[str]) -> None:
    found = support.gitexp("plot", "-m", "val_auc", "-o", "x.png")
    assert found.stderr == "gitexp: val_auc: 1 of 6 runs have none: model=cnn, lr=0.001\n"
    assert support.gitexp("-q", "plot", "-m", "val_auc", "-o", "x.png").stderr == ""


def test_smoothing_keeps_the_raw_values(runs: list[str]) -> None:
    line = lines("run0", "-m", "loss", "--smooth", "0.5")[0]
    assert line["raw"] == [1.0, 0.5, 0.25]
    assert line["y"] == pytest.approx([1.0, (0.25 + 0.25) / 0.75, (0.125 + 0.125 + 0.125) / 0.875])


def test_groups_have_a_mean_and_a_spread(runs: list[str]) -> None:
    vit = lines("-m", "loss", "--group-by", "params.model")[1]
    assert (vit["label"], sorted(vit["runs"])) == ("vit (n=3)", sorted(IDS[:3]))
    assert vit["y"] == pytest.approx([1.0, 0.5, 0.26])
    assert vit["spread"] == pytest.approx([0.0, 0.0, 0.01])


def test_x_is_the_step_the_time_or_a_metric(runs: list[str]) -> None:
    assert lines("run0", "-m", "loss", "-x", "relative")[0]["x"] == [0.0, 1.0, 2.0]
    assert lines("run0", "-m", "loss", "-x", "time")[0]["x"][0] == canonical.from_iso("2026-11-20T13:00:00Z") / 1000
    over = lines("run0", "-m", "loss", "-x", "val_auc")[0]
    assert (over["x"], over["y"]) == ([0.5, 0.9], [1.0, 0.5])


def test_a_glob_takes_all_metrics_it_matches_up_to_a_bound(project: Path) -> None:
    stored.make(None, "many", IDS[0], logged={f"layer{at}/norm": [1.0, 2.0] for at in range(5000)})
    found = support.gitexp("plot", "many", "-m", "layer*", "--json")
    assert len(found.json["panels"]) == 12
    assert found.stderr == "gitexp: the first 12 of 5,000 metrics are drawn; name others with --metric\n"


def test_a_scatter_colours_runs_by_a_third_value(runs: list[str]) -> None:
    found = support.gitexp(
        "plot", "-x", "params.lr", "-y", "metrics.val_auc", "--color", "model", "--log", "x", "--json"
    )
    assert found.json["kind"] == "scatter"
    assert (found.json["x"], found.json["y"], found.json["log"]) == ("lr", "val_auc:max", "x")
    assert found.json["points"][0] == {"run": IDS[2], "x": 0.001, "y": 0.86, "colour": "vit"}
    assert found.stderr == "gitexp: 1 run left out: no lr or val_auc:max that can be drawn\n"


def test_numbers_that_texts_spell_are_numbers(project: Path) -> None:
    for at, rate in enumerate(("0.1", "1e-3")):
        stored.make(None, f"run{at}", IDS[at], given={"lr": rate}, logged={"loss": [1.0]})
    points = support.gitexp("plot", "--kind", "scatter", "-x", "lr", "-y", "loss", "--json").json["points"]
    assert [point["x"] for point in points] == [0.001, 0.1]


def test_parallel_coordinates_go_through_the_params_that_differ(runs: list[str]) -> None:
    found = support.gitexp("plot", "--kind", "parallel", "-m", "val_auc", "--json").json
    assert found["axes"] == ["lr", "model", "val_auc:max"]
    assert len(found["points"]) == 5


def test_bars_boxes_and_cells_have_the_statistics_of_their_runs(runs: list[str]) -> None:
    bars = support.gitexp("plot", "--kind", "bar", "-m", "loss:last", "--group-by", "model", "--json").json
    assert [group["label"] for group in bars["groups"]] == ["cnn", "vit"]
    assert bars["groups"][1]["mean"] == pytest.approx(0.26)
    assert bars["groups"][1]["std"] == pytest.approx(0.01)
    single = support.gitexp("plot", "--kind", "bar", "-m", "loss", "--json").json["groups"]
    assert [group["label"] for group in single][:2] == ["vit, 0.1", "vit, 0.01"]
    boxes = support.gitexp("plot", "--kind", "box", "-m", "loss", "--json").json
    assert (boxes["kind"], len(boxes["groups"][0]["values"])) == ("box", 6)
    cells = support.gitexp(
        "plot", "--kind", "heatmap", "-x", "lr", "-y", "seed", "-m", "loss", "--stat", "best", "--json"
    ).json
    assert cells["value"] == "best loss:min"
    assert cells["cells"][0] == {"x": "0.001", "y": "42", "value": 0.27, "count": 2}


def test_a_heatmap_of_many_values_has_bins(project: Path) -> None:
    for at in range(26):
        run_id = IDS[0][:14] + chr(ord("k") + at // 16) + chr(ord("k") + at % 16)
        stored.make(
            None,
            f"r{at}",
            "".join(reversed(run_id)),
            given={"lr": 10 ** -(at / 8), "depth": at % 2},
            logged={"loss": [at]},
        )
    found = support.gitexp("plot", "--kind", "heatmap", "-x", "lr", "-y", "depth", "-m", "loss", "--json")
    assert sum(cell["count"] for cell in found.json["cells"]) == 26
    assert found.json["notes"] == ["lr has many values: they are in 10 bins"]


def logged(*found: evaluation.Evaluation) -> dict[str, bytes]:
    return {f"artifacts/{evaluation.path(item.name)}": evaluation.encode(item) for item in found}


def test_what_was_logged_of_a_classifier_is_drawn(project: Path) -> None:
    true, scores = [0, 1, 1, 0], [0.1, 0.9, 0.3, 0.4]
    binary = evaluate.roc(true, scores, None, None, "roc")
    matrix = evaluate.confusion(true, [0, 1, 0, 0], None, "val")
    several = evaluate.pr([0, 1, 2], [[3, 1, 1], [1, 3, 1], [1, 1, 3]], ["a", "b", "c"], None, "pr")
    stored.make(None, "one", IDS[0], given={"lr": 0.1}, files=logged(binary, matrix, several))
    stored.make(None, "two", IDS[1], given={"lr": 0.2}, files=logged(binary), at="14:10")
    stored.make(
        None, "odd", IDS[2], given={"lr": 0.3}, files={"artifacts/evaluation/x.json": b'{"kind": "roc"}'}, at="14:20"
    )
    roc = support.gitexp("plot", "--kind", "roc", "--json")
    assert [(line["label"], line["area"]) for line in roc.json["panels"][0]["lines"]] == [("0.1", 0.75), ("0.2", 0.75)]
    assert roc.json["notes"] == [
        "odd is left out: an evaluation does not parse: 'curves'",
        "1 of 3 runs have logged none",
    ]
    confusion = support.gitexp("plot", "one", "--kind", "confusion", "--json").json["panels"]
    assert (confusion[0]["counts"], confusion[0]["label"]) == ([[2, 0], [1, 1]], "one")
    classes = support.gitexp("plot", "one", "--kind", "pr", "--name", "pr", "--json").json["panels"]
    assert [line["label"] for line in classes[0]["lines"]] == ["a", "b", "c"]
    for kind in ("roc", "pr", "confusion"):
        assert support.gitexp("plot", "one", "--kind", kind).stdout == f"gitexp-{kind}.png\n"


def test_a_running_run_is_plotted_as_far_as_it_is(project: Path) -> None:
    with stored.live(loss=[0.5, 0.4]):
        assert lines("@", "-m", "loss")[0]["y"] == [0.5, 0.4]


def test_strange_values_are_drawn(project: Path) -> None:
    nan, inf = math.nan, math.inf
    for at, values in enumerate(([nan, nan], [1.0], [2.0] * 50, [1, inf, nan, -inf, 1e308, 2])):
        stored.make(None, f"$r{at}_训练", IDS[at], logged={"loss": values, "Loss": [1.0]}, at=f"14:0{at}")
    found = support.gitexp("plot", "-m", "loss", "--smooth", "0.9", "--title", "costs $5", "-o", "x.svg")
    assert "r3" in Path("x.svg").read_text()
    assert found.stdout == "x.svg\n"
    for kind in ("bar", "box"):
        support.gitexp("plot", "--kind", kind, "-m", "loss")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nothing"], 4, "gitexp: no run 'nothing'\n"),
        (["-m", "nope"], 4, "gitexp: none of these runs has the metric 'nope'\nthey have: val_auc, loss\n"),
        (["-m", "los"], 4, "gitexp: none of these runs has the metric 'los'\ndid you mean: loss\n"),
        (["-w", "params.lr > 5"], 4, "gitexp: there are no runs to plot where params.lr > 5\n"),
        (["run0", "-w", "params.lr > 5"], 2, "gitexp: runs are named, and asked for\n"),
        (["--smooth", "1"], 2, "gitexp: --smooth is 1\n"),
        (["--size", "6"], 2, "gitexp: --size is '6'\n"),
        (["--size", "6x400"], 2, "gitexp: --size is '6x400'\n"),
        (["-o", "plot.gif"], 2, "gitexp: 'plot.gif' has no ending that says its format\n"),
        (["-x", "nope", "-m", "loss"], 4, "gitexp: none of these runs has the metric 'nope'\n"),
        (["-x", "time", "--log", "x"], 2, "gitexp: dates have no logarithm\n"),
        (["run0", "-m", "loss", "-n", "0"], 2, "gitexp: Invalid value for '-n'"),
        (["--kind", "roc"], 4, "gitexp: none of these runs has logged roc\nlog it: run.log_roc(y_true, scores)\n"),
        (["run0", "--kind", "parallel"], 2, "gitexp: the params of these runs do not differ\n"),
        (["--kind", "scatter", "-x", "model", "--log", "x"], 2, "gitexp: model has words: they have no logarithm\n"),
        (["--kind", "scatter", "-x", "nope"], 4, "gitexp: no run has a param, metric or tag 'nope'\n"),
    ],
)
def test_errors_say_what_to_type_and_leave_no_file(
    runs: list[str], project: Path, arguments: list[str], code: int, message: str
) -> None:
    found = support.gitexp("plot", *arguments, expect=code)
    assert found.stderr.startswith(message)
    assert found.stderr.count("\n") >= 2
    assert (found.stdout, files(project)) == ("", [])


def test_no_runs_is_an_error(project: Path) -> None:
    assert support.gitexp("plot", expect=4).stderr.startswith("gitexp: there are no runs to plot\n")
    stored.make(None, "bare", IDS[0])
    assert (
        support.gitexp("plot", expect=4).stderr
        == "gitexp: no run here has a metric\nlog some: run.log({'loss': 0.5})\n"
    )


def test_a_place_that_cannot_be_written_to_is_an_error(runs: list[str], project: Path) -> None:
    (project / "folder.png").mkdir()
    for name, reason in (("folder.png", "Is a directory"), ("README.md/x.png", "Not a directory")):
        found = support.gitexp("plot", "run0", "-m", "loss", "-o", name, expect=9)
        assert found.stderr == f"gitexp: {name} cannot be written: {reason}\n-o elsewhere/plot.png\n"
    assert files(project) == ["folder.png"]


def test_a_run_that_does_not_parse_is_left_out_and_said(runs: list[str]) -> None:
    stored.make(None, "broken", "rstuvwxyrstuvwxy", files={"params.json": b"{"}, at="14:50")
    found = support.gitexp("plot", "-m", "loss", "--json")
    assert len(found.json["panels"][0]["lines"]) == 6
    assert found.stderr.startswith("gitexp: broken is left out: params.json does not parse")
    assert "no record of these runs parses" in support.gitexp("plot", "broken", expect=8).stderr


def test_one_curve_has_no_mean(project: Path) -> None:
    two = evaluate.roc([0, 1, 1, 0], [0.1, 0.9, 0.3, 0.4], None, None, "roc")
    three = evaluate.roc([0, 1, 2], [[3, 1, 1], [1, 3, 1], [1, 1, 3]], None, None, "roc")
    stored.make(None, "two", IDS[0], files=logged(two))
    stored.make(None, "three", IDS[1], files=logged(three), at="14:10")
    panels = support.gitexp("plot", "two", "three", "--kind", "roc", "--json").json["panels"]
    assert [panel["title"] for panel in panels] == ["two   AUC 0.7500", "three   mean AUC 1.0000"]


def test_the_metrics_that_matter_are_named_where_one_is_not_there(project: Path) -> None:
    logged_too = {f"a{number}": [1] for number in range(9)}
    stored.make(None, "many", IDS[0], logged={**logged_too, "val_auc": [0.9], "loss": [0.1]})
    assert support.gitexp("plot", "-m", "nope", expect=4).stderr.endswith("\nthey have: val_auc, loss and 9 more\n")
