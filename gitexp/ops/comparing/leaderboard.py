"""A leaderboard: the runs that a project's definition ranks, best first, and those that a floor keeps out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitexp import canonical
from gitexp.errors import BadQuery, NotFound, UsageError
from gitexp.index import compile as compiler
from gitexp.index import database, search
from gitexp.index.database import Index
from gitexp.index.entry import Entry
from gitexp.ops.comparing import boards
from gitexp.ops.comparing.boards import Board, Condition
from gitexp.ops.finding import columns, find, goals, leakage, terms
from gitexp.ops.finding.columns import Chosen
from gitexp.query import nodes
from gitexp.store.workspace import Workspace

DEFAULT_ROWS = 20


@dataclass(frozen=True, slots=True)
class Ranked:
    """A run with its place; runs with equal values share one (1, 1, 3), the earliest first."""

    rank: int
    run: Entry
    value: int | float


@dataclass(frozen=True, slots=True)
class Failing:
    """A run that would be ranked if it met these floors; of each what it has of the values that the floor asks for."""

    run: Entry
    value: int | float
    floors: tuple[tuple[Condition, Mapping[str, Any]], ...]


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """What is to be shown: `total` and `failed_total` count what a limit leaves out too."""

    board: Board
    ranked: tuple[Ranked, ...]
    total: int
    failing: tuple[Failing, ...]
    failing_total: int
    running: int
    without: int  # runs that do not have the metric
    nan: int
    columns: tuple[Chosen, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The index with what a board asks of it."""

    index: Index
    context: compiler.Context
    board: Board

    @property
    def metric(self) -> nodes.Name:
        return nodes.Name("metric", self.board.metric, self.board.aggregate)

    def count(self, *parts: nodes.Node) -> int:
        return search.count(self.index, nodes.All(parts), context=self.context)

    def values(self, what: Sequence[nodes.Value], *parts: nodes.Node) -> list[tuple[Any, ...]]:
        return search.values(self.index, what, nodes.All(parts), context=self.context)

    def best(self, limit: int | None, *parts: nodes.Node) -> list[tuple[Entry, int | float]]:
        """Return the best runs of some with their values; of equal ones the earliest is the first."""
        order = (nodes.Order(self.metric, self.board.goal.best == "max"), nodes.Order(nodes.Field("start")))
        found = search.entries(self.index, nodes.All(parts), order, limit=limit, context=self.context)
        valued = ((run, find.value_of(run, self.board.metric, self.board.aggregate)) for run in found)
        return [(run, value) for run, value in valued if value is not None]


def rank(
    workspace: Workspace, board: Board, *, limit: int | None = DEFAULT_ROWS, wanted: Sequence[str] = ()
) -> Leaderboard:
    """Return a leaderboard with the best `limit` runs (None: all), and the columns `wanted` or the board's."""
    asked = _Asked(database.of(workspace), goals.context(workspace), board)
    _check(asked)
    population = _population(board)
    ended = (*population, *_ended(board))
    numbers = (*ended, nodes.IsMissing(asked.metric, negated=True), nodes.IsNan(asked.metric, negated=True))
    floors = nodes.All(tuple(floor.node for floor in board.floors))
    ranked = tuple(_ranks(asked.best(limit, *numbers, floors)))
    failing = tuple(_failing(asked, asked.best(limit, *numbers, nodes.Not(floors)) if board.floors else []))
    return Leaderboard(
        board=board,
        ranked=ranked,
        total=asked.count(*numbers, floors),
        failing=failing,
        failing_total=asked.count(*numbers, nodes.Not(floors)) if board.floors else 0,
        running=asked.count(*population, _status("running")),
        without=asked.count(*ended, nodes.IsMissing(asked.metric)),
        nan=asked.count(*ended, nodes.IsNan(asked.metric)),
        columns=_columns(workspace, asked, [item.run for item in ranked], wanted or board.columns),
        warnings=tuple(
            _warnings(
                workspace, asked, [run.id for run in (*(item.run for item in ranked), *(item.run for item in failing))]
            )
        ),
    )


def _check(asked: _Asked) -> None:
    """Raise UsageError, with the key of the file, for a condition that asks for what no run can have."""
    if not asked.count():
        return  # of no runs nothing is known yet
    board = asked.board
    for condition in (*([board.where] if board.where else []), *board.floors):
        try:
            compiler.condition(condition.node, asked.index.catalogue, asked.context)
        except BadQuery as error:
            raise boards.placed(board, condition.key, error.within(condition.text)) from None


def _population(board: Board) -> tuple[nodes.Node, ...]:
    """Return the conditions on the runs that a board is about; archived ones only where it asks for them."""
    found: list[nodes.Node] = [nodes.Not(nodes.Truth(nodes.Field("removed")))]
    if board.experiment:
        below = nodes.Literal(f"{board.experiment}/*")
        found.append(nodes.In(nodes.Field("experiment"), (nodes.Literal(board.experiment), below)))
    if "archived" not in _fields(board):
        found.append(nodes.Not(nodes.Truth(nodes.Field("archived"))))
    return (*found, *([board.where.node] if board.where else []))


