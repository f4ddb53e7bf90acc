"""`mlflow server` on a repository: clients that know nothing of gitexp, its pages in a browser, and what it refuses."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import LoggedModelStatus, Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from tests import support
from tests.integrations.mlflow import serving


@pytest.fixture(scope="module")
def served(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server of a repository, and the repository."""
    project = tmp_path_factory.mktemp("served") / "project"
    support.git(template.parent, "clone", "--quiet", "--no-hardlinks", str(template), str(project))
    support.git(project, "config", "user.name", "Ana Ruiz")
    support.git(project, "config", "user.email", "ana@acme.io")
    with serving.server(project) as address:
        yield address, project


@pytest.fixture
def remote(served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of the server."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(served[0])
    yield mlflow.MlflowClient(served[0])
    mlflow.set_tracking_uri(None)


def ask(address: str, path: str, body: Any = None, method: str = "") -> tuple[int, dict[str, Any]]:
    """Send a request as no client of MLflow's would, and return the status and the answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, {"Content-Type": "application/json"}, method=method or None)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")


def test_a_run_over_rest_from_its_start_to_its_commit(remote: Any, served: tuple[str, Path], tmp_path: Path) -> None:
    experiment = remote.create_experiment("far", tags={"team": "ml"})
    run = remote.create_run(experiment, tags={"a": "1"}, run_name="over rest")
    run_id = run.info.run_id
    remote.log_batch(run_id, [Metric("loss", 0.5, 1000, 1)], [Param("lr", "0.1")], [RunTag("b", "2")])
    remote.log_metric(run_id, "loss", float("nan"), step=2)
    support.write(tmp_path / "big.bin", b"\3" * 300_000)
    remote.log_artifact(run_id, str(tmp_path / "big.bin"), "out")
    remote.log_text(run_id, "hello", "hello.txt")
    assert run.info.artifact_uri == f"mlflow-artifacts:/{experiment}/{run_id}/artifacts"
    assert [(item.path, item.is_dir) for item in remote.list_artifacts(run_id)] == [("hello.txt", False), ("out", True)]
    remote.set_terminated(run_id)
    found = remote.get_run(run_id)
    assert (found.info.status, found.data.params, found.data.tags["b"]) == ("FINISHED", {"lr": "0.1"}, "2")
    assert [metric.step for metric in remote.get_metric_history(run_id, "loss")] == [1, 2]
    got = Path(remote.download_artifacts(run_id, "out", str(tmp_path)))
    assert (got / "big.bin").read_bytes() == b"\3" * 300_000
    shown = json.loads(support.process(served[1], "show", run_id, "--json").stdout)
    assert shown["name"] == "over rest"
    assert not (served[1] / "mlartifacts").exists()


def test_models_over_rest(remote: Any, tmp_path: Path) -> None:
    support.write(tmp_path / "m/MLmodel", "flavors: {}\n")
    run = remote.create_run("0")
    model = remote.create_logged_model("0", "m", source_run_id=run.info.run_id, params={"lr": "1"})
    remote.log_model_artifacts(model.model_id, str(tmp_path / "m"))
    remote.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    remote.log_metric(run.info.run_id, "acc", 0.5, model_id=model.model_id)
    remote.set_terminated(run.info.run_id)
    (found,) = remote.search_logged_models(["0"], "name = 'm'")
    assert (found.status, found.params, found.metrics[0].value) == (LoggedModelStatus.READY, {"lr": "1"}, 0.5)
    assert Path(mlflow.artifacts.download_artifacts(f"models:/{model.model_id}")).is_dir()
    version = mlflow.register_model(f"models:/{model.model_id}", "far")
    assert version.version == "1"
    remote.set_registered_model_alias("far", "champion", "1")
    assert (Path(mlflow.artifacts.download_artifacts("models:/far@champion")) / "MLmodel").exists()
    assert remote.search_registered_models()[0].aliases == {"champion": "1"}
    remote.delete_registered_model("far")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/api/2.0/mlflow/runs/get?run_id=nothing", None, 404, "RESOURCE_DOES_NOT_EXIST"),
        ("/api/2.0/mlflow/runs/get?run_id=kkkkkkkkkkkkkkkk", None, 404, "RESOURCE_DOES_NOT_EXIST"),
        ("/api/2.0/mlflow/experiments/get?experiment_id=77", None, 404, "RESOURCE_DOES_NOT_EXIST"),
        ("/api/2.0/mlflow/logged-models/m-nothing", None, 404, "RESOURCE_DOES_NOT_EXIST"),
        ("/api/2.0/mlflow/registered-models/get?name=nothing", None, 404, "RESOURCE_DOES_NOT_EXIST"),
        ("/api/2.0/mlflow/runs/search", {"experiment_ids": ["0"], "filter": "x ! y"}, 400, "INVALID_PARAMETER_VALUE"),
        (
            "/api/2.0/mlflow/runs/log-parameter",
            {"run_id": "x", "key": "", "value": "1"},
            400,
            "INVALID_PARAMETER_VALUE",
        ),
        ("/api/2.0/mlflow/registered-models/create", {"name": ""}, 400, "INVALID_PARAMETER_VALUE"),
        ("/api/2.0/mlflow/artifacts/list?run_id=nothing", None, 404, "RESOURCE_DOES_NOT_EXIST"),
    ],
)
def test_what_is_wrong_is_never_a_500(served: tuple[str, Path], path: str, body: Any, status: int, code: str) -> None:
    found, answer = ask(served[0], path, body)
    assert (found, answer["error_code"]) == (status, code), answer


def test_what_is_not_kept_is_refused_with_a_code(served: tuple[str, Path], remote: Any) -> None:
    with pytest.raises(MlflowException) as failure:
        remote._tracking_client.store.create_dataset("set")
    assert failure.value.error_code == "NOT_IMPLEMENTED"
    assert remote.search_traces(locations=["0"]) == []
    with pytest.raises(MlflowException) as failure:
        remote.set_trace_tag("tr-1", "a", "b")
    assert failure.value.error_code == "NOT_IMPLEMENTED"
    status, answer = ask(served[0], "/api/3.0/mlflow/traces", {"trace": {"trace_info": {"trace_id": "tr-1"}}})
    assert status in (400, 404, 501), answer


def test_artifacts_of_a_run_cannot_be_left(served: tuple[str, Path], remote: Any) -> None:
    run = remote.create_run("0")
    remote.log_text(run.info.run_id, "x", "x.txt")
    for path in ("../x", "..%2F..%2Fx", "/etc/passwd", "%2Fetc%2Fpasswd"):
        status, _ = ask(served[0], f"/get-artifact?run_uuid={run.info.run_id}&path={path}")
        assert status in (400, 404)
        status, _ = ask(served[0], f"/api/2.0/mlflow/artifacts/list?run_id={run.info.run_id}&path={path}")
        assert status in (400, 404)
    remote.set_terminated(run.info.run_id)
