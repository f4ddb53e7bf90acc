"""Packs as Git itself reads them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitexp.git import discover, objects, packs
from tests import support


def blobs() -> list[bytes]:
    return [b"", b"x", b"line\n" * 5000, os.urandom(70_000), *(b"%d" % number for number in range(300))]


def test_git_reads_every_blob_of_an_installed_pack(project: Path, tmp_path: Path) -> None:
    repo = discover.find(project)
    with packs.Writer(tmp_path / "aside") as writer:
        oids = {writer.add(data): data for data in [*blobs(), b"x"]}
        assert len(writer) == len(oids)
        pack = writer.finish()
    packs.install(repo, pack)
    packs.install(repo, pack)
    for oid, data in oids.items():
        assert objects.read_blob(repo, oid) == data == packs.read(pack, oid)
    assert support.git(project, "hash-object", "--stdin", input="x") in oids
    support.git(project, "verify-pack", f".git/objects/pack/{pack.name}")
    support.git(project, "fsck", "--strict", "--full")
    assert "\ngarbage: 0\n" in support.git(project, "count-objects", "-v")


def test_equal_blobs_make_the_same_pack(tmp_path: Path) -> None:
    names = []
    for folder in ("one", "two"):
        with packs.Writer(tmp_path / folder) as writer:
            for data in (b"a", b"b"):
                writer.add(data)
            names.append(writer.finish().name)
    assert names[0] == names[1]


def test_a_pack_that_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), packs.Writer(tmp_path) as writer:
        writer.add(b"data")
        print(1 / 0)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_half_pack(tmp_path: Path) -> None:
    with support.small_disk(tmp_path / "disk", "2m") as disk:
        with pytest.raises(OSError, match="No space"), packs.Writer(disk / "packs") as writer:
            for _ in range(100):
                writer.add(os.urandom(50_000))
            writer.finish()
        assert list((disk / "packs").iterdir()) == []
