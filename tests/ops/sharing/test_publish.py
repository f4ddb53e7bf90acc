"""Publishing: running runs that others can see, and pushes that nobody waits for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gitexp.errors import Refused, Unconfirmed
from gitexp.ops.recording import lifecycle
from gitexp.ops.recording.lifecycle import Request, Session
from gitexp.ops.sharing import publish
from gitexp.store import live, remotes
from gitexp.store.workspace import Workspace
from tests import sharing, support


@pytest.fixture
def workspace(project: Path, bare: Path) -> Iterator[Workspace]:
    with support.untouched(project):
        yield sharing.opened(project)


@pytest.fixture
def session(workspace: Workspace) -> Iterator[Session]:
    started = lifecycle.start(workspace, Request(experiment="churn", name="long"))
    yield started
    if started.folder.exists():
        lifecycle.finish(started, "completed")


def log(session: Session, step: int, value: float) -> None:
    session.writer.rows.append(("loss", step, sharing.START_MS + step, value))
    session.writer.drain()


def published(bare: Path) -> dict[str, str]:
    lines = support.git(
        bare, "for-each-ref", "--format=%(refname) %(objectname)", "refs/experiments-live/"
    ).splitlines()
    return dict(line.split() for line in lines)


def test_nothing_of_a_running_run_is_published_before_somebody_agreed(session: Session, bare: Path) -> None:
    workspace = session.workspace
    with pytest.raises(Unconfirmed):
        publish.live_by_id(workspace, session.id)
    publish.logged_live(workspace, session.id)
    assert "nothing sent to origin" in (workspace.home / "push.log").read_text()
    assert published(bare) == {}


def test_who_wants_to_publish_is_told_what_is_in_the_way(workspace: Workspace, project: Path) -> None:
    said = support.gitexp("run", "--publish", "--", "true").stderr.splitlines()
    agree = "gitexp push, or: git config gitexp.push.origin approved"
    assert said[0] == f"gitexp: not published while it runs: nobody agreed to it yet; {agree}"
    support.git(project, "config", "gitexp.push.origin", "approved")
    assert publish.obstacle(sharing.opened(project)) == ""
    assert len(support.gitexp("run", "--publish", "--", "true").stderr.splitlines()) == 1
    support.git(project, "config", "gitexp.runsBranch", "gitexp/runs")
    assert "gitexp.runsBranch" in publish.obstacle(sharing.opened(project))
    support.git(project, "config", "gitexp.remote", "nowhere")
    assert publish.obstacle(sharing.opened(project)).startswith("no remote 'nowhere'; there is: origin; ")
    sharing.wait_for(lambda: len((workspace.home / "push.log").read_text().splitlines()) >= 2)


def test_a_running_run_is_published_again_and_again_and_goes_with_the_push_of_its_end(
    session: Session, bare: Path, project: Path
) -> None:
    workspace = session.workspace
    sharing.make_run(workspace, "before")
    support.gitexp("push", "--yes")
    log(session, 1, 0.5)
    publish.live_by_id(workspace, session.id)
    log(session, 2, 0.25)
    publish.live_by_id(workspace, session.id)
    ((ref, commit),) = published(bare).items()
    assert ref == session.start.ref.replace("refs/experiments/", "refs/experiments-live/")
    assert support.record(bare, commit)["status"] == "running"
    assert support.record(bare, commit, "summary.json")["loss"]["last"] == 0.25
    assert support.git(bare, "show", f"{commit}:.gitexp/metrics.csv").splitlines()[1:] != []
    lifecycle.finish(session, "completed")
    support.gitexp("push")
    assert published(bare) == {}
    assert session.start.ref in support.run_refs(bare)


def test_a_run_with_edits_is_not_shown_where_none_may_be_pushed(
    workspace: Workspace, project: Path, bare: Path
) -> None:
    for key, value in (("gitexp.push.origin", "approved"), ("gitexp.pushDirty", "refuse")):
        support.git(project, "config", key, value)
    before = (project / "train.py").read_text()
    (project / "train.py").write_text("secret = 1\n")
    dirty = lifecycle.start(sharing.opened(project), Request(experiment="churn", name="dirty"))
    (project / "train.py").write_text(before)
    with pytest.raises(Refused, match="uncommitted edits"):
        publish.live_by_id(dirty.workspace, dirty.id)
    assert published(bare) == {}
    lifecycle.finish(dirty, "completed")


def test_a_run_is_shown_under_the_name_that_its_script_has_given_it(session: Session, bare: Path) -> None:
    workspace = session.workspace
    remotes.agree(workspace, remotes.choose(workspace), ["runs"])
    publish.live_by_id(workspace, session.id)
    session.start = replace(session.start, fixed=())
    session.start.write(session.folder)
    session.writer.event("name", experiment="vision/nets", name="small one")
    session.writer.drain()
    publish.live_by_id(workspace, session.id)
    assert list(published(bare)) == [f"refs/experiments-live/vision/nets/small-one-{session.id[:7]}"]
    assert "vision/nets/small one" in support.gitexp("status").stdout
    assert support.gitexp("log", "--all", "--format", "{name}").lines == ["small one"]
    assert "vision/nets / small one" in support.gitexp("show", session.id).stdout


def test_a_published_run_is_taken_away_at_its_end(session: Session, bare: Path, project: Path) -> None:
    workspace = session.workspace
    remotes.agree(workspace, remotes.choose(workspace), ["runs"])
    publish.live_by_id(workspace, session.id)
    assert len(published(bare)) == 1
    publish.logged_end_live(workspace, session.id)
    assert published(bare) == {}
    assert publish.end_live(workspace, session.id) == "origin: 0 published runs taken away"
    assert support.run_refs(project) == {}


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({}, None),
        ({"publish": "true"}, 60),
        ({"publishEvery": "5s"}, 5),
        ({"publish": "true", "publishEvery": "2m"}, 120),
        ({"publish": "false", "publishEvery": "5s"}, None),
        ({"publishEvery": "0s"}, None),
    ],
)
def test_who_says_how_often_a_run_is_published_wants_it_published(
    workspace: Workspace, project: Path, settings: dict[str, str], seconds: float | None
) -> None:
    for key, value in settings.items():
        support.git(project, "config", f"gitexp.{key}", value)
    assert publish.every_seconds(sharing.opened(project)) == seconds


def test_what_was_published_of_a_lost_run_is_taken_away_when_the_run_is_recovered(session: Session, bare: Path) -> None:
    workspace = session.workspace
    remotes.agree(workspace, remotes.choose(workspace), ["runs"])
    publish.live_by_id(workspace, session.id)
    session.writer.drain()
    start = replace(session.start, record=replace(session.start.record, host="elsewhere"), boot="another", pid=1)
    start.write(session.folder)
    said = support.gitexp("recover", "--host", "elsewhere").stdout
    assert said == f"closed long ({session.id[:7]}) whose process was lost\n"
    sharing.wait_for(lambda: published(bare) == {})
    sharing.wait_for(lambda: "1 published run taken away" in (workspace.home / "push.log").read_text())


def test_long_curves_are_thinned_evenly_to_what_stands_in_git(session: Session) -> None:
    rows = [("loss", step, sharing.START_MS + step, 0.123456789) for step in range(60_000)]
    session.writer.rows.extend(rows)
    session.writer.drain()
    run = live.by_id(session.workspace, session.id)
    assert run is not None
    data = publish._curves(session.workspace, run)
    assert 300_000 < len(data) <= 1 << 20
    assert data.splitlines()[-1].split(b",")[1] > b"59900"


def test_a_push_in_the_background_is_not_waited_for_and_leaves_no_child(workspace: Workspace, project: Path) -> None:
    support.git(project, "config", "gitexp.autoPush", "true")
    before = support.children()  # whatever other tests keep
    publish.spawn_auto(sharing.opened(project))
    assert support.children().keys() <= before.keys()
    # Taking the same lock waits for the process to end, so that it writes into no folder that is gone.
    log_file = workspace.home / "push.log"
    sharing.wait_for(lambda: "everything" in log_file.read_text() or "0 runs sent" in log_file.read_text())


@pytest.mark.usefixtures("bare")
def test_a_remote_that_is_gone_fails_no_run_and_is_in_the_log(project: Path) -> None:
    workspace = sharing.opened(project)
    support.git(project, "remote", "set-url", "origin", str(project / "nowhere.git"))
    publish.auto(sharing.opened(project))
    assert "origin: fatal: " in (workspace.home / "push.log").read_text()
    support.git(project, "remote", "remove", "origin")
    publish.auto(sharing.opened(project))
    assert "there is no remote to share runs with" in (workspace.home / "push.log").read_text()
