"""Params that are one under several names."""

from __future__ import annotations

from typing import Any

import pytest

from gitexp.ops.comparing import aliases
from gitexp.ops.comparing.aliases import GUESS, Group
from gitexp.ops.comparing.difference import MISSING, Row


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("lr", "optimizer.lr", True),
        ("lr", "learning_rate", True),
        ("lr", "optimizer.learning_rate", True),
        ("bs", "batch_size", True),
        ("batchSize", "batch_size", True),
        ("opt", "optimizer", True),
        ("num_epochs", "epochs", True),
        ("n_estimators", "num_estimators", True),
        ("hidden_dim", "hidden_dimension", True),
        ("model.lr", "head.lr", False),
        ("lr", "lambda", False),
        ("lr", "layers", False),
        ("dropout", "depth", False),
        ("n", "num", False),
        ("a", "alpha", False),
    ],
)
def test_names_are_near_as_people_shorten_them(one: str, other: str, near: bool) -> None:
    assert aliases.near(one, other) is near
    assert aliases.near(other, one) is near


def rows(*sides: dict[str, Any]) -> list[Row]:
    names = sorted({name for side in sides for name in side})
    return [Row(name, tuple(side.get(name, MISSING) for side in sides)) for name in names]


def test_a_group_is_one_row_under_its_first_name() -> None:
    found = aliases.merge(rows({"learning_rate": 1}, {"lr": 2}, {"x": 3}), [Group(("lr", "learning_rate"), "here")])
    assert found == (
        Row("lr", (1, 2, MISSING), ("learning_rate", "lr", ""), "here"),
        Row("x", (MISSING, MISSING, 3)),
    )


def test_a_run_that_has_two_of_the_names_keeps_them_apart() -> None:
    sides = rows({"learning_rate": 1, "lr": 5}, {"lr": 2})
    assert list(aliases.merge(sides, [Group(("lr", "learning_rate"), "here")])) == sides


def test_only_equal_values_are_a_guess() -> None:
    assert aliases.merge(rows({"lr": 0.1}, {"learning_rate": 0.1}), [])[0].alias == GUESS
    assert [row.alias for row in aliases.merge(rows({"lr": 0.1}, {"learning_rate": 0.2}), [])] == ["", ""]
    assert [row.alias for row in aliases.merge(rows({"lr": 1}, {"learning_rate": 1}), [])] == ["", ""]
    assert aliases.merge(rows({"useBias": True}, {"use_bias": True}), [])[0].alias == GUESS


def test_what_all_runs_have_is_left_alone() -> None:
    sides = rows({"lr": 0.1, "learning_rate": 0.1}, {"lr": 0.1, "learning_rate": 0.1})
    assert list(aliases.merge(sides, [])) == sides
