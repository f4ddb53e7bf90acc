"""What the work tree holds that HEAD does not, and which of it makes the tree dirty."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gitexp import redact
from gitexp.errors import Damaged, Unsupported, UsageError
from gitexp.git import command, discover, fingerprint, index, objects, plain, source, untracked
from gitexp.git.repo import Repo

RECORD = ".gitexp"
_MAX_NOTEBOOK_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts: source-like names, pathspecs that never do, paths the last run wrote, and what a snapshot takes.

    `outputs` are paths from the top of the work tree; a folder stands for all in it. `take` is "tracked", "source"
    or "all".
    """

    suffixes: tuple[str, ...] = source.SUFFIXES
    ignore: tuple[str, ...] = ()
    outputs: frozenset[str] = frozenset()
    take: str = "source"

    def is_output(self, path: str) -> bool:
        """Say whether the last run wrote this path, or a folder that holds it."""
        if not self.outputs:
            return False
        parts = path.split("/")
        return any("/".join(parts[:length]) in self.outputs for length in range(1, len(parts) + 1))

    def is_wanted(self, path: str) -> bool:
        """Say whether an untracked file can matter: source by its name, a secret to be listed, or all are asked for."""
        if _is_record(path) or self.is_output(path):
            return False
        return self.take == "all" or source.is_source(path, self.suffixes) or redact.is_secret_file(path)


@dataclass(frozen=True, slots=True)
class Change:
    """A tracked path that differs from HEAD: Git's XY code, what HEAD has there, and the state of a submodule."""

    code: str
    path: str
    head_mode: int = 0
    head_oid: str = ""
    submodule: str = ""

    @property
    def is_staged_only(self) -> bool:
        """The work tree and the index agree."""
        return self.code[1] == " "


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A path that a snapshot does not hold, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Status:
    """What differs from HEAD.

    `changed` and `untracked` make the tree dirty. `kept` are tracked changes that do not count (the record of a run,
    `gitexp.dirtyIgnore`, outputs of notebooks): a snapshot keeps HEAD's version. `others` are untracked files that are
    not source, only filled when a snapshot takes all. `complete` is False where code could not be looked into.
    """

    changed: tuple[Change, ...] = ()
    untracked: tuple[str, ...] = ()
    kept: tuple[Change, ...] = ()
    others: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    hidden: tuple[str, ...] = ()
    complete: bool = True
    key: str | None = field(default=None, compare=False)  # of the cache: there is none while times are too new

    @property
    def dirty(self) -> bool:
        """Say whether the code is not that of HEAD."""
        return bool(self.changed or self.untracked)

    @property
    def paths(self) -> tuple[tuple[str, str], ...]:
        """Return (XY code, path) of all that makes the tree dirty."""
        return tuple((item.code, item.path) for item in self.changed) + tuple(("??", path) for path in self.untracked)

    def encode(self) -> dict[str, Any]:
        """Return what `decode` reads."""
        return {
            "changed": [_row(item) for item in self.changed],
            "untracked": self.untracked,
            "kept": [_row(item) for item in self.kept],
            "others": self.others,
            "left_out": [(item.path, item.reason) for item in self.left_out],
            "hidden": self.hidden,
            "complete": self.complete,
        }

    @classmethod
    def decode(cls, data: dict[str, Any], key: str) -> Status:
        """Read what `encode` wrote."""
        return cls(
            tuple(Change(*row) for row in data["changed"]),
            tuple(data["untracked"]),
            tuple(Change(*row) for row in data["kept"]),
            tuple(data["others"]),
            tuple(LeftOut(*row) for row in data["left_out"]),
            tuple(data["hidden"]),
            bool(data["complete"]),
            key,
        )


def _row(item: Change) -> tuple[str, str, int, str, str]:
    return item.code, item.path, item.head_mode, item.head_oid, item.submodule


@dataclass(frozen=True, slots=True)
class Raw:
    """What Git reports before any rule is applied; untracked folders end in a slash."""

    tracked: tuple[Change, ...]
    untracked: tuple[str, ...]


def status(repo: Repo, rules: Rules | None = None) -> Status:
    """Return what differs from HEAD.

    libgit2 is asked first, in a fraction of a millisecond; what it calls clean is clean. What it reports, or cannot
    read, only the git command knows for sure: filters, attributes, sparse checkouts, submodules.
    """
    rules = rules or Rules()
    if repo.work_tree is None:
        return Status()
    hidden = index.hidden(repo)
    quick = None if (repo.work_tree / ".gitmodules").exists() else plain.status(repo)
    key = None
    if quick is not None:
        candidates = [(item.code, item.path) for item in quick.tracked] + [("h", path) for path in hidden]
        if quick.untracked:
            found = untracked.expand(repo, quick.untracked, rules.is_wanted, ask_git=False)
            candidates += [("?", path) for path in (*found.files, *found.embedded, *found.cut)]
        if not candidates:
            return Status()
        key = fingerprint.of(repo, repo.head().commit, rules, candidates)
        if key and (known := fingerprint.known(repo, "status", key)):
            return Status.decode(known, key)
    result = replace(_truth(repo, rules, hidden, quick), key=key)
    if key:
        fingerprint.remember(repo, "status", key, result.encode())
    return result


def _truth(repo: Repo, rules: Rules, hidden: tuple[str, ...], quick: plain.Report | None) -> Status:
    if command.available():
        raw = _ask_git(repo, hidden)
    elif quick is not None or (quick := plain.status(repo)) is not None:
        raw = Raw(tuple(_with_head(repo, item.code, item.path) for item in quick.tracked), quick.untracked)
    else:
        raise Unsupported(f"only the git command can read the index of {repo.work_tree}", hint="install git")
    return _judge(repo, rules, raw, hidden)


