"""Which params and metrics a table of runs shows: those that differ and those that matter, and which value is best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitexp import text
from gitexp.errors import NotFound
from gitexp.ops import find, goals
from gitexp.record.summary import is_nan
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

MAX_METRICS, MAX_PARAMS = 3, 5  # of its own accord
AGGREGATES = ("last", "min", "max", "mean", "first")
ALL = "all"
_MAX_VALUE = 40  # characters: a longer value is no column of its own accord


@dataclass(frozen=True, slots=True)
class Chosen:
    """A column: a param, or with an `aggregate` a metric."""

    name: str
    aggregate: str = ""

    @property
    def title(self) -> str:
        """Its heading: lr, val_auc:max, epoch."""
        shown = text.safe(self.name)
        return shown if self.aggregate in ("", "last") else f"{shown}:{self.aggregate}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The columns of a table, metrics first, and how many params and metrics it leaves out."""

    columns: tuple[Chosen, ...]
    hidden_params: int
    hidden_metrics: int


def choose(workspace: Workspace, found: Sequence[Run], wanted: Sequence[str] = ()) -> Choice:
    """Return the columns for some runs: those `wanted` (names, or `all`), else what differs and matters."""
    params = Counter(name for run in found for name in run.flat_params)
    metrics = Counter(name for run in found for name in run.summary)
    if list(wanted) == [ALL]:
        columns = [_metric(workspace, name) for name in _by_weight(workspace, metrics)] + [Chosen(n) for n in params]
    elif wanted:
        columns = [_named(workspace, name, params, metrics) for name in wanted]
    else:
        more = [column for n in workspace.settings.items("columns") if (column := _find(workspace, n, params, metrics))]
        columns = [_metric(workspace, name) for name in _mattering(workspace, metrics)]
        columns += [Chosen(name) for name in _differing(found, params)[:MAX_PARAMS]]
        columns += [column for column in more if column not in columns]
    shown = {(column.name, bool(column.aggregate)) for column in columns}
    return Choice(
        tuple(columns),
        sum((name, False) not in shown for name in params),
        sum((name, True) not in shown for name in metrics),
    )


def value(run: Run, column: Chosen) -> Any:
    """Return what a run has in a column, None for nothing."""
    if column.aggregate:
        return find.value_of(run, column.name, column.aggregate)
    return run.flat_params.get(column.name)


def best(workspace: Workspace, found: Sequence[Run], column: Chosen) -> float | None:
    """Return the best value of a metric's column, None where none is better than another."""
    goal = goals.of(workspace, column.name)
    if not column.aggregate or not goal.best:
        return None
    values: list[int | float] = [item for run in found if (item := value(run, column)) is not None and not is_nan(item)]
    if len(set(values)) < 2:
        return None
    return max(values) if goal.best == "max" else min(values)


def _metric(workspace: Workspace, name: str) -> Chosen:
    return Chosen(name, goals.of(workspace, name).aggregate)


def _by_weight(workspace: Workspace, metrics: Mapping[str, int]) -> list[str]:
    """Return metrics by weight: the main one, those with a direction, validation before training, most runs."""
    main = workspace.settings.text("metric")

    def weight(name: str) -> tuple[bool, bool, bool, int]:
        is_training = not name.lower().startswith(("val", "test", "eval"))
        return name != main, not goals.of(workspace, name).best, is_training, -metrics[name]

    return sorted(metrics, key=weight)


def _mattering(workspace: Workspace, metrics: Mapping[str, int]) -> list[str]:
    """Return the metrics to show: one that is neither better nor worse (an epoch) only where there is little else."""
    ordered = _by_weight(workspace, metrics)
    directed = [name for name in ordered if goals.of(workspace, name).best or name == workspace.settings.text("metric")]
    return directed[:MAX_METRICS] if len(directed) > 1 else ordered[:2]


def _differing(found: Sequence[Run], params: Mapping[str, int]) -> list[str]:
    """Return the params that are not the same in all runs: those of several values first, then those that some lack."""
    several: dict[str, bool] = {}
    for name, count in params.items():
        values = {text.value(run.flat_params[name]) for run in found if name in run.flat_params}
        if (len(values) > 1 or count < len(found)) and all(len(item) <= _MAX_VALUE for item in values):
            several[name] = len(values) > 1
    return sorted(several, key=lambda name: (not several[name], -params[name]))


def _named(workspace: Workspace, name: str, params: Mapping[str, int], metrics: Mapping[str, int]) -> Chosen:
    found = _find(workspace, name, params, metrics)
    if found is None:
        raise NotFound(
            f"no run shown has a param or metric {text.safe(name)!r}",
            hint="see what there is with: gitexp log --columns all",
        )
    return found


def _find(workspace: Workspace, name: str, params: Mapping[str, int], metrics: Mapping[str, int]) -> Chosen | None:
    """Return the column of a name: lr, val_auc, val_auc:last; a metric goes before a param of the same name."""
    metric, _, aggregate = name.rpartition(":")
    if metric in metrics and aggregate in AGGREGATES:
        return Chosen(metric, aggregate)
    if name in metrics:
        return _metric(workspace, name)
    return Chosen(name) if name in params else None
