"""How runs look in a notebook: HTML, in which nothing of a record is markup, of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from gitexp import canonical, clock, ids, text
from gitexp.ops.finding import columns, goals
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    from gitexp.index.entry import Entry
    from gitexp.ops.finding.columns import Chosen
    from gitexp.record.summary import Aggregate

ROWS = 20  # of a table
_WIDTH = 60  # characters of a text
_BESIDE = ' style="display:flex;gap:2em;align-items:flex-start"'
_LEFT, _RIGHT = ' style="text-align:left"', ' style="text-align:right"'


def runs(workspace: Workspace, shown: Sequence[Entry], count: int) -> str:
    """Return a list of runs as a table: what differs and what matters, as `gitexp log` shows it."""
    head = f"<div>{text.plural(count, 'run')}</div>"
    if not shown:
        return head
    chosen = columns.choose(workspace, shown).columns
    best = {column: columns.best(workspace, shown, column) for column in chosen}
    several = len({entry.path for entry in shown}) > 1
    heads = [("ID", _LEFT), ("name", _LEFT), ("status", _LEFT), ("age", _RIGHT), ("time", _RIGHT)]
    heads += [(column.title, _RIGHT if column.is_number else _LEFT) for column in chosen]
    rows = [
        [*_run(entry, several), *(_value(columns.value(entry, column), column, best[column]) for column in chosen)]
        for entry in shown
    ]
    hidden = f"<div>{count - len(shown):,} more: to_dataframe() has all</div>" if count > len(shown) else ""
    return head + _table(heads, rows) + hidden


def _run(entry: Entry, several: bool) -> list[str]:
    name = entry.title or entry.name
    return [
        f"<code>{ids.short(entry.id)}</code>",
        _text(f"{entry.experiment}/{name}" if several else name),
        _text("unreadable" if entry.damaged is not None else entry.status),
        text.age(entry.start_ms, clock.now_ms()),
        text.duration(_seconds(entry)),
    ]


def _seconds(entry: Entry) -> float | None:
    end_ms = clock.now_ms() if entry.end_ms is None and entry.status == "running" else entry.end_ms
    return None if end_ms is None else (end_ms - entry.start_ms) / 1000


def _value(value: Any, column: Chosen, best: float | None) -> str:
    if value is None:
        return "-"
    if not column.is_number or not isinstance(value, int | float):
        return _text(text.value(value))
    return f"<b>{text.number(value)}</b>" if best is not None and value == best else text.number(value)


def run(workspace: Workspace, entry: Entry) -> str:
    """Return one run: what it is, its tags, params and metrics."""
    name = f"{_text(entry.experiment)} / <b>{_text(entry.title or entry.name)}</b>"
    head = f"<div>run <code>{ids.short(entry.id)}</code>&ensp;{name}&ensp;{_text(entry.status)}"
    head += f" in {text.duration(_seconds(entry))}</div>"
    params = [[_text(name), _text(text.value(value))] for name, value in _some(entry.flat_params)]
    metrics = [_metric(workspace, name, found) for name, found in _some(entry.summary)]
    blocks = []
    if params:
        blocks.append(_table([(_counted("param", entry.flat_params), _LEFT), ("", _LEFT)], params))
    if metrics:
        heads = [(_counted("metric", entry.summary), _LEFT), ("last", _RIGHT), ("best", _RIGHT), ("first", _RIGHT)]
        blocks.append(_table(heads, metrics))
    facts = _table([("", _LEFT), ("", _LEFT)], list(_facts(entry)))
    return head + facts + f"<div{_BESIDE}>{''.join(blocks)}</div>"


def _some(found: dict[str, Any]) -> list[tuple[str, Any]]:
    return list(found.items())[:ROWS]


def _counted(noun: str, found: dict[str, Any]) -> str:
    return text.plural(len(found), noun) + (f", {ROWS} shown" if len(found) > ROWS else "")


def _facts(entry: Entry) -> Iterator[list[str]]:
    who = " on ".join(part for part in (entry.author, entry.host) if part)
    when = canonical.iso(entry.start_ms)[:16].replace("T", " ")
    yield ["when", _text(f"{when} UTC" + (f", {who}" if who else ""))]
    if entry.damaged is not None:
        yield ["unreadable", _text(entry.damaged)]
    if entry.command:
        yield ["command", f"<code>{_text(entry.command, 4 * _WIDTH)}</code>"]
    if entry.code_commit:
        edits = ", with uncommitted edits" if entry.dirty else ""
        yield ["code", f"<code>{_text(entry.code_commit[:7])}</code>{edits}"]
    if entry.tags:
        tags = (f"{name}={value}" if value else name for name, value in _some(entry.tags))
        yield ["tags", _text(", ".join(tags), 4 * _WIDTH)]
    if entry.description:
        yield ["about", _text(entry.description, 4 * _WIDTH)]
    if entry.error:
        yield ["error", _text(entry.error, 4 * _WIDTH)]


def _metric(workspace: Workspace, name: str, found: Aggregate) -> list[str]:
    goal = goals.of(workspace, name)
    best = text.number(found.max if goal.best == "max" else found.min) if goal.best else "-"
    return [_text(name), text.number(found.last), best, text.number(found.first)]


def _text(said: str, width: int = _WIDTH) -> str:
    return escape(text.shorten(text.safe(said), width))


def _table(heads: Iterable[tuple[str, str]], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are HTML already; the headings are not."""
    named = list(heads)
    head = "".join(f"<th{align}>{_text(title)}</th>" for title, align in named)
    body = "".join(
        "<tr>" + "".join(f"<td{align}>{cell}</td>" for (_, align), cell in zip(named, row, strict=True)) + "</tr>"
        for row in rows
    )
    top = f"<thead><tr>{head}</tr></thead>" if any(title for title, _ in named) else ""
    return f"<table>{top}<tbody>{body}</tbody></table>"
