"""Logged models: made, measured, searched, and still there in the record and in another clone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import LoggedModelInput, LoggedModelOutput, LoggedModelStatus
from mlflow.exceptions import MlflowException

from gitexp.integrations.mlflow import table
from gitexp.store import workspace as workspaces
from tests import support


def make(client: Any, name: str = "model", *, run: Any = None, experiment: str = "0", **more: Any) -> Any:
    return client.create_logged_model(experiment, name, source_run_id=run and run.info.run_id, **more)


def test_a_model_is_begun_and_finalized(client: Any) -> None:
    run = client.create_run("0")
    model = make(client, run=run, tags={"a": "1"}, params={"lr": "0.1"}, model_type="agent")
    assert (model.status, model.name, model.model_type) == (LoggedModelStatus.PENDING, "model", "agent")
    assert (model.tags, model.params, model.source_run_id) == ({"a": "1"}, {"lr": "0.1"}, run.info.run_id)
    assert model.model_id.startswith("m-") and model.experiment_id == "0"
    assert model.artifact_location.endswith(f"/0/models/{model.model_id}/artifacts")
    done = client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    assert done.status == LoggedModelStatus.READY and done.last_updated_timestamp >= model.creation_timestamp
    assert client.get_logged_model(model.model_id).status == LoggedModelStatus.READY


def test_tags_are_set_and_taken_away(client: Any) -> None:
    model = make(client, run=client.create_run("0"))
    client.set_logged_model_tags(model.model_id, {"a": "1", "b": "2"})
    client.delete_logged_model_tag(model.model_id, "a")
    assert client.get_logged_model(model.model_id).tags == {"b": "2"}
    with pytest.raises(MlflowException, match="No tag with key 'a'") as failure:
        client.delete_logged_model_tag(model.model_id, "a")
    assert failure.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_params_are_added_once(client: Any) -> None:
    model = make(client, run=client.create_run("0"), params={"lr": "0.1"})
    client.log_model_params(model.model_id, {"depth": "3"})
    assert client.get_logged_model(model.model_id).params == {"lr": "0.1", "depth": "3"}


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "a.b", "a%b", "a'b"])
def test_names_that_mlflow_refuses(client: Any, name: str) -> None:
    with pytest.raises(MlflowException) as failure:
        make(client, name)
    assert failure.value.error_code == "INVALID_PARAMETER_VALUE"


def test_models_that_are_not_there(client: Any) -> None:
    for call in (
        lambda: client.get_logged_model("m-nothing"),
        lambda: client.delete_logged_model("m-nothing"),
        lambda: client.finalize_logged_model("m-nothing", LoggedModelStatus.READY),
        lambda: client.delete_logged_model_tag("m-nothing", "a"),
    ):
        with pytest.raises(MlflowException, match="m-nothing") as failure:
            call()
        assert failure.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_a_deleted_model_is_hidden(client: Any) -> None:
    model = make(client, run=client.create_run("0"))
    client.delete_logged_model(model.model_id)
    with pytest.raises(MlflowException, match="not found"):
        client.get_logged_model(model.model_id)
    assert client.search_logged_models(["0"]) == []


def test_a_deleted_model_is_collected_once(client: Any, project: Path, tmp_path: Path) -> None:
    from click.testing import CliRunner
    from mlflow.cli import gc

    run = client.create_run("0")
    support.write(tmp_path / "m/weights.bin", b"\1" * 200_000)
    kept, gone, alone = make(client, "kept", run=run), make(client, "gone", run=run), make(client, "alone")
    for model in (kept, gone, alone):
        client.log_model_artifacts(model.model_id, str(tmp_path / "m"))
    client.set_terminated(run.info.run_id)
    for model in (gone, alone):
        client.delete_logged_model(model.model_id)
    told = [CliRunner().invoke(gc, ["--backend-store-uri", f"gitexp:{project}"]).output for _ in range(2)]
    assert [text.count(gone.model_id) + text.count(alone.model_id) for text in told] == [2, 0], told
    assert [item.model_id for item in client.search_logged_models(["0"])] == [kept.model_id]
    assert [item.path for item in client.list_logged_model_artifacts(kept.model_id)] == ["weights.bin"]
    every = table.run(workspaces.open(project), run.info.run_id).artifacts
    assert [item.name for item in every] == [f"models/{kept.model_id}/weights.bin"]
    assert len(support.run_refs(project)) == 1


def test_a_model_without_a_run_is_kept_in_one_of_its_own(client: Any, project: Path) -> None:
    model = make(client, "external")
    assert model.source_run_id is None
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    assert client.search_runs(["0"]) == []
    assert [item.model_id for item in client.search_logged_models(["0"])] == [model.model_id]
    assert client.get_logged_model(model.model_id).source_run_id is None
    assert "external" in support.gitexp("log").stdout
    assert len(support.run_refs(project)) == 1


def test_metrics_of_a_model_come_from_any_run(client: Any) -> None:
    run, other = client.create_run("0"), client.create_run("0")
    model = make(client, run=run)
    client.log_metric(run.info.run_id, "acc", 0.5, step=1, timestamp=1000, model_id=model.model_id)
    client.log_metric(
        other.info.run_id, "acc", 0.75, step=2, timestamp=2000, model_id=model.model_id, dataset_name="eval",
        dataset_digest="d1",
    )  # fmt: skip
    client.set_terminated(run.info.run_id)
    found = sorted(client.get_logged_model(model.model_id).metrics, key=lambda metric: metric.step)
    assert [(m.key, m.value, m.step, m.timestamp, m.run_id, m.dataset_name, m.dataset_digest) for m in found] == [
        ("acc", 0.5, 1, 1000, run.info.run_id, None, None),
        ("acc", 0.75, 2, 2000, other.info.run_id, "eval", "d1"),
    ]
    assert client.get_run(run.info.run_id).data.metrics == {"acc": 0.5}


def test_inputs_and_outputs_of_runs(client: Any) -> None:
    run = client.create_run("0")
    model = make(client, run=run)
    client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, 3)])
    later = client.create_run("0")
    client.log_inputs(later.info.run_id, models=[LoggedModelInput(model.model_id)])
    for _ in range(2):
        assert [(item.model_id, item.step) for item in client.get_run(run.info.run_id).outputs.model_outputs] == [
            (model.model_id, 3)
        ]
        assert [item.model_id for item in client.get_run(later.info.run_id).inputs.model_inputs] == [model.model_id]
        found = {item.info.run_id: item for item in client.search_runs(["0"])}
        assert len(found[run.info.run_id].outputs.model_outputs) == 1
        assert len(found[later.info.run_id].inputs.model_inputs) == 1
        client.set_terminated(run.info.run_id)
        client.set_terminated(later.info.run_id)


@pytest.fixture
def population(client: Any) -> dict[str, str]:
    """Three models of two experiments: {name: id}."""
    other = client.create_experiment("other")
    run = client.create_run("0")
    found = {}
    for number, (name, value) in enumerate([("alpha", 0.1), ("beta", 0.9), ("gamma", None)]):
        model = make(client, name, run=run, params={"n": str(number)}, tags={"kind": "ab" if number < 2 else "c"})
        found[name] = model.model_id
        if value is not None:
            client.log_metric(
                run.info.run_id, "acc", value, step=0, model_id=model.model_id, dataset_name=name, dataset_digest="d"
            )
    client.finalize_logged_model(found["beta"], LoggedModelStatus.READY)
    found["elsewhere"] = make(client, "elsewhere", experiment=other).model_id
    client.set_terminated(run.info.run_id)
    return found


@pytest.mark.parametrize(
    ("filter_string", "expected"),
    [
        (None, {"alpha", "beta", "gamma"}),
        ("name = 'alpha'", {"alpha"}),
        ("name LIKE '%a'", {"alpha", "beta", "gamma"}),
        ("name ILIKE 'BE%'", {"beta"}),
        ("name != 'alpha'", {"beta", "gamma"}),
        ("name IN ('alpha', 'gamma')", {"alpha", "gamma"}),
        ("metrics.acc > 0.5", {"beta"}),
        ("metrics.acc < 0.5 AND params.n = '0'", {"alpha"}),
        ("tags.kind = 'ab'", {"alpha", "beta"}),
        ("params.`n` = '2'", {"gamma"}),
        ("creation_timestamp > 0", {"alpha", "beta", "gamma"}),
        ("source_run_id != 'x'", {"alpha", "beta", "gamma"}),
        ("tags.missing != 'x'", set()),
    ],
)
def test_search(client: Any, population: dict[str, str], filter_string: str | None, expected: set[str]) -> None:
    found = client.search_logged_models(["0"], filter_string)
    assert {item.name for item in found} == expected


@pytest.mark.parametrize("text", ["name > 'a'", "metrics.acc LIKE 'x'", "foo.bar = 'x'", "name = 'a' OR name = 'b'"])
def test_a_filter_that_makes_no_sense_is_refused(client: Any, text: str) -> None:
    with pytest.raises(MlflowException) as failure:
        client.search_logged_models(["0"], text)
    assert failure.value.error_code == "INVALID_PARAMETER_VALUE"


def test_search_in_order_by_pages_and_by_dataset(client: Any, population: dict[str, str]) -> None:
    def names(**what: Any) -> list[str]:
        return [item.name for item in client.search_logged_models(["0"], **what)]

    assert names(order_by=[{"field_name": "metrics.acc", "ascending": False}]) == ["beta", "alpha", "gamma"]
    assert names(order_by=[{"field_name": "name"}]) == ["alpha", "beta", "gamma"]
    assert names()[0] == "gamma"
    assert names(datasets=[{"dataset_name": "alpha"}]) == ["alpha"]
    assert names(filter_string="metrics.acc > 0", datasets=[{"dataset_name": "beta"}]) == ["beta"]
    page = client.search_logged_models(["0"], max_results=2, order_by=[{"field_name": "name"}])
    assert [item.name for item in page] == ["alpha", "beta"]
    rest = client.search_logged_models(
        ["0"], max_results=2, order_by=[{"field_name": "name"}], page_token=page.token
    )  # fmt: skip
    assert [item.name for item in rest] == ["gamma"] and not rest.token
    with pytest.raises(MlflowException, match="page token"):
        client.search_logged_models(["0"], max_results=2, page_token=page.token)


def test_models_survive_a_clone(client: Any, project: Path, bare: Path, tmp_path: Path) -> None:
    support.write(tmp_path / "m/weights.bin", b"\1" * 200_000)
    run = client.create_run("0")
    model = make(client, run=run, params={"lr": "0.1"})
    client.log_model_artifacts(model.model_id, str(tmp_path / "m"))
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    client.log_metric(run.info.run_id, "acc", 0.5, model_id=model.model_id)
    client.set_terminated(run.info.run_id)
    assert client.list_artifacts(run.info.run_id) == []
    support.gitexp("push", "--yes")
    other = tmp_path / "other"
    support.git(tmp_path, "clone", "--quiet", str(bare), str(other))
    support.process(other, "fetch")
    there = mlflow.MlflowClient(f"gitexp:{other}")
    found = there.search_logged_models(["0"])[0]
    assert (found.model_id, found.params, found.status) == (model.model_id, {"lr": "0.1"}, LoggedModelStatus.READY)
    assert [metric.value for metric in found.metrics] == [0.5]
    assert str(other) in found.artifact_location
    mlflow.set_tracking_uri(f"gitexp:{other}")
    got = Path(mlflow.artifacts.download_artifacts(f"models:/{model.model_id}"))
    assert (got / "weights.bin").stat().st_size == 200_000


def test_models_are_written_to_after_their_run(client: Any, project: Path) -> None:
    run = client.create_run("0")
    model = make(client, run=run)
    client.set_terminated(run.info.run_id)
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    client.set_logged_model_tags(model.model_id, {"later": "1"})
    found = client.get_logged_model(model.model_id)
    assert (found.status, found.tags) == (LoggedModelStatus.READY, {"later": "1"})


def test_the_fluent_api(tracking: str) -> None:
    with mlflow.start_run() as run:
        model = mlflow.initialize_logged_model(name="m", params={"a": "1"})
        mlflow.log_model_params({"b": "2"}, model.model_id)
        mlflow.set_logged_model_tags(model.model_id, {"t": "1"})
        mlflow.delete_logged_model_tag(model.model_id, "t")
        mlflow.finalize_logged_model(model.model_id, "READY")
        mlflow.log_metric("acc", 0.5, model_id=model.model_id)
    assert mlflow.get_logged_model(model.model_id).params == {"a": "1", "b": "2"}
    assert mlflow.last_logged_model().model_id == model.model_id
    frame = mlflow.search_logged_models(experiment_ids=["0"])
    assert list(frame["source_run_id"]) == [run.info.run_id]
    external = mlflow.create_external_model(name="outside")
    assert external.status == LoggedModelStatus.READY
