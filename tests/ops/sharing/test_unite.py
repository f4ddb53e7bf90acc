"""Models of the registry shared by several clones and a bare remote."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitexp.errors import Unconfirmed
from gitexp.git import refs
from gitexp.git.transport import Options
from gitexp.ops.purging import purge
from gitexp.ops.sharing import bundle, fetch, push
from gitexp.ops.sharing.push import Choice, Pushed
from gitexp.ops.showing import status
from gitexp.ops.vetting import fsck
from gitexp.record import event as events
from gitexp.record.model import Model
from gitexp.store import models, remotes
from gitexp.store.models import Draft
from gitexp.store.workspace import Workspace
from tests import sharing, support

SHA = "7b" * 32


@pytest.fixture
def ours(project: Path, bare: Path) -> Iterator[Workspace]:
    yield sharing.opened(project)
    support.git(bare, "fsck", "--strict")


@pytest.fixture
def untouched(ours: Workspace, project: Path) -> Iterator[None]:
    with support.untouched(project):
        yield


@pytest.fixture
def theirs(ours: Workspace, project: Path, tmp_path: Path) -> Workspace:
    path = tmp_path / "theirs"
    shutil.copytree(project, path, symlinks=True)
    return sharing.opened(path)


def send(workspace: Workspace, *, yes: bool = True, options: Options | None = None) -> Pushed:
    remote = remotes.choose(workspace)
    planned = push.plan(workspace, remote, Choice(), options or Options())
    return push.push(workspace, planned, yes=yes)


def bring(workspace: Workspace) -> fetch.Fetched:
    return fetch.fetch(workspace, remotes.choose(workspace))


def register(workspace: Workspace, name: str = "churn") -> Model:
    details = {"run": "kqzvmxrlopnkqzvm", "commit": "a" * 40, "artifact": "model.pt", "size": 3, "sha256": SHA}
    return models.append(workspace, name, [Draft(events.REGISTER, "register a version", None, details)], create=True)


@pytest.mark.usefixtures("untouched")
def test_events_are_asked_about_before_they_leave(ours: Workspace, bare: Path) -> None:
    register(ours)
    with pytest.raises(Unconfirmed) as caught:
        send(ours, yes=False)
    assert caught.value.plan[1] == "  1 event of the model registry"
    assert support.git(bare, "for-each-ref", "refs/models") == ""


@pytest.mark.usefixtures("untouched")
def test_models_reach_the_others(ours: Workspace, theirs: Workspace, bare: Path) -> None:
    made = [register(ours), register(ours, "vision/resnet")]
    pushed = send(ours)
    assert push.describe(pushed, push.plan(ours, remotes.choose(ours), Choice(), Options()))[0] == (
        "origin: 2 models sent (churn, vision/resnet)"
    )
    came = bring(theirs)
    assert fetch.describe(came)[0] == "origin: 2 models with news (churn, vision/resnet)"
    assert models.every(theirs) == made
    assert bring(theirs).models.to_json()["updated"] == []


@pytest.mark.usefixtures("untouched")
def test_what_a_remote_holds_keeps_its_numbers(ours: Workspace, theirs: Workspace) -> None:
    register(ours)
    send(ours)
    register(theirs)
    version = next(iter(models.get(theirs, "churn").versions))
    assert models.loose(theirs, models.get(theirs, "churn")) == {version}
    pushed = send(theirs)
    assert pushed.models.moved == [("churn", 1, 2)]
    assert "model churn: version 1 is 2 now: somebody else pushed first" in push.describe(
        pushed, push.plan(theirs, remotes.choose(theirs), Choice(), Options())
    )
    assert models.loose(theirs, models.get(theirs, "churn")) == frozenset()
    assert not bring(ours).models.moved
    assert models.get(ours, "churn") == models.get(theirs, "churn")


@pytest.mark.usefixtures("untouched")
def test_a_push_after_the_remote_moved_on_sends_both_heads(ours: Workspace, theirs: Workspace, bare: Path) -> None:
    register(ours)
    send(ours)
    bring(theirs)
    register(theirs)
    send(theirs)
    register(ours)
    assert send(ours).models.sent == ["churn"]
    assert len(models.get(ours, "churn").versions) == 3
    tip = support.git(bare, "rev-parse", "refs/models/churn").strip()
    assert tip == refs.get(ours.repo, "refs/models/churn")


def test_pushing_again_sends_nothing(ours: Workspace) -> None:
    register(ours)
    send(ours)
    assert send(ours).models.to_json() == push.United().to_json()


def test_a_ref_that_holds_no_model_is_left_there_and_said(ours: Workspace, theirs: Workspace) -> None:
    support.git(ours.repo.common_dir, "push", "--quiet", "origin", "main:refs/models/evil")
    came = bring(theirs).models
    assert [ref for ref, _ in came.skipped] == ["refs/models/evil"]
    assert models.listing(theirs) == {}


def test_models_travel_in_the_branch_of_runs_too(ours: Workspace, theirs: Workspace, bare: Path) -> None:
    for workspace in (ours, theirs):
        support.git(workspace.repo.common_dir, "config", "gitexp.runsBranch", "gitexp/runs")
    sharing.make_run(sharing.opened(str(ours.repo.work_tree)))
    one, other = (sharing.opened(str(workspace.repo.work_tree)) for workspace in (ours, theirs))
    register(one)
    send(one)
    register(other)
    assert send(other).models.moved == [("churn", 1, 2)]
    bring(one)
    assert models.get(one, "churn") == models.get(other, "churn")
    assert support.git(bare, "for-each-ref", "--format=%(refname)").split() == [
        "refs/heads/gitexp/runs",
        "refs/heads/main",
    ]


def test_a_bundle_takes_models_along(ours: Workspace, theirs: Workspace, tmp_path: Path) -> None:
    made = register(ours)
    register(theirs)
    assert bundle.create(ours, tmp_path / "all.gitexp", ()).models == 1
    came = bundle.take_in(theirs, tmp_path / "all.gitexp")
    assert came.models.moved == [("churn", 1, 2)]
    assert next(iter(models.get(theirs, "churn").versions)) == next(iter(made.versions))


def test_status_says_which_remote_lacks_events(ours: Workspace) -> None:
    register(ours)
    assert [lack.models for lack in status.look(ours).lacks] == [1]
    send(ours)
    assert [lack.models for lack in status.look(ours).lacks] == [0]


def test_fsck_finds_a_model_that_was_replaced_or_taken_away(ours: Workspace, project: Path) -> None:
    head = register(ours).tip
    register(ours)
    assert fsck.check(ours).damaged == []
    support.git(project, "update-ref", "refs/models/churn", head)
    assert "does not follow" in fsck.check(ours).damaged[0].message
    support.git(project, "update-ref", "refs/models/churn", "main")
    assert "no event" in fsck.check(ours).damaged[0].message
    support.git(project, "update-ref", "-d", "refs/models/churn")
    assert [fault.hint for fault in fsck.check(ours).damaged] == ["gitexp recover"]


def test_a_purge_says_which_versions_its_run_made(ours: Workspace) -> None:
    run = sharing.make_run(ours)
    details = {"run": run.id, "commit": run.commit, "artifact": "model.pt", "size": 3, "sha256": SHA}
    models.append(ours, "churn", [Draft(events.REGISTER, "register", None, details)], create=True)
    assert "churn:1, a version of a model, is of it: its event stays, its artifact goes" in purge.describe(
        purge.plan(ours, [run.id])
    )
