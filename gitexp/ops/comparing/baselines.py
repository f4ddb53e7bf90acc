"""The run that another one is held against: a run by name, or the best one of a commit's or branch's code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitexp import ids, text
from gitexp.errors import Ambiguous, NotFound, UsageError
from gitexp.git import compare, refs
from gitexp.index import database, search, values
from gitexp.ops.finding import find as finding
from gitexp.ops.finding import goals
from gitexp.ops.finding.goals import Goal
from gitexp.query import nodes
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

_COMMITS = 1000  # of the history that are looked at for one with runs


@dataclass(frozen=True, slots=True)
class Baseline:
    """A run, what was asked for, and how the one led to the other ("" where it was named)."""

    run: Run
    given: str
    how: str = ""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A completed run of clean code, with its place in the history (0 is the commit asked for) and its value."""

    id: str
    place: int
    value: int | float
    start_ms: int


def missing(message: str) -> NotFound:
    """Return the error for a baseline that is not there."""
    return NotFound(message, hint="bring the runs with: gitexp fetch   (or let it pass: --allow-missing-baseline)")


def find(workspace: Workspace, name: str, by: tuple[str, str, Goal], *, besides: Run) -> Baseline:
    """Return the run that a name, `@{best:val_auc}`, commit or branch means as a baseline for the run `besides`.

    Of code it is the best completed run, `by` (metric, its value, its direction), without uncommitted edits, of the
    nearest commit of its history that has one. Raises NotFound, Ambiguous, or UsageError for the run itself.
    """
    try:
        run = finding.one(workspace, name)
    except (NotFound, Ambiguous) as error:
        commit = None if name.startswith("@") else refs.resolve(workspace.repo, name)
        if commit is None:
            raise _none(name, error) from None
        return _of_code(workspace, name, commit, by, besides)
    if run.id == besides.id and not name.startswith("@{"):
        raise UsageError(f"the baseline {text.safe(name)!r} is the run itself", hint="name another: --baseline main")
    return Baseline(run, name, "the run itself is the best" if run.id == besides.id else "")


def _none(name: str, error: NotFound | Ambiguous) -> NotFound | Ambiguous:
    if isinstance(error, Ambiguous):
        return error
    nor = "" if name.startswith("@") else ", and no commit or branch of that name here"
    return missing(f"no baseline: {error.message}{nor}")


def _of_code(workspace: Workspace, name: str, commit: str, by: tuple[str, str, Goal], besides: Run) -> Baseline:
    history = compare.history(workspace.repo, commit, _COMMITS)
    found = [item for item in _candidates(workspace, history, by) if item.id != besides.id]
    if not found:
        raise missing(
            f"no baseline: no completed run without uncommitted edits has {text.safe(by[0])!r} for the code of "
            f"{text.safe(name)!r} ({commit[:7]}), or of the commits before it"
        )
    nearest = min(item.place for item in found)
    same = [item for item in found if item.place == nearest]
    best = _best(same, by[2])
    where = history[nearest][:7] + (f", {text.plural(nearest, 'commit')} before {name}" if nearest else f" = {name}")
    how = f"best of {text.plural(len(same), 'run')} of {where}" if len(same) > 1 else f"the run of {where}"
    return Baseline(finding.one(workspace, best.id), name, how)


def _candidates(workspace: Workspace, history: Sequence[str], by: tuple[str, str, Goal]) -> list[_Candidate]:
    metric, places = nodes.Name("metric", by[0], by[1]), {commit: place for place, commit in enumerate(history)}
    wanted = nodes.All((
        nodes.Compare("=", nodes.Field("status"), nodes.Literal("completed")),
        nodes.Not(nodes.Truth(nodes.Field("removed"))),
        nodes.Not(nodes.Truth(nodes.Field("code.dirty"))),
        nodes.IsMissing(metric, negated=True),
        nodes.IsNan(metric, negated=True),
    ))  # fmt: skip
    asked: list[nodes.Value] = [nodes.Field("id"), nodes.Field("code.commit"), metric, nodes.Field("start")]
    found = search.values(database.of(workspace), asked, wanted, context=goals.context(workspace))
    return [
        _Candidate(run, places[code], values.decode(value), start)
        for run, code, value, start in found
        if code in places
    ]


def _best(found: Sequence[_Candidate], goal: Goal) -> _Candidate:
    """Return the best; of equal ones, or where none is better, the newest."""
    sign = {"max": 1, "min": -1, "": 0}[goal.best]
    return max(found, key=lambda item: (sign * item.value, item.start_ms, ids.short(item.id)))
