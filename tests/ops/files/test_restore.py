"""Artifacts written out: exactly, never outside of the target, never over anything, and what a kill leaves."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import gitexp
from gitexp.errors import Conflict, Damaged, NotFound, WriteFailed
from gitexp.git import objects
from gitexp.ops.files import artifacts, restore
from gitexp.ops.finding import find
from gitexp.record import run as run_json
from gitexp.record.pointer import Pointer, encode
from gitexp.store import objects as large
from gitexp.store import runs
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Run
from tests import recording, sharing, support

BIG = os.urandom(300_000)


def get(run: Run, to: Path | str = "out", *patterns: str, force: bool = False) -> restore.Done:
    made = restore.plan(run, artifacts.chosen(run, patterns), Path(to))
    return restore.execute(run.workspace, made, force=force)


def written(to: Path | str = "out") -> dict[str, bytes]:
    return {str(path.relative_to(to)): path.read_bytes() for path in sorted(Path(to).rglob("*")) if path.is_file()}


def foreign(project: Path, tree: str, names: Mapping[str, str] | None = None) -> Run:
    """Return a run whose artifacts are a tree of any making, and whose record gives them any names."""
    workspace = sharing.opened(project)
    run = sharing.make_run(workspace, "foreign")
    repo = workspace.repo
    commit = objects.read_commit(repo, str(run.commit))
    data = run_json.encode(replace(run.record, names=dict(names or {})))
    kept = [entry for entry in run.entries.values() if entry.name not in ("run.json", "artifacts")]
    kept += [
        objects.Entry("run.json", objects.FILE, objects.write_blob(repo, data)),
        objects.Entry("artifacts", objects.TREE, tree),
    ]
    whole = objects.graft(repo, commit.tree, runs.FOLDER, objects.write_entries(repo, kept))
    return runs.load(workspace, objects.write_commit(repo, replace(commit, tree=whole)))


def file(project: Path, name: str, data: bytes = b"evil", mode: int = objects.FILE) -> objects.Entry:
    return objects.Entry(name, mode, objects.write_blob(sharing.opened(project).repo, data))


def test_files_and_folders_come_back_with_bytes_modes_names_and_empty_folders(project: Path) -> None:
    support.write(project / "made/plots/ä b.txt", "text")
    support.write(project / "made/plots/model.pt", BIG)
    support.write(project / "made/run.sh", "#!/bin/sh\n").chmod(0o755)
    support.write(project / "made/Con.txt", "reserved elsewhere")
    (project / "made/nothing/here").mkdir(parents=True)
    with gitexp.start_run() as logged:
        logged.log_artifact("made")
    done = get(runs.by_id(workspaces.open(project), logged.id) or pytest.fail())
    assert written("out/made") == written("made")
    assert os.access("out/made/run.sh", os.X_OK)
    assert not os.access("out/made/Con.txt", os.X_OK)
    assert Path("out/made/nothing/here").is_dir()
    assert (len(done.written), len(done.there)) == (4, 0)


def test_what_is_there_and_right_is_not_written_again(project: Path) -> None:
    run = recording.record(project, "base", artifacts={"model.pt": BIG, "a.txt": b"a"})
    get(run)
    before = Path("out/model.pt").stat()
    Path("out/a.txt").unlink()
    done = get(run)
    assert [file.item.name for file in done.written] == ["a.txt"]
    assert [file.item.name for file in done.there] == ["model.pt"]
    assert Path("out/model.pt").stat() == before


def test_a_file_that_is_right_gets_the_right_mode(project: Path) -> None:
    run = recording.record(project, "base", artifacts={"a.txt": b"a"})
    support.write("out/a.txt", "a").chmod(0o755)
    get(run)
    assert stat.S_IMODE(Path("out/a.txt").stat().st_mode) & 0o111 == 0


@pytest.mark.parametrize("there", ["file", "folder", "link", "pipe"])
def test_nothing_is_written_where_something_else_is_in_the_way(project: Path, there: str) -> None:
    run = recording.record(project, "base", artifacts={"a.txt": b"a", "model.pt": BIG})
    out = Path("out/model.pt")
    out.parent.mkdir()
    if there == "file":
        out.write_bytes(b"mine")
    elif there == "folder":
        out.mkdir()
    elif there == "link":
        support.write("elsewhere.pt", BIG)
        out.symlink_to(Path("elsewhere.pt").absolute())
    else:
        os.mkfifo(out)
    with pytest.raises(Conflict, match=r"model\.pt") as caught:
        get(run)
    assert "--force" in caught.value.hint
    assert not Path("out/a.txt").exists()


def test_force_writes_over_a_file_and_replaces_a_link_instead_of_following_it(project: Path) -> None:
    run = recording.record(project, "base", artifacts={"a.txt": b"a", "model.pt": BIG})
    support.write("out/a.txt", "mine")
    support.write("precious", "mine")
    Path("out/model.pt").symlink_to(Path("precious").absolute())
    get(run, force=True)
    assert written() == {"a.txt": b"a", "model.pt": BIG}
    assert not Path("out/model.pt").is_symlink()
    assert Path("precious").read_text() == "mine"


def test_a_link_in_the_target_leads_nowhere(project: Path, tmp_path: Path) -> None:
    run = recording.record(project, "base", artifacts={"plots/a.txt": b"a"})
    outside = tmp_path / "outside"
    outside.mkdir()
    Path("out").mkdir()
    Path("out/plots").symlink_to(outside)
    for force in (False, True):
        with pytest.raises(Conflict, match="not a folder, or is a link"):
            get(run, force=force)
    assert list(outside.iterdir()) == []


def test_no_name_of_a_foreign_record_leaves_the_target_folder(project: Path, tmp_path: Path) -> None:
    repo = sharing.opened(project).repo
    below = objects.write_entries(repo, [file(project, "up.txt")])
    tree = objects.write_entries(
        repo,
        [
            objects.Entry("..", objects.TREE, below),
            objects.Entry(".git", objects.TREE, objects.write_entries(repo, [file(project, "config")])),
            file(project, "%2e%2e%2Fescape.txt"),
            file(project, "absolute"),
            file(project, "real"),
            file(project, "stream.txt"),
            file(project, "link", b"/etc/passwd", objects.LINK),
            file(project, "ntfs"),
        ],
    )
    names = {
        "absolute": "/etc/evil",
        "real": "../../evil",
        "stream.txt": "a.txt:hidden",
        "ntfs": ".GIT::$INDEX_ALLOCATION/hooks/x",
    }
    run = foreign(project, tree, names)
    out = tmp_path / "deep" / "er"
    get(run, out)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if "evil" in path.name or path.is_file()}
    inside = {path for path in found if path.startswith("deep/er/")}
    assert {path for path in found - inside if not path.startswith(("project/", "origin"))} == set()
    assert not any(part.lower().startswith(".git") for path in inside for part in path.split("/"))
    assert not any(Path(tmp_path, path).is_symlink() for path in inside)
    assert "deep/er/a.txt:hidden" in inside
    assert not Path("/etc/evil").exists()


def test_an_artifact_that_is_called_as_gits_own_folder_gets_another_name(project: Path) -> None:
    run = recording.record(project, "base", artifacts={".git/hooks/post-checkout": b"evil", "git~1/x": b"", ".g": b""})
    done = get(run, ".")
    assert not (project / ".git/hooks/post-checkout").exists()
    assert dict(done.plan.renamed).keys() == {".git/hooks/post-checkout", "git~1/x"}
    assert (project / "%2Egit/hooks/post-checkout").read_bytes() == b"evil"


def test_names_that_differ_in_case_alone_and_long_ones_come_back(project: Path) -> None:
    long = "/".join(["d" * 200] * 19)
    kept = {"A.txt": b"1", "a.txt": b"2", long: b"3", "e\u0301": b"4", "\u00e9": b"5", "back\\slash": b"6"}
    run = recording.record(project, "base", artifacts=kept)
    get(run)
    assert {name: Path("out", name).read_bytes() for name in ("A.txt", "a.txt")} == {"A.txt": b"1", "a.txt": b"2"}
    assert len(list(Path("out").iterdir())) == len(kept)
    assert len(get(run).there) == len(kept)


def test_a_file_and_a_folder_of_one_name_both_come(project: Path) -> None:
    run = recording.record(project, "base", artifacts={"a": b"file", "a/b": b"below"})
    done = get(run)
    assert sorted(written().values()) == [b"below", b"file"]
    assert len(done.plan.renamed) == 1


def test_damaged_bytes_never_get_a_name(project: Path) -> None:
    run = recording.record(project, "base", artifacts={"model.pt": BIG})
    workspace = workspaces.open(project)
    path = large.place(workspace, str(run.artifacts[0].sha256))
    path.chmod(0o644)
    path.write_bytes(b"x" * len(BIG))
    with pytest.raises(Damaged, match=r"model\.pt"):
        get(run)
    assert list(Path("out").iterdir()) == []


def test_a_pointer_of_another_size_is_damage(project: Path) -> None:
    workspace = sharing.opened(project)
    pointer = large.put_bytes(workspace, BIG)
    data = encode(Pointer(pointer.sha256, 7))
    run = foreign(project, objects.write_entries(workspace.repo, [file(project, "model.pt", data)]))
    with pytest.raises(Damaged, match=r"model\.pt"):
        get(run)
    assert list(Path("out").iterdir()) == []


def test_bytes_that_are_nowhere_say_what_to_type(project: Path) -> None:
    run = recording.record(project, "base", artifacts={"a.txt": b"a", "model.pt": BIG})
    large.place(workspaces.open(project), str(run.artifacts[1].sha256)).unlink()
    with pytest.raises(NotFound, match="no remote") as caught:
        get(run)
    assert "git remote add" in caught.value.hint


def test_the_object_of_the_store_is_never_the_users_file(project: Path) -> None:
    run = recording.record(project, "base", artifacts={"model.pt": BIG})
    get(run)
    kept = large.place(workspaces.open(project), str(run.artifacts[0].sha256))
    assert kept.stat().st_ino != Path("out/model.pt").stat().st_ino
    Path("out/model.pt").write_bytes(b"trained on")
    assert kept.read_bytes() == BIG


def test_a_running_run_gives_what_it_has(project: Path) -> None:
    session = recording.start(project, "base", artifacts={"a.txt": b"a", "model.pt": BIG})
    try:
        get(find.one(session.workspace, session.id))
        assert written() == {"a.txt": b"a", "model.pt": BIG}
    finally:
        session.writer.close()


@pytest.mark.parametrize("data", [b"s" * 3_000_000, None])
def test_a_full_disk_is_said_and_leaves_nothing(project: Path, tmp_path: Path, data: bytes | None) -> None:
    kept = {"large.bin": data} if data else {f"{number}.bin": b"s" * 90_000 for number in range(20)}
    run = recording.record(project, "base", artifacts=kept)
    with support.small_disk(tmp_path / "small", "1m") as disk:
        with pytest.raises(WriteFailed, match="cannot write"):
            get(run, disk)
        for path in disk.iterdir():
            assert path.name in kept
            assert path.read_bytes() == kept[path.name]


SLOW_COPY = """
import os, sys, time
from gitexp.store import copying
real = copying.between
def slow(read, written, progress=None):
    os.write(written, b"half")
    print("copying", flush=True)
    time.sleep(60)
copying.between = slow
from gitexp.cli import main
main.main(["artifact", "get", "@", "--to", "out"])
"""


def test_a_killed_get_leaves_no_file_under_a_final_name_and_the_next_one_completes_it(project: Path) -> None:
    run = recording.record(project, "base", artifacts={"a.txt": b"a", "model.pt": BIG})
    environment = {**os.environ, "PYTHONPATH": str(support.ROOT)}
    child = subprocess.Popen([sys.executable, "-c", SLOW_COPY], stdout=subprocess.PIPE, env=environment)
    assert child.stdout is not None
    assert child.stdout.readline() == b"copying\n"
    with pytest.raises(Conflict, match="another process"):
        get(run)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert [path.name for path in Path("out").iterdir() if not path.name.startswith(".gitexp-")] == ["a.txt"]
    get(run)
    assert written() == {"a.txt": b"a", "model.pt": BIG}