def _ended(board: Board) -> tuple[nodes.Node, ...]:
    """Return what keeps out runs still running, and those that did not complete unless the board asks for a status."""
    return (nodes.Not(_status("running")) if "status" in _fields(board) else _status("completed"),)


def _fields(board: Board) -> set[str]:
    asked = terms.mentioned(board.where.node) if board.where else ()
    return {item.name for item in asked if isinstance(item, nodes.Field)}


def _status(word: str) -> nodes.Node:
    return nodes.Compare("=", nodes.Field("status"), nodes.Literal(word))


def _ranks(found: Sequence[tuple[Entry, int | float]]) -> Iterator[Ranked]:
    rank = 0
    for place, (run, value) in enumerate(found, 1):
        if place == 1 or value != found[place - 2][1]:
            rank = place
        yield Ranked(rank, run, value)


def _failing(asked: _Asked, found: Sequence[tuple[Entry, int | float]]) -> Iterator[Failing]:
    """Yield the runs that a floor keeps out, with the floors that do."""
    these = _among([run.id for run, _ in found])
    kept: dict[str, list[tuple[Condition, dict[str, Any]]]] = {run.id: [] for run, _ in found}
    for floor in asked.board.floors if found else ():
        meeting = {run_id for (run_id,) in asked.values([nodes.Field("id")], these, floor.node)}
        for run_id, values in terms.held(asked.index, floor.node, these, asked.context).items():
            if run_id not in meeting:
                kept[run_id].append((floor, values))
    for run, value in found:
        yield Failing(run, value, tuple(kept[run.id]))


def _among(run_ids: Collection[str]) -> nodes.Node:
    return nodes.In(nodes.Field("id"), tuple(nodes.Literal(run_id) for run_id in run_ids))


def _columns(workspace: Workspace, asked: _Asked, found: Sequence[Entry], wanted: Sequence[str]) -> tuple[Chosen, ...]:
    """Return the columns: what is ranked by, what the floors ask for, and those wanted, else the params that differ."""
    board = asked.board
    first = [columns.metric(workspace, board.metric, board.aggregate)]
    for name in terms.metrics(asked.index, tuple(floor.node for floor in board.floors)):
        first.append(columns.metric(workspace, name.name, name.aggregate))
    try:
        more = columns.choose(workspace, found, wanted).columns if found else ()
    except (NotFound, UsageError) as error:
        raise boards.placed(board, "columns", error) if wanted is board.columns else error from None
    kept = [column for column in more if wanted or column.kind == "param"]
    return tuple(dict.fromkeys([*first, *kept]))


def _warnings(workspace: Workspace, asked: _Asked, run_ids: Collection[str]) -> Iterator[str]:
    """Yield a warning for each test metric that has decided too often."""
    board = asked.board
    conditions = tuple(item.node for item in (*([board.where] if board.where else []), *board.floors))
    names = [board.metric, *(item.name for item in terms.metrics(asked.index, conditions))]
    for name in dict.fromkeys(names):
        if line := leakage.used(workspace, name, f"leaderboard {board.name}", run_ids):
            yield line


def describe(found: Leaderboard) -> dict[str, Any]:
    """Return the JSON of a leaderboard (docs/scripting.md)."""
    return {
        **_definition(found.board),
        "total": found.total,
        "ranking": [
            {"rank": item.rank, "value": item.value, "run": _run(item.run), "columns": _cells(found, item.run)}
            for item in found.ranked
        ],
        "failing": [
            {"value": item.value, "run": _run(item.run), "floors": [_floor(*floor) for floor in item.floors]}
            for item in found.failing
        ],
        "failing_total": found.failing_total,
        "running": found.running,
        "without": found.without,
        "nan": found.nan,
        "warnings": list(found.warnings),
    }


def _cells(found: Leaderboard, run: Entry) -> dict[str, Any]:
    return {column.title: columns.value(run, column) for column in found.columns}


def _floor(condition: Condition, values: Mapping[str, Any]) -> dict[str, Any]:
    return {"condition": condition.text, "values": dict(values)}


def _run(run: Entry) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "title": run.title,
        "experiment": run.experiment,
        "status": run.status,
        "start": canonical.iso(run.start_ms),
        "user": {"name": run.author, "email": run.email},
        "ref": run.ref,
        "commit": run.commit,
        "code": {"commit": run.code_commit, "dirty": run.dirty},
    }


def listing(workspace: Workspace) -> list[dict[str, Any]]:
    """Return the JSON of the leaderboards that there are."""
    return [_definition(boards.get(workspace, name)) for name in boards.names(workspace)]


def _definition(board: Board) -> dict[str, Any]:
    return {
        "name": board.name,
        "metric": board.metric,
        "aggregate": board.aggregate,
        "goal": board.goal.best,
        "goal_from": board.goal.why,
        "experiment": board.experiment or None,
        "where": board.where.text if board.where else None,
        "floors": [floor.text for floor in board.floors],
    }
