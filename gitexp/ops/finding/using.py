"""Artifacts of other runs, as people type them, and the files that a script can read them from."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitexp import files, ids, text
from gitexp.errors import Ambiguous, Damaged, GitexpError, NotFound, UsageError
from gitexp.git import objects
from gitexp.index import database
from gitexp.index import names as places
from gitexp.ops.finding import digests
from gitexp.ops.finding import find as runs_named
from gitexp.ops.finding.digests import Content
from gitexp.record import names
from gitexp.store import objects as large
from gitexp.store import runs
from gitexp.store.live import LiveRun
from gitexp.store.runs import Artifact, Run
from gitexp.store.workspace import Workspace

FOLDER = "used"  # below .git/gitexp/: what was brought out, by run commit; a cache
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})|sha256:([0-9a-f]{4,63})")
_LISTED = 6


@dataclass(frozen=True, slots=True)
class Found:
    """An artifact that was asked for, or all those of a folder (its name ends in `/` then)."""

    run: Run
    name: str
    items: tuple[Artifact, ...]
    said: str

    @property
    def label(self) -> str:
        """What people see of it, and can type."""
        return f"{ids.short(self.run.id)}:{text.safe(self.name)}"

    def to_event(self) -> dict[str, Any]:
        """Return what the journal keeps of its use."""
        sha256 = "" if self.name.endswith("/") else sha256_of(self.run, self.items[0])
        return {"run": self.run.id, "artifact": self.name, "sha256": sha256, "as": self.said}


def find(workspace: Workspace, said: str) -> Found:
    """Return the artifact that `RUN:PATH`, `RUN@PATH`, `RUN` (of one artifact) or `sha256:…` means.

    Raises NotFound with what there is, Ambiguous, UsageError.
    """
    if match := _SHA256.fullmatch(said):
        return _by_hash(workspace, match[1] or match[2], said)
    trouble: GitexpError | None = None
    for name, path in _splits(said):
        try:
            run = runs_named.one(workspace, name)
        except (NotFound, UsageError) as error:
            trouble = trouble or error
            continue
        try:
            return of_run(_whole_run(run), path, said)
        except NotFound as error:
            trouble = error
    raise trouble or NotFound(f"no artifact {text.safe(said)!r}", hint="name it as RUN:PATH")


def _whole_run(run: Run) -> Run:
    """Return what a run that was resumed had before, where it has nothing yet."""
    if isinstance(run, LiveRun) and run.start.previous is not None and not run.artifacts:
        return runs.load(run.workspace, run.start.previous)
    return run


def _splits(said: str) -> Iterator[tuple[str, str]]:
    """Yield what may be (run, artifact): names of either may hold the marks, so every place is tried."""
    for mark in ":@":
        at = said.find(mark, 1)
        while at > 0:
            if said[at + 1 :]:
                yield said[:at], said[at + 1 :].rstrip("/")
            at = said.find(mark, at + 1)
    yield said, ""


def of_run(run: Run, path: str, said: str) -> Found:
    """Return an artifact of a run by its name, or all those of a folder; "" is the only one. Raises NotFound."""
    known = {item.name: item for item in run.artifacts}
    if path in known:
        return Found(run, path, (known[path],), said)
    if not path and len(known) == 1:
        ((name, item),) = known.items()
        return Found(run, name, (item,), said)
    below = tuple(item for name, item in known.items() if name.startswith(path + "/")) if path else ()
    if below:
        return Found(run, path + "/", below, said)
    who = f"run {run.label}"
    if not path and known:
        raise NotFound(f"{who} has {len(known)} artifacts: which?", hint=f"{ids.short(run.id)}:{next(iter(known))}")
    what = f"no artifact {text.safe(path)!r}" if path else "no artifact"
    listed = text.some([text.safe(name) for name in known], _LISTED)
    raise NotFound(f"{who} has {what}", hint=f"it has: {listed or 'none'}")


def _by_hash(workspace: Workspace, sha256: str, said: str) -> Found:
    if len(sha256) < 64:
        sha256 = _whole(workspace, sha256)
    index = database.of(workspace)
    by_key = {item.key: item for item in digests.made(workspace, Content(sha256))}
    found = [place for place in places.by_keys(index, list(by_key)) if not place.removed]
    if not found:
        raise NotFound(f"no run has an artifact of sha256 {sha256[:12]}…", hint="gitexp fetch")
    run = runs_named.load(workspace, found[-1])  # the one that made it first
    name = by_key[found[-1].key].name
    return Found(run, name, tuple(item for item in run.artifacts if item.name == name), said)


def _whole(workspace: Workspace, prefix: str) -> str:
    """Return the one sha256 of an artifact or a data set that begins so."""
    found = digests.beginning(workspace, prefix)
    if not found:
        raise NotFound(f"no bytes of sha256 {prefix}… are known", hint="gitexp fetch")
    if len(found) > 1:
        raise Ambiguous(f"sha256:{prefix} begins {len(found)} hashes", hint="give more of it", candidates=found[:12])
    return found[0]


def sha256_of(run: Run, item: Artifact) -> str:
    """Return the sha256 of an artifact's bytes, also of a small one, which is read for it."""
    return item.sha256 or hashlib.sha256(_small(run, item)).hexdigest()


def _small(run: Run, item: Artifact) -> bytes:
    found = run.artifact_bytes(item, item.size_bytes)
    if found is None:
        raise NotFound(f"run {ids.short(run.id)} ended just now", hint="try again")
    return found


def place(workspace: Workspace, found: Found) -> Path:
    """Return the path of an artifact's file or folder, under its own name, to be read only; the same again each time.

    Raises NotFound where its bytes are not in this clone.
    """
    top = workspace.home / FOLDER / (found.run.commit or found.run.id)
    missing = [item for item in found.items if item.sha256 and large.path(workspace, item.sha256) is None]
    if missing:
        size = text.size(sum(item.size_bytes for item in missing))
        what = found.label if len(found.items) == 1 else f"{len(missing)} of {len(found.items)} files of {found.label}"
        raise NotFound(
            f"the bytes of {what} ({size}) are not in this clone",
            hint=f"gitexp get {ids.short(found.run.id)}:{found.name}",
        )
    stored = names.encode_all(item.name for item in found.items)
    for item in found.items:
        _bring_out(workspace, found.run, item, top / stored[item.name])
    return top / stored[found.name] if found.name in stored else top / names.encode(found.name.rstrip("/"))


def _bring_out(workspace: Workspace, run: Run, item: Artifact, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if item.sha256 is None:
        data = _small(run, item)
        if not target.is_file() or target.read_bytes() != data:
            files.write(target, data)
            target.chmod(0o555 if item.mode == objects.EXECUTABLE else 0o444)
        return
    source = large.place(workspace, item.sha256)
    if source.stat().st_size != item.size_bytes:
        raise Damaged(f"the bytes of {text.safe(item.name)} are damaged here", hint="gitexp fsck --repair")
    if not target.exists():
        _show(source, target)


def _show(source: Path, target: Path) -> None:
    """Let a name lead to an object: a link costs nothing, and a hard one could be written through."""
    aside = target.with_name(f".{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        try:
            aside.symlink_to(os.path.relpath(source, target.parent))
        except OSError:  # a file system without links
            shutil.copyfile(source, aside)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
