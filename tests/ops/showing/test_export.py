"""Lists of runs and histories as CSV and Parquet: nothing is lost, nothing is misread."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from gitexp.index import database, search
from gitexp.index.entry import Entry
from gitexp.ops import annotate
from gitexp.ops.finding import goals
from gitexp.ops.showing import export, history
from gitexp.record import points
from gitexp.store import workspace as workspaces
from tests import recording, support
from tests.store.test_series import NASTY, points_of, record

FIELDS = list(export.FIELDS)


def entries(path: Path) -> list[Entry]:
    workspace = workspaces.open(path)
    return search.entries(database.of(workspace), context=goals.context(workspace))


def table(path: Path) -> list[dict[str, str]]:
    """Return the CSV of all runs, oldest first, without what every run has."""
    found = entries(path)[::-1]
    text = "".join(export.csv(lambda: found, goals.context(workspaces.open(path))))
    head, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert head[: len(FIELDS)] == FIELDS
    return [dict(zip(head, row, strict=True)) for row in rows]


def own(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in FIELDS}


def test_each_run_is_a_row_with_all_that_any_run_has(project: Path) -> None:
    first = recording.record(
        project, "first", params={"lr": 0.1, "model": {"leaves": 3}}, metrics={"loss": [0.5, 0.25]}
    )
    recording.record(project, "second", params={"lr": 1, "on": True}, metrics={"val_auc": [0.5, 0.75, 0.625]})
    recording.record(project, "none", status="failed")
    annotate.tag(first.workspace, [first], {"owner": "ana", "bare": ""})
    annotate.post(first.workspace, [first], {"uplift": 0.02})
    rows = table(project)
    assert [own(row) for row in rows] == [
        {
            "params.lr": "0.1", "params.model.leaves": "3", "params.on": "", "metrics.loss:min": "0.25",
            "metrics.val_auc:max": "", "post.uplift": "0.02", "tags.bare": "", "tags.owner": "ana",
        },
        {
            "params.lr": "1", "params.model.leaves": "", "params.on": "true", "metrics.loss:min": "",
            "metrics.val_auc:max": "0.75", "post.uplift": "", "tags.bare": "", "tags.owner": "",
        },
        dict.fromkeys(own(rows[0]), ""),
    ]  # fmt: skip
    assert [(row["name"], row["status"], row["experiment"]) for row in rows] == [
        ("first", "completed", "churn"),
        ("second", "completed", "churn"),
        ("none", "failed", "churn"),
    ]
    assert rows[0]["ref"] == first.ref and rows[0]["commit"] == first.commit
    assert rows[0]["start"] == support.record(project, str(first.ref))["start"]


def test_empty_text_is_told_from_nothing(project: Path) -> None:
    recording.record(project, "first", params={"empty": ""})
    recording.record(project, "second")
    found = entries(project)[::-1]
    lines = "".join(export.csv(lambda: found, goals.context(workspaces.open(project)))).splitlines()
    assert [line.rpartition(",")[2] for line in lines] == ["params.empty", '""', ""]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (math.nan, "nan"), (-math.inf, "-inf"), (1e-7, "1e-07"), (7, "7"), (2**70, "1180591620717411303424"),
        (True, "true"), (None, ""), ("true", "true"), ("=1+1", "=1+1"), ("a,b\n", '"a,b\n"'), ('"', '""""'),
        ([1, "a,b", None], '"[1,""a,b"",null]"'), ({}, "{}"), (" x", '" x"'), ("\ud800", "\\ud800"), ("é", "é"),
    ],
)  # fmt: skip
def test_a_value_has_one_spelling(value: Any, cell: str) -> None:
    assert export.row([value]) == cell + "\n"


@given(st.lists(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), min_size=1))
def test_any_row_is_read_back_by_any_reader(values: list[Any]) -> None:
    (row,) = csv.reader(io.StringIO(export.row(values) + "\n" * (len(values) == 0), newline=""), strict=True)
    assert len(row) == len(values) or values == [None]
    for cell, value in zip(row, values, strict=False):
        if isinstance(value, str):
            assert cell == export.clean(value)
        elif isinstance(value, float):
            assert repr(float(cell)) == repr(value)


def test_names_that_are_csv_or_differ_in_case_keep_apart(project: Path) -> None:
    recording.record(
        project, "a", params={name or "e": at for at, name in enumerate(NASTY)}, metrics={"Loss": [1], "loss": [2]}
    )
    (row,) = table(project)
    found = own(row)
    assert [found[f"params.{name or 'e'}"] for name in NASTY] == [str(at) for at in range(len(NASTY))]
    assert (found["metrics.Loss:min"], found["metrics.loss:min"]) == ("1", "2")


def test_no_runs_are_a_header_alone(project: Path, tmp_path: Path) -> None:
    context = goals.context(workspaces.open(project))
    assert "".join(export.csv(list, context)) == ",".join(FIELDS) + "\n"
    assert export.parquet(list, context, tmp_path / "empty.parquet") == 0
    assert parquet.read_table(tmp_path / "empty.parquet").shape == (0, len(FIELDS))


def nasty_runs(path: Path) -> list[Entry]:
    params: dict[str, Any] = {"lr": 0.1, "n": 1, "flag": True, "opt": "adam", "mixed": 1, "list": [1, 2], "big": 2**70}
    recording.record(path, "a", params=params, metrics={"loss": [math.nan], "inf": [math.inf], "n": [1, 2]})
    more = {"lr": 1, "mixed": "x", "null": None, "half": "\ud800", "empty": ""}
    recording.record(path, "b", params=more, metrics={"loss": [0.5], "n": [3]})
    recording.record(path, "c")
    return entries(path)[::-1]


