"""An entry of data.json, written and read."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gitexp.record import dataset
from gitexp.record.dataset import Column, Dataset

WHOLE = Dataset(
    name="train",
    role="training",
    uri="data/train.csv",
    sha256="ab" * 32,
    size_bytes=10,
    files=1,
    rows=2,
    schema=(Column("lr", "float", 0), Column("who", "text")),
    profile={"rows": 2, "columns": [{"name": "lr", "min": float("-inf")}]},
    source={"kind": "dvc", "md5": "00"},
    metadata={"licence": "CC0"},
    stored=True,
    artifact="data/train.csv",
    changed=("a",),
    left_out=({"path": "s", "reason": "a socket"},),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_an_entry_comes_back() -> None:
    assert Dataset.from_json(WHOLE.to_json()) == WHOLE
    assert "unread" not in WHOLE.to_json() and Dataset("x").to_json() == {"name": "x", "stored": False}


def test_the_first_records_are_read() -> None:
    old = {"name": "train", "role": "train", "uri": "s3://b/x", "sha256": "0" * 64, "rows": 5, "bytes": 7, "files": 1}
    found = Dataset.from_json(old)
    assert (found.size_bytes, found.rows, found.files, found.key) == (7, 5, 1, "0" * 64)
    assert Dataset.from_json({"uri": "s3://b/x"}).name == "s3://b/x"


def test_the_file_is_canonical_and_by_name() -> None:
    text = dataset.encode([{"name": "b"}, WHOLE.to_json(), {"name": "a"}])
    assert [item["name"] for item in json.loads(text)] == ["a", "b", "train"]
    assert b'"-Infinity"' in text and text.endswith(b"\n")


def test_of_one_name_the_last_is_kept() -> None:
    merged = dataset.merge([{"name": "a", "rows": 1}, 3, "x"], [{"name": "a", "rows": 2}, {"uri": "b"}])
    assert merged == [{"name": "a", "rows": 2}, {"uri": "b"}]


@given(st.dictionaries(st.sampled_from(list(WHOLE.to_json())), JSON))
def test_any_json_is_an_entry_or_a_part_of_one(item: dict[str, Any]) -> None:
    found = Dataset.from_json(item)
    assert found.name and isinstance(found.key, str)
    assert Dataset.from_json(found.to_json()).sha256 == found.sha256


def test_what_tells_data_apart_is_the_hash_else_the_version_else_the_etag() -> None:
    assert WHOLE.key == "ab" * 32
    assert Dataset("x", source={"etag": '"e"', "version": "3"}).key == "3"
    assert Dataset("x", uri="s3://b/x").key == ""
