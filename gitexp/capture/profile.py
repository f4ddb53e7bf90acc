"""What is said of a table: its schema, and of each column how its values lie, from a sample where it is large."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitexp import redact
from gitexp.record.dataset import MAX_COLUMNS, Column

MAX_ROWS = 50_000  # rows of a sample
MAX_CELLS = 1_000_000  # cells of a sample
MAX_PROFILED = 1_000  # columns that have a profile
DISTINCT = 1_000  # values of a column that are told apart
_TOP, _TEXT = 5, 60  # most frequent values, and the characters of one
_NAME = 200


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a sample: None stands for a missing value; `missing` is of all rows, where that is known."""

    name: str
    dtype: str
    values: Sequence[Any]
    missing: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of a table: of `rows` (None: nobody knows) these were looked at, the `first` ones or `spread` over all.

    `said` is what else a reader found: an encoding, rows that are too long or short.
    """

    fields: Sequence[Field]
    rows: int | None
    looked_at: int
    how: str = ""
    columns: int | None = None
    said: Mapping[str, Any] = field(default_factory=dict)


def rows_for(columns: int) -> int:
    """Return how many rows of so many columns are looked at."""
    return max(1, min(MAX_ROWS, MAX_CELLS // max(columns, 1)))


def schema(sample: Sample) -> tuple[Column, ...]:
    """Return the columns with their types; missing values are counted where all rows were looked at."""
    whole = sample.rows == sample.looked_at
    return tuple(
        Column(item.name[:_NAME], item.dtype, _missing(item) if whole and item.missing is None else item.missing)
        for item in sample.fields[:MAX_COLUMNS]
    )


def describe(sample: Sample) -> dict[str, Any]:
    """Return the profile: how many rows it is of, and per column min, max, mean, distinct and most frequent values."""
    found: dict[str, Any] = {"rows": sample.looked_at, **sample.said}
    if sample.rows != sample.looked_at:
        found["sampled"] = sample.how or "first"
    if len(sample.fields) > MAX_PROFILED:
        found["columns_cut"] = len(sample.fields) - MAX_PROFILED
    found["columns"] = [_column(item, sample) for item in sample.fields[:MAX_PROFILED]]
    return found


def _missing(item: Field) -> int:
    return sum(1 for value in item.values if value is None or value != value)


def _column(item: Field, sample: Sample) -> dict[str, Any]:
    present = [value for value in item.values if value is not None and value == value]
    found: dict[str, Any] = {"name": item.name[:_NAME]}
    if sample.rows != sample.looked_at:
        found["missing"] = len(item.values) - len(present)
    numbers = [value for value in present if isinstance(value, int | float)]
    if numbers and len(numbers) == len(present) and not all(isinstance(value, bool) for value in numbers):
        found |= _numbers(numbers)
    elif present and item.dtype.startswith(("date", "time", "duration")):
        found |= {"min": str(min(present, key=str)), "max": str(max(present, key=str))}
    return found | _distinct(present)


def _numbers(values: Sequence[int | float]) -> dict[str, Any]:
    finite = [float(value) for value in values if _is_float(value)]
    mean = math.fsum(value / len(finite) for value in finite) if finite else math.nan
    return {"min": _plain(min(values)), "max": _plain(max(values)), "mean": float(f"{mean:.6g}")}


def _is_float(value: int | float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _plain(value: Any) -> int | float:
    """Return a NumPy number as Python's; an integer that JSON's readers would choke on as a float."""
    if isinstance(value, int):
        return int(value) if value.bit_length() <= 1024 else math.inf if value > 0 else -math.inf
    return float(value)


def _distinct(present: Sequence[Any]) -> dict[str, Any]:
    """Count values until there are DISTINCT of them; those that come more than once are named, if they are few."""
    counted: Counter[Any] = Counter()
    for at in range(0, len(present), 10_000):
        try:
            counted.update(present[at : at + 10_000])
        except TypeError:  # lists and objects
            counted.update(repr(value)[:1000] for value in present[at : at + 10_000])
        if len(counted) > DISTINCT:
            return {"distinct": DISTINCT, "more": True}
    top = [[_shown(value), count] for value, count in counted.most_common(_TOP) if count > 1]
    return {"distinct": len(counted)} | ({"top": top} if top else {})


def _shown(value: Any) -> Any:
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, int | float):
        return _plain(value)
    return redact.text(str(value)[: 4 * _TEXT])[:_TEXT]
