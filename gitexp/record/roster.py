"""Lists of allowed signers as `ssh-keygen -Y verify` reads them: whose key is whose, and from when to when.

Git decides whether a signature is good; what is read here names the keys for people, and says why one is not good.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import hashlib
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from gitexp.errors import UsageError

MAX_BYTES = 1 << 20  # of one list
_KEY = re.compile(r"(?:^|\s)((?:sk-)?(?:ssh|ecdsa)-[A-Za-z0-9@.-]+)\s+([A-Za-z0-9+/]+={0,2})(?:\s+(.*))?$")
_OPTION = re.compile(r'([A-Za-z-]+)(?:="([^"]*)")?')
_DATE = re.compile(r"(\d{8})(\d{4})?(\d{2})?Z?")
_PERSON = re.compile(r"[^\s@,*?!\"'<>#]+@[^\s@,*?!\"'<>#]+")
_ARMOR = "-----BEGIN SSH SIGNATURE-----"


@dataclass(frozen=True, slots=True)
class Key:
    """One line: whom a key stands for. `after_s` and `before_s` bound the dates of the signatures it may make."""

    line: str
    number: int
    people: tuple[str, ...]
    kind: str
    fingerprint: str
    comment: str = ""
    after_s: int | None = None
    before_s: int | None = None
    authority: bool = False  # it signs certificates, which then sign

    @property
    def dated(self) -> bool:
        """It is not good for ever."""
        return self.after_s is not None or self.before_s is not None

    def holds(self, time_s: int) -> bool:
        """Say whether the key may sign at a time: as OpenSSH has it, both ends included."""
        return (self.after_s is None or time_s >= self.after_s) and (self.before_s is None or time_s <= self.before_s)


@dataclass(frozen=True, slots=True)
class Roster:
    """The keys of a list in its order, and what is wrong with the lines that OpenSSH passes over: (number, why)."""

    keys: tuple[Key, ...]
    faults: tuple[tuple[int, str], ...] = ()

    def of(self, fingerprint: str) -> tuple[Key, ...]:
        """Return the lines of a key."""
        return tuple(key for key in self.keys if key.fingerprint == fingerprint)

    def lines_about(self, fingerprint: str) -> tuple[str, ...]:
        """Return the lines that can decide over a signature by a key: its own, and those of all authorities."""
        return tuple(key.line for key in self.keys if key.fingerprint == fingerprint or key.authority)


def parse(text: str) -> Roster:
    """Return the keys of a list."""
    keys, faults = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            keys.append(_key(line.strip(), number))
        except ValueError as error:
            faults.append((number, str(error)))
    return Roster(tuple(keys), tuple(faults))


def _key(line: str, number: int) -> Key:
    found = _KEY.search(line)
    if found is None:
        raise ValueError("no key")
    people, options = _head(line[: found.start()].strip())
    unknown = set(options) - {"cert-authority", "namespaces", "valid-after", "valid-before"}
    if unknown:
        raise ValueError(f"no option {min(unknown)!r}")
    return Key(
        line=line,
        number=number,
        people=people,
        kind=found[1],
        fingerprint=fingerprint(found[2]),
        comment=found[3] or "",
        after_s=_date(options.get("valid-after")),
        before_s=_date(options.get("valid-before")),
        authority="cert-authority" in options,
    )


def _head(text: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return whom a line is about, and its options."""
    quoted = re.match(r'"([^"]+)"(?:\s+|$)', text)
    words, rest = (quoted[1], text[quoted.end() :]) if quoted else (text.partition(" ")[0], text.partition(" ")[2])
    people = tuple(person for person in words.split(",") if person)
    if not people:
        raise ValueError("nobody's key")
    return people, {name.lower(): value for name, value in _OPTION.findall(rest)}


def _date(text: str | None) -> int | None:
    """Return a date of a list in seconds; one without a zone is UTC, so that all clones read it alike."""
    if text is None:
        return None
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError(f"no date {text!r}")
    day, minutes, seconds = found[1], found[2] or "0000", found[3] or "00"
    try:
        return calendar.timegm(time.strptime(day + minutes + seconds, "%Y%m%d%H%M%S"))
    except ValueError as error:
        raise ValueError(f"no date {text!r}") from error


def fingerprint(data: str) -> str:
    """Return the fingerprint of a public key's base64; raises ValueError where it is none."""
    try:
        blob = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError("a key that does not parse") from error
    if len(_string(blob)) < 4:
        raise ValueError("a key that does not parse")
    return _digest(blob)


def _digest(blob: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _string(blob: bytes, at: int = 0) -> bytes:
    return blob[at + 4 : at + 4 + int.from_bytes(blob[at : at + 4])]


def signed_by(armor: str) -> str:
    """Return the fingerprint of the key that an SSH signature says it is by, "" where it says nothing."""
    body = armor.partition(_ARMOR)[2].partition("-----END")[0]
    try:
        blob = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        return ""
    if not blob.startswith(b"SSHSIG"):
        return ""
    key = _string(blob, 10)  # after the magic word and a version
    return _digest(key) if key else ""


def public(text: str) -> tuple[str, str, str]:
    """Return (kind, base64, comment) of a public key's line; raises UsageError for anything else."""
    found = _KEY.search(text.strip().removeprefix("key::"))
    try:
        if found is None or text.strip().removeprefix("key::")[: found.start()].strip():
            raise ValueError("no public key")
        fingerprint(found[2])
    except ValueError as error:
        hint = "the line of a .pub file: ssh-ed25519 AAAA…"
        raise UsageError(f"{text.strip()[:40]!r} is no public SSH key", hint=hint) from error
    return found[1], found[2], found[3] or ""


def revoked(text: str) -> frozenset[str]:
    """Return the fingerprints of a list of revoked keys, a public key a line."""
    found = set()
    for line in text.splitlines():
        if not line.lstrip().startswith("#") and (match := _KEY.match(line.strip())):
            with suppress(ValueError):  # ssh-keygen passes such a line over too
                found.add(fingerprint(match[2]))
    return frozenset(found)


def person(text: str) -> str:
    """Return an e-mail address or raise UsageError: it begins a line, and a pattern would name everybody."""
    if not _PERSON.fullmatch(text):
        raise UsageError(f"{text!r} is no e-mail address", hint="for example: ana@acme.io")
    return text


def line(people: Iterable[str], key: str, *, before: str = "") -> str:
    """Return the line that lets a public key sign for people: in Git's name alone, and for dates before `before`."""
    kind, data, comment = public(key)
    options = 'namespaces="git"' + (f',valid-before="{before}"' if before else "")
    words = [",".join(person(item) for item in people), options, kind, data, *comment.split()]
    return " ".join(words)
