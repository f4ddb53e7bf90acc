"""Runs that are shown running elsewhere: how long they have been silent, and what becomes of those that are lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitexp import canonical, clock
from gitexp.ops.recording import lifecycle
from gitexp.ops.recording.lifecycle import Request, Session
from gitexp.ops.sharing import publish
from gitexp.store.workspace import Workspace
from tests import sharing, support


@pytest.fixture
def session(project: Path, bare: Path) -> Iterator[Session]:
    """Give a run that is published once, of a clone that pushed before."""
    workspace = sharing.opened(project)
    sharing.make_run(workspace, "before")
    support.gitexp("push", "--yes")
    started = lifecycle.start(workspace, Request(experiment="churn", name="long"))
    started.writer.rows.extend(
        ("loss", step, started.start.record.start_ms + step, 1 / (step + 1)) for step in range(3)
    )
    started.writer.drain()
    publish.live_by_id(workspace, started.id)
    yield started
    if started.folder.exists():
        lifecycle.finish(started, "completed")


@pytest.fixture
def theirs(session: Session, bare: Path, tmp_path: Path) -> Workspace:
    support.git(tmp_path, "clone", "--quiet", str(bare), "theirs")
    support.git(tmp_path / "theirs", "config", "user.name", "Bo")
    support.git(tmp_path / "theirs", "config", "user.email", "bo@acme.io")
    return sharing.opened(tmp_path / "theirs")


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setenv("GITEXP_NOW", canonical.iso(clock.now_ms() + round(seconds * 1000)))


def say(theirs: Workspace, *args: str, expect: int = 0) -> support.Result:
    return support.gitexp("-C", str(theirs.repo.work_tree), *args, expect=expect)


def live_refs(bare: Path) -> str:
    return support.git(bare, "for-each-ref", "refs/experiments-live/")


def test_fetch_status_log_and_show_tell_the_age_of_the_last_sign_of_life(
    session: Session, theirs: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, host = session.id[:7], session.start.record.host
    later(monkeypatch, 180)
    first, second = say(theirs, "fetch").stdout.splitlines()
    assert first == "origin: 1 new run (churn 1), 1 running there"
    assert second == f"  {short}  churn/long of Ana Ruiz on {host}, last sign of life 3m ago"
    assert second in say(theirs, "status").stdout.splitlines()
    assert "running 3m" in say(theirs, "log").stdout
    assert "running elsewhere, last sign of life 3m ago" in say(theirs, "show", "long").stdout
    (shown,) = say(theirs, "fetch", "--json").json["live"]
    assert shown["id"] == session.id and shown["host"] == host and 180 <= shown["silent_seconds"] < 190
    later(monkeypatch, 3600)
    lines = say(theirs, "fetch").stdout.splitlines()
    assert lines[2] == f"if the machine of {short} is lost: gitexp recover {short}"
    assert f"  {lines[2]}" in say(theirs, "status").stdout.splitlines()
    assert "silent 1h" in say(theirs, "log").stdout


def test_a_run_whose_machine_is_lost_is_closed_when_somebody_says_so(
    session: Session, theirs: Workspace, project: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(theirs, "fetch")
    with support.untouched(str(theirs.repo.work_tree)):
        refused = say(theirs, "recover", "long", expect=3).stderr
        assert "gave a sign of life" in refused and live_refs(bare) != ""
        later(monkeypatch, 3600)
        refused = say(theirs, "recover", "long", expect=11).stderr  # nothing of theirs was ever sent
        assert "first push of experiments from this clone" in refused
        say(theirs, "push", "--yes")
    assert live_refs(bare) == ""
    (ref,) = (ref for ref in support.run_refs(bare) if ref.endswith(f"-{session.id[:7]}"))
    assert support.record(bare, ref)["status"] == "killed"
    assert support.record(bare, ref, "summary.json")["loss"]["count"] == 3
    assert say(theirs, "fetch").stdout == "origin: nothing new\n"
    assert say(theirs, "recover", "long", expect=2).stderr.startswith("gitexp: run 'long' is not running")


def test_a_machine_that_comes_back_loses_nothing(
    session: Session, theirs: Workspace, project: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(theirs, "fetch")
    support.git(str(theirs.repo.work_tree), "config", "gitexp.push.origin", "approved")
    later(monkeypatch, 3600)
    said = say(theirs, "recover", "long").stdout
    assert said == f"closed long ({session.id[:7]}) whose process was lost\n"
    assert live_refs(bare) == ""
    monkeypatch.delenv("GITEXP_NOW")
    session.writer.rows.append(("loss", 9, session.start.record.start_ms + 9, 0.01))
    lifecycle.finish(session, "completed")
    assert "went on in two clones" in support.gitexp("push").stdout
    runs = [support.record(bare, ref) for ref in support.run_refs(bare)]
    assert sorted((run["status"], run.get("forked_from")) for run in runs if run["name"] == "long") == [
        ("completed", None),
        ("killed", session.id),
    ]


def test_a_run_that_is_published_again_meanwhile_is_not_lost(
    session: Session, theirs: Workspace, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(theirs, "fetch")
    later(monkeypatch, 3600)
    publish.live_by_id(session.workspace, session.id)
    assert "gave a sign of life 0s ago" in say(theirs, "recover", "long", expect=3).stderr


def test_a_machine_whose_clock_is_wrong_is_lost_when_it_is_named(
    session: Session, theirs: Workspace, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(monkeypatch, 10_000_000)
    publish.live_by_id(session.workspace, session.id)
    monkeypatch.delenv("GITEXP_NOW")
    support.git(str(theirs.repo.work_tree), "config", "gitexp.push.origin", "approved")
    assert "last sign of life 0s ago" in say(theirs, "fetch").stdout
    host = session.start.record.host
    refused = say(theirs, "recover", "long", expect=3).stderr
    assert refused.endswith(f"if that machine is surely lost: gitexp recover {session.id[:7]} --host {host}\n")
    assert say(theirs, "recover", "long", "--host", "other", expect=3).stderr == refused
    assert say(theirs, "recover", "long", "--host", host, "--json").json["closed"] == [session.id]
    assert live_refs(bare) == ""


def test_a_run_that_ended_meanwhile_is_left_as_it_is(
    session: Session, theirs: Workspace, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(theirs, "fetch")
    lifecycle.finish(session, "completed")
    support.gitexp("push")
    later(monkeypatch, 3600)
    assert say(theirs, "recover", "long", "--json").json["closed"] == []
    assert live_refs(bare) == ""
