"""Points as NumPy arrays, from the bytes of metrics.csv: what `record.points` says they mean, at the speed of C.

Rows as gitexp writes them are parsed by pandas; anything else (a step beyond 64 bits, columns of a later version,
damage) is left to `record.points`. Both give the same.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitexp.record import points
from gitexp.record.numbers import float_of
from gitexp.record.points import Point

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

SMALL_BYTES, SMALL_IMPORT_BYTES = 16 << 10, 256 << 10  # parsed by Python before pandas has begun, or is imported
MAX_FIELD = csv.field_size_limit()  # characters of a field that `record.points` takes
MAX_DIGITS = 18  # of a step that fits into 64 bits for sure
_MARK = "\ufeff".encode()  # of UTF-8: pandas takes it away
_COMMA, _NEWLINE, _QUOTE, _MINUS, _ZERO, _SPACE = b',\n"-0 '


@dataclass(frozen=True, slots=True)
class Table:
    """Points of several metrics in the order logged; `names[codes[i]]` is the metric of point i."""

    names: tuple[str, ...]
    codes: Array
    steps: Array
    times_ms: Array
    values: Array

    def __len__(self) -> int:
        return len(self.values)


def of(rows: Sequence[Point]) -> Table:
    """Return points as a table."""
    import numpy as np

    known: dict[str, int] = {}
    codes = np.array([known.setdefault(row[0], len(known)) for row in rows], dtype=np.int32)
    times = np.array([row[2] for row in rows], dtype=np.int64)
    values = np.array([float_of(row[3]) for row in rows], dtype=np.float64)
    return Table(tuple(known), codes, whole([row[1] for row in rows]), times, values)


def only(chunk: Table, names: Collection[str] | None) -> Table:
    """Return the points of these metrics; names without a point are left out."""
    import numpy as np

    if names is None or set(chunk.names) <= set(names):
        return chunk
    kept = np.array([name in names for name in chunk.names], dtype=bool)
    rows = kept[chunk.codes]
    codes = (np.cumsum(kept) - 1)[chunk.codes[rows]]
    wanted = tuple(name for name in chunk.names if name in names)
    return Table(wanted, codes, chunk.steps[rows], chunk.times_ms[rows], chunk.values[rows])


def together(parts: Iterable[Table]) -> Table:
    """Return the points of several tables, one after the other; each column's parts go as soon as it is whole."""
    import numpy as np

    known: dict[str, int] = {}
    columns: list[list[Array]] = [[np.empty(0, np.int32)], *([np.empty(0, np.int64)] for _ in range(2)), [np.empty(0)]]
    for part in parts:
        codes = np.array([known.setdefault(name, len(known)) for name in part.names], dtype=np.int32)
        for column, more in zip(columns, (codes[part.codes], part.steps, part.times_ms, part.values), strict=True):
            column.append(more)
    return Table(tuple(known), *(joined(columns.pop(0)) for _ in range(4)))


def joined(parts: list[Array]) -> Array:
    """Return one array of several, and forget those."""
    import numpy as np

    array: Array = np.concatenate(parts)
    parts.clear()
    return array


@dataclass(frozen=True, slots=True)
class Wide:
    """A row a step, a column a metric: `values[row, column]`, NaN also where nothing was logged (not `present`)."""

    steps: Array
    names: tuple[str, ...]
    values: Array
    present: Array


def wide(table: Table, names: Sequence[str]) -> Wide:
    """Return the wide view of some metrics; of several points at a step the latest, among equals the last logged."""
    import numpy as np

    place = {name: at for at, name in enumerate(names)}
    columns = np.array([place[name] for name in table.names], dtype=np.int64)[table.codes]
    steps, rows = np.unique(table.steps, return_inverse=True)
    if len(rows) and (np.diff(table.times_ms) < 0).any():
        order = np.argsort(table.times_ms, kind="stable")
        rows, columns, logged = rows[order], columns[order], table.values[order]
    else:
        logged = table.values
    values, present = np.full((len(steps), len(names)), np.nan), np.zeros((len(steps), len(names)), dtype=bool)
    values[rows, columns] = logged  # of several for one place NumPy keeps the last
    present[rows, columns] = True
    return Wide(steps, tuple(names), values, present)


def whole(steps: Sequence[int]) -> Array:
    """Return steps as int64, where one is beyond that as Python's integers."""
    import numpy as np

    try:
        return np.array(steps, dtype=np.int64)
    except OverflowError:
        return np.array(steps, dtype=object)


