"""The events of a journal and what they add up to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitexp import canonical
from gitexp.record import params as nested
from gitexp.record import points
from gitexp.record.logged import Logged
from gitexp.record.points import Point
from gitexp.record.reasons import Reason
from gitexp.record.summary import Aggregate
from gitexp.record.used import Use
from gitexp.store import journal

SOURCES = ("arguments", "file", "sdk")  # of params, weakest first


@dataclass(slots=True)
class Sum:
    """What the events of all writers say together."""

    params: dict[str, dict[str, Any]] = field(default_factory=lambda: {source: {} for source in SOURCES})
    tags: dict[str, str] = field(default_factory=dict)
    untagged: set[str] = field(default_factory=set)
    description: str = ""
    seeds: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, int | float] = field(default_factory=dict)
    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    links: dict[str, dict[str, Any]] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    lost: dict[str, int] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    end: dict[str, Any] | None = None
    edited: list[str] = field(default_factory=list)
    gpu_seconds: float = 0.0
    renamed: dict[str, str] = field(default_factory=dict)
    used: list[Use] = field(default_factory=list)
    datasets: list[dict[str, Any]] = field(default_factory=list)
    logged: list[Mapping[str, Any]] = field(default_factory=list)  # events about logged models
    reasons: list[Reason] = field(default_factory=list)
    violations: list[dict[str, str]] | None = None  # None: nothing was said of them
    kills: tuple[str, int] | None = (
        None  # the kernel's counter of kills for want of memory, and what it was at the start
    )

    def tags_over(self, recorded: Mapping[str, str]) -> dict[str, str]:
        """Return the tags that a record began with, as these events leave them."""
        return {key: value for key, value in {**recorded, **self.tags}.items() if key not in self.untagged}

    @property
    def merged_params(self) -> dict[str, Any]:
        """The params: what the script logs wins over the file, the file over the arguments."""
        merged: dict[str, Any] = {}
        for source in SOURCES:
            merged = nested.merge(merged, self.params[source])
        return merged


def of(folder: Path, offsets: Mapping[str, int] | None = None, ends: Mapping[str, int] | None = None) -> Sum:
    """Return what the events in a journal add up to, from `offsets` on ({file name: bytes} that are committed already).

    With `ends` only up to these, and no file that they do not name. Lines that do not parse are counted as lost.
    """
    total = Sum()
    for writer in journal.writers(folder):
        path = folder / f"events-{writer}.jsonl"
        if ends is not None and path.name not in ends:
            continue
        part = slice((offsets or {}).get(path.name, 0), None if ends is None else ends[path.name])
        for event in _events(path.read_bytes()[part], total):
            _add(folder, total, event, is_main=writer == journal.MAIN)
    return total


def _add(folder: Path, total: Sum, event: Mapping[str, Any], *, is_main: bool) -> None:
    try:
        for one in _listed(folder, event) if event.get("op") == "pack" else (event,):
            _take(total, one, is_main=is_main)
    except (KeyError, TypeError, ValueError, AttributeError, FileNotFoundError):
        _count(total, "events")


def read_on(folder: Path, total: Sum, offset: int) -> int:
    """Add to `total` what the main writer's events say from an offset on; return up to where their lines are whole."""
    path = folder / f"events-{journal.MAIN}.jsonl"
    with open(path, "rb") as file:
        file.seek(offset)
        data = file.read()
    end = data.rfind(b"\n") + 1
    for event in _events(data[:end], total):
        _add(folder, total, event, is_main=True)
    return offset + end


def _events(data: bytes, total: Sum) -> Iterator[Mapping[str, Any]]:
    for line in data.split(b"\n")[:-1]:  # what follows the last newline was torn
        try:
            event = canonical.loads(line)
        except ValueError:
            event = None
        if isinstance(event, dict):
            yield event
        else:
            _count(total, "events")


