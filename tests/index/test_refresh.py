"""The index follows what happens to runs, and says after each change what an index built from nothing says."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gitexp.index import database, meta, search
from gitexp.ops import annotate, experiments
from gitexp.ops.purging import purge
from gitexp.ops.recording import lifecycle, recover
from gitexp.ops.recording.lifecycle import Request
from gitexp.store import experiments as stored
from gitexp.store import remotes, runs
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace
from tests import recording, support
from tests.index import agreement


def names(workspace: Workspace) -> set[str]:
    return {entry.name for entry in agreement.check(workspace)}


def test_an_empty_repository_has_no_runs(workspace: Workspace) -> None:
    assert agreement.check(workspace) == []


def test_a_run_is_known_as_soon_as_it_is_recorded(workspace: Workspace, project: Path) -> None:
    for name in ("one", "two", "three"):
        recording.record(project, name, params={"lr": 0.1}, metrics={"loss": [1.0, 0.5]})
        assert name in names(workspace)


def test_many_kinds_of_values_come_back_as_they_were(workspace: Workspace, project: Path) -> None:
    odd = {"a.b": {"c": [1, {"d": None}]}, "Lr": 1, "lr": "0.5", "t": True, "n": None, "big": 2**70, "e": {}, "": "x"}
    recording.record(
        project, "odd", params={**odd, "nan": float("nan"), "inf": float("-inf"), "half": "\ud800", "f": 2.0}
    )
    recording.record(project, "metrics", metrics={"Loss": [1.0], "loss": [float("nan")] * 2, "i": [1, 2], "b": [2**80]})
    recording.record(project, "nothing")
    entry = next(entry for entry in agreement.check(workspace) if entry.name == "odd")
    assert type(entry.flat_params["f"]) is float
    assert entry.flat_params["t"] is True


def test_a_data_set_an_environment_and_artifacts_are_known(workspace: Workspace, project: Path) -> None:
    data = [
        {"name": "train", "role": "training", "sha256": "ab", "rows": 5, "bytes": 100, "files": 1, "uri": "s3://b/t"}
    ]
    recording.record(project, "one", data=data, artifacts={"model.pt": b"x" * 10}, seeds={"numpy": 3})
    agreement.check(workspace)
    index = database.of(workspace)
    assert index.rows("SELECT name, role, uri, sha256, rows, size_bytes, files FROM dataset") == [
        ("train", "training", "s3://b/t", "ab", 5, 100, 1)
    ]
    assert index.rows("SELECT name, size_bytes FROM artifact") == [("model.pt", 10)]
    assert index.rows(
        "SELECT python, platform, gpus, gpu_count FROM environment JOIN run ON environment.key = environment"
    ) == [("3.11.9", "Linux x86_64", "H100 80GB", 1)]
    assert index.catalogue.names("package") == ["numpy", "pandas", "scipy"]
    assert index.catalogue.names("seed") == ["numpy"]


def test_one_environment_of_many_runs_is_kept_once(workspace: Workspace, project: Path) -> None:
    for number in range(3):
        recording.record(project, f"run{number}")
    agreement.check(workspace)
    assert database.of(workspace).rows("SELECT COUNT(*) FROM environment") == [(1,)]


def test_what_is_said_of_runs_is_followed(workspace: Workspace, project: Path) -> None:
    run, other = (recording.record(project, name) for name in ("one", "two"))
    agreement.check(workspace)
    changes: tuple[Callable[[], object], ...] = (
        lambda: annotate.tag(workspace, [run], {"best": "yes", "stage": "final"}),
        lambda: annotate.note(workspace, [run], "look at the tail"),
        lambda: annotate.title(workspace, [run], "The good one"),
        lambda: annotate.tag(workspace, [other], {"best": ""}),
        lambda: annotate.post(workspace, [run], {"uplift": 2.5}),
        lambda: annotate.post(workspace, [run, other], {"uplift": float("nan"), "cost": 3}),
        lambda: annotate.verdict(workspace, [run], "ship", "no"),
        lambda: annotate.archive(workspace, [other]),
        lambda: annotate.favourite(workspace, [run]),
        lambda: annotate.remove(workspace, [run], "why not"),
        lambda: annotate.undelete(workspace, [run]),
        lambda: annotate.archive(workspace, [other], on=False),
        lambda: annotate.describe(workspace, [run], "in other words"),
        lambda: annotate.untag(workspace, [other], ["best"]),
    )
    for change in changes:
        change()
        agreement.check(workspace)
    index = database.of(workspace)
    assert index.rows("SELECT author, text FROM note") == [("Ana Ruiz", "look at the tail")]
    entry = search.get(index, run.id)
    assert entry is not None
    assert (entry.tags, entry.title) == ({"best": "yes", "stage": "final"}, "The good one")


def test_refs_that_are_packed_moved_and_deleted_are_followed(workspace: Workspace, project: Path) -> None:
    first, second = (recording.record(project, name, params={"lr": 1}) for name in ("one", "two"))
    agreement.check(workspace)
    support.git(project, "pack-refs", "--all")
    assert names(workspace) == {"one", "two"}
    recording.record(project, "three")
    assert names(workspace) == {"one", "two", "three"}
    support.git(project, "update-ref", "-d", str(first.ref))
    assert names(workspace) == {"two", "three"}
    support.git(project, "update-ref", str(first.ref), str(first.commit))
    support.git(project, "update-ref", "-d", str(second.ref))
    assert names(workspace) == {"one", "three"}
    support.git(project, "pack-refs", "--all", "--prune")
    assert names(workspace) == {"one", "three"}


def test_a_ref_that_gitexp_set_and_that_is_gone_is_known_as_lost(workspace: Workspace, project: Path) -> None:
    run = recording.record(project, "one")
    recording.record(project, "two")
    assert database.of(workspace).lost == []
    support.git(project, "update-ref", "-d", str(run.ref))
    assert database.of(workspace).lost == [(run.ref, run.commit)]
    assert agreement.anew(workspace).lost == [(run.ref, run.commit)]
    recover.sweep(workspace)
    assert database.of(workspace).lost == []
    assert names(workspace) == {"one", "two"}


def test_a_ref_that_holds_no_run_is_counted(workspace: Workspace, project: Path) -> None:
    recording.record(project, "one")
    support.git(project, "update-ref", "refs/experiments/churn/stray-kkkkkkk", "HEAD")
    support.git(project, "update-ref", "refs/experiments/churn/no-leaf", "HEAD")
    index = database.of(workspace)
    assert (search.strange(index), search.strange(index, "churn"), search.strange(index, "chur")) == (1, 1, 0)
    support.git(project, "update-ref", "-d", "refs/experiments/churn/stray-kkkkkkk")
    assert search.strange(database.of(workspace)) == 0


def test_a_renamed_experiment_is_called_so_at_once(workspace: Workspace, project: Path) -> None:
    recording.record(project, "one", experiment="old")
    agreement.check(workspace)
    experiments.rename(workspace, stored.resolve(workspace, "old"), "new/name")
    assert [(entry.experiment, entry.path) for entry in agreement.check(workspace)] == [("new/name", "old")]
    recording.record(project, "two", experiment="new/name")
    assert {entry.experiment for entry in agreement.check(workspace)} == {"new/name"}


def test_a_purged_run_leaves_no_trace_on_the_disk(workspace: Workspace, project: Path) -> None:
    recording.record(project, "keep", params={"lr": 1})
    leak = recording.record(project, "leak", params={"key": "hunter2-leaked"})
    agreement.check(workspace)
    recording.record(project, "again", params={"key": "hunter2-leaked"})
    annotate.note(workspace, [leak], "a note to go")
    agreement.check(workspace)
    purge.execute(workspace, purge.plan(workspace, ["leak", "again"]), "a key")
    kept = [path for path in workspace.home.rglob("*") if path.is_file() and b"hunter2-leaked" in path.read_bytes()]
    assert kept == []
    assert names(workspace) == {"keep"}


def test_what_remotes_hold_is_followed(workspace: Workspace, project: Path, bare: Path) -> None:
    run = recording.record(project, "one")
    assert [entry.pushed for entry in agreement.check(workspace)] == [False]
    remote = remotes.choose(workspace)
    remotes.remember(workspace, remote, {str(run.ref): run.commit})
    assert [entry.pushed for entry in agreement.check(workspace)] == [True]
    recording.record(project, "two")
    assert {entry.name: entry.pushed for entry in agreement.check(workspace)} == {"one": True, "two": False}
    assert search.tally(database.of(workspace), None, context=agreement.CONTEXT).unpushed == 1
    remotes.remember(workspace, remote, {str(run.ref): None})
    assert not any(entry.pushed for entry in agreement.check(workspace))


def test_a_resumed_run_is_one_row_and_comes_back_when_its_journal_goes(workspace: Workspace, project: Path) -> None:
    run = recording.record(project, "one", experiment="churn", metrics={"loss": [1.0]})
    agreement.check(workspace)
    session = lifecycle.start(workspace, Request(experiment="churn", name="one", resume=run.id))
    found = agreement.entries(workspace)
    assert [(entry.id, entry.live) for entry in found] == [(run.id, True)]
    lifecycle.abandon(session)
    assert [(entry.id, entry.live) for entry in agreement.check(workspace)] == [(run.id, False)]


def test_a_folder_that_changed_a_moment_ago_is_read_again(workspace: Workspace, project: Path) -> None:
    """A second run within the resolution of a file's time would never be seen otherwise."""
    first = recording.record(project, "one")
    folder = workspace.repo.common_dir / "refs/experiments/churn"
    before = folder.stat()
    agreement.check(workspace)
    second = recording.record(project, "two")
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert names(workspace) == {"one", "two"}
    assert first.id != second.id


