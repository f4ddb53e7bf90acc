"""The keys that sign events: set up, listed, and added to the project's list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gitexp import canonical, clock, files
from gitexp.errors import NotFound, Refused, UsageError
from gitexp.git import config, keyring, signing
from gitexp.record import event, roster
from gitexp.store import signers
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace

_USUAL = ("id_ed25519", "id_ed25519_sk", "id_ecdsa", "id_ecdsa_sk", "id_rsa")
_OWN = "git_signing_ed25519"  # in ~/.ssh: not the name under which ssh would log in with it


@dataclass(frozen=True, slots=True)
class Setup:
    """What is to be set so that Git signs here: `found` says which key it is, `make` where one is to be made.

    `line` lets the key sign for the user, `where` is the file that it belongs in; `counts` says that it is there.
    """

    found: str
    format: str
    key: str
    settings: tuple[tuple[str, str], ...]
    make: Path | None = None
    line: str = ""
    where: str = ""
    counts: bool = False


def plan(workspace: Workspace, *, key: str = "", new: bool = False) -> Setup:
    """Return how Git gets to a signing key: the one that it has, a named one, one that is there, else a new one."""
    ready = signing.ready(workspace.repo)
    if not ready.why and not key and not new:
        return _told(workspace, _configured(workspace, ready))
    if not keyring.program(workspace.repo, "ssh"):
        signing.require(workspace.repo)
        raise Refused("there is no ssh-keygen on the PATH", hint="install the OpenSSH client")
    if key:
        return _told(workspace, _named(key))
    found = None if new else next(_there(), None)
    own = _folder() / _OWN
    if found is None and own.exists() and new:
        raise Refused(f"there is a key {own} already", hint=f"gitexp keys setup --key {own}")
    return _told(workspace, found or Setup(f"a new key {own}", "ssh", "", _settings(str(own)), make=own))


def _configured(workspace: Workspace, ready: signing.Ready) -> Setup:
    """Return the set-up of a key that Git has: it is named, so that events are signed with it."""
    named = workspace.repo.config("user.signingKey") or workspace.repo.config("gpg.ssh.defaultKeyCommand")
    settings = () if named else (("user.signingKey", ready.key),)
    return Setup(f"the key that Git is set up with, {ready.key}", ready.format, ready.key, settings, line=ready.public)


def _settings(value: str) -> tuple[tuple[str, str], ...]:
    return (("gpg.format", "ssh"), ("user.signingKey", value))


def _folder() -> Path:
    return Path.home() / ".ssh"


def _named(key: str) -> Setup:
    path = Path(key).expanduser()
    if path.is_file():
        public, value = keyring.public_key(path), str(path.absolute())
    else:
        kind, data, _ = roster.public(key)
        public, value = f"{kind} {data}", f"key::{kind} {data}"
    if not public:
        raise UsageError(f"{key} is no SSH key", hint="ls ~/.ssh")
    return Setup(f"the key {key}", "ssh", _fingerprint(public), _settings(value), line=public)


def _there() -> Iterator[Setup]:
    """Yield the keys that are there: those that are ready without a passphrase first."""
    held = keyring.agent_keys()
    for path in (_folder() / name for name in (_OWN, *_USUAL)):
        if path.is_file() and (public := keyring.public_key(path)):
            yield Setup(f"the key {path}", "ssh", _fingerprint(public), _settings(str(path)), line=public)
    for public in held:
        kind, data, comment = roster.public(public)
        what = f"the key {comment or _fingerprint(public)} of the SSH agent"
        yield Setup(what, "ssh", _fingerprint(public), _settings(f"key::{kind} {data}"), line=public)


def _fingerprint(public: str) -> str:
    return roster.fingerprint(public.split()[1])


def _told(workspace: Workspace, found: Setup) -> Setup:
    """Return a set-up with the line that lets its key sign for the user."""
    email, now = own_address(workspace), signers.lists(workspace)
    if found.format == "gpg":
        counts = found.key in {"".join(key.split()).upper() for key in now.gpg.values()}
        return replace(found, line=f'"{email}" = "{found.key}"', where="[registry.gpg] of gitexp.toml", counts=counts)
    if not found.line:
        return replace(found, where=signers.ALLOWED)
    counts = any(email in key.people for key in now.roster.of(found.key))
    return replace(found, line=roster.line([email], found.line), where=signers.ALLOWED, counts=counts)


def own_address(workspace: Workspace) -> str:
    """Return the address that the user's commits name; raises Refused where there is none: nobody could list it."""
    user = workspaces.user(workspace)
    if user["source"] != "git":
        raise Refused("user.name and user.email are not both set", hint="git config user.email ana@acme.io")
    return str(user["email"])


def execute(workspace: Workspace, setup: Setup, *, everywhere: bool = False) -> Setup:
    """Make the key where there is none, and set Git's settings: of this repository, or of all. Returns what is now."""
    if setup.make is not None:
        keyring.make(setup.make, own_address(workspace))
        public = keyring.public_key(setup.make)
        setup = _told(workspace, replace(setup, key=_fingerprint(public), line=public, make=None))
    for name, value in setup.settings:
        config.put(workspace.repo, name, value, everywhere=everywhere)
    return setup


@dataclass(frozen=True, slots=True)
class Added:
    """A line of a list: the list's file and its path as Git names it; whether it was written now, or was there."""

    path: Path
    name: str
    line: str
    written: bool


