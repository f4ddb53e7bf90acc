"""What a model is made of, as far as its files tell: its framework, and the schema of its inputs and outputs.

Nothing is loaded or unpickled: names, the first bytes, an `MLmodel` beside the files, and the packages of the run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from gitexp.store.runs import Artifact, Run

_LIMIT = 1 << 20  # bytes of an MLmodel
_HEAD = 512  # bytes of a file that tell its kind
# (file name or ending, framework, its package)
_FILES = (
    (".safetensors", "safetensors", "safetensors"),
    (".onnx", "onnx", "onnx"),
    (".gguf", "gguf", ""),
    (".keras", "keras", "keras"),
    (".h5", "keras", "keras"),
    ("saved_model.pb", "tensorflow", "tensorflow"),
    (".tflite", "tflite", ""),
    (".cbm", "catboost", "catboost"),
    (".ubj", "xgboost", "xgboost"),
    (".skops", "skops", "skops"),
    (".mlmodel", "coreml", "coremltools"),
    (".pt", "pytorch", "torch"),
    (".pth", "pytorch", "torch"),
    (".ckpt", "pytorch", "torch"),
    (".joblib", "joblib", "joblib"),
    (".pkl", "pickle", ""),
    (".pickle", "pickle", ""),
    (".bst", "xgboost", "xgboost"),
)
_PICKLES = ("pickle", "joblib")
_UNSAFE = frozenset({"pickle", "joblib", "sklearn", "keras", "tensorflow", "pyfunc", "spacy"})
_PACKAGES = {
    **{framework: package for _, framework, package in reversed(_FILES) if package},
    "sklearn": "scikit-learn",
    "lightgbm": "lightgbm",
    "transformers": "transformers",
    "statsmodels": "statsmodels",
    "spacy": "spacy",
    "prophet": "prophet",
    "fastai": "fastai",
}
_MLFLOW = "MLmodel"


@dataclass(frozen=True, slots=True)
class Flavour:
    """`framework` is its name, and its version where the run knows it: `lightgbm 4.5.0`; "" where nothing tells."""

    framework: str = ""
    signature: Mapping[str, Any] | None = None
    said: Mapping[str, Any] = field(default_factory=dict)  # the MLmodel, where there is one


def of(run: Run, items: Iterable[Artifact], folder: str = "") -> Flavour:
    """Return what the files of a version tell; `folder` is where they lie, with its `/`, "" for one file."""
    items = list(items)
    said = _mlmodel(run, items, folder)
    facts = run.facts_of(folder.rstrip("/") or items[0].name) if items else {}
    metadata = facts.get("metadata") if isinstance(facts.get("metadata"), dict) else {}
    name = str((metadata or {}).get("framework") or "") or _of_mlmodel(said) or _of_files(run, items)
    signature = (metadata or {}).get("signature") or _signature(said)
    return Flavour(_with_version(run, name), signature if isinstance(signature, dict) else None, said)


def models_of(run: Run) -> list[str]:
    """Return the artifacts of a run that can be models: those it called so, else by folders with an MLmodel, else by
    what their names and first bytes tell."""
    called = [name for name, facts in run.artifact_facts.items() if facts.get("type") == "model"]
    if called:
        return called
    every = run.artifacts
    folders = [item.name.rpartition("/")[0] for item in every if item.name.endswith(f"/{_MLFLOW}")]
    return folders or [item.name for item in every if _of_files(run, [item])]


def name_of(framework: str) -> str:
    """Return the name of a framework without its version."""
    return framework.partition(" ")[0].lower()


def is_unsafe(framework: str) -> bool:
    """Say whether loading a model of this framework can run code of whoever made it."""
    return name_of(framework) in _UNSAFE


def _of_files(run: Run, items: list[Artifact]) -> str:
    for ending, framework, _ in _FILES:
        found = [item for item in items if _ends(item.name, ending)]
        if found:
            return _pickled(run, found[0], framework) if framework in _PICKLES else framework
    for item in items:
        head = _head(run, item)
        if head.startswith(b"tree\nversion="):
            return "lightgbm"
        if item.name.endswith(".json") and b'"learner"' in head:
            return "xgboost"
    return ""


def _ends(name: str, ending: str) -> bool:
    base = PurePosixPath(name).name.lower()
    return base.endswith(ending) if ending.startswith(".") else base == ending


def _pickled(run: Run, item: Artifact, framework: str) -> str:
    """A pickle is anything: it is an estimator of scikit-learn where its first bytes name one."""
    return "sklearn" if b"sklearn." in _head(run, item) else framework


def _head(run: Run, item: Artifact) -> bytes:
    from gitexp.store import objects as large

    if item.sha256 is None:
        return (run.artifact_bytes(item, item.size_bytes) or b"")[:_HEAD]
    path = large.path(run.workspace, item.sha256)
    if path is None:
        return b""
    with open(path, "rb") as file:
        return file.read(_HEAD)


def _with_version(run: Run, name: str) -> str:
    if not name or " " in name:
        return name
    version = _version(run, _PACKAGES.get(name, name))
    return f"{name} {version}" if version else name


def _version(run: Run, package: str) -> str:
    packages = run.environment.get("packages")
    found = packages.get(package) if isinstance(packages, dict) else None
    return str(found.get("version") or "") if isinstance(found, dict) else ""


def _mlmodel(run: Run, items: list[Artifact], folder: str) -> dict[str, Any]:
    """Return what the file `MLmodel` of a folder says, {} where there is none, or none that can be read."""
    item = next((item for item in items if item.name == folder + _MLFLOW), None)
    data = run.artifact_bytes(item, _LIMIT) if item is not None else None
    if data is None:
        return {}
    import yaml

    with suppress(yaml.YAMLError, UnicodeDecodeError, RecursionError):
        found = yaml.safe_load(data.decode())
        return found if isinstance(found, dict) else {}
    return {}


def _of_mlmodel(said: Mapping[str, Any]) -> str:
    flavors = said.get("flavors")
    names = [str(name) for name in flavors] if isinstance(flavors, dict) else []
    return next((name for name in names if name != "python_function"), "pyfunc" if names else "")


def _signature(said: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the signature of an MLmodel, whose inputs and outputs are texts of JSON."""
    found = said.get("signature")
    if not isinstance(found, dict):
        return None
    parts: dict[str, Any] = {}
    for key in ("inputs", "outputs", "params"):
        value = found.get(key)
        with suppress(ValueError):
            parts[key] = json.loads(value) if isinstance(value, str) else value
    return {key: value for key, value in parts.items() if value} or None
