"""Commits by what they change: the history they stand in, patch ids that survive a rebase, the paths they touch."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import IO, TYPE_CHECKING

from gitexp.errors import Damaged, NotFound, Unsupported, UsageError
from gitexp.git import command, objects
from gitexp.git.compare import RECORD

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

_OID = re.compile(r"[0-9a-f]{40}")
_COMMIT = re.compile(_OID.pattern.encode())
_PAIR = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40})")
_RECORD = RECORD.rstrip("/")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a walk; `boundary` is one that was excluded and that an included one follows."""

    tree: str
    time_s: int
    parents: tuple[str, ...]
    boundary: bool


@dataclass(frozen=True, slots=True)
class Tips:
    """What Git's own revision ranges begin from, and what they leave out."""

    included: tuple[str, ...]
    excluded: tuple[str, ...]


def tips(repo: Repo, revisions: Sequence[str]) -> Tips:
    """Return the commits that revisions (`main..HEAD`, `^v1`, `HEAD~3`) mean; raises NotFound as Git says it."""
    if any(revision.startswith("-") for revision in revisions):
        raise NotFound(f"no commits {' '.join(revisions)!r}", hint=_HINT)
    done = command.run(repo, "rev-parse", *revisions, "--", check=False)
    words = [word for word in done.stdout.decode("utf-8", "replace").split() if word != "--"]
    peeled = [_commit(repo, word.lstrip("^")) for word in words]
    if done.code or not all(peeled):
        said = done.stderr.strip().splitlines()[:1] or ["that is something else"]
        raise NotFound(f"no commits {' '.join(revisions)!r}: {said[0].removeprefix('fatal: ')}", hint=_HINT)
    parted = [(commit, word.startswith("^")) for commit, word in zip(peeled, words, strict=True)]
    included, excluded = (tuple(commit for commit, left_out in parted if left_out is side) for side in (False, True))
    return Tips(included, excluded)


def _commit(repo: Repo, oid: str) -> str:
    """Return the commit of an oid, which may be an annotated tag's; "" for anything else."""
    done = command.run(repo, "rev-parse", "--verify", "--quiet", oid + "^{commit}", check=False)
    return done.stdout.decode().strip()


_HINT = "give a range such as main..HEAD; runs of one experiment: gitexp log -e NAME"


def is_oid(value: object) -> bool:
    """Say whether a value, which may come from a foreign record, is the name of an object."""
    return isinstance(value, str) and _OID.fullmatch(value) is not None


def walk(
    repo: Repo, included: Iterable[str], excluded: Iterable[str] = (), *, branches: bool = False
) -> dict[str, Commit]:
    """Return the commits reachable from those included and not from those excluded, and what lies on their boundary,
    children before parents. Commits that are not here are left out; `branches` begins from all branches too.
    """
    lines = [*included, *("^" + commit for commit in excluded)]
    options = ["--branches", "--remotes"] if branches else []
    words = ("rev-list", "--topo-order", "--boundary", "--ignore-missing", "--format=%m %T %ct %H %P", *options)
    done = command.run(repo, *words, "--stdin", input="".join(line + "\n" for line in lines).encode())
    found: dict[str, Commit] = {}
    for line in done.stdout.decode("ascii", "replace").splitlines():
        if not line.startswith("commit "):
            mark, tree, time, commit, *parents = line.split(" ")
            found[commit] = Commit(tree, int(time), tuple(filter(None, parents)), mark == "-")
    return found


def present(repo: Repo, names: Sequence[str], kind: str) -> dict[str, str]:
    """Return {name: oid} of the objects of a kind that are here, fetching none; a name is an oid, or one with
    a path or `^{tree}` behind it.
    """
    if repo.is_partial:  # git would fetch what it misses, one by one
        names = [name for name in names if objects.exists(repo, name[:40])]
    if not names:
        return {}
    asked = "\n".join(names).encode() + b"\n"
    done = command.run(repo, "cat-file", "--batch-check=%(objecttype) %(objectname)", input=asked)
    said = (line.partition(" ") for line in done.stdout.decode("utf-8", "replace").splitlines())
    return {name: oid for name, (what, _, oid) in zip(names, said, strict=True) if what == kind}


def code_trees(repo: Repo, trees: Iterable[str]) -> dict[str, str]:
    """Return {tree: what identifies the code in it}: the tree itself, or what it is without the record of a run."""
    wanted = sorted(set(trees))
    holding = present(repo, [f"{tree}:{_RECORD}" for tree in wanted], "tree")
    return {tree: _without(repo, tree) if f"{tree}:{_RECORD}" in holding else tree for tree in wanted}


