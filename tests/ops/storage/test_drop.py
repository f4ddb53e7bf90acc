"""Bytes go from this machine only where a remote surely has them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from gitexp.errors import NotFound, RemoteError
from gitexp.git.transport import Options
from gitexp.ops.files import artifacts
from gitexp.ops.finding import find
from gitexp.ops.storage import cache, drop, supply
from gitexp.store import objects as large
from gitexp.store import remotes, whereabouts
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace
from tests import recording, support


def big(seed: int, size: int = 200_000) -> bytes:
    return bytes([seed]) * size


def at_remote(bare: Path, sha256: str) -> Path:
    return bare / "lfs/objects" / sha256[:2] / sha256[2:4] / sha256


def plan(run: Run) -> drop.Plan:
    return drop.plan(run.workspace, remotes.choose(run.workspace), run.artifacts, Options())


@pytest.fixture
def pushed(project: Path, bare: Path) -> Run:
    run = recording.record(project, "base", artifacts={"model.pt": big(1), "a.txt": b"a"})
    assert support.gitexp("push", "--yes").code == 0
    return run


def test_what_the_remote_has_goes_and_comes_back(pushed: Run) -> None:
    workspace, sha256 = pushed.workspace, str(pushed.artifacts[1].sha256)
    made = plan(pushed)
    assert [file.names for file in made.going] == [("model.pt",)]
    assert large.path(workspace, sha256) is not None
    drop.execute(workspace, made)
    assert large.path(workspace, sha256) is None
    assert artifacts.listing(workspace, pushed)[1].remotes == ("origin",)
    assert supply.bring(workspace, supply.missing(workspace, pushed.artifacts), None, Options()) == ""
    assert large.place(workspace, sha256).read_bytes() == big(1)
    assert plan(pushed).going


def test_what_was_never_pushed_stays(project: Path, bare: Path) -> None:
    run = recording.record(project, "base", artifacts={"model.pt": big(1)})
    made = plan(run)
    assert (made.going, [file.names for file in made.staying]) == ([], [("model.pt",)])


@pytest.mark.parametrize("harm", ["gone", "short", "other"])
def test_the_remote_is_looked_at_and_not_remembered(pushed: Run, bare: Path, harm: str) -> None:
    sha256 = str(pushed.artifacts[1].sha256)
    assert whereabouts.holders(pushed.workspace)[sha256] == ["origin"]
    path = at_remote(bare, sha256)
    path.unlink()
    if harm != "gone":
        path.write_bytes(big(1, 100) if harm == "short" else big(2))
    assert plan(pushed).going == []


def test_a_remote_that_is_this_repository_counts_for_nothing(project: Path) -> None:
    support.git(project, "remote", "add", "origin", str(project))
    support.git(project, "config", "filter.lfs.process", "git-lfs filter-process")
    run = recording.record(project, "base", artifacts={"model.pt": big(1)})
    sha256 = str(run.artifacts[0].sha256)
    own = at_remote(project / ".git", sha256)
    own.parent.mkdir(parents=True, exist_ok=True)
    if not own.exists():
        shutil.copyfile(large.place(run.workspace, sha256), own)
    assert plan(run).going == []


def test_a_remote_that_cannot_be_asked_frees_nothing(pushed: Run, project: Path) -> None:
    support.git(project, "config", "lfs.url", "http://127.0.0.1:1/lfs")
    support.git(project, "config", "lfs.transfer.maxretries", "1")
    run = find.one(workspaces.open(project), pushed.id)
    with pytest.raises(RemoteError):
        plan(run)
    assert large.path(run.workspace, str(run.artifacts[1].sha256)) is not None


def test_without_a_remote_nothing_goes(project: Path) -> None:
    run = recording.record(project, "base", artifacts={"model.pt": big(1)})
    with pytest.raises(NotFound, match="no remote"):
        plan(run)


@pytest.fixture
def clone(project: Path, bare: Path, tmp_path: Path) -> Path:
    """Return a clone of a project with four pushed runs, each with a large file; nothing of them is there yet."""
    for seed in range(4):
        recording.record(project, f"run{seed}", artifacts={"model.pt": big(seed)})
    support.gitexp("push", "--yes")
    path = tmp_path / "clone"
    support.git(tmp_path, "clone", "--quiet", str(bare), str(path))
    os.chdir(path)
    support.gitexp("fetch")
    return path


def here(workspace: Workspace) -> list[str]:
    runs = (find.one(workspace, f"run{seed}") for seed in range(4))
    return [run.name for run in runs if run.is_here(run.artifacts[0])]


def get(name: str) -> None:
    """Get the file of a run; after that two minutes go by for all that is here."""
    support.gitexp("get", f"{name}:model.pt", "--to", f"{name}.pt", "--force")
    for path in Path(".git/gitexp/objects").rglob("*"):
        if path.is_file():
            seen = path.stat()
            os.utime(path, ns=(seen.st_atime_ns - 120 * 10**9, seen.st_mtime_ns - 120 * 10**9))


def test_beyond_the_limit_what_was_used_least_goes(clone: Path) -> None:
    support.git(clone, "config", "gitexp.artifactsCacheLimit", "500000")
    for name in ("run0", "run1", "run0"):
        get(name)
    workspace = workspaces.open(clone)
    assert here(workspace) == ["run0", "run1"]
    get("run2")
    assert here(workspace) == ["run0", "run2"]
    assert [Path(clone, f"run{seed}.pt").read_bytes() for seed in range(3)] == [big(seed) for seed in range(3)]


def test_the_limit_takes_nothing_that_the_remote_has_lost_or_that_was_recorded_here(clone: Path, bare: Path) -> None:
    own = recording.record(clone, "own", artifacts={"own.pt": big(9)})
    support.git(clone, "config", "gitexp.artifactsCacheLimit", "1k")
    get("run0")
    workspace = workspaces.open(clone)
    at_remote(bare, str(find.one(workspace, "run0").artifacts[0].sha256)).unlink()
    get("run1")
    get("run2")
    assert here(workspace) == ["run0", "run2"]
    assert own.is_here(own.artifacts[0])


def test_what_was_used_a_moment_ago_stays_beyond_the_limit(clone: Path) -> None:
    support.git(clone, "config", "gitexp.artifactsCacheLimit", "1")
    for seed in range(3):
        support.gitexp("get", f"run{seed}:model.pt", "--to", f"run{seed}.pt")
    assert here(workspaces.open(clone)) == ["run0", "run1", "run2"]
    get("run0")
    get("run3")
    assert here(workspaces.open(clone)) == ["run3"]


def test_without_a_limit_everything_stays(clone: Path) -> None:
    for seed in range(4):
        get(f"run{seed}")
    workspace = workspaces.open(clone)
    assert len(here(workspace)) == 4
    assert len(cache.copies(workspace)) == 4
