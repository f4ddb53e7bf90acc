"""Folded states of models below .git/gitexp/models/: a cache; each counts for one tip and one set of signers' lists."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from gitexp import files, ids
from gitexp.record.model import Model, Passage, Remark, Version, Word
from gitexp.store import marks
from gitexp.store.workspace import Workspace

# A row of a dataclass is the list of its values: half the size, and a third of the time of one with names.
_VERSION_FIELDS, _WORD_FIELDS = tuple(Version.__dataclass_fields__), tuple(Word.__dataclass_fields__)
_REMARK_FIELDS, _PASSAGE_FIELDS = tuple(Remark.__dataclass_fields__), tuple(Passage.__dataclass_fields__)
_LAYOUT = " ".join(
    ("3", *Model.__dataclass_fields__, *_VERSION_FIELDS, *_WORD_FIELDS, *_REMARK_FIELDS, *_PASSAGE_FIELDS)
)
_PARTS = ("notes", "versions", "passages", "removed")
_NOTES, _WORDS, _REQUESTS, _DEPRECATED, _REMOVED = (
    _VERSION_FIELDS.index(name) for name in ("notes", "words", "requests", "deprecated", "removed")
)


def read(workspace: Workspace, ref: str) -> Model | None:
    """Return the model as it was folded last, None where that is not known, or signers have changed since."""
    import orjson

    try:
        data = orjson.loads(_state(workspace, ref).read_bytes())
        if data["layout"] != _LAYOUT:
            return None
        mark = marks.of(workspace)
        if data["mark"] == mark:
            return _model(data["model"])
        if data["signers"] != _signers(workspace):
            return None
        model = _model(data["model"])
        write(workspace, ref, model)  # under the mark of now
        return model
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None  # torn or of another version: it is made anew


def write(workspace: Workspace, ref: str, model: Model) -> None:
    """Keep a state; a disk that is full or read-only keeps nobody from reading."""
    import orjson

    data = {"layout": _LAYOUT, "mark": marks.of(workspace), "signers": _signers(workspace), "model": _rows(model)}
    with suppress(OSError):
        files.write(_state(workspace, ref), orjson.dumps(data))


def _signers(workspace: Workspace) -> str:
    from gitexp.store import signers  # a list of versions of which nothing changed does without

    return signers.digest(workspace)


def _state(workspace: Workspace, ref: str) -> Path:
    return workspace.home / "models" / (ref.removeprefix(ids.MODELS) + ".json")


def _rows(model: Model) -> dict[str, Any]:
    """Return the JSON of a model."""
    plain = {name: getattr(model, name) for name in Model.__dataclass_fields__ if name not in _PARTS}
    return {
        **plain,
        "notes": [_row(item, _REMARK_FIELDS) for item in model.notes],
        "versions": [_version_row(item) for item in model.versions.values()],
        "passages": [_row(item, _PASSAGE_FIELDS) for item in model.passages],
        "removed": _optional_row(model.removed),
    }


def _row(item: object, fields: tuple[str, ...]) -> list[Any]:
    return [getattr(item, name) for name in fields]


def _optional_row(item: Remark | None) -> list[Any] | None:
    return None if item is None else _row(item, _REMARK_FIELDS)


def _version_row(version: Version) -> list[Any]:
    row = _row(version, _VERSION_FIELDS)
    row[_NOTES] = [_row(item, _REMARK_FIELDS) for item in version.notes]
    for at in (_WORDS, _REQUESTS):
        row[at] = [_row(item, _WORD_FIELDS) for item in row[at]]
    row[_DEPRECATED], row[_REMOVED] = _optional_row(version.deprecated), _optional_row(version.removed)
    return row


def _model(data: dict[str, Any]) -> Model:
    data["notes"] = [Remark(*row) for row in data["notes"]]
    versions = [_version(row) for row in data["versions"]]
    data["versions"] = {version.id: version for version in versions}
    data["passages"] = [Passage(*row) for row in data["passages"]]
    data["removed"] = _remark(data["removed"])
    return Model(**data)


def _version(row: list[Any]) -> Version:
    row[_NOTES] = [Remark(*item) for item in row[_NOTES]]
    row[_WORDS] = [Word(*item) for item in row[_WORDS]]
    row[_REQUESTS] = [Word(*item) for item in row[_REQUESTS]]
    row[_DEPRECATED], row[_REMOVED] = _remark(row[_DEPRECATED]), _remark(row[_REMOVED])
    return Version(*row)


def _remark(row: list[Any] | None) -> Remark | None:
    return None if row is None else Remark(*row)
