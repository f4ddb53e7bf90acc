"""Datasets: what a run read, as it stands in data.json (docs/format.md, "Datasets")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitexp import canonical

MAX_COLUMNS = 10_000  # that a schema lists; `columns` has how many there are
MAX_NAME = 250  # characters


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its type, and how many values are missing (None where not all were looked at)."""

    name: str
    dtype: str
    missing: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in a schema."""
        return {"name": self.name, "dtype": self.dtype} | ({} if self.missing is None else {"missing": self.missing})


@dataclass(frozen=True, slots=True)
class Dataset:
    """One dataset; what is not known is empty or None.

    `unread` says why there is no sha256, or why it is not sure; `changed` are files that changed while they were read,
    `left_out` what a folder has beside files, with the reason; `artifact` is where the bytes are kept when `stored`.
    """

    name: str
    role: str = ""
    uri: str = ""
    sha256: str | None = None
    size_bytes: int | None = None
    files: int | None = None
    rows: int | None = None
    schema: tuple[Column, ...] = ()
    columns: int | None = None
    profile: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    stored: bool = False
    artifact: str = ""
    unread: str = ""
    changed: tuple[str, ...] = ()
    left_out: tuple[Mapping[str, str], ...] = ()

    @property
    def key(self) -> str:
        """What tells its bytes from others: the sha256, else what the source calls them, "" where nothing does."""
        return self.sha256 or next((str(self.source[key]) for key in _VERSIONS if self.source.get(key)), "")

    def to_json(self) -> dict[str, Any]:
        """Return the entry of data.json; what is not known is left out."""
        whole = {
            "name": self.name,
            "role": self.role,
            "uri": self.uri,
            "sha256": self.sha256,
            "size": self.size_bytes,
            "files": self.files,
            "rows": self.rows,
            "columns": self.columns,
            "schema": [column.to_json() for column in self.schema],
            "profile": dict(self.profile),
            "source": dict(self.source),
            "metadata": dict(self.metadata),
            "artifact": self.artifact,
            "unread": self.unread,
            "changed": list(self.changed),
            "left_out": [dict(item) for item in self.left_out],
        }
        return {key: value for key, value in whole.items() if value not in (None, "", [], {})} | {"stored": self.stored}

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> Dataset:
        """Read an entry, whatever it is: one from elsewhere is taken as far as it can be meant."""
        role, uri = _text(item.get("role")), _text(item.get("uri"))
        return cls(
            name=_text(item.get("name")) or role or uri or "data",
            role=role,
            uri=uri,
            sha256=_text(item.get("sha256")) or None,
            size_bytes=size(item),
            files=_count(item.get("files")),
            rows=_count(item.get("rows")),
            schema=tuple(_columns(item.get("schema"))),
            columns=_count(item.get("columns")),
            profile=_dict(item.get("profile")),
            source=_dict(item.get("source")),
            metadata=_dict(item.get("metadata")),
            stored=item.get("stored") is True,
            artifact=_text(item.get("artifact")),
            unread=_text(item.get("unread")),
            changed=tuple(_text(path) for path in _list(item.get("changed"))),
            left_out=tuple(part for part in _list(item.get("left_out")) if isinstance(part, dict)),
        )


_VERSIONS = ("version", "md5", "etag")  # strongest first


def read(items: Iterable[Any]) -> list[Dataset]:
    """Return the datasets of a data.json's content."""
    return [Dataset.from_json(item) for item in items if isinstance(item, dict)]


def encode(items: Sequence[Mapping[str, Any]]) -> bytes:
    """Return data.json: the entries by name."""
    return canonical.dumps(sorted(items, key=lambda item: (str(item.get("name", "")), canonical.line(item))))


def merge(*parts: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the entries of several lists; of one name the last."""
    found: dict[str, dict[str, Any]] = {}
    for part in parts:
        for item in (item for item in part if isinstance(item, dict)):
            found[Dataset.from_json(item).name] = dict(item)
    return list(found.values())


def size(item: Mapping[str, Any]) -> int | None:
    """Return the bytes of an entry; `bytes` is what the first records called them."""
    return _count(item.get("size", item.get("bytes")))


def _columns(found: Any) -> Iterable[Column]:
    for item in _list(found)[:MAX_COLUMNS]:
        if isinstance(item, dict):
            yield Column(_text(item.get("name")), _text(item.get("dtype")), _count(item.get("missing")))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)[:MAX_NAME]


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
