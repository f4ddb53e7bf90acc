"""Lineage: which runs made and read what, both ways from a run, a file or its hash; bounded, whatever records say."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gitexp import ids, text
from gitexp.capture import data
from gitexp.errors import Ambiguous, GitexpError, NotFound, UsageError
from gitexp.git import objects, refs
from gitexp.index import database, kept
from gitexp.index.database import Index
from gitexp.index.kept import Made, Member, Read
from gitexp.ops.finding import digests, find, using
from gitexp.ops.finding.digests import Content
from gitexp.ops.recording import data as hashed
from gitexp.ops.registry import models as named
from gitexp.record import rules as ruling
from gitexp.record.model import Model, Version
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

LIMIT = 1000  # things in one graph
DEPTH = 8  # steps away from what was asked for, each way
_EMPTY = hashlib.sha256(b"").hexdigest()  # that two runs have an empty file says nothing
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})|sha256:([0-9a-f]{4,63})")


@dataclass(frozen=True, slots=True)
class Node:
    """A run, a file (of whatever names, by its bytes), a version of a model or a commit of code; `level` counts steps,
    before it negative."""

    key: str
    kind: str  # run, file, model, code
    name: str
    note: str
    level: int
    id: str = ""  # of a run
    sha256: str = ""  # of a file
    here: bool = True  # whether the run's record is in this clone


@dataclass(frozen=True, slots=True)
class Edge:
    """What came of what: `made`, `parent` and `forked` begin at a run, `read`, `used` at a file, `code` at a commit,
    `registered` at the file, or the run, that is the version of a model."""

    source: str
    target: str
    kind: str
    name: str = ""  # what the run calls the file


@dataclass(slots=True)
class Graph:
    """What is around `root`; `left_out` things were beyond the limit or the depth."""

    root: str
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    left_out: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp lineage --json` prints."""
        nodes = [asdict(node) for node in self.nodes.values()]
        edges = [asdict(edge) for edge in self.edges]
        return {"root": self.root, "nodes": nodes, "edges": edges, "left_out": self.left_out}


def of(workspace: Workspace, said: str, *, depth: int = DEPTH, limit: int = LIMIT) -> Graph:
    """Return the graph around a run, an artifact (`RUN:PATH`), a version (`NAME:3`), a file or folder, or a sha256.

    Raises NotFound where no run knows it, and Ambiguous.
    """
    walk = _Walk(workspace, database.of(workspace), depth, limit)
    digests.complete(walk.index, likely=True)
    if match := _SHA256.fullmatch(said):
        return _of_content(walk, Content(_whole(workspace, match[1] or match[2])), "")
    try:
        run = find.one(workspace, said, removed=True)
    except (NotFound, Ambiguous, GitexpError) as error:
        if (released := _released(workspace, said)) is not None:
            return _of_version(walk, *released)
        return _of_path(walk, said, error)
    return _of_run(walk, run)


def _whole(workspace: Workspace, prefix: str) -> str:
    if len(prefix) == 64:
        return prefix
    found = digests.beginning(workspace, prefix)
    if len(found) > 1:
        raise Ambiguous(f"sha256:{prefix} begins {len(found)} hashes", hint="give more of it", candidates=found[:12])
    if not found:
        raise NotFound(f"no run made or read bytes of sha256 {prefix}…", hint="gitexp fetch")
    return found[0]


def _of_path(walk: _Walk, said: str, trouble: GitexpError) -> Graph:
    path = Path(said)
    if path.is_file():
        return _of_content(walk, digests.of_file(path), path.name)
    if path.is_dir():
        found = data.check(path, hashed.hasher(walk.workspace))
        if found.sha256 is None:
            raise UsageError(f"{text.safe(said)} cannot be hashed: {found.unread}", hint="name a file in it")
        return _of_content(walk, Content(found.sha256), path.name + "/")
    if not re.search(r".[:@].", said):
        raise trouble
    asked = using.find(walk.workspace, said)
    if asked.name.endswith("/"):
        raise NotFound(f"{asked.label} is a folder", hint=f"gitexp lineage {asked.label}FILE")
    item = asked.items[0]
    content = Content(using.sha256_of(asked.run, item), item.oid if item.sha256 is None else "")
    return _of_content(walk, content, item.name)


