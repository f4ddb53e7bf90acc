"""Which runs a leaderboard ranks, in which order, and which it leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.ops.comparing import boards, leaderboard
from gitexp.ops.comparing.leaderboard import Leaderboard
from gitexp.store import annotations as said
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Run
from tests import stored, support

LETTERS = "klmnopqrstuvwxyz"
HEAD = '[leaderboard.main]\nmetric = "loss"\n'
NAN, INF = float("nan"), float("inf")


def rank(project: Path, toml: str = HEAD, limit: int | None = None) -> Leaderboard:
    support.write(project / "gitexp.toml", toml)
    workspace = workspaces.open()
    return leaderboard.rank(workspace, boards.get(workspace, "main"), limit=limit)


def names(found: Leaderboard) -> list[tuple[int, str]]:
    return [(item.rank, item.run.name) for item in found.ranked]


def make(*values: float, name: str = "", **more: object) -> Run:
    number = len(support.run_refs("."))
    run_id = LETTERS[number] * 16
    logged = {"loss": list(values)} if values else None
    return stored.make(None, name or f"run{number}", run_id, at=f"13:{number:02}", logged=logged, **more)  # type: ignore[arg-type]


def test_the_lowest_is_first_where_less_is_better(project: Path) -> None:
    for value in (0.3, 0.1, 0.2):
        make(value)
    found = rank(project)
    assert names(found) == [(1, "run1"), (2, "run2"), (3, "run0")]
    assert [item.value for item in found.ranked] == [0.1, 0.2, 0.3]
    assert names(rank(project, HEAD + 'direction = "max"\n')) == [(1, "run0"), (2, "run2"), (3, "run1")]


def test_equal_values_share_a_rank_and_the_earliest_stands_first(project: Path) -> None:
    for value in (0.2, 0.1, 0.1, 0.1, 0.3):
        make(value)
    assert names(rank(project)) == [(1, "run1"), (1, "run2"), (1, "run3"), (4, "run0"), (5, "run4")]
    found = rank(project, limit=2)
    assert (names(found), found.total) == ([(1, "run1"), (1, "run2")], 5)


def test_nan_and_missing_values_are_counted_and_not_ranked(project: Path) -> None:
    make(0.2)
    make(NAN)
    make(NAN, NAN)
    make()
    make(INF)
    make(-INF)
    found = rank(project)
    assert names(found) == [(1, "run5"), (2, "run0"), (3, "run4")]
    assert (found.total, found.nan, found.without) == (3, 2, 1)


def test_a_series_with_some_nan_is_ranked_by_its_numbers(project: Path) -> None:
    make(NAN, 0.5)
    make(0.4, NAN)
    assert names(rank(project)) == [(1, "run1"), (2, "run0")]
    found = rank(project, HEAD.replace("loss", "loss:last") + 'direction = "min"\n')
    assert (names(found), found.nan) == ([(1, "run0")], 1)


def test_only_completed_runs_are_ranked_unless_the_board_asks_for_a_status(project: Path) -> None:
    make(0.1, status="failed", exit_code=1)
    make(0.2, status="killed")
    make(0.3)
    assert names(rank(project)) == [(1, "run2")]
    found = rank(project, HEAD + "where = \"status in ('completed', 'killed', 'running')\"\n")
    assert names(found) == [(1, "run1"), (2, "run2")]


def test_a_running_run_is_counted_and_never_ranked(project: Path) -> None:
    make(0.3)
    with stored.live(loss=[0.1]):
        found = rank(project)
        assert (names(found), found.running) == ([(1, "run0")], 1)
        found = rank(project, HEAD + "where = \"status != 'failed'\"\n")
        assert (names(found), found.running) == ([(1, "run0")], 1)


def test_removed_and_archived_runs_are_left_out(project: Path) -> None:
    workspace = workspaces.open()
    said.add(workspace, [said.about_run(make(0.1), "remove", reason=""), said.about_run(make(0.2), "archive")])
    make(0.3)
    assert names(rank(project)) == [(1, "run2")]
    assert names(rank(project, HEAD + 'where = "archived"\n')) == [(1, "run1")]
    assert names(rank(project, HEAD + 'where = "removed"\n')) == []


def test_the_experiment_and_those_below_it(project: Path) -> None:
    for number, experiment in enumerate(("churn", "churn/big", "churning", "other")):
        make(number / 10, experiment=experiment)
    assert names(rank(project, HEAD + 'experiment = "churn"\n')) == [(1, "run0"), (2, "run1")]
    assert len(rank(project).ranked) == 4


def test_runs_below_a_floor_are_listed_with_every_floor_they_miss(project: Path) -> None:
    for number, (precision, size) in enumerate(((0.9, 1), (0.7, 2), (0.8, 30), (0.6, 40))):
        stored.make(None, f"run{number}", LETTERS[number] * 16, given={"size": size},
                    logged={"loss": [0.4 - number / 10], "precision": [precision]})  # fmt: skip
    found = rank(project, HEAD + 'floors = ["metrics.precision >= 0.8", "params.size < 10"]\n')
    assert names(found) == [(1, "run0")]
    assert [(item.run.name, [floor.text for floor, _ in item.floors]) for item in found.failing] == [
        ("run3", ["metrics.precision >= 0.8", "params.size < 10"]),
        ("run2", ["params.size < 10"]),
        ("run1", ["metrics.precision >= 0.8"]),
    ]
    assert found.failing[0].floors[0][1] == {"metrics.precision": 0.6}
    found = rank(project, HEAD + 'floors = ["metrics.precision >= 0.8", "params.size < 10"]\n', limit=1)
    assert (len(found.failing), found.failing_total) == (1, 3)


def test_a_floor_on_what_a_run_does_not_have_is_not_met(project: Path) -> None:
    make(0.1)
    stored.make(None, "whole", "z" * 16, logged={"loss": [0.2], "precision": [0.9]})
    found = rank(project, HEAD + 'floors = ["precision > 0"]\n')
    assert names(found) == [(1, "whole")]
    assert found.failing[0].floors[0][1] == {"precision": None}


def test_the_value_is_the_one_that_the_project_chose(project: Path) -> None:
    make(0.1, 0.9)
    make(0.5, 0.2)
    assert names(rank(project)) == [(1, "run0"), (2, "run1")]
    assert names(rank(project, HEAD + '[summary]\nloss = "last"\n')) == [(1, "run1"), (2, "run0")]
    assert names(rank(project, HEAD.replace("loss", "loss:first"))) == [(1, "run0"), (2, "run1")]


def test_a_repository_without_runs_has_an_empty_leaderboard(project: Path) -> None:
    found = rank(project, HEAD + 'floors = ["precision > 0.8"]\nwhere = "lr < 1"\ncolumns = ["lr"]\n')
    assert (found.ranked, found.failing, found.total, found.without) == ((), (), 0, 0)


def test_a_metric_that_no_run_has_ranks_nothing(project: Path) -> None:
    make(0.1)
    found = rank(project, HEAD.replace("loss", "rmse"))
    assert (found.ranked, found.without) == ((), 1)


@pytest.mark.parametrize("metric", ["Loss", "loss/total", "a b", "it's", 'say "x"', "größe_loss", "loss:x", "`loss`"])
def test_metrics_of_any_name_are_ranked(project: Path, metric: str) -> None:
    stored.make(None, "low", LETTERS[0] * 16, logged={metric: [0.1], "loss": [0.5]})
    stored.make(None, "high", LETTERS[1] * 16, logged={metric: [0.2], "loss": [0.4]})
    quoted = metric.replace('"', '\\"')
    found = rank(project, f'[leaderboard.main]\nmetric = "{quoted}"\ndirection = "min"\n')
    assert names(found) == [(1, "low"), (2, "high")]


def test_the_columns_are_metric_floors_and_params_that_differ(project: Path) -> None:
    for number in range(2):
        stored.make(None, f"run{number}", LETTERS[number] * 16, given={"lr": number, "same": 1},
                    logged={"loss": [number], "precision": [0.9], "other_loss": [1]})  # fmt: skip
    found = rank(project, HEAD + 'floors = ["last(metrics.precision) > 0.5", "precision > 0.1"]\n')
    assert [column.title for column in found.columns] == ["loss:min", "precision:last", "precision:max", "lr"]
    found = rank(project, HEAD + 'columns = ["same", "other_loss"]\n')
    assert [column.title for column in found.columns] == ["loss:min", "same", "other_loss:min"]
