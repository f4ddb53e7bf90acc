"""Histories as arrays: of stored runs, of large ones kept beside Git, and of runs that are still being written."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from gitexp.errors import Damaged
from gitexp.ops.recording import lifecycle
from gitexp.record import arrays, points
from gitexp.record.points import Point
from gitexp.store import journal, live, runs, series
from gitexp.store.runs import Run
from tests import recording, support
from tests.record.test_arrays import floats, rows

NASTY = ["loss", "Loss", "a,b", 'say "x"', "two\nlines", "", " padded", "損失", "1", "nan", "\r", "a\0b"]


def points_of(count: int, names: list[str] = NASTY) -> list[Point]:
    """Return points of all these metrics in turn, with NaN, infinities and integers among their values."""
    values = (0.1, math.nan, math.inf, -math.inf, 7, -0.0, 1e-300, 2**53)
    return [
        Point(names[at % len(names)], at // len(names), 1_763_000_000_000 + at, values[at % len(values)] or at / 7)
        for at in range(count)
    ]


def begin(path: Path, logged: list[Point], name: str = "run") -> lifecycle.Session:
    session = recording.start(path, name)
    write(session.writer, logged)
    return session


def write(writer: journal.Writer, logged: list[Point]) -> None:
    writer.rows.extend((points.cell(p.metric), p.step, p.time_ms, p.value) for p in logged)
    writer.drain()


def record(path: Path, logged: list[Point], name: str = "run") -> Run:
    return lifecycle.finish(begin(path, logged, name), "completed") or pytest.fail("nothing was recorded")


def check(run: Run) -> None:
    """Check that all ways give the run's points."""
    wanted = list(run.points())
    assert floats(rows(series.table(run))) == floats(wanted)
    assert [repr(point) for point in series.points(run)] == [repr(point) for point in wanted]
    found = series.read(run)
    assert list(found) == list(dict.fromkeys(point.metric for point in wanted))
    for name, history in found.items():
        own = Point(name, 0, 0, 0.0)
        columns = zip(history.steps.tolist(), history.times_ms.tolist(), history.values.tolist(), strict=True)
        back = [own._replace(step=step, time_ms=time_ms, value=value) for step, time_ms, value in columns]
        assert floats(back) == floats([point for point in wanted if point.metric == name])


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a few rows at a time, by pandas, as a history of millions is read."""
    monkeypatch.setattr(series, "BLOCK_BYTES", 150)
    monkeypatch.setattr(arrays, "SMALL_BYTES", 0)


def test_a_stored_run_has_the_points_that_were_logged(project: Path) -> None:
    run = record(project, points_of(500))
    assert floats(list(run.points())) == floats(points_of(500))
    check(run)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("names", [["loss"], NASTY[:10], NASTY, ["a,b\n\n\n", '"\n"'], ["x" * 900, "\n" * 400]])
def test_blocks_of_rows_are_cut_where_a_row_ends(project: Path, names: list[str]) -> None:
    check(record(project, points_of(300, names)))


def test_a_history_kept_beside_git_is_read_from_there(project: Path) -> None:
    support.git(project, "config", "gitexp.metricsInlineLimit", "1KiB")
    run = record(project, points_of(500))
    assert run.pointer("metrics.csv") is not None
    check(run)


def test_a_history_whose_bytes_are_not_here_is_said(project: Path) -> None:
    support.git(project, "config", "gitexp.metricsInlineLimit", "1KiB")
    run = record(project, points_of(500))
    for path in (project / ".git/gitexp/objects").glob("*/*/*"):
        path.unlink()
    with pytest.raises(Damaged, match=r"the bytes of metrics\.csv .* are not here"):
        series.read(run)


def test_a_live_run_is_read_as_far_as_it_is_written(project: Path) -> None:
    session = begin(project, points_of(100))
    run = live.by_id(session.workspace, session.id) or pytest.fail("it is live")
    check(run)
    write(session.writer, points_of(50))
    assert len(series.table(run)) == 150
    lifecycle.finish(session, "killed")


@pytest.mark.parametrize("torn", [b"loss,1", b'"a\nb', b'"a\nloss,1,0.000,2.0\n"b', b'"a,b",1,0.000,1'])
@pytest.mark.usefixtures("small_blocks")
def test_a_torn_last_line_of_a_live_run_is_left_out(project: Path, torn: bytes) -> None:
    session = begin(project, points_of(40))
    with open(session.folder / "metrics-main.csv", "ab") as file:
        file.write(torn)
    check(live.by_id(session.workspace, session.id) or pytest.fail("it is live"))
    lifecycle.finish(session, "killed")


@pytest.mark.parametrize("damage", [b"\n", b"loss,1\n", b"\0\0\0\n", b'"\n', b"loss,1,2,3,4\n", b"loss,x,0.000,1\n"])
@pytest.mark.usefixtures("small_blocks")
def test_damaged_lines_of_a_live_run_are_passed_over(project: Path, damage: bytes) -> None:
    session = begin(project, points_of(40, ["loss", "a,b"]))
    with open(session.folder / "metrics-main.csv", "ab") as file:
        file.write(damage)
    write(session.writer, points_of(40, ["loss", "auc"]))
    run = live.by_id(session.workspace, session.id) or pytest.fail("it is live")
    check(run)
    assert len(series.table(run)) >= 79
    lifecycle.finish(session, "killed")


def test_all_writers_of_a_run_are_read_the_main_one_first(project: Path) -> None:
    session = begin(project, points_of(20, ["loss"]))
    for rank in ("rank2", "rank1"):
        writer = journal.Writer(session.folder, rank)
        write(writer, points_of(20, [f"{rank}/loss", "loss"]))
        writer.close()
    run = live.by_id(session.workspace, session.id) or pytest.fail("it is live")
    check(run)
    assert list(series.read(run)) == ["loss", "rank1/loss", "rank2/loss"]
    stored = lifecycle.finish(session, "completed") or pytest.fail("nothing was recorded")
    check(stored)


def test_a_live_run_that_has_ended_meanwhile_is_read_from_its_commit(project: Path) -> None:
    session = begin(project, points_of(100))
    run = live.by_id(session.workspace, session.id) or pytest.fail("it is live")
    stored = lifecycle.finish(session, "completed") or pytest.fail("nothing was recorded")
    assert floats(rows(series.table(run))) == floats(list(stored.points()))


def test_some_metrics_can_be_asked_for(project: Path) -> None:
    run = record(project, points_of(100))
    found = series.read(run, ["Loss", "a,b", "missing"])
    assert list(found) == ["Loss", "a,b"]
    assert set(series.table(run, {"Loss"}).codes.tolist()) == {0}
    assert len(series.table(run, {"Loss"})) == len(found["Loss"])
    assert series.read(run, []) == {}


def test_steps_beyond_64_bits_are_integers_and_those_of_other_metrics_stay_small(project: Path) -> None:
    logged = [Point("huge", 10**20, 0, 1), Point("loss", 1, 0, 2), Point("huge", -(10**30), 0, 10**400)]
    found = series.read(record(project, logged))
    assert found["huge"].steps.tolist() == [10**20, -(10**30)]
    assert found["huge"].values.tolist() == [1.0, math.inf]
    assert found["loss"].steps.dtype == np.int64


def test_times_are_milliseconds_and_seconds(project: Path) -> None:
    history = series.read(record(project, [Point("loss", 0, 1_763_000_000_123, 1.0)]))["loss"]
    assert (history.times_ms.tolist(), history.times.tolist()) == ([1_763_000_000_123], [1_763_000_000.123])
    assert (history.times_ms.dtype, history.times.dtype, len(history)) == (np.int64, np.float64, 1)


def test_a_run_without_metrics_has_no_histories(project: Path) -> None:
    run = record(project, [])
    assert (series.read(run), len(series.table(run)), series.table(run).names) == ({}, 0, ())


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("step,metric,time,value\n", "metrics.csv, row 1: the header is not metric,step,time,value"),
        (points.HEADER + "loss,1,0.000,1\n" * 40 + "loss,1,0.000\n", "metrics.csv, row 42: 3 fields, not 4"),
        (points.HEADER + 'a"b,1,0.000,1\n"c,1\n', "metrics.csv, row 3: unexpected end of data"),
    ],
)
def test_a_damaged_history_names_the_row(project: Path, data: str, message: str) -> None:
    with pytest.raises(Damaged) as caught:
        series.read(stored_bytes(project, data))
    assert caught.value.message == message


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    "data",
    [
        "metric,step,time,value,rank\nloss,1,0.000,0.5,7\n",
        points.HEADER + "loss,1,0.000,1\n" * 40 + "last,1,0.000,1",
        points.HEADER + "loss,1,0.000,1\r\n" * 40,
        points.HEADER + "loss,1,0.000,1\n" * 40 + 'a"b,1,0.000,1\n' + '"c",1,0.000,1\n' * 40,
        points.HEADER,
    ],
)
def test_a_history_that_others_wrote_is_read_as_csv_is(project: Path, data: str) -> None:
    check(stored_bytes(project, data))


def stored_bytes(path: Path, data: str) -> Run:
    """Record a run whose metrics.csv has these bytes."""
    run = record(path, [])
    files = {"metrics.csv": data.encode(), "params.json": b"{}\n"}
    return runs.write(run.workspace, runs.Draft(str(run.ref), run.record, {}, files, None, run.commit))
