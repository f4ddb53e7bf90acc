"""Who signed which commit of the registry: by the project's list of allowed signers, and remembered.

`.git/gitexp/signers.jsonl` is a cache: a row counts while the lines that decide over its key are as they were.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gitexp import files
from gitexp.errors import Damaged
from gitexp.git import command, keyring, signatures, signing
from gitexp.git.objects import Commit
from gitexp.git.signatures import Claim
from gitexp.record import event, roster
from gitexp.record.event import Signer
from gitexp.store import rulebook
from gitexp.store.workspace import Workspace

ALLOWED, REVOKED = "gitexp/allowed_signers", "gitexp/revoked_signers"
_SPARE_LINES = 1000  # of the memory: rows that do not count any more
_ALLOWED_KEY, _REVOKED_KEY = "gpg.ssh.allowedSignersFile", "gpg.ssh.revocationFile"


@dataclass(frozen=True, slots=True)
class Source:
    """A list in force: where it is, for people, and its text; None where a configured file is not there."""

    where: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Lists:
    """Whose signatures count: the lists of allowed signers, keys that were revoked, and GPG keys by address.

    `revocation` is the file of `gpg.ssh.revocationFile`, which may be a KRL that only ssh-keygen reads.
    """

    allowed: tuple[Source, ...]
    revoked: tuple[Source, ...]
    revocation: Path | None
    gpg: Mapping[str, str]
    roster: roster.Roster
    gone: frozenset[str]
    _shared: str  # what is said of all keys

    @property
    def text(self) -> str:
        """The allowed signers as one list: of a key that stands in several, the first line is asked first."""
        return "".join(f"{key.line}\n" for key in self.roster.keys)

    def about(self, key: str, format: str) -> str:
        """Return a digest of what decides over a key's signatures."""
        if format == "gpg":
            return _digest(self._shared)
        return _digest(*self.roster.lines_about(key), key in self.gone, self._shared)


def of(workspace: Workspace, oids: Iterable[str]) -> dict[str, Signer]:
    """Return who signed each commit; one without a signature costs no process, and each is asked about once."""
    wanted = list(dict.fromkeys(oids))
    known, now = _remembered(workspace), lists(workspace)
    about = lru_cache(maxsize=None)(now.about)  # few keys sign many commits
    found = {oid: row[1] for oid in wanted if (row := known.get(oid)) and row[0] == about(row[1].key, row[1].format)}
    claims = signatures.find(workspace.repo, [oid for oid in wanted if oid not in found])
    fresh = _decide(workspace, now, claims)
    if lacking := [oid for oid in wanted if oid not in found and oid not in fresh]:
        raise Damaged(f"commit {lacking[0][:7]} is not here", hint="git fetch")
    _remember(workspace, now, fresh)
    return {oid: found.get(oid) or fresh[oid] for oid in wanted}


def _decide(workspace: Workspace, now: Lists, claims: Mapping[str, Claim | None]) -> dict[str, Signer]:
    if not any(claims.values()):
        return dict.fromkeys(claims, event.NOBODY)
    with tempfile.TemporaryDirectory(prefix="gitexp-") as folder:
        path = Path(folder, "allowed_signers")
        path.write_text(now.text, "utf-8")
        return signatures.decide(workspace.repo, claims, path, now.revocation, gone=now.gone, gpg=now.gpg)


def digest(workspace: Workspace) -> str:
    """Return a text that says which lists of signers, and which programs that check signatures, are in force."""
    now = lists(workspace)
    return _digest(now.text, *sorted(now.gone), now._shared)


def lists(workspace: Workspace) -> Lists:
    """Return the lists in force.

    A file that the repository's own Git configuration names counts alone. Otherwise it is the list on the branch of
    the rules, which the project reviews, and after it the one that the user has for all repositories.
    """
    book = rulebook.now(workspace)
    allowed = list(_configured(workspace, _ALLOWED_KEY, own=True))
    if not allowed:
        allowed += _reviewed(workspace, book, ALLOWED)
        allowed += _configured(workspace, _ALLOWED_KEY, own=False)
    revoked = _reviewed(workspace, book, REVOKED)
    revocation = _path(workspace, workspace.repo.config(_REVOKED_KEY))
    mark = _file_digest(revocation)
    shared = _digest(*sorted(book.rules.gpg.items()), mark, *_programs(workspace))
    keys = tuple(key for source in allowed for key in _parsed(source.text or "").keys)
    gone = frozenset[str]().union(*(roster.revoked(source.text or "") for source in revoked))
    if revocation is not None:
        revoked = [*revoked, Source(str(revocation), None if mark is None else "")]
    return Lists(tuple(allowed), tuple(revoked), revocation, book.rules.gpg, roster.Roster(keys), gone, shared)


_parsed = lru_cache(maxsize=8)(roster.parse)  # of some hundred people takes longer than all else here


def _configured(workspace: Workspace, key: str, *, own: bool) -> list[Source]:
    """Return the list that Git's configuration names: the repository's own, or that of the user and the machine."""
    entries = [entry for entry in workspace.repo.settings if entry.name == key.lower() and entry.own == own]
    path = _path(workspace, entries[-1].value if entries else None)
    if path is None:
        return []
    try:
        with open(path, "rb") as file:
            return [Source(str(path), file.read(roster.MAX_BYTES).decode("utf-8", "replace"))]
    except OSError:
        return [Source(str(path), None)]


