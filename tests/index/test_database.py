"""Whatever happens to the file of the index: it is built anew, or done without, and the runs are all there."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from gitexp.index import database, location, readers, refresh, search
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace
from tests import recording, support, synthetic
from tests.index import agreement

CODE = "from gitexp.index import database; from gitexp.store import workspace; index = database.of(workspace.open());"


@pytest.fixture
def workspace(project: Path) -> Workspace:
    for name in ("one", "two"):
        recording.record(project, name, params={"lr": 0.1}, metrics={"loss": [1.0]})
    return workspaces.open(project)


def names(workspace: Workspace) -> list[str]:
    return sorted(entry.name for entry in agreement.entries(workspace))


def close(workspace: Workspace) -> Path:
    """Let go of the index, as the end of a process does, and return its path."""
    index = database.of(workspace)
    index.connection.close()
    database._local.__dict__.clear()
    return location.of(workspace)


@contextmanager
def held(path: Path, monkeypatch: pytest.MonkeyPatch, *before: str) -> Iterator[sqlite3.Connection]:
    """Hold an index as another process would; nobody waits for it long."""
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.05)
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        for statement in (*before, "BEGIN EXCLUSIVE"):
            holder.execute(statement)
        yield holder
    finally:
        holder.close()


def middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[8192:-8192] = os.urandom(len(data) - 16384)
    path.write_bytes(data)


def header(path: Path) -> None:
    with open(path, "r+b") as file:
        file.write(os.urandom(100))


def other_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = 'gitexp 0.0.1, index 0' WHERE name = 'made_by'")
        connection.execute("UPDATE run SET name = 'old'")
    connection.close()


def other_tables(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE meta (version)")
        connection.execute("CREATE TABLE run (id)")
    connection.close()


def lacking_a_table(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE tag")
    connection.close()


def nonsense_about_itself(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '[7]' WHERE name = 'stamps'")
    connection.close()


@pytest.mark.parametrize(
    "spoil",
    [
        Path.unlink,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(os.urandom(50_000)),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        middle,
        header,
        other_version,
        other_tables,
        lacking_a_table,
        nonsense_about_itself,
    ],
    ids=["missing", "empty", "random", "cut", "middle", "header", "version", "tables", "lacking", "nonsense"],
)
def test_a_file_that_is_no_good_is_built_anew(workspace: Workspace, spoil: Callable[[Path], object]) -> None:
    path = close(workspace)
    spoil(path)
    assert names(workspace) == ["one", "two"]
    assert database.of(workspace).path == path
    agreement.check(workspace)


def test_a_log_without_its_index_is_no_harm(workspace: Workspace) -> None:
    path = close(workspace)
    Path(f"{path}-wal").write_bytes(os.urandom(5000))
    path.write_bytes(b"")
    agreement.check(workspace)


def test_an_index_that_is_open_is_opened_again_when_the_file_is_another_one(
    workspace: Workspace, project: Path
) -> None:
    first = database.of(workspace)
    support.python(project, "from gitexp.index import database; from gitexp.store import workspace;"
                   "database.discard(workspace.open()); database.of(workspace.open())")  # fmt: skip
    recording.record(project, "three")
    assert names(workspace) == ["one", "three", "two"]
    assert database.of(workspace) is not first


def test_damage_that_only_a_search_meets_is_repaired(workspace: Workspace) -> None:
    index = database.of(workspace)
    index.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = location.of(workspace)
    page = index.rows("SELECT rootpage FROM sqlite_master WHERE name = 'tag'")[0][0]
    with open(path, "r+b") as file:
        file.seek((page - 1) * 8192)
        file.write(os.urandom(8192))
    database._local.__dict__.clear()
    assert names(workspace) == ["one", "two"]


def test_an_index_that_another_process_holds_is_done_without(
    workspace: Workspace, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = close(workspace)
    recording.record(project, "three")
    with held(path, monkeypatch):
        assert names(workspace) == ["one", "three", "two"]
        assert database.of(workspace).path is None
        recording.record(project, "four")
        assert names(workspace) == ["four", "one", "three", "two"]


def test_an_index_held_so_that_nobody_may_read_is_done_without(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = close(workspace)
    with held(path, monkeypatch, "PRAGMA locking_mode = EXCLUSIVE") as holder:
        holder.execute("UPDATE run SET name = name")
        assert names(workspace) == ["one", "two"]


def test_a_file_that_can_be_had_again_is_taken_again(
    workspace: Workspace, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = close(workspace)
    recording.record(project, "three")
    with held(path, monkeypatch):
        assert database.of(workspace).path is None
    monkeypatch.setattr(database, "_AGAIN_SECONDS", 0.0)
    assert database.of(workspace).path == path


@pytest.mark.parametrize("built", [True, False])
def test_a_repository_that_cannot_be_written_has_an_index_in_memory(project: Path, tmp_path: Path, built: bool) -> None:
    with support.small_disk(tmp_path / "disk", "8m") as disk:
        support.git(tmp_path, "clone", "--quiet", "--no-hardlinks", str(project), str(disk / "clone"))
        recording.record(disk / "clone", "one")
        workspace = workspaces.open(disk / "clone")
        if built:
            assert names(workspace) == ["one"]
            close(workspace)
        recording.record(disk / "clone", "two")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert names(workspace) == ["one", "two"]
        assert database.of(workspace).path is None
        assert (disk / "clone/.git/gitexp/index.sqlite").exists() == built


def test_a_full_disk_is_done_without(project: Path, tmp_path: Path) -> None:
    with support.small_disk(tmp_path / "disk", "8m") as disk:
        support.git(tmp_path, "clone", "--quiet", "--no-hardlinks", str(project), str(disk / "clone"))
        recording.record(disk / "clone", "one")
        workspace = workspaces.open(disk / "clone")
        rest = disk / "rest"
        with suppress(OSError), open(rest, "wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)
        assert names(workspace) == ["one"]
        assert database.of(workspace).path is None
        close(workspace)
        rest.unlink()
        assert names(workspace) == ["one"]


RECORDER = """
import gitexp
for number in range(8):
    run = gitexp.start_run(name=f"NAME{number}")
    run.log({"loss": 1.0 / (number + 1)})
    run.finish()
