"""The artifacts of a run: which are meant, where their bytes are, whether they are right, and adding one later."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitexp import files, ids, text
from gitexp.errors import Damaged, NotFound, UsageError, WriteFailed
from gitexp.ops.finding import find
from gitexp.ops.recording import attach, folders, lifecycle
from gitexp.record import globs, names
from gitexp.store import objects as large
from gitexp.store import whereabouts
from gitexp.store.runs import Artifact, Run
from gitexp.store.workspace import Workspace

_LISTED = 6
_JOIN_SECONDS = 1.0
OK, DAMAGED, MISSING = "ok", "damaged", "missing"


@dataclass(frozen=True, slots=True)
class Row:
    """An artifact, a link, or a folder (its name ends in `/`) of `files` of them, and where the bytes are.

    `remotes` are those that were last seen to have all of it; `sha256` is None for a folder.
    """

    name: str
    size_bytes: int | None
    sha256: str | None
    kind: str
    here: bool
    remotes: tuple[str, ...] = ()
    files: int = 1
    uri: str = ""
    executable: bool = False
    in_git: bool = False
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp artifact ls --json` prints of it."""
        return {
            "name": self.name,
            "size": self.size_bytes,
            "sha256": self.sha256,
            "type": self.kind or None,
            "here": self.here,
            "git": self.in_git,
            "remotes": list(self.remotes),
            "uri": self.uri or None,
            "executable": self.executable,
            "about": {key: value for key, value in self.facts.items() if key != "type"},
        }


def chosen(run: Run, patterns: Sequence[str]) -> list[Artifact]:
    """Return the artifacts that names, folders and patterns mean, by name; all where there are none.

    Raises NotFound for a pattern that means nothing, with what there is.
    """
    every = run.artifacts
    if not patterns:
        return every
    found: dict[str, Artifact] = {}
    for pattern in patterns:
        taken = [item for item in every if names.is_or_below(item.name, pattern.strip("/"))]
        if not taken:
            means = globs.means(pattern)
            taken = [item for item in every if means(item.name)]
        if not taken:
            raise _nothing(run, pattern)
        found |= {item.name: item for item in taken}
    return [found[name] for name in sorted(found)]


def _nothing(run: Run, pattern: str) -> NotFound:
    if pattern in run.links:
        uri = text.safe(str(run.links[pattern].get("uri", "")))
        return NotFound(f"{text.safe(pattern)} of {run.label} is a link", hint=f"its bytes stay at {uri}")
    tops = list(dict.fromkeys(_top(item.name) for item in run.artifacts))
    listed = text.some([text.safe(name) for name in tops], _LISTED)
    return NotFound(f"{run.label} has no artifact {text.safe(pattern)!r}", hint=f"it has: {listed or 'none'}")


def _top(name: str) -> str:
    first, slash, _ = name.partition("/")
    return first + slash


def listing(workspace: Workspace, run: Run, patterns: Sequence[str] = ()) -> list[Row]:
    """Return every artifact and link that the patterns mean, by name."""
    holders = whereabouts.holders(workspace)
    rows = [_row(run, item, _said(run, item.name), holders) for item in _or_none(run, patterns)]
    rows += [
        _link(name, link)
        for name, link in run.links.items()
        if not patterns or any(names.is_or_below(name, pattern.strip("/")) for pattern in patterns)
    ]
    return sorted(rows, key=lambda row: row.name)


def _said(run: Run, name: str) -> dict[str, Any]:
    """Return what is said of an artifact, or of the folder that it was logged with."""
    return {key: value for key, value in run.facts_of(name).items() if key != "empty_folders"}


def _or_none(run: Run, patterns: Sequence[str]) -> list[Artifact]:
    return (
        chosen(run, [pattern for pattern in patterns if pattern not in run.links])
        if set(patterns) - set(run.links) or not patterns
        else []
    )


def _row(run: Run, item: Artifact, facts: dict[str, Any], holders: dict[str, list[str]]) -> Row:
    return Row(
        item.name,
        item.size_bytes,
        sha256_of(run, item),
        str(facts.get("type") or ""),
        run.is_here(item),
        tuple(holders.get(item.sha256 or "", ())),
        executable=bool(item.mode & 0o100),
        in_git=item.sha256 is None,
        facts=facts,
    )


def _link(name: str, link: dict[str, Any]) -> Row:
    size, sha256 = link.get("size"), link.get("sha256")
    return Row(
        name,
        size if isinstance(size, int) else None,
        sha256 if isinstance(sha256, str) else None,
        str(link.get("type") or "link"),
        False,
        uri=str(link.get("uri") or ""),
        facts={key: value for key, value in link.items() if key not in ("uri", "sha256", "size")},
    )


