"""The catalogue: which column has which param or metric. SQLite's names ignore case and end at 2,000, ours do not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import filterfalse

from gitexp.index import schema

PARAM, METRIC, POST, SEED = "param", "metric", "post", "seed"
AGGREGATES = ("last", "min", "max", "mean", "first", "count")
NUMBER = "number"  # beside a param: the number that its text spells
OWN_COLUMNS = 600  # that one run may bring; what it has beyond them goes to the overflow

_LISTS = {
    "tag": "SELECT DISTINCT name FROM tag ORDER BY name",
    "verdict": "SELECT DISTINCT name FROM verdict ORDER BY name",
    "dataset": "SELECT DISTINCT name FROM dataset WHERE name IS NOT NULL ORDER BY name",
    "package": "SELECT DISTINCT name FROM package ORDER BY name",
}

_HAS = {
    "tag": "SELECT 1 FROM tag WHERE name = :name LIMIT 1",
    "verdict": "SELECT 1 FROM verdict WHERE name = :name LIMIT 1",
    "dataset": "SELECT 1 FROM dataset WHERE name = :name OR role = :name LIMIT 1",
    "package": "SELECT 1 FROM package WHERE name = :name LIMIT 1",
    "released": "SELECT 1 FROM model LIMIT 1",  # any version of any model
}

Key = tuple[str, str, str]  # kind, name, aggregate: "" but for NUMBER


class Catalogue:
    """The numbers of all values. Those up to the cap are columns of `run`, those above stand in `overflow`.

    A metric has one for each of AGGREGATES, in a row; the catalogue keeps the first.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._singles: dict[Key, int] = {}
        self._metrics: dict[str, int] = {}
        self._wide = 0  # how many columns `run` has
        self._over = schema.COLUMN_CAP  # the greatest number

    def load(self) -> None:
        """Take in what other connections have added."""
        query = "SELECT number, kind, name, aggregate FROM catalogue WHERE number > ? AND number <= ?"
        new = [(self._wide, schema.COLUMN_CAP), (self._over, 1 << 62)]
        for number, kind, name, aggregate in [row for bounds in new for row in self._connection.execute(query, bounds)]:
            self._keep(kind, name.decode("utf-8", "surrogatepass"), aggregate, number)

    def reload(self) -> None:
        """Read all anew, after a transaction that was taken back."""
        self._singles.clear()
        self._metrics.clear()
        self._wide, self._over = 0, schema.COLUMN_CAP
        self.load()

    def _keep(self, kind: str, name: str, aggregate: str, number: int) -> None:
        last = number
        if kind == METRIC:
            self._metrics[name] = number
            last += len(AGGREGATES) - 1
        else:
            self._singles[kind, name, aggregate] = number
        if number > schema.COLUMN_CAP:
            self._over = max(self._over, last)
        else:
            self._wide = max(self._wide, last)

    def column(self, kind: str, name: str, aggregate: str = "") -> str | None:
        """Return the SQL expression of a value in `FROM run`; None where no run has that name."""
        if kind == METRIC:
            base = self._metrics.get(name)
            number = None if base is None else base + AGGREGATES.index(aggregate or "last")
        else:
            number = self._singles.get((kind, name, aggregate))
        if number is None:
            return None
        if number <= schema.COLUMN_CAP:
            return f"run.c{number}"
        return f"(SELECT value FROM overflow WHERE overflow.run = run.key AND overflow.number = {number})"

    def names(self, kind: str) -> list[str]:
        """Return the names of a kind: params, metrics, posts, seeds, and tags, verdicts, datasets, packages."""
        if kind in _LISTS:
            return [str(row[0]) for row in self._connection.execute(_LISTS[kind])]
        if kind == METRIC:
            return sorted(self._metrics)
        return sorted(name for known, name, aggregate in self._singles if known == kind and not aggregate)

    def has(self, kind: str, name: str) -> bool:
        """Say whether any run has a name of a kind; a dataset also by its role."""
        if kind not in _HAS:
            return self.column(kind, name) is not None
        return self._connection.execute(_HAS[kind], {"name": name}).fetchone() is not None

    def numbered(self, wanted: Iterable[Key]) -> dict[Key, int]:
        """Return the numbers of values other than metrics."""
        return {key: self._singles[key] for key in wanted}

    def numbered_metrics(self, wanted: Iterable[str]) -> dict[str, int]:
        """Return the first numbers of metrics."""
        return {name: self._metrics[name] for name in wanted}

    @property
    def singles(self) -> dict[Key, int]:
        """All values but metrics, with their numbers."""
        return self._singles

    @property
    def metrics(self) -> dict[str, int]:
        """All metrics, with the first of their numbers."""
        return self._metrics

    def extend(self, wanted: Iterable[Key], metrics: Iterable[str] = ()) -> None:
        """Give numbers to what one run has and none had before; inside a transaction that writes."""
        brought = 0
        for key in filterfalse(self._singles.__contains__, wanted):
            brought += self._add(*key, 1, brought)
        for name in filterfalse(self._metrics.__contains__, metrics):
            brought += self._add(METRIC, name, "", len(AGGREGATES), brought)

    def _add(self, kind: str, name: str, aggregate: str, width: int, brought: int) -> int:
        is_wide = self._wide + width <= schema.COLUMN_CAP and brought + width <= OWN_COLUMNS
        number = (self._wide if is_wide else self._over) + 1
        for column in range(number, number + width) if is_wide else ():
            self._connection.execute(f"ALTER TABLE run ADD COLUMN c{column}")
        key = name.encode("utf-8", "surrogatepass")
        self._connection.execute("INSERT INTO catalogue VALUES (?, ?, ?, ?)", (number, kind, key, aggregate))
        self._keep(kind, name, aggregate, number)
        return width
