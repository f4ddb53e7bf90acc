"""Artifact names: any name is kept, and what is stored is harmless everywhere."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.errors import UsageError
from gitexp.record import names

parts = (
    st.one_of(
        st.text(min_size=1, max_size=12),
        st.text(alphabet='aA.%~ \\:<>"|?*\x00\n\x7f', min_size=1, max_size=6),
        st.sampled_from(
            [".git", ".GIT", "git~1", ".g\u200cit", "CON", "nul.txt", "COM1", "LPT9.x", "aux", "e\u0301", "é"]
        ),
        st.integers(1, 600).map(lambda count: "x" * count),
    )
    .map(lambda part: part.replace("/", "-"))
    .filter(lambda part: part not in (".", ".."))
)
paths = st.lists(parts, min_size=1, max_size=3).map("/".join)


@given(paths)
def test_what_is_stored_is_harmless_to_every_file_system_and_to_git(name: str) -> None:
    stored = names.encode(name)
    assert stored.count("/") == name.count("/")
    for part in stored.split("/"):
        assert 0 < len(part.encode()) <= 220
        assert part not in ("", ".", "..")
        assert not re.search(r'[\x00-\x1f\x7f<>:"|?*\\]', part)
        assert not part.endswith((".", " "))
        assert unicodedata.normalize("NFC", part) == part
        assert not re.match(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", part, re.IGNORECASE)
        hfs = re.sub("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]", "", part).lower()
        assert not re.match(r"\.git|git~\d", hfs)
        assert not re.match(r"\.git|git~\d", unicodedata.normalize("NFKC", hfs), re.IGNORECASE)


@given(paths.filter(lambda name: len(name) < 100))
def test_a_short_name_comes_back_from_what_is_stored(name: str) -> None:
    if not any(0xD800 <= ord(c) < 0xE000 for c in name):
        assert names.decode(names.encode(name)) == name


@given(st.lists(paths, max_size=8))
def test_names_are_kept_apart_where_case_is_ignored_and_no_file_is_anothers_folder(given_names: list[str]) -> None:
    stored = names.encode_all(given_names)
    assert stored.keys() == set(given_names)
    folded = {path.casefold() for path in stored.values()}
    assert len(folded) == len(stored)
    folders = {path[: at.start()] for path in folded for at in re.finditer("/", path)}
    assert not folders & folded


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("model.pt", "model.pt"),
        ("plots/loss curve.png", "plots/loss curve.png"),
        ("größe/模型.bin", "größe/模型.bin"),
        ("100%", "100%25"),
        ("a:b", "a%3Ab"),
        ("back\\slash", "back%5Cslash"),
        ("new\nline", "new%0Aline"),
        (".git/config", "%2Egit/config"),
        (".gitattributes", "%2Egitattributes"),
        ("GIT~1", "%47IT~1"),
        ("con.txt", "%63on.txt"),
        ("NUL", "%4EUL"),
        ("dot.", "dot%2E"),
        ("space ", "space%20"),
        ("e\u0301", "e%CC%81"),
        ("...", "..%2E"),
    ],
)
def test_a_name_is_stored_readably(name: str, stored: str) -> None:
    assert names.encode(name) == stored
    assert names.decode(stored) == name


def test_a_long_name_is_cut_and_told_apart_by_its_digest() -> None:
    one, other = names.encode("x" * 300 + "1"), names.encode("x" * 300 + "2")
    assert one != other
    assert len(one) == len(other) < 255


def test_names_that_differ_in_case_stay_apart() -> None:
    assert names.encode_all(["Model.pt", "model.pt", "MODEL.PT"]) == {
        "MODEL.PT": "MODEL.PT",
        "Model.pt": "%4Dodel.pt",
        "model.pt": "model.pt%7E" + names.encode_all(["Model.pt", "model.pt"])["model.pt"][-8:],
    }


def test_a_file_and_a_folder_of_one_name_stay_apart() -> None:
    stored = names.encode_all(["model", "model/weights.bin"])
    assert stored["model/weights.bin"] == "model/weights.bin"
    assert re.fullmatch(r"model%7E[0-9a-f]{8}", stored["model"])


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a/.", "x" * 4001])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        names.encode(name)


@pytest.mark.parametrize(
    "stored, real, name",
    [
        ("a", "the real one", "the real one"),
        ("a%3Ab", None, "a:b"),
        ("a", "../up", "a"),
        ("a", "/etc/passwd", "a"),
        ("%2E%2E/x", None, "%2E%2E/x"),
        ("%2Fetc", "", "%2Fetc"),
        ("../x", None, None),
        ("/x", "a/./b", None),
    ],
)
def test_a_stored_name_is_never_read_as_a_place_outside(stored: str, real: str | None, name: str | None) -> None:
    assert names.read(stored, real) == name


def test_a_name_has_a_bounded_number_of_parts() -> None:
    assert names.check("/".join("a" * names.MAX_PARTS))
    with pytest.raises(UsageError, match="201 parts"):
        names.check("/".join("a" * (names.MAX_PARTS + 1)))