def parse(block: bytes) -> Table | None:
    """Return the points of whole rows, None where there is anything else."""
    if len(block) >= (SMALL_BYTES if "pandas" in sys.modules else SMALL_IMPORT_BYTES):
        found = fast(block)
        if found is not None:
            return found
    rows = parse_points(block)
    return None if rows is None else of(rows)


def parse_points(block: bytes) -> list[Point] | None:
    """Return the points of whole rows one by one, their values as they are written; None where one does not parse."""
    try:
        return [points.parse(row) for row in points.rows(block.decode("utf-8", "replace"))]
    except (ValueError, OverflowError, points.Error):
        return None


def fast(block: bytes) -> Table | None:
    """Return the points of rows all of which are as gitexp writes them, None where one is not."""
    import pandas as pd

    if not _is_regular(block):
        return None
    try:
        frame = pd.read_csv(io.BytesIO(block), **_options())
    except (ValueError, OverflowError):  # a number that pandas cannot read, bytes that are not UTF-8
        return None
    seconds = frame["time"].to_numpy()
    if not (abs(seconds) <= points.MAX_SECONDS).all():
        return None
    codes, names = pd.factorize(frame["metric"].to_numpy())
    times = (seconds * 1000).round().astype("int64")
    return Table(tuple(names), codes, frame["step"].to_numpy(), times, frame["value"].to_numpy())


def _options() -> dict[str, Any]:
    """Return how pandas reads exactly what was written; from 3.1 on it does so by itself."""
    import pandas as pd

    exact = tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1)
    types = {"metric": object, "step": "int64", "time": "float64", "value": "float64"}
    return {
        "header": None,
        "names": list(types),
        "dtype": types,
        "index_col": False,
        "engine": "c",
        "low_memory": False,
        "keep_default_na": False,
        "na_values": {"value": ["nan"]},
        **({} if exact else {"float_precision": "round_trip"}),
    }


def _is_regular(block: bytes) -> bool:
    """Say whether every row has four fields, of which only the first is quoted, and numbers begin as numbers do.

    That is all that pandas is more lenient in than the format: it reads `true`, and 1.0 or 1e3 as a step.
    """
    import numpy as np

    if not block.endswith(b"\n") or block.startswith(_MARK):
        return False
    found = np.frombuffer(block, np.uint8)
    if np.count_nonzero(found < _SPACE) != block.count(b"\n") and any(odd in block for odd in (b"\r", b"\0")):
        return False
    marks = np.flatnonzero((found == _COMMA) | (found == _NEWLINE))
    quotes = np.flatnonzero(found == _QUOTE) if b'"' in block else marks[:0]
    if len(quotes):
        if not _are_paired(found, quotes):
            return False
        marks = marks[np.searchsorted(quotes, marks) % 2 == 0]
    if len(marks) % 4 or not (found[marks].reshape(-1, 4) == [_COMMA, _COMMA, _COMMA, _NEWLINE]).all():
        return False
    ends, widths = marks.reshape(-1, 4), np.diff(marks, prepend=-1).reshape(-1, 4) - 1
    if widths.max() > MAX_FIELD or widths[:, 1:].min() < 1:
        return False
    first = np.zeros(256, dtype=bool)
    first[list(b"-0123456789in")] = True
    return bool(first[found[ends[:, :3] + 1]].all()) and _are_integers(found, ends[:, 0] + 1, ends[:, 1])


def _are_paired(found: Array, quotes: Array) -> bool:
    """Say whether quotes open where a row begins, close before a comma, and are doubled between."""
    if len(quotes) % 2:
        return False
    before, after = found[quotes[0::2] - 1], found[quotes[1::2] + 1]  # before the first stands the last: a newline
    opened = (before == _NEWLINE) | (before == _QUOTE)
    return bool((opened & ((after == _COMMA) | (after == _QUOTE))).all())


def _are_integers(found: Array, starts: Array, ends: Array) -> bool:
    """Say whether all fields between are an optional minus and digits that fit into 64 bits."""
    starts = starts + (found[starts] == _MINUS)
    widths = ends - starts
    if not 1 <= widths.min() <= widths.max() <= MAX_DIGITS:
        return False
    return all(
        ((found[starts[widths > place] + place] - _ZERO) <= 9).all()  # below the digits it wraps around
        for place in range(widths.max())
    )