def _without(repo: Repo, tree: str) -> str:
    """Return the id that a tree would have without the record; nothing is written."""
    try:
        entries = objects.entries(repo, tree)
    except Damaged:  # a foreign record calls something else a tree
        return tree
    rows = b"".join(
        b"%o %s\0" % (entry.mode, entry.name.encode("utf-8", "surrogateescape")) + bytes.fromhex(entry.oid)
        for entry in entries
        if entry.name != _RECORD
    )
    return sha1(b"tree %d\0" % len(rows) + rows).hexdigest()


Bases = Mapping[str, str | None]  # {commit: what to compare it with, None: its own parent}


def ids(repo: Repo, wanted: Bases) -> dict[str, str]:
    """Return {commit: patch id} (`git patch-id --stable`: no line numbers, no white space); a commit that changes
    nothing, or merges, has none.
    """
    if not wanted:
        return {}
    # Renames are found, so that a file renamed and edited is the same patch on another version of it.
    words = ("-p", "-M", "--full-index")
    with tempfile.TemporaryFile() as lines:
        _spool(lines, wanted)
        diff = _start(repo, _diff_tree(*words), lines)
        named = _start(repo, ["git", "patch-id", "--stable"], diff.stdout)
        if diff.stdout is not None:
            diff.stdout.close()  # so that diff-tree ends where patch-id does
        said = named.communicate()[0]
        diff.wait()
    return {commit: patch for patch, commit in (line.split(" ") for line in said.decode().splitlines())}


def _diff_tree(*words: str) -> list[str]:
    options = ("--stdin", "-r", "--root", "--no-ext-diff", "--no-textconv")
    return ["git", "diff-tree", *options, *words, "--", ":/", f":(exclude,top){_RECORD}"]


def _start(repo: Repo, words: Sequence[str], stdin: IO[bytes] | None) -> subprocess.Popen[bytes]:
    """Start git with its output in a pipe; what it complains of (an object that is not here) is not the user's talk."""
    if not command.available():
        raise command.missing(" ".join(words[:2]))
    return subprocess.Popen(
        words,
        cwd=repo.work_tree or repo.git_dir,
        env=command.environment(repo, _MAGIC),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


_MAGIC = {"GIT_LITERAL_PATHSPECS": "0"}  # the record is left out by pathspec


def _spool(file: IO[bytes], wanted: Bases) -> None:
    """Write the lines that diff-tree reads into a file: a pipe could fill while its output does."""
    file.write("".join(f"{commit} {base}\n" if base else f"{commit}\n" for commit, base in wanted.items()).encode())
    file.seek(0)


def shapes(repo: Repo, wanted: Bases) -> dict[str, bytes]:
    """Return {commit: a hash of the names of the files it changes}: equal patches have equal ones, found 100 times as
    fast.
    """
    if not wanted:
        return {}
    with tempfile.TemporaryFile() as lines:
        _spool(lines, wanted)
        said = _start(repo, _diff_tree("--name-only", "--no-renames"), lines).communicate()[0]
    found: dict[str, list[bytes]] = {}
    names: list[bytes] = []
    for line in said.splitlines():
        if _COMMIT.fullmatch(line) and line.decode() in wanted:
            names = found.setdefault(line.decode(), [])
        else:
            names.append(line)
    return {commit: sha1(b"\n".join(lines)).digest() for commit, lines in found.items()}


Pair = tuple[str, str]


def touching(repo: Repo, pairs: Iterable[Pair], pathspecs: Sequence[str]) -> dict[Pair, bool]:
    """Return for pairs of trees whether a path differs between them; pairs with a tree that is not here are left out.

    Pathspecs are from the folder where the user is, as Git takes them; raises UsageError for any other.
    """
    lines = "".join(f"{old} {new}\n" for old, new in pairs).encode()
    where = ("-C", repo.prefix.rstrip("/")) if repo.prefix else ()
    words = ("diff-tree", "--stdin", "-r", "--name-only", "--no-renames", "--", *pathspecs)
    done = command.run(repo, *where, *words, f":(exclude,top){_RECORD}", input=lines, env=_MAGIC, check=False)
    if done.code:
        said = (done.stderr.strip().splitlines() or [f"exit {done.code}"])[0].removeprefix("fatal: ")
        if "pathspec" in said or "outside repository" in said:
            raise UsageError(f"git takes no such path: {said}", hint="git log -- " + " ".join(pathspecs))
        raise Unsupported(f"git cannot compare the code of the runs: {said}", hint="git log -- " + " ".join(pathspecs))
    return dict(_touched(done.stdout.splitlines()))


def _touched(lines: Sequence[bytes]) -> Iterator[tuple[Pair, bool]]:
    """Yield each pair and whether a name follows it."""
    for number, line in enumerate(lines):
        if match := _PAIR.fullmatch(line):
            follows = lines[number + 1] if number + 1 < len(lines) else b""
            yield (match[1].decode(), match[2].decode()), bool(follows) and not _PAIR.fullmatch(follows)
