"""What differs between the artifacts of two runs."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from gitexp.errors import NotFound
from gitexp.ops.files import contents
from gitexp.ops.files.contents import ADDED, CHANGED, REMOVED, Change
from gitexp.store import objects as large
from tests import recording


def png(width: int, height: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "PNG")
    return file.getvalue()


def parquet(**columns: list[object]) -> bytes:
    import pyarrow
    from pyarrow import parquet as files

    file = io.BytesIO()
    files.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def changes(project: Path, old: dict[str, bytes], new: dict[str, bytes], *patterns: str) -> dict[str, Change]:
    a = recording.record(project, "a", artifacts=old)
    b = recording.record(project, "b", artifacts=new)
    return {change.name: change for change in contents.difference(a.workspace, a, b, patterns).changes}


def test_files_are_added_removed_changed_or_equal(project: Path) -> None:
    a = recording.record(project, "a", artifacts={"gone": b"1", "same": b"2", "big": b"3" * 200_000, "x": b"a"})
    b = recording.record(project, "b", artifacts={"new": b"1", "same": b"2", "big": b"3" * 200_000, "x": b"b"})
    found = contents.difference(a.workspace, a, b)
    assert {change.name: change.what for change in found.changes} == {"gone": REMOVED, "new": ADDED, "x": CHANGED}
    assert found.equal == 2
    assert [change.name for change in contents.difference(a.workspace, a, b, ["n*"]).changes] == ["new"]
    with pytest.raises(NotFound):
        contents.difference(a.workspace, a, b, ["nix"])


def test_text_is_shown_as_git_shows_it(project: Path) -> None:
    found = changes(project, {"a.txt": b"one\ntwo\nthree\n"}, {"a.txt": b"one\n2\nthree\n"})
    assert found["a.txt"].lines == "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"


def test_large_text_is_shown_and_bytes_are_not(project: Path) -> None:
    body, noise = b"line\n" * 50_000, os.urandom(200_000)
    found = changes(project, {"a.txt": body, "b.bin": noise}, {"a.txt": body + b"end\n", "b.bin": noise + b"\0"})
    assert "+end\n" in found["a.txt"].lines
    assert found["b.bin"].lines == ""


def test_images_tell_their_size(project: Path) -> None:
    found = changes(project, {"a.png": png(4, 3), "b.png": b"none"}, {"a.png": png(8, 3), "b.png": b"neither"})
    assert found["a.png"].images == ((4, 3, "RGB"), (8, 3, "RGB"))
    assert found["b.png"].why == "an image does not open"


def test_tables_tell_rows_columns_and_types(project: Path) -> None:
    found = changes(
        project,
        {"t.csv": b"id,x\n1,2\n", "p.parquet": parquet(id=[1, 2], x=[1.5, 2.5])},
        {"t.csv": b"id,x,y\n1,2.5,a\n2,3.5,b\n", "p.parquet": parquet(id=[1], x=["a"])},
    )
    csv, columns = found["t.csv"].tables, found["p.parquet"].tables
    assert csv is not None
    assert columns is not None
    assert [(side.rows, side.columns, side.schema) for side in csv] == [
        (1, 2, {"id": "int", "x": "int"}),
        (2, 3, {"id": "int", "x": "float", "y": "text"}),
    ]
    assert [(side.rows, side.schema["x"]) for side in columns] == [(2, "double"), (1, "string")]


def test_a_table_that_cannot_be_read_is_no_end_of_the_comparison(project: Path) -> None:
    found = changes(project, {"p.parquet": b"none"}, {"p.parquet": b"neither"})
    assert found["p.parquet"].why


def test_bytes_that_are_not_here_are_compared_by_size_and_hash(project: Path) -> None:
    a = recording.record(project, "a", artifacts={"a.txt": b"1\n" * 100_000})
    b = recording.record(project, "b", artifacts={"a.txt": b"2\n" * 100_000})
    large.place(a.workspace, str(a.artifacts[0].sha256)).unlink()
    (change,) = contents.difference(a.workspace, a, b).changes
    assert change.why == f"not here: gitexp get {a.id[:7]}:a.txt"
    assert change.to_json()["sizes"] == [200_000, 200_000]


def test_nothing_is_left_behind(project: Path) -> None:
    changes(project, {"a.txt": b"1"}, {"a.txt": b"2"})
    tmp = project / ".git/gitexp/tmp"
    assert not tmp.exists() or list(tmp.iterdir()) == []
