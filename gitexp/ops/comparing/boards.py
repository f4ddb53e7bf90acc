"""The leaderboards that a project defines: `[leaderboard.NAME]` in gitexp.toml, read and checked key by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from gitexp import text
from gitexp.errors import GitexpError, NotFound, UsageError
from gitexp.ops.finding import goals
from gitexp.ops.finding.goals import Goal
from gitexp.query import nodes, parser
from gitexp.store.config import FILES
from gitexp.store.workspace import Workspace

_TABLE = "leaderboard"
# key: (type in TOML, what it is called, an example to type)
_KEYS: dict[str, tuple[type, str, str]] = {
    "metric": (str, "the name of a metric", '"val_auc"'),
    "direction": (str, '"max" or "min"', '"max"'),
    "where": (str, "a condition", "\"params.model = 'lightgbm'\""),
    "floors": (list, "a list of conditions", '["metrics.val_precision >= 0.8"]'),
    "columns": (list, "a list of names", '["lr", "val_precision"]'),
    "experiment": (str, "the name of an experiment", '"churn"'),
    "limit": (int, "a number above 0", "10"),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as it was written, with the key of the file it stands below, and parsed."""

    key: str
    text: str
    node: nodes.Node


@dataclass(frozen=True, slots=True)
class Board:
    """One leaderboard: which runs it ranks, by which value of which metric, and what a run must hold to be ranked."""

    name: str
    file: str
    metric: str
    aggregate: str
    goal: Goal
    where: Condition | None = None
    floors: tuple[Condition, ...] = ()
    columns: tuple[str, ...] = ()
    experiment: str = ""
    limit: int | None = None

    @property
    def title(self) -> str:
        """The heading of what it ranks by: `val_auc:max`."""
        return f"{self.metric}:{self.aggregate}"


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of the file, and how to speak of a key in it."""

    file: str
    name: str
    values: Mapping[str, Any]

    def key(self, key: str = "") -> str:
        return ".".join([_TABLE, self.name, *([key] if key else [])])

    def error(self, key: str, message: str, example: str = "") -> UsageError:
        line = f"{key} = {example or _KEYS[key][2]}"
        hint = f"write in {self.file}:  [{_header(self.file)}{text.safe(self.key())}]  {line}"
        return UsageError(f"{self.file}: {text.safe(self.key(key))} {message}", hint=hint)


def names(workspace: Workspace) -> list[str]:
    """Return the names of the leaderboards, in the order of the file."""
    return list(_tables(workspace))


def get(workspace: Workspace, name: str) -> Board:
    """Return one leaderboard; raises NotFound for none of that name, UsageError for one that is not understood."""
    known = _tables(workspace)
    if name not in known:
        raise _not_found(workspace, name, list(known))
    table = _Table(_file(workspace), name, known[name])
    _check(table)
    goal, aggregate, metric = _metric(workspace, table)
    where = table.values.get("where")
    return Board(
        name=name,
        file=table.file,
        metric=metric,
        aggregate=aggregate,
        goal=goal,
        where=_condition(table, "where", where) if where else None,
        floors=tuple(_condition(table, "floors", item) for item in table.values.get("floors", ())),
        columns=tuple(table.values.get("columns", ())),
        experiment=table.values.get("experiment", ""),
        limit=table.values.get("limit"),
    )


def _tables(workspace: Workspace) -> dict[str, Mapping[str, Any]]:
    found = workspace.settings.tree_file.get(_TABLE, {})
    file = _file(workspace)
    bad = found if not isinstance(found, dict) else next((v for v in found.values() if not isinstance(v, dict)), None)
    if bad is not None:
        raise UsageError(
            f"{file}: {_TABLE} is to be tables, one a leaderboard",
            hint=f'write in {file}:  [{_header(file)}{_TABLE}.main]  metric = "val_auc"',
        )
    return dict(found)


def _file(workspace: Workspace) -> str:
    return workspace.settings.file


def _header(file: str) -> str:
    return "" if file == FILES[0] else "tool.gitexp."


def _not_found(workspace: Workspace, name: str, known: list[str]) -> NotFound:
    file = _file(workspace)
    if not known and workspace.repo.is_bare:
        message = f"no leaderboard {text.safe(name)!r}: a bare repository has no files to define one in"
        return NotFound(message, hint=f"ask in a clone with a work tree, which has {file}")
    if not known:
        example = f'[{_header(file)}{_TABLE}.{text.safe(name)}]  metric = "val_auc"'
        return NotFound(f"no leaderboard {text.safe(name)!r}: {file} defines none", hint=f"write in {file}:  {example}")
    return NotFound(
        f"no leaderboard {text.safe(name)!r} in {file}", hint=f"there are: {', '.join(map(text.safe, known))}"
    )


def _check(table: _Table) -> None:
    """Raise UsageError for a key that does not exist, is of another type, or is missing."""
    for key, value in table.values.items():
        if key not in _KEYS:
            raise UsageError(
                f"{table.file}: {text.safe(table.key(key))} is no key of a leaderboard",
                hint=f"the keys are: {', '.join(_KEYS)}",
            )
        kind, called, _ = _KEYS[key]
        is_bad = not isinstance(value, kind) or isinstance(value, bool) or not value
        if is_bad or (isinstance(value, int) and value < 1):
            raise table.error(key, f"is to be {called}, not {value!r}")
        if isinstance(value, list) and not all(isinstance(item, str) and item for item in value):
            raise table.error(key, f"is to be {called}, each in quotes")
    if "metric" not in table.values:
        raise table.error("metric", "is missing")


def _metric(workspace: Workspace, table: _Table) -> tuple[Goal, str, str]:
    """Return direction, value and name of what is ranked by; raises UsageError where no direction is known."""
    metric, aggregate = goals.split(table.values["metric"])
    goal, direction = goals.of(workspace, metric), table.values.get("direction")
    if direction is not None:
        if direction not in ("max", "min"):
            raise table.error("direction", f"is to be {_KEYS['direction'][1]}, not {direction!r}")
        best: Literal["max", "min"] = "max" if direction == "max" else "min"
        goal = replace(goal, best=best, why=table.file)
    if not goal.best:
        raise table.error(
            "direction", f"is missing: whether more or less of {text.safe(metric)!r} is better is not known"
        )
    return goal, aggregate or goal.aggregate, metric


def _condition(table: _Table, key: str, wanted: str) -> Condition:
    try:
        return Condition(key, wanted, parser.parse(wanted))
    except UsageError as error:
        raise placed(table, key, error) from None


def placed(board: _Table | Board, key: str, error: GitexpError) -> UsageError | NotFound:
    """Return an error of a query or name with the file and key that it stands at."""
    message = f"{board.file}: {_TABLE}.{text.safe(board.name)}.{key}: {error.message}"
    return (NotFound if isinstance(error, NotFound) else UsageError)(message, hint=error.hint)
