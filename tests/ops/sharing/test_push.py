"""Pushing: what goes, what stays, what is asked, and what is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitexp.errors import RemoteError, Unconfirmed
from gitexp.git import refs
from gitexp.git.transport import Options
from gitexp.ops.sharing import push
from gitexp.ops.sharing.push import Choice, Pushed
from gitexp.ops.storage import largefiles
from gitexp.store import objects, remotes
from gitexp.store.workspace import Workspace
from tests import sharing, support


@pytest.fixture
def workspace(project: Path, bare: Path) -> Workspace:
    return sharing.opened(project)


@pytest.fixture
def untouched(workspace: Workspace, project: Path) -> Iterator[None]:
    with support.untouched(project):
        yield


def send(workspace: Workspace, *names: str, yes: bool = True, **choice: bool) -> Pushed:
    remote = remotes.choose(workspace)
    planned = push.plan(workspace, remote, Choice(names, **choice), Options())
    return push.push(workspace, planned, yes=yes)


@pytest.mark.usefixtures("untouched")
def test_the_first_push_sends_nothing_before_somebody_says_yes(workspace: Workspace, bare: Path) -> None:
    sharing.make_run(workspace, dirty=True, untracked=("feature.py",))
    with pytest.raises(Unconfirmed) as caught:
        send(workspace, yes=False)
    assert caught.value.plan == (
        f"origin = {str(bare).removesuffix('.git')}: first push of experiments from this clone",
        "  1 run: 1 with uncommitted edits, 1 with untracked files (feature.py)",
    )
    assert support.run_refs(bare) == {}


@pytest.mark.usefixtures("untouched")
def test_a_yes_holds_for_the_kinds_that_were_shown_and_no_other(workspace: Workspace, bare: Path) -> None:
    first = sharing.make_run(workspace)
    send(workspace, yes=True)
    second = sharing.make_run(workspace, "again")
    send(workspace, yes=False)
    assert support.run_refs(bare) == {run.ref: run.commit for run in sorted((first, second), key=lambda run: run.ref)}
    sharing.make_run(workspace, "edited", dirty=True)
    with pytest.raises(Unconfirmed) as caught:
        send(workspace, yes=False)
    assert "new there: runs with uncommitted edits" in caught.value.plan[0]


def test_commits_that_the_remote_does_not_have_are_named(workspace: Workspace, project: Path) -> None:
    support.git(project, "switch", "--quiet", "-c", "private-wip")
    for number in range(3):
        support.commit(project, f"wip {number}")
    sharing.make_run(workspace)
    with pytest.raises(Unconfirmed) as caught:
        send(workspace, yes=False)
    assert caught.value.plan[2] == "  also 3 commits of private-wip that origin does not have"


@pytest.mark.usefixtures("untouched")
def test_approval_by_configuration_needs_no_yes(workspace: Workspace, project: Path, bare: Path) -> None:
    support.git(project, "config", "gitexp.push.origin", "approved")
    sharing.make_run(workspace, dirty=True)
    send(sharing.opened(project), yes=False)
    assert len(support.run_refs(bare)) == 1


def test_an_approval_does_not_follow_the_remote_to_another_address(
    workspace: Workspace, project: Path, tmp_path: Path
) -> None:
    sharing.make_run(workspace)
    send(workspace)
    support.git(tmp_path, "init", "--quiet", "--bare", "elsewhere.git")
    support.git(project, "remote", "set-url", "origin", str(tmp_path / "elsewhere.git"))
    with pytest.raises(Unconfirmed):
        send(workspace, yes=False)


def test_clean_leaves_dirty_runs_here(workspace: Workspace, bare: Path) -> None:
    clean = sharing.make_run(workspace)
    sharing.make_run(workspace, "edited", dirty=True)
    send(workspace, clean=True)
    assert list(support.run_refs(bare)) == [clean.ref]


@pytest.mark.parametrize("others", [0, 30], ids=["few objects", "more objects than the runs could name"])
def test_the_bytes_that_runs_name_are_found_however_many_objects_there_are(workspace: Workspace, others: int) -> None:
    kept = [objects.put_bytes(workspace, bytes([number]) * 200_000) for number in range(3)]
    other = [objects.put_bytes(workspace, b"other %d" % number) for number in range(others)]
    files = {"artifacts/a.bin": kept[0], "artifacts/deep/b.bin": kept[1], "artifacts/small": b"small"}
    first = sharing.make_run(workspace, "first", files=files)
    second = sharing.make_run(workspace, "second", files={"metrics.csv": kept[1], "artifacts/a.bin": kept[2]})
    objects.place(workspace, kept[2].sha256).unlink()
    found = largefiles.here(workspace, [str(first.commit), str(second.commit)])
    assert set(found) == set(kept[:2]) and len(found) == 2
    listed = objects.listing(workspace, 100)
    assert listed is not None and set(listed) == {*kept[:2], *other}
    assert objects.listing(workspace, 1) is None


def test_without_objects_no_run_is_looked_at(workspace: Workspace) -> None:
    assert largefiles.here(workspace, ["0" * 40]) == []


def test_push_dirty_refuse_leaves_dirty_runs_here_always(workspace: Workspace, project: Path, bare: Path) -> None:
    support.git(project, "config", "gitexp.pushDirty", "refuse")
    sharing.make_run(workspace, "edited", dirty=True)
    send(sharing.opened(project), everything=True)
    assert support.run_refs(bare) == {}


def test_runs_of_others_stay_here_but_with_all(workspace: Workspace, bare: Path) -> None:
    theirs = sharing.make_run(workspace, "theirs", email="bo@acme.io")
    (workspace.home / "refs.log").unlink()
    sharing.make_run(workspace, "mine")
    send(workspace)
    assert [ref.split("/")[-1].split("-")[0] for ref in support.run_refs(bare)] == ["mine"]
    send(workspace, everything=True)
    assert theirs.ref in support.run_refs(bare)


def test_more_runs_than_are_named_one_by_one_go_at_once_and_only_they(workspace: Workspace, bare: Path) -> None:
    made = [sharing.make_run(workspace, f"run {number}") for number in range(20)]
    sharing.make_run(workspace, "edited", dirty=True)
    done = send(workspace, clean=True)
    assert sorted(done.sent) == sorted(run.ref or "" for run in made)
    assert support.run_refs(bare) == {run.ref: run.commit for run in sorted(made, key=lambda run: run.ref or "")}
    assert sharing.stray_refs(workspace) == {}


def test_of_many_runs_those_stay_that_would_stay_of_few(workspace: Workspace, project: Path, bare: Path) -> None:
    support.git(project, "config", "gitexp.push.origin", "approved")
    workspace = sharing.opened(project)
    made = [sharing.make_run(workspace, f"run {number}", email="me@lab.org") for number in range(60)]
    send(workspace, made[1].id)
    support.gitexp("push", "--delete", "--yes", made[1].id)
    support.gitexp("rm", made[2].id)
    support.gitexp("tag", made[3].id, "best")
    refs.update(
        workspace.repo, "refs/experiments/churn/no-run-kkkkkkk", support.git(project, "rev-parse", "HEAD"), old=None
    )
    sent = sharing.make_run(workspace, "others", email="bo@acme.io")
    log = workspace.home / "refs.log"
    log.write_text(log.read_text().replace(f" run {'0' * 40} {sent.commit}", f" fetch {'0' * 40} {sent.commit}"))
    pushed = send(workspace)
    expected = {run.ref for run in made} - {made[1].ref, made[2].ref}
    assert set(pushed.sent) == expected == set(support.run_refs(bare))
    planned = push.plan(workspace, remotes.choose(workspace), Choice(), Options(), measure=True)
    assert planned.left_out == {push.DELETED: 1, push.REMOVED: 1, push.OTHERS: 1, push.FOREIGN: 1}


def test_all_that_is_lacking_goes_by_one_pattern_once_everything_is_agreed_to(
    workspace: Workspace, project: Path, bare: Path
) -> None:
    support.git(project, "config", "gitexp.push.origin", "approved")
    made = [sharing.make_run(workspace, f"run {number}") for number in range(12)]
    done = send(sharing.opened(project), yes=False)
    assert len(done.sent) == len(support.run_refs(bare)) == len(made)


def test_what_was_sent_is_remembered_and_not_sent_again(workspace: Workspace) -> None:
    run = sharing.make_run(workspace)
    assert send(workspace).sent == [run.ref]
    assert remotes.holdings(workspace)["origin"][run.ref or ""] == run.commit
    assert send(workspace).sent == []


def test_a_remote_that_lost_its_runs_gets_them_again(workspace: Workspace, bare: Path) -> None:
    run = sharing.make_run(workspace)
    send(workspace)
    support.git(bare, "update-ref", "-d", run.ref or "")
    assert send(workspace).sent == [run.ref]


def test_a_run_deleted_at_the_remote_on_purpose_goes_again_only_by_name(workspace: Workspace, bare: Path) -> None:
    run = sharing.make_run(workspace)
    send(workspace)
    remote = remotes.choose(workspace)
    push.delete(workspace, remote, push.doomed(workspace, remote, ["baseline"], Options()), Options())
    assert support.run_refs(bare) == {}
    assert run.ref in support.run_refs(workspace.repo.work_tree or "")
    assert send(workspace).sent == []
    assert send(workspace, "baseline").sent == [run.ref]


def test_a_host_that_refuses_custom_refs_is_told_of_with_what_helps(workspace: Workspace, bare: Path) -> None:
    hook = support.write(
        bare / "hooks/update", '#!/bin/sh\ncase $1 in refs/heads/*) ;; *) echo "branches only" >&2; exit 1;; esac\n'
    )
    hook.chmod(0o755)
    sharing.make_run(workspace)
    with pytest.raises(RemoteError) as caught:
        send(workspace)
    assert "branches only" in caught.value.message
    assert "gitexp.runsBranch gitexp/runs" in caught.value.hint and "gitexp bundle" in caught.value.hint
