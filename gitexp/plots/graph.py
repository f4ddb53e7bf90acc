"""Graphs of what came of what, as DOT and as SVG: in columns from left to right, laid out here without graphviz."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gitexp import text

_BOX_HEIGHT, _ROW, _GAP, _MARGIN = 38, 52, 90, 20
_CHAR, _MIN_WIDTH, _MAX_CHARS = 6.6, 90, 44
_ROUNDS = 4  # of putting boxes beside what they are joined to
_COLOURS = {  # fill and border; of the kinds of a box
    "run": ("#e8f0fe", "#3b6fd4"),
    "file": ("#fff4e0", "#c98a1b"),
    "code": ("#eeeeee", "#777777"),
    "model": ("#e6f4ea", "#2e7d4f"),
    "more": ("#ffffff", "#aaaaaa"),
}
_BOLD = ' font-weight="600"'
_SHAPES = {"run": "box", "file": "note", "code": "ellipse", "model": "component", "more": "plaintext"}


@dataclass(frozen=True, slots=True)
class Box:
    """One thing: two lines of text, and whether it is the one that was asked for."""

    key: str
    kind: str
    title: str
    note: str = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Arrow:
    """From what was before to what came of it."""

    source: str
    target: str
    label: str = ""


@dataclass(slots=True)
class _Layout:
    """Where boxes are: their columns from the left, the order in each, and the arrows that lead backwards."""

    columns: list[list[str]]
    back: set[tuple[str, str]] = field(default_factory=set)


def dot(boxes: Sequence[Box], arrows: Sequence[Arrow]) -> str:
    """Return the graph for graphviz."""
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [fontname="sans-serif", fontsize=11, style=filled];']
    names = {box.key: f"n{number}" for number, box in enumerate(boxes)}
    for box in boxes:
        fill, border = _COLOURS[box.kind]
        label = "\\n".join(_quoted(line) for line in (box.title, box.note) if line)
        bold = ", penwidth=3" if box.chosen else ""
        look = f'shape={_SHAPES[box.kind]}, fillcolor="{fill}", color="{border}"{bold}'
        lines.append(f'  {names[box.key]} [label="{label}", {look}];')
    for arrow in arrows:
        ends = f"{names[arrow.source]} -> {names[arrow.target]}"
        lines.append(f'  {ends} [label="{_quoted(arrow.label)}", fontsize=9];')
    return "\n".join([*lines, "}", ""])


def _quoted(value: str) -> str:
    return text.safe(value).replace("\\", "\\\\").replace('"', '\\"')


def svg(boxes: Sequence[Box], arrows: Sequence[Arrow], title: str) -> str:
    """Return the graph as a picture; texts that are too long are cut, and whole as a tooltip."""
    layout = _lay_out(boxes, arrows)
    by_key = {box.key: box for box in boxes}
    widths = [max(_width(by_key[key]) for key in column) for column in layout.columns]
    tallest = max((len(column) for column in layout.columns), default=1)
    places: dict[str, tuple[float, float, float]] = {}
    left = float(_MARGIN)
    for column, width in zip(layout.columns, widths, strict=True):
        top = _MARGIN + (tallest - len(column)) * _ROW / 2
        places |= {key: (left, top + row * _ROW, width) for row, key in enumerate(column)}
        left += width + _GAP
    size = left - _GAP + _MARGIN, 2 * _MARGIN + tallest * _ROW
    parts = [_line(arrow, places, (arrow.source, arrow.target) in layout.back) for arrow in arrows]
    parts += [_box(box, *places[box.key]) for box in boxes]
    return (
        _HEAD.format(width=round(size[0]), height=round(size[1]), title=_escaped(title))
        + "\n".join(parts)
        + "\n</svg>\n"
    )


_HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"
 font-family="system-ui, sans-serif" font-size="12">
<title>{title}</title>
<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0 0L8 4L0 8z" fill="#888"/></marker></defs>
<rect width="100%" height="100%" fill="#fff"/>
"""


def _escaped(value: str) -> str:
    return html.escape(text.safe(value))


def _width(box: Box) -> float:
    longest = max(len(box.title), len(box.note))
    return max(_MIN_WIDTH, 16 + _CHAR * min(longest, _MAX_CHARS))


