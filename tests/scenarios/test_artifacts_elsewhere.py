"""Files of runs whose bytes are at a Git LFS server: got when they are wanted, whatever stops it in the middle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import gitexp
from gitexp.errors import RemoteError
from tests import lfsserver, recording, sharing, support
from tests.lfsserver import Server

ID = "kqzvmxr" + "k" * 9
MODEL = os.urandom(3_000_000)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with lfsserver.running(tmp_path / "server") as started:
        yield started


@pytest.fixture
def clone(project: Path, bare: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a clone that has the record of a run; the bytes of its files are at the server alone."""
    support.git(project, "config", "lfs.url", server.url)
    recording.record(project, "base", run_id=ID, artifacts={"model.pt": MODEL, "tables/a.csv": b"id\n" * 50_000})
    support.gitexp("push", "--yes")
    path = tmp_path / "clone"
    support.git(tmp_path, "clone", "--quiet", str(bare), str(path))
    support.git(path, "config", "lfs.url", server.url)
    support.git(path, "config", "lfs.transfer.maxretries", "1")
    monkeypatch.chdir(path)
    support.gitexp("fetch")
    return path


def downloads(server: Server) -> list[str]:
    return [asked["headers"].get("Range", "") for asked in server.requests if asked["method"] == "GET"]


def test_what_is_wanted_comes_and_nothing_else_does(clone: Path, server: Server) -> None:
    assert [row["here"] for row in support.gitexp("artifact", "ls", "base", "--json").json] == [False, False]
    done = support.gitexp("artifact", "get", "base", "model.pt", "--to", "out")
    assert done.stdout == "out/model.pt (3.0 MB), 3.0 MB from a remote\n"
    assert Path("out/model.pt").read_bytes() == MODEL
    assert len(downloads(server)) == 1
    support.gitexp("artifact", "get", "base", "model.pt", "--to", "again")
    assert len(downloads(server)) == 1


def test_a_get_that_is_killed_in_the_middle_goes_on_where_it_was(clone: Path, server: Server) -> None:
    server.faults(stall_download=2_000_000)
    process = sharing.start_gitexp(clone, "get", "base:model.pt")
    part = clone / ".git/gitexp/tmp"
    sharing.wait_for(lambda: any(path.stat().st_size >= 1_000_000 for path in part.glob("*.part")))
    sharing.kill(process)
    assert not Path("model.pt").exists()
    server.faults()
    support.gitexp("get", "base:model.pt")
    assert Path("model.pt").read_bytes() == MODEL
    assert downloads(server)[-1].startswith("bytes=")
    assert list(part.glob("*.part")) == []


def test_bytes_that_are_not_those_recorded_get_no_name(clone: Path, server: Server) -> None:
    server.faults(wrong_bytes=True)
    failed = support.gitexp("get", "base:model.pt", expect=10)
    assert "sends other bytes than those recorded" in failed.stderr
    assert not Path("model.pt").exists()


def test_what_can_be_had_is_written_although_something_is_missing(clone: Path, server: Server) -> None:
    sizes = {size: name for name, size in server.objects.items()}
    (server.folder / sizes[len(MODEL)]).unlink()
    failed = support.gitexp("artifact", "get", "base", "--to", "out", expect=10)
    assert "3.0 MB could not be brought" in failed.stderr
    assert [path.name for path in Path("out").rglob("*") if path.is_file()] == ["a.csv"]
    rows = {row["name"]: row["remotes"] for row in support.gitexp("artifact", "ls", "base", "--json").json}
    assert rows == {"model.pt": [], "tables/a.csv": ["origin"]}


def test_python_reads_what_is_not_here(clone: Path, server: Server) -> None:
    run = gitexp.get_run("base")
    model = run.artifact("model.pt")
    assert model.read() == MODEL
    assert model.path().read_bytes() == MODEL
    assert model.path() == model.path()
    assert model.get("out/") == Path("out/model.pt")
    assert run.artifact("tables").get() == Path("tables")
    assert Path("tables/a.csv").stat().st_size == 150_000
    server.faults(batch={"status": 500})
    for path in (clone / ".git/gitexp/objects").rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(RemoteError):
        gitexp.get_run("base").artifact("model.pt").read()


def test_what_was_dropped_comes_back_and_a_server_that_lost_it_is_not_trusted(
    clone: Path, project: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    with support.untouched(project):
        assert support.gitexp("artifact", "drop", "base", "tables").stdout.startswith("dropped 1 file (150.0 kB)")
        for name in server.objects:
            (server.folder / name).unlink()
        done = support.gitexp("artifact", "drop", "base")
        assert "nothing of churn/base" in done.stdout
        assert "1 file (3.0 MB) stay" in done.stderr
    support.gitexp("get", "base:model.pt")
    assert Path("model.pt").read_bytes() == MODEL


def test_plain_git_gets_a_small_file_and_with_git_lfs_a_large_one(clone: Path) -> None:
    support.needs("git-lfs")
    line = "git show $(git exp ref base):.gitexp/artifacts/model.pt | git lfs smudge > model.pt"
    support.execute(clone, "sh", "-c", line)
    assert Path("model.pt").read_bytes() == MODEL
