"""run.json: who ran what, when, on which code, and how it ended (docs/format.md, "run.json")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitexp import canonical, ids
from gitexp.errors import Damaged, Unsupported

FORMAT = 1
STATUSES = ("running", "completed", "failed", "killed")


@dataclass(frozen=True, slots=True)
class Parent:
    """A parent of the run commit and what it is: `code`, `previous` (the tip before), `diverged`."""

    role: str
    commit: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The content of run.json. Times are milliseconds since the epoch; what is not known is None or empty."""

    id: str
    experiment: str
    name: str
    status: str
    start_ms: int
    experiment_id: str = ""
    end_ms: int | None = None
    command: tuple[str, ...] = ()
    exit_code: int | None = None
    error: dict[str, Any] | None = None
    user: dict[str, Any] = field(default_factory=dict)
    host: str = ""
    seeds: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    description: str = ""
    parent: str | None = None
    forked_from: str | None = None
    parents: tuple[Parent, ...] = ()
    code: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, Any] | None = None
    lost: dict[str, int] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def duration_seconds(self) -> float | None:
        """From start to end; None while running."""
        return None if self.end_ms is None else (self.end_ms - self.start_ms) / 1000

    def to_json(self) -> dict[str, Any]:
        """Return the object that stands in run.json; what is not known is left out."""
        known: dict[str, Any] = {
            "format": FORMAT,
            "id": self.id,
            "experiment": {"id": self.experiment_id or ids.experiment_id(self.experiment), "name": self.experiment},
            "name": self.name,
            "status": self.status,
            "start": canonical.iso(self.start_ms),
            "end": None if self.end_ms is None else canonical.iso(self.end_ms),
            "duration": self.duration_seconds,
            "command": list(self.command),
            "parents": [{"role": parent.role, "commit": parent.commit} for parent in self.parents],
        }
        known |= {key: getattr(self, key) for key in _PLAIN}
        return {**self.extra, **{key: value for key, value in known.items() if value not in (None, "", [], {})}}

    @classmethod
    def from_json(cls, value: Any) -> RunRecord:
        """Read a run.json's object; unknown keys are kept in `extra`.

        Raises Damaged where it is not one, and Unsupported where it is of a newer format.
        """
        if not isinstance(value, dict):
            raise Damaged("run.json is not an object", hint="gitexp fsck")
        version = value.get("format")
        if not isinstance(version, int) or version < 1:
            raise Damaged(f"run.json has no format, but {str(version)[:40]!r}", hint="gitexp fsck")
        if version > FORMAT:
            raise Unsupported(f"the record's format is {version}, newer than {FORMAT}", hint="pip install -U gitexp")
        try:
            return cls(**_fields(value))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise Damaged(f"run.json does not parse: {type(error).__name__}: {error}", hint="gitexp fsck") from error


_PLAIN = (
    "exit_code", "error", "user", "host", "seeds", "tags", "description",
    "parent", "forked_from", "code", "cost", "lost", "names",
)  # fmt: skip
_OTHERS = ("format", "id", "experiment", "name", "status", "start", "end", "duration", "command", "parents")
_KNOWN = frozenset((*_PLAIN, *_OTHERS))


def _fields(value: Mapping[str, Any]) -> dict[str, Any]:
    experiment = value["experiment"]
    end = value.get("end")
    found: dict[str, Any] = {
        "id": _checked_id(value["id"]),
        "experiment": _checked_text(experiment["name"]),
        "experiment_id": str(experiment.get("id", "")),
        "name": _checked_text(value["name"]),
        "status": _checked_status(value["status"]),
        "start_ms": canonical.from_iso(value["start"]),
        "end_ms": None if end is None else canonical.from_iso(end),
        "command": tuple(str(word) for word in value.get("command", ())),
        "parents": tuple(Parent(str(item["role"]), str(item["commit"])) for item in value.get("parents", ())),
        "extra": {key: item for key, item in value.items() if key not in _KNOWN},
    }
    for key, kind in _KINDS.items():
        item = value.get(key)
        if item is not None and not isinstance(item, kind):
            raise ValueError(f"{key!r} is not a {kind.__name__}")
        if item is not None:
            found[key] = item
    found["tags"] = {str(key): str(item) for key, item in found.get("tags", {}).items()}
    return found


_KINDS: dict[str, type] = {
    **dict.fromkeys(("error", "user", "seeds", "tags", "code", "cost", "lost", "names"), dict),
    **dict.fromkeys(("host", "description", "parent", "forked_from"), str),
    "exit_code": int,
}


def _checked_id(value: Any) -> str:
    if not isinstance(value, str) or not ids.is_run_id(value):
        raise ValueError(f"id {str(value)[:40]!r} is not a run id")
    return value


def _checked_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"name {str(value)[:40]!r} is not a text")
    return value


def _checked_status(value: Any) -> str:
    if value not in STATUSES:
        raise ValueError(f"status {str(value)[:40]!r}")
    return str(value)


def encode(record: RunRecord) -> bytes:
    """Return run.json."""
    return canonical.dumps(record.to_json())


def decode(data: bytes) -> RunRecord:
    """Read run.json; raises Damaged or Unsupported."""
    try:
        value = canonical.loads(data)
    except ValueError as error:
        raise Damaged(f"run.json does not parse: {error}", hint="gitexp fsck") from error
    return RunRecord.from_json(value)
