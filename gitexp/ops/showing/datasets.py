"""Which data runs saw: listed over runs, compared between two, and held against what is on the disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitexp import canonical
from gitexp.capture import address, data
from gitexp.errors import NotFound, UsageError
from gitexp.index import database
from gitexp.ops.recording import data as reading
from gitexp.record import dataset
from gitexp.record.dataset import Column, Dataset
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

SAME, DIFFERS, MISSING, UNKNOWN = "same", "differs", "missing", "unknown"
_SHIFTED = 0.01  # of the range of a column: a mean that moved by less is not said


@dataclass(slots=True)
class Group:
    """One state of the data under one name: the runs that saw it, newest first, and when the newest began."""

    name: str
    role: str
    sha256: str | None
    uri: str
    rows: int | None
    size_bytes: int | None
    files: int | None
    newest_ms: int
    runs: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "name": self.name,
            "role": self.role,
            "sha256": self.sha256,
            "uri": self.uri,
            "rows": self.rows,
            "size": self.size_bytes,
            "files": self.files,
            "newest": canonical.iso(self.newest_ms),
            "runs": self.runs,
        }


def listing(workspace: Workspace, experiment: str = "") -> list[Group]:
    """Return the data that runs saw (of one experiment and those below it, or of all), by name, the newest first."""
    rows = database.of(workspace).rows(
        "SELECT dataset.name, dataset.role, dataset.sha256, dataset.uri, dataset.rows, dataset.size_bytes,"
        " dataset.files, run.id, run.start_ms, run.experiment, run.path FROM dataset JOIN run ON run.key = dataset.run"
        " WHERE NOT run.removed ORDER BY dataset.name, run.start_ms DESC, run.id"
    )
    found: dict[tuple[Any, ...], Group] = {}
    for name, role, sha256, uri, count, size, files, run_id, start_ms, *where in rows:
        if experiment and not any(at == experiment or str(at).startswith(experiment + "/") for at in where):
            continue
        key = (name, sha256 or uri)
        new = Group(name, role or "", sha256, uri or "", _whole(count), _whole(size), _whole(files), start_ms)
        group = found.setdefault(key, new)
        if run_id not in group.runs:
            group.runs.append(run_id)
    return sorted(found.values(), key=lambda group: (group.name, -group.newest_ms, group.sha256 or ""))


def _whole(value: Any) -> int | None:
    return None if value is None or value != value or abs(value) > 2**62 else int(value)


def of(run: Run) -> list[Dataset]:
    """Return what a run read, by name."""
    return sorted(dataset.read(run.data), key=lambda item: item.name)


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two states of one name; None for a side that has no such data.

    `same` is None where nothing tells whether the bytes are the same.
    """

    name: str
    one: Dataset | None
    other: Dataset | None
    same: bool | None
    added: tuple[Column, ...] = ()
    removed: tuple[Column, ...] = ()
    retyped: tuple[tuple[Column, Column], ...] = ()
    missing: tuple[tuple[Column, Column], ...] = ()
    shifts: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "name": self.name,
            "same": self.same,
            "one": None if self.one is None else self.one.to_json(),
            "other": None if self.other is None else self.other.to_json(),
            "added": [column.to_json() for column in self.added],
            "removed": [column.to_json() for column in self.removed],
            "retyped": [{"name": a.name, "values": [a.dtype, b.dtype]} for a, b in self.retyped],
            "missing": [{"name": a.name, "values": [a.missing, b.missing]} for a, b in self.missing],
            "shifts": [dict(shift) for shift in self.shifts],
        }


def differences(one: Run, other: Run, name: str = "") -> list[Difference]:
    """Return what differs between what two runs read, name by name; raises NotFound where neither read `name`."""
    left, right = ({item.name: item for item in of(run)} for run in (one, other))
    names = sorted({*left, *right})
    if name:
        if name not in names:
            raise NotFound(f"neither run read data called {name!r}", hint=_known(names, one))
        names = [name]
    return [_difference(item, left.get(item), right.get(item)) for item in names]


def _known(names: Sequence[str], run: Run) -> str:
    return "they read: " + ", ".join(names) if names else f"what a run read: gitexp show {run.id[:7]}"


def _difference(name: str, one: Dataset | None, other: Dataset | None) -> Difference:
    if one is None or other is None:
        return Difference(name, one, other, False)
    same = one.key == other.key if one.key and other.key and bool(one.sha256) == bool(other.sha256) else None
    if same:
        return Difference(name, one, other, same)
    left, right = ({column.name: column for column in side.schema} for side in (one, other))
    both = [(left[key], right[key]) for key in left if key in right]
    return Difference(
        name,
        one,
        other,
        same,
        added=tuple(column for key, column in right.items() if key not in left) if left else (),
        removed=tuple(column for key, column in left.items() if key not in right) if right else (),
        retyped=tuple((a, b) for a, b in both if a.dtype != b.dtype),
        missing=tuple((a, b) for a, b in both if None not in (a.missing, b.missing) and a.missing != b.missing),
        shifts=tuple(_shifts(one, other)),
    )


