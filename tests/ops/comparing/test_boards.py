"""The leaderboards of a project's file, and what is said of one that is not understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import NotFound, UsageError
from gitexp.ops.comparing import boards
from gitexp.ops.comparing.boards import Board
from gitexp.ops.finding.goals import Goal
from gitexp.store import workspace as workspaces
from tests import support


def defined(project: Path, toml: str, name: str = "main") -> Board:
    support.write(project / "gitexp.toml", toml)
    return boards.get(workspaces.open(), name)


def refused(project: Path, toml: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        defined(project, toml)
    return caught.value


def test_a_leaderboard_needs_no_more_than_a_metric(project: Path) -> None:
    board = defined(project, '[leaderboard.main]\nmetric = "val_auc"\n')
    goal = Goal("max", "guessed from the name")
    assert board == Board("main", "gitexp.toml", "val_auc", "max", goal)
    assert (board.title, board.where, board.floors, board.columns, board.limit) == ("val_auc:max", None, (), (), None)


def test_all_keys_are_read(project: Path) -> None:
    board = defined(
        project,
        """\
[leaderboard."small models"]
metric = "epoch:last"
direction = "min"
where = "params.size < 10 and not tags.old"
floors = ["metrics.precision >= 0.8", "duration < 2h"]
columns = ["size", "loss:last"]
experiment = "churn"
limit = 3
""",
        "small models",
    )
    assert (board.metric, board.aggregate, board.title) == ("epoch", "last", "epoch:last")
    assert board.goal == Goal("min", "gitexp.toml")
    assert board.where is not None and board.where.text == "params.size < 10 and not tags.old"
    assert [floor.text for floor in board.floors] == ["metrics.precision >= 0.8", "duration < 2h"]
    assert (board.columns, board.experiment, board.limit) == (("size", "loss:last"), "churn", 3)
    assert boards.names(workspaces.open()) == ["small models"]


def test_direction_and_value_come_from_the_settings_where_the_board_does_not_say(project: Path) -> None:
    toml = 'maximize = ["epoch"]\n[summary]\nepoch = "mean"\n[leaderboard.main]\nmetric = "epoch"\n'
    board = defined(project, toml)
    assert (board.goal.best, board.goal.why, board.aggregate) == ("max", "gitexp.toml", "mean")
    assert defined(project, toml + 'direction = "min"\n').aggregate == "mean"
    assert defined(project, '[leaderboard.main]\nmetric = "val_auc"\ndirection = "min"\n').aggregate == "min"


def test_boards_can_stand_in_pyproject_toml(project: Path) -> None:
    support.write(project / "pyproject.toml", '[tool.gitexp.leaderboard.main]\nmetric = "loss"\n')
    assert boards.get(workspaces.open(), "main").file == "pyproject.toml"
    with pytest.raises(NotFound, match=r"no leaderboard 'other' in pyproject\.toml") as caught:
        boards.get(workspaces.open(), "other")
    assert caught.value.hint == "there are: main"


HEAD = '[leaderboard.main]\nmetric = "val_auc"\n'


@pytest.mark.parametrize(
    ("toml", "message", "hint"),
    [
        (
            "[leaderboard.main]\nlimit = 3\n",
            "gitexp.toml: leaderboard.main.metric is missing",
            'write in gitexp.toml:  [leaderboard.main]  metric = "val_auc"',
        ),
        (
            HEAD + 'sort = "x"\n',
            "gitexp.toml: leaderboard.main.sort is no key of a leaderboard",
            "the keys are: metric, direction, where, floors, columns, experiment, limit",
        ),
        (
            HEAD + 'direction = "up"\n',
            'gitexp.toml: leaderboard.main.direction is to be "max" or "min", not \'up\'',
            'write in gitexp.toml:  [leaderboard.main]  direction = "max"',
        ),
        (
            HEAD + 'floors = "val_precision >= 0.8"\n',
            "gitexp.toml: leaderboard.main.floors is to be a list of conditions, not 'val_precision >= 0.8'",
            'write in gitexp.toml:  [leaderboard.main]  floors = ["metrics.val_precision >= 0.8"]',
        ),
        (
            HEAD + "floors = [0.8]\n",
            "gitexp.toml: leaderboard.main.floors is to be a list of conditions, each in quotes",
            'write in gitexp.toml:  [leaderboard.main]  floors = ["metrics.val_precision >= 0.8"]',
        ),
        (
            HEAD + "limit = 0\n",
            "gitexp.toml: leaderboard.main.limit is to be a number above 0, not 0",
            "write in gitexp.toml:  [leaderboard.main]  limit = 10",
        ),
        (
            HEAD + "limit = true\n",
            "gitexp.toml: leaderboard.main.limit is to be a number above 0, not True",
            "write in gitexp.toml:  [leaderboard.main]  limit = 10",
        ),
        (
            '[leaderboard.main]\nmetric = "epoch"\n',
            "gitexp.toml: leaderboard.main.direction is missing: "
            "whether more or less of 'epoch' is better is not known",
            'write in gitexp.toml:  [leaderboard.main]  direction = "max"',
        ),
        (
            '[leaderboard]\nmetric = "loss"\n',
            "gitexp.toml: leaderboard is to be tables, one a leaderboard",
            'write in gitexp.toml:  [leaderboard.main]  metric = "val_auc"',
        ),
        (
            'leaderboard = "loss"\n',
            "gitexp.toml: leaderboard is to be tables, one a leaderboard",
            'write in gitexp.toml:  [leaderboard.main]  metric = "val_auc"',
        ),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key_and_what_to_write(
    project: Path, toml: str, message: str, hint: str
) -> None:
    error = refused(project, toml)
    assert (error.message, error.hint) == (message, hint)


def test_a_condition_that_does_not_parse_is_shown_with_its_place(project: Path) -> None:
    error = refused(project, HEAD + 'where = "params.lr >"\n')
    assert error.message.startswith("gitexp.toml: leaderboard.main.where: column ")
    assert "params.lr >" in error.hint
    error = refused(project, HEAD + 'floors = ["loss < 1", "loss <"]\n')
    assert error.message.startswith("gitexp.toml: leaderboard.main.floors: column ")


def test_without_any_the_error_says_how_to_write_one(project: Path) -> None:
    with pytest.raises(NotFound) as caught:
        boards.get(workspaces.open(), "main")
    assert str(caught.value) == "no leaderboard 'main': gitexp.toml defines none"
    assert caught.value.hint == 'write in gitexp.toml:  [leaderboard.main]  metric = "val_auc"'


def test_strange_names_are_made_safe(project: Path) -> None:
    support.write(project / "gitexp.toml", '[leaderboard."\\u001b[31m"]\nmetric = 1\n')
    with pytest.raises(UsageError) as caught:
        boards.get(workspaces.open(), "\x1b[31m")
    assert "\x1b" not in caught.value.message + caught.value.hint


def test_a_bare_repository_is_told_to_have_none(project: Path, tmp_path: Path) -> None:
    support.git(project, "clone", "--quiet", "--bare", str(project), str(tmp_path / "bare.git"))
    with pytest.raises(NotFound) as caught:
        boards.get(workspaces.open(tmp_path / "bare.git"), "main")
    assert str(caught.value) == "no leaderboard 'main': a bare repository has no files to define one in"
