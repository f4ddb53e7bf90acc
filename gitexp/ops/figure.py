"""What is asked of a plot, what comes of it, and how its runs are told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gitexp import ids, text
from gitexp.ops import columns
from gitexp.ops.columns import Chosen
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    from gitexp.index.entry import Entry
    from gitexp.plots.sheet import Drawing

KINDS = ("curve", "scatter", "parallel", "bar", "box", "heatmap", "confusion", "roc", "pr")
_USUAL, _MOST = 3, 5  # params in a label; the most where fewer tell no runs apart


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for; an empty field leaves it to what the runs have.

    `x`, `y`, `colour` and `group_by` are names as the columns of a list take them; `x` of a curve is step, time, relative
    or a metric. `log` names axes: x, y, xy. `stat` is what a cell of a heatmap has: mean or best. `name` is that of an
    evaluation.
    """

    kind: str = "curve"
    metrics: tuple[str, ...] = ()
    x: str = ""
    y: str = ""
    colour: str = ""
    group_by: str = ""
    smooth: float = 0.0
    log: str = ""
    stat: str = "mean"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing, what must be said about it, and what a file of it is called."""

    drawing: Drawing
    stem: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Labels:
    """How each run is called in a figure, and the names of the params that their labels are the values of."""

    title: str
    of: dict[str, str] = field(default_factory=dict)  # run id: label


def labels(runs: Sequence[Entry]) -> Labels:
    """Return labels by what differs between the runs; where that does not tell them apart, their names or ids do."""
    if len(runs) == 1:
        return Labels("", {runs[0].id: text.safe(runs[0].title or runs[0].name)})
    params = [Chosen(name) for name in columns.differing(runs)[:_MOST]]
    for count in range(min(_USUAL, len(params)), len(params) + 1):
        shown = [_values(run, params[:count]) for run in runs] if count else []
        if shown and len(set(shown)) == len(runs):
            return Labels(", ".join(column.title for column in params[:count]), _by_id(runs, shown))
    names = [text.safe(run.title or run.name) for run in runs]
    if len(set(names)) == len(runs):
        return Labels("", _by_id(runs, names))
    params = params[:_USUAL]
    shown = [_values(run, params) for run in runs] if params else names
    several = Counter(shown)
    told = [
        f"{label} ({ids.short(run.id)})" if several[label] > 1 else label
        for run, label in zip(runs, shown, strict=True)
    ]
    return Labels(", ".join(column.title for column in params), _by_id(runs, told))


def _values(run: Entry, params: Sequence[Chosen]) -> str:
    return ", ".join("-" if (item := columns.value(run, column)) is None else text.value(item) for column in params)


def _by_id(runs: Sequence[Entry], shown: Sequence[str]) -> dict[str, str]:
    return {run.id: label for run, label in zip(runs, shown, strict=True)}


def natural(value: Any) -> tuple[int, Any]:
    """Return what values are sorted by: numbers, then text, then the rest, what is missing last."""
    from gitexp.ops import group

    return group.rank(value)


def ordered(runs: Sequence[Entry]) -> list[Entry]:
    """Return runs by the values of the params that differ: neighbours in a legend are neighbours in value."""
    params = [Chosen(name) for name in columns.differing(runs)[:_MOST]]
    return sorted(runs, key=lambda run: [natural(columns.value(run, column)) for column in params])


def column(workspace: Workspace, runs: Sequence[Entry], name: str, *, first: str = "param") -> Chosen:
    """Return the column of a name or an expression, with its values for these runs; raises NotFound or BadQuery."""
    found = columns.named(workspace, name, first=first)
    return columns.choose(workspace, runs, [name]).columns[0] if found.kind == "expression" else found


def stem(*parts: str) -> str:
    """Return what a file of a figure is called, before its ending: safe everywhere, at most 80 characters."""
    words = "-".join(ids.slug(part) for part in parts if part)
    return f"gitexp-{words}"[:80].rstrip("-.")
