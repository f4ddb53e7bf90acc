"""Models of the registry in a repository: added to, joined, remembered."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gitexp import ids
from gitexp.errors import Damaged, NotFound, Refused, UsageError
from gitexp.git import objects, refs
from gitexp.ops.recording import recover
from gitexp.record import event as events
from gitexp.record.model import Model
from gitexp.store import furthest, models, remotes, rulebook
from gitexp.store import workspace as workspaces
from gitexp.store.models import Draft
from gitexp.store.workspace import Workspace
from tests import support

SHA = "7b" * 32
RULES = "[registry.stages.staging]\n[registry.stages.production]\nexclusive = true\n"


def register(workspace: Workspace, name: str = "churn", sha256: str = SHA) -> Model:
    details = {"run": "kqzvmxrlopnkqzvm", "commit": "a" * 40, "artifact": "model.pt", "size": 3, "sha256": sha256}
    return models.append(workspace, name, [Draft(events.REGISTER, "register a version", None, details)], create=True)


def promote(workspace: Workspace, version: str, stage: str = "production", **more: object) -> Model:
    arguments = {"sha256": SHA, "stage": stage, "from": None, **more}
    return models.append(workspace, "churn", [Draft(events.TRANSITION, f"promote to {stage}", version, arguments)])


def newest(model: Model) -> str:
    version = model.latest()
    assert version is not None
    return version.id


def clone(workspace: Workspace, path: Path) -> Workspace:
    """Return another clone, with the models that this one has."""
    assert workspace.repo.work_tree is not None
    shutil.copytree(workspace.repo.work_tree, path, symlinks=True)
    return workspaces.open(path)


def exchange(source: Workspace, target: Workspace, ref: str = "refs/models/churn") -> str:
    """Bring the objects of a model from one clone to another; return its head there."""
    support.git(target.repo.common_dir, "fetch", "--quiet", "--no-tags", str(source.repo.common_dir), ref)
    tip = refs.get(source.repo, ref)
    assert tip is not None
    return tip


def test_events_add_up_to_a_model(workspace: Workspace) -> None:
    register(workspace)
    model = register(workspace)
    promote(workspace, newest(model), "staging")
    found = models.get(workspace, "churn")
    assert [(item.number, item.stage) for item in found.versions.values()] == [(1, "none"), (2, "staging")]
    assert support.git(workspace.repo.common_dir, "rev-list", "--count", "refs/models/churn").strip() == "3"
    support.git(workspace.repo.common_dir, "fsck", "--strict")


def test_the_state_is_the_same_with_and_without_its_cache(workspace: Workspace) -> None:
    register(workspace)
    promote(workspace, newest(register(workspace)))
    kept = models.get(workspace, "churn")
    shutil.rmtree(workspace.home / "models")
    assert models.get(workspace, "churn") == kept
    (workspace.home / "models" / "churn.json").write_bytes(b"torn {")
    assert models.get(workspace, "churn") == kept


def test_an_event_that_would_change_nothing_is_not_written(workspace: Workspace) -> None:
    version = newest(register(workspace))
    tip = refs.get(workspace.repo, "refs/models/churn")
    with pytest.raises(Refused, match="sha256 is not that of the version"):
        promote(workspace, version, sha256="00")
    with pytest.raises(Refused, match="no such version"):
        promote(workspace, "f" * 40)
    assert refs.get(workspace.repo, "refs/models/churn") == tip


def test_a_model_that_is_not_there_is_told_with_near_names(workspace: Workspace) -> None:
    register(workspace)
    with pytest.raises(NotFound) as caught:
        models.get(workspace, "chrun")
    assert "churn" in caught.value.hint
    with pytest.raises(NotFound):
        models.append(workspace, "other", [Draft(events.NOTE, "note", None, {"text": "x"})])


@pytest.mark.parametrize(
    ("name", "ref"),
    [
        ("churn", "refs/models/churn"),
        ("churn-2", "refs/models/churn-2"),
        ("vision/resnet", "refs/models/vision-resnet-"),
        ("Churn", "refs/models/churn-"),
        ("abwanderung größe", "refs/models/abwanderung-grösse-"),
        ("churn-kqzvmxr", "refs/models/churn-kqzvmxr-"),
        ("x" * 250, "refs/models/" + "x" * 60 + "-"),
        ("a.lock", "refs/models/a-lock-"),
        ("con", "refs/models/_con-"),
    ],
)
def test_every_name_has_a_ref_of_its_own(workspace: Workspace, name: str, ref: str) -> None:
    model = register(workspace, name)
    found = ids.model_ref(name)
    assert found.startswith(ref) and (found == ref or len(found) == len(ref) + 7)
    assert models.get(workspace, name) == model
    support.git(workspace.repo.common_dir, "check-ref-format", found)


def test_a_model_and_one_below_it_can_both_exist(workspace: Workspace) -> None:
    register(workspace, "a")
    register(workspace, "a/b")
    assert [item.name for item in models.every(workspace)] == ["a", "a/b"]


@pytest.mark.parametrize("name", ["", " ", "..", "a/../b", "a//b", "/a", "x" * 300, "a:b", "a@b", "a\nb", "\ud800"])
def test_names_that_cannot_be_meant_are_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError):
        register(workspace, name)


def test_a_renamed_model_keeps_its_ref_and_is_found_by_both_names(workspace: Workspace) -> None:
    register(workspace)
    models.append(workspace, "churn", [Draft(events.RENAME, "rename", None, {"name": "leavers"})])
    assert models.get(workspace, "leavers") == models.get(workspace, "churn")
    assert list(models.listing(workspace)) == ["refs/models/churn"]


def test_who_pushed_first_keeps_the_numbers(workspace: Workspace, tmp_path: Path) -> None:
    register(workspace)
    other = clone(workspace, tmp_path / "other")
    ours, theirs = newest(register(workspace)), newest(register(other))
    joined = models.join(other, "refs/models/churn", exchange(workspace, other))
    assert joined.moved == ((theirs, 2, 3),)
    found = models.get(other, "churn")
    assert [item.id for item in found.versions.values()][1:] == [ours, theirs]
    back = models.join(workspace, "refs/models/churn", exchange(other, workspace))
    assert not back.changed and models.get(workspace, "churn") == found


def test_two_who_join_the_same_heads_apart_come_to_one_order(workspace: Workspace, tmp_path: Path) -> None:
    register(workspace)
    other, third = clone(workspace, tmp_path / "other"), clone(workspace, tmp_path / "third")
    for each in (workspace, other, third):
        register(each)
    pushed = exchange(workspace, other)
    exchange(workspace, third)
    models.join(other, "refs/models/churn", pushed)
    models.join(third, "refs/models/churn", pushed)
    models.join(third, "refs/models/churn", exchange(other, third))
    models.join(other, "refs/models/churn", exchange(third, other))
    found = models.get(third, "churn")
    assert models.get(other, "churn") == found and len(found.versions) == 4
    assert not models.join(workspace, "refs/models/churn", exchange(third, workspace)).moved


def test_the_second_of_two_promotions_made_apart_is_refused(project: Path, tmp_path: Path) -> None:
    support.write(project / "gitexp.toml", RULES)
    support.git(project, "add", "gitexp.toml")
    support.git(project, "commit", "--quiet", "-m", "rules")
    workspace = workspaces.open(project)
    first, second = newest(register(workspace)), newest(register(workspace))
    other = clone(workspace, tmp_path / "other")
    promote(workspace, first)
    promote(other, second)
    joined = models.join(other, "refs/models/churn", exchange(workspace, other))
    assert list(joined.refused.values()) == ["decided when production held nothing; it held version 1 by then"]
    assert [item.id for item in models.get(other, "churn").holders("production")] == [first]


def test_what_is_behind_or_ahead_is_no_join(workspace: Workspace, tmp_path: Path) -> None:
    register(workspace)
    other = clone(workspace, tmp_path / "other")
    register(other)
    ahead = exchange(other, workspace)
    assert models.join(workspace, "refs/models/churn", ahead).tip == ahead
    behind = objects.read_commit(workspace.repo, ahead).parents[0]
    assert models.join(workspace, "refs/models/churn", behind).tip == ahead


def test_rules_come_from_the_reviewed_branch_and_not_from_the_work_tree(project: Path, bare: Path) -> None:
    support.write(project / "gitexp.toml", RULES)
    assert rulebook.now(workspaces.open(project)).rules.stages == {}
    support.git(project, "add", "gitexp.toml")
    support.git(project, "commit", "--quiet", "-m", "rules")
    assert rulebook.now(workspaces.open(project)).rules.stages == {}
    support.git(project, "push", "--quiet", "origin", "HEAD:main")
    book = rulebook.now(workspaces.open(project))
    assert list(book.rules.stages) == ["staging", "production"]
    assert (book.branch, book.commit) == ("refs/remotes/origin/main", support.git(project, "rev-parse", "HEAD").strip())


def test_every_event_names_the_commit_of_its_rules(project: Path) -> None:
    support.write(project / "gitexp.toml", RULES)
    support.git(project, "add", "gitexp.toml")
    support.git(project, "commit", "--quiet", "-m", "rules")
    workspace = workspaces.open(project)
    register(workspace)
    commit = support.git(project, "rev-parse", "HEAD").strip()
    assert [entry.event.rules for entry in models.history(workspace, "refs/models/churn")] == [commit]


def test_a_configured_branch_of_rules_that_is_not_there_opens_no_gate(workspace: Workspace) -> None:
    support.git(workspace.repo.common_dir, "config", "gitexp.rulesBranch", "rules")
    with pytest.raises(UsageError, match="rulesBranch"):
        register(workspaces.open(workspace.repo.work_tree))


def test_rules_that_cannot_be_read_open_no_gate(project: Path) -> None:
    support.write(project / "gitexp.toml", "[registry.stages.production]\naproovals = 2\n")
    support.git(project, "add", "gitexp.toml")
    support.git(project, "commit", "--quiet", "-m", "a slip")
    with pytest.raises(UsageError, match="aproovals"):
        register(workspaces.open(project))


def test_numbers_may_move_until_a_remote_holds_them(project: Path, bare: Path) -> None:
    workspace = workspaces.open(project)
    version = newest(register(workspace))
    assert models.loose(workspace, models.get(workspace, "churn")) == {version}
    tip, origin = models.get(workspace, "churn").tip, remotes.choose(workspace)
    remotes.replace(workspace, origin, {"refs/models/churn": tip})
    assert models.loose(workspace, models.get(workspace, "churn")) == frozenset()
    furthest.advance(workspace)
    remotes.replace(workspace, origin, {"refs/models/churn": "f" * 40})  # others went on, and that is not here yet
    assert models.loose(workspace, models.get(workspace, "churn")) == frozenset()


def test_without_a_remote_numbers_stand(workspace: Workspace) -> None:
    register(workspace)
    assert models.loose(workspace, models.get(workspace, "churn")) == frozenset()


def test_a_model_that_a_prune_took_is_put_back(workspace: Workspace) -> None:
    before = register(workspace)
    support.git(workspace.repo.common_dir, "update-ref", "-d", "refs/models/churn")
    assert recover.sweep(workspace).restored == ["refs/models/churn"]
    assert models.get(workspace, "churn") == before


def test_a_ref_that_holds_something_else_is_damaged(workspace: Workspace) -> None:
    register(workspace)
    head = workspace.repo.head().commit
    support.git(workspace.repo.common_dir, "update-ref", "refs/models/other", str(head))
    with pytest.raises(Damaged, match="no event"):
        models.get(workspace, "other")
    support.git(workspace.repo.common_dir, "update-ref", "refs/models/third", "refs/models/churn")
    with pytest.raises(Damaged, match="holds the model 'churn'"):
        models.get(workspace, "third")


def test_times_never_go_backwards(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEXP_NOW", "2026-11-20T15:00:00Z")
    register(workspace)
    monkeypatch.setenv("GITEXP_NOW", "2026-11-20T14:00:00Z")
    register(workspace)
    seconds = [entry.committed_s for entry in models.history(workspace, "refs/models/churn")]
    assert seconds[0] == seconds[1]
