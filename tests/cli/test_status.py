"""gitexp status and stop: what is going on, and asking it to end."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gitexp import clock
from gitexp.store import live
from gitexp.store import workspace as workspaces
from gitexp.store.journal import Start
from tests import stored, support

A = "kqzvmxrkqzvmxrkq"


def elsewhere(folder: Path, *, host: str = "gpu02", seconds: float = 0, owned: bool = True) -> None:
    """Make a journal look like one of another machine whose last sign of life was some seconds ago."""
    start = Start.read(folder)
    replace(start, boot="another", owned=owned, record=replace(start.record, host=host)).write(folder)
    then = time.time() - seconds
    for path in folder.iterdir():
        os.utime(path, (then, then))


def test_nothing_at_all(project: Path) -> None:
    assert support.gitexp("status").stdout == (
        "nothing is running\nno run was recorded here yet (gitexp run -- python train.py)\n"
    )
    assert support.gitexp("status", "-s").stdout == support.gitexp("status", "--porcelain").stdout == ""


def test_the_newest_run_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEXP_NOW", stored.NOW)
    stored.make(None, "lr0.05", A, at="14:48")
    assert support.gitexp("status").lines == [
        "nothing is running",
        "newest here: kqzvmxr churn/lr0.05, completed, 12m ago",
    ]
    assert support.gitexp("status", "--json").json["newest"] == A


def test_running_runs_have_an_owner_and_a_last_sign_of_life(project: Path) -> None:
    with stored.live("trial") as session:
        lines = support.gitexp("status").lines
        assert lines[0] == "1 run running"
        words = lines[1].split()
        assert words[:2] + words[-4:] == [session.id[:7], "churn/trial", "process", str(os.getpid()), "on", words[-1]]
        assert support.gitexp("status", "-s").stdout.startswith(f"R {session.id[:7]} churn/trial ")
        host = session.start.record.host
        fields = support.gitexp("status", "--porcelain").stdout.rstrip("\n").split("\t")
        assert fields[:7] == ["live", "running", session.id, "churn", "trial", str(os.getpid()), host]
        [item] = support.gitexp("status", "--json").json["live"]
        assert (item["id"], item["state"], item["pid"], item["host"]) == (session.id, "running", os.getpid(), host)


def test_a_silent_run_of_another_machine_is_not_closed_but_said(project: Path) -> None:
    session_id = ""
    with stored.live("trial") as session:
        session_id = session.id
        support.gitexp("config", "gitexp.deadAfter", "1h")
        elsewhere(session.folder, seconds=120)
        session.writer.close()
        lines = support.gitexp("status").lines
        assert lines[0] == "1 run running" and "last sign of life 2m ago" in lines[1] and lines[1].endswith("on gpu02")
        support.gitexp("recover", "--host", "gpu02")
        assert support.gitexp("status").lines[0] == "nothing is running"
    assert support.gitexp("show", session_id, "--json").json["status"] == "killed"


def test_a_run_without_a_process_stays_open(project: Path) -> None:
    with stored.live("trial") as session:
        elsewhere(session.folder, owned=False, seconds=10**6)
        session.writer.close()
        assert support.gitexp("status").lines[:2] == ["nothing is running", "1 run open, with no process of their own"]
        assert support.gitexp("stop", "trial", expect=3).stderr.splitlines()[0].endswith("belongs to no process")
        shutil.rmtree(session.folder)


def test_a_journal_that_cannot_be_read_is_named(project: Path) -> None:
    folder = workspaces.open().live / A
    support.write(folder / "start.json", "{")
    shown = support.gitexp("status")
    assert shown.lines[1:3] == ["1 journal cannot be read; nothing in them is lost", f"  {folder}"]
    assert f"damaged\t{folder}" in support.gitexp("status", "--porcelain").lines


def test_what_remotes_lack_is_counted(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEXP_NOW", stored.NOW)
    stored.make(None, "lr0.05", A, at="14:48")
    support.git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    support.git(project, "remote", "add", "origin", str(tmp_path / "remote.git"))
    assert "origin lacks 1 run (gitexp push)" in support.gitexp("status").lines
    assert support.gitexp("status", "--porcelain").lines == ["remote\torigin\t1\t1"]
    assert support.gitexp("status", "-s").lines == ["> origin lacks 1"]
    support.gitexp("push", "--yes")
    assert "origin has all runs" in support.gitexp("status").lines
    assert support.gitexp("status", "--json").json["remotes"][0]["lacks"] == 0


def test_a_refspec_that_deletes_runs_is_warned_of(project: Path, tmp_path: Path) -> None:
    support.git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    support.git(project, "remote", "add", "origin", str(tmp_path / "remote.git"))
    spec = "+refs/experiments/*:refs/experiments/*"
    support.git(project, "config", "--add", "remote.origin.fetch", spec)
    lines = support.gitexp("status").lines
    at = lines.index(f"git fetch --prune origin deletes unpushed runs ({spec}); take it away:")
    support.execute(project, "sh", "-c", lines[at + 1])
    assert spec not in support.gitexp("status").stdout


def test_a_crash_is_pointed_at(project: Path) -> None:
    log = support.write(project / ".git/gitexp/crash.log", "")
    assert f"gitexp crashed: {log}" in support.gitexp("status").lines


def test_a_run_is_stopped_and_recorded_as_killed(project: Path) -> None:
    with stored.running(project) as (child, run_id):
        shown = support.gitexp("stop", "@")
        assert shown.stderr == f"gitexp: stopping churn/live ({run_id[:7]})\n"
        assert shown.stdout.startswith(f"churn/live ({run_id[:7]}) killed after ")
        assert child.wait(30) != 0
    assert support.gitexp("show", "@", "--json").json["status"] == "killed"
    assert support.gitexp("stop", "@", expect=2).stderr.endswith(
        "gitexp: run live is not running here\nlist what is running: gitexp status\n"
    )


def test_a_run_that_takes_its_time_is_left_to_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    monkeypatch.setattr(stored, "SCRIPT", stored.SCRIPT.replace("print(", slow + "print(", 1))
    with stored.running(project) as (child, _):
        shown = support.gitexp("stop", "live", "--wait", "0.1", expect=7)
        assert shown.stderr == f"gitexp: not ended after 0.1 s\nif it must: kill -9 {child.pid}\n"
        assert child.poll() is None


def test_a_run_of_another_machine_is_not_stopped_from_here(project: Path) -> None:
    with stored.live("trial") as session:
        elsewhere(session.folder)
        refused = support.gitexp("stop", "trial", expect=3).stderr
        assert refused == (
            f"gitexp: run trial runs on gpu02 (process {os.getpid()})\n"
            f"there: kill {os.getpid()}   or, if that machine is lost: gitexp recover --host gpu02\n"
        )
        shutil.rmtree(session.folder)


def test_runs_published_by_others_are_shown(project: Path) -> None:
    run = stored.make(None, "far", A, at="14:00", status="running", host="gpu09")
    support.git(project, "update-ref", f"refs/experiments-live/churn/far-{A[:7]}", str(run.commit))
    support.git(project, "update-ref", "-d", str(run.ref))
    (project / ".git/gitexp/refs.log").unlink()
    line = "  kqzvmxr  churn/far of Ana Ruiz on gpu09, last sign of life "
    assert any(said.startswith(line) for said in support.gitexp("status").lines)
    assert support.gitexp("log").lines[0] == "churn: 1 run, 1 running"
    assert live.listing(workspaces.open()) == [] and clock.now_ms() > 0
