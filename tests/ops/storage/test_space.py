"""What takes the space."""

from __future__ import annotations

import os
from pathlib import Path

from gitexp.ops.storage import space
from gitexp.store import objects as large
from gitexp.store import workspace as workspaces
from tests import recording

SHARED, ONE, TWO = os.urandom(300_000), os.urandom(200_000), os.urandom(150_000)


def two(project: Path) -> None:
    recording.record(project, "one", experiment="a", artifacts={"data.bin": SHARED, "model.pt": ONE, "x.txt": b"x"})
    recording.record(project, "two", experiment="b", artifacts={"data.bin": SHARED, "model.pt": TWO})


def rows(project: Path, by: str) -> dict[str, tuple[int, int, int]]:
    report = space.measure(workspaces.open(project), by)
    return {row.name: (row.files, row.file_bytes, row.shared_bytes) for row in report.rows}


def test_what_runs_share_is_counted_once_in_the_total_and_said_in_each_row(project: Path) -> None:
    two(project)
    report = space.measure(workspaces.open(project))
    assert (report.files, report.file_bytes) == (3, 650_000)
    assert rows(project, space.EXPERIMENT) == {"a": (2, 500_000, 300_000), "b": (2, 450_000, 300_000)}
    assert rows(project, space.RUN) == {"a/one": (2, 500_000, 300_000), "b/two": (2, 450_000, 300_000)}
    by_artifact = {name.partition(":")[2]: row for name, row in rows(project, space.ARTIFACT).items()}
    assert by_artifact["data.bin"] == (1, 300_000, 300_000)
    assert by_artifact["x.txt"] == (0, 0, 0)
    assert 0 < report.record_bytes < 20_000
    assert report.total_bytes >= 650_000 + report.record_bytes + report.parts["index and the like"]


def test_bytes_that_are_not_here_and_bytes_of_no_run_are_told_apart(project: Path) -> None:
    two(project)
    workspace = workspaces.open(project)
    large.put_bytes(workspace, b"n" * 120_000)
    report = space.measure(workspace)
    assert (report.unnamed, report.unnamed_bytes) == (1, 120_000)
    for path in [path for path in workspace.objects.rglob("*") if path.is_file() and path.stat().st_size == 200_000]:
        path.unlink()
    assert {row.name: row.elsewhere_bytes for row in space.measure(workspace).rows} == {"a": 200_000, "b": 0}


def test_a_running_run_counts_with_its_journal(project: Path) -> None:
    session = recording.start(project, "live", experiment="a", artifacts={"model.pt": ONE})
    try:
        report = space.measure(session.workspace, space.RUN)
        assert [(row.name, row.file_bytes) for row in report.rows] == [("a/live", 200_000)]
        assert report.parts["journals"] > 0
    finally:
        session.writer.close()


def test_nothing_takes_nothing(project: Path) -> None:
    report = space.measure(workspaces.open(project))
    assert (report.rows, report.total_bytes - sum(report.parts.values())) == ([], 0)
