"""Every method of the client, the fluent module, the stores and the REST handlers: it works, or has an error code."""

from __future__ import annotations

import inspect
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.entities.paged_list import PagedList

from gitexp.integrations.mlflow import hold, registry, store
from tests import support


@dataclass
class World:
    """What the calls work on."""

    client: Any
    run: str  # one that is active
    ended: str
    model: str
    folder: Path


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the first test that wants a world keeps it for the others."""
    return tmp_path_factory.mktemp("world") / "project"


@pytest.fixture
def world(client: Any, project: Path, tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a repository with something of everything, of which each test has a copy."""
    if not kept.exists():
        populate(client, tmp_path)
        hold.leave_all()
        shutil.copytree(project, kept)
    else:
        shutil.rmtree(project)
        shutil.copytree(kept, project)
        monkeypatch.chdir(project)  # which is another folder now
    support.write(tmp_path / "m/MLmodel", "flavors: {}\n")
    by_name = {run.info.run_name: run.info.run_id for run in client.search_runs(["0"])}
    (model,) = client.search_logged_models(["0"])
    return World(client, by_name["active"], by_name["ended"], model.model_id, tmp_path / "m")


def populate(client: Any, folder: Path) -> None:
    run = client.create_run("0", run_name="active").info.run_id
    ended = client.create_run("0", run_name="ended", tags={"mlflow.parentRunId": run}).info.run_id
    client.log_param(ended, "lr", 1)
    client.log_metric(ended, "loss", 0.5)
    client.log_table(ended, {"x": [1]}, "table.json")
    client.set_terminated(ended)
    client.set_experiment_tag("0", "team", "ml")
    support.write(folder / "m/MLmodel", "flavors: {}\n")
    model = client.create_logged_model("0", "model", source_run_id=run, tags={"t": "1"}).model_id
    client.log_model_artifacts(model, str(folder / "m"))
    client.create_registered_model("reg", tags={"t": "1"})
    client.create_model_version("reg", f"models:/{model}", run, tags={"t": "1"})
    client.set_registered_model_alias("reg", "best", "1")
    client.create_prompt("greet", tags={"t": "1"})
    client.create_prompt_version("greet", "Hello {{ name }}", tags={"t": "1"})
    client.set_prompt_alias("greet", "best", 1)


