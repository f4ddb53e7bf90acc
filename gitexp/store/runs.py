"""Runs as they are stored: listed from refs, read lazily, written as one commit each."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gitexp import canonical, ids, text
from gitexp.errors import Conflict, Damaged, Unsupported
from gitexp.git import lfslocal, objects, packs, refs, signing
from gitexp.git.objects import Commit, Entry, Signature
from gitexp.record import logged, message, names, params, points, summary, used
from gitexp.record import pointer as pointers
from gitexp.record import run as run_json
from gitexp.record.logged import Logged
from gitexp.record.pointer import Pointer
from gitexp.record.points import Point
from gitexp.record.run import RunRecord
from gitexp.record.summary import Aggregate
from gitexp.record.used import Use
from gitexp.store import objects as large
from gitexp.store import reflog
from gitexp.store.workspace import Workspace

REF_PREFIX = "refs/experiments/"
FOLDER = ".gitexp"
ATTRIBUTES = b"* !filter !diff !merge !ident !working-tree-encoding -text\n"
JSON_LIMIT = 16 << 20  # bytes of one JSON file that a reader takes
PACK_FILES = 200  # small artifacts from which on they are written as one pack
TEXT_LIMIT = 64 << 20  # bytes of one CSV or log that stands in Git itself


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file a run produced: its own name, bytes, sha256 (None for a small one that stands in Git), blob and mode."""

    name: str
    size_bytes: int
    sha256: str | None
    oid: str
    mode: int = objects.FILE
    stored: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """What the run commit alone says, for lists: ten microseconds a run. Times in milliseconds, to the second."""

    ref: str
    commit: str
    id: str
    experiment: str
    name: str
    status: str
    dirty: bool
    start_ms: int
    end_ms: int
    author: str
    parents: tuple[str, ...]
    message: str