def _shifts(one: Dataset, other: Dataset) -> Iterator[Mapping[str, Any]]:
    """Yield the columns whose numbers lie elsewhere: min, max, mean, and how many values are distinct."""
    left, right = (_profiles(side) for side in (one, other))
    for name, before in left.items():
        after = right.get(name, {})
        changed = {key: [before[key], after[key]] for key in _MOVES if _moved(key, before, after)}
        if changed:
            yield {"name": name, **changed}


_MOVES = ("min", "max", "mean", "distinct")


def _profiles(side: Dataset) -> dict[str, Mapping[str, Any]]:
    columns = side.profile.get("columns")
    found = [item for item in columns if isinstance(item, dict)] if isinstance(columns, list) else []
    return {str(item.get("name")): item for item in found}


def _moved(key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    if key not in before or key not in after or before[key] == after[key]:
        return False
    numbers = [canonical.special(side.get(part)) for side in (before, after) for part in ("min", "max", key)]
    if key != "mean" or not all(isinstance(number, int | float) for number in numbers):
        return True
    low, high = min(numbers[0], numbers[3]), max(numbers[1], numbers[4])
    return not abs(numbers[5] - numbers[2]) <= _SHIFTED * (high - low)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether what is at a place is what the run saw: `state` is one of SAME, DIFFERS, MISSING and UNKNOWN."""

    entry: Dataset
    place: str
    state: str
    why: str = ""
    found: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "name": self.entry.name,
            "path": self.place,
            "state": self.state,
            "reason": self.why,
            "sha256": self.entry.sha256,
            "found": self.found,
        }


def parse_places(given: Sequence[str]) -> dict[str, str]:
    """Return {name: path} of `NAME=PATH` texts; raises UsageError."""
    found = {}
    for word in given:
        name, mark, path = word.partition("=")
        if not mark or not name or not path:
            raise UsageError(f"--path {word!r} is not NAME=PATH", hint="--path train=/mnt/data/train.csv")
        found[name] = path
    return found


def check(workspace: Workspace, run: Run, places: Mapping[str, str], *, ask: bool = False) -> list[Verdict]:
    """Hold what a run read against what is there now; `places` are {name: path} of data that lies elsewhere here.

    Hosts are questioned only with `ask`: a record may come from elsewhere, and name any host.
    """
    entries = of(run)
    if unknown := sorted(set(places) - {item.name for item in entries}):
        raise NotFound(f"the run read no data called {unknown[0]!r}", hint=_known([i.name for i in entries], run))
    return [_verdict(workspace, item, places.get(item.name), ask) for item in entries]


def _verdict(workspace: Workspace, entry: Dataset, place: str | None, ask: bool) -> Verdict:
    if place is None and address.is_address(entry.uri):
        return _asked(entry) if ask else Verdict(entry, entry.uri, UNKNOWN, "its host was not asked: --ask")
    if place is None and (not entry.uri or entry.source.get("kind") == "feature-store"):
        return Verdict(entry, "", UNKNOWN, "it was no file: name one with --path")
    path, shown = Path(place) if place is not None else _path(workspace, entry.uri), place or entry.uri
    if entry.sha256 is None:
        return Verdict(entry, shown, UNKNOWN, entry.unread or "the run recorded no hash")
    if not path.exists():
        return Verdict(entry, shown, MISSING, "there is nothing")
    found = data.check(path, reading.hasher(workspace), follow="outside" not in entry.source)
    if found.sha256 is None:
        return Verdict(entry, shown, UNKNOWN, found.unread)
    state = SAME if found.sha256 == entry.sha256 else DIFFERS
    return Verdict(entry, shown, state, _how(entry, found) if state == DIFFERS else "", found.sha256)


def _path(workspace: Workspace, uri: str) -> Path:
    top = workspace.repo.work_tree or workspace.repo.git_dir
    return Path(top, uri)


def _how(entry: Dataset, found: Dataset) -> str:
    """Return what differs, as far as sizes tell."""
    parts = []
    for word, before, after in (("files", entry.files, found.files), ("bytes", entry.size_bytes, found.size_bytes)):
        if None not in (before, after) and before != after:
            parts.append(f"{before:,} {word}, now {after:,}")
    return "; ".join(parts) or "as large, other content"


def _asked(entry: Dataset) -> Verdict:
    """Ask the host of an address for its version, and compare that."""
    try:
        said = reading.ask(entry.uri)
    except address.Unreachable as error:
        return Verdict(entry, entry.uri, UNKNOWN, str(error))
    for key in ("version", "etag"):
        before, now = entry.source.get(key), said.get(key)
        if before is not None and now is not None:
            return Verdict(
                entry,
                entry.uri,
                SAME if before == now else DIFFERS,
                "" if before == now else f"another {key}",
                str(now),
            )
    return Verdict(entry, entry.uri, UNKNOWN, "its host told no version")
