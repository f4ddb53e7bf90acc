"""Tables in files: rows, types, missing values and profiles, of good files and of bad ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.capture import profile, tables
from gitexp.capture.profile import Sample
from tests import support


def read(path: Path) -> Sample:
    found = tables.read(path)
    assert found is not None
    return found


def types(found: Sample) -> dict[str, str]:
    return {column.name: column.dtype for column in profile.schema(found)}


def column(found: Sample, name: str) -> dict[str, Any]:
    return next(item for item in profile.describe(found)["columns"] if item["name"] == name)


CSV = 'id,lr,who,ok,day,gap\n1,0.5,"Ruiz, Ana",true,2026-01-02,\n2,NA,Bo,False,2026-01-03,\n3,1e3,Bo,true,,\n'


def test_a_csv_tells_types_missing_values_and_how_they_lie(tmp_path: Path) -> None:
    found = read(support.write(tmp_path / "t.csv", CSV))
    assert found.rows == found.looked_at == 3
    assert types(found) == {"id": "int", "lr": "float", "who": "text", "ok": "bool", "day": "date", "gap": "empty"}
    assert [item.missing for item in profile.schema(found)] == [0, 1, 0, 0, 1, 3]
    assert column(found, "lr") == {"name": "lr", "min": 0.5, "max": 1000.0, "mean": 500.25, "distinct": 2}
    assert column(found, "who") == {"name": "who", "distinct": 2, "top": [["Bo", 2]]}
    assert column(found, "day")["min"] == "2026-01-02"
    assert "sampled" not in profile.describe(found)


@pytest.mark.parametrize(
    ("name", "content", "names", "rows"),
    [
        ("t.tsv", "a\tb\n1\t2\n", ["a", "b"], 1),
        ("t.csv", "a;b\n1;2\n", ["a", "b"], 1),
        ("t.csv", "\ufeffa,b\r\n1,2\r\n\r\n3,4", ["a", "b"], 2),
        ("t.csv", "1,2\n3,4\n", ["0", "1"], 2),
        ("t.csv", "a,b\n", ["a", "b"], 0),
        ("t.csv", "", [], 0),
        ("t.csv", 'a,b\n"x\ny",2\n', ["a", "b"], 1),
        ("t.CSV", "a,a\n1,2\n", ["a", "a"], 1),
    ],
)
def test_forms_of_csv(tmp_path: Path, name: str, content: str, names: list[str], rows: int) -> None:
    found = read(support.write(tmp_path / name, content))
    assert ([item.name for item in found.fields], found.rows) == (names, rows)


def test_ragged_rows_and_other_encodings_are_said(tmp_path: Path) -> None:
    ragged = read(support.write(tmp_path / "r.csv", "a,b\n1\n1,2,3\n4,5\n"))
    assert ragged.said == {"ragged": 2} and ragged.rows == 3
    western = read(support.write(tmp_path / "w.csv", "straße,ß\nä,1\n".encode("cp1252")))
    assert western.said == {"encoding": "cp1252"} and western.fields[0].name == "straße"
    wide = read(support.write(tmp_path / "u.csv", "a,b\n1,2\n".encode("utf-16")))
    assert wide.said == {"encoding": "utf-16"} and wide.rows == 1
    binary = read(support.write(tmp_path / "b.csv", bytes(range(256)) * 10))
    assert binary.rows is not None


def test_a_large_csv_is_sampled_and_counted_to_the_end(tmp_path: Path) -> None:
    rows = 70_000
    text = "id,say\n" + "".join(f'{at},"line ""{at}""\nand more"\n' for at in range(rows))
    for path in (support.write(tmp_path / "t.csv", text), tmp_path / "t.csv.gz"):
        if path.suffix == ".gz":
            path.write_bytes(gzip.compress(text.encode(), 1))
        found = read(path)
        assert (found.rows, found.looked_at) == (rows, 50_000)
        assert profile.describe(found)["sampled"] == "first"
        assert profile.schema(found)[0].missing is None and column(found, "id")["missing"] == 0
        assert column(found, "id")["distinct"] == 1000 and column(found, "id")["more"]


LINE = st.sampled_from(["a,b", '"x\ny",1', '"p""q",2', "", "1,2", '"",'])


@given(lines=st.lists(LINE, max_size=30), ended=st.booleans(), block=st.integers(1, 7))
def test_lines_are_counted_as_the_csv_reader_counts_them(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], ended: bool, block: int
) -> None:
    import csv
    import io

    text = "\n".join(lines) + ("\n" if ended else "")
    path = support.write(tmp_path_factory.mktemp("count") / "t.csv", text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "_BLOCK_BYTES", block)
        assert tables._count(path, quoted=True) == sum(1 for record in csv.reader(io.StringIO(text)) if record)


def test_ten_thousand_columns_are_bounded(tmp_path: Path) -> None:
    names = ",".join(f"c{at}" for at in range(12_000))
    text = names + "\n" + (",".join(["1"] * 12_000) + "\n") * 3
    found = read(support.write(tmp_path / "t.csv", text))
    assert found.columns == 12_000 and len(profile.schema(found)) == 10_000
    said = profile.describe(found)
    assert len(said["columns"]) == 1000 and said["columns_cut"] == 9000


def test_json_lines_tell_their_columns(tmp_path: Path) -> None:
    lines = [{"a": 1, "b": "x"}, {"a": 2.5, "c": [1]}, {"b": None}]
    text = "\n".join(map(json.dumps, lines)) + "\n{broken\n\n"
    found = read(support.write(tmp_path / "t.jsonl", text))
    assert types(found) == {"a": "float", "b": "text", "c": "list"}
    assert found.rows == 4 and found.said == {"bad": 1}
    assert types(read(support.write(tmp_path / "n.ndjson", "1\n[2]\n"))) == {"value": "mixed"}
    assert read(support.write(tmp_path / "d.jsonl", "[" * 100_000)).said == {"bad": 1}


def test_parquet_tells_rows_and_missing_values_without_reading_all(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    path = tmp_path / "t.parquet"
    table = pyarrow.table({"a": [1, None, 3] * 30_000, "b": ["x", "y", None] * 30_000})
    parquet.write_table(table, path, row_group_size=1000)
    found = read(path)
    assert (found.rows, found.looked_at) == (90_000, 50_000)
    assert types(found) == {"a": "int64", "b": "string"}
    assert [item.missing for item in profile.schema(found)] == [30_000, 30_000]
    for content in (b"", b"PAR1 no", path.read_bytes()[:-9]):
        with pytest.raises(tables.Unreadable):
            tables.read(support.write(tmp_path / "bad.parquet", content))


def test_numpy_arrays_tell_their_shape_and_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(12, dtype="float32").reshape(4, 3))
    found = read(tmp_path / "a.npy")
    assert found.rows == 4 and types(found) == {"values": "float32[3]"}
    assert column(found, "values")["max"] == 11.0
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    for path in (tmp_path / "o.npy", support.write(tmp_path / "bad.npy", "no array")):
        with pytest.raises(tables.Unreadable):
            tables.read(path)
    np.save(tmp_path / "s.npy", np.float64(3))
    assert read(tmp_path / "s.npy").rows == 1


def test_secrets_among_values_are_not_recorded(tmp_path: Path) -> None:
    token = "ghp_" + "a1B2" * 9
    found = read(support.write(tmp_path / "t.csv", f"k\n{token}\n{token}\n"))
    assert column(found, "k")["top"] == [["[redacted]", 2]]


def test_numbers_beyond_all_floats_have_a_profile(tmp_path: Path) -> None:
    found = read(support.write(tmp_path / "t.csv", f"a\n{10**400}\n1\n"))
    assert column(found, "a")["max"] == float("inf") and column(found, "a")["min"] == 1
    endless = read(support.write(tmp_path / "i.csv", "a\ninf\n-inf\n1.5\n"))
    assert column(endless, "a")["mean"] == 1.5
