"""What a version holds of its run, and what cannot be one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitexp.errors import NotFound, Refused, UsageError
from gitexp.git import refs
from gitexp.ops.recording import lifecycle
from gitexp.ops.registry import register as registering
from gitexp.ops.registry.register import Options
from gitexp.record import merkle
from gitexp.record.merkle import Leaf
from gitexp.store import models
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace
from tests import recording, support
from tests.cli.test_artifact import hashed

BYTES = b"tree\nversion=v4\n"


def record(project: Path, **what: Any) -> Run:
    what = {"artifacts": {"model.txt": BYTES}, "metrics": {"val_auc": [0.9, 0.8], "loss": [0.3, 0.4]}, **what}
    return recording.record(project, "base", **what)


def test_a_version_holds_all_that_its_run_says(project: Path, workspace: Workspace) -> None:
    environment = {"packages": {"lightgbm": {"version": "4.5.0"}}}
    run = record(project, environment=environment)
    done = registering.register(workspace, "base", "churn", Options("the first", {"owner": "ana"}))
    version = done.version
    assert (version.run, version.commit, version.artifact) == (run.id, run.commit, "model.txt")
    assert (version.sha256[:12], version.size, version.number) == (hashed(BYTES), len(BYTES), 1)
    assert version.details == {
        "code": {"commit": support.git(project, "rev-parse", "HEAD"), "dirty": False},
        "experiment": "churn",
        "files": 1,
        "framework": "lightgbm 4.5.0",
        "metrics": {"loss": 0.3, "val_auc": 0.9},
        "run_author": "ana@acme.io",
        "run_name": "base",
        "signature": None,
        "source": None,
    }
    assert (version.description, version.tags, version.person) == ("the first", {"owner": "ana"}, "ana@acme.io")


def test_the_same_bytes_of_the_same_run_are_one_version_unless_asked(project: Path, workspace: Workspace) -> None:
    record(project)
    first = registering.register(workspace, "base", "churn")
    again = registering.register(workspace, "base:model.txt", "churn")
    assert (first.is_new, again.is_new, again.version.id) == (True, False, first.version.id)
    more = registering.register(workspace, "base", "churn", Options(again=True))
    assert (more.is_new, more.version.number) == (True, 2)


def test_a_folder_is_named_by_the_hash_of_all_that_is_in_it(project: Path, workspace: Workspace) -> None:
    files = {"model/MLmodel": b"flavors:\n  sklearn: {}\n", "model/a/model.pkl": b"p", "plot.png": b"1"}
    record(project, artifacts=files)
    version = registering.register(workspace, "base", "churn").version
    leaves = [Leaf(name.removeprefix("model/"), support_sha(data)) for name, data in files.items() if "/" in name]
    assert (version.artifact, version.sha256) == ("model/", merkle.root(leaves))
    assert (version.size, version.details["files"], version.details["framework"]) == (24, 2, "sklearn")


def support_sha(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("name", "data", "packages", "framework"),
    [
        ("m.pt", b"", {"torch": "2.4.0"}, "pytorch 2.4.0"),
        ("m.safetensors", b"", {}, "safetensors"),
        ("m.onnx", b"", {"onnx": "1.17"}, "onnx 1.17"),
        ("m.pkl", b"", {}, "pickle"),
        ("m.pkl", b"\x80\x04}\x94\x8c\x02lr\x94K\x01s.", {"scikit-learn": "1.5.2"}, "pickle"),
        ("m.pkl", b"\x80\x04\x8c\x10sklearn.pipeline\x94", {"scikit-learn": "1.5.2"}, "sklearn 1.5.2"),
        ("m.joblib", b"\x80\x04}\x94.", {"scikit-learn": "1.5.2", "joblib": "1.4"}, "joblib 1.4"),
        ("m.txt", b"tree\nversion=v4", {"lightgbm": "4.5"}, "lightgbm 4.5"),
        ("m.json", b'{"learner":{}}', {"xgboost": "2.1"}, "xgboost 2.1"),
        ("m.bin", b"", {"torch": "2.4.0"}, None),
    ],
)
def test_the_framework_is_told_by_names_first_bytes_and_packages(
    project: Path, workspace: Workspace, name: str, data: bytes, packages: dict[str, str], framework: str | None
) -> None:
    listed = {package: {"version": version} for package, version in packages.items()}
    record(project, artifacts={name: data or b"x"}, environment={"packages": listed})
    assert registering.register(workspace, "base", "churn").version.details["framework"] == framework


def test_the_signature_of_an_mlmodel_is_taken_and_a_hostile_one_is_not(project: Path, workspace: Workspace) -> None:
    good = b'flavors: {lightgbm: {}}\nsignature:\n  inputs: \'[{"name": "x", "type": "double"}]\'\n'
    bad = b'!!python/object/apply:os.system ["touch /tmp/owned"]\n'
    record(project, artifacts={"good/MLmodel": good, "bad/MLmodel": bad})
    version = registering.register(workspace, "base:good", "churn").version
    assert version.details["signature"] == {"inputs": [{"name": "x", "type": "double"}]}
    assert registering.register(workspace, "base:bad", "churn").version.details["framework"] is None


def test_of_several_artifacts_the_one_that_can_be_a_model_is_taken(project: Path, workspace: Workspace) -> None:
    record(project, artifacts={"model.txt": BYTES, "notes.txt": b"n", "plot.png": b"1"})
    assert registering.register(workspace, "base", "churn").version.artifact == "model.txt"
    recording.record(project, "two", artifacts={"a.onnx": b"1", "b.onnx": b"2"})
    with pytest.raises(NotFound, match="has 2 artifacts: which"):
        registering.register(workspace, "two", "churn")


def test_what_is_no_recorded_artifact_is_refused_and_leaves_nothing(project: Path, workspace: Workspace) -> None:
    session = recording.start(project, "live", artifacts={"model.txt": BYTES})
    with pytest.raises(Refused, match="is running"):
        registering.register(workspace, "live", "churn")
    lifecycle.finish(session, "completed")
    for said, error in (("nix", NotFound), ("nix:model.txt", NotFound)):
        with pytest.raises(error):
            registering.register(workspace, said, "churn")
    record(project)
    with pytest.raises(NotFound):
        registering.register(workspace, "base:other.txt", "churn")
    for options in (Options(tags={"a=b": ""}), Options(signature={"a": {1}}), Options(description=" ")):
        with pytest.raises(UsageError):
            registering.register(workspace, "base", "churn", options)
    assert refs.listing(workspace.repo, "refs/models/") == {}


def test_a_model_is_created_once(workspace: Workspace) -> None:
    made = registering.create(workspace, "churn", "who will leave")
    assert (made.description, made.versions) == ("who will leave", {})
    with pytest.raises(Refused, match="there is a model churn already"):
        registering.create(workspace, "churn")
    assert models.get(workspace, "churn").count == 1
