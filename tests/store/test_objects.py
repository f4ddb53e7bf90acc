"""Large bytes: kept once, whole, read-only, and under their own hash."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitexp.errors import WriteFailed
from gitexp.store import copying, hashes, objects
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace
from tests import support

LARGE = 9 << 20  # large enough for the thread that hashes


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [0, 1, 4095, (1 << 20) + 1, LARGE])
def test_a_file_is_kept_whole_read_only_and_under_its_hash(workspace: Workspace, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    pointer = objects.put_file(workspace, written(tmp_path / "model.pt", data))
    kept = objects.place(workspace, pointer.sha256)
    assert (pointer.sha256, pointer.size_bytes, kept.read_bytes()) == (sha256(data), size, data)
    assert kept.stat().st_mode & 0o777 == 0o444
    assert not kept.samefile(tmp_path / "model.pt")
    assert list(workspace.tmp.iterdir()) == []


def test_progress_adds_up_to_the_size(workspace: Workspace, tmp_path: Path) -> None:
    told: list[int] = []
    objects.put_file(workspace, written(tmp_path / "model.pt", os.urandom(LARGE)), progress=told.append)
    assert sum(told) == LARGE
    assert len(told) > 5


def test_an_unchanged_file_is_not_read_again(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = written(tmp_path / "model.pt", os.urandom(LARGE))
    monkeypatch.setattr(hashes, "_FINE_NS", 0)
    monkeypatch.setattr(hashes, "_COARSE_NS", 0)
    first = objects.put_file(workspace, source)
    told: list[int] = []
    assert objects.put_file(workspace, source, progress=told.append) == first
    assert told == []
    with open(source, "r+b") as file:
        file.write(b"other")
    second = objects.put_file(workspace, source, progress=told.append)
    assert (sum(told), second == first) == (LARGE, False)


def test_an_unchanged_file_whose_object_is_gone_is_read_again(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "_FINE_NS", 0)
    source = written(tmp_path / "model.pt", os.urandom(LARGE))
    first = objects.put_file(workspace, source)
    objects.place(workspace, first.sha256).unlink()
    assert objects.put_file(workspace, source) == first
    assert objects.path(workspace, first.sha256) is not None


def test_a_file_that_was_written_a_moment_ago_is_not_known_by_its_times(workspace: Workspace, tmp_path: Path) -> None:
    source = tmp_path / "model.pt"
    source.write_bytes(bytes(2 << 20))
    hashes.remember(workspace, copying.stamp(source.stat()), "0" * 64)
    assert hashes.known(workspace, copying.stamp(source.stat())) is None


@pytest.mark.parametrize("content", [b"", b"\xff" * 4096, b"SQLite format 3\0" + b"\x07" * 4000])
def test_a_damaged_cache_of_hashes_is_made_anew(
    workspace: Workspace, tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "_FINE_NS", 0)
    workspace.home.mkdir(exist_ok=True)
    (workspace.home / "hashes.sqlite").write_bytes(content)
    source = written(tmp_path / "model.pt", os.urandom(LARGE))
    found = {objects.put_file(workspace, source).sha256 for _ in range(3)}
    assert found == {sha256(source.read_bytes())}
    assert hashes.known(workspace, copying.stamp(source.stat())) in found


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.tuples(st.booleans(), st.integers(1, 400_000)), max_size=6))
def test_holes_are_copied_as_holes_and_hashed_as_zeros(tmp_path: Path, parts: list[tuple[bool, int]]) -> None:
    source, target = tmp_path / "sparse", tmp_path / "copy"
    target.unlink(missing_ok=True)
    with open(source, "wb") as file:
        for hole, size in parts:
            file.seek(size, os.SEEK_CUR) if hole else file.write(os.urandom(size))
        file.truncate()
    copied = copying.copy(source, target)
    data = source.read_bytes()
    assert (target.read_bytes(), copied.sha256, copied.size_bytes) == (data, sha256(data), len(data))
    assert target.stat().st_blocks <= source.stat().st_blocks + 8


def test_a_hole_of_gigabytes_takes_no_space(tmp_path: Path) -> None:
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(64 << 20)
        file.seek(1000)
        file.write(b"x")
    copying.copy(tmp_path / "sparse", tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_blocks * 512 < 1 << 20


WRITER = """
import sys
with open(sys.argv[1], "r+b", buffering=0) as file:
    print("ready", flush=True)
    for number in range(100_000):
        file.seek(number % 1000 * 4096)
        file.write(bytes([number % 256]) * 4096)
"""


def test_a_file_that_changes_while_it_is_read_is_kept_under_the_hash_of_what_is_kept(
    workspace: Workspace, tmp_path: Path
) -> None:
    source = written(tmp_path / "model.pt", bytes(LARGE))
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(source)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    try:
        writer.stdout.readline()
        copied = copying.copy(source, tmp_path / "copy")
        pointer = objects.put_file(workspace, source)
        assert writer.poll() is None, "the writer ended too soon to disturb"
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()
    assert copied.stamp is None
    assert copied.sha256 == sha256((tmp_path / "copy").read_bytes())
    assert pointer.sha256 == sha256(objects.place(workspace, pointer.sha256).read_bytes())


def test_a_file_that_comes_to_rest_is_read_again_until_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = written(tmp_path / "model.pt", bytes(LARGE))
    changes = [b"a" * LARGE, b"b" * (LARGE + 5)]

    def disturb(done: int) -> None:
        if changes and done:
            source.write_bytes(changes.pop(0))

    copied = copying.copy(source, tmp_path / "copy", disturb)
    assert (tmp_path / "copy").read_bytes() == source.read_bytes() == b"b" * (LARGE + 5)
    assert copied.stamp == copying.stamp(source.stat())


def test_a_file_that_is_not_there_or_cannot_be_read_names_itself(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="model"):
        objects.put_file(workspace, tmp_path / "model.pt")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        objects.put_file(workspace, tmp_path / "folder")
    assert list(workspace.tmp.iterdir() if workspace.tmp.exists() else []) == []


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    with support.small_disk(tmp_path / "disk", "4m") as disk:
        support.git(disk, "init", "-q")
        small = workspaces.open(disk)
        with pytest.raises(WriteFailed, match="cannot write into"):
            objects.put_file(small, written(tmp_path / "model.pt", os.urandom(LARGE)))
        assert list(small.tmp.iterdir()) == []