"""
LISTER = f"""
{CODE}
for _ in range(40):
    assert database.of(workspace.open()).path is not None
"""


def test_several_processes_refresh_and_record_at_once(workspace: Workspace, project: Path) -> None:
    codes = [RECORDER.replace("NAME", name) for name in ("a", "b")] + [LISTER] * 3
    found = [subprocess.Popen([sys.executable, "-c", code], cwd=project, stderr=subprocess.PIPE) for code in codes]
    said = [process.communicate(timeout=support.TIMEOUT_SECONDS)[1] for process in found]
    assert [process.returncode for process in found] == [0] * 5, said
    assert len(agreement.check(workspace)) == 18


def assert_all_indexes(index: database.Index) -> None:
    """Check that the indexes of `run` are there, which are made once all runs have been read."""
    names = {row[1] for row in index.rows("PRAGMA index_list(run)")}
    assert {"run_ref", "run_id", "run_start", "run_own", "run_slug", "run_commit", "run_path", "run_live"} <= names


def test_a_process_killed_in_the_middle_of_a_refresh_leaves_what_can_be_gone_on_from(project: Path) -> None:
    synthetic.make(project, 600)
    code = "from gitexp.index import refresh; refresh.BUSY_SECONDS = 0.01\n" + CODE
    for wait in (0.3, 0.4, 0.5, 0.7):
        with subprocess.Popen([sys.executable, "-c", code], cwd=project) as process:
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
    agreement.check(workspaces.open(project))
    assert_all_indexes(database.of(workspaces.open(project)))


def test_a_long_refresh_gives_others_their_turn(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic.make(project, 600)
    monkeypatch.setattr(refresh, "BUSY_SECONDS", 0.0)
    agreement.check(workspaces.open(project))
    assert_all_indexes(database.of(workspaces.open(project)))


def test_every_thread_has_a_connection_of_its_own(workspace: Workspace) -> None:
    found: list[database.Index] = []

    def work() -> None:
        found.append(database.of(workspace))
        found[-1].connection.close()

    for _ in range(2):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len({id(index.connection) for index in (database.of(workspace), *found)}) == 3


def test_a_forked_process_has_a_connection_of_its_own(workspace: Workspace, project: Path) -> None:
    code = (
        CODE
        + """
import os
child = os.fork()
if not child:
    os._exit(0 if database.of(workspace.open()) is not index else 1)
assert os.waitpid(child, 0)[1] == 0 and database.of(workspace.open()) is index
"""
    )
    support.python(project, code)


def test_a_snapshot_sees_the_same_runs_all_the_time(workspace: Workspace, project: Path) -> None:
    index = database.of(workspace)
    with search.snapshot(index):
        assert search.tally(index, None, context=agreement.CONTEXT).total == 2
        recording.record(project, "three")
        support.python(project, CODE)
        assert database.of(workspace) is index
        assert search.tally(index, None, context=agreement.CONTEXT).total == 2
    assert names(workspace) == ["one", "three", "two"]


def test_a_process_over_many_repositories_keeps_few_of_them_open(project: Path, tmp_path: Path) -> None:
    places = [tmp_path / str(number) for number in range(3 * database._KEPT)]
    for place in places:
        shutil.copytree(project, place)
    first = database.of(workspaces.open(places[0]))
    for place in places:
        database.of(workspaces.open(place))
    links = [Path(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    held = {link.readlink().parents[2] for link in links if link.is_symlink() and link.readlink().suffix == ".sqlite"}
    assert held & set(places) == {places[0], *places[-database._KEPT :]}, "and what somebody still holds"
    assert first.rows("SELECT count(*) FROM run") == [(0,)]


def test_the_connection_of_a_list_is_kept(workspace: Workspace) -> None:
    assert database.of(workspace) is database.of(workspaces.open(workspace.repo.work_tree))


@pytest.mark.parametrize("code", [readers._CODE, "raise SystemExit(1)"], ids=["reading", "ending at once"])
def test_other_processes_help_where_there_are_many_runs_to_read(
    project: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    synthetic.make(project, 900)
    monkeypatch.setattr(readers, "FROM", 100)
    monkeypatch.setattr(readers, "_CODE", code)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2})
    monkeypatch.setattr(refresh, "BUSY_SECONDS", 0.05)
    support.git(project, "update-ref", "refs/experiments/churn/stray-kkkkkkk", "HEAD")
    workspace = workspaces.open(project)
    assert len(agreement.check(workspace)) == 900
    assert search.strange(database.of(workspace)) == 1