class Run:
    """One run, read from its commit as far as it is asked for.

    `ref` is None for a commit that no ref names. Each part raises Damaged where the record does not parse.
    """

    live = False

    def __init__(self, workspace: Workspace, commit: str, ref: str | None = None) -> None:
        self.workspace = workspace
        self.commit: str | None = commit
        self.ref = ref

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.ref or self.commit}>"

    @cached_property
    def record(self) -> RunRecord:
        """run.json."""
        data = self.file("run.json")
        if data is None:
            raise Damaged(f"{self.commit} has no {FOLDER}/run.json", hint="gitexp fsck")
        return self._decoded(data)

    def take(self, data: bytes) -> None:
        """Take run.json from who has read it already; raises Damaged or Unsupported."""
        self.__dict__["record"] = self._decoded(data)

    def _decoded(self, data: bytes) -> RunRecord:
        found = run_json.decode(data)
        if self.ref is not None and not self.ref.endswith("-" + ids.short(found.id)):
            raise Damaged(f"{self.ref} holds the record of another run, {ids.short(found.id)}", hint="gitexp fsck")
        return found

    @property
    def id(self) -> str:
        """The run's id, 16 letters."""
        return self.record.id

    @property
    def name(self) -> str:
        """The run's display name as it was recorded."""
        return self.record.name

    @property
    def experiment(self) -> str:
        """The name of its experiment as it was recorded."""
        return self.record.experiment

    @property
    def label(self) -> str:
        """What messages call it: churn/lr0.05 (kqzvmxr)."""
        return f"{text.safe(self.experiment)}/{text.safe(self.name)} ({ids.short(self.id)})"

    @property
    def status(self) -> str:
        """running, completed, failed or killed."""
        return self.record.status

    @cached_property
    def params(self) -> dict[str, Any]:
        """Nested params."""
        data = self.file("params.json")
        return {} if data is None else params.decode(data)

    @cached_property
    def flat_params(self) -> dict[str, Any]:
        """{dotted path: value}."""
        return params.flatten(self.params)

    @cached_property
    def summary(self) -> dict[str, Aggregate]:
        """{metric: its aggregates}, in the order in which summary.json has them (by name)."""
        data = self.file("summary.json")
        return {} if data is None else summary.decode(data)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """environment.json, {} where there is none."""
        found = self._json("environment.json", {})
        return found if isinstance(found, dict) else {}

    @cached_property
    def data(self) -> list[dict[str, Any]]:
        """data.json: the datasets, [] where there are none."""
        found = self._json("data.json", [])
        return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []

    @cached_property
    def used(self) -> list[Use]:
        """used.json: the artifacts of other runs that it read, [] where there are none."""
        data = self.file("used.json")
        return [] if data is None else used.decode(data)

    @cached_property
    def logged(self) -> Logged:
        """logged-models.json: what it says of models as MLflow knows them."""
        data = self.file("logged-models.json")
        return Logged() if data is None else logged.decode(data)

    def points(self) -> Iterator[Point]:
        """Yield the metric points in the order stored; raises Damaged, also where their bytes are not here."""
        return self._points("metrics.csv")

    def system(self) -> Iterator[Point]:
        """Yield the system metrics."""
        return self._points("system.csv")

    def _points(self, name: str) -> Iterator[Point]:
        data = self.file(name)
        return iter(()) if data is None else points.decode(data)

    def _json(self, name: str, default: Any) -> Any:
        data = self.file(name)
        try:
            return default if data is None else canonical.loads(data)
        except ValueError as error:
            raise Damaged(f"{name} of {self.ref or self.commit} does not parse: {error}", hint="gitexp fsck") from error

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """The record's own entries, {name: entry}: files and the artifacts' folder."""
        tree = objects.tree_of(self.workspace.repo, str(self.commit))
        folder = objects.subtree(self.workspace.repo, tree, FOLDER)
        return {item.name: item for item in objects.entries(self.workspace.repo, folder)} if folder else {}

    def file(self, name: str) -> bytes | None:
        """Return the bytes of one file of the record (those that a pointer means), None where there is none."""
        found = self.entries.get(name)
        if found is None or not found.is_file:
            return None
        limit = JSON_LIMIT if name.endswith(".json") else TEXT_LIMIT
        data = objects.read_blob(self.workspace.repo, found.oid, limit_bytes=limit)
        pointer = pointers.decode(data)
        return data if pointer is None else self._bytes(name, pointer, limit)

    def _bytes(self, name: str, pointer: Pointer, limit: int) -> bytes:
        if name.endswith(".json") and pointer.size_bytes > limit:
            raise Damaged(f"{name} of {self.ref or self.commit} has {pointer.size_bytes:,} bytes", hint="gitexp fsck")
        path = large.path(self.workspace, pointer.sha256)
        if path is None:
            raise Damaged(
                f"the bytes of {name} ({pointer.sha256[:8]}) are not here", hint="fetch them where they were recorded"
            )
        return path.read_bytes()

    def pointer(self, name: str) -> Pointer | None:
        """Return the pointer that stands for a file of the record, None where its bytes stand in Git."""
        found = self.entries.get(name)
        return None if found is None or found.mode == objects.TREE else pointer_in(self.workspace, found.oid)

    @cached_property
    def artifact_facts(self) -> dict[str, dict[str, Any]]:
        """{name of an artifact or logged folder: what is said of it}: type, role, step, caption, metadata …"""
        return self._said_of_artifacts("artifacts")

    @cached_property
    def links(self) -> dict[str, dict[str, Any]]:
        """{name: link} of the artifacts whose bytes stay elsewhere: uri, sha256, size, and what is said of them."""
        return self._said_of_artifacts("links")

    def facts_of(self, name: str) -> dict[str, Any]:
        """Return what is said of an artifact: of itself, else of the nearest folder that was logged with it."""
        said = self.artifact_facts
        while said and name:
            if name in said:
                return said[name]
            name = name.rpartition("/")[0]
        return {}

    def _said_of_artifacts(self, part: str) -> dict[str, dict[str, Any]]:
        found = self._json("artifacts.json", {})
        rows = found.get(part) if isinstance(found, dict) else None
        return {name: row for name, row in rows.items() if isinstance(row, dict)} if isinstance(rows, dict) else {}

    def is_here(self, artifact: Artifact) -> bool:
        """Say whether an artifact's bytes are in this clone: small ones stand in Git, or in the journal."""
        return artifact.sha256 is None or large.path(self.workspace, artifact.sha256) is not None

    def artifact_bytes(self, artifact: Artifact, limit_bytes: int) -> bytes | None:
        """Return an artifact's bytes, None where they are not here, or more than the limit; raises Damaged."""
        if artifact.size_bytes > limit_bytes:
            return None
        if artifact.sha256 is None:
            return objects.read_blob(self.workspace.repo, artifact.oid, limit_bytes=limit_bytes)
        path = large.path(self.workspace, artifact.sha256)
        return path.read_bytes() if path is not None and path.stat().st_size <= limit_bytes else None

    @cached_property
    def artifacts(self) -> list[Artifact]:
        """The files the run produced, by name; links, submodules and `..` of a foreign record are left out."""
        folder = self.entries.get("artifacts")
        if folder is None or folder.mode != objects.TREE:
            return []
        repo, found = self.workspace.repo, []
        for stored, item in list(objects.walk(repo, folder.oid)):  # bounded before any file is looked at
            name = names.read(stored, self.record.names.get(stored))
            if item.is_file and name is not None:
                pointer = pointer_in(self.workspace, item.oid)
                size = pointer.size_bytes if pointer else objects.size_of(repo, item.oid)
                found.append(Artifact(name, size, pointer.sha256 if pointer else None, item.oid, item.mode, stored))
        return sorted(found, key=lambda artifact: artifact.name)


