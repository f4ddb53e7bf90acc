"""What is asked of a plot, what comes of it, and how its runs are told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitexp import ids, text
from gitexp.ops.finding import columns
from gitexp.ops.finding.columns import Chosen
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    from gitexp.index.entry import Entry
    from gitexp.plots.sheet import Drawing

KINDS = ("curve", "scatter", "parallel", "bar", "box", "heatmap", "confusion", "roc", "pr")
_USUAL, _MOST = 3, 5  # params in a label; the most where fewer tell no runs apart


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for; an empty field leaves it to what the runs have.

    `x`, `y`, `colour` and `group_by` are names as the columns of a list take them; of a curve `x` is step, time,
    relative or a metric. `log` names axes: x, y, xy. `stat` is what a cell of a heatmap has: mean or best. `name` is
    that of an evaluation.
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
    """How each run is called in a figure: `of` has the values of what `title` names, `full` both: lr=0.05, depth=4."""

    title: str
    of: dict[str, str]  # run id: label
    full: dict[str, str]


def labels(runs: Sequence[Entry]) -> Labels:
    """Return labels by what differs between the runs; where that does not tell them apart, their names or ids do."""
    names = [text.safe(run.title or run.name) for run in runs]
    params = telling(runs) if len(runs) > 1 else []
    for count in range(min(_USUAL, len(params)), len(params) + 1):
        shown = [_values(run, params[:count]) for run in runs]
        if count and len(set(shown)) == len(runs):
            return _labels(runs, params[:count], shown)
    params = params[:_USUAL]
    if not params or len(set(names)) == len(runs):
        return _labels(runs, (), _apart(runs, names))
    return _labels(runs, params, _apart(runs, [_values(run, params) for run in runs]))


def telling(runs: Sequence[Entry]) -> list[Chosen]:
    """Return the params that differ between runs, fewest values first, words before numbers, seeds last."""
    values = {name: {text.value(run.flat_params.get(name)) for run in runs} for name in columns.differing(runs)}

    def rank(name: str) -> tuple[bool, int, bool, str]:
        is_word = any(isinstance(run.flat_params.get(name), str) for run in runs)
        return name.lower().endswith("seed"), len(values[name]), not is_word, name

    return [Chosen(name) for name in sorted(values, key=rank)[:_MOST]]


def _apart(runs: Sequence[Entry], shown: Sequence[str]) -> list[str]:
    """Return labels with the id where several runs have the same."""
    several = Counter(shown)
    pairs = zip(runs, shown, strict=True)
    return [f"{label} ({ids.short(run.id)})" if several[label] > 1 else label for run, label in pairs]


def _labels(runs: Sequence[Entry], params: Sequence[Chosen], shown: Sequence[str]) -> Labels:
    of = {run.id: label for run, label in zip(runs, shown, strict=True)}
    if not params:
        return Labels("", of, of)
    names = [column.title for column in params]
    full = {
        run.id: ", ".join(f"{name}={_value(run, column)}" for name, column in zip(names, params, strict=True))
        for run in runs
    }
    return Labels(", ".join(names), of, full)


def _value(run: Entry, column: Chosen) -> str:
    item = columns.value(run, column)
    return "-" if item is None else text.rounded(item)


def _values(run: Entry, params: Sequence[Chosen]) -> str:
    return ", ".join(_value(run, column) for column in params)


def natural(value: Any) -> tuple[int, Any]:
    """Return what values are sorted by: numbers, then text, then the rest, what is missing last."""
    from gitexp.ops.finding import group

    return group.rank(value)


def ordered(runs: Sequence[Entry]) -> list[Entry]:
    """Return runs by the values of the params that tell them apart: neighbours in a legend are so in value."""
    params = telling(runs)
    return sorted(runs, key=lambda run: [natural(columns.value(run, column)) for column in params])


def column(workspace: Workspace, runs: Sequence[Entry], name: str, *, first: str = "param") -> Chosen:
    """Return the column of a name or an expression, with its values for these runs; raises NotFound or BadQuery."""
    found = columns.named(workspace, name, first=first)
    return columns.choose(workspace, runs, [name]).columns[0] if found.kind == "expression" else found


def stem(*parts: str) -> str:
    """Return what a file of a figure is called, before its ending: safe everywhere, at most 80 characters."""
    words = "-".join(ids.slug(part) for part in parts if part)
    return f"gitexp-{words}"[:80].rstrip("-.")
