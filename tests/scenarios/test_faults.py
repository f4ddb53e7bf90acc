"""What happens to runs when processes, disks and people do their worst: nothing is lost, and nothing lies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import gitexp
from gitexp.ops.recording import recover
from gitexp.store import live, workspace
from tests import support

pytestmark = pytest.mark.usefixtures("untouched")

LOGGING = """
import gitexp, sys, time
run = gitexp.start_run("churn", name="long")
for step in range({points}):
    run.log_metric("loss", 1.0 / (step + 1), step=step)
run._session.writer.drain()
print(run.id, flush=True)
time.sleep(60)
"""


@contextmanager
def child(path: Path, code: str, **env: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run Python code in a process of its own and yield it with the first line that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=path,
        env={**os.environ, "PYTHONPATH": str(support.ROOT), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline().strip()
        assert line, process.communicate()[1]
        yield process, line
    finally:
        process.kill()
        process.communicate()


def only_record(path: Path) -> dict[str, object]:
    (ref,) = support.run_refs(path)
    record: dict[str, object] = support.record(path, ref)
    return record


def test_a_run_killed_with_9_becomes_a_killed_run_with_all_it_had(project: Path) -> None:
    with child(project, LOGGING.format(points=1000)) as (process, run_id):
        assert live.listing(workspace.open())[0].alive
        process.send_signal(signal.SIGKILL)
        process.wait()
    swept = recover.sweep(workspace.open())
    assert [run.id for run in swept.closed] == [run_id]
    found = gitexp.get_run(run_id)
    assert found.status == "killed"
    assert len(found.metric("loss")) == 1000
    assert found.summary["loss"].last == 1 / 1000
    assert live.listing(workspace.open()) == []
    assert recover.sweep(workspace.open()).line() == ""


def test_a_living_run_is_left_alone(project: Path) -> None:
    with child(project, LOGGING.format(points=10)):
        assert recover.sweep(workspace.open()).line() == ""
        assert [run.alive for run in live.listing(workspace.open())] == [True]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_end_a_run_as_killed_and_the_process_as_without_us(project: Path, number: int) -> None:
    with child(project, LOGGING.format(points=10)) as (process, run_id):
        process.send_signal(number)
        process.wait(timeout=20)
        assert process.returncode == -number
    record = only_record(project)
    assert (record["id"], record["status"]) == (run_id, "killed")


def test_a_forgotten_run_is_finished_at_exit(project: Path) -> None:
    support.python(project, "import gitexp; gitexp.start_run(name='x').log({'loss': 1.0})")
    assert only_record(project)["status"] == "completed"


def test_an_uncaught_exception_fails_a_forgotten_run(project: Path) -> None:
    support.python(project, "import gitexp; gitexp.start_run(name='x'); raise RuntimeError('no data')", check=False)
    record = only_record(project)
    assert record["status"] == "failed"
    assert record["error"]["message"] == "no data"  # type: ignore[index]  # JSON


def test_a_stopped_process_that_wakes_after_its_run_was_closed_loses_nothing(project: Path) -> None:
    code = LOGGING.replace("time.sleep(60)", "sys.stdin.read(); run.log_metric('loss', 9.0, step=5000); run.finish()")
    process = subprocess.Popen(
        [sys.executable, "-c", code.format(points=100)],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(support.ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        process.send_signal(signal.SIGSTOP)
        take_for_lost(project, run_id)
        assert [run.id for run in recover.sweep(workspace.open(), host="elsewhere").closed] == [run_id]
        assert gitexp.get_run(run_id).status == "killed"
        process.send_signal(signal.SIGCONT)
        said = process.communicate("", timeout=20)[1]
    finally:
        process.kill()
        process.communicate()
    assert "completed" in said
    found = gitexp.get_run(run_id)
    assert found.status == "completed"
    assert len(found.metric("loss")) == 101
    assert len(support.git(project, "log", "--format=%h", "--first-parent", str(found.ref)).splitlines()) == 2


def take_for_lost(project: Path, run_id: str) -> None:
    """Make the journal look as one of another machine does, whose locks say nothing."""
    path = project / ".git/gitexp/live" / run_id / "start.json"
    start = json.loads(path.read_text())
    start["boot"], start["record"]["host"] = "another", "elsewhere"
    path.write_text(json.dumps(start))
    journal = path.parent / "events-main.jsonl"
    copy = journal.read_bytes()
    journal.unlink()  # a lock of this kernel would tell; on another machine there is none to see
    journal.write_bytes(copy)


def test_runs_of_another_machine_are_closed_after_long_silence_only(project: Path) -> None:
    with child(project, LOGGING.format(points=10)) as (process, run_id):
        process.kill()
        process.wait()
        take_for_lost(project, run_id)
        assert recover.sweep(workspace.open()).line() == ""
        for path in (project / ".git/gitexp/live" / run_id).iterdir():
            os.utime(path, (time.time() - 3600, time.time() - 3600))
        assert len(recover.sweep(workspace.open()).closed) == 1


def test_torn_and_corrupt_journal_lines_cost_only_themselves(project: Path) -> None:
    with child(project, LOGGING.format(points=20)) as (process, run_id):
        process.kill()
        process.wait()
    folder = project / ".git/gitexp/live" / run_id
    metrics = folder / "metrics-main.csv"
    lines = metrics.read_bytes().splitlines(keepends=True)
    lines[5] = b'loss,"broken\x00\xff\n'
    metrics.write_bytes(b"".join(lines) + b"loss,20,17")
    with open(folder / "events-main.jsonl", "ab") as file:
        file.write(b'not json\n{"op":"tags","values":{"a":"b"}}\n{"op":"tags","va')
    recover.sweep(workspace.open())
    found = gitexp.get_run(run_id)
    assert len(found.metric("loss")) == 19
    assert found.tags == {"a": "b"}
    assert support.record(project, str(found.ref))["lost"] == {"events": 1, "points": 2}


def test_a_recovery_that_was_cut_off_is_done_again(project: Path) -> None:
    with child(project, LOGGING.format(points=20)) as (process, run_id):
        process.kill()
        process.wait()
    folder = project / ".git/gitexp/live" / run_id
    folder.rename(folder.with_name(f"{run_id}.dead.1.abc"))
    assert len(recover.sweep(workspace.open()).closed) == 1
    assert len(gitexp.get_run(run_id).metric("loss")) == 20


def test_a_finish_cut_off_after_the_commit_leaves_one_run(project: Path) -> None:
    code = """