def _with_head(repo: Repo, code: str, path: str) -> Change:
    commit = repo.head().commit
    entry = objects.entry(repo, objects.read_commit(repo, commit).tree, path) if commit else None
    return Change(code, path, entry.mode, entry.oid) if entry else Change(code, path)


def _ask_git(repo: Repo, hidden: tuple[str, ...]) -> Raw:
    if not hidden:
        return _parse(_porcelain(repo, index.path(repo)))
    with index.private(repo) as copy:
        index.unhide(repo, copy, hidden)
        return _parse(_porcelain(repo, copy))


def _porcelain(repo: Repo, index_file: Path) -> bytes:
    return command.run(
        repo,
        "status",
        "--porcelain=v2",
        "-z",
        "--untracked-files=normal",
        "--no-renames",
        "--ignore-submodules=none",
        env={"GIT_INDEX_FILE": str(index_file)},
    ).stdout


def _parse(output: bytes) -> Raw:
    """Read porcelain v2 (git-status, "Porcelain Format Version 2"), without renames."""
    tracked, names = [], []
    for row in output.split(b"\0"):
        if row[:2] == b"? ":
            names.append(os.fsdecode(row[2:]))
        elif row[:2] == b"1 ":
            _, code, sub, head_mode, _, _, oid, _, path = row.split(b" ", 8)
            tracked.append(_change(code, sub, head_mode, oid, path))
        elif row[:2] == b"u ":  # the second stage is ours: what HEAD has
            _, code, sub, _, head_mode, _, _, _, oid, _, path = row.split(b" ", 10)
            tracked.append(_change(code, sub, head_mode, oid, path))
    return Raw(tuple(tracked), tuple(names))


def _change(code: bytes, sub: bytes, mode: bytes, oid: bytes, path: bytes) -> Change:
    known = oid.strip(b"0") != b""
    return Change(
        code.decode().replace(".", " "),
        os.fsdecode(path),
        int(mode, 8) if known else 0,
        oid.decode() if known else "",
        sub.decode() if sub[:1] == b"S" else "",
    )


def _judge(repo: Repo, rules: Rules, raw: Raw, hidden: tuple[str, ...]) -> Status:
    """Apply the rules to what Git reports."""
    found = untracked.expand(repo, raw.untracked, rules.is_wanted, ask_git=command.available())
    ignored = _matching(repo, [item.path for item in raw.tracked] + found.files + found.embedded, rules.ignore)
    changed, kept, left_out = [], [], []
    for item in raw.tracked:
        if item.path in ignored or _is_record(item.path) or _is_outputs_only(repo, item):
            kept.append(item)
            continue
        edited = item.submodule[2:].strip(".") != "" and _has_edits(repo, item.path, rules)
        if edited:
            left_out.append(LeftOut(item.path, "submodule with edits of its own"))
        if edited or not item.submodule or item.submodule[1] == "C" or item.code[0] != " ":
            changed.append(item)
    left_out += [LeftOut(name, "repository of its own") for name in found.embedded if name not in ignored]
    left_out += [LeftOut(name, "folder with too many files to search") for name in found.cut]
    complete = not left_out
    files = [name for name in found.files if name not in ignored]
    left_out += [LeftOut(name, "secret by its name") for name in files if redact.is_secret_file(name)]
    files = [name for name in files if not redact.is_secret_file(name)]
    code = tuple(name for name in files if source.is_source(name, rules.suffixes))
    others = tuple(sorted(set(files) - set(code)))
    return Status(tuple(changed), code, tuple(kept), others, tuple(left_out), hidden, complete)


def _is_record(path: str) -> bool:
    return path == RECORD or path.startswith(RECORD + "/")


def _has_edits(repo: Repo, path: str, rules: Rules) -> bool:
    """Say whether a submodule is dirty by our own rules: a stray cache in it is no edit."""
    inner = discover.find(Path(str(repo.work_tree), path))
    found = status(inner, replace(rules, ignore=(), outputs=frozenset(), take="source"))
    return found.dirty or not found.complete


def _is_outputs_only(repo: Repo, item: Change) -> bool:
    """Say whether a change is to a notebook, and to nothing in it but what running it writes."""
    if not item.path.lower().endswith(".ipynb") or not item.head_oid:
        return False
    try:
        old = objects.read_blob(repo, item.head_oid, limit_bytes=_MAX_NOTEBOOK_BYTES)
        new = Path(str(repo.work_tree), item.path).read_bytes()
    except (OSError, Damaged):  # deleted, or HEAD's version is not here: a change like any other
        return False
    return source.is_same_notebook(old, new)


def _matching(repo: Repo, paths: list[str], specs: Iterable[str]) -> frozenset[str]:
    """Return those of `paths` that Git's pathspecs match: Git itself is asked, about an index of just these paths."""
    specs = tuple(specs)
    if not specs or not paths:
        return frozenset()
    if not command.available():
        return plain.matching(paths, specs)
    # What ends in a slash is a folder; a file in its place is matched by the same patterns.
    names = {path.rstrip("/"): path for path in paths}
    rows = [b"100644 %b 0\t%b\0" % (_EMPTY_BLOB, os.fsencode(name)) for name in names]
    with index.private(repo, empty=True) as scratch:
        index.stage(repo, scratch, "--replace", "--index-info", given=rows)
        listed = command.run(
            repo, "ls-files", "-z", "--cached", "--", *specs, env={"GIT_INDEX_FILE": str(scratch)}, check=False
        )
    if listed.code:
        raise UsageError(f"gitexp.dirtyIgnore: {listed.stderr.strip()}", hint="man gitglossary   (pathspec)")
    matched = map(os.fsdecode, listed.stdout.split(b"\0"))
    return frozenset(names[name] for name in matched if name in names)


_EMPTY_BLOB = b"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
