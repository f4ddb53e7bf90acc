"""Remotes: which one is meant, what it was last seen to hold, and what the user agreed to send there.

Below .git/gitexp/remotes/, two files for each, by its quoted name: `<name>.refs` has the address, the time of the last
look in ms, then, append-only, `<oid> <ref>` a line (forty zeros: gone); `<name>.json` holds what was agreed. Both count
for the address they name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gitexp import canonical, clock, files, locks, redact, text
from gitexp.errors import Conflict, NotFound, UsageError
from gitexp.git import transport
from gitexp.store.workspace import Workspace

_GONE = "0" * 40
_LOCK_SECONDS = 30
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote: `name` is what Git is told (a configured name, an address, a path), `url` where a push goes."""

    name: str
    url: str
    configured: bool = True

    @property
    def label(self) -> str:
        """What people see."""
        return self.name if self.configured else text.safe(redact.url(self.name))

    @property
    def where(self) -> str:
        """The address without scheme, user and `.git`: git.example.com/acme/churn."""
        shown = redact.url(self.url)
        if "://" in shown:
            parts = urlsplit(shown)
            shown = parts.netloc.rpartition("@")[2] + parts.path
        elif ":" in shown.partition("/")[0]:
            shown = shown.partition("@")[2] or shown
        return text.safe(shown.removesuffix("/").removesuffix(".git"))


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the user agreed to for one remote, by kind, and the refs deleted there that must not go again by themselves.

    `owed` are the refs of runs whose large files could not go with them: tried again, also where the remote moves.
    `told` is why, where that lasts and has been said.
    """

    kinds: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    owed: frozenset[str] = frozenset()
    told: str = ""


def choose(workspace: Workspace, name: str | None = None) -> Remote:
    """Return the remote meant: the one named, else gitexp.remote, else the one that `git push` would take.

    Raises NotFound where there is none, or none of that name.
    """
    known = transport.names(workspace.repo)
    wanted = name or workspace.settings.text("remote")
    if wanted:
        return _named(known, wanted)
    for candidate in _by_git(workspace):
        if candidate in known:
            return Remote(candidate, known[candidate])
    if len(known) == 1:
        return Remote(*next(iter(known.items())))
    if not known:
        raise NotFound("there is no remote to share runs with", hint="git remote add origin URL")
    raise NotFound(f"which remote? {', '.join(sorted(known))}", hint="git config gitexp.remote NAME")


def _named(known: Mapping[str, str], wanted: str) -> Remote:
    if wanted in known:
        return Remote(wanted, known[wanted])
    if wanted.startswith("-"):  # Git would take it for an option, and some of them start programs
        raise UsageError(f"{text.safe(wanted)!r} is no remote", hint="git remote -v")
    if Path(wanted).exists():  # Git runs at the top of the work tree, the user may be elsewhere
        path = os.path.abspath(wanted)  # noqa: PTH100 - links stay as they were typed
        return Remote(path, path, configured=False)
    if ":" in wanted:
        return Remote(wanted, wanted, configured=False)
    listed = ", ".join(sorted(known)) or "none"
    raise NotFound(f"no remote {text.safe(wanted)!r}; there is: {listed}", hint=f"git remote add {wanted} URL")


def is_one(workspace: Workspace, word: str) -> bool:
    """Say whether a word on the command line names a remote and not a run."""
    return word in transport.names(workspace.repo) or "://" in word or word.startswith(("/", "./", "../"))


def _by_git(workspace: Workspace) -> Iterator[str]:
    repo = workspace.repo
    branch = repo.head().branch
    keys = (f"branch.{branch}.pushRemote", "remote.pushDefault", f"branch.{branch}.remote")
    for key in keys if branch else keys[1:2]:
        if value := repo.config(key):
            yield value
    yield "origin"


def seen(workspace: Workspace, remote: Remote) -> dict[str, str]:
    """Return {ref: oid} as the remote was last seen; {} where it never was, or is at another address now."""
    return _read_refs(_file(workspace, remote, "refs"), remote.url)


def looked_ms(workspace: Workspace, remote: Remote) -> int:
    """Return when all that the remote holds was last looked at from here; 0 for never at this address."""
    try:
        with open(_file(workspace, remote, "refs"), encoding="utf-8", errors="surrogateescape") as file:
            where, when = file.readline().rstrip("\n"), file.readline().strip()
    except FileNotFoundError:
        return 0
    return int(when) if where == address_line(remote.url) and when.isdigit() else 0


def holdings(workspace: Workspace) -> dict[str, dict[str, str]]:
    """Return {remote: {ref: oid}} of the configured remotes that were seen."""
    folder = workspace.home / "remotes"
    if not folder.is_dir() or not any(folder.glob("*.refs")):
        return {}
    every = (Remote(name, url) for name, url in transport.names(workspace.repo).items())
    return {remote.name: held for remote in every if (held := seen(workspace, remote))}


def remember(workspace: Workspace, remote: Remote, changes: Mapping[str, str | None]) -> None:
    """Add to what the remote is known to hold; None: it does not hold that ref any more."""
    if not looked_ms(workspace, remote):
        replace(workspace, remote, {ref: oid for ref, oid in changes.items() if oid is not None})
        return
    data = "".join(f"{oid or _GONE} {ref}\n" for ref, oid in changes.items())
    descriptor = os.open(_file(workspace, remote, "refs"), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        os.write(descriptor, data.encode("utf-8", "surrogateescape"))
    finally:
        os.close(descriptor)


def replace(workspace: Workspace, remote: Remote, refs: Mapping[str, str]) -> None:
    """Set what the remote is known to hold, after a look at all of it."""
    lines = [address_line(remote.url), str(clock.now_ms()), *(f"{oid} {ref}" for ref, oid in refs.items())]
    files.write(_file(workspace, remote, "refs"), ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))


def agreement(workspace: Workspace, remote: Remote) -> Agreement:
    """Return what was agreed to for this remote at this address; what is owed to it holds at any address."""
    value = _read_json(_file(workspace, remote, "json"))
    if value.get("url") != redact.url(remote.url):
        return Agreement(owed=frozenset(value.get("owed", ())))
    agreed, deleted, owed = (frozenset(value.get(name, ())) for name in ("agreed", "deleted", "owed"))
    return Agreement(agreed, deleted, owed, str(value.get("told", "")))


def agree(workspace: Workspace, remote: Remote, kinds: Iterable[str]) -> None:
    """Remember that these kinds of exposure are agreed to."""
    before = agreement(workspace, remote)
    _write(workspace, remote, replace_fields(before, kinds=before.kinds | set(kinds)))


def mark_deleted(workspace: Workspace, remote: Remote, refs: Iterable[str], *, deleted: bool = True) -> None:
    """Remember that these refs were deleted at the remote on purpose, or that they are wanted there again."""
    before = agreement(workspace, remote)
    after = before.deleted | set(refs) if deleted else before.deleted - set(refs)
    if after != before.deleted:
        _write(workspace, remote, replace_fields(before, deleted=after))


def owe(workspace: Workspace, remote: Remote, refs: Iterable[str], *, told: str = "") -> None:
    """Set the runs whose large files the next push has to try again, and why, where that lasts and is told now."""
    before = agreement(workspace, remote)
    after = replace_fields(before, owed=frozenset(refs), told=told)
    if after != before:
        _write(workspace, remote, after)


@contextmanager
def busy(workspace: Workspace, remote: Remote) -> Iterator[None]:
    """Be the only process of this clone that talks to the remote; raises Conflict after half a minute."""
    try:
        with locks.hold(_file(workspace, remote, "lock"), timeout_seconds=_LOCK_SECONDS):
            yield
    except Conflict as error:
        if "is locked" not in error.message:
            raise
        raise Conflict(f"another push or fetch with {remote.label} is running", hint="wait for it") from error


def key(remote: Remote) -> str:
    """Return the remote's name as one file name and ref component."""
    data = redact.url(remote.name).encode("utf-8", "surrogateescape")
    quoted = "".join(chr(byte) if byte in _PLAIN else f"_{byte:02X}" for byte in data)
    return quoted if len(quoted) <= 100 else f"{quoted[:60]}_{hashlib.sha256(quoted.encode()).hexdigest()[:16]}"


def _file(workspace: Workspace, remote: Remote, kind: str) -> Path:
    return workspace.home / "remotes" / f"{key(remote)}.{kind}"


def address_line(url: str) -> str:
    """Return the first line of what is remembered of a remote: where it was then."""
    return "at " + redact.url(url).replace("\n", " ")


def _read_refs(path: Path, url: str) -> dict[str, str]:
    try:
        lines = path.read_text("utf-8", "surrogateescape").split("\n")
    except FileNotFoundError:
        return {}
    if lines[0] != address_line(url):
        return {}
    # The last line is empty, or one that a crash tore.
    found = {line[41:]: line[:40] for line in lines[2:-1] if len(line) > 41}
    return {ref: oid for ref, oid in found.items() if oid != _GONE}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = canonical.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _write(workspace: Workspace, remote: Remote, agreed: Agreement) -> None:
    lists = {"agreed": agreed.kinds, "deleted": agreed.deleted, "owed": agreed.owed}
    value = {"url": redact.url(remote.url), **{name: sorted(items) for name, items in lists.items()}}
    value |= {"told": agreed.told} if agreed.told else {}
    files.write(_file(workspace, remote, "json"), canonical.dumps(value))