def test_parquet_has_the_types_that_values_have_in_common(project: Path, tmp_path: Path) -> None:
    found = nasty_runs(project)
    target = tmp_path / "new" / "runs.parquet"
    assert export.parquet(lambda: found, goals.context(workspaces.open(project)), target) == 3
    assert list(target.parent.iterdir()) == [target]
    read = parquet.read_table(target)
    assert read.column_names[: len(FIELDS)] == FIELDS
    kinds = {name: str(read.schema.field(name).type) for name in read.column_names}
    assert {name: kind for name, kind in kinds.items() if name not in FIELDS} == {
        "params.big": "string", "params.empty": "string", "params.flag": "bool", "params.half": "string",
        "params.list": "string", "params.lr": "double", "params.mixed": "string", "params.n": "int64",
        "params.null": "string", "params.opt": "string",
        "metrics.inf:last": "double", "metrics.loss:min": "double", "metrics.n:last": "int64",
        "tags.nan": "string",
    }  # fmt: skip
    assert (kinds["start"], kinds["duration"], kinds["exit_code"], kinds["code.dirty"]) == (
        "timestamp[ms, tz=UTC]", "double", "int64", "bool",
    )  # fmt: skip
    rows = read.to_pylist()
    assert repr(rows[0]["metrics.loss:min"]) == "nan"  # not null: it was logged
    assert [row["metrics.loss:min"] for row in rows[1:]] == [0.5, None]
    assert [row["params.mixed"] for row in rows] == ["1", '"x"', None]
    assert [row["params.big"] for row in rows] == [str(2**70), None, None]
    assert [row["params.empty"] for row in rows] == [None, "", None]
    assert rows[0]["params.list"] == "[1,2]"
    assert rows[0]["start"].timestamp() * 1000 == pytest.approx(found[0].start_ms)


def test_parquet_leaves_nothing_behind_where_it_fails(project: Path, tmp_path: Path) -> None:
    found, asked = nasty_runs(project), []

    def source() -> Iterator[Entry]:
        asked.append(True)
        yield found[0]
        if len(asked) > 1:
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        export.parquet(source, goals.context(workspaces.open(project)), tmp_path / "runs.parquet")
    assert list(tmp_path.glob("**/*.parquet*")) == []


def test_parquet_without_pyarrow_says_what_to_install(project: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from pathlib import Path\nfrom gitexp.ops.finding import goals\n"
        "from gitexp.ops.showing import export\nfrom gitexp.store import workspace\n"
        "from gitexp.errors import GitexpError\n"
        "try:\n    export.parquet(lambda: [], goals.context(workspace.open()), Path('x.parquet'))\n"
        "except GitexpError as error:\n    print(error.exit_code, error.message, '|', error.hint)"
    )
    assert support.python(project, code).stdout == "6 Parquet needs pyarrow | pip install 'gitexp[parquet]'\n"


def test_rows_are_written_as_they_are_read(project: Path) -> None:
    recording.record(project, "a", params={"lr": 0.1}, metrics={"loss": [0.5]})
    (entry,) = entries(project)
    context = goals.context(workspaces.open(project))

    drawn = []

    def many() -> Iterator[Entry]:
        for key in range(5_000):
            drawn.append(key)
            yield replace(entry, key=key, name=f"run{key}")

    pieces = export.csv(many, context)
    assert next(pieces).startswith("id,name,")
    assert len(drawn) == 5_000
    assert next(pieces).count("\n") == len(drawn) - 5_000 == 1_000
    assert sum(piece.count("\n") for piece in pieces) == 4_000


def test_histories_are_csv_with_the_run_before_each_point(project: Path) -> None:
    logged = points_of(60)
    first, second = record(project, logged, "a"), record(project, points_of(3, ["loss"]), "b")
    text = "".join(history.csv([first, second]))
    head, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert head == ["run", "metric", "step", "time", "value"]
    assert [row[0] for row in rows] == [first.id] * 60 + [second.id] * 3
    assert (
        "".join(history.csv([first])).replace(f"{first.id},", "").partition("\n")[2].encode()
        == points.encode(logged).partition(b"\n")[2]
    )


def test_wide_histories_have_a_column_a_metric_of_any_run(project: Path) -> None:
    first = recording.record(project, "a", metrics={"loss": [0.5, math.nan], "a,b": [1]})
    second = recording.record(project, "b", metrics={"auc": [math.inf]})
    assert "".join(history.wide([first, second])).splitlines() == [
        'run,step,"a,b",auc,loss',
        f"{first.id},0,1.0,,0.5",
        f"{first.id},1,,,nan",
        f"{second.id},0,,inf,",
    ]


def test_show_prints_histories_as_csv(project: Path) -> None:
    recording.record(project, "a", metrics={"loss": [0.5, 0.25]})
    run = recording.record(project, "b")
    assert support.gitexp("show", "--csv", run.id).stdout == "run,metric,step,time,value\n"
    assert support.gitexp("show", "--csv", "--wide", "a", "b").lines[0] == "run,step,loss"
    assert len(support.gitexp("show", "--csv", "*").lines) == 3
    refused = support.gitexp("show", "--wide", expect=2)
    assert refused.stderr == "gitexp: --wide is for --csv\ngitexp show --csv --wide\n"


def test_a_terminal_is_not_acted_upon_by_csv(project: Path) -> None:
    support.needs("script")
    run = recording.record(project, "a", metrics={"\x1b[31mloss": [0.5]})
    assert "\x1b" in support.gitexp("show", "--csv", run.id).stdout
    command = f"{sys.executable} -m gitexp show --csv {run.id}"
    env = {"PYTHONPATH": str(support.ROOT)}
    done = support.execute(project, "script", "-qec", command, "/dev/null", env=env)
    assert "loss,0," in done.stdout and "\x1b" not in done.stdout
