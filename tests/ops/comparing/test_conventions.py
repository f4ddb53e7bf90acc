"""Conventions as they stand in the project's file: which tables hold, how they merge, what is not understood."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitexp.errors import UsageError
from gitexp.ops.comparing import conventions
from gitexp.ops.comparing.conventions import Conventions
from gitexp.store import workspace as workspaces
from tests import support


def of(project: Path, toml: str, experiment: str = "churn-v2", name: str = "gitexp.toml") -> Conventions:
    support.write(project / name, toml)
    found = conventions.of(workspaces.open(project), experiment)
    assert found is not None
    return found


def titles(found: Conventions) -> list[str]:
    return [rule.title for rule in found.rules]


def test_a_table_says_what_it_wants_of_names_tags_and_params(project: Path) -> None:
    found = of(
        project,
        """
        [experiments."churn-*"]
        name = ["lr*", "/base-[0-9]+/"]
        required_tags = { owner = true, stage = ["dev", "prod"] }
        required_params = { lr = "between 1e-5 and 0.1", "optimizer.name" = ["adam", "sgd"], epochs = 10, amp = [true] }
        params_at_end = ["n_features"]
        on_violation = "refuse"
        """,
    )
    assert found.refuses
    assert found.why == '[experiments."churn-*"]'
    assert titles(found) == [
        "name like 'lr*' or '/base-[0-9]+/'",
        "tag owner",
        "tag stage like 'dev' or 'prod'",
        "param lr between 1e-5 and 0.1",
        "param optimizer.name adam or sgd",
        "param epochs 10",
        "param amp true",
        "param n_features",
    ]
    assert [rule.at for rule in found.rules] == ["start"] * 7 + ["end"]


def test_pyproject_has_them_below_tool_gitexp(project: Path) -> None:
    toml = '[tool.gitexp.experiments."churn-*"]\nrequired_tags = ["owner"]\n'
    found = of(project, toml, name="pyproject.toml")
    assert found.tables == ('[tool.gitexp.experiments."churn-*"]',)
    assert not found.refuses


@pytest.mark.parametrize(
    ("pattern", "experiment", "holds"),
    [
        ("churn-*", "churn-v2", True),
        ("churn-*", "churn", False),
        ("*", "vision/resnet", True),
        ("vision/*", "vision/resnet/50", True),
        ("Churn-*", "churn-v2", False),
        ("churn-[0-9]", "churn-7", True),
    ],
)
def test_patterns_are_globs_over_the_whole_name(project: Path, pattern: str, experiment: str, holds: bool) -> None:
    support.write(project / "gitexp.toml", f'[experiments."{pattern}"]\nrequired_tags = ["owner"]\n')
    assert (conventions.of(workspaces.open(project), experiment) is not None) == holds


def test_tables_add_up_in_the_order_of_the_file_and_the_last_word_counts(project: Path) -> None:
    found = of(
        project,
        """
        [experiments."*"]
        name = "base*"
        required_tags = ["owner", "ticket"]
        required_params = { lr = "> 0", seed = true }
        on_violation = "refuse"
        [experiments."other"]
        required_tags = ["never"]
        [experiments."churn-*"]
        name = "lr*"
        required_tags = { ticket = false }
        required_params = { lr = "< 1" }
        on_violation = "warn"
        """,
    )
    assert titles(found) == ["tag owner", "param seed", "name like 'lr*'", "param lr < 1"]
    assert found.on_violation == "warn"


def test_what_a_locked_table_asks_cannot_be_weakened(project: Path) -> None:
    found = of(
        project,
        """
        [experiments."*"]
        name = "*-*"
        required_tags = ["owner"]
        required_params = { lr = "< 1" }
        on_violation = "refuse"
        locked = true
        [experiments."churn-*"]
        name = "lr*"
        required_tags = { owner = false }
        required_params = { lr = "> 0" }
        on_violation = "warn"
        """,
    )
    assert titles(found) == ["name like '*-*'", "tag owner", "param lr < 1", "name like 'lr*'", "param lr > 0"]
    assert found.refuses


def test_a_locked_table_can_be_made_stricter(project: Path) -> None:
    found = of(
        project,
        '[experiments."*"]\non_violation = "warn"\nlocked = true\n[experiments."churn-*"]\non_violation = "refuse"\n',
    )
    assert found.refuses


BAD = [
    ("experiments = 3", "experiments is to be tables, one for each pattern"),
    ("[experiments]\nchurn = 1", "experiments is to be tables, one for each pattern"),
    ('[experiments."a b"]\nrequired_tag = ["x"]', "[experiments.\"a b\"] has no key 'required_tag'"),
    ("[experiments.a]\nname = 7", "experiments.a.name is to be a glob, a /regular expression/"),
    ('[experiments.a]\nname = "/(/"', "is no regular expression"),
    ("[experiments.a]\nrequired_tags = true", "experiments.a.required_tags is to be a list of keys"),
    ("[experiments.a]\nrequired_tags = { x = 1 }", "has 1 for tag x, not true, a pattern"),
    ('[experiments.a]\nrequired_params = { lr = "> 0 and" }', "for param lr: expected a value"),
    ('[experiments.a]\nrequired_params = { lr = "in (" }', "for param lr"),
    ("[experiments.a]\nrequired_params = { lr = {} }", "not true, values or a condition"),
    ("[experiments.a]\nrequired_params = { lr = [] }", "not true, values or a condition"),
    ('[experiments.a]\non_violation = "stop"', 'is to be "warn" or "refuse"'),
    ("[experiments.a]\non_violation = 1", 'is to be "warn" or "refuse"'),
    ("[experiments.a]\nlocked = 1", "is to be true or false"),
]


@pytest.mark.parametrize(("toml", "said"), BAD)
def test_a_table_that_is_not_understood_is_named_with_what_to_write(project: Path, toml: str, said: str) -> None:
    support.write(project / "gitexp.toml", toml)
    with pytest.raises(UsageError) as caught:
        conventions.check_file(workspaces.open(project))
    assert said in caught.value.message
    assert caught.value.hint
    assert support.gitexp("run", "-e", "other", "--", "true", expect=2).stderr.startswith("gitexp: gitexp.toml: ")
    assert support.run_refs(project) == {}


def test_they_are_shown_as_they_hold(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    support.write(
        project / "gitexp.toml",
        '[experiments."*"]\nrequired_tags = ["owner"]\nlocked = true\non_violation = "refuse"\n'
        '[experiments."churn-*"]\nrequired_params = { lr = "< 1" }\nparams_at_end = ["n"]\n',
    )
    shown = support.gitexp("experiment", "conventions", "churn-v2")
    assert shown.stderr == "churn-v2: a run that does not keep these meets: refuse\n"
    assert shown.stdout == (
        "RULE       WANTED  CHECKED       FROM\n"
        'tag owner  any     at the start  [experiments."*"], locked\n'
        'param lr   < 1     at the start  [experiments."churn-*"]\n'
        'param n    any     at the end    [experiments."churn-*"]\n'
    )
    told: dict[str, Any] = support.gitexp("experiment", "conventions", "--json").json
    assert (told["experiment"], told["on_violation"], len(told["rules"])) == ("default", "refuse", 1)
    monkeypatch.setenv("GITEXP_CONVENTIONS", "warn")
    assert "warn, environment GITEXP_CONVENTIONS" in support.gitexp("experiment", "conventions").stderr
    monkeypatch.setenv("GITEXP_CONVENTIONS", "off")
    assert "not checked, environment" in support.gitexp("experiment", "conventions").stderr


def test_a_project_without_them_says_so(project: Path) -> None:
    assert support.gitexp("experiment", "conventions", "churn").stderr.startswith("no conventions for churn")
    assert support.gitexp("experiment", "conventions", "--json").json["rules"] == []
    support.gitexp("run", "--name", "x", "-e", "churn", "--", "true")
    assert "no conventions in gitexp.toml" in support.gitexp("check", "@", "--conventions", expect=4).stderr