def record_entries(run: Run) -> dict[str, Entry]:
    """Return {path below .gitexp/: entry} of a stored run's whole record, its artifacts too."""
    found: dict[str, Entry] = {}
    for name, item in run.entries.items():
        if item.mode == objects.TREE:
            found.update(objects.walk(run.workspace.repo, item.oid, name + "/"))
        else:
            found[name] = item
    return found


def pointer_in(workspace: Workspace, oid: str) -> Pointer | None:
    """Return the pointer that a blob is, None where it is the bytes themselves."""
    if objects.size_of(workspace.repo, oid) > pointers.MAX_BYTES:
        return None
    return pointers.decode(objects.read_blob(workspace.repo, oid))


def listing(workspace: Workspace, experiment_path: str = "") -> dict[str, str]:
    """Return {ref: run commit} of all runs, or of one experiment and those below it."""
    below = f"{experiment_path}/" if experiment_path else ""
    return refs.listing(workspace.repo, REF_PREFIX + below)


def every(workspace: Workspace) -> Iterator[Run]:
    """Yield all recorded runs of this clone."""
    for ref, commit in listing(workspace).items():
        yield load(workspace, commit, ref)


def load(workspace: Workspace, commit: str, ref: str | None = None) -> Run:
    """Return the run of a run commit; nothing is read yet."""
    return Run(workspace, commit, ref)


def by_id(workspace: Workspace, run_id: str) -> Run | None:
    """Return the recorded run of a whole id, None where there is none."""
    tail = "-" + ids.short(run_id)
    for ref, commit in listing(workspace).items():
        if ref.endswith(tail):
            run = load(workspace, commit, ref)
            try:
                if run.id == run_id:
                    return run
            except (Damaged, Unsupported):  # one from elsewhere that cannot be read hides no other
                continue
    return None


def trailers(text: str) -> message.Trailers | None:
    """Return what a commit's message says of its run; None where it is no run's."""
    said = message.decode(text)
    if said is None or not ids.is_run_id(said.id) or max(len(said.experiment), len(said.name)) > ids.MAX_NAME:
        return None
    return said


def head(workspace: Workspace, ref: str, commit: str) -> Head | None:
    """Read what the commit alone says; None where it is no run's."""
    found = objects.read_commit(workspace.repo, commit)
    said = trailers(found.message)
    if said is None:
        return None
    start, end = found.author.time_s * 1000, found.committer.time_s * 1000
    if said.start_ms is not None and said.start_ms // 1000 == found.author.time_s:
        start = said.start_ms  # the author's date knows seconds only
    author = f"{found.author.name} <{found.author.email}>"
    return Head(
        ref,
        commit,
        said.id,
        said.experiment,
        said.name,
        said.status,
        said.dirty,
        start,
        end,
        author,
        found.parents,
        found.message,
    )


Content = bytes | Path | Pointer | Entry


@dataclass(frozen=True, slots=True)
class Draft:
    """A record that is complete but for its commit.

    `files` are the record's files below .gitexp/ (bytes, a file to copy, a pointer to kept bytes, or an entry of an
    earlier record), `executable` those that are programs; `code_tree` is the tree of the code, `previous`
    the tip that `ref` has to be at.
    """

    ref: str
    record: RunRecord
    summary: Mapping[str, Aggregate]
    files: Mapping[str, Content]
    code_tree: str | None
    previous: str | None = None
    executable: frozenset[str] = field(default_factory=frozenset)


