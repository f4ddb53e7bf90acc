"""gitexp leaderboard: the table, Markdown, JSON, and the list of leaderboards."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.store import annotations as said
from gitexp.store import workspace as workspaces
from tests import stored, support

A, B, C, D, E = "kqzvmxrkqzvmxrkq", "mzrokvumzrokvumz", "tvnqylstvnqylstv", "pqwtznopqwtznopq", "wxlnptywxlnptywx"
FLOORS = "floors val\\_precision &gt;= 0.8; duration &lt; 5m"
BOARD = """\
[leaderboard.main]
metric = "val_auc"
experiment = "churn"
floors = ["val_precision >= 0.8", "duration < 5m"]
columns = ["lr"]
"""


@pytest.fixture
def board(project: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the short code commit of a project with a leaderboard and five runs, two of them equal."""
    monkeypatch.setenv("GITEXP_NOW", stored.NOW)
    shown = support.git(project, "rev-parse", "HEAD")[:7]
    support.write(project / "gitexp.toml", BOARD)

    def make(name: str, run_id: str, lr: float, auc: float, precision: float, **more: object) -> None:
        logged = {"val_auc": [0.5, auc], "val_precision": [precision]}
        stored.make(None, name, run_id, given={"lr": lr}, logged=logged, **more)  # type: ignore[arg-type]

    make("lr0.1", A, 0.1, 0.9312, 0.84, at="14:48")
    make("lr0.05", B, 0.05, 0.941, 0.83, at="14:40", edits=["train.py"])
    make("lr0.3", C, 0.3, 0.941, 0.9, at="14:29")
    make("lr0.2", D, 0.2, 0.9533, 0.61, at="13:00")
    make("slow", E, 0.01, 0.97, 0.7, at="12:00", took=3600)
    return shown


def test_the_table_ranks_runs_and_tells_which_floor_keeps_others_out(board: str) -> None:
    assert (
        support.gitexp("leaderboard", "main").stdout
        == f"""\
main: 3 runs of churn by val_auc:max (higher: guessed from the name); floors val_precision >= 0.8; duration < 5m

RANK  ID       NAME    val_auc:max  val_precision:max  lr    AGE  CODE
   1  tvnqyls  lr0.3       *0.9410             0.9000  0.3   31m  {board}
   1  mzrokvu  lr0.05      *0.9410             0.8300  0.05  20m  {board}+
   3  kqzvmxr  lr0.1        0.9312             0.8400  0.1   12m  {board}

below a floor: 2 runs
ID       NAME   val_auc:max  FLOOR
wxlnpty  slow        0.9700  val_precision >= 0.8 (it has 0.7); duration < 5m (it has 1:00:00)
pqwtzno  lr0.2       0.9533  val_precision >= 0.8 (it has 0.61)

3 runs.  + uncommitted edits.
"""
    )


def test_markdown_says_the_same_and_escapes_names(board: str, project: Path) -> None:
    said.add(workspaces.open(), [said.about_run(stored.make(None, "x|y", "zzzzzzzkqzvmxrkq", at="14:50", given={},
        logged={"val_auc": [0.99], "val_precision": [0.9]}), "title", text="<b>@ana|#1")])  # fmt: skip
    assert (
        support.gitexp("leaderboard", "main", "--md", "-n", "2").stdout
        == f"""\
### main

main: 4 runs of churn by val\\_auc:max (higher: guessed from the name); {FLOORS}

| RANK | ID | NAME | val_auc:max | val_precision:max | lr | AGE | CODE |
| --: | --- | --- | --: | --: | --- | --: | --- |
| 1 | zzzzzzz | `<b>@ana\\|#1` | **0.9900** | 0.9000 | - | 10m | {board} |
| 2 | tvnqyls | lr0.3 | 0.9410 | 0.9000 | 0.3 | 31m | {board} |

below a floor: 2 runs

| ID | NAME | val_auc:max | FLOOR |
| --- | --- | --: | --- |
| wxlnpty | slow | 0.9700 | `val_precision >= 0.8 (it has 0.7); duration < 5m (it has 1:00:00)` |
| pqwtzno | lr0.2 | 0.9533 | `val_precision >= 0.8 (it has 0.61)` |

2 of 4 (-n 50, --all).
"""
    )


