"""Large files between clones: gitexp's own client, the stock git-lfs beside it, kills, and little memory."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitexp.record.pointer import Pointer
from gitexp.store import objects
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace
from tests import lfsserver, servers, sharing, support
from tests.lfsserver import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with lfsserver.running(tmp_path / "server") as started:
        yield started


def clone(bare: Path, path: Path, server: Server | None = None) -> Workspace:
    support.git(path.parent, "clone", "--quiet", str(bare), path.name)
    if server is not None:
        support.git(path, "config", "lfs.url", server.url)
    return sharing.opened(path)


def top(workspace: Workspace) -> str:
    return str(workspace.repo.work_tree)


def large_run(workspace: Workspace, name: str = "large", *, size: int = 2_000_000) -> tuple[Run, list[Pointer]]:
    """Record a run with two large artifacts and large output."""
    items = [objects.put_bytes(workspace, os.urandom(size)) for _ in range(2)]
    log = os.urandom(300_000).hex().encode()
    files = {"artifacts/model.bin": items[0], "artifacts/deep/weights.bin": items[1], "output.log": log}
    run = sharing.make_run(workspace, name, files=files)
    return run, [*items, Pointer(hashlib.sha256(log).hexdigest(), len(log))]


def whole(workspace: Workspace, items: list[Pointer]) -> bool:
    return all(
        (path := objects.path(workspace, item.sha256)) is not None
        and hashlib.sha256(path.read_bytes()).hexdigest() == item.sha256
        for item in items
    )


def test_records_come_with_a_fetch_and_artifacts_when_they_are_wanted(
    ours: Workspace, project: Path, bare: Path, server: Server, tmp_path: Path
) -> None:
    _, items = large_run(ours)
    support.git(project, "config", "lfs.url", server.url)
    assert support.gitexp("push", "--yes").stdout == "origin: 1 run sent with 3 large files (4.6 MB)\n"
    assert set(server.objects) == {item.sha256 for item in items}
    theirs = clone(bare, tmp_path / "theirs", server)
    said = support.gitexp("-C", top(theirs), "fetch").stdout
    assert said == "origin: 1 new run (churn 1), 1 large file\n"
    assert whole(theirs, items[2:]) and not whole(theirs, items[:1])
    with support.untouched(top(theirs)):
        said = support.gitexp("-C", top(theirs), "fetch", "--artifacts").stdout
    assert said == "origin: 2 large files\n"
    assert whole(theirs, items)
    assert support.gitexp("-C", top(theirs), "fetch", "--artifacts").stdout == "origin: nothing new\n"


def test_only_the_files_that_are_meant_come(
    ours: Workspace, project: Path, bare: Path, server: Server, tmp_path: Path
) -> None:
    _, items = large_run(ours)
    other, more = large_run(ours, "other")
    support.git(project, "config", "lfs.url", server.url)
    support.gitexp("push", "--yes")
    theirs = clone(bare, tmp_path / "theirs", server)

    def fetched(*args: str) -> str:
        return support.gitexp("-C", top(theirs), "fetch", *args).stdout

    assert fetched("--artifacts=*.bin", "large").endswith("origin: 1 new run (churn 1), 3 large files\n")
    assert whole(theirs, items) and not objects.path(theirs, more[0].sha256)
    assert fetched("--artifacts=deep", "origin", "other") == "origin: 1 new run (churn 1), 2 large files\n"
    assert whole(theirs, more[1:]) and not objects.path(theirs, more[0].sha256)
    assert fetched("--artifacts=*.pt", "--artifacts=deep/**") == "origin: nothing new\nno run there has a file '*.pt'\n"
    assert fetched("--artifacts", other.id) == "origin: 1 large file\n"
    assert support.gitexp("-C", top(theirs), "fetch", "--artifacts=x", "--json").json["meaningless"] == ["x"]
    said = support.gitexp("-C", top(theirs), "fetch", "--artifacts", "*.pt", expect=4).stderr
    assert said.endswith("Files are named with =: gitexp fetch --artifacts='*.pt'\n")


def test_runs_can_be_named_as_they_are_known_here_and_removed_ones_bring_no_files(
    ours: Workspace, project: Path, bare: Path, server: Server, tmp_path: Path
) -> None:
    run, items = large_run(ours)
    _, more = large_run(ours, "other")
    support.git(project, "config", "lfs.url", server.url)
    support.gitexp("push", "--yes")
    theirs = clone(bare, tmp_path / "theirs", server)
    support.gitexp("-C", top(theirs), "fetch")
    support.gitexp("-C", top(theirs), "rm", "large")
    assert support.gitexp("-C", top(theirs), "fetch", "--artifacts").stdout == "origin: 2 large files\n"
    assert whole(theirs, more) and not objects.path(theirs, items[0].sha256)
    support.gitexp("-C", top(theirs), "undelete", "large")
    said = support.gitexp("-C", top(theirs), "fetch", "--artifacts", str(run.commit)).stdout
    assert said == "origin: 2 large files\n"
    assert whole(theirs, items)


def test_what_did_not_come_is_said_and_comes_next_time(
    ours: Workspace, project: Path, bare: Path, server: Server, tmp_path: Path
) -> None:
    _, items = large_run(ours)
    support.git(project, "config", "lfs.url", server.url)
    support.gitexp("push", "--yes")
    theirs = clone(bare, tmp_path / "theirs", server)
    server.faults(wrong_bytes=True)
    result = support.gitexp("-C", top(theirs), "fetch", "--artifacts", "--json")
    assert "3 of 3 objects: " in result.json["bytes_left"]
    assert "sends other bytes than those recorded" in result.json["bytes_left"]
    assert result.json["bytes_left"].endswith("try again: gitexp fetch --artifacts")
    assert not any(path.is_file() for path in theirs.objects.rglob("*"))
    server.faults()
    support.gitexp("-C", top(theirs), "fetch", "--artifacts")
    assert whole(theirs, items)


def test_a_refused_upload_is_told_with_the_push_and_owed(
    ours: Workspace, project: Path, bare: Path, server: Server
) -> None:
    run, items = large_run(ours)
    support.git(project, "config", "lfs.url", server.url)
    server.faults(upload={"status": 507, "message": "buy more"})
    first, second, third = support.gitexp("push", "--yes").stdout.splitlines()
    assert first == "origin: 1 run sent"
    assert second.startswith("3 large files (4.6 MB) stay here: 3 of 3 objects: ")
    assert third == f"  output.log, deep/weights.bin, model.bin of churn/large ({run.id[:7]})"
    assert support.gitexp("push").stdout.splitlines()[1:] == [second, third]  # the next try may go well, and did not
    assert "is full (507): free or buy space there" in second and "it says: buy more" in second
    assert support.run_refs(bare) == {run.ref: run.commit}
    server.faults()
    assert support.gitexp("push").stdout == "origin: 3 large files (4.6 MB) sent\n"
    assert set(server.objects) == {item.sha256 for item in items}


@pytest.mark.parametrize("seen", [False, True], ids=["never pushed before", "pushed before"])
def test_bytes_of_runs_that_went_by_plain_git_go_with_the_next_push(
    seen: bool, ours: Workspace, project: Path, bare: Path, server: Server
) -> None:
    support.git(project, "config", "lfs.url", server.url)
    if seen:
        sharing.make_run(ours, "before")
        support.gitexp("push", "--yes")
    run, items = large_run(ours)
    support.git(project, "push", "--quiet", "origin", str(run.ref))
    support.gitexp("fetch")  # sees the run there, too
    said = support.gitexp("push", expect=11).stderr
    assert "4.6 MB of artifacts (3 files) to Git LFS at " in said and "1 run:" not in said
    assert support.gitexp("push", "--yes").stdout == "origin: 3 large files (4.6 MB) sent\n"
    assert set(server.objects) == {item.sha256 for item in items}
    before = len(server.requests)
    support.gitexp("push")
    assert len(server.requests) == before  # nothing is owed any more


def test_another_place_that_the_project_names_is_asked_about_before_bytes_go_there(
    ours: Workspace, project: Path, server: Server
) -> None:
    large_run(ours)
    support.gitexp("push", "--yes")
    support.write(project / ".lfsconfig", f"[lfs]\n\turl = {server.url}\n")
    large_run(ours, "second")
    said = support.gitexp("push", expect=11).stderr
    assert f"new there: artifacts to Git LFS at {server.url}" in said
    assert server.requests == []
    support.gitexp("push", "--yes")
    assert len(server.objects) == 3


@pytest.mark.slow
def test_a_push_that_is_killed_is_completed_by_the_next_one(
    ours: Workspace, project: Path, bare: Path, server: Server
) -> None:
    run, items = large_run(ours, size=20_000_000)
    support.git(project, "config", "lfs.url", server.url)
    for fault in ({"upload": {"hang": 60}, "times": {"upload": 1}}, {"verify": {"hang": 60}}):
        server.faults(**fault)
        before = len(server.requests)
        process = sharing.start_gitexp(project, "push", "--yes")
        kind = "PUT" if "upload" in fault else "verify"
        sharing.wait_for(
            lambda start=before, kind=kind: any(
                kind in (item["method"], item["path"].split("/")[1]) for item in server.requests[start:]
            )
        )
        sharing.kill(process)
        assert support.run_refs(bare) == {}
        assert all(server.objects[sha] in {item.size_bytes for item in items} for sha in server.objects)
    server.faults()
    assert support.process(project, "push", "--yes").stdout == "origin: 1 run sent with 3 large files (40.6 MB)\n"
    assert set(server.objects) == {item.sha256 for item in items}
    assert support.run_refs(bare) == {run.ref: run.commit}


@pytest.mark.slow
def test_a_fetch_that_is_killed_leaves_no_object_and_the_next_one_goes_on(
    ours: Workspace, project: Path, bare: Path, server: Server, tmp_path: Path
) -> None:
    _, items = large_run(ours, size=5_000_000)
    support.git(project, "config", "lfs.url", server.url)
    support.gitexp("push", "--yes")
    theirs = clone(bare, tmp_path / "theirs", server)
    server.faults(stall_download=400_000)
    process = sharing.start_gitexp(tmp_path / "theirs", "fetch", "--artifacts")
    parts = theirs.home / "tmp"
    sharing.wait_for(lambda: sum(path.stat().st_size for path in parts.glob("*.part")) >= 3 * 400_000)
    sharing.kill(process)
    assert not any(path.is_file() for path in theirs.objects.rglob("*"))
    server.faults()
    support.process(tmp_path / "theirs", "fetch", "--artifacts")
    assert whole(theirs, items)
    ranges = [item["headers"].get("Range") for item in server.requests if item["method"] == "GET"]
    assert sum(word is not None and word.startswith("bytes=400000-") for word in ranges) == 3
    assert list(parts.glob("*.part")) == []


@pytest.mark.slow
def test_large_files_on_their_way_keep_nobody_from_pushing_and_fetching_runs(
    ours: Workspace, project: Path, bare: Path, server: Server, tmp_path: Path
) -> None:
    run, items = large_run(ours)
    support.git(project, "config", "lfs.url", server.url)
    server.faults(verify={"hang": 60})
    process = sharing.start_gitexp(project, "push", "--yes")
    sharing.wait_for(lambda: sum("verify" in item["path"] for item in server.requests) == 3)
    assert support.gitexp("fetch").stdout == "origin: nothing new\n"
    small = sharing.make_run(ours, "small")
    assert support.gitexp("push", "--yes", small.id).stdout == "origin: 1 run sent\n"
    sharing.kill(process)
    server.faults()
    assert support.gitexp("push").stdout == "origin: 1 run sent with 3 large files (4.6 MB)\n"
    assert set(support.run_refs(bare)) == {run.ref, small.ref}
    assert set(server.objects) == {item.sha256 for item in items}


@pytest.mark.slow
def test_ctrl_c_does_not_wait_for_a_server_that_says_nothing(ours: Workspace, project: Path, server: Server) -> None:
    large_run(ours)
    support.git(project, "config", "lfs.url", server.url)
    server.faults(verify={"hang": 60})
    process = sharing.start_gitexp(project, "push", "--yes")
    sharing.wait_for(lambda: sum("verify" in item["path"] for item in server.requests) == 3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=15)  # the silence that a server may keep is 30 s
    assert process.returncode != 0


@pytest.mark.parametrize("kind", ["path", "file", "http"])
def test_a_remote_without_a_store_of_its_own_is_told_apart_from_one_with_a_folder(
    kind: str, ours: Workspace, project: Path, bare: Path, tmp_path: Path
) -> None:
    run, items = large_run(ours)
    with servers.reached(kind, bare, tmp_path) as (address, _):
        support.git(project, "remote", "set-url", "origin", address)
        said = support.gitexp("push", "--yes").stdout.splitlines()
        if kind == "http":
            host = address.split("/")[2]
            assert said[1:] == [
                f"3 large files (4.6 MB) stay here: {host} has no Git LFS store there;"
                " git config lfs.url URL of a store",
                f"  output.log, deep/weights.bin, model.bin of churn/large ({run.id[:7]})",
            ]
            sharing.make_run(ours, "second", files={"artifacts/model.bin": items[0]})
            assert support.gitexp("push").stdout == "origin: 1 run sent\n"  # said once for each remote
            assert support.gitexp("push", "--json").json["files_left"] == 3
            assert "origin has 2 runs without large files (" in support.gitexp("status").stdout
            return
        assert said == ["origin: 1 run sent with 3 large files (4.6 MB)"]
        theirs = clone(bare, tmp_path / "theirs")
        support.gitexp("-C", top(theirs), "fetch", "--artifacts")
        assert whole(theirs, items)


@pytest.fixture
def stock(ours: Workspace, project: Path, server: Server) -> Path:
    """Return a project where the stock git-lfs is set up."""
    support.needs("git-lfs")
    support.git(project, "lfs", "install", "--local")
    support.git(project, "config", "lfs.url", server.url)
    support.git(project, "config", "lfs.locksverify", "false")
    return project


@pytest.mark.slow
def test_the_stock_client_pushes_what_gitexp_records_and_gitexp_fetches_it(
    stock: Path, bare: Path, server: Server, tmp_path: Path
) -> None:
    run, items = large_run(sharing.opened(stock))
    assert run.ref is not None
    listed = support.git(stock, "lfs", "ls-files", "--long", run.ref)
    assert {line.split()[0] for line in listed.splitlines()} == {item.sha256 for item in items}
    assert support.git(stock, "lfs", "fsck", run.ref) == "Git LFS fsck OK"
    support.git(stock, "push", "--quiet", "origin", run.ref)
    assert set(server.objects) == {item.sha256 for item in items}
    theirs = clone(bare, tmp_path / "theirs", server)
    support.gitexp("-C", top(theirs), "fetch", "--artifacts")
    assert whole(theirs, items)


@pytest.mark.slow
def test_the_stock_client_fetches_and_checks_what_gitexp_has_pushed(
    stock: Path, bare: Path, server: Server, tmp_path: Path
) -> None:
    run, items = large_run(sharing.opened(stock))
    assert run.ref is not None
    support.gitexp("push", "--yes")
    theirs = clone(bare, tmp_path / "theirs", server)
    support.git(top(theirs), "lfs", "install", "--local")
    support.git(top(theirs), "fetch", "--quiet", "--no-prune", "origin", f"{run.ref}:{run.ref}")
    support.git(top(theirs), "lfs", "fetch", "origin", run.ref)
    assert support.git(top(theirs), "lfs", "fsck", run.ref) == "Git LFS fsck OK"
    before = len(server.requests)
    assert support.gitexp("-C", top(theirs), "fetch", "--artifacts").stdout == "origin: 3 large files\n"
    assert len(server.requests) == before  # they were here already
    assert whole(theirs, items)


@pytest.mark.slow
def test_lfs_prune_costs_no_byte(stock: Path, bare: Path, server: Server) -> None:
    workspace = sharing.opened(stock)
    _, items = large_run(workspace)
    support.git(stock, "config", "lfs.fetchrecentrefsdays", "0")
    support.git(stock, "config", "lfs.fetchrecentcommitsdays", "0")
    support.git(stock, "lfs", "prune", "--force")
    assert whole(workspace, items)
    assert support.gitexp("push", "--yes").stdout == "origin: 1 run sent with 3 large files (4.6 MB)\n"
    assert set(server.objects) == {item.sha256 for item in items}
    support.git(stock, "lfs", "prune", "--force", "--verify-remote")
    assert whole(workspace, items)


@pytest.mark.slow
def test_a_hook_of_git_lfs_does_not_keep_runs_from_a_remote_without_a_store(
    stock: Path, bare: Path, server: Server, tmp_path: Path
) -> None:
    run, items = large_run(sharing.opened(stock))
    support.git(stock, "config", "--unset", "lfs.url")
    with servers.reached("http", bare, tmp_path) as (address, _):
        support.git(stock, "remote", "set-url", "origin", address)
        assert "has no Git LFS store there" in support.gitexp("push", "--yes").stdout
        assert support.run_refs(bare) == {run.ref: run.commit}
    support.git(stock, "remote", "set-url", "origin", str(bare))  # the same repository, where its store can be reached
    assert "(3 files) to Git LFS" in support.gitexp("push", expect=11).stderr  # another place: asked again
    assert support.gitexp("push", "--yes").stdout == "origin: 3 large files (4.6 MB) sent\n"
    assert {path.name for path in (bare / "lfs/objects").rglob("*") if path.is_file()} == {
        item.sha256 for item in items
    }


def test_without_git_lfs_nothing_is_put_where_it_looks(ours: Workspace, project: Path) -> None:
    large_run(ours)
    assert not (project / ".git/lfs").exists()


LITTLE = """\
import resource, sys
from pathlib import Path
from gitexp.git import lfs
from gitexp.git.transport import Options
from gitexp.record.pointer import Pointer
from gitexp.store import workspace
import dulwich.client, dulwich.lfs, urllib3

