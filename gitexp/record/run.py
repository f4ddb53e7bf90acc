"""run.json: who ran what, when, on which code, and how it ended (docs/format.md, "run.json")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitexp import canonical, ids
from gitexp.errors import Damaged, Unsupported
from gitexp.record.reasons import Reason

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
    reasons: tuple[Reason, ...] = ()
    violations: tuple[dict[str, str], ...] = ()
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
            "reasons": [reason.to_json() for reason in self.reasons],
            "violations": list(self.violations),
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
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
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
_OTHERS = ("format", "id", "experiment", "name", "status", "start", "end", "duration", "command", "parents",
           "reasons", "violations")  # fmt: skip
_KNOWN = frozenset((*_PLAIN, *_OTHERS))


def _fields(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of RunRecord; raises ValueError for a wrong type at any depth that gitexp looks into."""
    experiment = value["experiment"]
    end = value.get("end")
    found: dict[str, Any] = {
        "id": _checked_id(value["id"]),
        "experiment": _checked_text(experiment["name"]),
        "experiment_id": str(experiment.get("id", "")),
        "name": _checked_text(value["name"]),
        "status": _checked_status(value["status"]),
        "start_ms": _checked_time(value["start"]),
        "end_ms": None if end is None else _checked_time(end),
        "command": tuple(str(word) for word in _checked_list(value, "command")),
        "parents": tuple(_parent(item) for item in _checked_list(value, "parents")),
        "reasons": tuple(Reason.from_json(_texts(item)) for item in _checked_list(value, "reasons")),
        "violations": tuple(_texts(item) for item in _checked_list(value, "violations")),
        "extra": {key: item for key, item in value.items() if key not in _KNOWN},
    }
    found |= _of_kinds(value, _KINDS)
    for key, kinds in _NESTED.items():
        _of_kinds(found.get(key, {}), kinds)
    for key, kind in _ITEMS.items():
        _of_kinds(found.get(key, {}), dict.fromkeys(found.get(key, {}), kind))
    if "code" in found:
        found["code"] = {key: item for key, item in found["code"].items() if item is not None or key not in _LISTS}
        _check_code(found["code"])
    if abs(found.get("user", {}).get("offset_minutes") or 0) > _DAY_MINUTES:
        raise ValueError("offset_minutes is more than a day")
    found["tags"] = {str(key): str(item) for key, item in found.get("tags", {}).items()}
    return found


_KINDS: dict[str, type] = {
    **dict.fromkeys(("error", "user", "seeds", "tags", "code", "cost", "lost", "names"), dict),
    **dict.fromkeys(("host", "description", "parent", "forked_from"), str),
    "exit_code": int,
}
_LISTS: dict[str, type] = {"changed": str, "untracked": str, "edited": str, "left_out": dict}
_NESTED: dict[str, dict[str, type]] = {
    "user": {"name": str, "email": str, "source": str, "offset_minutes": int},
    "error": {"type": str, "message": str, "traceback": str},
    "code": {
        **dict.fromkeys(("commit", "branch", "policy", "snapshot", "tree", "remote", "directory"), str),
        **dict.fromkeys(_LISTS, list),
        **dict.fromkeys(("dirty", "complete"), bool),
    },
}
_ITEMS: dict[str, type] = {"lost": int, "names": str}
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LAST_MS = 253_402_214_400_000  # 9999-12-31: what every time zone can show
_DAY_MINUTES = 1440


def _of_kinds(value: Mapping[str, Any], kinds: Mapping[str, type]) -> dict[str, Any]:
    """Return those of some keys that are there and not null; raises ValueError where one is of another kind."""
    found = {}
    for key, item in value.items():
        kind = kinds.get(key)
        if kind is None or item is None:
            continue
        if type(item) is not kind and (not isinstance(item, kind) or kind is int):
            raise ValueError(f"{key[:40]!r} is not a {kind.__name__}")
        found[key] = item
    return found


def _check_code(code: Mapping[str, Any]) -> None:
    for key, kind in _LISTS.items():
        if not all(isinstance(item, kind) for item in code.get(key, ())):
            raise ValueError(f"{key!r} of the code has other items than {kind.__name__}")


def _checked_list(value: Mapping[str, Any], key: str) -> list[Any]:
    found = value.get(key)
    if found is not None and not isinstance(found, list):
        raise ValueError(f"{key!r} is not a list")
    return found or []


def _texts(item: Any) -> dict[str, str]:
    if not isinstance(item, dict) or not all(isinstance(part, str) for part in item.values()):
        raise ValueError("an item is not an object of texts")
    return item


def _parent(item: Any) -> Parent:
    if not isinstance(item["role"], str) or not _COMMIT.fullmatch(item["commit"]):
        raise ValueError("a parent is not a role and a commit id")
    return Parent(item["role"], item["commit"])


def _checked_time(value: Any) -> int:
    found = canonical.from_iso(value)
    if not 0 <= found < _LAST_MS:
        raise ValueError(f"time {str(value)[:40]!r}")
    return found


def _checked_id(value: Any) -> str:
    if not isinstance(value, str) or not ids.is_run_id(value):
        raise ValueError(f"id {str(value)[:40]!r} is not a run id")
    return value


def _checked_text(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= ids.MAX_NAME:
        raise ValueError(f"name {str(value)[:40]!r} is not a text of 1 to {ids.MAX_NAME} characters")
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
