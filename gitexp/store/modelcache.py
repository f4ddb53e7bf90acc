"""Folded states of models below .git/gitexp/models/: a cache; each counts for one tip and one set of signers' lists."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from gitexp import files, ids
from gitexp.record.model import Model, Passage, Remark, Version, Word
from gitexp.store import signers
from gitexp.store.workspace import Workspace

_VERSION = 1


def read(workspace: Workspace, ref: str) -> Model | None:
    """Return the model as it was folded last, None where that is not known, or signers have changed since."""
    import orjson

    try:
        data = orjson.loads(_state(workspace, ref).read_bytes())
        if data["version"] == _VERSION and data["signers"] == signers.digest(workspace):
            return _model(data["model"])
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None  # torn or of another version: it is made anew
    return None


def write(workspace: Workspace, ref: str, model: Model) -> None:
    """Keep a state; a disk that is full or read-only keeps nobody from reading."""
    import orjson

    data = {"version": _VERSION, "signers": signers.digest(workspace), "model": model}
    with suppress(OSError):
        files.write(_state(workspace, ref), orjson.dumps(data))


def _state(workspace: Workspace, ref: str) -> Path:
    return workspace.home / "models" / (ref.removeprefix(ids.MODELS) + ".json")


def _model(data: dict[str, Any]) -> Model:
    data["notes"] = [Remark(**item) for item in data["notes"]]
    data["versions"] = {id: _read_version(item) for id, item in data["versions"].items()}
    data["passages"] = [Passage(**item) for item in data["passages"]]
    data["removed"] = _remark(data["removed"])
    return Model(**data)


def _read_version(data: dict[str, Any]) -> Version:
    data["notes"] = [Remark(**item) for item in data["notes"]]
    data["words"] = [Word(**item) for item in data["words"]]
    data["requests"] = [Word(**item) for item in data["requests"]]
    data["deprecated"], data["removed"] = _remark(data["deprecated"]), _remark(data["removed"])
    return Version(**data)


def _remark(data: dict[str, Any] | None) -> Remark | None:
    return None if data is None else Remark(**data)
