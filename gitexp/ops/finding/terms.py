"""What a condition asks for, and what runs have of it: to say why one holds or does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from gitexp import canonical, text
from gitexp.index import search, values
from gitexp.index.compile import Context
from gitexp.index.database import Index
from gitexp.query import nodes

_FLAGS = frozenset({"archived", "favourite", "removed", "pushed", "own", "live", "code.dirty"})
_TIMES = frozenset({"start", "end"})


def mentioned(node: object) -> Iterator[nodes.Field | nodes.Name]:
    """Yield the fields and names that a condition asks for, in its order, as often as they stand in it."""
    left = [node]
    while left:  # a condition may be nested deeper than Python's own stack
        found = left.pop()
        if isinstance(found, nodes.Field | nodes.Name):
            yield found
        elif isinstance(found, tuple):
            left += reversed(found)
        elif is_dataclass(found) and not isinstance(found, type):
            left += [getattr(found, item.name) for item in reversed(fields(found))]


def metrics(index: Index, node: object) -> list[nodes.Name]:
    """Return the metrics that a condition asks for: those that some run has."""
    found = []
    for item in mentioned(node):
        if isinstance(item, nodes.Name) and item.kind in ("metric", "") and item.aggregate != "count":
            is_metric = index.catalogue.column("metric", item.name, "last") is not None
            found += [item] if is_metric and item not in found else []
    return found


def held(index: Index, node: nodes.Node, among: nodes.Node, context: Context) -> dict[str, dict[str, Any]]:
    """Return {run id: {name as it is written: value}} of what a condition asks for, of the runs `among`."""
    names = {nodes.spell(item): item for item in mentioned(node)}
    found = search.values(index, [nodes.Field("id"), *names.values()], among, context=context)
    return {
        run_id: {name: _value(item, value) for (name, item), value in zip(names.items(), row, strict=True)}
        for run_id, *row in found
    }


def shown(name: str, value: Any) -> str:
    """Return a value that was asked for as people read it: 0.61, 54:27 for a duration, - for nothing."""
    if name == "duration" and value is not None:
        return text.duration(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return "-" if value is None else text.value(value)


def _value(item: nodes.Field | nodes.Name, value: Any) -> Any:
    if isinstance(item, nodes.Field) and value is not None:
        if item.name in _FLAGS:
            return bool(value)
        if item.name in _TIMES:
            return canonical.iso(value)
    return values.decode(value)
