"""Purging: nothing of the run is left, nothing else is lost, no clone brings it back, what is out of reach is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import NotFound, Refused
from gitexp.git import notes, refs
from gitexp.git.transport import Options
from gitexp.ops import annotate
from gitexp.ops.purging import purge
from gitexp.ops.sharing import fetch
from gitexp.store import annotations, reflog, remotes, runs
from gitexp.store import objects as large
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace
from tests import recording, sharing, support

SECRET = "hunter2"


def leak(workspace: Workspace, name: str = "leak") -> Run:
    """Record a dirty run with the secret in its code, output, a large artifact, a tag and a note."""
    files = {"output.log": f"key={SECRET}\n".encode(), "artifacts/model.bin": SECRET.encode() * 30_000}
    run = sharing.make_run(workspace, name, dirty=True, files=files)
    annotate.tag(workspace, [run], {"key": SECRET})
    annotate.note(workspace, [run], f"the key is {SECRET}")
    return run


def traces(path: Path | str) -> list[str]:
    return sharing.traces(path, SECRET.encode())


def run_purge(workspace: Workspace, *names: str, at: str = "", follow: bool = False) -> purge.Purged:
    where = [remotes.choose(workspace, at)] if at else []
    planned = purge.plan(workspace, names, at=where, follow=follow)
    return purge.execute(workspace, planned, "a key", Options())


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
def test_nothing_of_a_purged_run_is_left_and_the_others_are_whole(
    workspace: Workspace, project: Path, packed: bool
) -> None:
    kept = sharing.make_run(workspace, "kept", dirty=True, files={"artifacts/model.bin": b"other" * 50_000})
    annotate.tag(workspace, [kept], {"fine": ""})
    run = leak(workspace)
    if packed:
        support.git(project, "gc", "--quiet", "--prune=now")
        workspace = sharing.opened(project)
    (model,) = kept.artifacts
    with support.untouched(project):
        done = run_purge(workspace, "leak")
    assert large.path(workspace, str(model.sha256)) is not None
    assert (done.runs, done.refs, done.files) == ([run.id], 1, 1)
    assert traces(project) == []
    assert support.run_refs(project) == {kept.ref: kept.commit}
    assert sharing.tags(workspace, kept.id) == {"fine": ""}
    assert set(reflog.expected(workspace)) <= set(refs.listing(workspace.repo, runs.REF_PREFIX))
    state = annotations.states(workspace)[run.id]
    assert state.purge is not None and (state.purge.reason, state.purge.author.name) == ("a key", "Ana Ruiz")


def test_what_two_runs_share_stays_with_the_other(workspace: Workspace, project: Path) -> None:
    shared = {"artifacts/model.bin": b"shared" * 50_000}
    kept = sharing.make_run(workspace, "kept", files=shared)
    sharing.make_run(workspace, "gone", files=shared)
    assert run_purge(workspace, "gone").files == 0
    support.git(project, "fsck", "--strict")
    (artifact,) = kept.artifacts
    assert large.path(workspace, str(artifact.sha256)) is not None


def test_all_commits_of_a_resumed_run_go(workspace: Workspace, project: Path) -> None:
    run = leak(workspace)
    longer = sharing.go_on(workspace, run, loss=0.1)
    annotate.note(workspace, [longer], SECRET)
    run_purge(workspace, run.id)
    assert traces(project) == []
    support.git(project, "fsck", "--strict")


def test_a_branch_that_holds_the_run_is_named(workspace: Workspace, project: Path) -> None:
    run = leak(workspace)
    support.git(project, "branch", "mine", str(run.commit))
    done = run_purge(workspace, "leak")
    assert done.left[0] == "its commits here, which are held by refs/heads/mine"
    support.git(project, "fsck", "--strict")


def test_the_users_own_commit_stays_when_only_the_run_held_it(workspace: Workspace, project: Path) -> None:
    head = support.commit(project, "on a branch that goes", train__py="print(3)\n")
    run_of = sharing.make_run(workspace, "kept by a run alone")
    support.git(project, "reset", "--quiet", "--hard", "HEAD~1")
    support.git(project, "reflog", "expire", "--expire=now", "--all")
    run_purge(workspace, run_of.id)
    assert support.git(project, "show", f"{head}:train.py") == "print(3)"
    support.git(project, "fsck", "--strict")


def test_a_running_run_is_not_purged(workspace: Workspace, project: Path) -> None:
    session = recording.start(project, "live")
    with pytest.raises(Refused, match="is running: it cannot be purged"):
        run_purge(workspace, "live")
    session.writer.close()


def test_a_removed_run_can_be_purged_and_one_purged_before_is_no_error(workspace: Workspace) -> None:
    run = sharing.make_run(workspace)
    annotate.remove(workspace, [run])
    run_purge(workspace, "baseline")
    assert run_purge(workspace, run.id).refs == 0
    with pytest.raises(NotFound, match="no run 'baseline'"):
        run_purge(workspace, "baseline")


def test_purging_at_the_remote_leaves_nothing_there_that_can_be_fetched(
    workspace: Workspace, project: Path, bare: Path
) -> None:
    kept, run = sharing.make_run(workspace, "kept"), leak(workspace)
    sharing.tag(workspace, kept, "fine")
    sharing.send(workspace)
    with support.untouched(project):
        done = run_purge(workspace, "leak", at="origin")
    assert done.remotes == ["origin"]
    assert done.left == [
        "other clones keep what they fetched until there: gitexp fetch; gitexp purge --follow; bundles too"
    ]
    assert support.run_refs(bare) == {kept.ref: kept.commit}
    assert support.git(bare, "rev-list", "--count", notes.REF) == "1"
    assert traces(project) == []
    assert traces(bare) == []
    other = sharing.clone(bare, "other")
    assert annotations.purged(other) == {run.id}
    assert sharing.tags(other, kept.id) == {"fine": ""}


def test_a_purge_here_alone_names_the_remotes_that_hold_the_run(
    workspace: Workspace, project: Path, bare: Path
) -> None:
    run = leak(workspace)
    sharing.send(workspace)
    assert purge.describe(purge.plan(workspace, ["leak"])) == [
        f"churn/leak ({run.id[:7]}): 1 ref, its record and facts",
        "not at origin, which holds it: --remote origin",
    ]
    done = run_purge(workspace, "leak")
    assert done.left[0] == f"origin still holds it: gitexp purge {run.id} --remote origin"
    fetch.fetch(workspace, remotes.choose(workspace))
    assert support.run_refs(project) == {}
    done = run_purge(workspace, run.id, at="origin")
    assert support.run_refs(bare) == {}
    assert traces(project) == traces(bare) == []


def test_another_clone_hides_the_run_does_not_bring_it_back_and_follows_when_told(
    workspace: Workspace, project: Path, bare: Path
) -> None:
    run = leak(workspace)
    kept = sharing.make_run(workspace, "kept")
    sharing.send(workspace)
    other = sharing.clone(bare, "other")
    annotate.note(other, [run], f"{SECRET} in another clone")
    run_purge(workspace, "leak", at="origin")
    fetch.fetch(other, remotes.choose(other))
    sharing.send(other)
    assert support.run_refs(bare) == {kept.ref: kept.commit}
    assert annotations.states(other)[run.id].removed
    fetch.fetch(workspace, remotes.choose(workspace))
    assert support.run_refs(project) == {kept.ref: kept.commit}
    other_path = other.repo.work_tree
    assert other_path is not None and run.ref in support.run_refs(other_path)
    run_purge(other, follow=True)
    assert support.run_refs(other_path) == {kept.ref: kept.commit}
    assert traces(other_path) == []
    with pytest.raises(NotFound, match="no run that was purged elsewhere"):
        run_purge(other, follow=True)


def test_a_purge_that_could_not_reach_the_remote_is_completed_by_the_same_command(
    workspace: Workspace, project: Path, bare: Path
) -> None:
    leak(workspace)
    sharing.send(workspace)
    with sharing.away(bare), pytest.raises(Exception, match="origin"):
        run_purge(workspace, "leak", at="origin")
    run_purge(workspace, "leak", at="origin")
    assert support.run_refs(bare) == support.run_refs(project) == {}
    assert traces(project) == []