import gitexp, os
from gitexp.store import journal
journal.remove = lambda folder: os._exit(1)
run = gitexp.start_run(name="cut"); run.log({"loss": 0.5}); run.finish()
"""
    support.python(project, code, check=False)
    (before,) = support.run_refs(project).items()
    assert recover.sweep(workspace.open()).line() == ""
    assert support.run_refs(project) == dict([before])
    assert live.folders(workspace.open()) == []


def test_a_finish_cut_off_after_the_commit_leaves_one_run_under_the_scripts_own_name(project: Path) -> None:
    code = """
import os
from gitexp.ops.recording import lifecycle
from gitexp.store import journal, workspace
journal.remove = lambda folder: os._exit(1)
session = lifecycle.start(workspace.open(), lifecycle.Request())
session.writer.event("name", experiment="churn", name="long")
lifecycle.finish(session, "completed")
"""
    support.python(project, code, check=False)
    ((ref, commit),) = support.run_refs(project).items()
    assert ref.startswith("refs/experiments/churn/long-")
    assert recover.sweep(workspace.open()).line() == ""
    assert support.run_refs(project) == {ref: commit}
    assert live.folders(workspace.open()) == []


def test_a_finish_cut_off_before_the_commit_is_completed(project: Path) -> None:
    code = """
