"""What files and folders of data are: hashes that only content decides, and whatever stands in the way said."""

from __future__ import annotations

import hashlib
import os
import random
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.capture import data, folder
from gitexp.capture.data import Hashed
from gitexp.record import merkle, pointer
from gitexp.record.dataset import Dataset
from gitexp.record.merkle import Leaf
from gitexp.record.pointer import Pointer
from tests import support


def hashed(path: Path) -> Hashed:
    content = path.read_bytes()
    return Hashed(hashlib.sha256(content).hexdigest(), len(content))


def read(path: Path, *, follow: bool = False) -> Dataset:
    return data.read(path, Dataset("x"), hashed, follow=follow)


def make(top: Path, **files: str) -> Path:
    for name, content in files.items():
        support.write(top / name.replace("__", "/"), content)
    return top


def test_a_folder_has_the_hash_of_its_content_not_of_times_and_modes(tmp_path: Path) -> None:
    one = read(make(tmp_path / "one", a="1", sub__b="2"))
    other = make(tmp_path / "other", sub__b="2", a="1")
    (other / "a").chmod(0o600)
    os.utime(other / "a", (1, 1))
    (other / "empty/deep").mkdir(parents=True)
    assert one.sha256 == read(other).sha256
    assert (one.files, one.size_bytes) == (2, 2)
    support.write(other / "c", "")
    assert one.sha256 != read(other).sha256


NAMES = st.text("aäÄZ.-_ é\u0301", min_size=1, max_size=4).filter(lambda name: name.strip(".") != "")
TREE = st.dictionaries(st.tuples(NAMES, NAMES), st.tuples(st.binary(max_size=3), st.integers(0, 2**31)), max_size=5)


@given(found=TREE, chance=st.randoms(use_true_random=False))
def test_real_folders_have_one_hash_in_whatever_order_time_and_mode(
    tmp_path_factory: pytest.TempPathFactory, found: dict[tuple[str, str], tuple[bytes, int]], chance: random.Random
) -> None:
    wanted = merkle.root(
        Leaf("/".join(path), hashlib.sha256(content).hexdigest()) for path, (content, _) in found.items()
    )
    top = tmp_path_factory.mktemp("tree")
    for path in chance.sample(sorted(found), len(found)):
        content, seconds = found[path]
        file = support.write(top.joinpath(*path), content)
        file.chmod(chance.choice([0o600, 0o644, 0o755]))
        os.utime(file, (seconds, seconds))
    assert read(top).sha256 == wanted


def test_links_inside_count_as_what_they_mean(tmp_path: Path) -> None:
    plain = make(tmp_path / "plain", a="1", again="1", sub__b="2", twin__b="2")
    linked = make(tmp_path / "linked", a="1", sub__b="2")
    (linked / "again").symlink_to("a")
    (linked / "twin").symlink_to("sub")
    assert read(plain).sha256 == read(linked).sha256


def test_links_in_circles_and_to_nowhere_end(tmp_path: Path) -> None:
    top = make(tmp_path / "top", a="1")
    (top / "self").symlink_to(".")
    (top / "loop").symlink_to("loop")
    (top / "gone").symlink_to("nothing")
    found = folder.walk(top)
    assert sorted(found.links) == [("gone", "nothing"), ("loop", "loop"), ("self", ".")]
    assert read(top).sha256 is not None


