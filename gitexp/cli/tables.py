"""Tables: plain and whole in a pipe; on a terminal coloured, and as many columns as fit, saying which do not."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import click

from gitexp import text

GAP = "  "
STYLES = {
    "completed": "green", "running": "cyan", "failed": "red", "killed": "yellow", "best": "bold green", "dim": "dim",
    "better": "green", "worse": "red", "id": "yellow", "title": "bold",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `keep` says how long it stays when the terminal is narrow (the smallest go first).

    Where `fold` is given, its words are folded before any column goes, down to so many columns of the terminal.
    """

    title: str
    right: bool = False
    keep: int = 9
    style: str = ""
    fold: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """A text with a style of its own."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, and rows of as many cells; texts are safe already."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str | Cell, ...], ...]


def echo(table: Table, width: int | None) -> list[str]:
    """Print a table and return the titles of the columns that did not fit into `width` (None: all do)."""
    fitted, dropped = fit(table, width)
    if width is None or not fitted.rows:
        for line in plain(fitted):
            click.echo(line)
    else:
        _echo_rich(fitted, width)
    return dropped


def echo_words(words: str, width: int | None) -> None:
    """Print a sentence below a table: folded on a terminal, whole in a pipe."""
    lines = [words] if width is None else textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False)
    for line in lines:
        click.echo(line)


def fit(table: Table, width: int | None) -> tuple[Table, list[str]]:
    """Return the table without the columns that do not fit into `width`, and their titles in their order."""
    if width is None:
        return table, []
    wide = _least(table)
    kept = list(range(len(table.columns)))
    while len(kept) > 1 and sum(wide[i] for i in kept) + len(GAP) * (len(kept) - 1) > width:
        kept.remove(min(kept, key=lambda i: (table.columns[i].keep, -i)))
    columns = tuple(table.columns[i] for i in kept)
    rows = tuple(tuple(row[i] for i in kept) for row in table.rows)
    return Table(columns, rows), [column.title for i, column in enumerate(table.columns) if i not in kept]


def plain(table: Table) -> list[str]:
    """Return the lines of a table, aligned, uncoloured and whole."""
    wide = widths(table)
    lines = [_line([column.title for column in table.columns], table.columns, wide)]
    lines += [_line([cell_text(cell) for cell in row], table.columns, wide) for row in table.rows]
    return lines if any(column.title for column in table.columns) else lines[1:]


def markdown(table: Table) -> list[str]:
    """Return the lines of a table in Markdown; nothing in a cell is taken for Markdown or HTML."""
    from gitexp.pages import markdown as pages
    from gitexp.pages import parts

    columns = tuple(parts.Column(column.title.strip(), column.right) for column in table.columns)
    rows = [tuple(parts.Cell(*_marked(cell)) for cell in row) for row in table.rows]
    return pages.table(parts.Table(columns, rows))


def _marked(cell: str | Cell) -> tuple[str, None, str]:
    """Return a cell's text, nothing to sort by, and its marks: the best is bold, not starred."""
    is_best = isinstance(cell, Cell) and cell.style == "best"
    return (cell_text(cell).strip().removeprefix("*" if is_best else ""), None, "best" if is_best else "")


def markdown_text(words: str) -> str:
    """Return a text that Markdown shows as it is."""
    from gitexp.pages import markdown as pages

    return pages.plain(words)


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = []
    for cell, column, wide in zip(cells, columns, widths, strict=True):
        space = " " * (wide - cell_width(cell))
        padded.append(space + cell if column.right else cell + space)
    return GAP.join(padded).rstrip()


def _least(table: Table) -> list[int]:
    """Return how little room each column takes."""
    both = zip(table.columns, widths(table), strict=True)
    return [min(wide, max(column.fold, cell_width(column.title))) if column.fold else wide for column, wide in both]


def _given(table: Table, width: int) -> list[int]:
    """Return the room of each column: what is left goes to those that fold, from the left."""
    given = _least(table)
    free = width - sum(given) - len(GAP) * (len(given) - 1)
    for i, wide in enumerate(widths(table)):
        more = max(0, min(wide - given[i], free))
        given[i], free = given[i] + more, free - more
    return given


def widths(table: Table) -> list[int]:
    return [
        max([cell_width(column.title), *(cell_width(cell_text(row[i])) for row in table.rows)])
        for i, column in enumerate(table.columns)
    ]


def fact_lines(label: str, value: str) -> Iterator[tuple[str, str]]:
    """Yield a fact of a page, line by line: the first has the label."""
    first, *more = text.safe_lines(value.strip()).split("\n")
    yield label, first
    for line in more:
        yield "", line


def cell_text(cell: str | Cell) -> str:
    """Return what a cell says, whatever its style."""
    return cell if isinstance(cell, str) else cell.text


def cell_width(text: str) -> int:
    """Return how many columns a terminal gives a text: two for wide characters, none for those that combine."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _echo_rich(table: Table, width: int) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    headed = any(column.title for column in table.columns)
    shown = RichTable(box=None, padding=(0, len(GAP), 0, 0), pad_edge=False, show_header=headed, header_style="bold")
    for column, wide in zip(table.columns, _given(table, width), strict=True):
        # A name wider than the whole terminal is folded, never cut.
        justify: Literal["right", "left"] = "right" if column.right else "left"
        shown.add_column(column.title, justify=justify, overflow="fold", width=wide if column.fold else None)
    for row in table.rows:
        styles = [cell.style if isinstance(cell, Cell) else c.style for cell, c in zip(row, table.columns, strict=True)]
        cells = zip(row, styles, strict=True)
        shown.add_row(*(Text(cell_text(cell), STYLES.get(style, style)) for cell, style in cells))
    Console(width=width, highlight=False).print(shown)
