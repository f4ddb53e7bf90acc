"""Scripts as MLflow's users write them: nothing but the tracking URI is set, and gitexp sees all they log."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import pytest

from tests import support

SCRIPTS = Path(__file__).parent / "scripts"
SECONDS = 300


def start(project: Path, name: str, *, expect: int = 0, env: Mapping[str, str] | None = None) -> str:
    """Run a script in the project, under the plugin; returns what it printed."""
    told = {"MLFLOW_TRACKING_URI": "gitexp:.", "MLFLOW_DISABLE_TELEMETRY": "true", **(env or {})}
    support.write(project / name, (SCRIPTS / name).read_text())
    done = subprocess.run(
        [sys.executable, name], cwd=project, env={**os.environ, **told}, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def there(project: Path) -> Any:
    """A client of the project as others see it."""
    support.commit(project, "ignore what is logged", __gitignore="*.pt\n")
    return mlflow.MlflowClient(f"gitexp:{project}")


def commits(project: Path, ref: str) -> int:
    """Return how many commits of its own a run has."""
    return sum(support.git(project, "log", "--format=%s", ref).count(word) for word in ("completed in", "failed after"))


def test_a_loop_in_pytorch(project: Path, there: Any) -> None:
    start(project, "torch_loop.py")
    (run,) = there.search_runs(["0"])
    assert (run.info.status, run.info.run_name, run.data.params["lr"]) == ("FINISHED", "linear", "0.1")
    assert [metric.step for metric in there.get_metric_history(run.info.run_id, "loss")] == [0, 1, 2, 3, 4]
    assert [item.path for item in there.list_artifacts(run.info.run_id, "checkpoints")] == ["checkpoints/weights.pt"]
    assert len(run.outputs.model_outputs) == 1
    shown = support.gitexp("show", run.info.run_id, "--json").json
    assert shown["status"] == "completed" and shown["code"]["commit"]
    (ref,) = support.run_refs(project)
    assert len(support.git(project, "rev-list", ref).split()) <= 4


def test_a_forest_then_the_best_is_promoted_and_read_in_a_clone(
    project: Path, bare: Path, there: Any, tmp_path: Path
) -> None:
    start(project, "forest.py")
    assert len(support.run_refs(project)) == 2
    start(project, "promote.py")
    shown = support.gitexp("model", "show", "iris@production", "--json").json
    assert (shown["stage"], shown["aliases"], shown["tags"]) == ("production", ["champion"], {"validated": "yes"})
    iris = there.get_experiment_by_name("iris").experiment_id
    best = max(there.search_runs([iris]), key=lambda run: (run.data.metrics["accuracy"], run.info.start_time))
    assert shown["run"] == best.info.run_id
    support.gitexp("push", "--yes")
    other = tmp_path / "elsewhere"
    support.git(tmp_path, "clone", "--quiet", str(bare), str(other))
    support.process(other, "fetch")
    code = (
        "import mlflow\n"
        "frame = mlflow.search_runs(experiment_names=['iris'], order_by=['metrics.accuracy DESC'])\n"
        "assert len(frame) == 2 and frame['params.n_estimators'][0] in ('5', '10')\n"
        "assert mlflow.sklearn.load_model('models:/iris@champion').n_features_in_ == 4\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=other, env={**os.environ, "MLFLOW_TRACKING_URI": "gitexp:."},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_autolog_with_a_grid_search(project: Path, there: Any) -> None:
    start(project, "autolog_grid.py")
    found = there.search_runs(["0"])
    assert len(found) == 5
    parent = next(run for run in found if run.info.run_name == "grid")
    assert parent.data.tags["late"] == "1" and parent.data.params["cv"] == "2"
    children = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(children) == 4 and all("mean_test_score" in run.data.metrics for run in children)
    assert {item.path for item in there.list_artifacts(parent.info.run_id)} >= {"cv_results.csv"}
    refs = support.run_refs(project)
    assert len(refs) == 5
    code = support.git(project, "rev-parse", "HEAD")
    for ref in refs:
        own = support.git(project, "rev-list", "--first-parent", f"{code}..{ref}").split()
        assert len(own) <= 2  # the run, and the snapshot of the script that is not committed


def test_autolog_of_lightgbm(project: Path, there: Any) -> None:
    start(project, "lightgbm_autolog.py")
    (run,) = there.search_runs(["0"])
    assert run.info.status == "FINISHED" and run.data.params["num_boost_round"] == "5"
    assert len(there.get_metric_history(run.info.run_id, "valid_0-binary_logloss")) == 5
    assert run.inputs.dataset_inputs and run.outputs.model_outputs


def test_async_logging_from_four_threads(project: Path, there: Any) -> None:
    start(project, "async_threads.py")
    (run,) = there.search_runs(["0"])
    for number in range(4):
        history = there.get_metric_history(run.info.run_id, f"m{number}")
        assert sorted((metric.step, metric.value) for metric in history) == [(step, step) for step in range(50)]
    assert run.data.params == {f"p{number}": str(number) for number in range(4)}


def test_two_processes_on_one_run(project: Path, there: Any) -> None:
    start(project, "two_processes.py")
    (run,) = there.search_runs(["0"])
    assert run.info.status == "FINISHED" and run.data.params == {"after": "the child ended it"}
    for name in ("parent", "child"):
        assert len(there.get_metric_history(run.info.run_id, name)) == 20
    assert {item.path for item in there.list_artifacts(run.info.run_id)} == {"child.txt", "parent.txt"}
    assert len(support.run_refs(project)) == 1


def test_a_script_that_is_killed_leaves_its_run(project: Path, there: Any) -> None:
    start(project, "killed.py", expect=-9)
    support.gitexp("log")
    (run,) = there.search_runs(["0"])
    assert (run.info.status, run.data.params) == ("KILLED", {"lr": "0.1"})
    assert len(there.get_metric_history(run.info.run_id, "loss")) == 10
    assert [item.path for item in there.list_artifacts(run.info.run_id)] == ["kept.txt"]
