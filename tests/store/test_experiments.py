"""Experiments: one id whatever they are called, in every clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp import ids
from gitexp.errors import Ambiguous, NotFound
from gitexp.ops import experiments as ops
from gitexp.store import experiments
from gitexp.store.experiments import Experiment
from gitexp.store.workspace import Workspace
from tests import sharing
from tests.store.test_annotations import clone_of, take


def rename(workspace: Workspace, name: str, new: str) -> None:
    ops.rename(workspace, experiments.resolve(workspace, name), new)


def test_an_experiment_is_known_from_its_runs_alone(workspace: Workspace) -> None:
    sharing.make_run(workspace)
    churn = Experiment(ids.experiment_id("churn"), "churn", "churn")
    assert experiments.listing(workspace) == [churn]
    assert experiments.resolve(workspace, "churn") == churn


def test_an_unknown_name_is_an_error_and_with_new_a_new_experiment(workspace: Workspace) -> None:
    sharing.make_run(workspace)
    with pytest.raises(NotFound, match="no experiment 'chrun'") as caught:
        experiments.resolve(workspace, "chrun")
    assert caught.value.hint == "did you mean: churn"
    assert experiments.resolve(workspace, "Vision/ResNet", new=True) == Experiment(
        ids.experiment_id("Vision/ResNet"), "Vision/ResNet", ids.experiment_slug("Vision/ResNet")
    )


def test_two_clones_that_create_one_name_apart_mean_the_same(workspace: Workspace, project: Path) -> None:
    other = clone_of(project, "other")
    ops.create(workspace, "churn", "ours")
    ops.create(other, "churn", "theirs")
    take(workspace, other)
    take(other, workspace)
    assert experiments.listing(workspace) == experiments.listing(other)
    assert [item.id for item in experiments.listing(workspace)] == [ids.experiment_id("churn")]


def test_a_renamed_experiment_keeps_id_and_path_and_all_its_names_find_it(workspace: Workspace) -> None:
    run = sharing.make_run(workspace)
    rename(workspace, "churn", "attrition")
    found = experiments.resolve(workspace, "attrition", new=True)
    assert (found.id, found.path, found.names) == (ids.experiment_id("churn"), "churn", ("churn", "attrition"))
    for name in ("churn", "attrition", found.id):
        assert experiments.resolve(workspace, name) == found
        assert experiments.resolve(workspace, name, new=True) == found
    assert run.ref is not None and run.ref.startswith("refs/experiments/churn/")


def test_the_name_of_now_counts_before_a_former_one(workspace: Workspace) -> None:
    sharing.make_run(workspace)
    sharing.make_run(workspace, experiment="other")
    rename(workspace, "churn", "attrition")
    rename(workspace, "other", "churn")
    assert experiments.resolve(workspace, "churn").id == ids.experiment_id("other")
    assert experiments.resolve(workspace, "attrition").id == ids.experiment_id("churn")


def test_two_clones_that_give_one_name_to_two_experiments_make_it_ambiguous(
    workspace: Workspace, project: Path
) -> None:
    sharing.make_run(workspace)
    sharing.make_run(workspace, experiment="other")
    clone = clone_of(project, "clone")
    rename(workspace, "churn", "best")
    rename(clone, "other", "best")
    take(workspace, clone)
    churn, other = ids.experiment_id("churn"), ids.experiment_id("other")
    with pytest.raises(Ambiguous, match="'best' means 2 experiments") as caught:
        experiments.resolve(workspace, "best")
    assert caught.value.candidates == tuple(
        sorted(
            [
                f"{churn}  refs/experiments/churn/  first called churn",
                f"{other}  refs/experiments/other/  first called other",
            ]
        )
    )
    assert experiments.resolve(workspace, churn).id == experiments.resolve(workspace, "churn").id == churn


def test_a_name_given_to_one_experiment_and_first_of_another_is_ambiguous_but_lets_runs_start(
    workspace: Workspace, project: Path
) -> None:
    sharing.make_run(workspace)
    clone = clone_of(project, "clone")
    rename(workspace, "churn", "attrition")
    sharing.make_run(clone, experiment="attrition")
    ops.note(clone, experiments.resolve(clone, "attrition"), "mine")
    take(clone, workspace)
    with pytest.raises(Ambiguous):
        experiments.resolve(clone, "attrition")
    assert experiments.resolve(clone, "attrition", new=True).id == ids.experiment_id("attrition")


def test_an_experiment_above_others_has_only_its_own_runs(workspace: Workspace) -> None:
    sharing.make_run(workspace, experiment="vision/resnet")
    assert experiments.has_runs(workspace, "vision/resnet")
    assert not experiments.has_runs(workspace, "vision")
    with pytest.raises(NotFound):
        experiments.resolve(workspace, "vision")
