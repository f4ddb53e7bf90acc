"""run.json: what is read back, what is refused, what a later version may add."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp import ids
from gitexp.errors import Damaged, Unsupported
from gitexp.record import run
from gitexp.record.run import Parent, RunRecord

ID = "kqzvmxrlopnkqzvm"
RECORD = RunRecord(
    id=ID,
    experiment="churn",
    experiment_id=ids.experiment_id("churn"),
    name="baseline",
    status="completed",
    start_ms=1_763_000_000_123,
    end_ms=1_763_000_252_345,
    command=("python", "train.py", "--lr", "0.05"),
    exit_code=0,
    user={"name": "Ana Ruiz", "email": "ana@acme.io"},
    host="gpu01",
    seeds={"python": 42},
    tags={"owner": "ana"},
    description="a first try",
    parents=(Parent("code", "a" * 40),),
    code={"commit": "a" * 40, "dirty": False},
)

texts = st.text(max_size=10)
plain = st.dictionaries(
    texts, st.none() | st.booleans() | st.integers() | texts | st.lists(texts, max_size=2), max_size=3
)
letters = st.text(alphabet=ids.ALPHABET, min_size=16, max_size=16)
times = st.integers(0, 253_402_214_399_999)
commits = st.text(alphabet="0123456789abcdef", min_size=40, max_size=40)
records = st.builds(
    RunRecord,
    id=letters,
    experiment=texts.filter(bool),
    experiment_id=letters | st.just("0"),
    name=texts.filter(bool),
    status=st.sampled_from(run.STATUSES),
    start_ms=times,
    end_ms=st.none() | times,
    command=st.lists(texts, max_size=3).map(tuple),
    exit_code=st.none() | st.integers(-255, 255),
    error=st.none() | plain.filter(bool),
    user=plain,
    host=texts,
    seeds=plain,
    tags=st.dictionaries(texts, texts, max_size=2),
    description=texts,
    parent=st.none() | letters,
    forked_from=st.none() | letters,
    parents=st.lists(st.builds(Parent, texts, commits), max_size=2).map(tuple),
    code=plain,
    cost=st.none() | plain.filter(bool),
    lost=st.dictionaries(texts, st.integers(), max_size=2),
    names=st.dictionaries(texts, texts, max_size=2),
    extra=st.dictionaries(texts.map("x-".__add__), texts, max_size=2),
)


@given(records)
def test_any_record_comes_back_as_it_was_written(record: RunRecord) -> None:
    data = run.encode(record)
    assert run.decode(data) == record
    assert run.encode(run.decode(data)) == data


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | texts,
        lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
        max_leaves=4,
    ),
    st.sampled_from(sorted(RECORD.to_json())),
)
def test_a_foreign_value_of_any_key_is_read_or_damaged(value: Any, key: str) -> None:
    with suppress(Damaged, Unsupported):
        assert isinstance(RunRecord.from_json({**RECORD.to_json(), key: value}), RunRecord)


def test_the_file_is_canonical_and_leaves_out_what_is_not_known() -> None:
    small = RunRecord(ID, "default", "baseline", "running", 1_763_000_000_123)
    assert run.encode(small) == (
        b'{\n  "experiment": {\n    "id": "0",\n    "name": "default"\n  },\n  "format": 1,\n'
        b'  "id": "kqzvmxrlopnkqzvm",\n  "name": "baseline",\n  "start": "2025-11-13T02:13:20.123Z",\n'
        b'  "status": "running"\n}\n'
    )


def test_the_duration_is_in_the_file_and_comes_from_start_and_end() -> None:
    assert RECORD.to_json()["duration"] == RECORD.duration_seconds == 252.222
    assert replace(RECORD, end_ms=None).duration_seconds is None


def test_what_a_later_version_adds_is_kept() -> None:
    value = {**RECORD.to_json(), "energy": {"kWh": 0.2}}
    found = RunRecord.from_json(value)
    assert found.extra == {"energy": {"kWh": 0.2}}
    assert found.to_json() == value


def test_a_newer_format_is_not_read_by_guessing() -> None:
    with pytest.raises(Unsupported, match=r"^the record's format is 2, newer than 1") as caught:
        RunRecord.from_json({**RECORD.to_json(), "format": 2})
    assert caught.value.hint == "pip install -U gitexp"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", None), ("format", "1"), ("format", 0), ("format", -1),
        ("id", "deadbeef"), ("id", None), ("id", ID + "k"), ("id", "../../../etc/pass"),
        ("experiment", "churn"), ("experiment", None), ("experiment", {}),
        ("name", None), ("status", "finished"), ("status", []), ("start", None), ("start", "soon"), ("start", 5),
        ("end", "later"), ("command", 5), ("parents", 5), ("parents", ["a"]), ("parents", [{"role": "code"}]),
        ("code", []), ("code", "abc"), ("names", []), ("tags", "x"), ("host", 5), ("exit_code", "0"), ("parent", {}),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_meant_is_damaged(key: str, value: Any) -> None:
    broken = {**RECORD.to_json(), key: value}
    with pytest.raises(Damaged):
        RunRecord.from_json(broken)


@pytest.mark.parametrize("key", ["format", "id", "experiment", "name", "status", "start"])
def test_a_key_that_every_record_has_must_be_there(key: str) -> None:
    value = RECORD.to_json()
    del value[key]
    with pytest.raises(Damaged):
        RunRecord.from_json(value)


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{", b"\xff", b"[" * 200_000, b'{"a": NaN}'])
def test_what_is_no_record_is_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        run.decode(data)


def test_text_is_stored_as_utf8_and_lone_surrogates_survive() -> None:
    data = run.encode(replace(RECORD, name="größe 日本", description="lone \udc80"))
    assert "größe 日本".encode() in data
    assert run.decode(data).description == "lone \udc80"
    json.loads(data)
