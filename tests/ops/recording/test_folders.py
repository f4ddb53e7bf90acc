"""What of a folder is kept: links inside of it, no loops, nothing from outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitexp.errors import UsageError
from gitexp.ops.recording import folders
from tests import support


def listed(top: Path) -> tuple[list[str], list[str], dict[str, str]]:
    troubles: dict[str, str] = {}
    found = folders.listing(top, lambda what, why: troubles.update({os.path.relpath(what, top): why}))
    return [file.below for file in found.files], found.empty, troubles


def test_links_inside_of_a_folder_are_followed_and_others_are_not(tmp_path: Path) -> None:
    top = tmp_path / "out"
    support.write(top / "data/a.txt", "a")
    support.write(tmp_path / "secret", "s")
    (top / "file").symlink_to("data/a.txt")
    (top / "folder").symlink_to("data")
    (top / "outside").symlink_to("../secret")
    (top / "up").symlink_to("..")
    (top / "broken").symlink_to("gone")
    files, empty, troubles = listed(top)
    assert files == ["file", "data/a.txt", "folder/a.txt"]
    assert empty == []
    assert troubles == {
        "outside": "is a link to outside of the folder",
        "up": "is a link to outside of the folder",
        "broken": "no such file or directory",
    }


def test_loops_of_links_end(tmp_path: Path) -> None:
    support.write(tmp_path / "a/x", "x")
    support.write(tmp_path / "b/y", "y")
    (tmp_path / "a/self").symlink_to(".")
    (tmp_path / "a/top").symlink_to("..")
    (tmp_path / "a/b").symlink_to("../b")
    (tmp_path / "b/a").symlink_to("../a")
    (tmp_path / "loop").symlink_to("loop")
    files, _, troubles = listed(tmp_path)
    assert sorted(files) == ["a/b/y", "a/x", "b/a/x", "b/y"]
    assert troubles["a/self"] == troubles["b/a/b"] == "is a link to a folder that it lies in"
    assert "too many levels" in troubles["loop"]


def test_a_folder_that_is_itself_reached_by_a_link_is_listed(tmp_path: Path) -> None:
    support.write(tmp_path / "real/a", "a")
    (tmp_path / "real/b").symlink_to("a")
    (tmp_path / "link").symlink_to("real")
    assert listed(tmp_path / "link")[0] == ["a", "b"]


def test_names_of_any_bytes_are_listed(tmp_path: Path) -> None:
    for name in (b"\xff\xfe", "größe".encode(), b"new\nline", b"back\\slash"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    assert len(listed(tmp_path)[0]) == 4


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        support.write(tmp_path / str(number), "")
    monkeypatch.setattr(folders, "MAX_FILES", 4)
    with pytest.raises(UsageError, match="more than 4 files"):
        listed(tmp_path)
