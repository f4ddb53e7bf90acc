"""The catalogue: which column has which param or metric. SQLite's names ignore case and end at 2,000; ours do neither."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

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
}


class Catalogue:
    """{(kind, name, aggregate): number}; numbers up to the cap are columns of `run`, those above are in `overflow`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._numbers: dict[tuple[str, str, str], int] = {}
        self._wide = 0  # how many columns `run` has
        self._over = schema.COLUMN_CAP

    def load(self) -> None:
        """Take in what other connections have added."""
        rows = self._connection.execute(
            "SELECT number, kind, name, aggregate FROM catalogue WHERE number > ? AND number <= ?"
            " UNION ALL SELECT number, kind, name, aggregate FROM catalogue WHERE number > ?",
            (self._wide, schema.COLUMN_CAP, self._over),
        ).fetchall()
        for number, kind, name, aggregate in rows:
            self._numbers[kind, name.decode("utf-8", "surrogatepass"), aggregate] = number
            if number > schema.COLUMN_CAP:
                self._over = max(self._over, number)
            else:
                self._wide = max(self._wide, number)

    def column(self, kind: str, name: str, aggregate: str = "") -> str | None:
        """Return the SQL expression of a value in `FROM run`; None where no run has that name."""
        number = self._numbers.get((kind, name, "last" if kind == METRIC and not aggregate else aggregate))
        if number is None:
            return None
        if number <= schema.COLUMN_CAP:
            return f"run.c{number}"
        return f"(SELECT value FROM overflow WHERE overflow.run = run.key AND overflow.number = {number})"

    def names(self, kind: str) -> list[str]:
        """Return the names that runs have of a kind: params, metrics, posts, seeds, tags, verdicts, datasets, packages."""
        if kind in _LISTS:
            return [str(row[0]) for row in self._connection.execute(_LISTS[kind])]
        wanted = "last" if kind == METRIC else ""
        return sorted(name for known, name, aggregate in self._numbers if known == kind and aggregate == wanted)

    def has(self, kind: str, name: str) -> bool:
        """Say whether any run has a name of a kind; a dataset also by its role."""
        if kind not in _HAS:
            return self.column(kind, name) is not None
        try:
            return self._connection.execute(_HAS[kind], {"name": name}).fetchone() is not None
        except UnicodeEncodeError:  # half of a surrogate pair: no text of SQLite's
            return False

    def number(self, kind: str, name: str, aggregate: str) -> int | None:
        """Return the number of a value, None where no run has it."""
        return self._numbers.get((kind, name, aggregate))

    def columns(self) -> list[tuple[int, str, str, str]]:
        """Return (number, kind, name, aggregate) of all that stands in columns, by number."""
        found = [(number, *key) for key, number in self._numbers.items() if number <= schema.COLUMN_CAP]
        return sorted(found)

    def overflowing(self) -> dict[int, tuple[str, str, str]]:
        """Return {number: (kind, name, aggregate)} of what stands in `overflow`."""
        return {number: key for key, number in self._numbers.items() if number > schema.COLUMN_CAP}

    def extend(self, wanted: Iterable[tuple[str, str, str]]) -> None:
        """Give numbers to what one run has and none had before; inside a transaction that writes."""
        brought = 0
        for kind, name, aggregate in wanted:
            if (kind, name, aggregate) in self._numbers:
                continue
            several = AGGREGATES if kind == METRIC else (aggregate,)
            is_wide = self._wide + len(several) <= schema.COLUMN_CAP and brought < OWN_COLUMNS
            brought += len(several)
            for each in several:
                self._add(kind, name, each, is_wide=is_wide)

    def _add(self, kind: str, name: str, aggregate: str, *, is_wide: bool) -> None:
        if is_wide:
            self._wide = number = self._wide + 1
            self._connection.execute(f"ALTER TABLE run ADD COLUMN c{number}")
        else:
            self._over = number = self._over + 1
        key = name.encode("utf-8", "surrogatepass")
        self._connection.execute("INSERT INTO catalogue VALUES (?, ?, ?, ?)", (number, kind, key, aggregate))
        self._numbers[kind, name, aggregate] = number
