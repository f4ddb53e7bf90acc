"""How MLflow finds the plugin, what its addresses mean, and that `gitexp` and MLflow see one truth."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import ViewType

import gitexp
from gitexp.integrations.mlflow import hold, uri
from gitexp.ops import annotate
from gitexp.store import runs
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Run
from tests import support


def python(code: str, *, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def found_by(run_id: str) -> Run:
    found = runs.by_id(workspaces.open(), run_id)
    assert found is not None
    return found


def test_mlflow_without_our_address_loads_nothing_of_gitexp(tmp_path: Path) -> None:
    code = (
        "import sys, mlflow\n"
        "mlflow.set_tracking_uri('sqlite:///x.db')\n"
        "print(sorted(name for name in sys.modules if name.startswith(('gitexp', 'pygit2'))))"
    )
    loaded = python(code, cwd=tmp_path)
    assert loaded.endswith("['gitexp', 'gitexp.integrations', 'gitexp.integrations.mlflow', "
                           "'gitexp.integrations.mlflow.plugin', 'gitexp.version']")  # fmt: skip


def test_without_what_mlflow_skinny_lacks_runs_are_recorded_and_found(project: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['sqlalchemy', 'alembic', 'flask', 'graphene', 'docker', 'gunicorn']))\n"
        "import mlflow\n"
        "mlflow.set_tracking_uri('gitexp:.')\n"
        "mlflow.set_experiment('skinny')\n"
        "with mlflow.start_run() as run:\n"
        "    mlflow.log_metric('a', 1)\n"
        "    mlflow.log_text('words', 'a.txt')\n"
        "client = mlflow.MlflowClient()\n"
        "found = client.search_runs([run.info.experiment_id], 'metrics.a > 0')[0]\n"
        "print(found.info.status, [item.path for item in client.list_artifacts(found.info.run_id)])"
    )
    assert python(code, cwd=project).splitlines()[-1] == "FINISHED ['a.txt']"


@pytest.mark.parametrize("way", ["the environment", "a call"])
def test_a_relative_address_is_the_repositorys_and_children_are_told_where_that_is(project: Path, way: str) -> None:
    (project / "src/inner").mkdir(parents=True)
    code = (
        "import mlflow, os, subprocess, sys\n"
        f"if {way == 'a call'}: mlflow.set_tracking_uri('gitexp:.')\n"
        "with mlflow.start_run() as run: mlflow.log_metric('a', 1)\n"
        "os.chdir('/')\n"
        "child = 'import mlflow, sys; print(mlflow.get_run(sys.argv[1]).info.status, mlflow.get_tracking_uri())'\n"
        "subprocess.run([sys.executable, '-c', child, run.info.run_id], check=True)"
    )
    environment = {} if way == "a call" else {"MLFLOW_TRACKING_URI": "gitexp:."}
    told = python(code, cwd=project / "src/inner", **environment).splitlines()[-1]
    assert told == f"FINISHED gitexp:{project}"


@pytest.mark.parametrize(
    "address, path",
    [
        ("gitexp:.", "."),
        ("gitexp:", ""),
        ("gitexp:/a/b c", "/a/b c"),
        ("gitexp:///a%20b", "/a b"),
        ("gitexp:a/b", "a/b"),
    ],
)
def test_addresses(address: str, path: str) -> None:
    assert uri.path(address) == path


def test_a_relative_address_leads_to_the_repository_where_the_process_is(
    project: Path, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path(shutil.copytree(template, tmp_path / "other"))
    for folder in (project, other, tmp_path):  # the last is in none: the one before stays
        monkeypatch.chdir(folder)
        mlflow.set_tracking_uri("gitexp:.")
        with mlflow.start_run():
            pass
    mlflow.set_tracking_uri(None)
    assert [len(support.run_refs(folder)) for folder in (project, other)] == [1, 2]


def test_a_folder_outside_any_repository_is_told_as_mlflow_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(mlflow.MlflowException, match="repository"):
        mlflow.MlflowClient(f"gitexp:{tmp_path}").search_experiments()


def test_what_gitexp_says_of_a_run_mlflow_shows(client: Any, project: Path) -> None:
    with gitexp.start_run("vision/resnet", name="own", params={"optimizer": {"lr": 0.1}, "deep": True}) as run:
        run.log({"loss": 0.5}, step=4)
    support.gitexp("tag", run.id, "team=red")
    support.gitexp("title", run.id, "the good one")
    annotate.describe(workspaces.open(), [found_by(run.id)], "why it is good")
    found = client.get_run(run.id)
    experiment = client.get_experiment(found.info.experiment_id)
    assert experiment.name == "vision/resnet"
    assert found.data.params == {"optimizer.lr": "0.1", "deep": "true"}
    assert found.data.metrics == {"loss": 0.5}
    assert (found.info.run_name, found.info.status, found.info.user_id) == ("the good one", "FINISHED", "Ana Ruiz")
    assert (found.data.tags["team"], found.data.tags["mlflow.note.content"]) == ("red", "why it is good")
    for text in ("params.`optimizer.lr` = '0.1'", "tags.team = 'red'", "run_name = 'the good one'",
                 "params.deep = 'true'",
                 "tags.`mlflow.note.content` LIKE '%good'", "user_id = 'Ana Ruiz'"):  # fmt: skip
        assert [item.info.run_id for item in client.search_runs([experiment.experiment_id], text)] == [run.id], text
    support.gitexp("rm", run.id)
    assert client.get_run(run.id).info.lifecycle_stage == "deleted"
    assert client.search_runs([experiment.experiment_id]) == []
    assert len(client.search_runs([experiment.experiment_id], run_view_type=ViewType.DELETED_ONLY)) == 1
    support.gitexp("experiment", "rename", "vision/resnet", "vision/better")
    assert client.get_experiment_by_name("vision/better").experiment_id == experiment.experiment_id


def test_what_mlflow_says_of_a_run_gitexp_shows(client: Any) -> None:
    mlflow.set_experiment("churn")
    with mlflow.start_run(run_name="first") as run:
        mlflow.log_params({"lr": 0.1})
        mlflow.log_metric("auc", 0.9)
        with mlflow.start_run(run_name="child", nested=True) as child:
            pass
    client.set_tag(run.info.run_id, "stage", "best")
    client.set_tag(run.info.run_id, "mlflow.note.content", "words of a person")
    client.update_run(run.info.run_id, name="second")
    shown = support.gitexp("show", run.info.run_id).stdout
    for words in ("churn", "second", "stage=best", "words of a person", "0.9000"):
        assert words in shown
    asked = support.gitexp("log", "-e", "churn", "-w", "params.lr = 0.1 and auc > 0.8", "--json").json
    assert [item["id"] for item in asked] == [run.info.run_id]
    assert found_by(child.info.run_id).record.parent == run.info.run_id
    client.delete_run(child.info.run_id)
    assert "child" not in support.gitexp("log", "-e", "churn").stdout
    support.gitexp("undelete", child.info.run_id)
    assert client.get_run(child.info.run_id).info.lifecycle_stage == "active"
    client.delete_experiment(client.get_experiment_by_name("churn").experiment_id)
    assert "churn" not in support.gitexp("experiment", "ls").stdout
    client.restore_experiment(client.get_experiment_by_name("churn").experiment_id)
    assert "churn" in support.gitexp("experiment", "ls").stdout


def test_what_others_say_is_seen_also_where_git_packs_refs(client: Any, project: Path) -> None:
    run_id = client.create_run("0").info.run_id
    client.set_terminated(run_id)
    for word, stage in (("rm", "deleted"), ("undelete", "active")) * 2:
        client.get_run(run_id)  # it has read what was said until now
        support.gitexp(word, run_id)
        assert client.get_run(run_id).info.lifecycle_stage == stage
        support.git(project, "pack-refs", "--all")
        assert client.get_run(run_id).info.lifecycle_stage == stage
    support.gitexp("rm", run_id)
    support.git(project, "pack-refs", "--all")
    with pytest.raises(mlflow.MlflowException, match="deleted"):
        client.log_metric(run_id, "a", 1)


def test_gc_takes_deleted_runs_and_experiments_out_of_the_repository(client: Any, project: Path) -> None:
    with mlflow.start_run(run_name="kept") as kept:
        mlflow.log_text("words", "words.txt")
    with mlflow.start_run(run_name="goes") as gone:
        mlflow.log_text("secret", "secret.txt")
    client.delete_run(gone.info.run_id)
    key = client.create_experiment("trial", tags={"a": "1"})
    with mlflow.start_run(experiment_id=key) as inside:
        pass
    client.delete_experiment(key)
    commit = found_by(gone.info.run_id).commit
    hold.leave_all()
    done = subprocess.run(
        [str(Path(sys.executable).parent / "mlflow"), "gc", "--backend-store-uri", f"gitexp:{project}"],
        capture_output=True, text=True, timeout=120, env={**os.environ, "MLFLOW_TRACKING_URI": f"gitexp:{project}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for run_id in (gone.info.run_id, inside.info.run_id):
        with pytest.raises(mlflow.MlflowException, match="not found"):
            client.get_run(run_id)
    with pytest.raises(mlflow.MlflowException, match="No Experiment"):
        client.get_experiment(key)
    assert support.git(project, "cat-file", "-t", str(commit), check=False) == ""
    assert [item.info.run_id for item in client.search_runs(["0"], run_view_type=ViewType.ALL)] == [kept.info.run_id]
    assert len(support.run_refs(project)) == 1
    assert mlflow.artifacts.load_text(f"runs:/{kept.info.run_id}/words.txt") == "words"
    assert client.create_experiment("trial") != key
    support.git(project, "fsck", "--strict")


def test_a_clone_that_fetched_is_read_by_mlflow_there(client: Any, project: Path, bare: Path, tmp_path: Path) -> None:
    key = client.create_experiment("/Users/ana/churn", tags={"team": "red"})
    with mlflow.start_run(experiment_id=key, run_name="shared") as run:
        mlflow.log_metric("auc", 0.9, step=2)
        mlflow.log_param("lr", 0.1)
    client.set_tag(run.info.run_id, "late", "yes")
    support.gitexp("push", "--yes")
    support.git(tmp_path, "clone", "--quiet", str(bare), "elsewhere")
    support.process(tmp_path / "elsewhere", "fetch")
    there = mlflow.MlflowClient(f"gitexp:{tmp_path / 'elsewhere'}")
    experiment = there.get_experiment_by_name("/Users/ana/churn")
    assert (experiment.experiment_id, experiment.tags) == (key, {"team": "red"})
    found = there.search_runs([key], "metrics.auc > 0.5")[0]
    assert (found.data.params, found.data.metrics, found.data.tags["late"]) == ({"lr": "0.1"}, {"auc": 0.9}, "yes")
    assert [item.step for item in there.get_metric_history(run.info.run_id, "auc")] == [2]
