"""Metric points and the lines of metrics.csv, which are also the journal's (docs/format.md, "metrics.csv")."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gitexp.errors import Damaged

Error = csv.Error
HEADER = "metric,step,time,value\n"
MAX_NAME = 1000  # characters
_QUOTED = re.compile(r'[,"\n\r]|^ | \Z')
MAX_SECONDS = 1e11  # since the epoch: the year 5138; no later one can be logged


class Point(NamedTuple):
    """One value of one metric: whole step, time in milliseconds since the epoch, int or float."""

    metric: str
    step: int
    time_ms: int
    value: int | float


def cell(name: str) -> str:
    """Return a metric's name as a CSV field, quoted only where it must be."""
    if _QUOTED.search(name):
        return '"' + name.replace('"', '""') + '"'
    return name


def seconds(time_ms: int) -> str:
    """Return milliseconds as seconds with three decimals, exactly."""
    sign, ms = ("-", -time_ms) if time_ms < 0 else ("", time_ms)
    return f"{sign}{ms // 1000}.{ms % 1000:03d}"


def line(point: Point) -> str:
    """Return one line of metrics.csv. Floats are their shortest text that reads back exactly; integers have no dot."""
    return f"{cell(point.metric)},{point.step},{seconds(point.time_ms)},{point.value!r}\n"


def encode(points: Iterable[Point]) -> bytes:
    """Return metrics.csv, one row a point, in the order given."""
    return (HEADER + "".join(map(line, points))).encode("utf-8", "backslashreplace")


def decode(data: bytes) -> Iterator[Point]:
    """Yield the points of a metrics.csv; raises Damaged with the row that does not parse."""
    parsed = rows(data.decode("utf-8", "replace"))
    number = 1
    try:
        header = next(parsed, None)
        if header is None or header[:4] != ["metric", "step", "time", "value"]:
            raise ValueError("the header is not metric,step,time,value")
        for number in itertools.count(2):  # noqa: B007  # the row an error names
            row = next(parsed, None)
            if row is None:
                return
            yield parse(row)
    except (ValueError, OverflowError, csv.Error) as error:
        raise Damaged(f"metrics.csv, row {number}: {error}", hint="gitexp fsck") from error


def rows(text: str) -> Iterator[list[str]]:
    """Yield the rows of CSV text as lists of fields; raises Error for what is none."""
    return csv.reader(io.StringIO(text, newline=""), strict=True)


def parse(row: list[str]) -> Point:
    """Return the point of one row's fields; raises ValueError."""
    if len(row) < 4:
        raise ValueError(f"{len(row)} fields, not 4")
    return Point(row[0], int(row[1]), _milliseconds(row[2]), _value(row[3]))


def _milliseconds(text: str) -> int:
    whole, dot, fraction = text.partition(".")
    seconds = float(text)
    if not abs(seconds) <= MAX_SECONDS:  # not: > ; NaN is refused too
        raise ValueError(f"time {text[:40]!r}")
    return int(whole + fraction) if dot and len(fraction) == 3 and fraction.isdigit() else round(seconds * 1000)


def _value(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)
