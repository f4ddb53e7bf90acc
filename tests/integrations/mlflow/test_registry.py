"""MLflow's model registry on gitexp's: names, versions, stages, aliases, tags, search, copies, prompts, rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from tests import support


def code(call: Any) -> str:
    with pytest.raises(MlflowException) as failure:
        call()
    return str(failure.value.error_code)


@pytest.fixture
def model(client: Any, tmp_path: Path) -> Any:
    """A finished run with a folder `model` in it."""
    support.write(tmp_path / "model/MLmodel", "flavors: {}\n")
    support.write(tmp_path / "model/weights.bin", b"\1" * 200_000)
    run = client.create_run("0")
    client.log_artifacts(run.info.run_id, str(tmp_path / "model"), "model")
    client.log_metric(run.info.run_id, "acc", 0.9)
    client.set_terminated(run.info.run_id)
    return client.get_run(run.info.run_id)


def version(client: Any, run: Any, name: str = "churn", **more: Any) -> Any:
    return client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id, **more)


def test_models_are_created_described_renamed_and_deleted(client: Any) -> None:
    made = client.create_registered_model("churn", tags={"a": "1"}, description="about churn")
    assert (made.name, made.tags, made.description) == ("churn", {"a": "1"}, "about churn")
    assert code(lambda: client.create_registered_model("churn")) == "RESOURCE_ALREADY_EXISTS"
    assert client.update_registered_model("churn", "more").description == "more"
    client.set_registered_model_tag("churn", "b", "2")
    client.delete_registered_model_tag("churn", "a")
    client.delete_registered_model_tag("churn", "nothing")
    assert client.get_registered_model("churn").tags == {"b": "2"}
    client.rename_registered_model("churn", "churn")
    client.rename_registered_model("churn", "leaving")
    assert client.get_registered_model("leaving").description == "more"
    assert code(lambda: client.get_registered_model("churn")) == "RESOURCE_DOES_NOT_EXIST"
    client.delete_registered_model("leaving")
    assert code(lambda: client.get_registered_model("leaving")) == "RESOURCE_DOES_NOT_EXIST"
    assert client.search_registered_models() == []


def test_a_deleted_model_begins_anew(client: Any, model: Any) -> None:
    client.create_registered_model("churn", tags={"a": "1"})
    version(client, model)
    client.delete_registered_model("churn")
    again = client.create_registered_model("churn", description="new")
    assert (again.tags, again.latest_versions, again.description) == ({}, [], "new")
    assert client.search_model_versions("name = 'churn'") == []
    assert version(client, model).version == 2


@pytest.mark.parametrize("name", ["", " ", "a:b", None])
def test_names_that_are_refused(client: Any, name: Any) -> None:
    assert code(lambda: client.create_registered_model(name)) == "INVALID_PARAMETER_VALUE"


def test_versions(client: Any, model: Any, project: Path) -> None:
    client.create_registered_model("churn")
    first = version(client, model, tags={"t": "1"}, description="first", run_link="http://x")
    assert (first.version, first.run_id, first.current_stage, first.status) == (1, model.info.run_id, "None", "READY")
    assert (first.tags, first.description, first.run_link) == ({"t": "1"}, "first", "http://x")
    assert first.source == f"{model.info.artifact_uri}/model"
    second = version(client, model)
    assert second.version == 2
    assert client.update_model_version("churn", "1", "changed").description == "changed"
    client.set_model_version_tag("churn", "1", "u", "2")
    client.delete_model_version_tag("churn", "1", "t")
    assert client.get_model_version("churn", "1").tags == {"u": "2"}
    assert client.get_model_version_download_uri("churn", "1") == first.source
    client.delete_model_version("churn", "1")
    assert code(lambda: client.get_model_version("churn", "1")) == "RESOURCE_DOES_NOT_EXIST"
    assert code(lambda: client.get_model_version("churn", "x")) == "INVALID_PARAMETER_VALUE"
    assert [item.version for item in client.search_model_versions("name='churn'")] == [2]
    assert [item.version for item in client.search_model_versions("version_number > 1")] == [2]
    assert "churn" in support.gitexp("model", "ls").stdout
    assert support.git(project, "for-each-ref", "refs/models/").count("\n") == 0


def test_stages_and_latest_versions(client: Any, model: Any) -> None:
    client.create_registered_model("churn")
    for _ in range(3):
        version(client, model)
    client.transition_model_version_stage("churn", "1", "Production")
    moved = client.transition_model_version_stage("churn", "2", "production", archive_existing_versions=True)
    assert moved.current_stage == "Production"
    assert client.get_model_version("churn", "1").current_stage == "Archived"
    found = {item.current_stage: item.version for item in client.get_latest_versions("churn")}
    assert found == {"Archived": 1, "Production": 2, "None": 3}
    assert [item.version for item in client.get_latest_versions("churn", ["Production"])] == [2]
    assert code(lambda: client.transition_model_version_stage("churn", "1", "Nowhere")) == "INVALID_PARAMETER_VALUE"
    with pytest.raises(MlflowException, match="not an Active stage"):
        client.transition_model_version_stage("churn", "1", "None", archive_existing_versions=True)


def test_aliases(client: Any, model: Any) -> None:
    client.create_registered_model("churn")
    version(client, model)
    version(client, model)
    client.set_registered_model_alias("churn", "champion", "1")
    assert client.get_model_version_by_alias("churn", "champion").version == 1
    assert client.get_model_version_by_alias("churn", "latest").version == 2
    assert client.get_registered_model("churn").aliases == {"champion": 1}
    assert client.get_model_version("churn", "1").aliases == ["champion"]
    client.set_registered_model_alias("churn", "champion", "2")
    assert client.get_model_version_by_alias("churn", "champion").version == 2
    client.delete_registered_model_alias("churn", "champion")
    client.delete_registered_model_alias("churn", "champion")
    assert code(lambda: client.get_model_version_by_alias("churn", "champion")) == "INVALID_PARAMETER_VALUE"
    for alias in ("latest", "v3", "", "a b"):
        assert (
            code(lambda alias=alias: client.set_registered_model_alias("churn", alias, "1"))
            == "INVALID_PARAMETER_VALUE"
        )


def test_search(client: Any, model: Any) -> None:
    for name in ("beta", "alpha"):
        client.create_registered_model(name, tags={"team": name})
        version(client, model, name, tags={"v": name})
    assert [item.name for item in client.search_registered_models()] == ["alpha", "beta"]
    assert [item.name for item in client.search_registered_models("name LIKE 'al%'")] == ["alpha"]
    assert [item.name for item in client.search_registered_models("tags.team = 'beta'")] == ["beta"]
    assert [item.name for item in client.search_registered_models(order_by=["name DESC"])] == ["beta", "alpha"]
    by_time = [
        [item.name for item in client.search_registered_models(order_by=[f"{key} ASC"])]
        for key in ("timestamp", "last_updated_timestamp")
    ]
    assert by_time[0] == by_time[1]
    page = client.search_registered_models(max_results=1)
    assert [item.name for item in client.search_registered_models(max_results=1, page_token=page.token)] == ["beta"]
    run_id = model.info.run_id
    assert len(client.search_model_versions(f"run_id = '{run_id}'")) == 2
    assert [item.name for item in client.search_model_versions("tags.v = 'beta'")] == ["beta"]
    assert [item.name for item in client.search_model_versions(order_by=["name ASC"])] == ["alpha", "beta"]
    assert client.search_registered_models(max_results=0) == []
    assert code(lambda: client.search_registered_models(max_results=-1)) == "INVALID_PARAMETER_VALUE"
    assert code(lambda: client.search_model_versions(max_results=10**9)) == "INVALID_PARAMETER_VALUE"
    assert code(lambda: client.search_registered_models("nonsense ! 3")) == "INVALID_PARAMETER_VALUE"


def test_register_copy_and_load_by_name(tracking: str, model: Any, client: Any) -> None:
    made = mlflow.register_model(f"runs:/{model.info.run_id}/model", "churn")
    assert (made.version, made.run_id) == (1, model.info.run_id)
    copied = client.copy_model_version(f"models:/{made.name}/{made.version}", "churn-prod")
    assert (copied.name, copied.version, copied.run_id) == ("churn-prod", 1, model.info.run_id)
    for address in ("models:/churn/1", "models:/churn-prod/latest"):
        got = Path(mlflow.artifacts.download_artifacts(address))
        assert (got / "weights.bin").stat().st_size == 200_000
    described = support.gitexp("model", "show", "churn:1", "--json").json
    assert described["run"] == model.info.run_id and described["metrics"] == {"acc": 0.9}


def test_a_version_of_a_run_that_is_live(client: Any, tmp_path: Path) -> None:
    support.write(tmp_path / "model/weights.bin", b"\2" * 1000)
    run = client.create_run("0")
    client.log_artifacts(run.info.run_id, str(tmp_path / "model"), "model")
    client.create_registered_model("churn")
    made = version(client, run)
    assert made.run_id == run.info.run_id
    assert client.transition_model_version_stage("churn", "1", "Production").current_stage == "Production"
    client.set_terminated(run.info.run_id)
    assert Path(mlflow.artifacts.download_artifacts("models:/churn/1")).is_dir()
    assert client.transition_model_version_stage("churn", "1", "Staging").current_stage == "Staging"


def test_bytes_elsewhere_are_registered_by_their_address(client: Any) -> None:
    client.create_registered_model("churn")
    made = client.create_model_version("churn", "s3://bucket/model")
    assert (made.source, made.run_id) == ("s3://bucket/model", None) or made.source == "s3://bucket/model"
    assert client.transition_model_version_stage("churn", "1", "Staging").current_stage == "Staging"
    assert code(lambda: client.create_model_version("nothing", "s3://x")) == "RESOURCE_DOES_NOT_EXIST"


def test_rules_of_the_project_hold_for_mlflow(client: Any, project: Path, model: Any) -> None:
    support.write(project / "gitexp.toml", '[registry.stages.production]\nrequire = "metrics.acc >= 0.95"\n')
    support.commit(project, "ask for more")
    client.create_registered_model("churn")
    version(client, model)
    with pytest.raises(MlflowException, match=r"metrics\.acc") as failure:
        client.transition_model_version_stage("churn", "1", "Production")
    assert failure.value.error_code == "PERMISSION_DENIED"
    assert client.get_model_version("churn", "1").current_stage == "None"


def test_prompts_are_kept_too(tracking: str) -> None:
    made = mlflow.genai.register_prompt("greet", "Hello {{ name }}", commit_message="first", tags={"lang": "en"})
    mlflow.genai.register_prompt("greet", "Hi {{ name }}")
    assert made.version == 1
    assert mlflow.genai.load_prompt("greet", version=1).template == "Hello {{ name }}"
    mlflow.genai.set_prompt_alias("greet", "best", 2)
    assert mlflow.genai.load_prompt("prompts:/greet@best").template == "Hi {{ name }}"
    for text in (None, "name = 'greet'", "name LIKE 'gr%'"):
        assert [prompt.name for prompt in mlflow.genai.search_prompts(text)] == ["greet"]
    assert list(mlflow.genai.search_prompts("name = 'nobody'")) == []
    assert mlflow.MlflowClient().search_registered_models() == []