def add(workspace: Workspace, person: str, key: str, *, before: str = "") -> Added:
    """Write a line into the work tree's list that lets a key (a file, or its public line) sign for a person.

    It counts once it is on the branch of the rules. Raises Refused where the key is another person's.
    """
    path = Path(key).expanduser()
    public = keyring.public_key(path) if path.is_file() else key
    if not public:
        raise UsageError(f"{key} is no SSH key, or a passphrase hides it", hint=f"gitexp keys add {person} {key}.pub")
    line = roster.line([person], public, before=before)
    mark = roster.parse(line)
    if mark.faults:
        raise UsageError(f"{before!r} is no date such as 20271231", hint="--before 20271231")
    return write(workspace, line)


def write(workspace: Workspace, line: str) -> Added:
    """Write a line into the work tree's list: in place of that of the same key and person, which has other dates."""
    path, key = _file(workspace, signers.ALLOWED), roster.parse(line).keys[0]
    text = _content(path)
    for there in roster.parse(text).of(key.fingerprint):
        if not set(there.people) & set(key.people):
            raise Refused(
                f"{key.fingerprint} is the key of {', '.join(there.people)} (line {there.number} of {signers.ALLOWED})",
                hint=f"one key, one person: edit {signers.ALLOWED}",
            )
        if (there.before_s, there.after_s) == (key.before_s, key.after_s):
            return Added(path, signers.ALLOWED, there.line, False)
        lines = text.splitlines()
        lines[there.number - 1] = line
        files.write(path, ("\n".join(lines) + "\n").encode())
        return Added(path, signers.ALLOWED, line, True)
    return _append(path, signers.ALLOWED, line)


def revoke(workspace: Workspace, words: str) -> list[Added]:
    """Write keys into the work tree's list of revoked ones: a file, a public line, a fingerprint, or all of a person.

    Raises NotFound where no key is meant.
    """
    path = _file(workspace, signers.REVOKED)
    gone = roster.revoked(_content(path))
    return [
        Added(path, signers.REVOKED, line, False)
        if roster.fingerprint(line.split()[1]) in gone
        else _append(path, signers.REVOKED, line)
        for line in _meant(workspace, words)
    ]


def _meant(workspace: Workspace, words: str) -> list[str]:
    path = Path(words).expanduser()
    if path.is_file() or words.startswith(("ssh-", "ecdsa-", "sk-")):
        public = keyring.public_key(path) if path.is_file() else words
        kind, data, comment = roster.public(public or words)
        return [" ".join(filter(None, (kind, data, comment)))]
    drafts = roster.parse(_content(_file(workspace, signers.ALLOWED))).keys
    every = {key.fingerprint: key for key in (*drafts, *signers.lists(workspace).roster.keys)}
    found = [key for mark, key in every.items() if words == mark or words.lower() in map(str.lower, key.people)]
    if not found:
        raise NotFound(f"no key of {words!r} is in the lists", hint="gitexp keys ls")
    return [key.line[key.line.index(f"{key.kind} ") :] for key in found]


def _append(path: Path, name: str, line: str) -> Added:
    text = _content(path)
    gap = "" if not text or text.endswith("\n") else "\n"
    files.write(path, f"{text}{gap}{line}\n".encode())
    return Added(path, name, line, True)


def _file(workspace: Workspace, name: str) -> Path:
    if workspace.repo.work_tree is None:
        raise Refused("a bare repository has no list to edit", hint=f"edit {name} in a clone, and push it")
    return workspace.repo.work_tree / name


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""


@dataclass(frozen=True, slots=True)
class Row:
    """A key and whom it signs for; `status` is good, expired, revoked, or "not reviewed": only in the work tree."""

    people: tuple[str, ...]
    kind: str
    key: str
    status: str
    where: str
    line: int | None = None
    after_s: int | None = None
    before_s: int | None = None
    comment: str = ""
    own: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp keys ls --json` prints of it."""
        return {
            "people": list(self.people), "kind": self.kind, "key": self.key, "status": self.status,
            "where": self.where, "line": self.line, "comment": self.comment, "own": self.own,
            "after": _iso(self.after_s), "before": self.until,
        }  # fmt: skip

    @property
    def until(self) -> str | None:
        """When the key ends, None where it does not."""
        return _iso(self.before_s)


def _iso(time_s: int | None) -> str | None:
    return None if time_s is None else canonical.iso(time_s * 1000)


def listing(workspace: Workspace) -> list[Row]:
    """Return all keys that are in force, and those that the work tree adds to them."""
    now, own = signers.lists(workspace), signing.ready(workspace.repo).key
    rows = [_row(key, source.where, now, own) for source in now.allowed for key in roster.parse(source.text or "").keys]
    known = {line.line for line in now.roster.keys}
    drafts = _content(_file(workspace, signers.ALLOWED)) if workspace.repo.work_tree is not None else ""
    rows += [
        replace(_row(key, f"{signers.ALLOWED} here", now, own), status="not reviewed")
        for key in roster.parse(drafts).keys
        if key.line not in known
    ]
    for email, fingerprint in now.gpg.items():
        key = "".join(fingerprint.split()).upper()
        rows.append(Row((email,), "gpg", key, event.GOOD, "[registry.gpg]", own=key == own))
    return rows


def _row(key: roster.Key, where: str, now: signers.Lists, own: str) -> Row:
    status = event.GOOD if key.holds(clock.now_ms() // 1000) else event.EXPIRED
    if key.fingerprint in now.gone:
        status = event.REVOKED
    kind = f"{key.kind} authority" if key.authority else key.kind
    return Row(
        key.people, kind, key.fingerprint, status, where, key.number, key.after_s, key.before_s, key.comment,
        key.fingerprint == own,
    )  # fmt: skip