Call = Callable[[World], Any]
CLIENT: dict[str, Call] = {
    "copy_model_version": lambda w: w.client.copy_model_version("models:/reg/1", "copy"),
    "create_experiment": lambda w: w.client.create_experiment("e", tags={"a": "1"}),
    "create_logged_model": lambda w: w.client.create_logged_model("0", "another", source_run_id=w.run),
    "create_model_version": lambda w: w.client.create_model_version("reg", f"models:/{w.model}", w.run),
    "create_prompt": lambda w: w.client.create_prompt("another"),
    "create_prompt_version": lambda w: w.client.create_prompt_version("greet", "Hi"),
    "create_registered_model": lambda w: w.client.create_registered_model("another"),
    "create_run": lambda w: w.client.create_run("0"),
    "delete_experiment": lambda w: w.client.delete_experiment(w.client.create_experiment("gone")),
    "delete_experiment_tag": lambda w: w.client.delete_experiment_tag("0", "team"),
    "delete_logged_model": lambda w: w.client.delete_logged_model(w.model),
    "delete_logged_model_tag": lambda w: w.client.delete_logged_model_tag(w.model, "t"),
    "delete_model_version": lambda w: w.client.delete_model_version("reg", "1"),
    "delete_model_version_tag": lambda w: w.client.delete_model_version_tag("reg", "1", "t"),
    "delete_prompt": lambda w: (w.client.delete_prompt_version("greet", "1"), w.client.delete_prompt("greet")),
    "delete_prompt_alias": lambda w: w.client.delete_prompt_alias("greet", "best"),
    "delete_prompt_tag": lambda w: w.client.delete_prompt_tag("greet", "t"),
    "delete_prompt_version": lambda w: w.client.delete_prompt_version("greet", "1"),
    "delete_prompt_version_tag": lambda w: w.client.delete_prompt_version_tag("greet", "1", "t"),
    "delete_registered_model": lambda w: w.client.delete_registered_model("reg"),
    "delete_registered_model_alias": lambda w: w.client.delete_registered_model_alias("reg", "best"),
    "delete_registered_model_tag": lambda w: w.client.delete_registered_model_tag("reg", "t"),
    "delete_run": lambda w: w.client.delete_run(w.ended),
    "delete_tag": lambda w: w.client.delete_tag(w.ended, "mlflow.parentRunId"),
    "detach_prompt_from_run": lambda w: w.client.detach_prompt_from_run(_linked(w), "prompts:/greet/1"),
    "download_artifacts": lambda w: w.client.download_artifacts(w.ended, "table.json"),
    "finalize_logged_model": lambda w: w.client.finalize_logged_model(w.model, "READY"),
    "get_experiment": lambda w: w.client.get_experiment("0"),
    "get_experiment_by_name": lambda w: w.client.get_experiment_by_name("Default").name,
    "get_latest_versions": lambda w: w.client.get_latest_versions("reg")[0],
    "get_logged_model": lambda w: w.client.get_logged_model(w.model),
    "get_metric_history": lambda w: w.client.get_metric_history(w.ended, "loss")[0],
    "get_model_version": lambda w: w.client.get_model_version("reg", "1"),
    "get_model_version_by_alias": lambda w: w.client.get_model_version_by_alias("reg", "best"),
    "get_model_version_download_uri": lambda w: w.client.get_model_version_download_uri("reg", "1"),
    "get_model_version_stages": lambda w: w.client.get_model_version_stages("reg", "1"),
    "get_parent_run": lambda w: w.client.get_parent_run(w.ended).info.run_id,
    "get_prompt": lambda w: w.client.get_prompt("greet"),
    "get_prompt_version": lambda w: w.client.get_prompt_version("greet", "1"),
    "get_prompt_version_by_alias": lambda w: w.client.get_prompt_version_by_alias("greet", "best"),
    "get_registered_model": lambda w: w.client.get_registered_model("reg"),
    "get_run": lambda w: w.client.get_run(w.ended),
    "link_prompt_version_to_model": lambda w: w.client.link_prompt_version_to_model("greet", "1", w.model),
    "link_prompt_version_to_run": lambda w: w.client.link_prompt_version_to_run(w.run, "prompts:/greet/1"),
    "list_artifacts": lambda w: w.client.list_artifacts(w.ended)[0],
    "list_logged_model_artifacts": lambda w: w.client.list_logged_model_artifacts(w.model)[0],
    "list_logged_prompts": lambda w: w.client.list_logged_prompts(_linked(w))[0],
    "load_prompt": lambda w: w.client.load_prompt("greet", 1).template,
    "load_table": lambda w: w.client.load_table("0", "table.json", run_ids=[w.ended]),
    "log_artifact": lambda w: w.client.log_artifact(w.run, str(w.folder / "MLmodel")),
    "log_artifacts": lambda w: w.client.log_artifacts(w.run, str(w.folder)),
    "log_batch": lambda w: w.client.log_batch(w.run, [Metric("m", 1, 1, 1)], [Param("p", "1")], [RunTag("t", "1")]),
    "log_dict": lambda w: w.client.log_dict(w.run, {"a": 1}, "a.json"),
    "log_figure": lambda w: w.client.log_figure(w.run, _figure(), "a.png"),
    "log_image": lambda w: w.client.log_image(w.run, _image(), "b.png"),
    "log_inputs": lambda w: w.client.log_inputs(w.run, []),
    "log_metric": lambda w: w.client.log_metric(w.run, "m", 1.5),
    "log_model_artifact": lambda w: w.client.log_model_artifact(w.model, str(w.folder / "MLmodel")),
    "log_model_artifacts": lambda w: w.client.log_model_artifacts(w.model, str(w.folder)),
    "log_model_params": lambda w: w.client.log_model_params(w.model, {"a": "1"}),
    "log_outputs": lambda w: w.client.log_outputs(w.run, [LoggedModelOutput(w.model, 1)]),
    "log_param": lambda w: w.client.log_param(w.run, "p", 1),
    "log_stream": lambda w: w.client.log_stream(w.run, __import__("io").BytesIO(b"x"), "stream.bin"),
    "log_table": lambda w: w.client.log_table(w.run, {"x": [1]}, "t.json"),
    "log_text": lambda w: w.client.log_text(w.run, "x", "x.txt"),
    "parse_prompt_uri": lambda w: w.client.parse_prompt_uri("prompts:/greet/1"),
    "register_prompt": lambda w: w.client.register_prompt("greet", "Hey {{ name }}").version,
    "rename_experiment": lambda w: w.client.rename_experiment(w.client.create_experiment("old"), "new"),
    "rename_registered_model": lambda w: w.client.rename_registered_model("reg", "other"),
    "restore_experiment": lambda w: _restored(w),
    "restore_run": lambda w: (w.client.delete_run(w.ended), w.client.restore_run(w.ended)),
    "search_experiments": lambda w: w.client.search_experiments()[0],
    "search_logged_models": lambda w: w.client.search_logged_models(["0"])[0],
    "search_model_versions": lambda w: w.client.search_model_versions("name = 'reg'")[0],
    "search_prompt_versions": lambda w: _prompt_versions(w),
    "search_prompts": lambda w: w.client.search_prompts()[0],
    "search_registered_models": lambda w: w.client.search_registered_models()[0],
    "search_runs": lambda w: w.client.search_runs(["0"])[0],
    "set_experiment_tag": lambda w: w.client.set_experiment_tag("0", "a", "1"),
    "set_logged_model_tags": lambda w: w.client.set_logged_model_tags(w.model, {"a": "1"}),
    "set_model_version_tag": lambda w: w.client.set_model_version_tag("reg", "1", "a", "1"),
    "set_prompt_alias": lambda w: w.client.set_prompt_alias("greet", "worst", 1),
    "set_prompt_tag": lambda w: w.client.set_prompt_tag("greet", "a", "1"),
    "set_prompt_version_tag": lambda w: w.client.set_prompt_version_tag("greet", "1", "a", "1"),
    "set_registered_model_alias": lambda w: w.client.set_registered_model_alias("reg", "a", "1"),
    "set_registered_model_tag": lambda w: w.client.set_registered_model_tag("reg", "a", "1"),
    "set_tag": lambda w: w.client.set_tag(w.ended, "a", "1"),
    "set_terminated": lambda w: w.client.set_terminated(w.run),
    "tracking_uri": lambda w: w.client.tracking_uri,
    "transition_model_version_stage": lambda w: w.client.transition_model_version_stage("reg", "1", "Staging"),
    "update_model_version": lambda w: w.client.update_model_version("reg", "1", "text"),
    "update_registered_model": lambda w: w.client.update_registered_model("reg", "text"),
    "update_run": lambda w: w.client.update_run(w.run, "FINISHED", "renamed"),
}
# Methods about what gitexp does not keep: traces, evaluation datasets, webhooks, workspaces, MCP servers, skills.
ELSEWHERE = re.compile(r"trace|span|dataset|webhook|workspace|mcp_|skill|link_prompt_versions_to_trace")