what, folder, *said = sys.argv[1:]
item = Pointer(said[0], int(said[1]))
place = workspace.open(folder)
place.repo.raw
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000, used + 100_000_000))
depot = lfs.open(place.repo, "origin", Options(auto=True), what)
file = Path(folder, "..", "large")
if what == "upload":
    failures = depot.send([item], lambda item: file, lambda count: None)
else:
    failures = depot.bring([item], lambda item, path: path.unlink(), Path(folder, ".git/parts"), lambda count: None)
assert failures == [], failures
(most,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
assert int(most.split()[1]) * 1024 < 200_000_000, most
"""


@pytest.mark.slow
def test_a_transfer_takes_little_memory_however_large_the_file(project: Path, server: Server, tmp_path: Path) -> None:
    size, digest = 1_100_000_000, hashlib.sha256()
    with open(tmp_path / "large", "wb") as file:
        file.truncate(size)
    block = bytes(20_000_000)
    for _ in range(size // len(block)):
        digest.update(block)
    support.git(project, "config", "lfs.url", server.url)
    words = (str(project), digest.hexdigest(), str(size))
    support.python(tmp_path, LITTLE, "upload", *words)
    assert server.objects == {digest.hexdigest(): size}
    small = 400_000_000
    data = bytes(small)
    sha256 = hashlib.sha256(data).hexdigest()
    with open(server.folder / sha256, "wb") as file:
        file.truncate(small)
    support.python(tmp_path, LITTLE, "download", str(project), sha256, str(small))
