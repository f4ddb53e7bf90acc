"""Runs where there is no repository (a pod, a read-only image): spooled into a folder, imported into one later.

The spool is a bare repository of its own, so a spooled run is as safe as any; GITEXP_COMMIT says which code it ran.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from gitexp import locks
from gitexp.errors import Conflict, NotFound, Unsupported
from gitexp.git import objects, refs
from gitexp.git.repo import create_bare
from gitexp.record.pointer import Pointer
from gitexp.record.run import Parent
from gitexp.store import objects as large
from gitexp.store import runs
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Content, Draft, Run
from gitexp.store.workspace import Workspace

FOLDER = "gitexp-spool.git"


@dataclass(slots=True)
class Imported:
    """What an import did: runs committed, ids that were here already, runs whose code this repository does not have."""

    runs: list[Run] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    without_code: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, list[str]]:
        """Return what `gitexp import-spool --json` prints."""
        return {"imported": [run.id for run in self.runs], "known": self.known, "without_code": self.without_code}


def workspace(folder: Path) -> Workspace:
    """Return the workspace of a spool; makes it where it is not there yet."""
    place = folder / FOLDER
    if not (place / "HEAD").exists():
        with locks.hold(folder / ".gitexp-spool.lock"):
            if not (place / "HEAD").exists():
                create_bare(place)
    return workspaces.open(place)


def commit_named() -> str | None:
    """Return the code that a spooled run ran: what GITEXP_COMMIT names, else the commit of where it runs."""
    named = os.environ.get("GITEXP_COMMIT")
    if named:
        return named
    try:  # a read-only repository still knows its own code
        return workspaces.open().repo.head().commit
    except Unsupported:
        return None


def bring_in(target: Workspace, folder: Path) -> Imported:
    """Commit the runs of a spool here, each once; raises NotFound where there is no spool."""
    place = folder if (folder / "HEAD").exists() else folder / FOLDER
    if not (place / "HEAD").exists():
        raise NotFound(f"no spool in {folder}", hint="it is what GITEXP_SPOOL named: a folder with " + FOLDER)
    source = workspaces.open(place)
    done = Imported()
    for run in runs.every(source):
        if runs.by_id(target, run.id) is not None:
            done.known.append(run.id)
            continue
        try:
            _bring(target, run, done)
        except Conflict:
            done.known.append(run.id)
    return done


def _bring(target: Workspace, run: Run, done: Imported) -> None:
    named = str(run.record.code.get("commit") or "")
    code = refs.resolve(target.repo, named) if named else None
    if code is None:
        done.without_code.append(run.id)
    record = replace(
        run.record,
        parents=(Parent("code", code),) if code else (),
        code={**run.record.code, "spooled": True, "complete": False},
    )
    content: dict[str, Content] = {}
    executable = set()
    for path, entry in runs.record_entries(run).items():
        if path in ("run.json", ".gitattributes"):
            continue
        content[path] = _content(target, run, entry.oid)
        if entry.mode == objects.EXECUTABLE:
            executable.add(path)
    tree = objects.read_commit(target.repo, code).tree if code else None
    draft = Draft(str(run.ref), record, run.summary, content, tree, executable=frozenset(executable))
    done.runs.append(runs.write(target, draft))


def _content(target: Workspace, run: Run, oid: str) -> bytes | Pointer:
    """Return a blob's bytes, of a pointer the object, copied and named."""
    pointer = runs.pointer_in(run.workspace, oid)
    if pointer is None:
        return objects.read_blob(run.workspace.repo, oid)
    kept = large.path(run.workspace, pointer.sha256)
    return pointer if kept is None else large.put_file(target, kept)
