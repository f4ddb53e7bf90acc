"""What of a run does not keep its conventions, value by value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitexp.ops.comparing import conform, conventions
from gitexp.ops.comparing.conform import Subject
from gitexp.store import workspace as workspaces
from tests import support


def judge(project: Path, toml: str, **what: Any) -> list[str]:
    support.write(project / "gitexp.toml", f'[experiments."*"]\n{toml}\n')
    workspace = workspaces.open(project)
    found = conventions.of(workspace, "churn")
    assert found is not None
    subject = Subject("churn", **{"name": "lr0.1", "tags": {}, "params": {}, **what})
    return [f"{item.rule.what} {item.text}" for item in conform.judge(workspace, found, subject)]


PARAMS: list[tuple[str, Any, str]] = [
    ('"between 1e-5 and 0.1"', 0.1, ""),
    ('"between 1e-5 and 0.1"', 0.2, "param lr is 0.2, not between 1e-5 and 0.1"),
    ('"between 1e-5 and 0.1"', "0.01", ""),  # a text that spells a number is one, as in queries
    ('"between 1e-5 and 0.1"', "auto", "param lr is 'auto', not between 1e-5 and 0.1"),
    ('"> 0"', float("nan"), "param lr is nan, not > 0"),
    ('["adam", "sgd"]', "adam", ""),
    ('["adam", "sgd"]', "lion", "param lr is 'lion', not adam or sgd"),
    ("[8, 16]", 16.0, ""),
    ("8", 9, "param lr is 9, not 8"),
    ("[true]", True, ""),
    ("[true]", False, "param lr is false, not true"),
    ("\"like 'res%'\"", "resnet", ""),
    ('"in (1, 2)"', 3, "param lr is 3, not in (1, 2)"),
    ("true", None, ""),
    ("\"~ '^v[0-9]$'\"", "v1", ""),
]


@pytest.mark.parametrize(("wanted", "value", "said"), PARAMS)
def test_the_value_of_a_param_is_held_against_values_or_a_condition(
    project: Path, wanted: str, value: Any, said: str
) -> None:
    found = judge(project, f"required_params = {{ lr = {wanted} }}", params={"lr": value})
    assert found == ([said] if said else [])


def test_nested_params_are_named_by_their_path(project: Path) -> None:
    toml = 'required_params = { "optimizer.lr" = "< 1", "a.b" = true }'
    assert judge(project, toml, params={"optimizer": {"lr": 2}, "a": {"b": []}}) == ["param optimizer.lr is 2, not < 1"]


def test_a_param_under_another_of_its_names_counts(project: Path) -> None:
    support.git(project, "config", "gitexp.aliases", "lr=learning_rate=optimizer.lr")
    toml = 'required_params = { learning_rate = "< 1" }'
    assert judge(project, toml, params={"optimizer": {"lr": 0.5}}) == []
    assert judge(project, toml, params={"optimizer": {"lr": 5}}) == ["param learning_rate is 5, not < 1"]


def test_the_seed_that_gitexp_was_given_is_the_param_seed(project: Path) -> None:
    toml = "required_params = { seed = [42] }"
    assert judge(project, toml, seeds={"python": 42, "numpy": 42}) == []
    assert judge(project, toml, seeds={"seed": 41}) == ["param seed is 41, not 42"]
    assert judge(project, toml, seeds={"seed": 41}, params={"seed": 42}) == []
    assert judge(project, toml) == ["param seed is missing (42)"]


@pytest.mark.parametrize(
    ("toml", "tags", "said"),
    [
        ('required_tags = ["owner"]', {}, ["tag owner is missing"]),
        ('required_tags = ["owner"]', {"owner": ""}, []),
        ('required_tags = { owner = "*@acme.io" }', {"owner": "ana"}, ["tag owner is 'ana', not like '*@acme.io'"]),
        ('required_tags = { owner = "*@acme.io" }', {"owner": "ana@acme.io"}, []),
        ('required_tags = { t = "/[A-Z]+-[0-9]+/" }', {"t": "ML-7 "}, ["tag t is 'ML-7 ', not like '/[A-Z]+-[0-9]+/'"]),
        ('required_tags = { t = ["dev", "/p.*/"] }', {"t": "prod"}, []),
    ],
)
def test_tags_are_there_and_like_their_patterns(
    project: Path, toml: str, tags: dict[str, str], said: list[str]
) -> None:
    assert judge(project, toml, tags=tags) == said


def test_names_are_like_a_glob_or_the_whole_of_an_expression(project: Path) -> None:
    assert judge(project, 'name = "lr*-s?"', name="lr0.1-s1") == []
    assert judge(project, 'name = "lr*-s?"', name="LR0.1-s1") == ["name is 'LR0.1-s1', not like 'lr*-s?'"]
    assert judge(project, r"name = '/lr\d/'", name="lr12") == [r"name is 'lr12', not like '/lr\d/'"]


def test_a_condition_means_what_it_means_in_a_query(project: Path) -> None:
    toml = 'required_params = { n = "is not nan", x = "!= \'a\'" }'
    assert judge(project, toml, params={"n": 2**80, "x": "b"}) == []