def _of_run(walk: _Walk, run: Run) -> Graph:
    found = kept.members_called(walk.index, [run.id])
    if not found:
        raise NotFound(f"run {ids.short(run.id)} is gone", hint="gitexp log --all")
    member = found[0]
    walk.graph.root = walk.run(member, 0)
    for previous in (parent.commit for parent in run.record.parents if parent.role == "previous"):
        walk.code(previous, member, 0, kind="resumed")
    walk.before([member], 0)
    walk.after([member], 0)
    return walk.graph


def _released(workspace: Workspace, said: str) -> tuple[Model, Version] | None:
    """Return the version of a model that a text means, None where it means none: it may be an artifact then."""
    if not re.search(r".[:@].", said) or not refs.listing(workspace.repo, ids.MODELS):
        return None
    try:
        return named.version(workspace, said)
    except GitexpError:
        return None


def _of_version(walk: _Walk, model: Model, version: Version) -> Graph:
    walk.graph.root = key = walk.version(model, version, 0)
    found = kept.members_called(walk.index, [version.run]) if version.run else []
    for member in found:
        walk.edge(walk.run(member, -1), key, "registered", version.artifact)
    if version.run and not found:
        walk.edge(walk.absent(version.run, -1), key, "registered", version.artifact)
    walk.before(found, -1)
    return walk.graph


def _of_content(walk: _Walk, content: Content, name: str) -> Graph:
    if not content.blob:
        digests.complete(walk.index)
    made = digests.made(walk.workspace, content)
    read = kept.readers(walk.index, [content.sha256])
    if not made and not read:
        what = (
            f"{text.safe(name)} (sha256 {content.sha256[:12]}…)" if name else f"bytes of sha256 {content.sha256[:12]}…"
        )
        raise NotFound(f"no run made or read {what}", hint="runs of others come with: gitexp fetch")
    size = next((item.size_bytes for item in made), None) or next((item.size_bytes for item in read), None)
    name = name or min([*(item.name for item in made), *(item.name for item in read)])
    walk.graph.root = root = walk.file(content.sha256, name, size, 0)
    makers = walk.members({item.key: item.name for item in made}, root, -1, "made")
    walk.before(makers, -1)
    walk.versions_of(makers, content.sha256, root)
    data = walk.members({item.key: item.name for item in read if not item.source}, root, 1, "read")
    used = walk.members({item.key: item.name for item in read if item.source}, root, 1, "used")
    walk.after([*data, *used], 1)
    return walk.graph