def folded(rows: Sequence[Row], below: str = "") -> list[Row]:
    """Return the rows of one folder, each folder in it as one row; `below` is its path with a `/`, "" for the top."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.name.startswith(below):
            groups.setdefault(below + _top(row.name[len(below) :]), []).append(row)
    return [_folder(name, group) if name.endswith("/") else group[0] for name, group in groups.items()]


def _folder(name: str, group: Sequence[Row]) -> Row:
    kept = [set(row.remotes) for row in group if not row.in_git and not row.uri]
    return Row(
        name,
        sum(row.size_bytes or 0 for row in group),
        None,
        "folder",
        all(row.here for row in group if not row.uri),
        tuple(sorted(set.intersection(*kept))) if kept else (),
        files=len(group),
        in_git=all(row.in_git for row in group),
    )


def sha256_of(run: Run, item: Artifact) -> str | None:
    """Return the sha256 of an artifact's bytes; a small one is read for it (None: its run ended just now)."""
    if item.sha256 is not None:
        return item.sha256
    data = run.artifact_bytes(item, item.size_bytes)
    return None if data is None else hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Verified:
    """One artifact that was read: its run, and what is wrong ("" where nothing is)."""

    run: Run
    name: str
    size_bytes: int
    state: str
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp artifact verify --json` prints of it."""
        return {
            "run": self.run.id,
            "name": self.name,
            "size": self.size_bytes,
            "state": self.state,
            "why": self.why or None,
        }


def verify(workspace: Workspace, found: Sequence[Run], tell: Callable[[int], None] | None = None) -> Iterator[Verified]:
    """Read the bytes of all artifacts of some runs, each object once, and yield what they are."""
    known, holders = dict[str, tuple[str, str]](), whereabouts.holders(workspace)
    for run in found:
        for item in run.artifacts:
            if item.sha256 is None:
                state, why = _verify_small(run, item)
            else:
                if item.sha256 not in known:
                    known[item.sha256] = _verify_object(workspace, item.sha256, holders)
                state, why = known[item.sha256]
                if state == OK and large.place(workspace, item.sha256).stat().st_size != item.size_bytes:
                    state, why = DAMAGED, f"the record says {item.size_bytes:,} bytes"
            if tell is not None:
                tell(item.size_bytes)
            yield Verified(run, item.name, item.size_bytes, state, why)


def _verify_small(run: Run, item: Artifact) -> tuple[str, str]:
    try:
        data = run.artifact_bytes(item, item.size_bytes)
    except Damaged as error:
        return DAMAGED, error.message
    return (MISSING, "its run ended just now") if data is None else (OK, "")


def _verify_object(workspace: Workspace, sha256: str, holders: dict[str, list[str]]) -> tuple[str, str]:
    path = large.path(workspace, sha256)
    if path is None:
        where = ", ".join(holders.get(sha256, ()))
        return MISSING, f"not here; last seen at {where}" if where else "not here, and at no remote that was seen"
    try:
        right = files.sha256(path)[0] == sha256
    except OSError as error:
        return DAMAGED, (error.strerror or str(error)).lower()
    return (OK, "") if right else (DAMAGED, "has other bytes than its name says")


def _check(path: Path, name: str) -> None:
    """Raise UsageError for what cannot be read, is no file, or cannot be called so."""
    names.check(name.strip("/") if path.is_dir() else name)
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path} cannot be read", hint=f"ls -l {path}")
    if what := folders.kind(path.stat().st_mode):
        raise UsageError(f"{path} is {what}", hint=f"ls -l {path}")


@dataclass(slots=True)
class Added:
    """What was added to a run, and what could not be and why."""

    run: Run
    names: list[str] = field(default_factory=list)
    size_bytes: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp artifact add --json` prints."""
        left = [{"path": path, "why": why} for path, why in self.left_out]
        return {"run": self.run.id, "names": self.names, "size": self.size_bytes, "left_out": left}


def add(
    workspace: Workspace,
    run: Run,
    given: Sequence[tuple[Path, str]],
    facts: dict[str, Any],
    tell: Callable[[int], None] | None = None,
) -> Added:
    """Keep files or folders, (path, name) each, as artifacts of a run: in its journal, or as one more commit.

    Raises UsageError for what cannot be read or be a name, before anything is written.
    """
    for path, name in given:
        _check(path, name)
    if not run.live and run.ref is None:
        raise UsageError(f"{run.label} is an earlier state of its run", hint=f"gitexp artifact add {ids.short(run.id)}")
    session = lifecycle.join_when_there(workspace, run.id, f"add-{os.getpid()}", _JOIN_SECONDS)
    done = Added(run)
    try:
        for path, name in given:
            work = attach.Work(session, lambda *why: done.left_out.append(why), lambda *_: None, tell)
            try:
                attach.add(work, path, name, facts)
            except (FileNotFoundError, PermissionError):
                done.left_out.append((str(path), "was taken away just now"))
            done.names += work.kept.names
            done.size_bytes += work.kept.size_bytes
    finally:
        lifecycle.finish(session, "completed")
    if run.live:
        return done
    done.run = find.one(workspace, run.id)
    missing = set(done.names) - {item.name for item in done.run.artifacts}
    if missing and not done.run.live:
        raise WriteFailed(f"{len(missing)} files could not be added to {run.label}", hint="gitexp recover")
    return done