def _take(total: Sum, event: Mapping[str, Any], *, is_main: bool) -> None:
    op = event["op"]
    if op == "params":
        total.params[event["source"]] = nested.merge(total.params[event["source"]], canonical.special(event["values"]))
    elif op in ("tags", "seeds", "summary"):
        getattr(total, op).update(canonical.special(event["values"]) if op == "summary" else event["values"])
        if op == "tags":
            total.untagged -= event["values"].keys()
    elif op == "untag":
        total.untagged.update(event["keys"])
        for key in event["keys"]:
            total.tags.pop(key, None)
    elif op == "name":
        total.renamed.update({key: str(event[key]) for key in ("experiment", "name") if event.get(key)})
    elif op in ("artifact", "about", "link", "drop"):
        _take_artifact(total, op, event)
    elif op == "dataset":
        total.datasets.append(dict(event["entry"]))
    elif op == "logged":
        int(event["time"])
        Logged().take(event)  # one that makes no sense is lost here, not where all are folded
        total.logged.append(event)
    elif op == "used":
        total.used.append(Use.from_json({**event, "time": canonical.iso(event["time"])}))
    elif op == "description":
        total.description = str(event["text"])
    elif op == "lost":
        for reason, count in event["counts"].items():
            _count(total, reason, int(count))
    elif op == "edited":
        total.edited = list(event["paths"])
    elif op == "gpu":
        total.gpu_seconds += float(event["seconds"])
    elif op == "error":
        total.error = dict(event["error"])
    elif op == "reasons":
        total.reasons += [Reason.from_json(item) for item in event["reasons"]]
    elif op == "violations" and (is_main or total.violations is None):  # the main process looks last
        total.violations = [dict(item) for item in event["violations"]]
    elif op == "kills":
        total.kills = str(event["counter"]), int(event["count"])
    elif op == "end" and is_main:
        total.end = dict(event)


def _take_artifact(total: Sum, op: str, event: Mapping[str, Any]) -> None:
    name = str(event["name"])
    if op == "artifact":
        total.artifacts[name] = dict(event)
        total.dropped.discard(name)
    elif op == "link":
        total.links[name] = dict(event["link"])
    elif op == "drop":
        total.artifacts.pop(name, None)
        total.dropped.add(name)
    if op in ("artifact", "drop"):
        total.facts.pop(name, None)
    if event.get("facts"):
        total.facts[name] = dict(event["facts"])


def _listed(folder: Path, event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield an event for each file of a pack."""
    name = Path(str(event["pack"])).name
    with open((journal.packs(folder) / name).with_suffix(".list"), "rb") as lines:
        for line in lines:
            yield {"op": "artifact", "pack": event["pack"], **canonical.loads(line)}


def _count(total: Sum, reason: str, count: int = 1) -> None:
    total.lost[reason] = total.lost.get(reason, 0) + count


def read_points(
    path: Path, lost: dict[str, int] | None = None, offset: int = 0, end: int | None = None
) -> Iterator[Point]:
    """Yield the points of a journal's CSV from a byte offset on; damaged lines are counted in `lost["points"]`."""
    with open(path, "rb") as file:
        file.seek(offset)
        text = file.read(-1 if end is None else max(0, end - offset)).decode("utf-8", "replace")
    return points_in(text, lost)


def points_in(text: str, lost: dict[str, int] | None = None) -> Iterator[Point]:
    """Yield the points of a part of a journal's CSV, which begins with a row or with the header.

    A name may hold newlines, so a row can be several lines: one that never becomes a row costs its first line only.
    """
    end = text.rfind("\n") + 1
    at = len(points.HEADER) if text.startswith(points.HEADER) else 0
    while at < end:
        stop = text.find("\n", at) + 1
        found = _row(text[at:stop])
        joined = stop
        while found is None and text.count('"', at, joined) % 2 and joined < min(end, at + 4 * points.MAX_NAME):
            joined = text.find("\n", joined) + 1
            found = _row(text[at:joined])
        if found is None:
            if lost is not None:
                lost["points"] = lost.get("points", 0) + 1
        else:
            stop = joined
            yield found
        at = stop
    if end < len(text) and lost is not None:
        lost["points"] = lost.get("points", 0) + 1


def _row(text: str) -> Point | None:
    try:
        rows = list(points.rows(text))
        return points.parse(rows[0]) if len(rows) == 1 else None
    except (ValueError, points.Error):
        return None


def summary(folder: Path) -> dict[str, Aggregate]:
    """Return {metric: Aggregate} over what all writers have written so far, with what the user set."""
    found: dict[str, Aggregate] = {}
    for writer in journal.writers(folder):
        path = folder / f"metrics-{writer}.csv"
        for metric, step, time_ms, value in read_points(path) if path.exists() else ():
            found.setdefault(metric, Aggregate()).add(step, time_ms, value)
    return found


def with_set(summary: Mapping[str, Aggregate], set_values: Mapping[str, int | float]) -> dict[str, Aggregate]:
    """Return the summary with the values that the user set."""
    found = dict(summary)
    for name, value in set_values.items():
        aggregate = found.setdefault(name, Aggregate())
        aggregate.set = value
        if not aggregate.count:
            aggregate.first = aggregate.last = aggregate.min = aggregate.max = value
    return found
