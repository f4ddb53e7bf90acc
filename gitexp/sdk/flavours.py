"""Models loaded by their framework. What can run code when it is read is refused unless the caller asked by name."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from gitexp.errors import Refused, Unsupported, UsageError
from gitexp.ops.registry import flavour

PICKLE = "pickle"
_INSTALL = {"sklearn": "scikit-learn", "onnxruntime": "onnxruntime", "pytorch": "torch"}
_MLFLOW = "MLmodel"
# Where frameworks keep their own format in a folder of MLflow's; anything else there is a pickle.
_NATIVE = {"lightgbm": ("model.lgb", "model.txt"), "xgboost": ("model.ubj", "model.json", "model.xgb"),
           "catboost": ("model.cb",), "onnx": ("model.onnx",)}  # fmt: skip


def load(path: Path, framework: str, *, trust: str = "", label: str = "") -> Any:
    """Load a file or folder by its framework; `label` is what messages call it."""
    if trust not in ("", PICKLE):
        raise UsageError(f"trust is {trust!r}", hint='load(trust="pickle"), or load()')
    name = flavour.name_of(framework)
    if path.is_dir() and (path / _MLFLOW).is_file():
        return _mlflow(path, name, trust, label)
    loader = _LOADERS.get(name)
    if loader is None:
        known = ", ".join(sorted(_LOADERS))
        what = f"{label} is made with {framework}" if framework else f"what {label} is made with is not known"
        raise UsageError(f"{what}: not one of {known}", hint="load path() yourself")
    if flavour.is_unsafe(framework) and trust != PICKLE:
        raise unsafe(label, framework)
    return loader(path, trust == PICKLE, label)


def unsafe(label: str, framework: str) -> Refused:
    """Return the error for a file that can run code when it is read."""
    return Refused(
        f"{label} ({framework or 'a pickle'}) can run code when it is loaded; nothing was loaded",
        hint='where you trust who made it: load(trust="pickle")',
    )


def _need(module: str, label: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        package = _INSTALL.get(module.partition(".")[0], module.partition(".")[0])
        raise Unsupported(f"{label} needs {package} to be loaded: {error}", hint=f"pip install {package}") from error


def _mlflow(path: Path, name: str, trust: str, label: str) -> Any:
    native = next((path / file for file in _NATIVE.get(name, ()) if (path / file).is_file()), None)
    if native is not None:
        return _LOADERS[name](native, False, label)
    if trust != PICKLE:
        raise unsafe(label, f"an MLflow model of {name or 'pyfunc'}")
    return _need(f"mlflow.{name}" if name else "mlflow.pyfunc", label).load_model(str(path))


def _lightgbm(path: Path, trusted: bool, label: str) -> Any:
    return _need("lightgbm", label).Booster(model_file=str(path))


def _xgboost(path: Path, trusted: bool, label: str) -> Any:
    booster = _need("xgboost", label).Booster()
    booster.load_model(str(path))
    return booster


def _catboost(path: Path, trusted: bool, label: str) -> Any:
    return _need("catboost", label).CatBoost().load_model(str(path))


def _onnx(path: Path, trusted: bool, label: str) -> Any:
    return _need("onnxruntime", label).InferenceSession(str(path))


def _safetensors(path: Path, trusted: bool, label: str) -> Any:
    try:
        return _need("safetensors.torch", label).load_file(str(path))
    except Unsupported:  # without torch its tensors are numpy's
        return _need("safetensors.numpy", label).load_file(str(path))


def _pytorch(path: Path, trusted: bool, label: str) -> Any:
    torch = _need("torch", label)
    try:
        return torch.load(str(path), map_location="cpu", weights_only=not trusted)
    except pickle.UnpicklingError as error:
        raise unsafe(label, "pytorch, more than weights") from error


def _pickled(path: Path, trusted: bool, label: str) -> Any:
    if path.suffix.lower() == ".joblib":
        return _need("joblib", label).load(path)
    with open(path, "rb") as file:
        return pickle.load(file)


def _skops(path: Path, trusted: bool, label: str) -> Any:
    skops = _need("skops.io", label)
    unknown = skops.get_untrusted_types(file=path)
    if unknown and not trusted:
        raise unsafe(label, f"skops, of types it does not know: {', '.join(unknown[:5])}")
    return skops.load(path, trusted=unknown)


def _keras(path: Path, trusted: bool, label: str) -> Any:
    return _need("keras", label).models.load_model(str(path), safe_mode=False)


def _tensorflow(path: Path, trusted: bool, label: str) -> Any:
    return _need("tensorflow", label).saved_model.load(str(path))


_LOADERS: dict[str, Callable[[Path, bool, str], Any]] = {
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
    "catboost": _catboost,
    "onnx": _onnx,
    "safetensors": _safetensors,
    "pytorch": _pytorch,
    "sklearn": _pickled,
    "pickle": _pickled,
    "joblib": _pickled,
    "skops": _skops,
    "keras": _keras,
    "tensorflow": _tensorflow,
}
