"""Models and versions by the names people give them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import Ambiguous, NotFound, UsageError
from gitexp.git import refs
from gitexp.ops.registry import models as named
from gitexp.ops.registry import register as registering
from gitexp.ops.registry.register import Options
from gitexp.record import event as events
from gitexp.record.model import Model, Version
from gitexp.store import models
from gitexp.store.models import Draft
from gitexp.store.workspace import Workspace
from tests import recording, registry, support

NAMES = ["churn", "vision/resnet50", "Krähe ✓", "x" * 250, "a", "a/b", "A", "模型", "-dash", "..x", "name.lock", "con"]


def add(workspace: Workspace, name: str = "churn", auc: float = 0.9, **what: str) -> Version:
    """Register a run's only artifact as a new version."""
    content = {"model.txt": f"weights {auc}".encode()}
    run = recording.record(workspace.repo.work_tree or "", f"auc{auc}", metrics={"val_auc": [auc]}, artifacts=content)
    return registering.register(workspace, run.id, name, Options(**what)).version  # type: ignore[arg-type]


def say(workspace: Workspace, version: Version, op: str, **arguments: str) -> Model:
    """Add an event about a version."""
    return models.append(workspace, "churn", [Draft(op, op, version.id, {"sha256": version.sha256, **arguments})])


def number(workspace: Workspace, said: str) -> int:
    found = named.version(workspace, said)[1]
    return found.number


def test_a_version_is_named_by_number_event_stage_and_alias(workspace: Workspace) -> None:
    one, two, three = (add(workspace, auc=auc) for auc in (0.7, 0.8, 0.9))
    say(workspace, two, events.TRANSITION, stage="production")
    say(workspace, one, events.ALIAS, alias="champion")
    found = {
        said: number(workspace, said)
        for said in (
            "churn:1", "churn:v2", "churn:3?", f"churn:{two.id[:7]}", f"churn:{three.id}", "churn:latest",
            "churn@latest", "churn@production", "churn@PRODUCTION", "churn@champion",
        )
    }  # fmt: skip
    assert list(found.values()) == [1, 2, 3, 2, 3, 3, 3, 2, 2, 1]
    assert named.find(workspace, "churn")[1] is None


@pytest.mark.parametrize(
    ("said", "error", "hint"),
    [
        ("churn:9", NotFound, "it has 1 to 2"),
        ("churn:0", NotFound, "it has 1 to 2"),
        ("churn:x", NotFound, "it has 1 to 2"),
        ("churn@nobody", NotFound, "there is: churn@latest, churn@production"),
        ("churn@2", NotFound, "churn:2"),
        ("churn@none", NotFound, "there is: churn@latest, churn@production"),
        ("churn:production", UsageError, "churn@production"),
        ("churn:", UsageError, "churn:3  churn:latest  churn@production"),
        ("chrn:1", NotFound, "did you mean: churn"),
        ("churn", UsageError, "churn:2  churn@latest  churn@production"),
        ("../../x:1", UsageError, "for example: churn"),
        ("", UsageError, "give it letters, for example: baseline"),
    ],
)
def test_what_names_no_version_says_what_there_is(
    workspace: Workspace, said: str, error: type[Exception], hint: str
) -> None:
    add(workspace, auc=0.7)
    say(workspace, add(workspace, auc=0.8), events.TRANSITION, stage="production")
    with pytest.raises(error) as found:
        named.version(workspace, said)
    assert getattr(found.value, "hint", None) == hint


def test_a_stage_that_is_an_alias_of_another_version_too_is_not_guessed(workspace: Workspace) -> None:
    one, two = add(workspace, auc=0.7), add(workspace, auc=0.8)
    say(workspace, one, events.TRANSITION, stage="canary")
    say(workspace, one, events.ALIAS, alias="canary")
    assert number(workspace, "churn@canary") == 1
    say(workspace, two, events.ALIAS, alias="canary")
    with pytest.raises(Ambiguous) as found:
        named.version(workspace, "churn@canary")
    assert found.value.candidates == ("churn:1, in that stage", "churn:2, under that alias")
    registry.rule(Path(workspace.repo.work_tree or ""), "[registry.stages.canary]\n[registry.stages.beta]\n")
    assert number(workspace, "churn@canary") == 1


