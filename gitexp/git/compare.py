"""What lies between two commits: files changed, commits apart, merge base; and `git diff` as the user knows it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from gitexp.errors import Damaged
from gitexp.git import command, objects, reffiles

if TYPE_CHECKING:
    import pygit2

    from gitexp.git.repo import Repo

RECORD = ".gitexp/"


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that differs; lines are None for a binary one, `old_path` is set where it was renamed."""

    path: str
    added: int | None
    deleted: int | None
    old_path: str | None = None


def files(repo: Repo, old: str | None, new: str | None) -> list[FileChange]:
    """Return the files that differ between two commits (None: no code at all), but for the record of a run.

    Raises GitFailed where an object is not here and no remote gives it.
    """
    trees = (old or objects.EMPTY_TREE, new or objects.EMPTY_TREE)
    if trees[0] == trees[1]:
        return []
    if not command.available():
        return [item for item in _by_libgit2(repo, *trees) if not item.path.startswith(RECORD)]
    # diff-tree is plumbing: the user's diff settings (prefixes, external tools, colours) do not change what it says.
    done = command.run(repo, "diff-tree", "-r", "-M", "-z", "--numstat", "--no-textconv", *trees)
    fields = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    return [item for item in _changes(fields) if not item.path.startswith(RECORD)]


def _diff(repo: Repo, old: str, new: str) -> pygit2.Diff:
    import pygit2

    try:
        one, other = (repo.raw[oid].peel(pygit2.Tree) for oid in (old, new))
        diff = one.diff_to_tree(other)
        diff.find_similar()
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise Damaged(f"the code cannot be compared: {error}", hint="git fsck --full") from error
    return diff


def _by_libgit2(repo: Repo, old: str, new: str) -> Iterator[FileChange]:
    for patch in filter(None, _diff(repo, old, new)):
        delta = patch.delta
        before = delta.old_file.path if delta.status_char() in "RC" else None
        _, added, deleted = patch.line_stats
        counts = (None, None) if delta.is_binary else (added, deleted)
        yield FileChange(delta.new_file.path, counts[0], counts[1], before)


def _changes(fields: Sequence[str]) -> list[FileChange]:
    found, at = [], 0
    while at < len(fields) - 1:
        added, deleted, path = fields[at].split("\t", 2)
        counts = (_count(added), _count(deleted))
        if path:
            found.append(FileChange(path, *counts))
            at += 1
        else:  # renamed: both paths follow
            found.append(FileChange(fields[at + 2], *counts, old_path=fields[at + 1]))
            at += 3
    return found


def _count(text: str) -> int | None:
    return None if text == "-" else int(text)


