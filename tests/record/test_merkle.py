"""The hash of a folder: the same for the same names and contents, another for any other."""

from __future__ import annotations

import hashlib
import random
import unicodedata

from hypothesis import assume, given
from hypothesis import strategies as st

from gitexp.record import merkle
from gitexp.record.merkle import FOLDER, LINK, Leaf

PART = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=6)
PATH = st.lists(PART, min_size=1, max_size=4).map("/".join)
HASH = st.integers(0, 3).map(lambda number: hashlib.sha256(bytes([number])).hexdigest())


def tree(found: dict[str, str]) -> str:
    return merkle.root(Leaf(path, sha256) for path, sha256 in found.items())


def is_tree(paths: list[str]) -> bool:
    """Say whether paths can stand in one folder: no file is a folder too, no two names are one."""
    normal = [unicodedata.normalize("NFC", path) for path in paths]
    above = {"/".join(path.split("/")[:at]) for path in normal for at in range(1, path.count("/") + 1)}
    return len(set(normal)) == len(normal) and not above & set(normal)


TREES = st.dictionaries(PATH, HASH, max_size=8).filter(lambda found: is_tree(list(found)))


@given(TREES, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(found: dict[str, str], chance: random.Random) -> None:
    leaves = [Leaf(path, sha256) for path, sha256 in found.items()]
    mixed = leaves[:]
    chance.shuffle(mixed)
    assert merkle.root(leaves) == merkle.root(mixed)


@given(TREES, TREES)
def test_two_folders_have_one_hash_only_if_they_hold_the_same(one: dict[str, str], other: dict[str, str]) -> None:
    normal = [{unicodedata.normalize("NFC", path): sha256 for path, sha256 in found.items()} for found in (one, other)]
    assert (tree(one) == tree(other)) == (normal[0] == normal[1])


@given(TREES.filter(bool), st.data())
def test_any_change_of_a_name_or_of_content_is_another_hash(found: dict[str, str], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(found)))
    before = tree(found)
    assert tree({**found, path: "f" * 64}) != before
    assert tree({key: value for key, value in found.items() if key != path}) != before
    renamed = {key: value for key, value in found.items() if key != path} | {path + "x": found[path]}
    assume(is_tree(list(renamed)))
    assert tree(renamed) != before
    deeper = {f"inner/{key}": value for key, value in found.items()}
    assert tree(deeper) != before


@given(TREES)
def test_unicode_forms_are_one_name(found: dict[str, str]) -> None:
    apart = {unicodedata.normalize("NFD", path): sha256 for path, sha256 in found.items()}
    assume(len(apart) == len(found))
    assert tree(apart) == tree(found)


def test_a_link_is_no_file_and_bytes_that_are_no_utf8_are_a_name() -> None:
    sha256 = hashlib.sha256(b"x").hexdigest()
    assert merkle.root([Leaf("a", sha256)]) != merkle.root([Leaf("a", sha256, LINK)])
    assert merkle.normal("\udcff") == b"\xff"


def test_the_definition_gives_these_bytes() -> None:
    """docs/format.md, "Datasets": other implementations get the same."""
    one, two = hashlib.sha256(b"one").hexdigest(), hashlib.sha256(b"two").hexdigest()
    inner = hashlib.sha256(b"gitexp folder\0" + f"file {two} b\0".encode()).hexdigest()
    whole = hashlib.sha256(b"gitexp folder\0" + f"{FOLDER} {inner} a\0file {one} z\0".encode()).hexdigest()
    assert merkle.root([Leaf("z", one), Leaf("a/b", two)]) == whole
    assert merkle.root([]) == hashlib.sha256(b"gitexp folder\0").hexdigest()


def test_paths_of_thousands_of_parts_are_hashed() -> None:
    deep = "/".join(["d"] * 3000)
    assert merkle.root([Leaf(deep, "0" * 64)]) != merkle.root([Leaf(deep + "/e", "0" * 64)])
