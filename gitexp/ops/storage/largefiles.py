"""The bytes that runs keep beside their commits: which there are, which are here, how they come and go."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitexp import ids, text
from gitexp.errors import Damaged, NoStore, RemoteError, Unsupported
from gitexp.git import lfsendpoint, lfslocal
from gitexp.git import objects as git_objects
from gitexp.git.transport import Options
from gitexp.ops.storage import cache, depots
from gitexp.record import globs, pointer
from gitexp.record.pointer import Failure, Pointer
from gitexp.store import objects, runs, whereabouts
from gitexp.store.remotes import Remote
from gitexp.store.runs import Artifact, Run
from gitexp.store.workspace import Workspace

_NEVER = ("run.json", ".gitattributes")  # files of a record that are no pointers
_OBJECTS_PER_RUN = 10  # listing so many takes as long as reading the small files of a run
_SHOWN = 3  # failures that are told one by one
_TOLD_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Left:
    """What an upload left here and why; `lasting` where another try does not help: the remote has no place for it.

    `there` are those that the remote has now.
    """

    items: tuple[Pointer, ...] = ()
    why: str = ""
    lasting: bool = False
    there: tuple[Pointer, ...] = ()


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of a transfer: how many objects went, and why others did not ("" where all did)."""

    count: int = 0
    why: str = ""


def named(workspace: Workspace, commits: Iterable[str]) -> Iterator[Pointer]:
    """Yield what the pointers in the records of these run commits mean, each once."""
    repo, looked_at, found = workspace.repo, set[str](), set[str]()
    for commit in commits:
        for entry in _files(workspace, commit):
            if entry.oid in looked_at:
                continue
            looked_at.add(entry.oid)
            if git_objects.size_of(repo, entry.oid) > pointer.MAX_BYTES:
                continue
            meant = pointer.decode(git_objects.read_blob(repo, entry.oid))
            if meant is not None and meant.sha256 not in found:
                found.add(meant.sha256)
                yield meant


def _files(workspace: Workspace, commit: str) -> Iterator[git_objects.Entry]:
    for entry in runs.load(workspace, commit).entries.values():
        if entry.mode == git_objects.TREE:
            yield from (item for _, item in git_objects.walk(workspace.repo, entry.oid) if item.is_file)
        elif entry.is_file and entry.name not in _NEVER:
            yield entry


def here(workspace: Workspace, commits: Iterable[str]) -> list[Pointer]:
    """Return those of `named` whose bytes are in this clone.

    Where these are few for so many runs, no blob is read: those that would be their pointers are looked for.
    """
    chosen = list(commits)
    kept = objects.listing(workspace, _OBJECTS_PER_RUN * len(chosen))
    if kept is None:
        return [item for item in named(workspace, chosen) if objects.path(workspace, item.sha256) is not None]
    meant = {git_objects.blob_id(pointer.encode(item)): item for item in kept}
    found = (meant.get(entry.oid) for commit in chosen if meant for entry in _files(workspace, commit))
    return list(dict.fromkeys(item for item in found if item is not None))


def upload(workspace: Workspace, remote: Remote, commits: Iterable[str], options: Options) -> Left:
    """Give the bytes of these runs to the remote's depot; returns what could not go."""
    items = here(workspace, commits)
    if not items:
        return Left()
    meter = _Meter("sending", items, options)
    try:
        depot = depots.open(workspace, remote, options, lfsendpoint.UPLOAD)
        failures = depot.send(items, lambda item: objects.place(workspace, item.sha256), meter.tell)
    except RemoteError as error:
        why = f"{error.message}; {error.hint}" if error.hint else error.message
        return Left(tuple(items), why, isinstance(error, NoStore))
    finally:
        meter.end()
    failed = {failure.item for failure in failures}
    there = tuple(item for item in items if item not in failed)
    whereabouts.saw(workspace, remote, [item.sha256 for item in there])
    return Left(tuple(failed), _why(failures, len(items), "gitexp push"), there=there)


def names(workspace: Workspace, commits: Iterable[str], items: Collection[Pointer]) -> Iterator[str]:
    """Yield what runs call these bytes: `model.bin of churn/lr0.05 (kqzvmxr)`."""
    wanted = {item.sha256 for item in items}
    for commit in commits:
        run = runs.load(workspace, commit)
        found = [name for name in run.entries if (item := run.pointer(name)) is not None and item.sha256 in wanted]
        found += [item.name for item in _artifacts(run) if item.sha256 in wanted]
        head = runs.head(workspace, "", commit) if found else None
        if head is not None:
            shown = text.some([text.safe(name) for name in found], _SHOWN)
            yield f"{shown} of {text.safe(f'{head.experiment}/{head.name}')} ({ids.short(head.id)})"