def beyond(repo: Repo, tips: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the commits that lie behind some and not behind others, newest first; raises Damaged for a torn history.

    Of `known` counts what is here, and where something of that has no whole history, what a ref names.
    """
    tips, known = list(tips), list(known)
    try:
        return _beyond(repo, tips, known)
    except Damaged:
        named = set(reffiles.listing(repo.common_dir, "refs/").values())
        return _beyond(repo, tips, [oid for oid in known if oid in named])


def _beyond(repo: Repo, tips: Iterable[str], known: Iterable[str]) -> list[str]:
    import pygit2

    walker = repo.raw.walk(None)
    try:
        for oid in tips:
            walker.push(oid)
        for oid in known:
            if (commit := peeled(repo, oid)) is not None:
                walker.hide(commit)
        return [str(commit.id) for commit in walker]
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise Damaged(f"history of {repo.common_dir} is missing: {error}", hint="git fsck --full") from error


def peeled(repo: Repo, oid: str) -> str | None:
    """Return the commit that an object is or leads to, None where it is not here or leads to none."""
    import pygit2

    item = repo.raw.get(oid)
    try:
        return None if item is None else str(item.peel(pygit2.Commit).id)
    except (ValueError, KeyError, pygit2.GitError):
        return None


def history(repo: Repo, commit: str, count: int) -> list[str]:
    """Return a commit and those behind it, children before parents, this many at most."""
    import pygit2

    if command.available():
        done = command.run(repo, "rev-list", f"--max-count={count}", "--topo-order", commit, "--")
        return done.stdout.decode().split()
    order = pygit2.enums.SortMode.TOPOLOGICAL | pygit2.enums.SortMode.TIME
    return [str(item.id) for item in islice(repo.raw.walk(pygit2.Oid(hex=commit), order), count)]


def apart(repo: Repo, one: str, other: str) -> tuple[int, int] | None:
    """Return how many commits only `one` has and only `other` has; None where their history is not here."""
    import pygit2

    try:
        ahead, behind = repo.raw.ahead_behind(one, other)
    except (KeyError, ValueError, pygit2.GitError):
        return None
    return ahead, behind


def contains(repo: Repo, commit: str, ancestor: str) -> bool:
    """Say whether `ancestor` is in the history of `commit`; False where that history is cut off before it."""
    if commit == ancestor:
        return True
    try:
        return bool(repo.raw.descendant_of(commit, ancestor))
    except (KeyError, ValueError):
        return False


def merge_base(repo: Repo, one: str, other: str) -> str | None:
    """Return the best common ancestor of two commits, None where they have none, or it is not here."""
    import pygit2

    try:
        found = repo.raw.merge_base(one, other)
    except (KeyError, ValueError, pygit2.GitError):
        return None
    return None if found is None else str(found)


def show(repo: Repo, old: str | None, new: str | None, options: Sequence[str], *, terminal: bool) -> bytes:
    """Show `git diff OLD NEW` on the terminal, through the user's pager and settings; else return what it prints."""
    trees = (old or objects.EMPTY_TREE, new or objects.EMPTY_TREE)
    words = ("diff", *options, *trees, "--", ":/", f":(exclude,top){RECORD.rstrip('/')}")
    env = {"GIT_LITERAL_PATHSPECS": "0"}
    if not command.available():
        return _plain_diff(repo, *trees, options)
    if not terminal:
        return command.run(repo, *words, env=env).stdout
    subprocess.run(["git", *words], cwd=repo.work_tree or repo.git_dir, env=command.environment(repo, env))
    return b""


def _plain_diff(repo: Repo, old: str, new: str, options: Sequence[str]) -> bytes:
    """Return the difference without the user's pager, colours and tools, which are Git's."""
    rows = files(repo, old, new) if "--stat" in options else ()
    stat = [f" {item.path} | {_tally(item)}\n".encode("utf-8", "surrogateescape") for item in rows]
    if stat and "--patch" not in options:
        return b"".join(stat)
    patches = filter(None, _diff(repo, old, new))
    kept = (patch for patch in patches if not patch.delta.new_file.path.startswith(RECORD))
    return b"".join([*stat, b"\n" if stat else b"", *(patch.data for patch in kept)])


def _tally(item: FileChange) -> str:
    return "Bin" if item.added is None else f"+{item.added} -{item.deleted}"


def contents(old: Path, new: Path) -> str:
    """Return the lines in which two files differ, as hunks of `git diff`; "" where Git takes one for binary."""
    if not command.available():
        return _hunks(old, new)
    words = ("diff", "--no-index", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "-U2")
    # A link is followed by no `git diff`, and the user's settings of prefixes and algorithms say how hunks are made.
    done = command.run(None, *words, "--", str(old.resolve()), str(new.resolve()), check=False)
    text = done.stdout.decode("utf-8", "replace")
    at = text.find("\n@@ ")
    return text[at + 1 :] if at >= 0 else ""


def _hunks(old: Path, new: Path) -> str:
    import pygit2

    one, other = old.read_bytes(), new.read_bytes()  # kept by name: libgit2 reads them until the text is made
    patch = pygit2.Patch.create_from(one, other, context_lines=2)
    if patch.delta.is_binary:
        return ""
    text = patch.text or ""
    at = text.find("\n@@ ")
    return text[at + 1 :] if at >= 0 else ""
