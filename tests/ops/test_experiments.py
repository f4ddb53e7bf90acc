"""Experiments as a whole: counted, archived, removed and brought back with their runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp import ids
from gitexp.errors import Conflict, Refused, UsageError
from gitexp.ops import annotate, experiments
from gitexp.store import annotations
from gitexp.store import experiments as entities
from gitexp.store.experiments import Experiment
from gitexp.store.workspace import Workspace
from tests import recording, sharing


def named(workspace: Workspace, name: str) -> Experiment:
    return entities.resolve(workspace, name)


def test_a_listing_counts_runs_that_are_not_removed(workspace: Workspace, project: Path) -> None:
    runs = [sharing.make_run(workspace, name) for name in "abc"]
    annotate.remove(workspace, runs[:1])
    experiments.create(workspace, "empty", "nothing yet")
    session = recording.start(project, "live", experiment="going on")
    rows = {row.experiment.name: row for row in experiments.listing(workspace)}
    assert {name: (row.runs, row.running) for name, row in rows.items()} == {
        "churn": (2, 0),
        "empty": (0, 0),
        "going on": (1, 1),
    }
    assert rows["churn"].newest_ms == sharing.START_MS
    session.writer.close()


def test_the_json_of_an_experiment(workspace: Workspace) -> None:
    experiments.create(workspace, "churn", "who leaves?")
    experiments.tag(workspace, named(workspace, "churn"), {"team": "growth", "q3": ""})
    experiments.untag(workspace, named(workspace, "churn"), ["q3"])
    experiments.describe(workspace, named(workspace, "churn"), "who leaves, and why?")
    assert [row.to_json() for row in experiments.listing(workspace)] == [
        {
            "id": ids.experiment_id("churn"),
            "name": "churn",
            "names": ["churn"],
            "path": "churn",
            "description": "who leaves, and why?",
            "tags": {"team": "growth"},
            "notes": [],
            "archived": False,
            "removed": False,
            "runs": 0,
            "running": 0,
            "newest": None,
        }
    ]


def test_a_name_that_is_taken_cannot_be_given_again(workspace: Workspace) -> None:
    experiments.create(workspace, "churn")
    sharing.make_run(workspace, experiment="other")
    with pytest.raises(Conflict, match="there is an experiment 'churn'"):
        experiments.create(workspace, "churn")
    with pytest.raises(Conflict, match="there is an experiment 'other' already"):
        experiments.rename(workspace, named(workspace, "churn"), "other")
    experiments.rename(workspace, named(workspace, "churn"), "attrition")
    with pytest.raises(Conflict, match="now called 'attrition'"):
        experiments.create(workspace, "churn")


@pytest.mark.parametrize("name", ["", "a//b", "..", "a/../b", "a\nb", "x" * 300])
def test_names_that_cannot_be_are_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError):
        experiments.create(workspace, name)


def test_archived_and_removed_experiments_are_listed_only_on_demand(workspace: Workspace) -> None:
    for name in ("archived", "removed", "listed"):
        experiments.create(workspace, name)
    experiments.archive(workspace, named(workspace, "archived"))
    experiments.remove(workspace, named(workspace, "removed"), "a typo")
    assert [row.experiment.name for row in experiments.listing(workspace)] == ["listed"]
    every = [row.experiment.name for row in experiments.listing(workspace, everything=True)]
    assert every == ["archived", "listed", "removed"]
    experiments.archive(workspace, named(workspace, "archived"), on=False)
    assert [row.experiment.name for row in experiments.listing(workspace)] == ["archived", "listed"]


def test_undelete_brings_back_only_the_runs_that_went_with_the_experiment(workspace: Workspace) -> None:
    first, second = (sharing.make_run(workspace, name) for name in "ab")
    annotate.remove(workspace, [first], "broken")
    experiments.remove(workspace, named(workspace, "churn"), "all wrong")
    assert annotations.state(workspace, second).removed
    experiments.undelete(workspace, named(workspace, "churn"))
    assert annotations.state(workspace, first).removed
    assert not annotations.state(workspace, second).removed
    assert not named(workspace, "churn").state.removed


def test_an_experiment_with_a_running_run_is_not_removed(workspace: Workspace, project: Path) -> None:
    session = recording.start(project, "live")
    with pytest.raises(Refused, match=r"churn/live \(\w+\) is running"):
        experiments.remove(workspace, Experiment(ids.experiment_id("churn"), "churn", "churn"))
    session.writer.close()
