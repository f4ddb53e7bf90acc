"""Large files of runs in a bucket: agreed to, sent, brought, dropped, killed on their way; and in a folder."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from pathlib import Path

import pytest

from gitexp.record.pointer import Pointer
from gitexp.store import objects
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace
from tests import s3server, sharing, support
from tests.s3server import BUCKET, Server

pytest.importorskip("obstore")
pytest.importorskip("moto")

URL = f"s3://{BUCKET}/churn"


def use(path: Path | str, value: str) -> None:
    support.git(path, "config", "gitexp.artifacts", value)


def clone(bare: Path, path: Path, value: str) -> Workspace:
    support.git(path.parent, "clone", "--quiet", str(bare), path.name)
    use(path, value)
    return sharing.opened(path)


def top(workspace: Workspace) -> str:
    return str(workspace.repo.work_tree)


def large_run(workspace: Workspace, name: str = "large", *, size: int = 2_000_000) -> tuple[Run, Pointer]:
    item = objects.put_bytes(workspace, os.urandom(size))
    return sharing.make_run(workspace, name, files={"artifacts/model.bin": item}), item


def whole(workspace: Workspace, item: Pointer) -> bool:
    path = objects.path(workspace, item.sha256)
    return path is not None and hashlib.sha256(path.read_bytes()).hexdigest() == item.sha256


def there(s3: Server) -> str:
    return s3.ask("GET", f"/{BUCKET}?list-type=2").decode()


def test_artifacts_go_to_a_bucket_and_come_from_there(
    ours: Workspace, project: Path, bare: Path, s3: Server, tmp_path: Path
) -> None:
    run, item = large_run(ours)
    use(project, URL)
    with support.untouched(project):
        assert f"  2.0 MB of artifacts (1 file) to {URL}\n" in support.gitexp("push", expect=11).stderr
        assert support.gitexp("push", "--yes").stdout == "origin: 1 run sent with 1 large file (2.0 MB)\n"
    assert f"<Key>churn/{item.sha256[:2]}/{item.sha256[2:4]}/{item.sha256}</Key>" in there(s3)
    assert not (bare / "lfs").exists()
    theirs = clone(bare, tmp_path / "theirs", URL)
    assert support.gitexp("-C", top(theirs), "fetch").stdout == "origin: 1 new run (churn 1)\n"
    assert support.gitexp("-C", top(theirs), "fetch", "--artifacts").stdout == "origin: 1 large file\n"
    assert whole(theirs, item)
    assert support.gitexp("-C", top(theirs), "artifact", "drop", run.id).code == 0
    assert not whole(theirs, item)
    assert support.gitexp("-C", top(theirs), "fetch", "--artifacts").stdout == "origin: 1 large file\n"
    assert s3.count("PUT") == 1


def test_another_bucket_is_asked_about_again(ours: Workspace, project: Path, s3: Server) -> None:
    large_run(ours, "first")
    support.gitexp("push", "--yes")
    large_run(ours, "second")
    (project / "gitexp.toml").write_text(f'artifacts = "{URL}"\n')
    said = support.gitexp("push", expect=11).stderr
    assert f"new there: artifacts to {URL}" in said
    assert s3.asked == []
    support.gitexp("push", "--yes")
    large_run(ours, "third")
    support.gitexp("push")
    assert there(s3).count("<Key>") == 2


def test_a_remote_can_have_a_store_of_its_own(ours: Workspace, project: Path, bare: Path, s3: Server) -> None:
    large_run(ours)
    use(project, "none")
    support.git(project, "config", "gitexp.artifacts.origin", URL)
    assert support.gitexp("push", "--yes").stdout == "origin: 1 run sent with 1 large file (2.0 MB)\n"
    assert there(s3).count("<Key>") == 1


def test_where_bytes_are_to_stay_they_stay_and_go_when_that_changes(
    ours: Workspace, project: Path, bare: Path, s3: Server
) -> None:
    run, _ = large_run(ours)
    use(project, "none")
    said = support.gitexp("push", "--yes").stdout
    assert said.splitlines() == [
        "origin: 1 run sent",
        "1 large file (2.0 MB) stays here: gitexp.artifacts is none; git config gitexp.artifacts auto",
        f"  model.bin of {run.experiment}/{run.name} ({run.id[:7]})",
    ]
    assert support.gitexp("push").stdout == "origin: everything is there already\n"
    use(project, URL)
    assert f"  2.0 MB of artifacts (1 file) to {URL}" in support.gitexp("push", expect=11).stderr
    assert s3.asked == []
    support.gitexp("push", "--yes")
    assert there(s3).count("<Key>") == 1


def test_a_purge_leaves_in_a_bucket_what_others_may_share_and_takes_what_is_named(
    ours: Workspace, project: Path, bare: Path, s3: Server
) -> None:
    run, item = large_run(ours)
    use(project, URL)
    support.gitexp("push", "--yes")
    said = support.gitexp("purge", run.id, "--remote", "origin", "--reason", "leak", "--yes").stdout
    gone = f"aws s3 rm {URL}/{item.sha256[:2]}/{item.sha256[2:4]}/{item.sha256}"
    assert f"a large file in {URL}, where other runs and repositories may need it; if none does: {gone}" in said
    assert item.sha256 in there(s3)
    second = sharing.make_run(ours, "second", files={"artifacts/model.bin": objects.put_bytes(ours, b"k" * 200_000)})
    support.gitexp("push")
    assert there(s3).count("<Key>") == 2
    support.gitexp("purge", f"{second.id}:model.bin", "--remote", "origin", "--reason", "leak", "--yes")
    assert there(s3).count("<Key>") == 1


def test_without_a_bucket_the_run_goes_and_the_next_push_brings_its_bytes(
    ours: Workspace, project: Path, bare: Path, s3: Server
) -> None:
    run, _ = large_run(ours)
    use(project, "s3://acme-later/churn")
    said = support.gitexp("push", "--yes").stdout.splitlines()
    why = "s3://acme-later/churn: there is no bucket 'acme-later'; aws s3 mb s3://acme-later"
    assert said[:2] == ["origin: 1 run sent", f"1 large file (2.0 MB) stays here: {why}"]
    assert run.ref in support.run_refs(bare)
    s3.ask("PUT", "/acme-later")
    assert support.gitexp("push", "--yes").stdout == "origin: 1 large file (2.0 MB) sent\n"
    assert b"<Key>" in s3.ask("GET", "/acme-later?list-type=2")


@pytest.mark.slow
def test_a_push_killed_in_the_middle_is_completed_by_the_next(
    ours: Workspace, project: Path, bare: Path, s3: Server
) -> None:
    run, item = large_run(ours, size=30_000_000)
    use(project, URL)
    held = [True]

    def refuse(method: str, path: str) -> tuple[int, str] | None:
        return (503, "SlowDown") if held[0] and "partNumber=4" in path else None

    s3.refuse = refuse
    pushing = sharing.start_gitexp(project, "push", "--yes")
    sharing.wait_for(lambda: any("partNumber=4" in path for _, path, _ in s3.asked))
    sharing.kill(pushing)
    assert run.ref not in support.run_refs(bare)
    assert "<Key>" not in there(s3)
    held[0] = False
    assert support.gitexp("push", "--yes").stdout == "origin: 1 run sent with 1 large file (30.0 MB)\n"
    assert item.sha256 in there(s3)


@pytest.mark.slow
def test_ctrl_c_does_not_wait_for_a_bucket_that_says_nothing(ours: Workspace, project: Path, s3: Server) -> None:
    large_run(ours)
    use(project, URL)
    released = threading.Event()

    def refuse(method: str, path: str) -> tuple[int, str] | None:
        return (500, "InternalError") if method == "PUT" and released.wait(60) else None

    s3.refuse = refuse
    pushing = sharing.start_gitexp(project, "push", "--yes")
    sharing.wait_for(lambda: s3.count("PUT") == 1)
    os.killpg(pushing.pid, signal.SIGINT)
    pushing.communicate(timeout=30)
    assert not released.is_set() and pushing.returncode != 0
    released.set()


@pytest.mark.slow
def test_a_fetch_killed_in_the_middle_goes_on_where_it_was(
    ours: Workspace, project: Path, bare: Path, s3: Server, tmp_path: Path
) -> None:
    _, item = large_run(ours, size=8_000_000)
    use(project, URL)
    support.gitexp("push", "--yes")
    theirs = clone(bare, tmp_path / "theirs", URL)
    s3.slow_seconds = 0.02
    fetching = sharing.start_gitexp(Path(top(theirs)), "fetch", "--artifacts")
    partial = theirs.tmp / f"{item.sha256}.part"
    sharing.wait_for(lambda: partial.exists() and partial.stat().st_size > 1_000_000)
    sharing.kill(fetching)
    assert objects.path(theirs, item.sha256) is None
    s3.slow_seconds = 0
    s3.asked.clear()
    support.gitexp("-C", top(theirs), "fetch", "--artifacts")
    assert whole(theirs, item)
    spans = [span for method, path, span in s3.asked if method == "GET" and item.sha256 in path]
    assert len(spans) == 1 and int(spans[0].removeprefix("bytes=").removesuffix("-")) >= 1_000_000
    assert not partial.exists()


def test_nothing_of_the_credentials_is_written_or_said(ours: Workspace, project: Path, bare: Path, s3: Server) -> None:
    large_run(ours)
    use(project, URL)
    s3.refuse = lambda method, path: (403, "SignatureDoesNotMatch")
    said = support.gitexp("push", "--yes")
    assert "the credentials are wrong or have run out (SignatureDoesNotMatch)" in said.stdout
    secrets = [value.encode() for name, value in s3server.KEYS.items() if "KEY" in name]
    written = [path.read_bytes() for path in (project / ".git").rglob("*") if path.is_file()]
    assert not any(secret in data for secret in secrets for data in [*written, (said.stdout + said.stderr).encode()])


def test_a_folder_takes_the_bytes_of_many_repositories(
    ours: Workspace, project: Path, bare: Path, tmp_path: Path
) -> None:
    run, item = large_run(ours)
    folder = tmp_path / "shared disk"
    use(project, f"file://{tmp_path}/shared%20disk")
    said = support.gitexp("push", "--yes").stdout
    assert f"is no folder; mkdir -p '{folder}'; or mount it" in said
    folder.mkdir()
    support.gitexp("push", "--yes")
    assert (folder / item.sha256[:2] / item.sha256[2:4] / item.sha256).stat().st_size == item.size_bytes
    theirs = clone(bare, tmp_path / "theirs", f"file://{tmp_path}/shared%20disk")
    support.gitexp("-C", top(theirs), "fetch", "--artifacts")
    assert whole(theirs, item)
    assert support.gitexp("-C", top(theirs), "artifact", "drop", run.id).code == 0
    assert objects.path(theirs, item.sha256) is None


def test_a_committed_file_names_no_folder_of_this_machine(ours: Workspace, project: Path, tmp_path: Path) -> None:
    large_run(ours)
    (project / "gitexp.toml").write_text(f'artifacts = "file://{tmp_path}"\n')
    said = support.gitexp("push", "--yes", expect=2).stderr
    assert "gitexp.artifacts names a folder in gitexp.toml" in said
    assert f"git config gitexp.artifacts file://{tmp_path}" in said


@pytest.mark.parametrize("value", ["s3:bucket", "ftp://host/x", "file://host/x", "sometimes", "s3://k:s@bucket"])
def test_a_setting_that_cannot_be_meant_is_refused(ours: Workspace, project: Path, value: str) -> None:
    large_run(ours)
    use(project, value)
    said = support.gitexp("push", "--yes", expect=2).stderr
    assert "git config gitexp.artifacts" in said


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(
    ours: Workspace, project: Path, bare: Path, s3: Server, tmp_path: Path
) -> None:
    """The peak of a process that moves 300 MB, against one that moves next to nothing."""
    code = (
        "import resource, sys; from gitexp.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )

    def peak(path: str, *args: str) -> int:
        return int(support.python(path, code, *args).stdout.splitlines()[-1])

    use(project, URL)
    large_run(ours, "small", size=200_000)
    before = peak(str(project), "push", "--yes")
    for number in range(3):
        large_run(ours, f"large-{number}", size=100_000_000)
    assert peak(str(project), "push", "--yes") - before < 100
    theirs = clone(bare, tmp_path / "theirs", URL)
    assert peak(top(theirs), "fetch", "--artifacts") - before < 100
