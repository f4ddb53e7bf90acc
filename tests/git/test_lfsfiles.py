"""The LFS store of a remote that is a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitexp.git import lfs
from gitexp.git.lfsfiles import FolderDepot
from gitexp.git.transport import Options
from gitexp.record.pointer import Pointer
from gitexp.store import objects
from gitexp.store.workspace import Workspace
from tests import support


def depot(workspace: Workspace) -> FolderDepot:
    opened = lfs.open(workspace.repo, "origin", Options(), "upload")
    assert isinstance(opened, FolderDepot)
    return opened


def kept(workspace: Workspace, count: int = 1) -> list[Pointer]:
    return [objects.put_bytes(workspace, os.urandom(200_000)) for _ in range(count)]


def stored(bare: Path) -> dict[str, Path]:
    return {path.name: path for path in (bare / "lfs/objects").rglob("*") if path.is_file()}


def test_objects_are_linked_there_and_copied_back(ours: Workspace, bare: Path, tmp_path: Path) -> None:
    items, told, came = kept(ours, 20), list[int](), dict[str, bytes]()
    there = depot(ours)
    assert there.lacks(items) == items
    assert there.send(items, lambda item: objects.place(ours, item.sha256), told.append) == []
    assert sum(told) == 20 * 200_000
    assert there.lacks(items) == []
    for item in items:
        assert stored(bare)[item.sha256].samefile(objects.place(ours, item.sha256))

    def arrive(item: Pointer, path: Path) -> None:
        assert not path.samefile(stored(bare)[item.sha256])
        came[item.sha256] = path.read_bytes()
        path.unlink()

    assert there.bring(items, arrive, tmp_path / "parts", told.append) == []
    assert set(came) == set(stored(bare)) == {item.sha256 for item in items}
    assert there.drop(items[:5]) == []
    assert there.lacks(items) == items[:5]
    assert all(objects.path(ours, item.sha256) for item in items)


def test_on_another_file_system_they_are_copied(ours: Workspace, bare: Path, tmp_path: Path) -> None:
    with support.small_disk(bare / "lfs", "10m"):
        (item,) = kept(ours)
        assert depot(ours).send([item], lambda item: objects.place(ours, item.sha256), lambda count: None) == []
        path = stored(bare)[item.sha256]
        assert path.read_bytes() == objects.place(ours, item.sha256).read_bytes()
        assert path.stat().st_mode & 0o777 == 0o444


def test_a_full_disk_leaves_nothing_half_there(ours: Workspace, bare: Path) -> None:
    with support.small_disk(bare / "lfs", "300k"):
        items = kept(ours, 3)
        failures = depot(ours).send(items, lambda item: objects.place(ours, item.sha256), lambda count: None)
        assert len(failures) == 2
        assert all("No space left on device" in failure.why for failure in failures)
        assert [path.stat().st_size for path in stored(bare).values()] == [200_000]


def test_damaged_objects_go_neither_there_nor_here(ours: Workspace, bare: Path, tmp_path: Path) -> None:
    whole, bad, gone = kept(ours, 3)
    there, none = depot(ours), lambda count: None
    path = objects.place(ours, bad.sha256)
    path.chmod(0o644)
    path.write_bytes(b"?" * 200_000)
    (failure,) = there.send([whole, bad], lambda item: objects.place(ours, item.sha256), none)
    assert failure.item == bad and "gitexp fsck" in failure.why
    assert set(stored(bare)) == {whole.sha256}
    stored(bare)[whole.sha256].unlink()
    support.write(bare / "lfs/objects" / whole.sha256[:2] / whole.sha256[2:4] / whole.sha256, b"?" * 200_000)
    failures = there.bring([whole, gone], lambda item, path: pytest.fail("it arrived"), tmp_path / "parts", none)
    assert [(failure.item, failure.missing) for failure in failures] == [(whole, False), (gone, True)]
    assert list((tmp_path / "parts").iterdir()) == []


def test_a_store_that_a_group_shares_stays_shared(ours: Workspace, bare: Path) -> None:
    bare.chmod(0o2770)
    assert depot(ours).send(kept(ours), lambda item: objects.place(ours, item.sha256), lambda count: None) == []
    for folder in (bare / "lfs", bare / "lfs/objects", *(bare / "lfs/objects").glob("*/*")):
        assert folder.stat().st_mode & 0o7777 == 0o2770