def test_an_alias_that_the_rules_make_a_stage_later_names_nobody_until_somebody_is_in_it(workspace: Workspace) -> None:
    say(workspace, add(workspace), events.ALIAS, alias="beta")
    assert number(workspace, "churn@beta") == 1
    registry.rule(Path(workspace.repo.work_tree or ""), "[registry.stages.beta]\n")
    with pytest.raises(NotFound, match="no version of churn is in beta"):
        named.version(workspace, "churn@beta")


def test_of_several_versions_in_a_stage_the_one_that_came_last_is_meant(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [add(workspace, auc=auc) for auc in (0.7, 0.8, 0.9)]
    for day, version in enumerate((found[2], found[0], found[1])):
        monkeypatch.setenv("GITEXP_NOW", f"2030-01-0{day + 1}T00:00:00Z")
        say(workspace, version, events.TRANSITION, stage="staging")
    assert number(workspace, "churn@staging") == 2


@pytest.mark.parametrize("name", NAMES)
def test_names_that_people_give_are_refs_of_one_level_and_found_again(workspace: Workspace, name: str) -> None:
    made = add(workspace, name)
    model, found = named.version(workspace, f"{name}:1")
    assert (model.name, found.id) == (name, made.id)
    (ref,) = refs.listing(workspace.repo, "refs/models/")
    assert ref.count("/") == 2
    assert len(ref.encode()) < 200
    support.git(workspace.repo.work_tree or "", "check-ref-format", ref)


def test_all_these_names_are_different_models(workspace: Workspace) -> None:
    for name in NAMES:
        registering.create(workspace, name)
    assert {item.model.name for item in named.every(workspace)} == set(NAMES)
    assert len(refs.listing(workspace.repo, "refs/models/")) == len(NAMES)


@pytest.mark.parametrize("name", ["..", "a/../b", "", " ", "a:b", "a@b", "x" * 300, "a\nb", "a//b", "/a", "a/"])
def test_names_that_no_model_can_have_are_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError):
        registering.create(workspace, name)
    assert refs.listing(workspace.repo, "refs/models/") == {}


def test_words_name_a_version_together_or_apart(workspace: Workspace) -> None:
    one, two = add(workspace, auc=0.7), add(workspace, auc=0.8)
    say(workspace, one, events.TRANSITION, stage="staging")
    say(workspace, two, events.ALIAS, alias="best")
    words = [
        ["churn:1", "x"],
        ["churn", "1", "x"],
        ["churn", ":1", "x"],
        ["churn", "@staging", "x"],
        ["churn@staging", "x"],
    ]
    for given in words:
        _, found, rest = named.take(workspace, given)
        assert (found.id, rest) == (one.id, ["x"])
    assert named.take(workspace, ["churn", "@best"])[1].id == two.id
    for given in (["churn"], ["churn", "staging"], ["churn", "best", "x"], []):
        with pytest.raises(UsageError, match="which version"):
            named.take(workspace, given)
    assert named.take(workspace, ["churn", "latest"])[1].id == two.id


def test_a_half_typed_name_is_completed_with_models_then_with_their_versions(workspace: Workspace) -> None:
    one = add(workspace, auc=0.7)
    add(workspace, auc=0.8)
    say(workspace, one, events.TRANSITION, stage="staging")
    say(workspace, one, events.ALIAS, alias="best")
    assert named.completions(workspace, "ch") == [("churn", "2 versions")]
    assert [typed for typed, _ in named.completions(workspace, "churn:")] == ["churn:2", "churn:1"]
    assert [typed for typed, _ in named.completions(workspace, "churn@")] == ["churn@staging", "churn@best"]