def download(
    workspace: Workspace, remote: Remote, commits: Sequence[str], options: Options, patterns: Sequence[str] = ()
) -> Moved:
    """Bring what these runs keep beside their commits, as far as the remote's depot has it.

    Curves, output and the like belong to the record; of the files that a run produced those come whose names are meant.
    """
    every = (item for commit in commits for item in _missing(workspace, commit, patterns))
    wanted = {item.sha256: item for item in every}
    near = [item for item in wanted.values() if _take_over(workspace, item)]
    found = bring(workspace, remote, [item for item in wanted.values() if item not in near], options)
    return Moved(len(near) + found.count, found.why)


def meaningless(workspace: Workspace, commits: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Return the patterns that mean no file of these runs, small ones included."""
    left = {pattern: globs.means(pattern) for pattern in patterns if pattern != globs.EVERY}
    for commit in commits:
        names = [item.name for item in _artifacts(runs.load(workspace, commit))] if left else []
        left = {pattern: test for pattern, test in left.items() if not any(map(test, names))}
    return list(left)


def bring(workspace: Workspace, remote: Remote, items: Sequence[Pointer], options: Options) -> Moved:
    """Bring these objects from the remote's depot."""
    if not items:
        return Moved()
    meter = _Meter("fetching", items, options)
    try:
        depot = depots.open(workspace, remote, options)
        failures = depot.bring(items, lambda *found: _arrive(workspace, *found), workspace.tmp, meter.tell)
    except RemoteError as error:
        return Moved(0, f"{error.message}; {error.hint}" if error.hint else error.message)
    finally:
        meter.end()
    failed = {failure.item for failure in failures}
    whereabouts.came(workspace, remote, [item.sha256 for item in items if item not in failed])
    whereabouts.saw(workspace, remote, (), [failure.item.sha256 for failure in failures if failure.missing])
    cache.trim(workspace, remote, options)
    return Moved(len(items) - len(failures), _why(failures, len(items), "gitexp fetch --artifacts"))


def _arrive(workspace: Workspace, item: Pointer, file: Path) -> None:
    objects.adopt(workspace, item, file)
    lfslocal.lend(workspace.repo, item, objects.place(workspace, item.sha256))


def _missing(workspace: Workspace, commit: str, patterns: Sequence[str]) -> list[Pointer]:
    if globs.EVERY in patterns:
        found = list(named(workspace, [commit]))
    else:
        run = runs.load(workspace, commit)
        found = [item for name in run.entries if name not in _NEVER and (item := run.pointer(name)) is not None]
        found += _meant(run, patterns)
    return [item for item in found if objects.path(workspace, item.sha256) is None]


def _meant(run: Run, patterns: Sequence[str]) -> list[Pointer]:
    tests = [globs.means(pattern) for pattern in patterns]
    return [
        Pointer(item.sha256, item.size_bytes)
        for item in (_artifacts(run) if tests else ())
        if item.sha256 is not None and any(test(item.name) for test in tests)
    ]


def _artifacts(run: Run) -> list[Artifact]:
    try:
        return run.artifacts
    except (Damaged, Unsupported):  # names of a record that does not parse mean nothing
        return []


def _take_over(workspace: Workspace, item: Pointer) -> bool:
    """Copy an object that the stock git-lfs has brought: `git lfs prune` does not know our refs."""
    source = lfslocal.place(workspace.repo, item.sha256)
    return source.is_file() and objects.put_file(workspace, source) == item


def _why(failures: Sequence[Failure], count: int, again: str) -> str:
    """Return what to tell of the objects that did not travel."""
    if not failures:
        return ""
    told = [f"{item.item.sha256[:12]} ({text.size(item.item.size_bytes)}): {item.why}" for item in failures[:_SHOWN]]
    more = f"; {len(failures) - _SHOWN} more" if len(failures) > _SHOWN else ""
    return f"{len(failures)} of {text.plural(count, 'object')}: {'; '.join(told)}{more}; try again: {again}"


class _Meter:
    """One line on a terminal that tells how far a transfer is."""

    def __init__(self, word: str, items: Sequence[Pointer], options: Options) -> None:
        self._word, self._total, self._shown = word, sum(item.size_bytes for item in items), options.progress
        self._done, self._told = 0, 0.0

    def tell(self, count: int) -> None:
        """Count these bytes."""
        self._done += count
        now = time.monotonic()
        if self._shown and now - self._told > _TOLD_SECONDS:
            self._told = now
            sys.stderr.write(f"\r\x1b[K{self._word} large files: {text.size(self._done)} of {text.size(self._total)}")
            sys.stderr.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._shown and self._told:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
