"""Plots of runs: which runs, and which figure of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gitexp import ids, text
from gitexp.errors import Damaged, NotFound, UsageError
from gitexp.index import database, search
from gitexp.ops.finding import find, listing
from gitexp.ops.finding.listing import Query
from gitexp.ops.plots import evaluations, figure, tabular, traces
from gitexp.ops.plots.figure import Figure, Request
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    from gitexp.index.entry import Entry

MAX_CURVES = 100
CURVES = 20  # runs whose curves are drawn where nobody says how many
_ORDERED = 1000  # runs that are put into the order of their params; more have no legend
_TABLES = ("scatter", "parallel", "bar", "box", "heatmap")


def choose(workspace: Workspace, names: Sequence[str], query: Query) -> list[Entry]:
    """Return the runs that are named, in this order; else those of the query, by the params that differ.

    Raises NotFound where there is none.
    """
    if names:
        if query.where or query.experiment:
            raise UsageError("runs are named, and asked for", hint="name runs, or ask for them with -e and --where")
        return [_entry(workspace, run) for run in find.many(workspace, names)][: query.limit]
    listed = listing.entries(workspace, query)
    if not listed:
        where = f" where {query.where}" if query.where else ""
        raise NotFound(f"there are no runs to plot{where}", hint="list the runs with: gitexp log --all")
    return figure.ordered(listed) if len(listed) <= _ORDERED else listed


def _entry(workspace: Workspace, run: Run) -> Entry:
    found = search.get(database.of(workspace), run.id)
    if found is None:
        raise NotFound(f"run {ids.short(run.id)} has no ref any more", hint="list the runs with: gitexp log --all")
    return found


def gather(workspace: Workspace, runs: Sequence[Entry], request: Request) -> Figure:
    """Return the figure that is asked for of some runs; those whose record does not parse are left out, and said."""
    if request.kind not in figure.KINDS:
        raise UsageError(f"no kind of plot {request.kind!r}", hint="one of: " + ", ".join(figure.KINDS))
    whole = [run for run in runs if run.damaged is None]
    notes = [f"{text.safe(run.name)} is left out: {run.damaged}" for run in runs if run.damaged is not None]
    if not whole:
        raise Damaged(f"no record of these runs parses: {notes[0]}", hint="gitexp fsck")
    found = _gather(workspace, whole, request)
    return replace(found, notes=(*notes, *found.notes))


def _gather(workspace: Workspace, runs: Sequence[Entry], request: Request) -> Figure:
    if request.kind in _TABLES:
        return tabular.gather(workspace, runs, request)
    if request.kind != "curve":
        return evaluations.gather(workspace, runs, request)
    if len(runs) > MAX_CURVES and not request.group_by:
        raise UsageError(
            f"{text.plural(len(runs), 'run')} are too many curves to tell apart",
            hint=f"-n {CURVES}; or the mean of groups: --group-by params.model",
        )
    return traces.gather(workspace, runs, request)


def describe(found: Figure) -> dict[str, Any]:
    """Return the JSON of a figure: the data that is drawn, and what was said of it."""
    return {**found.drawing.to_json(), "notes": list(found.notes)}
