"""gitexp importance: what it prints, and when it prints nothing."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitexp import ids
from tests import stored, support

Params = Callable[[int], dict[str, Any]]


def runs(count: int, params: Params, metric: Callable[[int], float], **fields: Any) -> None:
    for number in range(count):
        stored.make(
            None, f"run{number}", ids.from_text(f"run {number}"), at=f"{number // 60 + 10}:{number % 60:02d}",
            given=params(number), logged={"val_auc": [metric(number)]}, **fields,
        )  # fmt: skip


def varied(number: int) -> dict[str, Any]:
    return {"lr": (number * 7 % 24) / 100, "optimizer": "adam" if number % 2 else "sgd", "epochs": 10,
            "out": f"runs/{number}", "decay": (number * 7 % 24) / 50, "depth": number * 5 % 24 // 6}  # fmt: skip


def by_chance(number: int) -> float:
    return random.Random(number).random()


def best_at_the_low_end(number: int) -> float:
    return 0.9 - varied(number)["lr"] + 0.01 * (number % 2)


@pytest.mark.slow
def test_the_page_says_what_matters_on_which_runs_and_what_was_left_out(project: Path) -> None:
    runs(24, varied, lambda number: math.nan if number == 5 else best_at_the_low_end(number))
    with support.untouched(project):
        shown = support.gitexp("importance", "val_auc")
    assert shown.stderr == ""
    lines = shown.stdout.splitlines()
    assert lines[0] == "val_auc:max over 23 completed runs of churn (higher: guessed from the name)"
    assert lines[2].split() == ["PARAM", "SHARE", "DIRECTION"]
    assert lines[3].startswith("decay, lr ")
    assert lines[3].endswith("less is better (rank correlation -1.00)")
    assert {line.split("  ")[0] for line in lines[4:6]} == {"depth", "optimizer"}
    assert (
        "This is association over these\n"
        "runs, not proof of cause: change one param and rerun to know.\n"
        "decay, lr always change together: one line stands for them.\n"
        "Left out: 1 param equal everywhere (epochs); out, another text in nearly every run; 1 completed run\n"
        "without a number for the metric.\n"
    ) in shown.stdout


@pytest.mark.slow
def test_json_has_all_of_it_and_is_the_same_each_time(project: Path) -> None:
    runs(24, varied, best_at_the_low_end)
    with support.untouched(project):
        found = support.gitexp("importance", "val_auc", "--json").json
        assert support.gitexp("importance", "val_auc:last", "--json").json == {**found, "aggregate": "last"}
    assert found["params"][0]["names"] == ["decay", "lr"]
    assert found["params"][0]["correlation"] < -0.9
    assert sum(param["share"] for param in found["params"]) == pytest.approx(1)
    assert found["explained"] > 0.5
    assert (found["constant"], found["unique"], found["why"]) == (["epochs"], ["out"], None)
    assert len(found["runs"]) == 24


@pytest.mark.parametrize(
    ("count", "params", "metric", "why"),
    [
        (8, varied, best_at_the_low_end,
         "8 completed runs cannot tell for 3 params that differ: it takes 20 (20, and 4 a param; with fewer, chance"
         " looks like a finding)"),
        (3, lambda number: {"lr": 1}, float, "no param differs between these 3 runs"),
        (1, lambda number: {"lr": 1}, float, "there is one completed run"),
        (3, lambda number: {}, float, "no param differs between these 3 runs"),
        (3, lambda number: {"lr": number}, lambda number: 0.5, "the metric is the same in all of these 3 runs"),
        (24, lambda number: {"lr": number * 7 % 24, "depth": number * 5 % 24}, by_chance,
         "the params do not tell which of these 24 runs are better: chance, or something not recorded"),
    ],
)  # fmt: skip
def test_where_nothing_can_be_told_one_line_says_why(
    project: Path, count: int, params: Params, metric: Callable[[int], float], why: str
) -> None:
    runs(count, params, metric)
    with support.untouched(project):
        shown, json = support.gitexp("importance", "val_auc"), support.gitexp("importance", "val_auc", "--json")
    assert (shown.stdout, shown.stderr) == ("", f"gitexp: no importance: {why}\n")
    assert (json.json["params"], json.json["why"]) == ([], why)


def test_runs_are_chosen_as_in_lists_and_only_completed_ones_count(project: Path) -> None:
    runs(24, varied, best_at_the_low_end)
    stored.make(None, "failed", status="failed", given={"lr": 1}, logged={"val_auc": [0.1]})
    with support.untouched(project):
        assert "over 24 completed runs" in support.gitexp("importance", "val_auc").stdout
        shown = support.gitexp("importance", "val_auc", "--where", "params.lr < 0.1")
        assert shown.stderr.startswith("gitexp: no importance: 10 completed runs cannot tell for 3 params")
        shown = support.gitexp("importance", "val_auc", "--where", "params.lr > 5")
        assert shown.stderr == "gitexp: no importance: no completed run matches\n"
        assert support.gitexp("importance", "nothing", expect=4).stderr == (
            "gitexp: no completed run here has the metric 'nothing'\ngitexp log --columns all\n"
        )


@pytest.mark.slow
def test_names_of_one_param_are_one_and_texts_of_numbers_are_numbers(project: Path) -> None:
    support.git(project, "config", "gitexp.aliases", "lr=learning_rate")

    def params(number: int) -> dict[str, Any]:
        value = number * 7 % 24 / 100
        return {"lr": str(value), "depth": number % 3} if number % 2 else {"learning_rate": value, "depth": number % 3}

    runs(24, params, lambda number: 0.5 + number * 7 % 24 / 100)
    with support.untouched(project):
        found = support.gitexp("importance", "val_auc", "--json").json
    assert found["params"][0]["names"] == ["lr"]
    assert found["params"][0]["correlation"] == pytest.approx(1)


def test_hostile_names_reach_no_terminal(project: Path, untouched: None) -> None:
    bad = "\x1b[2J\u202e"
    runs(24, lambda number: {bad: bad + str(number % 3), "lr": number}, lambda number: number % 3)
    shown = support.gitexp("importance", "val_auc").stdout
    assert "\x1b" not in shown and "\u202e" not in shown and "\\x1b[2J" in shown


def test_numbers_that_never_repeat_are_not_taken_for_one_param(project: Path) -> None:
    def params(number: int) -> dict[str, Any]:
        return {"lr": number * 7 % 24 / 100, "decay": number * 5 % 24 / 10}

    runs(24, params, lambda number: 0.9 - params(number)["lr"])
    with support.untouched(project):
        shown = support.gitexp("importance", "val_auc", "--json").json["params"]
    assert [param["names"] for param in shown] == [["lr"], ["decay"]]


@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    [
        (10**400, 1, 2), (math.inf, math.nan, 1), ("nan", "1_000", "inf"), (None, [1, 2], {"a": 1}), (True, False, 1),
        (1e308, -1e308, 5e-324),
    ],
)  # fmt: skip
def test_values_of_any_kind_are_taken(project: Path, values: tuple[Any, ...]) -> None:
    metrics = (0.5, math.inf, -math.inf, 1e308)
    runs(24, lambda number: {"odd": values[number % 3], "lr": number}, lambda number: metrics[number % 4])
    support.gitexp("importance", "val_auc")
