"""Runs and histories as DataFrames."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gitexp
from gitexp.errors import UsageError
from gitexp.ops import annotate
from gitexp.ops.recording import lifecycle
from gitexp.sdk import notebook
from gitexp.store import workspace as workspaces
from tests import recording, stored, support
from tests.record.test_arrays import to_float
from tests.store.test_series import NASTY, points_of, record


def test_a_run_s_metrics_are_its_points_in_the_order_logged(project: Path) -> None:
    record(project, points_of(400))
    frame = gitexp.get_run("@").metrics()
    assert [f"{column}: {kind}" for column, kind in frame.dtypes.items()] == [
        "metric: category",
        "step: int64",
        "time: datetime64[ms, UTC]",
        "value: float64",
    ]
    back = zip(frame["metric"], frame["step"], frame["time"].astype("int64"), frame["value"], strict=True)
    wanted = [(point.metric, point.step, point.time_ms, to_float(point.value)) for point in points_of(400)]
    assert [repr((m, int(s), int(t), float(v))) for m, s, t, v in back] == [repr(row) for row in wanted]


def test_a_wide_table_has_a_row_a_step_and_a_column_a_metric(project: Path) -> None:
    recording.record(project, "run", metrics={"loss": [0.5, math.nan, 0.1], "acc": [0.25], "Loss": [1]})
    frame = gitexp.get_run("@").metrics(wide=True)
    assert (frame.index.name, frame.index.tolist()) == ("step", [0, 1, 2])
    assert (frame.columns.name, frame.columns.tolist()) == ("metric", ["Loss", "acc", "loss"])
    assert repr(frame["loss"].tolist()) == "[0.5, nan, 0.1]"
    assert repr(frame["acc"].tolist()) == "[0.25, nan, nan]"


def test_a_wide_table_has_the_latest_of_several_points_at_a_step(project: Path) -> None:
    with gitexp.start_run() as run:
        for value, time in ((1.0, 10.0), (2.0, 30.0), (3.0, 20.0), (4.0, 30.0)):
            run.log_metric("loss", value, step=7, time=time)
        run.log_metric("loss", math.nan, step=8, time=10.0)
    frame = gitexp.get_run(run.id).metrics(wide=True)
    assert repr(frame["loss"].to_dict()) == "{7: 4.0, 8: nan}"
    assert gitexp.get_run(run.id).metrics()["value"].tolist()[:4] == [1.0, 2.0, 3.0, 4.0]


def test_metrics_that_are_all_nan_and_steps_of_any_size_have_their_place(project: Path) -> None:
    with gitexp.start_run() as run:
        run.log_metric("nan", math.nan, step=0)
        run.log_metric("huge", 10**400, step=10**20)
    frame = gitexp.get_run(run.id).metrics(wide=True)
    assert (frame.columns.tolist(), frame.index.tolist()) == (["huge", "nan"], [0, 10**20])
    assert repr(frame.to_numpy().tolist()) == "[[nan, nan], [inf, nan]]"


def test_a_run_without_metrics_gives_empty_tables(project: Path) -> None:
    recording.record(project, "empty")
    run = gitexp.get_run("@")
    assert (run.metrics().columns.tolist(), len(run.metrics())) == (["metric", "step", "time", "value"], 0)
    assert run.metrics(wide=True).shape == (0, 0)
    assert str(run.metrics()["time"].dtype) == "datetime64[ms, UTC]"


def test_one_metric_comes_as_arrays(project: Path) -> None:
    recording.record(project, "run", metrics={"loss": [0.5, 0.25]})
    loss = gitexp.get_run("@").metric("loss")
    assert isinstance(loss, gitexp.Series)
    assert (loss.name, loss.steps.tolist(), loss.values.tolist(), len(loss)) == ("loss", [0, 1], [0.5, 0.25], 2)
    assert loss.times.tolist() == [ms / 1000 for ms in loss.times_ms.tolist()]
    loss.values[0] = 1.0  # they are the caller's
    with pytest.raises(UsageError) as caught:
        gitexp.get_run("@").metric("Loss")
    assert (caught.value.message, caught.value.hint) == ("run 'run' has no metric 'Loss'", "it has: loss")


def several(project: Path) -> gitexp.Runs:
    """Record runs a, b, a again and one without metrics; oldest first."""
    for name, losses in (("a", [0.5, 0.4]), ("b", [0.3]), ("a", [0.9, 0.8, 0.7])):
        recording.record(project, name, metrics={"loss": losses, "auc": losses[:1]})
    recording.record(project, "none")
    return gitexp.runs("churn", sort="start")


def test_the_histories_of_several_runs_make_one_table(project: Path) -> None:
    runs = several(project)
    frame = gitexp.metrics(runs, "loss")
    assert frame.columns.tolist() == ["run", "name", "metric", "step", "time", "value"]
    assert frame["value"].tolist() == [0.5, 0.4, 0.3, 0.9, 0.8, 0.7]
    assert frame["name"].tolist() == list("aabaaa")
    assert frame["run"].tolist() == [
        run.id for run, count in zip(runs, (2, 1, 3, 0), strict=True) for _ in range(count)
    ]
    assert set(frame["metric"]) == {"loss"}
    assert len(gitexp.metrics(runs)) == 9
    assert gitexp.metrics(runs, ["auc", "loss"]).groupby("metric", observed=True).size().to_dict() == {
        "auc": 3,
        "loss": 6,
    }


def test_the_histories_of_several_runs_stand_side_by_side(project: Path) -> None:
    runs = several(project)
    frame = gitexp.metrics(runs, "loss", wide=True)
    labels = [f"a ({runs[0].id[:7]})", "b", f"a ({runs[2].id[:7]})", "none"]
    assert (frame.columns.name, frame.columns.tolist()) == ("run", labels)
    assert frame["b"].dropna().to_dict() == {0: 0.3}
    assert frame[labels[2]].tolist() == [0.9, 0.8, 0.7]
    assert frame["none"].isna().all()
    both = gitexp.metrics(runs, ["loss", "auc"], wide=True)
    assert both.columns.tolist() == [(metric, label) for metric in ("loss", "auc") for label in labels]
    assert both["auc"]["b"].dropna().to_dict() == {0: 0.3}
    pd.testing.assert_frame_equal(gitexp.metrics(runs, wide=True)["loss"], frame)
    assert gitexp.metrics([runs[0], runs[0]], "loss", wide=True).shape == (2, 2)


def test_a_metric_that_no_run_has_is_an_error_and_no_runs_are_an_empty_table(project: Path) -> None:
    runs = several(project)
    with pytest.raises(UsageError) as caught:
        gitexp.metrics(runs, "losss")
    assert (caught.value.message, caught.value.hint) == ("no run of these has a metric 'losss'", "they have: auc, loss")
    assert len(gitexp.metrics([], "loss")) == 0
    assert gitexp.metrics([], "loss", wide=True).shape == (0, 0)
    assert gitexp.metrics([], wide=True).shape == (0, 0)
    assert len(gitexp.metrics([runs[3]])) == 0


def test_odd_names_keep_apart(project: Path) -> None:
    run = record(project, points_of(len(NASTY)))
    wide = gitexp.get_run(run.id).metrics(wide=True)
    assert wide.columns.tolist() == sorted(NASTY)
    assert np.isfinite(wide["Loss"][0]) != np.isfinite(wide["loss"][0])


def test_runs_are_a_table_with_types_of_their_own(project: Path) -> None:
    recording.record(project, "a", params={"lr": 0.1, "n": 1, "opt": "adam", "on": True, "mixed": 1, "big": 2**70})
    recording.record(project, "b", params={"lr": 1, "mixed": "x", "layers": [1, 2], "null": None, "\ud800": "\ud800"})
    frame = gitexp.runs(sort="start").to_dataframe()
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        "id": "string", "name": "string", "experiment": "string", "status": "string",
        "start": "datetime64[ms, UTC]", "duration": "timedelta64[ms]", "user": "string", "host": "string",
        "exit_code": "Int64", "error": "string", "description": "string", "command": "string", "parent": "string",
        "forked_from": "string", "code.commit": "string", "code.branch": "string", "code.dirty": "boolean",
        "ref": "string", "commit": "string", "cost": "Float64",
        "params.big": "object", "params.layers": "object", "params.lr": "Float64", "params.mixed": "object",
        "params.n": "Int64", "params.null": "object", "params.on": "boolean", "params.opt": "string",
        "params.\ud800": "string",
    }  # fmt: skip
    assert frame["params.mixed"].tolist() == [1, "x"]
    assert frame["params.layers"][1] == [1, 2] and frame["params.layers"].isna().tolist() == [True, False]
    assert frame["params.n"].isna().tolist() == [False, True]
    assert frame["params.big"][0] == 2**70
    assert frame["params.null"].isna().all()
    record = gitexp.get_run("a").record
    assert frame["start"][0] == pd.Timestamp(record["start"])
    assert frame["duration"][0].total_seconds() == record["duration"]
    assert (frame["id"].tolist(), frame["name"].tolist()) == ([run.id for run in gitexp.runs(sort="start")], ["a", "b"])


def test_a_metric_has_the_value_that_represents_it(project: Path) -> None:
    support.git(project, "config", "gitexp.summary.steps", "max")
    recording.record(project, "a", metrics={"loss": [0.5, 0.25, 0.75], "steps": [1, 3, 2], "nan": [math.nan]})
    recording.record(project, "b", metrics={"Loss": [7]})
    frame = gitexp.runs(sort="start").to_dataframe()
    assert frame.attrs["represents"] == {"Loss": "min", "loss": "min", "nan": "last", "steps": "max"}
    found = frame.filter(like="metrics.")
    assert {name: str(kind) for name, kind in found.dtypes.items()} == {
        "metrics.Loss": "Int64", "metrics.loss": "Float64", "metrics.nan": "Float64", "metrics.steps": "Int64",
    }  # fmt: skip
    assert found["metrics.loss"].tolist() == [0.25, pd.NA]
    assert found["metrics.steps"].tolist() == [3, pd.NA]
    assert found["metrics.Loss"].tolist() == [pd.NA, 7]


def test_all_values_of_metrics_can_be_had(project: Path) -> None:
    recording.record(project, "a", metrics={"loss": [0.5, 0.25, 0.75]})
    names = ("last", "min", "max", "mean", "first", "count")
    frame = gitexp.runs().to_dataframe(aggregates="all")
    assert frame.filter(like="metrics.").iloc[0].to_dict() == {
        "metrics.loss": 0.25,
        **dict(zip((f"metrics.loss:{name}" for name in names), (0.75, 0.25, 0.75, 0.5, 0.5, 3), strict=True)),
    }
    assert gitexp.runs().to_dataframe(aggregates="max").columns[-1] == "metrics.loss:max"
    assert gitexp.runs().to_dataframe(aggregates=["max", "count"])["metrics.loss:count"].tolist() == [3]
    with pytest.raises(UsageError, match="no aggregate of a metric is called 'median'"):
        gitexp.runs().to_dataframe(aggregates=["median"])


def test_a_running_run_has_what_it_has_so_far(project: Path) -> None:
    session = recording.start(project, "live", params={"lr": 0.1}, metrics={"loss": [0.5]})
    session.writer.drain()
    frame = gitexp.runs().to_dataframe()
    assert frame.loc[0, ["status", "params.lr", "metrics.loss"]].tolist() == ["running", 0.1, 0.5]
    assert frame["duration"][0] >= pd.Timedelta(0)
    assert frame["ref"].isna().all()
    lifecycle.finish(session, "killed")


def test_no_runs_are_an_empty_table(project: Path) -> None:
    recording.record(project, "a", params={"lr": 0.1})
    frame = gitexp.runs(where="params.lr > 1").to_dataframe()
    assert len(frame) == 0
    assert [str(frame[name].dtype) for name in ("id", "start", "duration")] == [
        "string", "datetime64[ms, UTC]", "timedelta64[ms]",
    ]  # fmt: skip


def test_a_table_of_runs_is_made_without_reading_records(project: Path) -> None:
    run = recording.record(project, "a", params={"lr": 0.1})
    assert len(gitexp.runs()) == 1  # the index has it
    (oid,) = (entry.oid for name, entry in run.entries.items() if name == "params.json")
    (project / ".git/objects" / oid[:2] / oid[2:]).unlink()
    assert gitexp.runs().to_dataframe()["params.lr"].tolist() == [0.1]


HOSTILE = '<img src=x onerror="alert(1)">&\x1b[31m'


def test_nothing_of_a_record_is_markup_in_a_notebook(project: Path) -> None:
    run = recording.record(
        project, HOSTILE[:-5], params={HOSTILE: HOSTILE}, metrics={HOSTILE: [0.5]}, command=("python", HOSTILE)
    )
    recording.record(project, "other", params={HOSTILE: 1}, metrics={"loss": [0.5]})
    annotate.tag(run.workspace, [run], {"owner": HOSTILE})
    annotate.title(run.workspace, [run], HOSTILE[:-5])
    for page in (gitexp.runs()._repr_html_(), gitexp.get_run(run.id)._repr_html_(), gitexp.runs()[1]._repr_html_()):
        assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;" in page
        assert "<img" not in page and "\x1b" not in page
        assert elements(page) <= {"div", "table", "thead", "tbody", "tr", "th", "td", "code", "b"}


def elements(page: str) -> set[str]:
    """Return the names of a page's elements, all of them closed in order."""
    found, open_ones = set(), []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            assert {name for name, _ in attributes} <= {"style"}
            found.add(tag)
            open_ones.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_ones.pop() == tag

    Reader().feed(page)
    assert open_ones == []
    return found