import gitexp, os
from gitexp.store import runs
runs.write = lambda workspace, draft: os._exit(1)
run = gitexp.start_run(name="cut"); run.log({"loss": 0.5}); run.finish()
"""
    support.python(project, code, check=False)
    assert not support.run_refs(project)
    assert len(recover.sweep(workspace.open()).completed) == 1
    assert only_record(project)["status"] == "completed"


def test_forked_workers_neither_duplicate_nor_lose_points(project: Path) -> None:
    code = """
import gitexp, os
run = gitexp.start_run("churn", name="forks")
for step in range(500): run.log_metric("parent", 1.0, step=step)
children = []
for worker in range(3):
    pid = os.fork()
    if not pid:
        for step in range(100): run.log_metric(f"worker{worker}", 2.0, step=step)
        os._exit(0)
    children.append(pid)
silent = os.fork()
if not silent: os._exit(0)
for pid in [*children, silent]: os.waitpid(pid, 0)
for step in range(500, 1000): run.log_metric("parent", 1.0, step=step)
run.finish()
print(run.id)
"""
    run_id = support.python(project, code).stdout.strip()
    counts = {name: item.count for name, item in gitexp.get_run(run_id).summary.items()}
    assert counts == {"parent": 1000, "worker0": 100, "worker1": 100, "worker2": 100}


def test_a_worker_that_outlives_the_run_adds_one_commit(project: Path) -> None:
    code = """
import gitexp, os
run = gitexp.start_run("churn", name="late")
run.log_metric("loss", 1.0, step=0)
heard, say = os.pipe()
go, going = os.pipe()
pid = os.fork()
if not pid:
    run.log_metric("worker", 1.0, step=0)
    os.write(say, b"1")
    os.read(go, 1)
    run.log_metric("worker", 2.0, step=1)
    os._exit(0)
os.read(heard, 1)
run.finish()
os.write(going, b"1")
os.waitpid(pid, 0)
print(run.id)
"""
    run_id = support.python(project, code).stdout.strip()
    assert len(gitexp.get_run(run_id).metric("worker")) == 1
    assert [run.id for run in recover.sweep(workspace.open()).completed] == [run_id]
    found = gitexp.get_run(run_id)
    assert list(found.metric("worker").values) == [1.0, 2.0]
    assert found.status == "completed"
    assert recover.sweep(workspace.open()).line() == ""


def test_sixteen_processes_finishing_at_once_all_record(project: Path) -> None:
    code = "import gitexp,sys\nwith gitexp.start_run('churn', name=sys.argv[1]) as run: run.log({'loss': 1.0})"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, f"run{number}"],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(support.ROOT), "GITEXP_QUIET": "1"},
        )
        for number in range(16)
    ]
    assert [process.wait(timeout=60) for process in processes] == [0] * 16
    assert len(support.run_refs(project)) == 16


def test_garbage_collection_takes_nothing_from_a_live_run(project: Path) -> None:
    before = (project / "train.py").read_bytes()
    support.write(project / "train.py", "print('edited')\n")
    try:
        with gitexp.start_run("churn", name="live") as run:
            run.log({"loss": 1.0})
            run.log_artifact("train.py", name="kept.py")
            support.git(project, "gc", "--quiet", "--prune=now")
            support.git(project, "pack-refs", "--all")
    finally:
        support.write(project / "train.py", before)
    assert support.git(project, "show", f"{run.ref}^:train.py") == "print('edited')"
    assert support.git(project, "show", f"{run.ref}:.gitexp/artifacts/kept.py") == "print('edited')"
    assert support.git(project, "for-each-ref", "refs/gitexp/") == ""


def test_a_removed_worktree_takes_no_live_run_with_it(project: Path) -> None:
    other = project.parent / "other"
    support.git(project, "worktree", "add", "--quiet", "--detach", str(other))
    with child(other, LOGGING.format(points=10)) as (process, run_id):
        support.git(project, "worktree", "remove", "--force", str(other))
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
    recover.sweep(workspace.open())
    assert only_record(project)["id"] == run_id


def test_a_full_disk_is_said_training_goes_on_and_recover_completes(project: Path, tmp_path: Path) -> None:
    with support.small_disk(tmp_path / "disk", "3m") as disk:
        support.git(tmp_path, "clone", "--quiet", str(project), str(disk / "clone"))
        code = """