@dataclass(slots=True)
class _Walk:
    """A graph while it grows, a level at a time, each way on its own: others of the same data are not followed."""

    workspace: Workspace
    index: Index
    depth: int
    limit: int
    graph: Graph = field(default_factory=lambda: Graph(""))
    seen: set[tuple[str, str, str]] = field(default_factory=set)

    def node(self, node: Node) -> bool:
        """Add a node; False where there is no room."""
        if node.key in self.graph.nodes:
            return True
        if len(self.graph.nodes) >= self.limit or abs(node.level) > self.depth:
            self.graph.left_out += 1
            return False
        self.graph.nodes[node.key] = node
        return True

    def edge(self, source: str, target: str, kind: str, name: str = "") -> None:
        """Add an edge once, where both its ends are there."""
        key = source, target, kind
        if key not in self.seen and source in self.graph.nodes and target in self.graph.nodes:
            self.seen.add(key)
            self.graph.edges.append(Edge(source, target, kind, name))

    def run(self, member: Member, level: int) -> str:
        """Add a run."""
        note = member.status + (", removed" if member.removed else "")
        key = f"run:{member.id}"
        self.node(Node(key, "run", f"{member.experiment}/{member.name}", note, level, id=member.id))
        return key

    def absent(self, run_id: str, level: int) -> str:
        """Add a run that a record names and that is not here."""
        self.node(Node(f"run:{run_id}", "run", "", "not in this clone", level, id=run_id, here=False))
        return f"run:{run_id}"

    def version(self, model: Model, version: Version, level: int) -> str:
        """Add a version of a model."""
        note = version.stage if version.stage != ruling.NONE else ""
        key = f"model:{version.id}"
        self.node(Node(key, "model", f"{model.name}:{version.number}", note, level, sha256=version.sha256))
        return key

    def file(self, sha256: str, name: str, size: float | None, level: int, *, key: str = "") -> str:
        """Add a file."""
        key = f"file:{key or sha256}"
        note = text.size(int(size)) if size is not None else ""
        self.node(Node(key, "file", name, note, level, sha256=sha256))
        return key

    def code(self, commit: str, member: Member, level: int, *, kind: str = "code") -> None:
        """Add the commit that a run ran, or went on from."""
        subject = ""
        if objects.exists(self.workspace.repo, commit):
            subject = objects.read_commit(self.workspace.repo, commit).message.partition("\n")[0]
        edits = "with uncommitted edits" if member.dirty and kind == "code" else ""
        self.node(
            Node(f"code:{commit}", "code", commit[:7], f'"{text.shorten(subject, 60)}"' if subject else "", level - 1)
        )
        self.edge(f"code:{commit}", f"run:{member.id}", kind, edits)

    def members(self, keys: dict[int, str], at: str, level: int, kind: str) -> list[Member]:
        """Add runs at one end of a file, the newest first, and return those that had room."""
        found = sorted(kept.members(self.index, list(keys)), key=lambda run: (-run.start_ms, run.id))
        for member in found:
            key = self.run(member, level)
            self.edge(*((key, at) if kind == "made" else (at, key)), kind, keys[member.key])
        return self._there(found)

    def _there(self, found: Iterable[Member]) -> list[Member]:
        return [member for member in found if f"run:{member.id}" in self.graph.nodes]

    def before(self, frontier: Sequence[Member], level: int) -> None:
        """Add what runs came from: code, data, artifacts and their makers, parents, and so on."""
        done: set[int] = set()
        while frontier:
            done |= {member.key for member in frontier}
            above = self._sources(frontier, level) + self._parents(frontier, level)
            frontier = [member for member in {run.key: run for run in above}.values() if member.key not in done]
            level -= 2

    def _sources(self, frontier: Sequence[Member], level: int) -> list[Member]:
        ids_of = {member.key: member for member in frontier}
        for member in frontier:
            if member.code:
                self.code(member.code, member, level)
        read = [item for item in kept.read_by(self.index, ids_of) if item.key in ids_of]
        for item in read:
            key = self.file(item.sha256 or "", item.name, item.size_bytes, level - 1, key=_key(item))
            self.edge(key, f"run:{ids_of[item.key].id}", "used" if item.source else "read", item.name)
        return self._makers(read, level)

    def _makers(self, read: Sequence[Read], level: int) -> list[Member]:
        """Add the runs that made what was read: the one that was named, else all that made these bytes."""
        named = {item.source for item in read if item.source}
        known = {member.id: member for member in kept.members_called(self.index, sorted(named))}
        for item in read:
            if item.source:
                member = known.get(item.source)
                key = self.run(member, level - 2) if member else self.absent(item.source, level - 2)
                self.edge(key, f"file:{_key(item)}", "made", item.name)
        hashes = sorted({item.sha256 for item in read if item.sha256 and not item.source} - {_EMPTY})
        made = kept.makers(self.index, hashes)
        others = {member.key: member for member in kept.members(self.index, [key for _, key in made])}
        for sha256, at in sorted(made, key=lambda pair: -others[pair[1]].start_ms if pair[1] in others else 0):
            if at in others:
                self.edge(self.run(others[at], level - 2), f"file:{sha256}", "made")
        return self._there([*known.values(), *others.values()])

    def _parents(self, frontier: Sequence[Member], level: int) -> list[Member]:
        wanted = {(member.parent, "parent", member.id) for member in frontier if member.parent}
        wanted |= {(member.forked_from, "forked", member.id) for member in frontier if member.forked_from}
        known = {member.id: member for member in kept.members_called(self.index, sorted({item[0] for item in wanted}))}
        for run_id, kind, child in sorted(wanted):
            key = self.run(known[run_id], level - 2) if run_id in known else self.absent(run_id, level - 2)
            self.edge(key, f"run:{child}", kind)
        return self._there(known.values())

    def after(self, frontier: Sequence[Member], level: int) -> None:
        """Add what came of runs: what they made, who read it, their children and forks, and so on."""
        done: set[int] = set()
        while frontier:
            done |= {member.key for member in frontier}
            below = self._readers(frontier, level) + self._children(frontier, level)
            self._versions(frontier, level)
            frontier = [member for member in {run.key: run for run in below}.values() if member.key not in done]
            level += 2

    def _readers(self, frontier: Sequence[Member], level: int) -> list[Member]:
        by_key = {member.key: member for member in frontier}
        made = kept.made_by(self.index, by_key)
        named = kept.readers_of_runs(self.index, sorted(member.id for member in frontier))
        hashed = kept.hashes(self.index, [item.blob for item in made if item.blob])
        said = {(use.source, use.name): use.sha256 or "" for use in named}
        sha_of = {
            id(item): item.sha256 or hashed.get(item.blob or "") or said.get((by_key[item.key].id, item.name), "")
            for item in made
        }
        read = named + kept.readers(self.index, sorted({found for found in sha_of.values() if found} - {_EMPTY}))
        wanted = {item.sha256 for item in read}
        for item in made:
            if level == 0 or sha_of[id(item)] in wanted:
                self._made(by_key[item.key], item, sha_of[id(item)], level)
        for use in read:  # of a folder, or of a small file that has no hash here: the run that made it is named
            maker = f"run:{use.source}"
            if use.source and f"file:{_key(use)}" not in self.graph.nodes and maker in self.graph.nodes:
                self.edge(
                    maker, self.file(use.sha256 or "", use.name, None, level + 1, key=_key(use)), "made", use.name
                )
        known = {member.key: member for member in kept.members(self.index, list({item.key for item in read}))}
        for use in sorted(read, key=lambda use: -known[use.key].start_ms if use.key in known else 0):
            if use.key in known and f"file:{_key(use)}" in self.graph.nodes:
                self.edge(f"file:{_key(use)}", self.run(known[use.key], level + 2), "used" if use.source else "read")
        return self._there(known.values())

    def versions_of(self, makers: Sequence[Member], sha256: str, at: str) -> None:
        """Add the versions of models that are some bytes."""
        for found in named.of_runs(self.workspace, [member.id for member in makers]).values():
            for model, version in found:
                if version.sha256 == sha256:
                    self.edge(at, self.version(model, version, 1), "registered", version.artifact)

    def _versions(self, frontier: Sequence[Member], level: int) -> None:
        """Add the versions of models that runs have, each at its file where that is shown."""
        for run_id, found in named.of_runs(self.workspace, [member.id for member in frontier]).items():
            for model, version in found:
                source = self._file_of(run_id, version)
                key = self.version(model, version, level + (1 if source.startswith("run:") else 2))
                self.edge(source, key, "registered", version.artifact)

    def _file_of(self, run_id: str, version: Version) -> str:
        """Return the file that a version is, where it is shown; else its run."""
        made = (edge for edge in self.graph.edges if edge.source == f"run:{run_id}" and edge.kind == "made")
        named_so = next((edge.target for edge in made if edge.name == version.artifact), "")
        known = f"file:{version.sha256}"
        return known if known in self.graph.nodes else named_so or f"run:{run_id}"

    def _made(self, member: Member, item: Made, sha256: str, level: int) -> None:
        key = self.file(sha256, item.name, item.size_bytes, level + 1, key=sha256 or f"{member.id}/{item.name}")
        self.edge(f"run:{member.id}", key, "made", item.name)

    def _children(self, frontier: Sequence[Member], level: int) -> list[Member]:
        own = {member.id for member in frontier}
        found = sorted(kept.offspring(self.index, sorted(own)), key=lambda run: (-run.start_ms, run.id))
        for member in found:
            key = self.run(member, level + 2)
            for above, kind in ((member.parent, "parent"), (member.forked_from, "forked")):
                if above in own:
                    self.edge(f"run:{above}", key, kind)
        return self._there(found)


def _key(item: Read) -> str:
    return item.sha256 or (f"{item.source}/{item.name}" if item.source else item.uri or f"data {item.name}")
