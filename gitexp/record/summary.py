"""What a list shows of a metric: last, min, max, mean … (docs/format.md, "summary.json")."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitexp import canonical
from gitexp.errors import Damaged
from gitexp.record.points import Point


class Aggregate:
    """One metric's summary; grows point by point.

    `last` is the value at the highest step (among equals the latest time, then the last logged); `min`, `max` and
    `mean` leave NaN out and are NaN where nothing else was logged; `set` is what the user said instead, or None.
    """

    __slots__ = (
        "count", "first", "first_step", "last", "last_step", "last_time_ms", "max", "max_step",
        "min", "min_step", "numbers", "set", "total",
    )  # fmt: skip

    def __init__(self) -> None:
        self.count = self.numbers = 0
        self.first: int | float = math.nan
        self.last: int | float = math.nan
        self.min: int | float = math.nan
        self.max: int | float = math.nan
        self.total: int | float = 0.0
        self.first_step = self.last_step = self.min_step = self.max_step = 0
        self.last_time_ms = 0
        self.set: int | float | None = None

    def add(self, step: int, time_ms: int, value: int | float) -> None:
        """Take one more point in."""
        if not self.count:
            self.first, self.first_step = value, step
            self.last, self.last_step, self.last_time_ms = value, step, time_ms
        elif step > self.last_step or (step == self.last_step and time_ms >= self.last_time_ms):
            self.last, self.last_step, self.last_time_ms = value, step, time_ms
        self.count += 1
        if value != value:
            return
        if not self.numbers:
            self.min = self.max = value
            self.min_step = self.max_step = step
        elif value < self.min:
            self.min, self.min_step = value, step
        elif value > self.max:
            self.max, self.max_step = value, step
        self.numbers += 1
        try:
            self.total += value
        except OverflowError:  # an integer that no float can hold
            self.total = math.inf if value > 0 else -math.inf

    def add_many(self, steps: Sequence[int], times_ms: Sequence[int], values: Sequence[int | float]) -> None:
        """Take many points in, as `add` would one by one (but for the rounding of the mean), at the speed of C."""
        try:
            total = math.fsum(values)
        except (OverflowError, ValueError):  # integers that no float can hold; inf and -inf
            total = math.nan
        in_order = steps[-1] == max(steps) and times_ms[-1] == max(times_ms)
        if not self.numbers or not in_order or not math.isfinite(total):
            for step, time_ms, value in zip(steps, times_ms, values, strict=True):
                self.add(step, time_ms, value)
            return
        if steps[-1] > self.last_step or (steps[-1] == self.last_step and times_ms[-1] >= self.last_time_ms):
            self.last, self.last_step, self.last_time_ms = values[-1], steps[-1], times_ms[-1]
        low, high = min(values), max(values)
        if low < self.min:
            self.min, self.min_step = low, steps[values.index(low)]
        if high > self.max:
            self.max, self.max_step = high, steps[values.index(high)]
        self.count += len(values)
        self.numbers += len(values)
        self.total += total

    def join(self, other: Aggregate) -> None:
        """Add what comes after it, as if its points were added one by one; NaN among those that were read is lost."""
        if not self.count:
            self.first, self.first_step = other.first, other.first_step
        if not self.count or (other.last_step, other.last_time_ms) >= (self.last_step, self.last_time_ms):
            self.last, self.last_step, self.last_time_ms = other.last, other.last_step, other.last_time_ms
        if other.numbers and (not self.numbers or other.min < self.min):
            self.min, self.min_step = other.min, other.min_step
        if other.numbers and (not self.numbers or other.max > self.max):
            self.max, self.max_step = other.max, other.max_step
        self.count += other.count
        self.numbers += other.numbers
        self.total += other.total

    def weighed(self) -> Aggregate:
        """Return one that was read as one to which more can be added: its mean counts as often as it has points."""
        new = Aggregate()
        for key in Aggregate.__slots__:
            setattr(new, key, getattr(self, key))
        if self.numbers == 1 and self.count > 1:
            new.numbers, new.total = self.count, self.mean * self.count
        return new

    @property
    def mean(self) -> float:
        """The arithmetic mean of all values but NaN."""
        if self.numbers == 1:
            return self.total  # also a whole number that no float can hold
        return self.total / self.numbers if self.numbers else math.nan

    @property
    def value(self) -> int | float:
        """What stands for the metric where one number is wanted: what the user set, else `last`."""
        return self.last if self.set is None else self.set

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Aggregate) and canonical.line(self.to_json()) == canonical.line(other.to_json())

    __hash__ = None  # type: ignore[assignment]  # it changes as it grows

    def __repr__(self) -> str:
        return f"Aggregate(last={self.last!r}, min={self.min!r}, max={self.max!r}, count={self.count})"

    def to_json(self) -> dict[str, Any]:
        """Return the object that stands in summary.json."""
        found: dict[str, Any] = {} if self.set is None else {"set": self.set}
        if not self.count:
            return {**found, "count": 0}
        found |= {"count": self.count, "first": self.first, "last": self.last}
        found |= {"first_step": self.first_step, "last_step": self.last_step}
        if self.numbers:
            found |= {"min": self.min, "max": self.max, "mean": self.mean}
            found |= {"min_step": self.min_step, "max_step": self.max_step}
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Aggregate:
        """Read one metric's object; raises ValueError. Nothing may be added to what was read."""
        new = cls()
        new.count = int(value.get("count", 0))
        new.set = canonical.number(value["set"]) if "set" in value else None
        new.first, new.last, new.min, new.max = (
            canonical.number(value.get(key, "NaN")) for key in ("first", "last", "min", "max")
        )
        new.first_step, new.last_step, new.min_step, new.max_step = (
            int(value.get(key, 0)) for key in ("first_step", "last_step", "min_step", "max_step")
        )
        if "mean" in value:
            new.numbers, new.total = 1, float(canonical.number(value["mean"]))
        if new.set is not None and not new.count:
            new.first = new.last = new.min = new.max = new.set
        return new


def of(points: Iterable[Point]) -> dict[str, Aggregate]:
    """Return {metric: Aggregate} in the order in which the metrics first appear."""
    found: dict[str, Aggregate] = {}
    for metric, step, time_ms, value in points:
        aggregate = found.get(metric)
        if aggregate is None:
            aggregate = found[metric] = Aggregate()
        aggregate.add(step, time_ms, value)
    return found


def take(summary: dict[str, Aggregate], rows: Iterable[tuple[str, int, int, int | float]]) -> None:
    """Take many points (metric, step, time in ms, value) into their aggregates."""
    by_metric: dict[str, tuple[list[int], list[int], list[int | float]]] = {}
    for metric, step, time_ms, value in rows:
        lists = by_metric.get(metric)
        if lists is None:
            lists = by_metric[metric] = ([], [], [])
        lists[0].append(step)
        lists[1].append(time_ms)
        lists[2].append(value)
    for metric, (steps, times, values) in by_metric.items():
        aggregate = summary.get(metric)
        if aggregate is None:
            aggregate = summary[metric] = Aggregate()
        aggregate.add_many(steps, times, values)


def encode(summary: Mapping[str, Aggregate]) -> bytes:
    """Return summary.json."""
    return canonical.dumps({name: aggregate.to_json() for name, aggregate in summary.items()})


def decode(data: bytes) -> dict[str, Aggregate]:
    """Return {metric: Aggregate} of a summary.json; raises Damaged."""
    try:
        value = canonical.loads(data)
        return {name: Aggregate.from_json(item) for name, item in value.items()}
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise Damaged(f"summary.json does not parse: {error}", hint="gitexp fsck") from error
