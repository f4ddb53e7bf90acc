"""Runs that are running: read on from where the index stopped, and as if they had been read whole."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitexp import canonical
from gitexp.index import database, running
from gitexp.ops.recording import lifecycle
from gitexp.ops.recording.lifecycle import Session
from gitexp.record import points, summary
from gitexp.record.points import Point
from gitexp.record.summary import Aggregate
from gitexp.store import events, live
from gitexp.store.journal import Writer
from gitexp.store.workspace import Workspace
from tests import recording
from tests.index import agreement


@pytest.fixture
def session(project: Path) -> Session:
    return recording.start(project, "live", params={"lr": 1}, metrics={"loss": [3.0, 2.0]})


def log(session: Session, metric: str, *values: float) -> None:
    for value in values:
        session.writer.rows.append((points.cell(metric), len(session.writer.summary), 1000, value))
    session.writer.drain()


def test_a_run_is_listed_while_it_runs_with_its_latest_values(workspace: Workspace, session: Session) -> None:
    session.writer.drain()
    (entry,) = agreement.check(workspace)
    assert (entry.live, entry.status, entry.end_ms, entry.ref) == (True, "running", None, None)
    assert entry.summary["loss"].last == 2.0
    log(session, "loss", 1.5)
    log(session, "acc, of all", 0.5)
    (entry,) = agreement.check(workspace)
    assert (entry.summary["loss"].count, entry.summary["acc, of all"].last) == (3, 0.5)
    session.writer.event("summary", values={"loss": 0.25})
    session.writer.event("tags", values={"stage": "late"})
    (entry,) = agreement.check(workspace)
    assert (entry.summary["loss"].last, entry.tags) == (0.25, {"stage": "late"})
    lifecycle.finish(session, "completed")
    (entry,) = agreement.check(workspace)
    assert (entry.live, entry.status) == (False, "completed")


def test_only_what_is_new_of_a_shard_is_read(workspace: Workspace, session: Session) -> None:
    log(session, "loss", *range(1000))
    agreement.check(workspace)
    shard = session.folder / "metrics-main.csv"
    data = bytearray(shard.read_bytes())
    data[100:108] = b"\0garbage"  # long read; whoever reads it again would stumble
    with open(shard, "r+b") as file:
        file.write(data)
    log(session, "loss", 7000.5)
    (entry,) = agreement.entries(workspace)
    assert (entry.summary["loss"].count, entry.summary["loss"].max) == (1003, 7000.5)


def test_a_shard_that_was_cut_off_or_replaced_is_read_anew(workspace: Workspace, session: Session) -> None:
    log(session, "loss", *range(100))
    agreement.check(workspace)
    shard = session.folder / "metrics-main.csv"
    content = shard.read_text()
    os.truncate(shard, len(content) // 2)
    agreement.check(workspace)
    shard.write_text(points.HEADER + "other,1,1.000,5.5\n" * 200)
    (entry,) = agreement.check(workspace)
    assert list(entry.summary) == ["other"]
    aside = shard.with_name(".aside")
    aside.write_text(content)
    aside.replace(shard)
    (entry,) = agreement.check(workspace)
    assert entry.summary["loss"].count == 102


def test_a_torn_line_counts_when_it_is_whole(workspace: Workspace, session: Session) -> None:
    session.writer.drain()
    with open(session.folder / "metrics-main.csv", "ab") as file:
        file.write(b"loss,9,1.0")
        file.flush()
        assert agreement.check(workspace)[0].summary["loss"].count == 2
        file.write(b'00,0.5\n"a\nname",1,1.000,1')
        file.flush()
        assert agreement.check(workspace)[0].summary["loss"].count == 3
        file.write(b"2\n")
        file.flush()
        assert agreement.check(workspace)[0].summary["a\nname"].last == 12


def test_the_points_of_all_ranks_are_in_it(workspace: Workspace, session: Session) -> None:
    log(session, "loss", 1.0)
    other = Writer(session.folder, "rank1")
    other.rows += [("loss", 100, 5000, 0.5), ("rank", 0, 1000, 1)]
    other.drain()
    (entry,) = agreement.check(workspace)
    assert (entry.summary["loss"].last, set(entry.summary)) == (0.5, {"loss", "rank"})
    other.close()


def test_a_run_that_went_away_or_cannot_be_read_is_not_listed(workspace: Workspace, session: Session) -> None:
    session.writer.drain()
    agreement.check(workspace)
    start = (session.folder / "start.json").read_bytes()
    (session.folder / "start.json").write_bytes(b"{")
    assert agreement.check(workspace) == []
    (session.folder / "start.json").write_bytes(start)
    assert len(agreement.check(workspace)) == 1
    session.writer.close()
    shutil.rmtree(session.folder)
    assert agreement.check(workspace) == []


def test_a_sign_of_life_alone_changes_nothing(workspace: Workspace, session: Session) -> None:
    session.writer.drain()
    for path in session.folder.iterdir():
        os.utime(path, (1, 1))
    index = database.of(workspace)
    before = index.connection.total_changes
    session.writer.touch()
    assert database.of(workspace).connection.total_changes == before


NAMES = st.sampled_from(["a", "b,c", 'q"', "new\nline", " s"])
POINTS = st.lists(
    st.builds(Point, NAMES, st.integers(-5, 5), st.integers(0, 9), st.integers() | st.floats()), max_size=30
)


@given(POINTS, POINTS, st.lists(st.integers(0, 2000), max_size=5))
@settings(max_examples=60)
def test_however_it_is_cut_the_aggregates_are_those_of_all_points(
    tmp_path_factory: pytest.TempPathFactory, first: list[Point], second: list[Point], cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("shard") / "metrics-main.csv"
    data = points.encode([*first, *second])
    state = None
    for cut in [*sorted(cuts), len(data)]:
        path.write_bytes(b"")
        with open(path, "r+b") as file:
            file.write(data[:cut])
        shard = running.Shard(path, state)
        shard.read_on()
        state = shard.to_json()
    assert plain(shard.summary) == plain(summary.of(events.read_points(path)))


@given(POINTS, POINTS)
def test_two_writers_together_are_as_one_after_the_other(first: list[Point], second: list[Point]) -> None:
    one, two = summary.of(first), summary.of(second)
    for name, aggregate in two.items():
        one.setdefault(name, Aggregate()).join(aggregate)
    assert plain(one) == plain(summary.of([*first, *second]))


def plain(found: dict[str, Aggregate]) -> dict[str, bytes]:
    """Return aggregates without the mean, whose last digits depend on the order of summing."""
    return {name: canonical.line({**item.to_json(), "mean": None}) for name, item in found.items()}


def test_the_index_of_a_running_run_is_what_the_run_says(workspace: Workspace, session: Session) -> None:
    log(session, "loss", float("nan"), float("inf"))
    (run,) = live.listing(workspace)
    (entry,) = agreement.check(workspace)
    agreement.agree(workspace, entry, run)
