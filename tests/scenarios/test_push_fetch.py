"""Sharing runs between clones, over every transport, with people and machines that get in the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitexp.git import notes
from gitexp.store import remotes, runs
from gitexp.store.workspace import Workspace
from tests import servers, sharing, support


@pytest.fixture
def untouched(ours: Workspace, project: Path, bare: Path) -> Iterator[None]:
    with support.untouched(project):
        yield
    support.git(bare, "fsck", "--strict")
    assert sharing.stray_refs(ours) == {}


def clone(bare: Path | str, path: Path) -> Workspace:
    support.git(path.parent, "clone", "--quiet", str(bare), path.name)
    return sharing.opened(path)


def top(workspace: Workspace) -> str:
    return str(workspace.repo.work_tree)


@pytest.mark.parametrize("kind", ["path", "file", "ssh", "http"])
def test_runs_and_facts_travel_over_every_transport(
    kind: str, ours: Workspace, project: Path, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [sharing.make_run(ours, f"lr {number}") for number in range(10)]
    sharing.tag(ours, made[0], "candidate")
    with servers.reached(kind, bare, tmp_path) as (address, env):
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        support.git(project, "remote", "set-url", "origin", address)
        with support.untouched(project):
            assert support.gitexp("push", "--yes").stdout == "origin: 10 runs sent, facts sent\n"
        theirs = clone(address, tmp_path / "theirs")
        with support.untouched(top(theirs)):
            said = support.gitexp("-C", top(theirs), "fetch").stdout
            assert said == "origin: 10 new runs (churn 10), 1 new fact\n"
    assert runs.listing(theirs) == runs.listing(ours)
    assert sharing.tags(theirs, made[0].id) == {"candidate": ""}


def test_a_password_comes_from_gits_own_credential_helper(
    ours: Workspace, project: Path, bare: Path, seal: Path
) -> None:
    sharing.make_run(ours)
    support.git(bare, "config", "http.receivepack", "true")
    with servers.http_server(bare.parent, password="s3cret") as address:
        support.git(project, "remote", "set-url", "origin", f"{address}/{bare.name}")
        refused = support.gitexp("push", "--yes", expect=10)
        assert "log in once with plain Git: git ls-remote origin" in refused.stderr
        helper = '!f() { test "$1" = get && echo username=ana && echo password=s3cret; }; f'
        support.git(project, "config", "credential.helper", helper)
        assert support.gitexp("push", "--yes").stdout == "origin: 1 run sent\n"
        assert "s3cret" not in "".join(path.read_text() for path in (ours.home / "remotes").iterdir() if path.is_file())


@pytest.mark.usefixtures("untouched")
def test_plain_git_pushes_and_fetches_runs_as_well(ours: Workspace, project: Path, bare: Path, tmp_path: Path) -> None:
    run = sharing.make_run(ours)
    support.git(project, "push", "--quiet", "origin", "refs/experiments/*")
    theirs = clone(bare, tmp_path / "theirs")
    support.git(top(theirs), "fetch", "--quiet", "--no-prune", "origin", "refs/experiments/*:refs/experiments/*")
    assert runs.listing(theirs) == {run.ref: run.commit}
    assert support.gitexp("push", "--yes").stdout == "origin: everything is there already\n"
    assert support.gitexp("-C", top(theirs), "fetch").stdout == "origin: nothing new\n"


@pytest.mark.usefixtures("untouched")
def test_a_push_that_was_killed_leaves_nothing_wrong_and_the_next_completes_it(
    ours: Workspace, project: Path, bare: Path, tmp_path: Path
) -> None:
    for number in range(10):
        run = sharing.make_run(ours, f"run {number}")
    sharing.tag(ours, run, "candidate")
    hook = support.write(bare / "hooks/pre-receive", f"#!/bin/sh\ntouch {tmp_path}/there\nexec sleep 5\n")
    hook.chmod(0o755)
    process = sharing.start_gitexp(project, "push", "--yes")
    sharing.wait_for((tmp_path / "there").exists)
    sharing.kill(process)
    hook.unlink()
    assert support.gitexp("push").stdout == "origin: 10 runs sent, facts sent\n"
    assert support.run_refs(bare) == runs.listing(ours)


@pytest.mark.usefixtures("untouched")
def test_a_fetch_that_was_killed_leaves_nothing_wrong_and_the_next_completes_it(
    ours: Workspace, bare: Path, tmp_path: Path
) -> None:
    sharing.make_run(ours)
    support.gitexp("push", "--yes")
    theirs = clone(bare.as_uri(), tmp_path / "theirs")
    slow = support.write(tmp_path / "slow.sh", f'#!/bin/sh\ntouch {tmp_path}/there\nsleep 1\nexec "$@"\n')
    slow.chmod(0o755)
    support.git(tmp_path, "config", "--global", "uploadpack.packObjectsHook", str(slow))
    process = sharing.start_gitexp(Path(top(theirs)), "fetch")
    sharing.wait_for((tmp_path / "there").exists)
    sharing.kill(process)
    support.git(tmp_path, "config", "--global", "--unset", "uploadpack.packObjectsHook")
    with support.untouched(top(theirs)):
        assert support.gitexp("-C", top(theirs), "fetch").stdout == "origin: 1 new run (churn 1)\n"
    assert sharing.stray_refs(theirs) == {}


@pytest.mark.usefixtures("untouched")
def test_two_clones_that_push_at_once_both_arrive(ours: Workspace, project: Path, bare: Path, tmp_path: Path) -> None:
    shared = sharing.make_run(ours, "shared")
    support.gitexp("push", "--yes")
    clones = [clone(bare, tmp_path / f"clone{number}") for number in range(3)]
    for number, each in enumerate(clones):
        support.gitexp("-C", top(each), "fetch")
        sharing.make_run(each, f"run {number}")
        sharing.tag(each, runs.load(each, shared.commit or "", shared.ref), f"by {number}")
    processes = [sharing.start_gitexp(Path(top(each)), "push", "--yes") for each in clones]
    ended = [(process.communicate(), process.returncode) for process in processes]
    assert [code for _, code in ended] == [0, 0, 0], ended
    support.gitexp("fetch")
    assert len(runs.listing(ours)) == 4
    assert sharing.tags(ours, shared.id) == {"by 0": "", "by 1": "", "by 2": ""}


@pytest.mark.usefixtures("untouched")
def test_facts_that_share_no_history_come_together(ours: Workspace, project: Path, bare: Path, tmp_path: Path) -> None:
    run = sharing.make_run(ours)
    support.git(project, "push", "--quiet", "origin", "refs/experiments/*")
    theirs = clone(bare, tmp_path / "theirs")
    support.gitexp("-C", top(theirs), "fetch")
    sharing.tag(theirs, runs.load(theirs, run.commit or "", run.ref), "there")
    support.git(top(theirs), "push", "--quiet", "origin", notes.REF)
    sharing.tag(ours, run, "here")
    assert support.gitexp("push", "--yes").stdout == "origin: facts sent\n"
    assert sharing.tags(ours, run.id) == {"here": "", "there": ""}
    support.gitexp("-C", top(theirs), "fetch")
    assert sharing.tags(theirs, run.id) == {"here": "", "there": ""}


@pytest.mark.usefixtures("untouched")
def test_runs_that_a_plain_git_fetch_pruned_are_put_back_by_the_next_command(ours: Workspace, project: Path) -> None:
    run = sharing.make_run(ours)
    refspec = "refs/experiments/*:refs/experiments/*"
    support.git(project, "-c", "fetch.prune=true", "fetch", "--quiet", "origin", refspec)
    assert support.run_refs(project) == {}
    said = support.gitexp("fetch").stderr
    assert "put back 1 lost ref" in said
    assert support.run_refs(project) == {run.ref: run.commit}


def test_a_refspec_that_would_prune_runs_is_warned_of(ours: Workspace, project: Path) -> None:
    support.git(project, "config", "--add", "remote.origin.fetch", "refs/experiments/*:refs/experiments/*")
    said = support.gitexp("fetch").stderr
    assert "remote.origin.fetch = refs/experiments/*:refs/experiments/*" in said


@pytest.mark.usefixtures("untouched")
def test_runs_that_a_mirror_push_from_elsewhere_deleted_are_sent_again(
    ours: Workspace, bare: Path, tmp_path: Path
) -> None:
    run = sharing.make_run(ours)
    support.gitexp("push", "--yes")
    support.git(tmp_path, "clone", "--quiet", "--bare", str(bare), "other.git")
    support.git(tmp_path / "other.git", "push", "--quiet", "--mirror", str(bare))
    assert support.run_refs(bare) == {}
    support.gitexp("push")
    assert support.run_refs(bare) == {run.ref: run.commit}


@pytest.mark.usefixtures("untouched")
def test_a_mirror_push_into_the_clone_itself_loses_nothing(ours: Workspace, project: Path, tmp_path: Path) -> None:
    run = sharing.make_run(ours)
    support.git(tmp_path, "clone", "--quiet", "--mirror", "--no-local", str(project), "other.git")
    support.git(tmp_path / "other.git", "update-ref", "-d", run.ref or "")
    support.git(project, "config", "receive.denyCurrentBranch", "ignore")
    support.git(tmp_path / "other.git", "push", "--quiet", "--mirror", str(project))
    assert support.run_refs(project) == {}
    support.gitexp("push", "--yes")
    assert support.run_refs(project) == {run.ref: run.commit}


def test_a_shallow_clone_pushes_where_the_history_is_and_is_told_what_to_do_elsewhere(
    project: Path, bare: Path, tmp_path: Path
) -> None:
    support.commit(project, "second")
    support.git(project, "push", "--quiet", "origin", "main")
    support.git(tmp_path, "clone", "--quiet", "--depth=1", bare.as_uri(), "shallow")
    shallow = sharing.opened(tmp_path / "shallow")
    run = sharing.make_run(shallow)
    support.git(tmp_path, "init", "--quiet", "--bare", "empty.git")
    with support.untouched(top(shallow)):
        support.gitexp("-C", top(shallow), "push", "--yes")
        refused = support.gitexp("-C", top(shallow), "push", "--yes", str(tmp_path / "empty.git"), expect=10)
    assert support.run_refs(bare) == {run.ref: run.commit}
    assert "git fetch --unshallow" in refused.stderr


@pytest.mark.usefixtures("untouched")
def test_a_separate_repository_holds_the_runs(ours: Workspace, project: Path, bare: Path, tmp_path: Path) -> None:
    support.git(tmp_path, "init", "--quiet", "--bare", "runs.git")
    support.git(project, "remote", "add", "runs", str(tmp_path / "runs.git"))
    support.git(project, "config", "gitexp.remote", "runs")
    run = sharing.make_run(ours)
    plan = support.gitexp("push", expect=11).stderr
    assert "also 1 commit of main that runs does not have" in plan
    assert support.gitexp("push", "--yes").stdout == "runs: 1 run sent\n"
    assert support.run_refs(tmp_path / "runs.git") == {run.ref: run.commit}
    assert support.run_refs(bare) == {}


BRANCHES_ONLY = '#!/bin/sh\ncase $1 in refs/heads/*) ;; *) echo "branches only" >&2; exit 1;; esac\n'


def test_a_host_that_takes_branches_only_gets_one_branch_for_all_runs(
    ours: Workspace, project: Path, bare: Path, tmp_path: Path
) -> None:
    support.write(bare / "hooks/update", BRANCHES_ONLY).chmod(0o755)
    before = support.state(project)
    run = sharing.make_run(ours)
    sharing.tag(ours, run, "candidate")
    refused = support.gitexp("push", "--yes", expect=10).stderr
    assert "git config gitexp.runsBranch gitexp/runs" in refused
    support.git(tmp_path, "config", "--global", "gitexp.runsBranch", "gitexp/runs")
    assert support.gitexp("push", "--yes").stdout == "origin: 1 run sent, facts sent\n"
    theirs = clone(bare, tmp_path / "theirs")
    assert support.gitexp("-C", top(theirs), "fetch").stdout == "origin: 1 new run (churn 1), 1 new fact\n"
    second = sharing.make_run(theirs, "second")
    third = sharing.make_run(ours, "third")
    support.gitexp("-C", top(theirs), "push", "--yes")
    support.gitexp("push", "--yes")
    support.gitexp("-C", top(theirs), "fetch")
    support.gitexp("fetch")
    assert runs.listing(ours) == runs.listing(theirs)
    assert set(runs.listing(ours)) == {run.ref, second.ref, third.ref}
    refs_there = support.git(bare, "for-each-ref", "--format=%(refname)").split()
    assert refs_there == ["refs/heads/gitexp/runs", "refs/heads/main"]
    assert support.gitexp("push").stdout == "origin: everything is there already\n"
    after = support.state(project)  # Git itself notes where the remote's branch is, as after any push of a branch
    assert {**after, "refs": ""} == {**before, "refs": ""}
    support.git(project, "fsck", "--strict")
    support.git(bare, "fsck", "--strict")


@pytest.mark.usefixtures("untouched")
def test_runs_are_pushed_after_their_end_by_a_process_of_its_own(ours: Workspace, project: Path, bare: Path) -> None:
    from gitexp.ops.sharing import publish

    support.git(project, "config", "gitexp.autoPush", "true")
    here = sharing.opened(project)
    first = sharing.make_run(here)
    log = here.home / "push.log"
    publish.spawn_auto(here)
    sharing.wait_for(lambda: log.exists() and "nothing sent to origin" in log.read_text())
    assert support.run_refs(bare) == {}
    support.gitexp("push", "--yes")
    second = sharing.make_run(here, "second")
    for _ in range(3):
        publish.spawn_auto(here)
    sharing.wait_for(lambda: "1 run sent" in log.read_text())
    sharing.wait_for(lambda: not (here.home / "push.again").exists())
    assert set(support.run_refs(bare)) == {first.ref, second.ref}


@pytest.mark.usefixtures("untouched")
def test_large_files_go_and_come_through_git_lfs(ours: Workspace, bare: Path, tmp_path: Path) -> None:
    support.needs("git-lfs")
    from gitexp.store import objects

    model = objects.put_bytes(ours, b"weights" * 100_000)
    curve = objects.put_bytes(ours, b"metric,step,time,value\n" + b"loss,1,1795184520.001,0.5\n" * 50_000)
    run = sharing.make_run(ours, files={"artifacts/model.bin": model, "metrics.csv": curve})
    plan = support.gitexp("push", expect=11).stderr
    assert "  2.0 MB of artifacts (2 files) to Git LFS\n" in plan
    assert "hosts may charge for Git LFS" in plan
    support.gitexp("push", "--yes")
    theirs = clone(bare, tmp_path / "theirs")
    assert support.gitexp("-C", top(theirs), "fetch").stdout == "origin: 1 new run (churn 1), 1 large file\n"
    assert objects.path(theirs, curve.sha256) is not None
    assert objects.path(theirs, model.sha256) is None
    support.gitexp("-C", top(theirs), "fetch", "--artifacts")
    kept = objects.path(theirs, model.sha256)
    assert kept is not None and kept.read_bytes() == b"weights" * 100_000
    assert remotes.holdings(theirs)["origin"] == {run.ref: run.commit}


def test_a_server_that_checks_takes_a_run_that_went_on_in_two_clones(
    ours: Workspace, project: Path, bare: Path, tmp_path: Path
) -> None:
    support.gitexp("-C", str(bare), "hooks", "install", "pre-receive")
    run = sharing.make_run(ours)
    support.gitexp("push", "--yes")
    theirs = clone(bare, tmp_path / "theirs")
    support.gitexp("-C", top(theirs), "fetch")
    sharing.go_on(ours, run, loss=0.1)
    sharing.go_on(theirs, runs.load(theirs, run.commit or "", run.ref), loss=0.9)
    sharing.tag(ours, run, "here")
    sharing.tag(theirs, run, "there")
    support.gitexp("push")
    said = support.gitexp("-C", top(theirs), "push", "--all", "--yes").stdout
    assert said.startswith("origin: 2 runs sent, facts sent\nchurn/baseline-")
    assert "went on in two clones: yours keeps its name" in said
    support.gitexp("fetch")
    assert runs.listing(ours) == runs.listing(theirs) == support.run_refs(bare)
    assert sharing.tags(ours, run.id) == {"here": "", "there": ""}


def test_a_partial_clone_fetches_runs_whole_and_pushes_its_own(ours: Workspace, bare: Path, tmp_path: Path) -> None:
    run = sharing.make_run(ours, dirty=True)
    sharing.tag(ours, run, "candidate")
    support.gitexp("push", "--yes")
    support.git(bare, "config", "uploadpack.allowFilter", "true")
    support.git(tmp_path, "clone", "--quiet", "--filter=blob:none", "--no-checkout", bare.as_uri(), "partial")
    partial = sharing.opened(tmp_path / "partial")
    assert partial.repo.is_partial
    support.gitexp("-C", top(partial), "fetch")
    support.git(bare, "config", "uploadpack.allowFilter", "false")
    support.git(top(partial), "remote", "set-url", "origin", str(bare))
    fetched = runs.load(partial, run.commit or "", run.ref)
    assert fetched.summary["loss"].count == 3
    assert sharing.tags(partial, run.id) == {"candidate": ""}
    second = sharing.make_run(partial, "second")
    support.gitexp("-C", top(partial), "push", "--yes")
    assert set(support.run_refs(bare)) == {run.ref, second.ref}


def test_a_bare_repository_and_a_linked_work_tree_push_too(
    ours: Workspace, project: Path, bare: Path, tmp_path: Path
) -> None:
    support.git(project, "worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "linked")
    first = sharing.make_run(sharing.opened(tmp_path / "linked"))
    support.gitexp("-C", str(tmp_path / "linked"), "push", "--yes")
    support.git(tmp_path, "clone", "--quiet", "--bare", str(bare), "own.git")
    second = sharing.make_run(sharing.opened(tmp_path / "own.git"), "second")
    support.gitexp("-C", str(tmp_path / "own.git"), "push", "--yes")
    assert set(support.run_refs(bare)) == {first.ref, second.ref}
    support.git(project, "worktree", "remove", str(tmp_path / "linked"))


def test_a_remote_without_git_lfs_gets_the_runs_and_their_bytes_once_there_is_a_place_for_them(
    ours: Workspace, project: Path, bare: Path, tmp_path: Path
) -> None:
    support.needs("git-lfs")
    from gitexp.store import objects

    model = objects.put_bytes(ours, b"weights" * 100_000)
    run = sharing.make_run(ours, files={"artifacts/model.bin": model})
    with servers.reached("http", bare, project) as (address, _):
        support.git(project, "remote", "set-url", "origin", address)
        first, second, third = support.gitexp("push", "--yes").stdout.splitlines()
        assert first == "origin: 1 run sent"
        assert second.startswith("1 large file (700.0 kB) stays here: ") and "no Git LFS store there" in second
        assert third == f"  model.bin of churn/baseline ({run.id[:7]})"
        assert support.run_refs(bare) == {run.ref: run.commit}
        support.git(tmp_path, "init", "--quiet", "--bare", "lfs.git")
        support.git(project, "config", "lfs.url", (tmp_path / "lfs.git").as_uri())
        assert "(1 file) to Git LFS at file://" in support.gitexp("push", expect=11).stderr  # another place
        assert support.gitexp("push", "--yes").stdout == "origin: 1 large file (700.0 kB) sent\n"
    assert [path.name for path in (tmp_path / "lfs.git/lfs/objects").rglob("*") if path.is_file()] == [model.sha256]
    assert remotes.agreement(ours, remotes.choose(sharing.opened(project))).owed == frozenset()