def write(workspace: Workspace, draft: Draft) -> Run:
    """Write the record's objects, the commit and the ref, in this order, all durable; returns the run.

    Raises Conflict where the ref is not at `draft.previous` any more, WriteFailed where the disk is full.
    """
    repo = workspace.repo
    limits = {key: workspace.settings.size_bytes(key) for key in ("inlineLimit", "metricsInlineLimit")}
    stored: dict[str, tuple[int, str]] = {".gitattributes": (objects.FILE, objects.write_blob(repo, ATTRIBUTES))}
    packed = _pack(workspace, draft.files, limits["inlineLimit"])
    for name, content in draft.files.items():
        if isinstance(content, Entry):
            stored[name] = (content.mode, content.oid)
            continue
        limit = limits["metricsInlineLimit" if name in ("metrics.csv", "system.csv") else "inlineLimit"]
        mode = objects.EXECUTABLE if name in draft.executable else objects.FILE
        stored[name] = (mode, packed.get(name) or _store(workspace, content, limit))
    stored["run.json"] = (objects.FILE, _store(workspace, run_json.encode(draft.record), JSON_LIMIT))
    tree = objects.graft(repo, draft.code_tree, FOLDER, objects.write_tree(repo, stored))
    commit = _write_commit(workspace, draft, tree)
    if commit != draft.previous:
        _move(workspace, draft, commit)
    run = load(workspace, commit, draft.ref)
    run.__dict__["record"] = draft.record  # what was written a moment ago need not be read back
    return run


def _move(workspace: Workspace, draft: Draft, commit: str) -> None:
    word = "run" if draft.previous is None else "resume"
    for pause in (0.002, 0.01, 0.05, 0.2, 0.5, None):
        try:
            refs.update(workspace.repo, draft.ref, commit, old=draft.previous)
            break
        except Conflict:
            now = refs.get(workspace.repo, draft.ref)
            if now == commit:
                break
            if now != draft.previous or pause is None:
                raise
            time.sleep(pause)  # nobody moved it: a `git pack-refs` held the lock, or removed the empty folder
    reflog.append(workspace, word, [(draft.ref, draft.previous, commit)])


def _pack(workspace: Workspace, content: Mapping[str, Content], limit: int) -> dict[str, str]:
    """Write many small artifacts as one pack and return their oids: each alone would cost an fsync."""
    small = [
        (name, item)
        for name, item in content.items()
        if name.startswith("artifacts/") and isinstance(item, Path) and item.stat().st_size <= limit
    ]
    if len(small) < PACK_FILES:
        return {}
    folder, oids = workspace.tmp / f"pack.{os.getpid()}.{os.urandom(4).hex()}", {}
    try:
        with packs.Writer(folder) as writer:
            for name, path in small:
                data = path.read_bytes()
                if pointers.decode(data) is None:
                    oids[name] = writer.add(data)
            if oids:
                packs.install(workspace.repo, writer.finish())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return oids


def _store(workspace: Workspace, content: bytes | Path | Pointer, limit: int) -> str:
    repo = workspace.repo
    if isinstance(content, Path):
        if content.stat().st_size > limit:
            return _point(workspace, large.put_file(workspace, content))
        content = content.read_bytes()
    if isinstance(content, Pointer):
        return _point(workspace, content)
    if len(content) > limit or pointers.decode(content) is not None:  # a file that looks like a pointer is not one
        return _point(workspace, large.put_bytes(workspace, content))
    return objects.write_blob(repo, content)


def _point(workspace: Workspace, item: Pointer) -> str:
    """Write the pointer to an object, and show the object to git-lfs where that is in use."""
    lfslocal.lend(workspace.repo, item, large.place(workspace, item.sha256))
    return objects.write_blob(workspace.repo, pointers.encode(item))


def _write_commit(workspace: Workspace, draft: Draft, tree: str) -> str:
    record, user = draft.record, draft.record.user
    end_ms = record.end_ms if record.end_ms is not None else record.start_ms
    offset = int(user.get("offset_minutes", 0))
    people = [
        Signature(str(user.get("name", "")), str(user.get("email", "")), ms // 1000, offset)
        for ms in (record.start_ms, end_ms)
    ]
    text = message.encode(record, draft.summary)
    commit = Commit(tree, tuple(parent.commit for parent in record.parents), people[0], people[1], text)
    return signing.commit(workspace.repo, commit, sign=workspace.settings.flag("sign"))
