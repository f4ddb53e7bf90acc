"""Many refs changed at once where there is no git command: all or none, in one new packed-refs file.

Git's own protocol of locks is kept: each ref's `.lock`, then that of `packed-refs`; values are
compared under them, and the renaming of the packed file is the moment at which all has changed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gitexp import files
from gitexp.errors import Conflict, WriteFailed
from gitexp.git import reffiles

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

_HEADER = "# pack-refs with: peeled fully-peeled sorted \n"
_PATIENCE_SECONDS = 1.0  # core.packedRefsTimeout
_TRIES = 20

Changes = Mapping[str, tuple[str | None, str | None]]  # ref -> (old, new), None: it is not there


def run(repo: Repo, changes: Changes) -> None:
    """Change all these refs or none; raises Conflict where one does not hold what it should, or is being changed."""
    common = repo.common_dir
    _check_names(common, changes)
    try:
        with ExitStack() as held:
            for ref in sorted(changes):
                held.enter_context(_locked(common, ref))
            held.enter_context(_packed_locked(common))
            for ref, (old, _) in changes.items():
                if reffiles.get(common, ref) != old:
                    raise Conflict(f"{ref} does not hold what it did", hint="try again")
            _replace(repo, changes)
            for ref, (_, new) in changes.items():  # under the lock, or somebody packs the old value once more
                (common / ref).unlink(missing_ok=True)
                if new is None:
                    (common / "logs" / ref).unlink(missing_ok=True)
    except OSError as error:
        if isinstance(error, Conflict | WriteFailed):
            raise
        raise WriteFailed(f"cannot write refs: {error}", hint="df -h . ; ls -ld .git") from error
    finally:
        for ref in changes:
            _tidy(common, ref)


def pack(repo: Repo) -> None:
    """Put all loose refs into the packed file: thousands of small ones are slow to list."""
    loose = reffiles.loose(repo.common_dir, "refs/")
    run(repo, {ref: (oid, oid) for ref, oid in loose.items()})


def _check_names(common: Path, changes: Changes) -> None:
    """Refuse names that Git would not take, and a ref that would have to be a folder of others as well."""
    import pygit2

    held = reffiles.listing(common, "refs/")
    after = {*(ref for ref in held if ref not in changes), *(ref for ref, (_, new) in changes.items() if new)}
    folders = {ref[:at] for ref in after for at, char in enumerate(ref) if char == "/"}
    for ref, (_, new) in changes.items():
        if not pygit2.reference_is_valid_name(ref) or not ref.startswith("refs/"):
            raise WriteFailed(f"{ref!r} is no name of a ref", hint="git check-ref-format NAME")
        if new is not None and (ref in folders or any(ref[:at] in after for at, c in enumerate(ref) if c == "/")):
            raise Conflict(f"{ref} cannot be there beside the refs that are", hint="git show-ref")


@contextmanager
def _locked(common: Path, ref: str) -> Iterator[None]:
    lock = common / f"{ref}.lock"
    for attempt in range(_TRIES):
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
            break
        except FileExistsError as error:
            raise Conflict(f"{ref} is being changed by another process: {lock} exists", hint="try again") from error
        except FileNotFoundError:  # somebody else's tidying took the folder
            if attempt == _TRIES - 1:
                raise
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


@contextmanager
def _packed_locked(common: Path) -> Iterator[None]:
    lock, deadline = common / "packed-refs.lock", time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
            break
        except FileExistsError as error:
            if time.monotonic() > deadline:
                raise Conflict(f"refs are being packed by another process: {lock} exists", hint="try again") from error
            time.sleep(0.01)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _replace(repo: Repo, changes: Changes) -> None:
    """Write the packed refs with these changes and put them in place, durably."""
    head, before = reffiles.packed(repo.common_dir)
    rows = {ref: row for ref, row in before.items() if ref not in changes}
    if " fully-peeled " not in head:  # what tags lead to is not said everywhere: the new first line says it is
        rows = {ref: _row(repo, ref, row[:40]) for ref, row in rows.items()}
    rows.update({ref: _row(repo, ref, new) for ref, (_, new) in changes.items() if new is not None})
    data = {ref.encode("utf-8", "surrogateescape"): row.encode("utf-8", "surrogateescape") for ref, row in rows.items()}
    with files.replacing(repo.common_dir / "packed-refs", durable=True) as file:
        file.write(_HEADER.encode() + b"".join(data[ref] for ref in sorted(data)))


def _row(repo: Repo, ref: str, oid: str) -> str:
    """Return the lines of one ref: an annotated tag has what it leads to below it."""
    import pygit2

    item = repo.raw.get(oid)
    if item is None:
        raise WriteFailed(f"{ref}: object {oid} is not here", hint="git fsck")
    peeled = f"^{item.peel(None).id}\n" if isinstance(item, pygit2.Tag) else ""
    return f"{oid} {ref}\n{peeled}"


def _tidy(common: Path, ref: str) -> None:
    """Remove the folders that held nothing but locks, down to the namespace."""
    folder = (common / ref).parent
    with suppress(OSError):  # not empty, or gone
        while folder != common / "refs" and folder.parent != common / "refs":
            folder.rmdir()
            folder = folder.parent
