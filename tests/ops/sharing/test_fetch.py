"""Fetching: what comes, what never does, and that nothing of ours is overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitexp.errors import NotFound, RemoteError
from gitexp.git import notes, objects, refs
from gitexp.git.transport import Options
from gitexp.ops.sharing import fetch, push
from gitexp.ops.sharing.fetch import Fetched
from gitexp.ops.sharing.push import Choice, Pushed
from gitexp.store import annotations, remotes, runs
from gitexp.store.workspace import Workspace
from tests import sharing, support


@pytest.fixture
def theirs(bare: Path, tmp_path: Path) -> Workspace:
    support.git(tmp_path, "clone", "--quiet", str(bare), "theirs")
    return sharing.opened(tmp_path / "theirs")


@pytest.fixture
def untouched(ours: Workspace, theirs: Workspace) -> Iterator[None]:
    with support.untouched(ours.repo.work_tree or ""), support.untouched(theirs.repo.work_tree or ""):
        yield
    assert sharing.stray_refs(ours) == sharing.stray_refs(theirs) == {}


def send(workspace: Workspace, *names: str) -> Pushed:
    planned = push.plan(workspace, remotes.choose(workspace), Choice(names), Options())
    return push.push(workspace, planned, yes=True)


def bring(workspace: Workspace, *names: str) -> Fetched:
    return fetch.fetch(workspace, remotes.choose(workspace), names)


@pytest.mark.usefixtures("untouched")
def test_runs_and_facts_come_and_are_counted(ours: Workspace, theirs: Workspace) -> None:
    run = sharing.make_run(ours)
    sharing.make_run(ours, "resnet", experiment="vision/cifar")
    sharing.tag(ours, run, "candidate")
    send(ours)
    fetched = bring(theirs)
    assert runs.listing(theirs) == runs.listing(ours)
    assert sharing.tags(theirs, run.id) == {"candidate": ""}
    assert fetch.describe(fetched) == ["origin: 2 new runs (churn 1, vision/cifar 1), 1 new fact"]
    assert fetch.describe(bring(theirs)) == ["origin: nothing new"]


@pytest.mark.usefixtures("untouched")
def test_only_the_named_runs_come(ours: Workspace, theirs: Workspace) -> None:
    first, second = sharing.make_run(ours, "lr 0.1"), sharing.make_run(ours, "lr 0.2")
    third = sharing.make_run(ours, "other", experiment="vision")
    send(ours)
    bring(theirs, first.id[:5])
    assert list(runs.listing(theirs)) == [first.ref]
    bring(theirs, "lr-*")
    assert set(runs.listing(theirs)) == {first.ref, second.ref}
    bring(theirs, "vision/other")
    assert third.ref in runs.listing(theirs)
    with pytest.raises(NotFound, match="origin has no run 'nothing'"):
        bring(theirs, "nothing")


@pytest.mark.usefixtures("untouched")
def test_a_run_that_went_on_there_moves_forward_here(ours: Workspace, theirs: Workspace) -> None:
    run = sharing.make_run(ours)
    send(ours)
    bring(theirs)
    later = sharing.go_on(ours, run, loss=0.1)
    send(ours)
    assert bring(theirs).landed.updated == [run.ref]
    assert runs.listing(theirs) == {run.ref: later.commit}


@pytest.mark.usefixtures("untouched")
def test_a_run_that_went_on_here_stays_as_it_is(ours: Workspace, theirs: Workspace) -> None:
    run = sharing.make_run(ours)
    send(ours)
    later = sharing.go_on(ours, run, loss=0.1)
    assert bring(ours).landed.updated == []
    assert runs.listing(ours) == {run.ref: later.commit}


@pytest.mark.usefixtures("untouched")
def test_a_run_that_went_on_in_two_clones_becomes_a_run_and_a_fork_and_both_clones_agree(
    ours: Workspace, theirs: Workspace
) -> None:
    run = sharing.make_run(ours)
    send(ours)
    bring(theirs)
    sharing.go_on(ours, run, loss=0.1)
    sharing.go_on(theirs, runs.load(theirs, run.commit or "", run.ref), loss=0.9)
    send(ours)
    fetched = bring(theirs)
    (fork,) = fetched.landed.forks
    assert "went on in two clones: yours keeps its name" in fetch.describe(fetched)[1]
    listed = runs.listing(theirs)
    assert set(listed) == {run.ref, fork.fork}
    kept, other = (runs.load(theirs, listed[ref], ref) for ref in (run.ref or "", fork.fork))
    assert (kept.id, kept.summary["loss"].last) == (run.id, 0.9)
    assert (other.record.forked_from, other.summary["loss"].last) == (run.id, 0.1)
    assert other.id != run.id and other.ref == f"refs/experiments/churn/baseline-{other.id[:7]}"
    assert bring(theirs).landed.forks == []
    send(theirs, run.id, other.id)
    bring(ours)
    assert runs.listing(ours) == runs.listing(theirs)


@pytest.mark.usefixtures("untouched")
def test_facts_said_in_two_clones_come_together(ours: Workspace, theirs: Workspace) -> None:
    run = sharing.make_run(ours)
    send(ours)
    bring(theirs)
    sharing.tag(ours, run, "here")
    sharing.tag(theirs, runs.load(theirs, run.commit or "", run.ref), "there")
    send(ours)
    assert send(theirs).facts
    bring(ours)
    assert sharing.tags(ours, run.id) == sharing.tags(theirs, run.id) == {"here": "", "there": ""}


@pytest.mark.usefixtures("untouched")
def test_facts_of_a_run_that_is_not_sent_stay_here(ours: Workspace, bare: Path) -> None:
    run = sharing.make_run(ours)
    secret = sharing.make_run(ours, "secret")
    sharing.tag(ours, run, "public")
    sharing.tag(ours, secret, "password")
    send(ours, "baseline")
    everything = support.git(bare, "log", "-p", "--format=%B", notes.REF)
    assert "public" in everything
    assert "password" not in everything
    send(ours)
    assert "password" in support.git(bare, "log", "-p", "--format=%B", notes.REF)


@pytest.mark.usefixtures("untouched")
def test_facts_alone_are_sent_for_runs_that_are_there_already(ours: Workspace, theirs: Workspace) -> None:
    run = sharing.make_run(ours)
    send(ours)
    sharing.tag(ours, run, "late")
    done = send(ours)
    assert (done.sent, done.facts) == ([], True)
    bring(theirs)
    assert sharing.tags(theirs, run.id) == {"late": ""}


@pytest.mark.usefixtures("untouched")
def test_purged_runs_do_not_come_back(ours: Workspace, theirs: Workspace) -> None:
    run = sharing.make_run(ours)
    send(ours)
    bring(theirs)
    annotations.purge(theirs, [run.id], "a leaked key")
    refs.delete(theirs.repo, run.ref or "", old=run.commit or "")
    assert bring(theirs).landed.new == []
    assert runs.listing(theirs) == {}


@pytest.mark.usefixtures("untouched")
def test_what_is_no_run_is_left_out_and_said(ours: Workspace, theirs: Workspace, bare: Path) -> None:
    head = support.git(bare, "rev-parse", "main")
    run = sharing.make_run(ours)
    send(ours)
    support.git(bare, "update-ref", "refs/experiments/churn/fake-kkkkkkk", head)
    support.git(bare, "update-ref", "refs/experiments/churn/other-lllllll", run.commit or "")
    support.git(
        bare, "update-ref", "refs/experiments/blob-mmmmmmm/x-nnnnnnn", support.git(bare, "rev-parse", "main:train.py")
    )
    support.git(bare, "update-ref", "refs/experiments/plain", run.commit or "")
    fetched = bring(theirs)
    assert fetched.landed.new == [run.ref]
    assert dict(fetched.landed.skipped) == {
        "refs/experiments/churn/fake-kkkkkkk": "its commit is no run's",
        "refs/experiments/churn/other-lllllll": f"it holds the run {run.id[:7]}",
        "refs/experiments/blob-mmmmmmm/x-nnnnnnn": "it is no commit",
        "refs/experiments/plain": "its name is no run's",
    }


def test_a_settings_file_that_prunes_takes_no_run_away(ours: Workspace, theirs: Workspace) -> None:
    place = theirs.repo.work_tree or Path()
    send(ours)
    mine = sharing.make_run(theirs)
    support.git(place, "config", "fetch.prune", "true")
    support.git(place, "config", "remote.origin.prune", "true")
    support.git(place, "config", "--add", "remote.origin.fetch", "refs/experiments/*:refs/experiments/*")
    bring(sharing.opened(place))
    assert list(runs.listing(theirs)) == [mine.ref]


def test_an_error_names_the_remote_and_what_to_type(ours: Workspace, project: Path, tmp_path: Path) -> None:
    support.git(project, "remote", "set-url", "origin", str(tmp_path / "gone.git"))
    with pytest.raises(RemoteError) as caught:
        bring(sharing.opened(project))
    assert caught.value.message.startswith("origin: fatal: ")
    assert caught.value.hint == "check the address: git remote -v"


def test_running_runs_of_others_come_and_go(ours: Workspace, theirs: Workspace, bare: Path) -> None:
    run = sharing.make_run(ours)
    live = f"refs/experiments-live/{(run.ref or '').removeprefix('refs/experiments/')}"
    support.git(ours.repo.work_tree or "", "push", "--quiet", "origin", f"{run.commit}:{live}")
    assert [shown.id for shown in bring(theirs).running] == [run.id]
    assert refs.get(theirs.repo, live) == run.commit
    support.git(bare, "update-ref", "-d", live)
    assert bring(theirs).running == []
    assert refs.get(theirs.repo, live) is None


def test_a_fetch_that_was_killed_leaves_nothing_wrong(ours: Workspace, theirs: Workspace) -> None:
    run = sharing.make_run(ours)
    send(ours)
    stray = f"refs/gitexp/incoming/origin/{(run.ref or '').removeprefix('refs/')}"
    old = objects.write_commit(
        theirs.repo, objects.read_commit(theirs.repo, support.git(theirs.repo.work_tree or "", "rev-parse", "HEAD"))
    )
    refs.update(theirs.repo, stray, old, old=None)
    assert bring(theirs).landed.new == [run.ref]
    assert sharing.stray_refs(theirs) == {}
