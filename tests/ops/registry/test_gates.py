"""The gates of a stage, one by one, over real runs and committed rules."""

from __future__ import annotations

from pathlib import Path

import pytest

import gitexp
from gitexp.errors import Refused, UsageError
from gitexp.ops.registry import evidence, gates, promote
from gitexp.ops.registry.gates import Gate
from gitexp.record import event as events
from gitexp.record.model import Version
from gitexp.store import models
from tests import registry, signing, support

PRODUCTION = "[registry.stages.staging]\n[registry.stages.production]\n"
pytestmark = pytest.mark.usefixtures("project")


def judge(project: Path, version: Version, stage: str = "production") -> dict[str, Gate]:
    workspace = registry.open(project)
    model = models.get(workspace, "churn")
    found = gates.evaluate(workspace, model, model.versions[version.id], stage)
    return {gate.name: gate for gate in found}


def move(project: Path, version: Version, stage: str = "production") -> str:
    workspace = registry.open(project)
    model = models.get(workspace, "churn")
    return promote.promote(workspace, model, model.versions[version.id], stage).versions[version.id].stage


def test_without_rules_only_the_artifact_is_looked_at(project: Path) -> None:
    version = registry.register(project, registry.run(project))
    found = judge(project, version)
    assert list(found) == ["artifact"] and found["artifact"].met
    assert move(project, version) == "production"


def test_an_artifact_that_is_not_what_the_run_kept_goes_nowhere(project: Path) -> None:
    run = registry.run(project)
    version = registry.register(project, run, sha256="00" * 32)
    assert "sha256" in judge(project, version)["artifact"].detail
    other = registry.register(project, run, artifact="other.txt", sha256="00" * 32)
    assert "no artifact 'other.txt'" in judge(project, other)["artifact"].detail
    stolen = registry.register(project, run, run="k" * 16)
    assert "is the run" in judge(project, stolen)["artifact"].detail
    with pytest.raises(Refused, match="artifact: "):
        move(project, version)


def test_a_folder_is_known_by_its_merkle_hash(project: Path) -> None:
    run = registry.run(project, artifacts={"model/weights.bin": b"w", "model/config.json": b"{}"})
    version = registry.register(project, run, artifact="model")
    assert judge(project, version)["artifact"].met


def test_a_stage_that_the_rules_do_not_know_is_refused(project: Path) -> None:
    registry.rule(project, PRODUCTION)
    version = registry.register(project, registry.run(project))
    assert "know no stage 'prod'" in judge(project, version, "prod")["stage"].detail
    with pytest.raises(UsageError):
        judge(project, version, "no good")


def test_approvals_count_those_who_may_and_say_who_may_not(project: Path) -> None:
    rules = 'approvals = 2\napprovers = ["@leads", "cy@acme.io", "ana@acme.io"]\nnot_by_author = true\n'
    registry.rule(project, f'[registry.teams]\nleads = ["bo@acme.io"]\n{PRODUCTION}{rules}')
    version = registry.register(project, registry.run(project))
    for email in ("ana@acme.io", "eve@evil.io", "bo@acme.io"):
        registry.be(project, email)
        registry.say(project, version, events.APPROVE)
    gate = judge(project, version)["approvals"]
    assert not gate.met and gate.fix == "gitexp model request churn:1 production"
    assert gate.detail == (
        "1 of 2 by bo@acme.io (not counted: ana@acme.io: is its author; eve@evil.io: not among the approvers)"
    )
    registry.be(project, "cy@acme.io")
    registry.say(project, version, events.APPROVE, stage="production")
    assert judge(project, version)["approvals"].met
    registry.say(project, version, events.REJECT)
    assert judge(project, version)["approvals"].detail.startswith("rejected by cy@acme.io")


def test_approvers_can_block_where_no_approvals_are_asked_for(project: Path) -> None:
    registry.rule(project, PRODUCTION + 'approvers = ["bo@acme.io"]\n')
    version = registry.register(project, registry.run(project))
    registry.say(project, version, events.REJECT)
    assert judge(project, version)["approvals"].met
    registry.be(project, "bo@acme.io")
    registry.say(project, version, events.REJECT)
    with pytest.raises(Refused, match=r"rejected by bo@acme\.io"):
        move(project, version)
    draft = models.Draft(events.TRANSITION, "force it", version.id, {"sha256": version.sha256, "stage": "production"})
    with pytest.raises(Refused, match=r"rejected by bo@acme\.io"):
        models.append(registry.open(project), "churn", [draft])


def test_who_made_the_run_is_its_author_whatever_the_registration_says(project: Path) -> None:
    registry.rule(project, PRODUCTION + "approvals = 1\nnot_by_author = true\n")
    registry.be(project, "bo@acme.io")
    run = registry.run(project)
    registry.be(project, "eve@acme.io")
    version = registry.register(project, run, run_author="somebody@else.io")
    registry.be(project, "bo@acme.io")
    registry.say(project, version, events.APPROVE)
    assert judge(project, version)["approvals"].detail == "0 of 1 (not counted: bo@acme.io: made its run)"
    with pytest.raises(Refused, match="made its run"):
        move(project, version)


