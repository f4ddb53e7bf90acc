"""The curves of a page: which metrics, and their histories thinned so that the page stays small."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from gitexp import text
from gitexp.errors import Damaged
from gitexp.ops.finding import goals
from gitexp.pages import parts
from gitexp.plots import thin
from gitexp.record.numbers import float_of
from gitexp.store import series as histories
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

MAX_CHARTS = 24  # of its own accord; more by --metric
POINTS = 200_000  # of a whole page: about 4 MB
_FEWEST, _MOST = 25, 1000  # columns a curve is thinned to; up to four points lie in each


@dataclass(frozen=True, slots=True)
class Curves:
    """The charts of a page, and what of the metrics is not there."""

    charts: tuple[parts.Chart, ...]
    left_out: tuple[str, ...]


def gather(workspace: Workspace, runs: Sequence[Run], wanted: Sequence[str] = (), first: str = "") -> Curves:
    """Return the curves of the metrics `wanted` (names or globs), else of those that matter most; `first` goes first.

    A metric of which no run has two points is a number, not a curve. A run whose history cannot be read is said.
    """
    names, left_out = _names(workspace, runs, wanted, first)
    pairs = sum(name in run.summary for run in runs for name in names)
    columns = min(max(POINTS // (4 * max(pairs, 1)), _FEWEST), _MOST)
    found: dict[str, list[parts.Series]] = {name: [] for name in names}
    gaps = dict.fromkeys(names, 0)
    thinned = False
    for place, run in enumerate(runs):
        try:
            known = histories.read(run, frozenset(names) & run.summary.keys()) if names else {}
        except Damaged as error:
            left_out.append(f"no curves of {text.safe(run.name)}: {error.message}")
            continue
        for name, history in known.items():
            series, strange, fewer = _series(place, run, history, columns)
            found[name].append(series)
            gaps[name] += strange
            thinned = thinned or fewer
    if thinned:
        left_out.append("Long curves are thinned: every peak and trough is there, not every point between.")
    charts = tuple(_chart(workspace, name, found[name], gaps[name]) for name in names if found[name])
    return Curves(charts, tuple(left_out))


def by_weight(workspace: Workspace, names: Collection[str]) -> list[str]:
    """Return metrics by weight: the main one, those with a direction, validation before training, then by name."""
    main = workspace.settings.text("metric")

    def weight(name: str) -> tuple[bool, bool, bool, str]:
        is_training = not name.lower().startswith(("val", "test", "eval"))
        return name != main, not goals.of(workspace, name).best, is_training, name

    return sorted(names, key=weight)


def _names(workspace: Workspace, runs: Sequence[Run], wanted: Sequence[str], first: str) -> tuple[list[str], list[str]]:
    known = {name for run in runs for name, aggregate in run.summary.items() if aggregate.count > 1}
    ordered = sorted(by_weight(workspace, known), key=lambda name: name != first)
    if wanted:
        return [name for name in ordered if any(fnmatchcase(name, glob) for glob in wanted)], []
    more = len(ordered) - MAX_CHARTS
    said = [f"{text.plural(more, 'metric')} more: choose with --metric 'val_*'"] if more > 0 else []
    return ordered[:MAX_CHARTS], said


def _series(place: int, run: Run, history: histories.Series, columns: int) -> tuple[parts.Series, int, bool]:
    """Return a thinned curve by rising step, how many of its values are not finite, and whether it was thinned."""
    import numpy as np

    steps, values = _finite(history.steps), history.values
    order = np.lexsort((history.times_ms, steps))
    kept = order[thin.keep(steps[order], values[order], columns)]
    strange = int(np.count_nonzero(~np.isfinite(values)))
    seconds = (history.times_ms[kept] - run.record.start_ms) / 1000
    shown = [value if ok else None for value, ok in zip(values[kept].tolist(), np.isfinite(values[kept]), strict=True)]
    return parts.Series(place, steps[kept].tolist(), seconds.tolist(), shown), strange, len(kept) < len(order)


def _finite(steps: Any) -> Any:
    """Return steps as finite floats; those beyond all floats are as far out as floats go."""
    import numpy as np

    if steps.dtype == object:
        steps = np.array([float_of(step) for step in steps.tolist()])
    return np.clip(steps.astype(np.float64), -sys.float_info.max, sys.float_info.max)


def _chart(workspace: Workspace, name: str, series: Sequence[parts.Series], gaps: int) -> parts.Chart:
    goal = goals.of(workspace, name)
    said = [f"{'higher' if goal.best == 'max' else 'lower'} is better"] if goal.best else []
    said += [f"{text.plural(gaps, 'value')} not finite"] if gaps else []
    return parts.Chart(name, ", ".join(said), tuple(series), goal.best)
