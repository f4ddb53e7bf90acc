"""Runs found by the models that have versions of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import BadQuery
from gitexp.git import refs
from gitexp.index import database
from gitexp.ops.finding import listing
from gitexp.ops.finding.listing import Query
from gitexp.ops.registry import models as named
from gitexp.ops.registry import release
from gitexp.store.workspace import Workspace
from tests import registry, support


@pytest.fixture
def workspace(project: Path) -> Workspace:
    """Return the workspace of three runs; the first has two versions of churn, the second one of fraud."""
    for name, params in (("a", {"lr": 1}), ("b", {"lr": 2}), ("c", {"lr": 3})):
        registry.run(project, name, params=params)
    return registry.open(project)


def register(workspace: Workspace, run: str, model: str) -> None:
    support.gitexp("model", "register", run, model, "--again")


def found(workspace: Workspace, where: str) -> list[str]:
    return sorted(row.name for row in listing.entries(workspace, Query(every=True, where=where)))


def test_a_run_is_found_by_its_models_and_versions_as_they_are_now(workspace: Workspace) -> None:
    assert found(workspace, "model = 'churn'") == []
    for run, model in (("a", "churn"), ("a", "churn"), ("b", "fraud/cards")):
        register(workspace, run, model)
    wanted = {
        "model = 'churn'": ["a"], "model.version = 'churn:2'": ["a"], "model is null": ["c"],
        "run.model in ('churn', 'fraud/cards')": ["a", "b"], "model != 'churn'": ["b", "c"],
        "model like 'fraud/%'": ["b"],
        "not model": ["c"],
    }  # fmt: skip
    assert {where: found(workspace, where) for where in wanted} == wanted
    release.rename(workspace, named.one(workspace, "churn"), "leavers")
    assert found(workspace, "model = 'leavers'") == ["a"]
    release.remove(workspace, *named.version(workspace, "fraud/cards:1"))
    assert found(workspace, "model = 'fraud/cards'") == []


def test_refs_that_others_move_or_pack_are_noticed(project: Path, workspace: Workspace) -> None:
    register(workspace, "a", "churn")
    assert found(workspace, "model = 'churn'") == ["a"]
    tip = refs.get(workspace.repo, "refs/models/churn")
    assert tip is not None
    support.git(project, "update-ref", "-d", "refs/models/churn")
    assert found(workspace, "model = 'churn'") == []
    support.git(project, "update-ref", "refs/models/churn", tip)
    support.git(project, "pack-refs", "--all")
    assert found(workspace, "model = 'churn'") == ["a"]


def test_a_chain_that_cannot_be_read_hides_no_other(project: Path, workspace: Workspace) -> None:
    register(workspace, "a", "churn")
    support.git(project, "update-ref", "refs/models/broken", support.git(project, "rev-parse", "HEAD"))
    assert found(workspace, "model = 'churn'") == ["a"]


def test_a_param_called_model_is_meant_until_there_are_versions_and_then_asked_for(
    project: Path, workspace: Workspace
) -> None:
    registry.run(project, "d", params={"model": "resnet"})
    assert found(workspace, "model = 'resnet'") == ["d"]
    register(workspace, "a", "churn")
    with pytest.raises(BadQuery, match="'model' is a field and a param") as error:
        found(workspace, "model = 'resnet'")
    assert "write: params.model  or  run.model" in error.value.hint
    assert found(workspace, "params.model = 'resnet' or run.model = 'churn'") == ["a", "d"]


def test_an_index_that_is_built_anew_knows_the_same(workspace: Workspace) -> None:
    register(workspace, "a", "churn")
    (workspace.home / "index.sqlite").unlink()
    again = registry.open(Path.cwd())
    assert found(again, "model = 'churn'") == ["a"]
    assert database.of(again).rows("SELECT name, version FROM model") == [("churn", 1)]


def test_log_and_show_say_which_versions_a_run_has(workspace: Workspace) -> None:
    for run, model in (("a", "churn"), ("a", "churn"), ("a", "fraud")):
        register(workspace, run, model)
    lines = support.gitexp("log").lines
    assert lines[2].split()[-1] == "MODEL"
    assert [" ".join(line.split()[-3:]) for line in lines[3:6] if "churn:" in line] == ["churn:2, fraud:1 +1"]
    support.gitexp("model", "stage", "churn:2", "production")
    shown = [line.strip() for line in support.gitexp("show", "a").lines]
    assert "models    churn:2 in production, churn:1, fraud:1" in shown
    assert support.gitexp("show", "a", "--json").json["models"][0] == {
        "model": "churn", "version": 2, "stage": "production", "artifact": "model.txt",
    }  # fmt: skip
