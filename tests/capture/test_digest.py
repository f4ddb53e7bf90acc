"""Tables in memory: one content, one hash, whichever library holds it and however it lies there."""

from __future__ import annotations

import datetime as dt
import hashlib
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest

from gitexp.capture import digest, frames, profile

CONTENT: dict[str, list[Any]] = {
    "id": [1, 2, 3],
    "lr": [0.5, None, -0.25],
    "who": ["Ana", None, "größe"],
    "day": [dt.datetime(2026, 1, 2, 3, 4, 5), None, dt.datetime(1969, 1, 1)],
    "ok": [True, False, True],
    "raw": [b"\x00", b"", None],
    "tags": [["a"], [], None],
}


def of(value: Any) -> str:
    return digest.of_frame(frames.frame(frames.take(value)))


def pandas_frame() -> pd.DataFrame:
    return pd.DataFrame({**CONTENT, "lr": [0.5, np.nan, -0.25]})


def test_pandas_polars_and_arrow_have_one_hash() -> None:
    found = of(pandas_frame())
    assert of(pyarrow.table(CONTENT)) == found
    assert of(polars.DataFrame(CONTENT)) == found


def test_the_hash_does_not_depend_on_the_memory() -> None:
    frame = pandas_frame()
    found = of(frame)
    assert of(frame.astype({"id": "int8", "who": "category"})) == found
    assert of(frame.astype({"id": "Int64", "ok": "boolean", "lr": "Float64"})) == found
    assert of(frame.iloc[::-1].iloc[::-1]) == found
    assert of(pd.concat([frame.iloc[:1], frame.iloc[1:]])) == found
    assert of(frame.set_index(pd.Index([0, 1, 2]))) == found
    chunks = pyarrow.concat_tables([pyarrow.table(CONTENT).slice(0, 1), pyarrow.table(CONTENT).slice(1)])
    assert of(chunks) == found


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.rename(columns={"id": "id2"}),
        lambda frame: frame[list(reversed(frame.columns))],
        lambda frame: frame.iloc[::-1],
        lambda frame: frame.iloc[:2],
        lambda frame: frame.assign(id=[1, 2, 4]),
        lambda frame: frame.assign(id=[1.0, 2.0, 3.0]),
        lambda frame: frame.assign(id=["1", "2", "3"]),
        lambda frame: frame.assign(who=["Ana", "", "größe"]),
        lambda frame: frame.assign(who=["An", "a", "größe"]),
        lambda frame: frame.assign(tags=[["a"], [""], None]),
        lambda frame: frame.set_index("id"),
        lambda frame: frame.set_index(pd.Index([1, 2, 3])),
    ],
)
def test_any_change_of_content_is_another_hash(change: Any) -> None:
    assert of(change(pandas_frame())) != of(pandas_frame())


def test_the_definition_gives_these_bytes() -> None:
    """docs/format.md, "Datasets": other implementations get the same."""

    def sha(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    numbers = sha(b"column\0a\0int\0" + sha(b"\0\0") + sha(b"") + sha((1).to_bytes(8, "little") + b"\xff" * 8))
    lengths = (2).to_bytes(8, "little") + bytes(8)
    texts = sha(b"column\0b\0text\0" + sha(b"\0\1") + sha(lengths) + sha(b"hi"))
    wanted = hashlib.sha256(b"gitexp frame\x002\0" + numbers + texts).hexdigest()
    assert of(pd.DataFrame({"a": [1, -1], "b": ["hi", None]})) == wanted


def test_objects_whose_content_cannot_be_told_have_no_hash() -> None:
    with pytest.raises(digest.Unhashable, match="column 'x' holds values of type object"):
        of(pd.DataFrame({"x": [object()]}))
    with pytest.raises(digest.Unhashable, match="beyond the years"):
        of(pd.DataFrame({"x": np.array(["9999-01-01"], dtype="datetime64[s]")}))


def test_zones_many_blocks_and_odd_names_have_a_hash() -> None:
    moment = pd.Timestamp("2026-01-02", tz="UTC")
    one = pd.DataFrame({"t": [moment]})
    assert of(one) == of(one.assign(t=one.t.dt.tz_convert("Asia/Tokyo")))
    assert of(one) != of(one.assign(t=one.t.dt.tz_localize(None)))
    large = pd.DataFrame({"a": np.arange(150_000)})
    assert of(large) == of(pyarrow.table({"a": range(150_000)}))
    assert of(pd.DataFrame([[1, 2]])) == of(pd.DataFrame({"0": [1], "1": [2]}))
    assert len({of(pd.DataFrame()), of(pd.DataFrame({"a": []})), of(pd.DataFrame({"a": [1]}).iloc[:0])}) >= 2
    assert of(pd.DataFrame({"a": [2**63]}, dtype="uint64")) != of(pd.DataFrame({"a": [-(2**63)]}))
    assert of(pd.Series([1, 2], name="a")) == of(pd.DataFrame({"a": [1, 2]}))


def test_what_is_taken_stays_as_it_was() -> None:
    frame, array = pandas_frame(), np.arange(4)
    kept, copied = frames.take(frame), frames.take(array)
    before = digest.of_frame(frames.frame(kept))
    frame.loc[0, "id"] = 99
    frame["new"] = 1
    array[0] = 7
    assert digest.of_frame(frames.frame(kept)) == before
    assert list(copied) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="collect"):
        frames.take(polars.LazyFrame({"a": [1]}))


def test_arrays_have_a_hash_of_kind_shape_and_values() -> None:
    array = np.arange(6, dtype="int32").reshape(2, 3)
    found = digest.of_array(array)
    assert found == digest.of_array(np.asfortranarray(array.astype("int64")))
    assert found != digest.of_array(array.reshape(3, 2)) and found != digest.of_array(array.astype("float32"))
    for odd in (np.array([1j]), np.array(["a"])):
        with pytest.raises(digest.Unhashable):
            digest.of_array(odd)


@pytest.mark.parametrize("make", [pandas_frame, lambda: pyarrow.table(CONTENT), lambda: polars.DataFrame(CONTENT)])
def test_schema_and_profile_of_a_table_in_memory(make: Any) -> None:
    sample = frames.sample(frames.frame(frames.take(make())))
    assert [column.missing for column in profile.schema(sample)] == [0, 1, 1, 1, 0, 1, 1]
    said = {item["name"]: item for item in profile.describe(sample)["columns"]}
    assert said["id"] == {"name": "id", "min": 1, "max": 3, "mean": 2.0, "distinct": 3}
    assert said["lr"]["mean"] == 0.125 and said["tags"]["distinct"] == 2


def test_a_large_table_is_looked_at_all_over_it() -> None:
    frame = pd.DataFrame({"a": np.arange(200_000)})
    sample = frames.sample(frames.frame(frame))
    said = profile.describe(sample)
    assert (said["rows"], said["sampled"]) == (50_000, "spread")
    assert said["columns"][0]["max"] > 199_000 and profile.schema(sample)[0].missing == 0


def test_decimals_count_by_their_text_or_not_at_all() -> None:
    with pytest.raises(digest.Unhashable):
        of(pd.DataFrame({"x": [Decimal("1.5")]}))