def test_json_has_all_of_it(board: str) -> None:
    found = support.gitexp("leaderboard", "main", "--json").json
    assert {key: found[key] for key in ("name", "metric", "aggregate", "goal", "goal_from", "total")} == {
        "name": "main",
        "metric": "val_auc",
        "aggregate": "max",
        "goal": "max",
        "goal_from": "guessed from the name",
        "total": 3,
    }
    assert [(item["rank"], item["run"]["id"], item["value"]) for item in found["ranking"]] == [
        (1, C, 0.941), (1, B, 0.941), (3, A, 0.9312),
    ]  # fmt: skip
    assert found["ranking"][1]["columns"] == {"val_auc:max": 0.941, "val_precision:max": 0.83, "lr": 0.05}
    assert found["ranking"][1]["run"]["code"]["dirty"] is True
    assert found["failing"][0]["floors"] == [
        {"condition": "val_precision >= 0.8", "values": {"val_precision": 0.7}},
        {"condition": "duration < 5m", "values": {"duration": 3600.0}},
    ]
    assert (found["running"], found["without"], found["nan"]) == (0, 0, 0)


def test_without_a_name_the_leaderboards_are_listed(board: str, project: Path) -> None:
    support.write(project / "gitexp.toml", BOARD + '[leaderboard.fast]\nmetric = "latency"\nwhere = "params.lr < 1"\n')
    assert (
        support.gitexp("leaderboard").stdout
        == """\
NAME  RANKED BY    DIRECTION                      RUNS           FLOORS
main  val_auc:max  higher: guessed from the name  of churn       val_precision >= 0.8; duration < 5m
fast  latency:min  lower: guessed from the name   params.lr < 1  -
"""
    )
    assert [item["name"] for item in support.gitexp("leaderboard", "--json").json] == ["main", "fast"]
    assert support.gitexp("leaderboard", "--md").lines[0] == "| NAME | RANKED BY | DIRECTION | RUNS | FLOORS |"
    shown = support.gitexp("leaderboard", "-n", "3", expect=2).stderr
    assert shown == "gitexp: --limit, --all and --columns need a NAME\ngitexp leaderboard\n"


def test_where_there_is_none_how_to_write_one_is_said(project: Path) -> None:
    shown = support.gitexp("leaderboard")
    line = 'gitexp: no leaderboard is defined; write in gitexp.toml:  [leaderboard.main]  metric = "val_auc"\n'
    assert (shown.stdout, shown.stderr) == ("", line)
    assert support.gitexp("leaderboard", "--json").json == []
    shown = support.gitexp("leaderboard", "main", expect=4)
    assert shown.stderr.startswith("gitexp: no leaderboard 'main': gitexp.toml defines none\n")


def test_an_error_names_file_key_and_column(board: str, project: Path) -> None:
    support.write(project / "gitexp.toml", '[leaderboard.main]\nmetric = "val_auc"\nfloors = ["nonsense > 1"]\n')
    shown = support.gitexp("leaderboard", "main", expect=2).stderr
    assert shown.startswith("gitexp: gitexp.toml: leaderboard.main.floors: column 1: ")
    support.write(project / "gitexp.toml", '[leaderboard.main]\nmetric = "val_auc"\ncolumns = ["lrr"]\n')
    shown = support.gitexp("leaderboard", "main", expect=4).stderr
    assert shown.startswith("gitexp: gitexp.toml: leaderboard.main.columns: ") and "'lrr'" in shown


def test_more_columns_and_rows_can_be_asked_for(board: str) -> None:
    lines = support.gitexp("leaderboard", "main", "-n", "1", "--columns", "lr,val_auc:last").lines
    assert lines[2].split() == [
        "RANK",
        "ID",
        "NAME",
        "val_auc:max",
        "val_precision:max",
        "lr",
        "val_auc:last",
        "AGE",
        "CODE",
    ]
    assert lines[-1] == "1 of 3 (-n 50, --all)."
    assert "and 1 more" in lines[-3]
    assert support.gitexp("leaderboard", "main", "--all").lines[-1] == "3 runs.  + uncommitted edits."


def test_a_narrow_terminal_keeps_rank_name_and_metric(board: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEXP_FORCE_TERMINAL", "1")
    monkeypatch.setenv("COLUMNS", "44")
    monkeypatch.setenv("NO_COLOR", "1")
    shown = support.gitexp("leaderboard", "main").lines
    assert "RANK  ID       NAME    val_auc:max" in [line.rstrip() for line in shown]
    assert all(len(line) <= 44 for line in shown) and "Too narrow for" in " ".join(shown)


def test_a_test_metric_that_decides_again_and_again_is_said(board: str, project: Path) -> None:
    support.write(project / "gitexp.toml", '[leaderboard.main]\nmetric = "test/acc"\nexperiment = "other"\n')
    for number in range(4):
        name = "kqzvmxr" + "kmno"[number] * 9
        stored.make(None, f"t{number}", name, experiment="other", logged={"test/acc": [number / 10]})
        shown = support.gitexp("leaderboard", "main").stderr
        again = support.gitexp("leaderboard", "main").stderr
        assert shown == again
        assert bool(shown) == (number == 3)
    assert shown.startswith("gitexp: test/acc has now decided over 3 sets of runs in this clone (leaderboard main): ")