def _figure() -> Any:
    from matplotlib.figure import Figure

    return Figure()


def _image() -> Any:
    import numpy

    return numpy.zeros((2, 2, 3), dtype="uint8")


def _linked(w: World) -> str:
    w.client.set_prompt_version_tag("greet", "1", "mlflow.prompt.associatedRunIds", w.run)
    return w.run


def _prompt_versions(w: World) -> None:
    try:
        assert len(w.client.search_prompt_versions("greet")) == 1
    except MlflowException as error:  # older ones knew this for one registry alone
        assert "Unity Catalog" in str(error)


def _restored(w: World) -> None:
    gone = w.client.create_experiment("gone")
    w.client.delete_experiment(gone)
    w.client.restore_experiment(gone)


@pytest.mark.parametrize("name", sorted(CLIENT))
def test_method_of_the_client(world: World, name: str) -> None:
    if not hasattr(MlflowClient, name):
        pytest.skip(f"this MLflow has no {name}")
    CLIENT[name](world)


def test_every_method_of_the_client_is_tested_or_about_something_else() -> None:
    names = {name for name in dir(MlflowClient) if not name.startswith("_")}
    assert {name for name in names - set(CLIENT) if not ELSEWHERE.search(name)} == set()


FLUENT: dict[str, Callable[[Path], Any]] = {
    "active_run": lambda _: mlflow.active_run().info.run_id,
    "autolog": lambda _: mlflow.autolog(disable=True, silent=True),
    "clear_active_model": lambda _: mlflow.clear_active_model(),
    "create_experiment": lambda _: mlflow.create_experiment("e"),
    "create_external_model": lambda _: mlflow.create_external_model("x"),
    "delete_experiment": lambda _: mlflow.delete_experiment(mlflow.create_experiment("gone")),
    "delete_experiment_tag": lambda _: (mlflow.set_experiment_tag("a", "1"), mlflow.delete_experiment_tag("a")),
    "delete_logged_model_tag": lambda _: mlflow.delete_logged_model_tag(_model(t="1"), "t"),
    "delete_prompt_alias": lambda _: (_prompt(), mlflow.delete_prompt_alias("greet", "best")),
    "delete_run": lambda _: mlflow.delete_run(mlflow.MlflowClient().create_run("0").info.run_id),
    "delete_tag": lambda _: (mlflow.set_tag("a", "1"), mlflow.delete_tag("a")),
    "end_run": lambda _: mlflow.end_run("FAILED"),
    "finalize_logged_model": lambda _: mlflow.finalize_logged_model(_model(), "READY"),
    "flush_artifact_async_logging": lambda _: mlflow.flush_artifact_async_logging(),
    "flush_async_logging": lambda _: mlflow.flush_async_logging(),
    "get_active_model_id": lambda _: mlflow.get_active_model_id(),
    "get_artifact_uri": lambda _: mlflow.get_artifact_uri("x"),
    "get_experiment": lambda _: mlflow.get_experiment("0"),
    "get_experiment_by_name": lambda _: mlflow.get_experiment_by_name("Default").name,
    "get_logged_model": lambda _: mlflow.get_logged_model(_model()),
    "get_parent_run": lambda _: mlflow.get_parent_run(mlflow.active_run().info.run_id),
    "get_registry_uri": lambda _: mlflow.get_registry_uri(),
    "get_run": lambda _: mlflow.get_run(mlflow.active_run().info.run_id),
    "get_tracking_uri": lambda _: mlflow.get_tracking_uri(),
    "initialize_logged_model": lambda _: mlflow.initialize_logged_model("x"),
    "is_tracking_uri_set": lambda _: mlflow.is_tracking_uri_set(),
    "last_active_run": lambda _: mlflow.last_active_run().info.run_id,
    "last_logged_model": lambda _: (_model(), mlflow.last_logged_model()),
    "load_prompt": lambda _: (_prompt(), mlflow.load_prompt("greet", version=1)),
    "load_table": lambda _: (mlflow.log_table({"x": [1]}, "t.json"), mlflow.load_table("t.json")),
    "log_artifact": lambda path: mlflow.log_artifact(str(support.write(path / "a.txt", "a"))),
    "log_artifacts": lambda path: mlflow.log_artifacts(str(support.write(path / "d/a.txt", "a").parent)),
    "log_dict": lambda _: mlflow.log_dict({"a": 1}, "a.json"),
    "log_figure": lambda _: mlflow.log_figure(_figure(), "a.png"),
    "log_image": lambda _: mlflow.log_image(_image(), "b.png"),
    "log_input": lambda _: mlflow.log_input(_dataset(), "train"),
    "log_inputs": lambda _: mlflow.log_inputs([_dataset()], ["train"], [None]),
    "log_metric": lambda _: mlflow.log_metric("m", 1),
    "log_metrics": lambda _: mlflow.log_metrics({"m": 1, "n": 2}, step=1),
    "log_model_params": lambda _: mlflow.log_model_params({"a": "1"}, _model()),
    "log_outputs": lambda _: mlflow.log_outputs([LoggedModelOutput(_model(), 0)]),
    "log_param": lambda _: mlflow.log_param("p", 1),
    "log_params": lambda _: mlflow.log_params({"p": 1, "q": [2]}),
    "log_stream": lambda _: mlflow.log_stream(__import__("io").BytesIO(b"x"), "stream.bin"),
    "log_table": lambda _: mlflow.log_table({"x": [1]}, "t.json"),
    "log_text": lambda _: mlflow.log_text("x", "x.txt"),
    "register_model": lambda path: mlflow.register_model(_files(path), "reg"),
    "register_prompt": lambda _: _prompt(),
    "restore_experiment": lambda _: _back(mlflow.delete_experiment, mlflow.restore_experiment),
    "restore_run": lambda _: _run_back(),
    "search_experiments": lambda _: mlflow.search_experiments()[0],
    "search_logged_models": lambda _: (_model(), mlflow.search_logged_models(["0"])),
    "search_model_versions": lambda _: mlflow.search_model_versions(),
    "search_prompts": lambda _: mlflow.search_prompts(),
    "search_registered_models": lambda _: mlflow.search_registered_models(),
    "search_runs": lambda _: mlflow.search_runs(["0"]).iloc[0],
    "set_active_model": lambda _: mlflow.set_active_model(name="served"),
    "set_experiment": lambda _: mlflow.set_experiment("another"),
    "set_experiment_tag": lambda _: mlflow.set_experiment_tag("a", "1"),
    "set_experiment_tags": lambda _: mlflow.set_experiment_tags({"a": "1"}),
    "set_logged_model_tags": lambda _: mlflow.set_logged_model_tags(_model(), {"a": "1"}),
    "set_model_version_tag": lambda path: (
        mlflow.register_model(_files(path), "reg"),
        mlflow.set_model_version_tag("reg", "1", "a", "1"),
    ),
    "set_prompt_alias": lambda _: _prompt(),
    "set_registry_uri": lambda _: mlflow.set_registry_uri(mlflow.get_tracking_uri()),
    "set_tag": lambda _: mlflow.set_tag("a", "1"),
    "set_tags": lambda _: mlflow.set_tags({"a": 1, "b": 2}),
    "set_tracking_uri": lambda _: mlflow.set_tracking_uri(mlflow.get_tracking_uri()),
    "start_run": lambda _: mlflow.start_run(nested=True) and mlflow.end_run(),
}
NO_CALLS = {"ActiveRun", "ActiveModel", "MlflowClient", "Image", "import_checkpoints"}


