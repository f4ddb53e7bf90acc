"""gitexp.models: versions from Python, loaded by their framework, and nothing unpickled unasked."""

from __future__ import annotations

import json
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gitexp
from gitexp.errors import Damaged, NotFound, Refused, Unsupported, UsageError
from gitexp.ops.registry import register as registering
from gitexp.record import event as events
from gitexp.store import models
from gitexp.store.models import Draft
from tests import recording, sharing, support

BYTES = b"tree\nversion=v4\n"


@pytest.fixture
def churn(project: Path) -> Path:
    """Return a project with a version of the model churn, in production."""
    run = recording.record(project, "base", metrics={"val_auc": [0.9]}, artifacts={"model.txt": BYTES})
    version = gitexp.models.register(run.id, "model.txt", "churn", tags={"owner": "ana"})
    draft = Draft(events.TRANSITION, "promote", version.id, {"sha256": version.sha256, "stage": "production"})
    models.append(sharing.opened(project), "churn", [draft])
    return project


def registered(project: Path, data: bytes, name: str = "model.pkl", **what: Any) -> gitexp.models.ModelVersion:
    run = recording.record(project, name, artifacts={name: data}, environment={"packages": what.pop("packages", {})})
    return gitexp.models.register(run.id, "", "other", **what)


def test_a_version_has_its_bytes_its_run_and_what_is_said_of_it(churn: Path) -> None:
    version = gitexp.models.get("churn@production")
    assert (version.name, version.number, version.stage, version.aliases) == ("churn", 1, "production", [])
    assert version.path().read_bytes() == BYTES
    assert version.path() == version.path()
    assert (version.run.name, version.run.summary["val_auc"].max) == ("base", 0.9)
    assert (version.metrics, version.tags, version.framework) == ({"val_auc": 0.9}, {"owner": "ana"}, "lightgbm")
    assert version.get("copy.txt").read_bytes() == BYTES
    assert version.record["sha256"] == version.sha256
    assert repr(version) == f"<gitexp.ModelVersion churn:1 production {version.sha256[:12]}>"
    assert [item.number for item in gitexp.models.versions("churn", stage="production")] == [1]
    assert gitexp.models.names() == ["churn"]


def test_what_an_endpoint_serves_is_plain_json(churn: Path) -> None:
    found = gitexp.models.serving_metadata("churn@production")
    run = gitexp.get_run("base")
    assert json.loads(json.dumps(found)) == found
    assert (found["model"], found["version"], found["stage"], found["run"]) == ("churn", 1, "production", run.id)
    assert found["code_commit"] == support.git(churn, "rev-parse", "HEAD")
    assert found["run_commit"] == run.commit


def test_a_run_that_has_just_ended_is_registered_by_itself(project: Path) -> None:
    with gitexp.start_run("churn") as run:
        run.log_text("tree\n", name="model.txt")
        with pytest.raises(Refused, match="is running"):
            gitexp.models.register(run, "model.txt", "churn")
    assert gitexp.models.register(run, "", "churn").number == 1
    assert gitexp.models.register(gitexp.get_run("@"), "model.txt", "churn").number == 1
    with pytest.raises(UsageError, match="named by a text"):
        gitexp.models.register(run, 3, "churn")  # type: ignore[arg-type]


def test_a_run_that_is_not_in_this_clone_is_said(churn: Path) -> None:
    version = gitexp.models.get("churn:1")
    version._version.commit = "1" * 40
    for use in (version.path, lambda: version.run, version.load):
        with pytest.raises(NotFound, match="is not in this clone"):
            use()


def test_other_bytes_than_were_registered_are_not_given_out(churn: Path) -> None:
    version = gitexp.models.get("churn:1")
    version._version.sha256 = "0" * 64
    with pytest.raises(Damaged, match="churn:1 was registered with sha256 000000000000"):
        version.path()
    assert version.run.name == "base"