def test_links_that_lead_outside_are_followed_only_when_asked(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside", secret="3")
    top = make(tmp_path / "top", a="1")
    (top / "out").symlink_to(outside / "secret")
    found, followed = read(top), read(top, follow=True)
    assert found.files == 1 and found.source["outside"] == 1
    assert followed.files == 2 and followed.sha256 != found.sha256 and "outside" not in followed.source
    make(outside, secret="4")
    assert read(top).sha256 == found.sha256
    assert read(top, follow=True).sha256 != followed.sha256


def test_sockets_and_pipes_are_left_out_and_said(tmp_path: Path) -> None:
    top = make(tmp_path / "top", a="1")
    before = read(top)
    os.mkfifo(top / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(top)
        server.bind("sock")
        found = read(top)
    assert found.sha256 == before.sha256
    assert [dict(item) for item in found.left_out] == [
        {"path": "pipe", "reason": "a pipe"}, {"path": "sock", "reason": "a socket"},
    ]  # fmt: skip
    assert read(top / "pipe").unread == "neither a file nor a folder"


def test_what_cannot_be_read_has_no_hash_and_a_reason(tmp_path: Path) -> None:
    top = make(tmp_path / "top", a="1", b="2")

    def refused(path: Path) -> Hashed:
        if path.name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return hashed(path)

    found = data.read(top, Dataset("x"), refused)
    assert found.sha256 is None and found.unread == "not all could be read: b: Permission denied"
    assert found.left_out == ({"path": "b", "reason": "Permission denied"},)
    assert read(tmp_path / "nothing").unread == "No such file or directory"


def test_a_file_that_vanishes_or_keeps_changing_is_said(tmp_path: Path) -> None:
    top = make(tmp_path / "top", a="1", b="2", c="3")

    def moving(path: Path) -> Hashed:
        if path.name == "b":
            raise FileNotFoundError(2, "No such file or directory")
        return Hashed("0" * 64, 1, path.name == "c")

    found = data.read(top, Dataset("x"), moving)
    assert found.changed == ("b (vanished)", "c")
    assert found.sha256 is not None


def test_an_lfs_pointer_counts_as_the_bytes_that_it_means(tmp_path: Path) -> None:
    content = b"the real bytes\n" * 100
    meant = Pointer(hashlib.sha256(content).hexdigest(), len(content))
    here, pointed = make(tmp_path / "here", a="1"), make(tmp_path / "pointed", a="1")
    support.write(here / "big", content)
    support.write(pointed / "big", pointer.encode(meant))
    assert read(here).sha256 == read(pointed).sha256
    assert read(pointed).size_bytes == read(here).size_bytes
    alone = read(pointed / "big")
    assert (alone.sha256, alone.size_bytes) == (meant.sha256, meant.size_bytes)
    assert alone.source == {"kind": "lfs"} and "git lfs pull" in alone.unread


def test_names_that_are_no_utf8_and_deep_folders_are_read(tmp_path: Path) -> None:
    top = make(tmp_path / "top", a="1")
    support.write(Path(os.fsdecode(os.fsencode(top) + b"/\xff\xfe")), "x")
    assert read(top).files == 2
    deep = top
    for _ in range(300):
        deep = deep / "d"
    deep.mkdir(parents=True)
    support.write(deep / "e", "x")
    assert read(top).files == 3


def test_parts_of_one_table_are_counted_together(tmp_path: Path) -> None:
    top = make(tmp_path / "top", a_csv="", b_csv="")
    for name, content in (("0.csv", "x,y\n1,2\n"), ("1.csv", "x,y\n3,4\n5,6\n"), ("2.csv", "x,z\n3,4\n")):
        support.write(top / name, content)
    (top / "a_csv").unlink()
    (top / "b_csv").unlink()
    found = read(top)
    assert found.rows == 4 and [column.name for column in found.schema] == ["x", "y"]
    assert found.profile["parts"] == 3 and found.profile["other_columns"] == 1
    assert found.profile["formats"] == {"csv": 3}


def test_a_folder_of_images_tells_sizes_and_classes(tmp_path: Path) -> None:
    from PIL import Image

    for name, size in (("cat/1.png", (4, 3)), ("cat/2.png", (4, 3)), ("dog/1.jpg", (8, 8))):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(path)
    support.write(tmp_path / "images/dog/2.jpg", "no image")
    found = read(tmp_path / "images")
    assert found.rows == 4
    assert found.profile == {
        "images": 4, "opened": 4, "sizes": [[4, 3, 2], [8, 8, 1]], "modes": {"RGB": 3},
        "formats": {"jpg": 2, "png": 2}, "damaged": 1, "classes": {"cat": 2, "dog": 2},
    }  # fmt: skip


def test_a_folder_that_changes_while_it_is_listed_is_read_all_the_same(tmp_path: Path) -> None:
    top = make(tmp_path / "top", a="1", sub__b="2")

    def removes(path: Path) -> Hashed:
        (top / "a").unlink(missing_ok=True)
        return hashed(path)

    found = data.read(top, Dataset("x"), removes)
    assert found.sha256 is not None


@pytest.mark.parametrize("empty", [True, False])
def test_an_empty_folder_has_a_hash(tmp_path: Path, empty: bool) -> None:
    top = tmp_path / "top"
    (top if empty else top / "inner").mkdir(parents=True)
    found = read(top)
    assert found.sha256 == hashlib.sha256(b"gitexp folder\0").hexdigest() and found.files == 0
