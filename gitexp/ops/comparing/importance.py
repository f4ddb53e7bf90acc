"""Which params matter for a metric over the runs of an experiment, where there are enough runs to tell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median
from typing import Any

from gitexp import text
from gitexp.errors import NotFound
from gitexp.index import values
from gitexp.index.entry import Entry
from gitexp.ops.comparing import aliases, difference, influence
from gitexp.ops.comparing.difference import MISSING, Row
from gitexp.ops.finding import find, goals, listing
from gitexp.ops.finding.goals import Goal
from gitexp.ops.finding.listing import Query
from gitexp.record.numbers import float_of, is_nan, is_number
from gitexp.store.workspace import Workspace

MIN_RUNS, RUNS_A_PARAM = 20, 4
# On made-up runs (a param with a peak, one half as strong, noise, others without effect) the strongest param was named
# in at least nine cases of ten from there on; with half as many runs it was chance.
MAX_RUNS = 1000  # the newest; more take longer and tell no more
_CLEAR, _TIED, _ONE = 0.3, 0.9, 0.9999  # rank correlations
_SLIGHT = 0.02  # a share about which nothing is said
_WITHOUT = "without it"
CAVEAT = "This is association over these runs, not proof of cause: change one param and rerun to know."


@dataclass(frozen=True, slots=True)
class Column:
    """A param over the runs: `codes` are its numbers, or the places of its texts in `levels`; NaN where it is missing.

    `names` are the params that always change together with it, itself first.
    """

    names: tuple[str, ...]
    codes: tuple[float, ...]
    levels: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """The param, or the params that are one."""
        return ", ".join(self.names)


@dataclass(frozen=True, slots=True)
class Param:
    """How much a param matters: its share, the rank correlation (None of texts), and where the best runs lie."""

    names: tuple[str, ...]
    share: float
    correlation: float | None
    best: str


@dataclass(frozen=True, slots=True)
class Importance:
    """What matters for a metric. `why` says why nothing can be told; then `params` is empty."""

    metric: str
    goal: Goal
    title: str
    runs: tuple[str, ...]
    without: int  # runs that have no number for the metric
    cut: bool = False  # there are more runs: these are the newest
    params: tuple[Param, ...] = ()
    explained: float | None = None
    constant: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()  # another text in nearly every run: a path, a name
    close: tuple[tuple[str, str], ...] = ()  # hardly apart: their shares may be swapped
    why: str = ""


def measure(workspace: Workspace, metric: str, query: Query) -> Importance:
    """Return what matters for a metric (its value in lists, or `loss:last`) over the completed runs of a query."""
    asked = replace(query, status="completed", limit=MAX_RUNS + 1)
    chosen = listing.selection(workspace, asked)
    entries = list(listing.stream(chosen))
    cut, entries = len(entries) > MAX_RUNS, entries[:MAX_RUNS]
    name, aggregate = goals.split(metric)
    goal = goals.of(workspace, name)
    if aggregate:
        goal = replace(goal, summary=aggregate)
    known = [(entry, value) for entry in entries if (value := _number(entry, name, goal.aggregate)) is not None]
    if entries and not known:
        raise NotFound(f"no completed run here has the metric {text.safe(name)!r}", hint="gitexp log --columns all")
    found = Importance(
        name, goal, listing.title(chosen), tuple(entry.id for entry, _ in known),
        len(entries) - len(known), cut,
    )  # fmt: skip
    return _measured(workspace, found, [entry for entry, _ in known], [value for _, value in known])


def _number(entry: Entry, metric: str, aggregate: str) -> float | None:
    value = find.value_of(entry, metric, aggregate)
    return None if value is None or is_nan(value) else float_of(value)


def _measured(workspace: Workspace, found: Importance, runs: Sequence[Entry], output: Sequence[float]) -> Importance:
    rows = aliases.merge(difference.rows([run.flat_params for run in runs]), aliases.groups(workspace))
    constant = [row.name for row in rows if row.equal]
    varying = [_column(row) for row in rows if not row.equal]
    unique = [column.name for column in varying if len(column.levels) > len(runs) / 2]
    columns = list(_together([column for column in varying if column.name not in unique]))
    found = replace(found, constant=tuple(constant), unique=tuple(unique))
    if why := _too_little(len(runs), len(columns), len(set(output))):
        return replace(found, why=why)
    measured = influence.measure({column.name: column.codes for column in columns}, output)
    if measured.explained < chance(len(runs)):
        why = f"the params do not tell which of these {len(runs)} runs are better: chance, or something not recorded"
        return replace(found, why=why, explained=measured.explained)
    params = [_param(column, measured.shares[column.name], output, found.goal) for column in columns]
    params.sort(key=lambda param: (-param.share, param.names))
    close = _close([column for column in columns if measured.shares[column.name] >= _SLIGHT])
    return replace(found, params=tuple(params), explained=measured.explained, close=tuple(close))


def chance(runs: int) -> float:
    """Return how much of the order of unseen runs params without any effect seem to explain, in one case of twenty."""
    return 1 / math.sqrt(runs)  # above what made-up runs of 3 and 6 params came to


def _too_little(runs: int, params: int, outcomes: int) -> str:
    """Return why these runs cannot tell, "" where they can."""
    if not runs:
        return "no completed run matches"
    if not params:
        return "there is one completed run" if runs == 1 else f"no param differs between these {runs} runs"
    if outcomes < 2:
        return f"the metric is the same in all of these {runs} runs"
    wanted = max(MIN_RUNS, RUNS_A_PARAM * params)
    if runs < wanted:
        differ = "1 param that differs" if params == 1 else f"{params} params that differ"
        return f"{text.plural(runs, 'completed run')} cannot tell for {differ}: it takes {wanted} ({_BOUND})"
    return ""


_BOUND = f"{MIN_RUNS}, and {RUNS_A_PARAM} a param; with fewer, chance looks like a finding"


def _column(row: Row) -> Column:
    """Return a param as numbers: as they are, also where they were logged as text, else the places of its texts."""
    numbers = [_spelled(value) for value in row.values]
    if all(number is not None or value is MISSING for number, value in zip(numbers, row.values, strict=True)):
        codes = tuple(math.nan if number is None else number for number in numbers)
        return Column((row.name,), codes, values=row.values)
    texts = [None if value is MISSING else text.value(value) for value in row.values]
    levels = tuple(sorted({item for item in texts if item is not None}))
    places = {level: float(place) for place, level in enumerate(levels)}
    codes = tuple(math.nan if item is None else places[item] for item in texts)
    return Column((row.name,), codes, levels, row.values)


def _spelled(value: Any) -> float | None:
    """Return the number that a value is, or spells as queries read it; a yes or no is none, nor is NaN."""
    number = values.spelled(value) if isinstance(value, str) else value
    if not is_number(number):
        return None
    found = float_of(number)
    return found if math.isfinite(found) else None


def _together(columns: Sequence[Column]) -> Iterator[Column]:
    """Yield the columns with those that always change together as one: nothing can tell them apart."""
    found: dict[tuple[int, ...], list[Column]] = {}
    for column in columns:
        alike = found.setdefault(_parts(column), [])
        place = next((place for place, other in enumerate(alike) if _is_tied(column, other)), None)
        if place is None:
            alike.append(column)
            continue
        first, other = alike[place], column
        if MISSING in first.values and MISSING not in column.values:  # the one that every run has says more
            first, other = column, first
        alike[place] = replace(first, names=(*first.names, *other.names))
    for alike in found.values():
        yield from alike


def _parts(column: Column) -> tuple[int, ...]:
    """Return how a param parts the runs: the same number for those that have the same value."""
    seen: dict[object, int] = {}
    return tuple(seen.setdefault("-" if math.isnan(code) else code, len(seen)) for code in column.codes)


def _is_tied(one: Column, other: Column) -> bool:
    """Say whether two params that part the runs the same way are one; numbers that hardly repeat must rise together."""
    if len({code for code in one.codes if code == code}) <= len(one.codes) / 2:
        return True
    return not one.levels and not other.levels and abs(influence.correlation(one.codes, other.codes) or 0) > _ONE


def _close(columns: Sequence[Column]) -> Iterator[tuple[str, str]]:
    for one, other in combinations([column for column in columns if not column.levels], 2):
        found = influence.correlation(one.codes, other.codes)
        if found is not None and abs(found) >= _TIED:
            yield one.name, other.name


def _param(column: Column, share: float, output: Sequence[float], goal: Goal) -> Param:
    found = None if column.levels else influence.correlation(column.codes, output)
    return Param(column.names, share, found, _best(column, output, goal) if goal.best else "")


def _best(column: Column, output: Sequence[float], goal: Goal) -> str:
    """Return where the best runs lie: a text, a number of few, or the best third of the numbers, by the median."""
    groups: dict[str, list[float]] = {}
    for label, value in zip(_labels(column), output, strict=True):
        groups.setdefault(label, []).append(value)
    enough = {label: median(reached) for label, reached in groups.items() if len(reached) > 1} or {
        label: median(reached) for label, reached in groups.items()
    }
    return (max if goal.best == "max" else min)(enough, key=lambda label: enough[label])


def _labels(column: Column) -> list[str]:
    """Return for each run the value that a hint names: the text, the number, or from where to where a third goes."""
    shown = {code: text.value(value) for code, value in zip(column.codes, column.values, strict=True) if code == code}
    if column.levels or len(shown) <= 5:
        return [_WITHOUT if code != code else shown[code] for code in column.codes]
    ordered = sorted(code for code in column.codes if code == code)
    thirds = [ordered[place * len(ordered) // 3 : (place + 1) * len(ordered) // 3] for place in range(3)]
    names = [f"{third[0]:.3g} … {third[-1]:.3g}" for third in thirds]
    tops = [third[-1] for third in thirds]
    return [
        _WITHOUT if code != code else names[next(place for place, top in enumerate(tops) if code <= top)]
        for code in column.codes
    ]


def hint(param: Param, goal: Goal) -> str:
    """Return what a param's direction is, in words."""
    if param.share < _SLIGHT:
        return "hardly any effect"
    if param.correlation is not None and abs(param.correlation) >= _CLEAR:
        rises = param.correlation > 0
        sense = ("higher" if rises else "lower") + " with it"
        if goal.best:
            sense = f"{'more' if rises == (goal.best == 'max') else 'less'} is better"
        return f"{sense} (rank correlation {param.correlation:+.2f})"
    return f"best: {param.best}" if param.best else "no one direction"


def describe(found: Importance) -> dict[str, Any]:
    """Return the JSON of what matters (docs/scripting.md)."""
    return {
        "metric": found.metric,
        "aggregate": found.goal.aggregate,
        "goal": found.goal.best or None,
        "goal_from": found.goal.why or None,
        "experiment": found.title,
        "runs": list(found.runs),
        "without": found.without,
        "cut": found.cut,
        "params": [
            {"names": list(item.names), "share": item.share, "correlation": item.correlation, "best": item.best or None}
            for item in found.params
        ],
        "explained": found.explained,
        "constant": list(found.constant),
        "unique": list(found.unique),
        "close": [list(pair) for pair in found.close],
        "why": found.why or None,
    }