def test_old_stamps_are_trusted(workspace: Workspace, project: Path) -> None:
    recording.record(project, "one")
    long_ago = time.time_ns() - 10_000_000_000
    for path in [workspace.repo.common_dir / "refs/experiments/churn", workspace.repo.common_dir / "refs/experiments"]:
        os.utime(path, ns=(long_ago, long_ago))
    agreement.check(workspace)
    known = meta.stamps(database.of(workspace).connection)
    assert known is not None
    assert known.folders["refs/experiments/churn/"][0] == long_ago


def test_runs_published_elsewhere_are_running_until_they_end(workspace: Workspace, project: Path) -> None:
    run = recording.record(project, "far", metrics={"loss": [1.0]})
    published = str(run.ref).replace("refs/experiments/", "refs/experiments-live/")
    support.git(project, "update-ref", published, str(run.commit))
    agreement.entries(workspace)
    assert [entry.ref for entry in agreement.entries(workspace)] == [run.ref]
    support.git(project, "update-ref", "-d", str(run.ref))
    assert [(entry.ref, entry.live, entry.own) for entry in agreement.entries(workspace)] == [(published, True, False)]
    support.git(project, "update-ref", str(run.ref), str(run.commit))
    assert [(entry.ref, entry.live) for entry in agreement.entries(workspace)] == [(run.ref, False)]
    support.git(project, "update-ref", "-d", published)
    assert names(workspace) == {"far"}