def _model(**tags: str) -> str:
    return str(mlflow.initialize_logged_model("m", tags=tags).model_id)


def _prompt() -> None:
    mlflow.register_prompt("greet", "Hello {{ name }}")
    mlflow.set_prompt_alias("greet", "best", 1)


def _dataset() -> Any:
    import numpy

    return mlflow.data.from_numpy(numpy.zeros((2, 2)))


def _files(path: Path) -> str:
    mlflow.log_artifacts(str(support.write(path / "m/MLmodel", "flavors: {}\n").parent), "model")
    return f"runs:/{mlflow.active_run().info.run_id}/model"


def _back(delete: Any, restore: Any) -> None:
    gone = mlflow.create_experiment("gone")
    delete(gone)
    restore(gone)


def _run_back() -> None:
    run_id = mlflow.MlflowClient().create_run("0").info.run_id
    mlflow.delete_run(run_id)
    mlflow.MlflowClient().restore_run(run_id)


@pytest.mark.parametrize("name", sorted(FLUENT))
def test_function_of_the_fluent_module(tracking: str, tmp_path: Path, name: str) -> None:
    if not hasattr(mlflow, name):
        pytest.skip(f"this MLflow has no {name}")
    mlflow.start_run()
    try:
        FLUENT[name](tmp_path)
    finally:
        mlflow.clear_active_model()


