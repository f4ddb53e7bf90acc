"""Refs: listed, read, and changed by compare-and-swap, durably."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitexp.errors import Conflict, WriteFailed
from gitexp.git import command, reffiles, transaction

if TYPE_CHECKING:
    from gitexp.git.repo import Repo


def listing(repo: Repo, prefix: str) -> dict[str, str]:
    """Return {full ref: oid} of all refs below `prefix` (which ends with a slash), loose and packed, in name order."""
    return reffiles.listing(repo.common_dir, prefix)


def drop_torn(repo: Repo, ref: str) -> bool:
    """Remove a ref's file that a power cut left without content; say whether there was one."""
    path = repo.common_dir / ref
    try:
        if path.read_bytes().strip(b"\0 \n"):
            return False
        path.unlink()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return False
    return True


def get(repo: Repo, ref: str) -> str | None:
    """Return the oid of one ref, None where it is not."""
    return reffiles.get(repo.common_dir, ref)


def update(repo: Repo, ref: str, new: str, *, old: str | None) -> None:
    """Set a ref from `old` (None: it must not exist) to `new`; raises Conflict where it holds something else."""
    import pygit2

    try:
        if old is None:
            repo.raw.references.create(ref, new, force=False)
            return
        reference = repo.raw.references[ref]
        if str(reference.target) != old:
            raise Conflict(f"{ref} moved to {str(reference.target)[:7]}", hint="try again")
        reference.set_target(new)  # libgit2 compares with the value it read under the ref's own lock
    except KeyError as error:
        raise Conflict(f"{ref} is gone", hint="try again") from error
    except (pygit2.AlreadyExistsError, ValueError) as error:
        raise Conflict(f"{ref} exists already", hint="try again") from error
    except (pygit2.GitError, OSError) as error:
        raise _failed(ref, error) from error


def delete(repo: Repo, ref: str, *, old: str) -> None:
    """Delete a ref that holds `old`; one that is gone is fine; raises Conflict where it holds something else."""
    import pygit2

    try:
        reference = repo.raw.references[ref]
        if str(reference.target) != old:
            raise Conflict(f"{ref} moved to {str(reference.target)[:7]}", hint="try again")
        reference.delete()
    except KeyError:
        return
    except (pygit2.GitError, OSError) as error:
        raise _failed(ref, error) from error


@dataclass(frozen=True, slots=True)
class Update:
    """A change of one ref: `new` None deletes it, `old` None means that it must not exist."""

    ref: str
    new: str | None
    old: str | None


def update_many(repo: Repo, updates: Sequence[Update]) -> None:
    """Change many refs in one transaction, all or none; raises Conflict."""
    if not updates:
        return
    if not command.available():
        transaction.run(repo, {item.ref: (item.old, item.new) for item in updates})
        return
    none = "0" * 40
    words = []
    for item in updates:
        verb = f"delete {item.ref}\0" if item.new is None else f"update {item.ref}\0{item.new}\0"
        words.append(f"{verb}{item.old or none}\0")
    try:
        command.run(repo, "update-ref", "--stdin", "-z", input="".join(words).encode("utf-8", "surrogateescape"))
    except command.GitFailed as error:
        raise _failed(updates[0].ref if len(updates) == 1 else f"{len(updates)} refs", error) from error


def pack(repo: Repo) -> None:
    """Put all loose refs into the packed file, unless somebody is in the way: thousands of them are slow to list."""
    if command.available():
        command.run(repo, "pack-refs", "--all", check=False)
    else:
        with suppress(Conflict):
            transaction.pack(repo)


def resolve(repo: Repo, revision: str) -> str | None:
    """Return the commit that any git revision names, None where it names none."""
    import pygit2

    try:
        return str(repo.raw.revparse_single(revision).peel(pygit2.Commit).id)
    except (KeyError, ValueError, pygit2.GitError):
        return None


_RACES = ("modified", "lock", "already exists", "but expected", "does not match")


def _failed(ref: str, error: Exception) -> Conflict | WriteFailed:
    said = error.output.stderr.split() if isinstance(error, command.GitFailed) else ()
    text = " ".join(said) or str(error)
    if any(word in text.lower() for word in _RACES):
        return Conflict(f"{ref} is being changed by another process: {text}", hint="try again")
    return WriteFailed(f"cannot write {ref}: {text}", hint="look at the space and permissions: df -h . ; ls -ld .git")