def _reviewed(workspace: Workspace, book: rulebook.Rulebook, path: str) -> list[Source]:
    data = rulebook.file(workspace, book.commit, path)
    return [] if data is None else [Source(f"{path} of {book.label}", data.decode("utf-8", "replace"))]


def _path(workspace: Workspace, named: str | None) -> Path | None:
    repo = workspace.repo
    return Path(repo.work_tree or repo.git_dir, Path(named).expanduser()) if named else None


def _programs(workspace: Workspace) -> list[str]:
    if not command.available():
        return []
    return [keyring.program(workspace.repo, "ssh") or "", keyring.stamp(workspace.repo)]


def _file_digest(path: Path | None) -> str | None:
    try:
        return None if path is None else files.sha256(path)[0]
    except OSError:
        return None


def _digest(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def write(workspace: Workspace, commit: Commit) -> str:
    """Store an event's commit, signed as `gitexp.signEvents` says; moves no ref.

    Raises Refused where it must be signed and there is no key, GitFailed where the key does not sign.
    """
    if workspace.settings.choice("signEvents") == "always":
        signing.require(workspace.repo)
    return signing.commit(workspace.repo, commit, sign=wanted(workspace))


def wanted(workspace: Workspace) -> bool:
    """Say whether events are signed here: by default where Git knows a signing key, or is to sign."""
    choice, config = workspace.settings.choice("signEvents"), workspace.repo.config
    if choice != "auto":
        return choice == "always"
    named = config("user.signingKey") or config("gpg.ssh.defaultKeyCommand")
    return bool(named) or workspace.settings.flag("sign") or config("commit.gpgSign") in ("true", "yes", "on", "1")


def expected(workspace: Workspace, now_s: int) -> Signer:
    """Return what an event would count as that were committed here now; nothing is signed for it."""
    ready = signing.ready(workspace.repo) if wanted(workspace) else None
    if ready is None or ready.why:
        return event.NOBODY
    now = lists(workspace)
    if ready.format == "gpg":
        people = [email for email, key in now.gpg.items() if "".join(key.split()).upper() == ready.key]
        known = keyring.pgp_key(workspace.repo, ready.key) if not now.gpg else None
        people += known.trusted if known is not None else ()
        status = event.GOOD if people else event.UNKNOWN
    else:
        lines = now.roster.of(ready.key)
        people = [person for line in lines if line.holds(now_s) for person in line.people]
        status = event.GOOD if people else event.EXPIRED if any(line.dated for line in lines) else event.UNKNOWN
    if ready.key in now.gone:
        status = event.REVOKED
    return Signer(status, next(iter(people), ""), ready.key, ready.format)


_Row = tuple[str, Signer]  # the digest under which it counts, and who it was


class _Memory:
    """The rows of a file, read on from where they ended when more are added: events come one by one."""

    def __init__(self) -> None:
        self.rows: dict[str, _Row] = {}
        self.lines = 0
        self._inode, self._offset = -1, 0

    def read_on(self, path: Path) -> None:
        """Take in what was added; a torn line, or one of another version, is passed over."""
        import orjson

        try:
            with open(path, "rb") as file:
                stat = os.fstat(file.fileno())
                if stat.st_ino != self._inode or stat.st_size < self._offset:
                    self.rows, self.lines, self._inode, self._offset = {}, 0, stat.st_ino, 0
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            self.lines += 1
            with suppress(ValueError, TypeError):
                oid, mark, *signer = orjson.loads(line)
                self.rows[oid] = (mark, Signer(*signer))


_memory = lru_cache(maxsize=8)(lambda path: _Memory())  # of each file
_reading = threading.Lock()


def _remembered(workspace: Workspace) -> dict[str, _Row]:
    path = _file(workspace)
    memory = _memory(path)
    with _reading:
        memory.read_on(path)
        return memory.rows


def _remember(workspace: Workspace, now: Lists, fresh: Mapping[str, Signer]) -> None:
    """Add rows; where most of the file is rows that later ones replace, it is written anew."""
    new = {
        oid: (now.about(signer.key, signer.format), signer)
        for oid, signer in fresh.items()
        if signer.status not in (event.UNSIGNED, event.UNCHECKED)
    }
    if not new:
        return
    path, rows = _file(workspace), _remembered(workspace)
    with suppress(OSError):  # a full or read-only disk keeps nobody from reading
        if _memory(path).lines > 2 * len(rows) + _SPARE_LINES:
            files.write(path, _lines({**rows, **new}))
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab", buffering=0) as file:
            file.write(b"\n" + _lines(new))  # what a process that died left of a line ends here


def _lines(rows: Mapping[str, _Row]) -> bytes:
    import orjson

    return b"".join(
        orjson.dumps([oid, mark, signer.status, signer.person, signer.key, signer.format]) + b"\n"
        for oid, (mark, signer) in rows.items()
    )


def _file(workspace: Workspace) -> Path:
    return workspace.home / "signers.jsonl"