import gitexp, pathlib
run = gitexp.start_run("churn", name="full")
run.log({"loss": 1.0})
run._session.writer.drain()
block = b"x" * 4096
with open("filler", "wb", buffering=0) as file:
    try:
        while True: file.write(block)
    except OSError: pass
for step in range(1, 20000): run.log_metric("loss", 1.0, step=step)
run.finish()
print("trained", run.id)
"""
        done = support.python(disk / "clone", code)
        assert done.stdout.startswith("trained")
        assert "kept in its journal" in done.stderr and "gitexp recover" in done.stderr
        (disk / "clone/filler").unlink()
        swept = recover.sweep(workspace.open(disk / "clone"))
        assert len(swept.closed) == 1 and not swept.failed
        assert len(support.run_refs(disk / "clone")) == 1


def test_a_full_disk_for_a_while_costs_no_point(project: Path, tmp_path: Path) -> None:
    with support.small_disk(tmp_path / "disk", "6m") as disk:
        support.git(tmp_path, "clone", "--quiet", str(project), str(disk / "clone"))
        code = """
import gitexp, os
run = gitexp.start_run("churn", name="full")
with open("filler.bin", "wb", buffering=0) as file:
    try:
        while True: file.write(b"x" * 4096)
    except OSError: pass
for step in range(20000): run.log_metric("loss", 1.0, step=step)
run._session.writer.drain()
assert run._session.writer.trouble is not None
os.unlink("filler.bin")
run.finish()
print(run.id)
"""
        run_id = support.python(disk / "clone", code).stdout.strip()
        assert len(gitexp.get_run(run_id, repo=str(disk / "clone")).metric("loss")) == 20000


def test_a_prune_that_took_refs_away_is_made_good_and_said(project: Path) -> None:
    with gitexp.start_run("churn", name="kept"):
        pass
    (ref,) = support.run_refs(project)
    support.git(project, "update-ref", "-d", ref)
    result = support.gitexp("log")
    assert "put back 1 lost ref" in result.stderr
    assert list(support.run_refs(project)) == [ref]


def test_a_ref_that_a_power_cut_emptied_is_put_back(project: Path) -> None:
    with gitexp.start_run("churn", name="kept"):
        pass
    (ref,) = support.run_refs(project)
    (project / ".git" / ref).write_bytes(b"")
    assert recover.sweep(workspace.open()).restored == [ref]
    assert gitexp.get_run("kept").status == "completed"


def test_an_interrupted_command_ends_its_wrapper_as_interrupted_too(project: Path) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    done = support.process(project, "run", "--", sys.executable, "-c", code, expect=None)
    assert done.code == -signal.SIGINT
    assert only_record(project)["status"] == "killed"


def test_a_rank_that_joins_while_the_run_is_sealed_loses_nothing(project: Path) -> None:
    code = """
import gitexp, sys, time
from gitexp.ops.recording import lifecycle
from gitexp.store import workspace
session = lifecycle.join(workspace.open(), sys.argv[1], "rank2-ab")
session.writer.rows.append(("rank2/loss", 0, 1700000000000, 0.5))
print("joined", flush=True)
sys.stdin.read()
lifecycle.finish(session, "completed")
"""
    run = gitexp.start_run("ddp")
    run.log({"loss": 1.0})
    process = subprocess.Popen(
        [sys.executable, "-c", code, run.id],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(support.ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "joined\n"
        run.finish()
        shutil.rmtree(project / ".git/gitexp/live" / run.id)  # what a main process does that saw nobody join
        process.communicate("", timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert sorted(gitexp.get_run(run.id).summary) == ["loss", "rank2/loss"]
