"""Values side by side: what two or more runs have in common, and what not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gitexp import canonical
from gitexp.ops.finding import find, goals
from gitexp.ops.finding.goals import Goal
from gitexp.record import dataset
from gitexp.record.numbers import float_of, is_nan, is_number
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace


class _Missing:
    """What a run has that does not have something: not None, which is a value."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class Row:
    """One name with its value in each run.

    Where runs have it under other names, `names` has that of each run ("" where it has none) and `alias` says how that
    is known: the place of the setting, or a guess.
    """

    name: str
    values: tuple[Any, ...]
    names: tuple[str, ...] = ()
    alias: str = ""

    @property
    def equal(self) -> bool:
        """Whether all runs have it, with the same value."""
        return all(same(self.values[0], value) for value in self.values[1:])


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric with the number that stands for it in each run, None where a run has none."""

    name: str
    goal: Goal
    values: tuple[int | float | None, ...]

    @property
    def label(self) -> str:
        """The metric with its aggregate: `loss:min`."""
        return f"{self.name}:{self.goal.aggregate}"

    @property
    def equal(self) -> bool:
        """Whether the number is the same in all runs."""
        return all(same(self.values[0], value) for value in self.values[1:])

    @property
    def change(self) -> float | None:
        """From the first run to the last; None where that is no number."""
        first, last = self.values[0], self.values[-1]
        if first is None or last is None:
            return None
        try:
            found = last - first
            return found if math.isfinite(found) else None
        except OverflowError:  # integers that no float can hold
            return None

    @property
    def percent(self) -> float | None:
        """The change in percent of the first value's size; None where that is nothing."""
        first, change = self.values[0], self.change
        try:
            return 100 * change / abs(first) if change is not None and first else None
        except OverflowError:
            return None

    @property
    def verdict(self) -> str:
        """equal, better, worse, or "" where it is not known what is better, or a run does not have the metric."""
        first, last = self.values[0], self.values[-1]
        if self.equal:
            return "equal"
        if first is None or last is None or not self.goal.best:
            return ""
        if is_nan(first) or is_nan(last):
            return "better" if is_nan(first) else "worse"
        return "better" if self.goal.better(last, first) else "worse"

    @property
    def best(self) -> int | None:
        """The place of the best run; None where that is not known, or several are."""
        found = {i: float_of(value) for i, value in enumerate(self.values) if value is not None and not is_nan(value)}
        if not self.goal.best or len(found) < 2:
            return None
        top = (max if self.goal.best == "max" else min)(found.values())
        winners = [i for i, value in found.items() if value == top]
        return winners[0] if len(winners) == 1 else None


def same(one: Any, other: Any) -> bool:
    """Say whether two values are the same: 1 and 1.0 are, 1 and true are not, NaN is itself."""
    if is_number(one) and is_number(other):
        return bool(one == other) or (is_nan(one) and is_nan(other))
    if one is MISSING or other is MISSING:
        return one is other
    if isinstance(one, Dataset):
        return bool(one == other)
    return type(one) is type(other) and canonical.line(one) == canonical.line(other)


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a run read: `key` tells its bytes apart, the sha256 or else the URI; the rest is said beside it."""

    key: str
    sha256: str | None = field(default=None, compare=False)
    uri: str | None = field(default=None, compare=False)
    rows: int | None = field(default=None, compare=False)
    size_bytes: int | None = field(default=None, compare=False)


def rows(sides: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    """Return a row for every name that any side has, by name."""
    names = sorted({name for side in sides for name in side})
    return tuple(Row(name, tuple(side.get(name, MISSING) for side in sides)) for name in names)


def metrics(workspace: Workspace, runs: Sequence[Run]) -> tuple[MetricRow, ...]:
    """Return a row for every metric that any run has.

    The main one is first, then those whose direction is said, guessed, unknown; what validates goes before training.
    """
    main = workspace.settings.text("metric")
    names = {name for run in runs for name in run.summary}
    found = []
    for name in names:
        goal = goals.of(workspace, name)
        found.append(MetricRow(name, goal, tuple(find.value_of(run, name, goal.aggregate) for run in runs)))
    return tuple(sorted(found, key=lambda row: (row.name != main, *_weight(row))))


def _weight(row: MetricRow) -> tuple[bool, bool, bool, str]:
    is_training = not row.name.lower().startswith(("val", "test", "eval"))
    return not row.goal.best, row.goal.why == goals.GUESSED, is_training, row.name


def packages(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return {package: version}, with the commit of one that is a checkout."""
    listed = environment.get("packages")
    found = {}
    for name, package in listed.items() if isinstance(listed, dict) else ():
        if isinstance(package, dict):
            commit = str(package.get("commit") or "")[:7]
            found[str(name)] = str(package.get("version", "")) + (f" ({commit})" if commit else "")
    return found


# What the record calls it, and the words people use; all but Python and the variables belong to the machine.
_PLATFORM = {
    "system": "system",
    "release": "kernel",
    "machine": "architecture",
    "distribution": "distribution",
    "libc": "libc",
}
_MACHINE = {"cpu": "CPU", "cores": "cores", "memory_bytes": "memory"}
PYTHON, VARIABLE = "Python", "$"


def surroundings(run: Run, environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return interpreter, host, machine, GPUs, container and environment variables (`$NAME`) of a run."""
    python, container = _dict(environment, "python"), _dict(environment, "container")
    found: dict[str, Any] = {
        PYTHON: " ".join(str(python[key]) for key in ("implementation", "version") if python.get(key)),
        "host": run.record.host,
        "GPU": _gpus(environment.get("gpus")),
        "CUDA": environment.get("cuda"),
        "driver": environment.get("driver"),
        "container": container.get("digest") or container.get("image"),
    }
    found |= {word: _dict(environment, "platform").get(key) for key, word in _PLATFORM.items()}
    found |= {word: _dict(environment, "machine").get(key) for key, word in _MACHINE.items()}
    found |= {VARIABLE + str(name): value for name, value in _dict(environment, "variables").items()}
    found[PYTHON] = str(found[PYTHON]).removeprefix("CPython ")
    return {name: value for name, value in found.items() if value not in (None, "")}


def _dict(environment: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = environment.get(name)
    return found if isinstance(found, dict) else {}


def _gpus(listed: Any) -> str:
    names = (
        [str(item.get("name", "GPU")) for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    )
    return ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))


def datasets(run: Run) -> dict[str, Dataset]:
    """Return {role or name: dataset} of what a run read."""
    found: dict[str, Dataset] = {}
    for item in dataset.read(run.data):
        name = item.role or item.name
        if name in found:
            name = f"{name} {item.name}"
        key = item.key or item.uri
        found[name] = Dataset(key, item.sha256, item.uri or None, item.rows, item.size_bytes)
    return found
