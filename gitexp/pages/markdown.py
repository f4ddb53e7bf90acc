"""Markdown: the same page for a pull request or a wiki. What records say stands in code spans or is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gitexp import text
from gitexp.pages.parts import Cell, Column, Note, Report, Section, Sheet, Table

_HARMLESS = re.compile(r"[\w%()+–−…↑↓: ,.-]*", re.ASCII)
_EMPHASIS = re.compile(r"\b_|_\b")  # an underscore within a word is just that
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")
_STARTS = re.compile(r"^(\s*\d*)([-+=:.)])")  # of a list, a rule, a heading
_TICKS = re.compile(r"`+")
_FOLDED = 12  # rows of a table that is long


def report(page: Report) -> str:
    """Return a whole document."""
    lines = [f"## {plain(page.title)}", "", " · ".join(plain(line) for line in page.subtitle), ""]
    lines += [f"{'✔' if page.passed else '✘'} **{plain(page.gate)}**", ""] if page.gate else []
    lines += [f"> ⚠ {plain(line)}\n" for line in page.warnings]
    if page.table:
        lines += [*table(page.table), ""]
    for part in page.sections:
        lines += _section(part)
    lines += _equal(page.sections)
    if page.notes:
        lines += ["**notes**", "", *_notes(page.notes, page)]
    lines += _provenance(page)
    return "\n".join(lines).rstrip("\n") + "\n"


def plain(words: str) -> str:
    """Return text as Markdown that shows just that: no markup, no HTML, no link, no mention."""
    shown = (
        _SPECIAL.sub(r"\\\1", text.safe(words)).replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\&", "&amp;")
    )
    shown = shown.replace("@", "@\u2060").replace("://", "\\://").replace("www.", "www\\.")
    return _STARTS.sub(r"\1\\\2", shown)


def code(words: str, *, cell: bool = False) -> str:
    """Return text as a code span; in a cell of a table pipes are escaped."""
    shown = text.safe(words)
    if not shown.strip():
        return ""
    fence = "`" * (max((len(found) for found in _TICKS.findall(shown)), default=0) + 1)
    room = " " if shown[0] in "` " or shown[-1] in "` " else ""
    if cell:
        shown = shown.replace("\\|", "\\ |").replace("|", "\\|")  # some parsers take \\| for the end of a cell
    return f"{fence}{room}{shown}{room}{fence}"


def inside(cell: Cell) -> str:
    """Return the content of a cell: numbers and words as they are, anything else as code."""
    shown = _word(cell.text)
    return f"**{shown}**" if cell.marks == "best" and shown else shown


def _word(words: str) -> str:
    shown = text.safe(words)
    if _HARMLESS.fullmatch(shown) and not _EMPHASIS.search(shown) and "www." not in shown:
        return re.sub(" {2,}", " ", shown)
    return code(shown, cell=True)


def table(found: Table) -> list[str]:
    """Return a table."""
    heads = " | ".join(_heading(column) for column in found.columns)
    ways = " | ".join("--:" if column.number else "---" for column in found.columns)
    return [f"| {heads} |", f"| {ways} |", *(f"| {' | '.join(inside(cell) for cell in row)} |" for row in found.rows)]


def _heading(column: Column) -> str:
    title = _word(column.title) or " "
    return f"{title}<br>{_word(column.note)}" if column.note else title


def _section(part: Section) -> Iterator[str]:
    if _is_equal(part):
        return
    yield f"**{plain(part.title)}**"
    yield ""
    for line in part.lines:
        yield f"- {plain(line)}"
    if part.lines:
        yield ""
    if part.table:
        yield from _folded(part.table)
        yield ""
    if part.patch:
        yield from ["<details><summary>the whole diff</summary>", "", *fenced(part.patch, "diff"), "", "</details>", ""]


def _equal(found: Sequence[Section]) -> Iterator[str]:
    """Yield one line for all parts in which nothing differs."""
    same = [f"{plain(part.title)} ({plain(part.rest_title)})" for part in found if _is_equal(part)]
    if same:
        yield f"**no difference** in {', '.join(same)}"
        yield ""


def _is_equal(part: Section) -> bool:
    return part.rest is not None and part.table is None and not part.lines


def _folded(found: Table) -> Iterator[str]:
    lines = table(found)
    if len(lines) - 2 <= _FOLDED:
        yield from lines
        return
    yield f"<details><summary>{len(lines) - 2} rows</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"


def fenced(content: str, kind: str = "text") -> list[str]:
    """Return lines as a block of code that nothing in them can end."""
    longest = max((len(found) for found in _TICKS.findall(content)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{kind}", *text.safe_lines(content).split("\n"), fence]


def _notes(found: Sequence[Note], page: Report) -> Iterator[str]:
    for note in found:
        who = f"{page.runs[note.run].label} · " if len(page.runs) > 1 else ""
        yield f"{who}{plain(note.author)}, {note.time}"
        yield ""
        yield from fenced(note.text)
        yield ""


def _provenance(page: Report) -> Iterator[str]:
    if page.sheets:
        yield "<details><summary>provenance</summary>"
        yield ""
        for sheet in page.sheets:
            yield from _sheet(sheet, page)
        yield "</details>"
        yield ""
    yield f"Made by gitexp, {page.made}"


def _sheet(sheet: Sheet, page: Report) -> Iterator[str]:
    run = page.runs[sheet.run]
    yield f"{run.label if len(page.runs) > 1 else 'run'} {code(run.name)}"
    yield ""
    rows = tuple((Cell(fact.label), Cell(fact.text)) for fact in sheet.facts)
    yield from table(Table((Column("what"), Column("value")), rows))
    yield ""