def test_an_approval_for_another_stage_or_version_does_not_count(project: Path) -> None:
    registry.rule(project, PRODUCTION + "approvals = 1\n")
    one, two = (registry.register(project, registry.run(project, name)) for name in ("one", "two"))
    registry.say(project, one, events.APPROVE)
    registry.say(project, two, events.APPROVE, stage="staging")
    assert judge(project, one)["approvals"].met
    assert judge(project, two)["approvals"].detail == "0 of 1"


def test_only_promoters_move_a_version_in_and_out(project: Path) -> None:
    registry.rule(project, PRODUCTION + 'promoters = ["bo@acme.io"]\n')
    version = registry.register(project, registry.run(project))
    assert "ana@acme.io is not among the promoters of production" in judge(project, version)["promoters"].detail
    registry.be(project, "Bo@acme.io")
    assert move(project, version) == "production"
    registry.be(project, "ana@acme.io")
    assert "production, where it is" in judge(project, version, "none")["promoters"].detail


def test_a_condition_is_held_against_the_commit_that_was_registered(project: Path) -> None:
    registry.rule(project, PRODUCTION + 'require = "metrics.val_auc >= 0.9 and code.dirty = false"\n')
    good, bad = (registry.run(project, name, auc) for name, auc in (("good", 0.93), ("bad", 0.8)))
    found = [judge(project, registry.register(project, run))["require"] for run in (good, bad)]
    assert [gate.met for gate in found] == [True, False]
    assert "metrics.val_auc 0.8" in found[1].detail and "code.dirty" in found[1].detail


def test_a_condition_that_cannot_be_understood_stands_closed(project: Path) -> None:
    registry.rule(project, PRODUCTION + 'require = "metrics.val_auc >"\n')
    gate = judge(project, registry.register(project, registry.run(project)))["require"]
    assert not gate.met and "column" in gate.detail


def test_a_condition_knows_the_tags_of_the_run_now(project: Path) -> None:
    registry.rule(project, PRODUCTION + "require = \"tags.reviewed = 'yes'\"\n")
    run = registry.run(project)
    version = registry.register(project, run)
    assert not judge(project, version)["require"].met
    support.gitexp("tag", run.id, "reviewed=yes")
    assert judge(project, version)["require"].met


@pytest.mark.parametrize(
    ("first", "second", "margin", "met"),
    [(0.94, 0.9421, 0.002, True), (0.94, 0.942, 0.002, False), (0.94, 0.94, 0, False), (0.94, 0.93, 0, False)],
)
def test_a_version_must_beat_the_one_in_the_stage(
    project: Path, first: float, second: float, margin: float, met: bool
) -> None:
    rule = f'better_than = {{ stage = "production", metric = "val_auc", margin = {margin} }}\nexclusive = true\n'
    registry.rule(project, PRODUCTION + rule)
    old, new = (registry.register(project, registry.run(project, str(auc), auc)) for auc in (first, second))
    assert judge(project, old)["better_than"].detail == "no other version is in production"
    assert move(project, old) == "production"
    found = judge(project, new)
    assert found["better_than"].met is met
    assert found["exclusive"].detail == "version 1 goes to archived"


def test_which_way_is_better_is_what_was_reviewed_not_what_is_configured_here(project: Path) -> None:
    registry.rule(project, f'minimize = ["score"]\nmetric = "score"\n{PRODUCTION}better_than = "production"\n')
    runs = [registry.run(project, name, metrics={"score": [value]}) for name, value in (("a", 1.0), ("b", 2.0))]
    old, new = (registry.register(project, run) for run in runs)
    move(project, old)
    support.git(project, "config", "gitexp.maximize", "score")
    support.write(project / "gitexp.toml", 'maximize = ["score"]\n')
    gate = judge(project, new)["better_than"]
    assert not gate.met and "lower: gitexp.toml on the branch of the rules" in gate.detail


def test_a_metric_of_unknown_direction_stands_closed(project: Path) -> None:
    registry.rule(project, PRODUCTION + 'better_than = { stage = "production", metric = "blurb" }\n')
    old, new = (registry.register(project, registry.run(project, name)) for name in ("one", "two"))
    move(project, old)
    assert "is not known" in judge(project, new)["better_than"].detail