class Owned:
    """Something that leaves a file behind when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("owned"),))


def test_a_pickle_is_loaded_only_by_who_asks_for_it(project: Path) -> None:
    version = registered(project, pickle.dumps(Owned()))
    with pytest.raises(Refused, match=r"other:1 \(pickle\) can run code when it is loaded; nothing was loaded"):
        version.load()
    with pytest.raises(UsageError, match="trust is 'yes'"):
        version.load(trust="yes")
    assert not Path("owned").exists()
    version.load(trust="pickle")
    assert Path("owned").exists()


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib"])
def test_an_estimator_comes_back_as_it_was(project: Path, tmp_path: Path, name: str) -> None:
    import joblib
    from sklearn.linear_model import LinearRegression

    estimator = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    if name.endswith(".joblib"):
        joblib.dump(estimator, tmp_path / name)
        data = (tmp_path / name).read_bytes()
    else:
        data = pickle.dumps(estimator)
    version = registered(project, data, name, packages={"scikit-learn": {"version": "1.5"}})
    assert version.framework == "sklearn 1.5"
    assert version.load(trust="pickle").predict([[2.0]]) == pytest.approx([5.0])


def test_a_framework_that_is_not_there_or_not_known_is_said(project: Path) -> None:
    with pytest.raises(Unsupported, match="needs lightgbm to be loaded") as found:
        registered(project, BYTES, "model.txt").load()
    assert found.value.hint == "pip install lightgbm"
    with pytest.raises(UsageError, match=r"what other:2 is made with is not known"):
        registered(project, b"x", "model.bin").load()
    with pytest.raises(UsageError, match=r"other:3 is made with mylib 1\.0: not one of catboost"):
        registered(project, b"x", "other.bin", framework="mylib 1.0").load()


def test_a_loader_is_given_the_file_of_the_version(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("lightgbm")
    module.Booster = lambda model_file: Path(model_file).read_bytes()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lightgbm", module)
    assert registered(project, BYTES, "model.txt").load() == BYTES


def test_a_folder_of_mlflow_gives_its_own_format_and_no_pickle(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("lightgbm")
    module.Booster = lambda model_file: Path(model_file).name  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lightgbm", module)
    good = {"m/MLmodel": b"flavors: {lightgbm: {}}\n", "m/model.lgb": BYTES}
    bad = {"m/MLmodel": b"flavors: {sklearn: {}}\n", "m/model.pkl": pickle.dumps(Owned())}
    for name, artifacts in (("good", good), ("bad", bad)):
        recording.record(project, name, artifacts=artifacts)
        gitexp.models.register(name, "", "other")
    assert gitexp.models.get("other:1").load() == "model.lgb"
    with pytest.raises(Refused, match="an MLflow model of sklearn"):
        gitexp.models.get("other:2").load()
    assert not Path("owned").exists()


def test_the_schema_of_examples_is_that_of_mlflow() -> None:
    frame = pd.DataFrame(
        {"a": [1], "b": [0.5], "c": ["x"], "d": [True], "e": np.array([1], dtype="float32"),
         "f": pd.to_datetime(["2026-01-01"]), "g": pd.array([1], dtype="Int64")}
    )  # fmt: skip
    found = gitexp.models.signature(frame, np.zeros((5, 3), dtype="float32"))
    kinds = ["long", "double", "string", "boolean", "float", "datetime", "long"]
    assert found["inputs"] == [{"name": name, "type": kind} for name, kind in zip("abcdefg", kinds, strict=True)]
    assert found["outputs"] == [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}]
    assert gitexp.models.signature({"ids": np.zeros((1, 7), dtype="int64")}) == {
        "inputs": [{"name": "ids", "type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1, 7]}}]
    }
    assert gitexp.models.signature(pd.Series([1.0], name="y")) == {"inputs": [{"name": "y", "type": "double"}]}
    with pytest.raises(UsageError, match="'x' has no schema"):
        gitexp.models.signature("x")


def test_a_training_does_not_load_the_registry(project: Path) -> None:
    code = (
        "import sys, gitexp\ngitexp.start_run\n"
        "print([m for m in sys.modules if m.startswith('gitexp.ops.registry.register')])"
    )
    assert support.python(project, code).stdout == "[]\n"
    code = "import gitexp\nfrom gitexp import models\nprint(models is gitexp.models, 'models' in dir(gitexp))"
    assert support.python(project, code).stdout == "True True\n"


def test_a_version_of_a_run_that_was_still_running_is_served_when_it_has_ended(project: Path) -> None:
    with gitexp.start_run("churn", name="late") as run:
        run.log_text("tree\n", name="model.txt", wait=True)
        options = registering.Options(running=True)
        done = registering.register(sharing.opened(project), f"{run.id}:model.txt", "churn", options)
        assert done.version.commit == ""
    version = gitexp.models.get("churn:1")
    assert (version.run.name, version.path().read_bytes()) == ("late", b"tree\n")
