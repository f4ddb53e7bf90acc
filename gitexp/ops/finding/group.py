"""Runs in groups (`log --group-by params.model`): how many, mean ± std of each metric, and the best run of each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from gitexp import text
from gitexp.errors import UsageError
from gitexp.index import search, values
from gitexp.ops.finding import columns, goals
from gitexp.ops.finding.columns import Chosen
from gitexp.query import nodes
from gitexp.record.numbers import float_of, is_nan, is_number
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    from gitexp.ops.finding.listing import Selection

_MAX_METRICS = 3  # of its own accord
_LOOKED_AT = 50  # runs whose metrics are looked at for those that matter


@dataclass(slots=True)
class Stat:
    """One metric over the runs of a group; `count` are its numbers, infinite ones too, `nan` what is none."""

    best_is: str  # "max", "min" or "": no value is better than another
    count: int = 0
    nan: int = 0
    best: int | float | None = None
    best_id: str = ""
    _finite: int = 0
    _mean: float = 0.0
    _squares: float = 0.0
    _infinite: float = 0.0  # the sum of the infinite ones: NaN where both signs meet

    def add(self, run_id: str, value: int | float) -> None:
        """Take one run's value in; of equal ones the first stays the best."""
        if is_nan(value):
            self.nan += 1
            return
        self.count += 1
        is_better = self.best is None or (value > self.best if self.best_is == "max" else value < self.best)
        if self.best_is and is_better:
            self.best, self.best_id = value, run_id
        self._sum(float_of(value))

    def _sum(self, number: float) -> None:
        if math.isinf(number):
            self._infinite += number
            return
        # Welford's method: a sum of squares would lose the small differences of large values.
        self._finite += 1
        before = number - self._mean
        self._mean += before / self._finite
        self._squares += before * (number - self._mean)

    @property
    def mean(self) -> float | None:
        """The mean of the numbers, None without any."""
        if not self.count:
            return None
        return self._mean if self._finite == self.count else self._infinite

    @property
    def std(self) -> float | None:
        """The standard deviation of a sample (n - 1), None for fewer than two numbers, NaN with an infinite one."""
        if self.count < 2:
            return None
        return math.sqrt(self._squares / (self.count - 1)) if self._finite == self.count else math.nan

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of it (docs/scripting.md)."""
        found = {"count": self.count, "nan": self.nan, "mean": self.mean, "std": self.std}
        return {**found, "best": self.best, "best_run": self.best_id or None}


@dataclass(frozen=True, slots=True)
class Group:
    """The runs that share their values (None: they have none), and what each metric comes to."""

    key: tuple[Any, ...]
    runs: int
    stats: tuple[Stat, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Groups of runs, by these columns, with these metrics."""

    by: tuple[Chosen, ...]
    metrics: tuple[Chosen, ...]
    groups: tuple[Group, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of it (docs/scripting.md)."""
        return {
            "by": [column.name for column in self.by],
            "groups": [
                {
                    "key": {column.name: item for column, item in zip(self.by, group.key, strict=True)},
                    "runs": group.runs,
                    "metrics": {
                        column.name: {"aggregate": column.aggregate, **stat.to_json()}
                        for column, stat in zip(self.metrics, group.stats, strict=True)
                    },
                }
                for group in self.groups
            ],
        }


def collect(workspace: Workspace, chosen: Selection, by: Sequence[str], wanted: Sequence[str] = ()) -> Grouping:
    """Return the runs of a selection in groups, by params, tags or expressions.

    Their metrics are those `wanted`, those that the selection is sorted by, else those that matter.
    """
    keys = tuple(columns.named(workspace, name, first="param") for name in by)
    metrics = _metrics(workspace, chosen, wanted)
    what = [nodes.Field("id"), *map(columns.node, (*keys, *metrics))]
    rows = search.values(chosen.index, what, chosen.wanted, context=chosen.context)
    decoded = ([row[0], *map(values.decode, row[1:])] for row in rows)
    groups = fold(decoded, len(keys), [goals.of(workspace, column.name).best for column in metrics])
    return Grouping(keys, metrics, tuple(_ordered(groups, keys, metrics, chosen.order)))


def _metrics(workspace: Workspace, chosen: Selection, wanted: Sequence[str]) -> tuple[Chosen, ...]:
    """Return the metrics to show: those asked for, sorted by, or else that matter in the newest runs."""
    asked = [columns.named(workspace, name) for name in wanted]
    for column in asked:
        if column.kind != "metric":
            raise UsageError(
                f"{column.title!r} is no metric: groups have means of metrics", hint="--columns val_auc,loss"
            )
    sorted_by = columns.mentioned(workspace, [order.value for order in chosen.order])
    ranked = [column for column in sorted_by if column.kind == "metric"]
    newest = () if asked else search.entries(chosen.index, chosen.wanted, limit=_LOOKED_AT, context=chosen.context)
    shown = (column for column in columns.choose(workspace, newest).columns if column.kind == "metric")
    return tuple(dict.fromkeys((*ranked, *asked, *shown)))[: max(len(asked) + len(ranked), _MAX_METRICS)]


def _ordered(
    groups: list[Group], keys: Sequence[Chosen], metrics: Sequence[Chosen], order: Sequence[nodes.Order]
) -> list[Group]:
    """Return groups as they were asked for: by the mean of a metric or by what they are grouped by."""
    for item in reversed(order):
        at = _place(item.value, (*keys, *metrics))
        groups = sorted(groups, key=partial(_rank_of, at=at, width=len(keys)), reverse=item.descending)
        groups.sort(key=lambda group: _rank_of(group, at, len(keys))[0])  # what is missing is last either way
    return groups


def _place(value: nodes.Value, shown: Sequence[Chosen]) -> int:
    for at, column in enumerate(shown):
        if isinstance(value, nodes.Name) and value.name == column.name and value.kind in ("", column.kind):
            return at
    raise UsageError(
        "--sort with --group-by takes what the runs are grouped by, and metrics", hint="--sort -metrics.val_auc"
    )


def _rank_of(group: Group, at: int, width: int) -> tuple[int, Any]:
    return rank(group.key[at]) if at < width else rank(group.stats[at - width].mean)


def fold(rows: Iterable[Sequence[Any]], width: int, directions: Sequence[str]) -> list[Group]:
    """Return the groups of rows (run id, `width` values to group by, a value of each metric or None), by their keys.

    A metric's direction is "max", "min" or "". Numbers that are equal are one group (1 and 1.0), text is another.
    """
    found: dict[tuple[Any, ...], tuple[tuple[Any, ...], list[Stat]]] = {}
    counts: dict[tuple[Any, ...], int] = {}
    for run_id, *items in rows:
        key = tuple(rank(item) for item in items[:width])
        if key not in found:
            found[key] = (tuple(items[:width]), [Stat(best_is) for best_is in directions])
        counts[key] = counts.get(key, 0) + 1
        for stat, value in zip(found[key][1], items[width:], strict=True):
            if is_number(value):
                stat.add(run_id, value)
    return [Group(found[key][0], counts[key], tuple(found[key][1])) for key in sorted(found)]


def rank(value: Any) -> tuple[int, Any]:
    """Return what a value is sorted and told apart by: numbers, then text, then the rest, what is missing last."""
    if value is None:
        return 3, 0
    if isinstance(value, str):
        return 1, value
    if is_number(value) and not is_nan(value):
        return 0, value
    return 2, text.value(value)
