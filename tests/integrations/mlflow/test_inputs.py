"""Datasets that runs read, by MLflow's API."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.exceptions import MlflowException

from tests import support


def data(name: str = "train", digest: str = "d1", context: str = "", **more: Any) -> DatasetInput:
    tags = [InputTag("mlflow.data.context", context)] if context else []
    return DatasetInput(Dataset(name, digest, "local", '{"uri": "s3://user:secret@b/x.csv"}', **more), tags)


def told(run: Any) -> list[tuple[str, str, dict[str, str]]]:
    return [
        (item.dataset.name, item.dataset.digest, {tag.key: tag.value for tag in item.tags})
        for item in run.inputs.dataset_inputs
    ]


def test_datasets_of_a_run_are_what_was_logged(client: Any, project: Path) -> None:
    run = client.create_run("0")
    schema = '{"mlflow_colspec": [{"type": "double", "name": "x", "required": true}]}'
    given = data(context="training", schema=schema, profile='{"num_rows": 150}')
    client.log_inputs(run.info.run_id, [given, data("eval", "d2", "testing")])
    for _ in range(2):
        found = client.get_run(run.info.run_id)
        assert told(found) == [  # in the order of the calls
            ("train", "d1", {"mlflow.data.context": "training"}),
            ("eval", "d2", {"mlflow.data.context": "testing"}),
        ]
        train = next(item.dataset for item in found.inputs.dataset_inputs if item.dataset.name == "train")
        assert (train.schema, train.profile, train.source_type) == (schema, '{"num_rows": 150}', "local")
        client.set_terminated(run.info.run_id)
    (ref,) = support.run_refs(project)
    entry = next(item for item in support.record(project, ref, "data.json") if item["name"] == "train")
    assert (entry["role"], entry["rows"], entry["schema"]) == ("training", 150, [{"name": "x", "dtype": "double"}])
    assert entry["uri"] == "s3://b/x.csv"


def test_one_name_with_several_digests_and_the_same_again(client: Any, project: Path) -> None:
    run = client.create_run("0")
    client.log_inputs(run.info.run_id, [data("dataset", "d1", "train"), data("dataset", "d2", "eval")])
    client.log_inputs(run.info.run_id, [data("dataset", "d1", "again")])
    found = sorted(told(client.get_run(run.info.run_id)))
    assert [(name, digest, tags["mlflow.data.context"]) for name, digest, tags in found] == [
        ("dataset", "d1", "train"),
        ("dataset", "d2", "eval"),
    ]
    client.set_terminated(run.info.run_id)
    (ref,) = support.run_refs(project)
    assert sorted(item["name"] for item in support.record(project, ref, "data.json")) == ["dataset", "dataset-d2"]


def test_runs_are_found_by_their_datasets(client: Any) -> None:
    run, other = client.create_run("0"), client.create_run("0")
    client.log_inputs(run.info.run_id, [data("train", "d1", "training")])
    client.log_inputs(other.info.run_id, [data("train", "d2")])
    for _ in range(2):
        for text in ("dataset.digest = 'd1'", "dataset.context = 'training'"):
            assert [item.info.run_id for item in client.search_runs(["0"], text)] == [run.info.run_id]
        assert len(client.search_runs(["0"], "datasets.name = 'train'")) == 2
        found = {item.info.run_id: told(item) for item in client.search_runs(["0"])}
        assert [row[1] for row in found[other.info.run_id]] == ["d2"]
        client.set_terminated(run.info.run_id)


@pytest.mark.parametrize(
    "given",
    [
        data("x" * 501),
        data(digest="d" * 37),
        data(schema="s" * 1_048_576),
        DatasetInput(Dataset("a", "d", "local", "s"), [InputTag("k" * 256, "v")]),
        DatasetInput(Dataset("a", "d", "local", "s"), [InputTag("k", "v" * 501)]),
    ],
)
def test_what_mlflow_refuses(client: Any, given: DatasetInput) -> None:
    run = client.create_run("0")
    with pytest.raises(MlflowException) as failure:
        client.log_inputs(run.info.run_id, [given])
    assert failure.value.error_code == "INVALID_PARAMETER_VALUE"
    assert told(client.get_run(run.info.run_id)) == []


def test_names_as_long_as_mlflow_takes_them(client: Any) -> None:
    run = client.create_run("0")
    client.log_inputs(run.info.run_id, [data("x" * 500), data("x" * 500, "d2")])
    assert sorted(told(client.get_run(run.info.run_id))) == [("x" * 500, "d1", {}), ("x" * 500, "d2", {})]


def test_a_frame_is_logged_and_loaded_again(tracking: str, project: Path) -> None:
    support.write(project / "data/train.csv", "x,y\n1,2\n3,4\n")
    frame = pd.read_csv(project / "data/train.csv")
    dataset = mlflow.data.from_pandas(frame, source=str(project / "data/train.csv"), name="iris", targets="y")
    with mlflow.start_run() as run:
        mlflow.log_input(dataset, context="training", tags={"more": "1"})
        mlflow.log_inputs([dataset, mlflow.data.from_numpy(frame.to_numpy())], ["training", "eval"], [None, None])
    found = mlflow.get_run(run.info.run_id)
    assert len(found.inputs.dataset_inputs) == 2
    logged = next(item.dataset for item in found.inputs.dataset_inputs if item.dataset.name == "iris")
    assert Path(mlflow.data.get_source(logged).load()).read_text() == "x,y\n1,2\n3,4\n"
    (ref,) = support.run_refs(project)
    entry = next(item for item in support.record(project, ref, "data.json") if item["name"] == "iris")
    assert (entry["uri"], entry["rows"]) == ("data/train.csv", 2)
    assert "iris" in support.gitexp("data", "ls").stdout


def test_summaries_of_the_datasets_of_experiments(client: Any, tracking: str) -> None:
    run = client.create_run("0")
    client.log_inputs(run.info.run_id, [data("train", "d1", "training"), data("plain", "d3")])
    store = client._tracking_client.store
    found = {(item.experiment_id, item.name, item.digest, item.context) for item in store._search_datasets(["0"])}
    assert found == {("0", "train", "d1", "training"), ("0", "plain", "d3", None)}
    assert store._search_datasets(["1"]) == []


def test_use_of_the_machine_is_logged_as_mlflow_does(tracking: str) -> None:
    mlflow.set_system_metrics_sampling_interval(0.05)
    mlflow.set_system_metrics_samples_before_logging(1)
    try:
        with mlflow.start_run(log_system_metrics=True) as run:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and not mlflow.get_run(run.info.run_id).data.metrics:
                time.sleep(0.05)
    finally:
        mlflow.set_system_metrics_sampling_interval(None)
        mlflow.set_system_metrics_samples_before_logging(None)
    assert "system/cpu_utilization_percentage" in mlflow.get_run(run.info.run_id).data.metrics