def test_a_notebook_shows_twenty_runs_and_counts_the_others(project: Path) -> None:
    for number in range(notebook.ROWS + 1):
        recording.record(project, f"run{number}", params={"lr": number / 10}, metrics={"loss": [1 / (number + 1)]})
    page = gitexp.runs()._repr_html_()
    assert page.startswith("<div>21 runs</div><table>") and page.endswith("<div>1 more: to_dataframe() has all</div>")
    assert page.count("<tr>") == 1 + notebook.ROWS
    assert page.count("<b>") == 1  # the best loss
    assert gitexp.runs(limit=1)._repr_html_().startswith("<div>1 run</div><table>")
    assert gitexp.runs(where="params.lr > 100")._repr_html_() == "<div>0 runs</div>"


def test_a_notebook_shows_a_run_with_its_params_and_metrics(project: Path) -> None:
    params = {f"p{number:02}": number for number in range(notebook.ROWS + 5)}
    run = recording.record(project, "a", params=params, metrics={"loss": [0.5, 0.25, 0.75]})
    page = gitexp.get_run("a")._repr_html_()
    assert f"<div>run <code>{run.id[:7]}</code>&ensp;churn / <b>a</b>&ensp;completed in " in page
    assert "25 params, 20 shown" in page and "<td" in page and "p19" in page and "p20" not in page
    assert re.findall(r"<td[^>]*>([^<]*)</td>", page)[-4:] == ["loss", "0.7500", "0.2500", "0.5000"]


def test_a_record_that_does_not_parse_is_shown_as_unreadable(project: Path) -> None:
    recording.record(project, "good", metrics={"loss": [0.5]})
    bad = stored.make(workspaces.open(project), "bad", files={"params.json": b"["})
    assert '<td style="text-align:left">unreadable</td>' in gitexp.runs()._repr_html_()
    assert "params.json does not parse" in gitexp.runs(where=f"id = '{bad.id}'")[0]._repr_html_()
    assert gitexp.runs().to_dataframe()["metrics.loss"].isna().tolist() == [False, True]


@pytest.mark.parametrize("given", ["a", ["a"], None])
def test_what_is_no_runs_is_misuse(project: Path, given: Any) -> None:
    with pytest.raises(UsageError, match="metrics takes several runs"):
        gitexp.metrics(given, "loss")


def test_one_run_alone_is_misuse(project: Path) -> None:
    with pytest.raises(UsageError, match="metrics takes several runs"):
        gitexp.metrics(several(project)[0], "loss")  # type: ignore[arg-type]  # a script's
