"""Artifacts of runs: which are meant, where their bytes are, whether they are right, and adding one later."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

import gitexp
from gitexp.errors import NotFound, UsageError
from gitexp.ops.files import artifacts
from gitexp.ops.finding import find
from gitexp.ops.recording import lifecycle
from gitexp.store import objects as large
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Run
from tests import recording, support

BIG = os.urandom(300_000)
KEPT = {"a.txt": b"a", "plots/a.png": b"1", "plots/deep/b.png": b"2", "model.pt": BIG}


@pytest.fixture
def run(project: Path) -> Run:
    return recording.record(project, "base", artifacts=KEPT)


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], ["a.txt", "model.pt", "plots/a.png", "plots/deep/b.png"]),
        (["plots"], ["plots/a.png", "plots/deep/b.png"]),
        (["plots/"], ["plots/a.png", "plots/deep/b.png"]),
        (["*.png"], ["plots/a.png", "plots/deep/b.png"]),
        (["plots/*.png", "a.txt"], ["a.txt", "plots/a.png"]),
    ],
)
def test_names_folders_and_patterns_choose(run: Run, patterns: list[str], names: list[str]) -> None:
    assert [item.name for item in artifacts.chosen(run, patterns)] == names


def test_a_name_with_the_marks_of_a_pattern_is_found_as_it_is(project: Path) -> None:
    run = recording.record(project, "base", artifacts={"a[1].txt": b"", "a1.txt": b""})
    assert [item.name for item in artifacts.chosen(run, ["a[1].txt"])] == ["a[1].txt"]


def test_what_means_nothing_says_what_there_is(run: Run) -> None:
    with pytest.raises(NotFound, match=r"no artifact 'nix'") as caught:
        artifacts.chosen(run, ["a.txt", "nix"])
    assert caught.value.hint == "it has: a.txt, model.pt, plots/"


def test_the_list_says_where_the_bytes_are_and_folds_folders(run: Run) -> None:
    rows = artifacts.listing(run.workspace, run)
    assert [(row.name, row.here, row.in_git) for row in rows][:2] == [("a.txt", True, True), ("model.pt", True, False)]
    top = artifacts.folded(rows)
    assert [(row.name, row.size_bytes, row.files) for row in top] == [
        ("a.txt", 1, 1),
        ("model.pt", 300_000, 1),
        ("plots/", 2, 2),
    ]
    assert [row.name for row in artifacts.folded(rows, "plots/")] == ["plots/a.png", "plots/deep/"]
    large.place(run.workspace, str(rows[1].sha256)).unlink()
    assert not artifacts.listing(run.workspace, run)[1].here


def test_what_is_said_of_a_folder_is_said_of_its_files(project: Path) -> None:
    (project / "out/empty").mkdir(parents=True)
    support.write(project / "out/a.txt", "a")
    with gitexp.start_run() as logged:
        logged.log_artifact("out", type="samples", role="best", step=3)
    (row,) = artifacts.listing(workspaces.open(project), find.one(workspaces.open(project), logged.id))
    assert (row.kind, row.facts["role"], row.facts["step"]) == ("samples", "best", 3)
    assert "empty_folders" not in row.to_json()["about"]


def test_links_are_listed_with_their_address(project: Path) -> None:
    with gitexp.start_run() as logged:
        logged.link_artifact("s3://models/a.pt", sha256="a" * 64, name="far.pt")
    run = find.one(workspaces.open(project), logged.id)
    (row,) = artifacts.listing(run.workspace, run)
    assert (row.name, row.uri, row.sha256, row.here) == ("far.pt", "s3://models/a.pt", "a" * 64, False)
    assert artifacts.listing(run.workspace, run, ["far.pt"]) == [row]
    with pytest.raises(NotFound, match="is a link") as caught:
        artifacts.chosen(run, ["far.pt"])
    assert "s3://models/a.pt" in caught.value.hint


def states(run: Run) -> dict[str, str]:
    return {row.name: row.state for row in artifacts.verify(run.workspace, [run])}


def test_verify_reads_every_byte(run: Run) -> None:
    assert set(states(run).values()) == {artifacts.OK}
    path = large.place(run.workspace, str(run.artifacts[1].sha256))
    path.chmod(0o644)
    path.write_bytes(bytes([BIG[0] ^ 1]) + BIG[1:])
    assert states(run)["model.pt"] == artifacts.DAMAGED
    path.unlink()
    assert states(run)["model.pt"] == artifacts.MISSING


def add(run: Run, *given: tuple[str, str]) -> artifacts.Added:
    return artifacts.add(run.workspace, run, [(Path(path), name) for path, name in given], {"type": "report"})


def test_a_file_added_to_an_ended_run_is_one_more_commit_and_changes_nothing_else(run: Run, project: Path) -> None:
    support.write("late.md", "# late\n")
    support.write("big.bin", BIG + b"!")
    done = add(run, ("late.md", "late.md"), ("big.bin", "sub/big.bin"))
    after = find.one(run.workspace, run.id)
    assert done.names == ["late.md", "sub/big.bin"]
    assert [item.name for item in after.artifacts] == sorted([*KEPT, "late.md", "sub/big.bin"])
    assert support.git(project, "rev-parse", f"{after.commit}^2") == run.commit
    assert (after.record.status, after.record.end_ms) == (run.record.status, run.record.end_ms)
    assert after.artifact_facts["late.md"] == {"type": "report"}
    assert list(run.workspace.live.iterdir()) == []


def test_a_file_added_to_a_running_run_is_in_its_record(project: Path) -> None:
    session = recording.start(project, "base", artifacts={"a.txt": b"a"})
    support.write("late.md", "# late\n")
    live = find.one(session.workspace, session.id)
    assert add(live, ("late.md", "late.md")).names == ["late.md"]
    assert [item.name for item in find.one(session.workspace, session.id).artifacts] == ["a.txt", "late.md"]
    ended = lifecycle.finish(session, "completed")
    assert ended is not None
    assert [item.name for item in ended.artifacts] == ["a.txt", "late.md"]
    assert len(support.run_refs(project)) == 1


def test_adding_what_is_not_there_writes_nothing(run: Run) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        add(run, ("nix", "nix"))
    with pytest.raises(UsageError, match="absolute"):
        add(run, ("train.py", "../up"))
    os.mkfifo("pipe")
    with pytest.raises(UsageError, match="pipe is a pipe"):
        add(run, ("train.py", "train.py"), ("pipe", "pipe"))
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("socket")
        with pytest.raises(UsageError, match="socket is a socket"):
            add(run, ("socket", "socket"))
    assert find.one(run.workspace, run.id).commit == run.commit
    assert list(run.workspace.live.iterdir()) == []
