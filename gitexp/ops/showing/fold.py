"""A lineage that people can read: long rows of equals folded, and what stands for things in pictures."""

from __future__ import annotations

from collections import deque

from gitexp import ids, text
from gitexp.ops.showing.lineage import Edge, Graph, Node
from gitexp.plots.graph import Arrow, Box

PER = 12  # equals in a row: files that a run made, runs that read a file
_NOUNS = {"run": "run", "file": "file", "code": "commit", "model": "version"}


def fold(graph: Graph, per: int = PER) -> Graph:
    """Return the graph with at most `per` things of a kind at any one thing; what only the others led to goes too."""
    joined: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        joined.setdefault(edge.source, []).append(edge)
        joined.setdefault(edge.target, []).append(edge)
    folded = Graph(graph.root, {graph.root: graph.nodes[graph.root]}, left_out=graph.left_out)
    waiting, kept, cut = deque([graph.root]), set[Edge](), list[tuple[str, list[Edge]]]()
    while waiting:
        key = waiting.popleft()
        for group in _groups(key, joined.get(key, [])):
            shown = group if len(group) <= per else group[: per - 1]
            if len(shown) < len(group):
                cut.append((key, group[per - 1 :]))
            for edge in shown:
                other = edge.target if edge.source == key else edge.source
                kept.add(edge)
                if other not in folded.nodes:
                    folded.nodes[other] = graph.nodes[other]
                    waiting.append(other)
    folded.edges = [edge for edge in graph.edges if edge in kept or _is_within(edge, folded)]
    for key, edges in cut:
        _stand_in(folded, graph, key, edges)
    return folded


def _groups(key: str, edges: list[Edge]) -> list[list[Edge]]:
    found: dict[tuple[str, bool], list[Edge]] = {}
    for edge in edges:
        found.setdefault((edge.kind, edge.source == key), []).append(edge)
    return list(found.values())


def _is_within(edge: Edge, graph: Graph) -> bool:
    return edge.source in graph.nodes and edge.target in graph.nodes


def _stand_in(folded: Graph, graph: Graph, key: str, edges: list[Edge]) -> None:
    """Put one thing in the place of those that were cut and that nothing else leads to."""
    others = [edge.target if edge.source == key else edge.source for edge in edges]
    left = [other for other in others if other not in folded.nodes]
    if not left:
        return
    first, node = edges[0], graph.nodes[left[0]]
    more = f"more:{key}:{first.kind}:{first.source == key}"
    name = text.plural(len(left), f"more {_NOUNS[node.kind]}")
    folded.nodes[more] = Node(more, "more", name, "", node.level)
    folded.edges.append(Edge(*((key, more) if first.source == key else (more, key)), first.kind))


def title(node: Node) -> str:
    """Return what a thing is called."""
    return node.name or ids.short(node.id)


def drawn(graph: Graph) -> tuple[list[Box], list[Arrow]]:
    """Return the graph as boxes and arrows."""
    boxes = [
        Box(node.key, node.kind, title(node), _detail(node), node.key == graph.root) for node in graph.nodes.values()
    ]
    words = {"made": "", "code": "", "more": ""}
    return boxes, [Arrow(edge.source, edge.target, words.get(edge.kind, edge.kind)) for edge in graph.edges]


def _detail(node: Node) -> str:
    extra = ids.short(node.id) if node.kind == "run" else node.sha256[:8]
    return "  ".join(part for part in (extra if node.kind != "code" else "", node.note) if part)