def test_an_old_run_is_too_old(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.rule(project, PRODUCTION + 'max_age = "30d"\n')
    monkeypatch.setenv("GITEXP_NOW", "2026-01-01T00:00:00.000Z")
    version = registry.register(project, registry.run(project))
    assert judge(project, version)["max_age"].met
    monkeypatch.setenv("GITEXP_NOW", "2026-02-10T00:00:00.000Z")
    assert judge(project, version)["max_age"].detail == "its run ended 40d ago, of 30d that it may"


def test_tags_of_the_version_or_its_run_and_notes_are_asked_for(project: Path) -> None:
    registry.rule(project, PRODUCTION + 'tags = ["card", "owner=ml"]\nnotes = 1\n')
    run = registry.run(project)
    version = registry.register(project, run)
    found = judge(project, version)
    assert found["tags"].detail == "missing: card, owner=ml" and found["notes"].detail == "0 of 1"
    registry.say(project, version, events.TAG, key="card", value="")
    support.gitexp("tag", run.id, "owner=ml")
    registry.say(project, version, events.NOTE, text="looked at the calibration")
    assert not gates.unmet(list(judge(project, version).values()))


def test_a_version_comes_from_where_the_rules_say(project: Path) -> None:
    registry.rule(project, PRODUCTION + 'after = ["staging"]\n')
    version = registry.register(project, registry.run(project))
    assert judge(project, version)["after"].fix == "gitexp model stage churn:1 staging"
    move(project, version, "staging")
    assert judge(project, version)["after"].met


def test_a_deprecated_version_is_not_promoted(project: Path) -> None:
    version = registry.register(project, registry.run(project))
    registry.say(project, version, events.DEPRECATE, reason="leaks the label")
    assert judge(project, version)["version"].detail == "it is deprecated: leaks the label"
    assert "version" not in judge(project, version, "archived")


def test_signatures_are_asked_for_before_anything_is_written(project: Path, tmp_path: Path) -> None:
    registry.rule(project, PRODUCTION + "signed = true\n")
    version = registry.register(project, registry.run(project))
    assert judge(project, version)["signed"].detail == "the transition: no signature"
    ana = signing.make(tmp_path / "keys", "ana")
    signing.use(project, ana)
    assert judge(project, version)["signed"].detail == "the transition: a key that is nobody's here"
    support.write(project / "gitexp/allowed_signers", signing.listed({signing.ANA: ana}))
    support.commit(project, "say who signs")
    assert "registration" in judge(project, version)["signed"].detail
    signed = registry.register(project, registry.run(project, "again"))
    assert judge(project, signed)["signed"].met
    assert move(project, signed) == "production"


def test_a_transition_keeps_what_was_found_and_what_it_displaced(project: Path) -> None:
    registry.rule(project, PRODUCTION + "exclusive = true\n")
    one, two = (registry.register(project, registry.run(project, name)) for name in ("one", "two"))
    move(project, one)
    move(project, two)
    workspace = registry.open(project)
    last = models.history(workspace, "refs/models/churn")[-1].event.arguments
    assert last["from"] == one.id and last["stage"] == "production" and last["proposal"] is None
    assert [(item["gate"], item["met"]) for item in last["checked"]] == [("artifact", True), ("exclusive", True)]
    assert models.get(workspace, "churn").versions[one.id].stage == "archived"


def test_what_is_done_already_adds_nothing(project: Path) -> None:
    version = registry.register(project, registry.run(project))
    move(project, version)
    before = support.git(project, "rev-parse", "refs/models/churn")
    assert move(project, version) == "production"
    assert support.git(project, "rev-parse", "refs/models/churn") == before


def test_gates_of_a_transition_in_a_chain_are_those_of_its_own_rules(project: Path) -> None:
    registry.rule(project, PRODUCTION)
    version = registry.register(project, registry.run(project))
    workspace = registry.open(project)
    before = models.get(workspace, "churn")
    move(project, version)
    registry.rule(project, PRODUCTION + "notes = 3\n", "ask for notes")
    workspace = registry.open(project)
    entry = models.history(workspace, "refs/models/churn")[-1]
    assert not gates.unmet(gates.of_transition(workspace, before, entry))


def test_a_run_resumed_after_its_registration_does_not_change_what_is_judged(project: Path) -> None:
    registry.rule(project, PRODUCTION + 'require = "metrics.val_auc >= 0.9"\n')
    run = registry.run(project, "weak", 0.8)
    version = registry.register(project, run)
    with gitexp.start_run(resume=run.id) as again:
        again.log({"val_auc": 0.99}, step=9)
    assert support.record(project, run.ref or "", "summary.json")["val_auc"]["last"] == 0.99
    assert not judge(project, version)["require"].met


def test_an_artifact_too_large_to_be_read_stands_closed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = registry.register(project, registry.run(project))
    monkeypatch.setattr(evidence, "MAX_READ_BYTES", 3)
    assert "bytes of it stand in Git itself: at most 3 are read" in judge(project, version)["artifact"].detail


def test_a_run_that_is_not_here_is_named(project: Path) -> None:
    version = registry.register(project, registry.run(project), commit="a" * 40)
    gate = judge(project, version)["artifact"]
    assert gate.detail == f"the run {version.run[:7]} of version 1 is not here" and gate.fix == "gitexp fetch"
