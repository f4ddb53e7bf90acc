"""The rules of the registry, as the project's file gives them."""

from __future__ import annotations

import pytest

from gitexp.errors import UsageError
from gitexp.record import rules
from gitexp.record.rules import Better

FILE = b"""
[registry]
signed = true

[registry.teams]
ml-leads = ["Ana@acme.io", "bo@acme.io"]

[registry.gpg]
"Ana@acme.io" = "ABCD"

[registry.stages.staging]
signed = false

[registry.stages.production]
approvals = 2
approvers = ["@ml-leads", "cy@acme.io"]
promoters = "@ml-leads"
not_by_author = true
require = "metrics.val_auc >= 0.9"
better_than = { stage = "production", metric = "val_auc", margin = 0.002 }
max_age = "30d"
tags = ["card", "owner=ml"]
notes = true
exclusive = true
after = ["Staging"]
merged = true

[registry.models."toy-*".stages.production]
approvals = 0

[registry.models."toy-*".stages.demo]
"""


def test_every_rule_is_read() -> None:
    found = rules.read(FILE).stage("churn", "production")
    assert found.approvals == 2 and found.not_by_author and found.signed and found.exclusive and found.merged
    assert found.approvers == ("@ml-leads", "cy@acme.io") and found.promoters == ("@ml-leads",)
    assert found.better_than == Better("production", "val_auc", 0.002)
    assert found.max_age_ms == 30 * 86_400_000 and found.tags == ("card", "owner=ml") and found.notes == 1
    assert found.after == ("staging",) and found.require == "metrics.val_auc >= 0.9"


def test_a_stage_says_otherwise_than_all_stages() -> None:
    assert not rules.read(FILE).stage("churn", "staging").signed


def test_a_models_own_rules_stand_on_those_of_all() -> None:
    found = rules.read(FILE)
    assert found.stage("toy-one", "production").approvals == 0
    assert found.stage("toy-one", "production").exclusive
    assert found.stage("toy-one", "staging") == found.stage("churn", "staging")
    assert found.names("toy-one") == ("staging", "production", "demo")
    assert found.names("churn") == ("staging", "production")


def test_teams_are_their_people() -> None:
    found = rules.read(FILE)
    assert found.people(["@ml-leads", "Cy@acme.io"]) == {"ana@acme.io", "bo@acme.io", "cy@acme.io"}
    assert found.gpg == {"ana@acme.io": "ABCD"}


def test_a_stage_without_rules_is_free() -> None:
    assert rules.EMPTY.stage("churn", "anything") == rules.FREE
    assert rules.read(b"experiment = 'churn'") == rules.EMPTY


def test_pyproject_has_them_below_tool_gitexp() -> None:
    found = rules.read(b"[tool.gitexp.registry.stages.production]\napprovals = 1\n", "pyproject.toml")
    assert found.stage("churn", "production").approvals == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("registry = 1", "registry is no table"),
        ("[registry]\nstage = 1", "no rule 'stage'"),
        ("[registry.stages]\nproduction = 1", "production is no table"),
        ("[registry.stages.Production]\n", "'Production' cannot be called so"),
        ("[registry.stages.none]\n", "'none' cannot be called so"),
        ("[registry.stages.p]\naprovals = 2", "no rule 'aprovals'"),
        ("[registry.stages.p]\napprovals = -1", "approvals is -1"),
        ("[registry.stages.p]\napprovals = '2'", "approvals is '2'"),
        ("[registry.stages.p]\napprovers = ['ana']", "'ana' is no address"),
        ("[registry.stages.p]\napprovers = ['@nobody']", "no team '@nobody'"),
        ("[registry.stages.p]\nsigned = 'yes'", "signed is 'yes'"),
        ("[registry.stages.p]\nrequire = ''", "require is ''"),
        ("[registry.stages.p]\nmax_age = '30'", "not a time such as 30d"),
        ("[registry.stages.p]\nbetter_than = { stage = 'p', margin = -1 }", "margin is -1"),
        ("[registry.stages.p]\nbetter_than = { metric = 'x' }", "stage is None"),
        ("[registry.stages.p]\nbetter_than = { stage = 'p', metrics = 'x' }", "no rule 'metrics'"),
        ("[registry.models.x]\napprovals = 1", "no rule 'approvals'"),
        ("[registry", "cannot be read"),
    ],
)
def test_a_rule_that_means_nothing_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        rules.read(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "[registry.models]\na = 5",
        "[registry.models.a.stages]\nproduction = 5",
        "[registry.models.a]\nstages = 5",
        f'[registry.stages.p]\nmax_age = "{"9" * 400}d"',
        "a = " + "[" * 3000,
    ],
)
def test_rules_of_wrong_types_are_an_error_that_says_so(text: str) -> None:
    with pytest.raises(UsageError):
        rules.read(text.encode())
