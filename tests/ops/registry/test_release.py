"""Words about versions, aliases, tags, removal, and the way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import NotFound, Refused, UsageError
from gitexp.ops.registry import models as named
from gitexp.ops.registry import promote, release
from gitexp.record.model import Model, Version
from gitexp.store import models
from gitexp.store.workspace import Workspace
from tests import registry, signing, support

RULES = """
[registry]
approvers = ["bo@acme.io", "cy@acme.io"]
not_by_author = true
[registry.stages.staging]
approvals = 0
[registry.stages.production]
approvals = 2
exclusive = true
"""


@pytest.fixture
def versions(project: Path) -> list[Version]:
    """Return three versions that ana made."""
    return [registry.register(project, registry.run(project, f"r{at}", auc=at / 10)) for at in (7, 8, 9)]


def at(project: Path, number: int) -> tuple[Workspace, Model, Version]:
    workspace = registry.open(project)
    return (workspace, *named.version(workspace, f"churn:{number}"))


def stage(project: Path, number: int, where: str) -> Model:
    return promote.promote(*at(project, number), where)


def back(project: Path, where: str = "production") -> list[int]:
    """Go back, and return who is in the stage then."""
    workspace = registry.open(project)
    for made in release.rollback(workspace, models.get(workspace, "churn"), where):
        if made is not None:
            promote.execute(workspace, made)
    return [item.number for item in models.get(workspace, "churn").holders(where)]


def test_approvals_are_for_the_only_stage_that_asks_for_them(project: Path, versions: list[Version]) -> None:
    registry.rule(project, RULES)
    registry.be(project, "bo@acme.io")
    said = release.approve(*at(project, 1), note="looks right")
    assert said.standing is not None
    assert (said.stage, said.needed, said.standing.approved) == ("production", 2, ("bo@acme.io",))
    changed = release.reject(*at(project, 1)).standing
    assert changed is not None
    assert (changed.approved, changed.rejected) == ((), ("bo@acme.io",))
    registry.be(project, "cy@acme.io")
    assert release.approve(*at(project, 1), "staging").stage == "staging"


def test_where_several_stages_ask_for_approvals_one_has_to_be_named(project: Path, versions: list[Version]) -> None:
    registry.rule(project, RULES.replace("approvals = 0", "approvals = 1"))
    registry.be(project, "bo@acme.io")
    with pytest.raises(UsageError, match="staging, production ask for approvals"):
        release.approve(*at(project, 1))
    with pytest.raises(UsageError, match="the rules know no stage 'prod'"):
        release.approve(*at(project, 1), "prod")


@pytest.mark.parametrize(
    ("person", "why"), [("ana@acme.io", "not among the approvers"), ("eve@acme.io", "not among the approvers")]
)
def test_words_that_would_count_for_nothing_are_refused(
    project: Path, versions: list[Version], person: str, why: str
) -> None:
    registry.rule(project, RULES)
    registry.be(project, person)
    for say, what in ((release.approve, "an approval"), (release.reject, "a rejection")):
        with pytest.raises(Refused, match=f"{what} by {person} would not count for production: {why}"):
            say(*at(project, 1))
    assert models.get(registry.open(project), "churn").count == 3
    assert release.request(*at(project, 1)).stage == "production"


def test_an_author_cannot_approve_and_may_reject(project: Path, versions: list[Version]) -> None:
    registry.rule(project, RULES.replace('"bo@acme.io"', '"ana@acme.io"'))
    with pytest.raises(Refused, match="is its author"):
        release.approve(*at(project, 1))
    found = release.reject(*at(project, 1)).standing
    assert found is not None
    assert found.rejected == ("ana@acme.io",)


def test_without_a_key_nobody_approves_where_the_rules_ask_for_signatures(
    project: Path, versions: list[Version], tmp_path: Path
) -> None:
    registry.rule(project, RULES + "signed = true\n")
    registry.be(project, "bo@acme.io")
    with pytest.raises(Refused, match="no good signature") as found:
        release.approve(*at(project, 1))
    assert found.value.hint == "gitexp keys setup"
    key = signing.make(tmp_path / "keys", "bo")
    signing.use(project, key)
    with pytest.raises(Refused, match="the signature would count for nothing: a key that is nobody's here"):
        release.approve(*at(project, 1))
    support.write(project / "gitexp/allowed_signers", signing.listed({"bo@acme.io": key}))
    support.commit(project, "list bo's key")
    said = release.approve(*at(project, 1))
    assert said.standing is not None
    assert (said.standing.approved, said.version.words[0].signed) == (("bo@acme.io",), True)


def test_an_alias_moves_goes_and_is_no_stage_and_no_number(project: Path, versions: list[Version]) -> None:
    registry.rule(project, RULES)
    assert release.alias(*at(project, 1), "champion").aliases == {"champion": versions[0].id}
    moved = release.alias(*at(project, 2), "champion")
    assert moved.aliases == {"champion": versions[1].id}
    assert release.alias(*at(project, 2), "champion").tip == moved.tip
    for name in ("latest", "3", "v3", "a b", ""):
        with pytest.raises(UsageError):
            release.alias(*at(project, 1), name)
    with pytest.raises(Refused, match="production is a stage"):
        release.alias(*at(project, 1), "production")
    workspace = registry.open(project)
    assert release.unalias(workspace, models.get(workspace, "churn"), "champion").aliases == {}
    with pytest.raises(NotFound, match="has no alias 'champion'"):
        release.unalias(workspace, models.get(workspace, "churn"), "champion")


def test_tags_notes_and_descriptions_are_of_versions_and_of_models(project: Path, versions: list[Version]) -> None:
    workspace, model, version = at(project, 1)
    model = release.tag(workspace, model, version, {"owner": "ana", "card": ""})
    model = release.tag(workspace, model, None, {"team": "ml"})
    same = release.tag(workspace, model, model.versions[version.id], {"owner": "ana"})
    assert same.tip == model.tip
    model = release.untag(workspace, model, model.versions[version.id], ["card"])
    with pytest.raises(NotFound, match="churn:1 has no tag 'card'"):
        release.untag(workspace, model, model.versions[version.id], ["card"])
    model = release.note(workspace, model, version, "check the calibration")
    model = release.describe(workspace, model, None, "who will leave")
    found = model.versions[version.id]
    assert (found.tags, model.tags, model.description) == ({"owner": "ana"}, {"team": "ml"}, "who will leave")
    assert [note.text for note in found.notes] == ["check the calibration"]
    with pytest.raises(UsageError):
        release.note(workspace, model, None, " ")


def test_what_is_removed_is_hidden_keeps_its_number_and_comes_back(project: Path, versions: list[Version]) -> None:
    release.remove(*at(project, 2), "leaked")
    workspace = registry.open(project)
    with pytest.raises(NotFound, match="churn:2 was removed"):
        named.version(workspace, "churn:2")
    model = models.get(workspace, "churn")
    assert [item.number for item in named.versions(model)] == [3, 1]
    model, gone = named.version(workspace, "churn:2", removed=True)
    back = release.undelete(workspace, model, gone)
    assert [item.number for item in named.versions(back)] == [3, 2, 1]
    with pytest.raises(NotFound, match="was not removed"):
        release.undelete(workspace, back, back.versions[gone.id])
    release.remove(workspace, back, None)
    assert named.every(workspace) == []
    with pytest.raises(NotFound, match="model 'churn' was removed"):
        models.get(workspace, "churn")


def test_what_is_in_a_stage_is_removed_only_by_force(project: Path, versions: list[Version]) -> None:
    stage(project, 2, "production")
    for target in (2, None):
        workspace, model, version = at(project, target or 1)
        with pytest.raises(Refused, match="churn:2 is in production"):
            release.remove(workspace, model, version if target else None)
    assert release.remove(*at(project, 2), force=True).holders("production") == []


def test_a_model_that_is_renamed_keeps_its_ref_and_is_found_by_both_names(
    project: Path, versions: list[Version]
) -> None:
    workspace = registry.open(project)
    model = release.rename(workspace, models.get(workspace, "churn"), "leavers/weekly")
    assert (model.name, list(models.listing(workspace))) == ("leavers/weekly", ["refs/models/churn"])
    for name in ("leavers/weekly:3", "churn:3"):
        assert named.version(workspace, name)[1].id == versions[2].id
    registry.register(project, registry.run(project, "other"), "other")
    for taken in ("leavers/weekly", "churn"):
        with pytest.raises(Refused, match="there is a model"):
            release.rename(workspace, models.get(workspace, "other"), taken)


def test_a_deprecated_version_enters_no_stage(project: Path, versions: list[Version]) -> None:
    release.deprecate(*at(project, 1), "use 2")
    with pytest.raises(Refused, match="deprecated"):
        stage(project, 1, "production")


@pytest.mark.parametrize("exclusive", [True, False])
def test_going_back_goes_one_version_back_each_time(project: Path, versions: list[Version], exclusive: bool) -> None:
    if exclusive:
        registry.rule(project, "[registry.stages.production]\nexclusive = true\n[registry.stages.staging]\n")
    for number in (1, 2, 3):
        stage(project, number, "production")
    assert [back(project)[0], back(project)[0]] == [2, 1]
    with pytest.raises(NotFound, match="no version of churn was in production before"):
        back(project)
    assert [item.number for item in models.get(registry.open(project), "churn").holders("archived")] == [2, 3]


def test_going_back_passes_over_what_was_removed_or_deprecated(project: Path, versions: list[Version]) -> None:
    registry.rule(project, "[registry.stages.production]\nexclusive = true\n")
    for number in (1, 2, 3):
        stage(project, number, "production")
    release.deprecate(*at(project, 2))
    assert back(project) == [1]


def test_the_way_back_is_not_closed_by_what_the_older_version_cannot_be(project: Path) -> None:
    runs = [registry.run(project, f"r{auc}", auc=auc) for auc in (0.8, 0.9)]
    for run in runs:
        registry.register(project, run)
    rules = """
maximize = ["val_auc"]
[registry.stages.staging]
[registry.stages.production]
exclusive = true
after = ["staging"]
approvals = 1
max_age = "5m"
better_than = { stage = "production", metric = "val_auc" }
"""
    registry.rule(project, rules)
    for number in (1, 2):
        stage(project, number, "staging")
        release.approve(*at(project, number))
        stage(project, number, "production")
    assert back(project) == [1]


def test_the_way_back_asks_for_approvals_as_ever(project: Path, versions: list[Version]) -> None:
    registry.rule(project, "[registry.stages.production]\nexclusive = true\napprovals = 1\n")
    for number in (1, 2):
        release.approve(*at(project, number))
        stage(project, number, "production")
    release.reject(*at(project, 1), note="leaks")
    with pytest.raises(Refused, match=r"rejected by ana@acme\.io"):
        back(project)