@pytest.mark.parametrize("state", ["unborn", "detached", "gone"])
def test_where_head_stands_does_not_matter(workspace: Workspace, project: Path, state: str) -> None:
    recording.record(project, "one", params={"lr": 1})
    if state == "unborn":
        support.git(project, "symbolic-ref", "HEAD", "refs/heads/nothing")
    elif state == "detached":
        support.git(project, "checkout", "--quiet", "--detach")
    else:
        shutil.rmtree(workspace.repo.common_dir / "refs/heads")
    database.discard(workspace)
    assert names(workspaces.open(project)) == {"one"}


def test_a_bare_repository_has_an_index(project: Path, tmp_path: Path) -> None:
    recording.record(project, "one")
    support.git(tmp_path, "clone", "--quiet", "--mirror", str(project), "mirror.git")
    assert names(workspaces.open(tmp_path / "mirror.git")) == {"one"}


def test_a_linked_work_tree_shares_the_index(workspace: Workspace, project: Path, tmp_path: Path) -> None:
    recording.record(project, "one")
    support.git(project, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    linked = workspaces.open(tmp_path / "linked")
    recording.record(tmp_path / "linked", "two")
    assert names(workspace) == names(linked) == {"one", "two"}
    assert database.of(workspace).path == database.of(linked).path


def test_a_run_of_more_metrics_than_sqlite_has_columns(workspace: Workspace, project: Path) -> None:
    many = {f"metric {number}": [float(number)] for number in range(5000)}
    recording.record(project, "wide", metrics=many, params={f"p{number}": number for number in range(3000)})
    recording.record(project, "narrow", metrics={"metric 4999": [1.0], "metric 3": [2.0]}, params={"p2999": "x"})
    found = {entry.name: entry for entry in agreement.check(workspace)}
    assert len(found["wide"].summary) == 5000
    assert found["narrow"].summary["metric 4999"].last == 1.0
    index = database.of(workspace)
    column = index.catalogue.column("metric", "metric 4999", "max")
    assert index.rows(f"SELECT {column} FROM run WHERE name = 'wide'") == [(4999.0,)]


def test_records_that_do_not_parse_have_a_row_that_says_why(workspace: Workspace, project: Path) -> None:
    run = recording.record(project, "one", params={"lr": 1})
    support.git(project, "read-tree", "--index-output=.git/other", str(run.commit))
    env = {"GIT_INDEX_FILE": str(project / ".git/other")}
    blob = support.git(project, "hash-object", "-w", "--stdin", input='{"format": 1, "id": 7}')
    support.git(project, "update-index", "--cacheinfo", f"100644,{blob},.gitexp/run.json", env=env)
    tree = support.git(project, "write-tree", env=env)
    message = support.git(project, "log", "-1", "--format=%B", str(run.commit))
    commit = support.git(project, "commit-tree", tree, "-m", message)
    support.git(project, "update-ref", str(run.ref), commit)
    (entry,) = agreement.entries(workspace)
    assert (entry.id, entry.name, entry.flat_params) == (run.id, "one", {})
    assert "run.json does not parse" in str(entry.damaged)
    assert runs.load(workspace, commit, str(run.ref)) is not None


def test_nothing_is_read_again_when_nothing_moved(workspace: Workspace, project: Path) -> None:
    recording.record(project, "one")
    for path in (workspace.repo.common_dir / "refs").rglob("*"):
        os.utime(path, (1, 1))
    index = database.of(workspace)
    before = index.connection.total_changes
    assert database.of(workspace) is index
    assert index.connection.total_changes == before


def test_a_list_after_a_run_has_ended_needs_no_libgit2(project: Path) -> None:
    recording.record(project, "one")
    support.python(project, "import gitexp; from gitexp.index import database; from gitexp.store import workspace;"
                   "database.of(workspace.open())")  # fmt: skip
    recording.record(project, "two", params={"lr": 1})
    done = support.python(
        project,
        "import sys; from gitexp.index import database; from gitexp.store import workspace;"
        "print(database.of(workspace.open()).rows('SELECT name FROM run ORDER BY name'));"
        "print({'pygit2', 'pandas', 'numpy'} & set(sys.modules))",
    )
    assert done.stdout.splitlines() == ["[('one',), ('two',)]", "set()"]
