"""gitexp model check."""

from __future__ import annotations

from pathlib import Path

from gitexp.record import event as events
from tests import registry
from tests.support import gitexp

RULES = """\
[registry.stages.staging]
[registry.stages.production]
approvals = 1
not_by_author = true
notes = 1
"""


def test_each_gate_says_what_is_missing(project: Path) -> None:
    registry.rule(project, RULES)
    version = registry.register(project, registry.run(project))
    found = gitexp("model", "check", "churn:1", "production", expect=12)
    detail = f"model.txt of run {version.run[:7]} is what was registered"
    wide = len(detail)
    assert found.lines == [
        f"STAGE       GATE       MET  {'FOUND':{wide}}  TO DO",
        f"production  artifact   yes  {detail}  -",
        f"production  approvals  NO   {'0 of 1':{wide}}  gitexp model request churn:1 production",
        f'production  notes      NO   {"0 of 1":{wide}}  gitexp model note churn:1 "…"',
    ]
    commit = registry.rules_commit(project)
    assert found.stderr == (
        f"gitexp: churn:1, in no stage; rules of main at {commit[:7]}\n"
        "gitexp: churn:1 may not enter production (approvals, notes)\n"
        "gitexp model request churn:1 production\n"
    )


def test_without_a_stage_all_that_the_rules_name_are_checked(project: Path) -> None:
    registry.rule(project, RULES)
    version = registry.register(project, registry.run(project))
    registry.say(project, version, events.NOTE, text="calibrated")
    registry.be(project, "bo@acme.io")
    assert gitexp("model", "check", "churn", "--json", expect=12).json["passed"] is False
    registry.say(project, version, events.APPROVE)
    found = gitexp("model", "check", "churn", "--json").json
    assert (found["model"], found["version"], found["passed"]) == ("churn", 1, True)
    assert [stage["stage"] for stage in found["stages"]] == ["staging", "production"]
    approvals = {gate["gate"]: gate for gate in found["stages"][1]["gates"]}["approvals"]
    assert approvals == {"gate": "approvals", "met": True, "detail": "1 of 1 by bo@acme.io", "fix": None}


def test_without_rules_a_stage_has_to_be_named(project: Path) -> None:
    registry.register(project, registry.run(project))
    assert "gitexp model check churn:1 production" in gitexp("model", "check", "churn:1", expect=2).stderr
    found = gitexp("model", "check", "churn:1", "production")
    assert found.lines[1].startswith("production  artifact  yes")
    assert "main has no rules; they would stand in its gitexp.toml, as [registry.stages.production]" in found.stderr


def test_rules_that_cannot_be_read_let_nothing_through(project: Path) -> None:
    registry.rule(project, "[registry.stages.production]\naprovals = 1\n")
    version = registry.run(project)
    assert version.id
    assert "no rule 'aprovals'" in gitexp("model", "register", version.id, "churn", expect=2).stderr