def test_every_function_of_the_fluent_module_is_tested_or_about_something_else() -> None:
    names = {
        name
        for name in mlflow.__all__
        if getattr(getattr(mlflow, name), "__module__", "").startswith("mlflow.tracking")
    }
    assert {name for name in names - set(FLUENT) - NO_CALLS if not ELSEWHERE.search(name)} == set()


def inherited(kind: type) -> list[str]:
    """Return the public methods of a store that are MLflow's own, not ours."""
    found = []
    for name, function in inspect.getmembers(kind, inspect.isfunction):
        ours = any(
            name in vars(part) for part in kind.__mro__ if part.__module__.startswith("gitexp.")
        ) and not hasattr(function, "__wrapped__")
        if not name.startswith("_") and not ours and inspect.unwrap(function).__module__.startswith("mlflow."):
            found.append(name)
    return found


LOCAL = {  # MLflow's own code that builds on methods which we have, or that keeps no state
    "copy_model_version", "log_metric_async", "log_param_async", "set_tag_async", "log_batch_async", "search_runs",
    "flush_async_logging", "end_async_logging", "shut_down_async_logging", "set_model_versions_tags",
    "resolve_trace_archival_config", "filter_active_experiment_ids",
}  # fmt: skip


@pytest.mark.parametrize("kind", [store.GitStore, registry.GitRegistry])
def test_methods_of_stores_that_are_not_ours_are_refused_or_find_nothing(kind: type, tracking: str) -> None:
    made: Any = store.of(tracking) if kind is store.GitStore else registry.GitRegistry(tracking)
    names = [name for name in inherited(kind) if name not in LOCAL and "prompt" not in name]  # prompts: as models
    assert len(names) > 5
    for name in names:
        function = getattr(made, name)
        needed = [
            item for item in inspect.signature(function).parameters.values()
            if item.default is item.empty and item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)
        ]  # fmt: skip
        given = {item.name: ["0"] if item.name.endswith("s") else "0" for item in needed}
        try:
            result = function(**given)
            if inspect.iscoroutine(result):
                result.close()
        except MlflowException as error:
            assert error.error_code in ("NOT_IMPLEMENTED", "RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"), name
        except (TypeError, AttributeError, ValueError) as error:
            assert "prompt" in name, f"{name}: {error!r}"  # MLflow's own code, given nonsense
        else:
            nothing = result in (None, False, [], {}, ([], None)) or (isinstance(result, PagedList) and not result)
            assert nothing or inspect.iscoroutine(result) or isinstance(result, (bool, list, tuple)), (name, result)


