"""What `gitexp data` prints, and how it ends."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import gitexp
from tests import recording, support

CSV = "id,lr,who\n1,0.5,Ana\n2,0.25,Bo\n3,,Bo\n"


def record(**what: Any) -> str:
    with gitexp.start_run("churn") as run:
        for name, given in what.items():
            run.log_dataset(given, name)
    return run.id


@pytest.fixture
def two(project: Path) -> tuple[str, str]:
    """Record two runs that saw different data as `train`, and the same as `test`."""
    support.write(project / "train.csv", CSV)
    support.write(project / "test.csv", CSV)
    one = record(train="train.csv", test="test.csv")
    support.write(project / "train.csv", "id,lr,age\n1,9.5,3\n2,x,4\n5,,6\n6,1,7\n")
    return one, record(train="train.csv", test="test.csv")


def test_the_data_of_all_runs_is_listed_by_name_and_state(two: tuple[str, str]) -> None:
    one, other = (run_id[:7] for run_id in two)
    found = support.gitexp("data", "ls")
    cells = [line.split() for line in found.lines]
    assert cells[0] == ["NAME", "ROLE", "SHA256", "ROWS", "SIZE", "RUNS", "NEWEST", "AGE", "WHERE"]
    assert [(line[0], line[2], line[5], line[6], line[8]) for line in cells[1:]] == [
        ("test", "3", "2", other, "test.csv"),
        ("train", "4", "1", other, "train.csv"),
        ("train", "3", "1", one, "train.csv"),
    ]  # fmt: skip
    assert found.stderr == "runs saw different data as: train. Compare: gitexp data diff A B\n"
    listed = support.gitexp("data", "ls", "--json").json
    assert [(item["name"], item["runs"]) for item in listed] == [
        ("test", [two[1], two[0]]), ("train", [two[1]]), ("train", [two[0]]),
    ]  # fmt: skip
    assert support.gitexp("data", "ls", "--experiment", "other").stdout == ""


def test_what_one_run_read_is_shown_with_its_columns(two: tuple[str, str]) -> None:
    lines = support.gitexp("data", "ls", two[0]).lines
    digest = gitexp.get_run(two[0])._run.data[0]["sha256"][:8]
    assert lines[:5] == [
        f"test  test.csv  sha256 {digest}  3 rows  {len(CSV)} bytes",
        "    COLUMN  TYPE   MISSING  DISTINCT     MIN    MEAN     MAX  MOST FREQUENT",
        "    id      int          0         3       1     2.0       3",
        "    lr      float        1         2  0.2500  0.3750  0.5000",
        "    who     text         0         2                          Bo (2)",
    ]
    assert lines[5].startswith("train  train.csv  sha256 ")
    assert support.gitexp("data", "ls", two[0], "--json").json[0]["data"][0]["schema"][0]["name"] == "id"


def test_a_difference_tells_rows_columns_missing_values_and_where_numbers_lie(two: tuple[str, str]) -> None:
    found = support.gitexp("data", "diff", *two)
    assert found.lines[0].startswith("test  the same, ")
    cells = [line.split() for line in found.lines[1:]]
    assert cells[0][0] == "train" and cells[0][2] == "->"
    assert ["rows", "3", "4"] in cells
    assert ["column", "who", "text", "-"] in cells and ["column", "age", "-", "int"] in cells
    assert ["type", "lr", "float", "text"] in cells
    assert ["max", "id", "3", "6"] in cells
    said = support.gitexp("data", "diff", *two, "train", "--json").json
    assert said["runs"] == list(two) and [item["name"] for item in said["data"]] == ["train"]
    assert said["data"][0]["retyped"] == [{"name": "lr", "values": ["float", "text"]}]
    assert "neither run read data called 'val'" in support.gitexp("data", "diff", *two, "val", expect=4).stderr


def test_check_tells_by_its_exit_code_whether_the_data_is_what_it_was(two: tuple[str, str], project: Path) -> None:
    assert [line.split()[:2] for line in support.gitexp("data", "check", two[1]).lines] == [
        ["same", "test"], ["same", "train"],
    ]  # fmt: skip
    found = support.gitexp("data", "check", two[0], expect=12)
    assert found.lines[1].split()[:2] == ["differs", "train"] and "bytes, now" in found.lines[1]
    support.write(project / "elsewhere.csv", CSV)
    support.gitexp("data", "check", two[0], "--path", "train=elsewhere.csv")
    (project / "test.csv").unlink()
    said = support.gitexp("data", "check", two[1], "--json", expect=12).json
    assert said["passed"] is False and [item["state"] for item in said["data"]] == ["missing", "same"]
    os.mkfifo(project / "pipe")
    piped = support.gitexp("data", "check", two[0], "--path", "train=pipe", expect=12)  # test.csv is gone
    assert "unknown" in piped.lines[1] and "regular" in piped.lines[1]
    assert support.gitexp("data", "check", two[0], "--path", "val=x", expect=4).stderr
    assert support.gitexp("data", "check", two[0], "--path", "val", expect=2).stderr


def test_what_cannot_be_known_fails_nothing(project: Path) -> None:
    run_id = record(frame=pd.DataFrame({"a": [1]}), web="http://127.0.0.1:9/x.csv", lake="lakefs://repo/main/x")
    found = support.gitexp("data", "check", run_id)
    assert [line.split()[:2] for line in found.lines] == [["unknown", "frame"], ["unknown", "lake"], ["unknown", "web"]]
    assert found.stdout.count("its host was not asked: --ask") == 2
    assert "Connection refused" in support.gitexp("data", "check", run_id, "--ask").stdout


def test_runs_without_data_say_so(project: Path) -> None:
    run_id = record()
    assert support.gitexp("data", "ls").stderr.startswith("no run recorded its data")
    assert support.gitexp("data", "ls", run_id).stderr == "no data was recorded\n"
    assert support.gitexp("data", "diff", run_id, run_id).stderr == "neither run recorded its data\n"
    assert support.gitexp("data", "check", run_id).stderr == "the run recorded no data\n"


def test_first_records_are_listed_compared_and_checked(project: Path) -> None:
    old = {"name": "train", "role": "t", "uri": "train.py", "sha256": "0" * 64, "rows": 5, "bytes": 7}
    runs = [recording.record(project, name, data=[{**old, "bytes": size}]) for name, size in (("a", 7), ("b", 8))]
    assert support.gitexp("data", "ls", "--json").json[0]["size"] == 8
    assert "the same" in support.gitexp("data", "diff", *(run.id for run in runs)).stdout
    assert support.gitexp("data", "check", runs[0].id, expect=12).stdout.startswith("differs")
    assert support.gitexp("log", "--where", "data.train.bytes > 7", "--format", "{name}").stdout == "b\n"


def test_foreign_records_are_shown_safely(project: Path) -> None:
    evil = "a\x1b[31m\nb"
    entry = {
        "name": evil, "role": evil, "uri": evil, "sha256": evil, "rows": -3, "files": "x", "size": 10**30, "stored": 1,
        "schema": [{"name": evil, "dtype": evil, "missing": evil}, 3], "artifact": evil, "unread": evil,
        "profile": {"columns": [{"name": evil, "min": evil, "top": [[evil, 1], 3], "distinct": evil}, 1], "rows": evil},
        "source": {"kind": evil, "version": [evil]}, "left_out": [{"path": evil}, 4], "changed": [evil],
    }  # fmt: skip
    one = recording.record(project, "one", data=[entry])
    other = recording.record(project, "two", data=[{**entry, "sha256": "0", "schema": "x", "profile": 3}])
    for line in (["ls"], ["ls", one.id], ["diff", one.id, other.id], ["check", one.id]):
        found = support.gitexp("data", *line, expect=None)
        assert "\x1b" not in found.stdout + found.stderr and found.code in (0, 12)
