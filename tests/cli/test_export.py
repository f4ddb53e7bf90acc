"""Lists of runs for other programs: `gitexp log --csv` and `--parquet`."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyarrow import parquet

from gitexp.store import workspace as workspaces
from tests import stored, support

HEAD = (
    "id,name,experiment,status,start,duration,user,host,exit_code,error,description,command,parent,forked_from,"
    "code.commit,code.branch,code.dirty,ref,commit,cost"
)


@pytest.fixture
def three(project: Path) -> Path:
    """Give a repository with three runs of two experiments."""
    workspace = workspaces.open(project)
    for name, run_id, given, logged in (
        ("first", "kqzvmxrkqzvmxrkq", {"lr": 0.1, "opt": "a,dam"}, {"loss": [0.5, 0.25]}),
        ("second", "mzrokvumzrokvumz", {"lr": 1}, {"loss": [0.75]}),
    ):
        stored.make(workspace, name, run_id, given=given, logged=logged)
    stored.make(workspace, "other", "wxlnptywxlnptywx", at="13:00", experiment="else")
    return project


def test_the_list_is_written_as_csv(three: Path) -> None:
    commits = {ref.rpartition("/")[2].rpartition("-")[0]: oid for ref, oid in support.run_refs(three).items()}
    code = support.git(three, "rev-parse", "HEAD")
    assert support.gitexp("log", "-e", "churn", "--sort", "name", "--csv").lines == [
        HEAD + ",params.lr,params.opt,metrics.loss:min",
        "kqzvmxrkqzvmxrkq,first,churn,completed,2026-11-20T14:00:00.000Z,60.0,Ana Ruiz,gpu01,,,,python train.py,,,"
        f'{code},main,false,refs/experiments/churn/first-kqzvmxr,{commits["first"]},,0.1,"a,dam",0.25',
        "mzrokvumzrokvumz,second,churn,completed,2026-11-20T14:00:00.000Z,60.0,Ana Ruiz,gpu01,,,,python train.py,,,"
        f"{code},main,false,refs/experiments/churn/second-mzrokvu,{commits['second']},,1,,0.75",
    ]


def test_all_runs_asked_for_are_written_and_no_others(three: Path) -> None:
    assert len(support.gitexp("log", "--all", "--csv").lines) == 4
    assert len(support.gitexp("log", "--all", "--csv", "-n", "1").lines) == 2
    assert support.gitexp("log", "-e", "churn", "--where", "params.lr > 5", "--csv").lines == [HEAD]
    assert support.gitexp("log", "-e", "else", "--csv").lines[0] == HEAD


def test_the_list_is_written_as_parquet(three: Path) -> None:
    done = support.gitexp("log", "-e", "churn", "--sort", "-metrics.loss", "--parquet", "out/runs.parquet")
    assert (done.stdout, done.stderr) == ("", "gitexp: out/runs.parquet written (2 runs)\n")
    rows = parquet.read_table(three / "out/runs.parquet").to_pylist()
    assert [(row["name"], row["params.lr"], row["metrics.loss:min"]) for row in rows] == [
        ("second", 1.0, 0.75),
        ("first", 0.1, 0.25),
    ]


def test_a_file_that_cannot_be_written_is_said(three: Path) -> None:
    support.write(three / "file", "")
    refused = support.gitexp("log", "--parquet", ".", expect=2)
    assert refused.stderr == "gitexp: Invalid value for '--parquet': File '.' is a directory.\ngitexp log -h\n"
    done = support.gitexp("log", "--parquet", "file/runs.parquet", expect=None)
    assert (done.code, done.stdout) == (9, "") and "file" in done.stderr


def test_a_damaged_index_is_no_hindrance(three: Path) -> None:
    before = support.gitexp("log", "--all", "--csv").stdout
    (three / ".git/gitexp/index.sqlite").write_bytes(b"no database")
    assert support.gitexp("log", "--all", "--csv").stdout == before
