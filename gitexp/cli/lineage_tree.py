"""A lineage as lines of text: two trees from what was asked for, to what it came from and to what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gitexp import ids, text
from gitexp.ops.showing.lineage import Edge, Graph, Node

_BEFORE = {
    "made": "made by", "read": "data", "used": "used", "parent": "parent", "forked": "forked from", "code": "code",
    "resumed": "went on from", "registered": "from",
}  # fmt: skip
_AFTER = {
    "made": "made",
    "read": "read by",
    "used": "used by",
    "parent": "child",
    "forked": "fork",
    "code": "ran by",
    "registered": "registered as",
}
_ORDER = ("code", "resumed", "read", "used", "parent", "forked", "made", "registered")


def lines(graph: Graph) -> Iterator[str]:
    """Yield the lines; what was shown before is named again, not what is behind it."""
    root = graph.nodes[graph.root]
    yield f"{root.kind} {_shown(root, None)}"
    for heading, forwards in (("from", False), ("to", True)):
        edges = _sorted(graph, forwards)
        if not edges.get(graph.root):
            yield f"{heading}: nothing that is known here" if root.kind == "file" else f"{heading}: nothing"
            continue
        yield heading
        yield from _tree(graph, edges, _AFTER if forwards else _BEFORE, forwards)


def _sorted(graph: Graph, forwards: bool) -> dict[str, list[Edge]]:
    found: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        found.setdefault(edge.source if forwards else edge.target, []).append(edge)
    for edges in found.values():
        edges.sort(key=lambda edge: _ORDER.index(edge.kind))
    return found


def _tree(graph: Graph, edges: Mapping[str, Sequence[Edge]], words: Mapping[str, str], forwards: bool) -> Iterator[str]:
    """Yield one tree, without recursion: records from elsewhere may lead in circles, or be thousands deep."""
    shown = {graph.root}
    open_nodes = [("", iter(_last(edges[graph.root])))]
    while open_nodes:
        indent, rest = open_nodes[-1]
        item = next(rest, None)
        if item is None:
            open_nodes.pop()
            continue
        edge, is_last = item
        key = edge.target if forwards else edge.source
        again = key in shown and bool(edges.get(key))
        mark = " (above)" if again else ""
        yield f"{indent}{'└─' if is_last else '├─'} {words[edge.kind]} {_shown(graph.nodes[key], edge)}{mark}"
        if not again and edges.get(key):
            open_nodes.append((indent + ("   " if is_last else "│  "), iter(_last(edges[key]))))
        shown.add(key)


def _last(edges: Sequence[Edge]) -> list[tuple[Edge, bool]]:
    return [(edge, at == len(edges) - 1) for at, edge in enumerate(edges)]


def _shown(node: Node, edge: Edge | None) -> str:
    if node.kind == "run":
        parts = [ids.short(node.id), text.safe(node.name), node.note]
    elif node.kind == "file":
        parts = [text.safe(edge.name if edge is not None and edge.name else node.name), node.note, node.sha256[:12]]
    elif node.kind == "code":
        parts = [node.name, text.safe(node.note), edge.name if edge is not None else ""]
    elif node.kind == "model":
        parts = [text.safe(node.name), text.safe(node.note), node.sha256[:12]]
    else:
        parts = [node.name]
    return "  ".join(part for part in parts if part)
