"""What differs between two versions of models: what is said of them, their schemas, and the runs that made them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gitexp import text
from gitexp.errors import GitexpError
from gitexp.ops.comparing import diff
from gitexp.ops.comparing.diff import Comparison
from gitexp.ops.registry import models as named
from gitexp.ops.registry import serve
from gitexp.ops.registry.models import Known
from gitexp.record.model import Model, Version
from gitexp.store.workspace import Workspace

Pair = tuple[str, str]
_PARTS = ("inputs", "outputs")


@dataclass(frozen=True, slots=True)
class Change:
    """A column of inputs or outputs that one side lacks (its type is "" there), or has of another type."""

    part: str
    name: str
    types: Pair

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of a column."""
        return {"part": self.part, "name": self.name, "types": [kind or None for kind in self.types]}


@dataclass(frozen=True, slots=True)
class Variation:
    """Two versions side by side: `facts` are (name, texts), `runs` what differs between their runs.

    Where a run is not in this clone `runs` is None, `why` says so, and `metrics` has the numbers of both versions.
    """

    sides: tuple[tuple[Known, Version], tuple[Known, Version]]
    facts: tuple[tuple[str, Pair], ...]
    columns: tuple[Change, ...]
    runs: Comparison | None
    why: str = ""

    @property
    def metrics(self) -> dict[str, tuple[float | None, float | None]]:
        """{metric: its numbers when the versions were registered}."""
        old, new = (named.numbers(version) for _, version in self.sides)
        return {name: (old.get(name), new.get(name)) for name in sorted({*old, *new})}

    @property
    def same_bytes(self) -> bool:
        """Both are the same bytes."""
        return self.sides[0][1].sha256 == self.sides[1][1].sha256

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp model diff --json` prints."""
        return {
            "versions": [named.describe_version(*side) for side in self.sides],
            "same_bytes": self.same_bytes,
            "facts": [{"name": name, "values": list(values)} for name, values in self.facts],
            "columns": [change.to_json() for change in self.columns],
            "metrics": [{"name": name, "values": list(values)} for name, values in self.metrics.items()],
            "runs": diff.describe(self.runs) if self.runs is not None else None,
            "why": self.why or None,
        }


def compare(workspace: Workspace, old: tuple[Model, Version], new: tuple[Model, Version]) -> Variation:
    """Compare two versions, of one model or two."""
    sides = tuple((named.known(workspace, model), version) for model, version in (old, new))
    runs, why = _runs(workspace, old, new)
    pairs = {name: (one, two) for (name, one), (_, two) in zip(_facts(old), _facts(new), strict=True)}
    facts = tuple((name, pair) for name, pair in pairs.items() if pair[0] != pair[1])
    return Variation((sides[0], sides[1]), facts, tuple(_columns(old[1], new[1])), runs, why)


def _runs(
    workspace: Workspace, old: tuple[Model, Version], new: tuple[Model, Version]
) -> tuple[Comparison | None, str]:
    if old[1].run == new[1].run:
        return None, f"both are of run {text.safe(old[1].run)[:7]}" if old[1].run else "neither names a run"
    try:
        return diff.compare(workspace, [serve.recorded(workspace, *side) for side in (old, new)]), ""
    except GitexpError as error:
        return None, error.message


def _facts(side: tuple[Model, Version]) -> Iterator[tuple[str, str]]:
    model, version = side
    details = version.details
    yield "stage", version.stage
    yield "aliases", ", ".join(model.aliases_of(version))
    yield "artifact", version.artifact
    yield "bytes", f"{text.size(version.size)}, sha256 {version.sha256[:12]}" if version.sha256 else ""
    yield "framework", str(details.get("framework") or "")
    yield "tags", "  ".join(f"{key}={value}" if value else key for key, value in sorted(version.tags.items()))
    words = {word.person: "approved" if word.yes else "rejected" for word in version.words}
    yield "words", ", ".join(f"{verb} by {person}" for person, verb in words.items())
    yield "registered by", version.person


def _columns(old: Version, new: Version) -> Iterator[Change]:
    for part in _PARTS:
        one, two = (_schema(version.details.get("signature"), part) for version in (old, new))
        for name in dict.fromkeys([*one, *two]):
            if one.get(name) != two.get(name):
                yield Change(part, name, (one.get(name, ""), two.get(name, "")))


def _schema(signature: Any, part: str) -> dict[str, str]:
    """Return {column: type} of one side of a signature, whatever it holds."""
    rows = signature.get(part) if isinstance(signature, dict) else None
    found: dict[str, str] = {}
    for at, row in enumerate(rows if isinstance(rows, list) else ()):
        if isinstance(row, dict):
            spec = row.get("tensor-spec")
            kind = f"{spec.get('dtype')} {spec.get('shape')}" if isinstance(spec, dict) else str(row.get("type", ""))
            found[str(row.get("name") or at)] = kind
    return found
