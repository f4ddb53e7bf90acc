"""What a page shows, as plain values: text is text, nothing is markup yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: what it says, what it is sorted by (None comes last), and what is to be seen of it.

    `marks` are words of the style sheet: best, better, worse, faint, code, completed, failed, …
    """

    text: str
    sort: float | str | None = None
    marks: str = ""
    link: str = ""
    note: str = ""  # more of it, where there is room or a pointer
    run: int | None = None  # the run whose colour stands before it


@dataclass(frozen=True, slots=True)
class Column:
    """The heading of a column; `note` is its second line."""

    title: str
    number: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; those of a long table may come one by one."""

    columns: tuple[Column, ...]
    rows: Iterable[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Run:
    """What a page says wherever it names a run: its label (A, B, …), id and name."""

    label: str
    id: str
    short: str
    name: str
    experiment: str
    status: str


@dataclass(frozen=True, slots=True)
class Series:
    """The points of one metric of one run, thinned, by rising step; None is a gap (NaN or infinite)."""

    run: int
    steps: Sequence[float]
    seconds: Sequence[float]  # since the run began
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """One metric of all runs that have it; `note` says which way is better."""

    name: str
    note: str
    series: tuple[Series, ...]
    best: str = ""  # max, min or "" where it is not known


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that a run logged, or (without a run) one of several: a data URI, or a file beside the page."""

    run: int | None
    name: str
    source: str
    size: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody said of a run."""

    run: int
    author: str
    time: str
    text: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of where a run comes from; `code` is to be copied as it is."""

    label: str
    text: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """All facts of one run, and lists that are too long for a line, such as its packages."""

    run: int
    facts: tuple[Fact, ...]
    lists: tuple[tuple[str, Table], ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the comparison, or of the record: what is said, what differs, and what is equal (folded away)."""

    title: str
    lines: tuple[str, ...] = ()
    table: Table | None = None
    rest_title: str = ""
    rest: Table | None = None
    patch: str = ""  # a diff, shown as it is


@dataclass(frozen=True, slots=True)
class Report:
    """One page about one run or several; what `left_out` says was left out of charts and pictures."""

    title: str
    subtitle: tuple[str, ...]
    warnings: tuple[str, ...]
    runs: tuple[Run, ...]
    table: Table | None
    charts: tuple[Chart, ...]
    charts_left_out: tuple[str, ...]
    compared: bool  # the sections are a comparison, else the record of one run
    sections: tuple[Section, ...]
    pictures: tuple[Picture, ...]
    pictures_left_out: tuple[str, ...]
    notes: tuple[Note, ...]
    sheets: tuple[Sheet, ...]
    made: str
    home: str = ""  # the page that lists all runs, where there is one
    gate: str = ""  # what became of a check of the run, where there was one
    passed: bool = True


@dataclass(frozen=True, slots=True)
class Index:
    """The page that lists all runs of a site."""

    title: str
    subtitle: tuple[str, ...]
    warnings: tuple[str, ...]
    table: Table
    made: str