def _box(box: Box, left: float, top: float, width: float) -> str:
    fill, border = _COLOURS[box.kind]
    stroke = 3 if box.chosen else 1
    dash = ' stroke-dasharray="4 3"' if box.kind == "more" else ""
    round_ = {"run": 6, "code": 18}.get(box.kind, 1)
    lines = [line for line in (box.title, box.note) if line]
    rows = [
        f'<text x="{left + 8:.0f}" y="{top + (16 if len(lines) > 1 else 23) + 15 * at:.0f}"'
        f"{'' if at else _BOLD}>{_escaped(text.shorten(text.safe(line), _MAX_CHARS))}</text>"
        for at, line in enumerate(lines)
    ]
    frame = (
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{_BOX_HEIGHT}" rx="{round_}" fill="{fill}"'
        f' stroke="{border}" stroke-width="{stroke}"{dash}/>'
    )
    whole = _escaped(" · ".join(lines))
    return f"<g><title>{whole}</title>{frame}{''.join(rows)}</g>"


def _line(arrow: Arrow, places: Mapping[str, tuple[float, float, float]], backwards: bool) -> str:
    left, top, width = places[arrow.source]
    to_left, to_top, _ = places[arrow.target]
    x1, y1, x2, y2 = left + width, top + _BOX_HEIGHT / 2, to_left, to_top + _BOX_HEIGHT / 2
    bend = max(30.0, abs(x2 - x1) / 2)
    dash = ' stroke-dasharray="5 4"' if backwards else ""
    path = f"M{x1:.0f} {y1:.0f}C{x1 + bend:.0f} {y1:.0f} {x2 - bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    drawn = f'<path d="{path}" fill="none" stroke="#888"{dash} marker-end="url(#end)"/>'
    if not arrow.label:
        return drawn
    x, y = (x1 + x2) / 2, (y1 + y2) / 2 - 4
    look = 'text-anchor="middle" font-size="10" fill="#555"'
    return f'{drawn}<text x="{x:.0f}" y="{y:.0f}" {look}>{_escaped(arrow.label)}</text>'


def _lay_out(boxes: Sequence[Box], arrows: Sequence[Arrow]) -> _Layout:
    """Give each box a column right of all that leads to it; arrows that close a circle are left out of that."""
    after: dict[str, list[str]] = {box.key: [] for box in boxes}
    for arrow in arrows:
        after[arrow.source].append(arrow.target)
    order, back = _ordered(after)
    column = dict.fromkeys(order, 0)
    for key in order:
        for target in after[key]:
            if (key, target) not in back:
                column[target] = max(column[target], column[key] + 1)
    led_to = {target for key in order for target in after[key]}
    for key in order:  # what nothing leads to stands right before what it leads to
        if key not in led_to and after[key]:
            column[key] = max(0, min(column[target] for target in after[key]) - 1)
    columns: list[list[str]] = [[] for _ in range(max(column.values(), default=0) + 1)]
    for box in boxes:
        columns[column[box.key]].append(box.key)
    return _Layout(_untangled([keys for keys in columns if keys], arrows), back)


def _ordered(after: Mapping[str, Sequence[str]]) -> tuple[list[str], set[tuple[str, str]]]:
    """Return the boxes so that arrows lead forwards, and the arrows that cannot; without recursion."""
    done: list[str] = []
    state: dict[str, int] = {}  # 1: on the way to here, 2: done
    back: set[tuple[str, str]] = set()
    for start in after:
        waiting = [(start, iter(after[start]))] if start not in state else []
        state.setdefault(start, 1)
        while waiting:
            key, rest = waiting[-1]
            target = next(rest, None)
            if target is None:
                waiting.pop()
                if state[key] != 2:
                    state[key] = 2
                    done.append(key)
            elif state.get(target) == 1:
                back.add((key, target))
            elif target not in state:
                state[target] = 1
                waiting.append((target, iter(after[target])))
    return done[::-1], back


def _untangled(columns: list[list[str]], arrows: Sequence[Arrow]) -> list[list[str]]:
    """Order each column by the middle of what its boxes are joined to, from the left and from the right by turns."""
    joined: dict[str, list[str]] = {}
    for arrow in arrows:
        joined.setdefault(arrow.source, []).append(arrow.target)
        joined.setdefault(arrow.target, []).append(arrow.source)
    for turn in range(_ROUNDS):
        place = {key: row / max(len(column), 1) for column in columns for row, key in enumerate(column)}
        for column in columns if turn % 2 == 0 else columns[::-1]:
            middle = {key: _middle([place[other] for other in joined.get(key, ())], place[key]) for key in column}
            column.sort(key=middle.__getitem__)
            place |= {key: row / max(len(column), 1) for row, key in enumerate(column)}
    return columns


def _middle(found: Sequence[float], own: float) -> float:
    return sum(found) / len(found) if found else own