# Gateways ask providers on the network (the stores' methods behind them are tested above), workspaces are switched off
# by the server itself, its GraphQL wants a query, and 3.18's handler of schedules catches no error of anybody's.
NOT_OURS = ("gateway", "workspaces", "graphql", "issues/schedule")


@pytest.fixture
def app(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The server's own application, in this process."""
    monkeypatch.setenv("_MLFLOW_SERVER_FILE_STORE", f"gitexp:{project}")
    monkeypatch.setenv("_MLFLOW_SERVER_REGISTRY_STORE", f"gitexp:{project}")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", f"gitexp:{project}")
    monkeypatch.setenv("_MLFLOW_SERVER_SERVE_ARTIFACTS", "true")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "mlflow-artifacts:/")
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")  # its demonstration waits seconds for each
    from mlflow.server import app as application
    from mlflow.server import handlers

    for name in ("_tracking_store", "_model_registry_store", "_artifact_repo"):
        monkeypatch.setattr(handlers, name, None)
    yield application.test_client()
    os.environ.pop("_MLFLOW_SERVER_FILE_STORE", None)


def test_no_handler_answers_nonsense_with_a_500(app: Any) -> None:
    from mlflow.server import handlers

    failed = []
    for path, _, methods in handlers.get_endpoints():
        if any(part in path for part in NOT_OURS):
            continue
        concrete = re.sub(r"<(?:[^:>]+:)?[^>]+>", "x", path)
        for method in methods:
            answer = app.open(concrete, method=method, json={} if method != "GET" else None)
            if answer.status_code in (500, 502, 503, 504):
                failed.append(f"{method} {concrete}: {answer.status_code} {answer.get_data(as_text=True)[:150]}")
    assert failed == []
