"""Events of the model registry: what was done to a model, one commit each (docs/registry.md, "An event")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitexp import canonical
from gitexp.record.facts import Author

FORMAT = 1
MAX_BYTES = 256 * 1024  # of an event's message
CREATE, RENAME, REGISTER, REQUEST, APPROVE, REJECT = "create", "rename", "register", "request", "approve", "reject"
TRANSITION, ALIAS, TAG, UNTAG, NOTE, DESCRIBE = "transition", "alias", "tag", "untag", "note", "describe"
DEPRECATE, REMOVE, UNDELETE, JOIN = "deprecate", "remove", "undelete", "join"
GOOD, UNSIGNED, BAD, UNKNOWN, EXPIRED, REVOKED = "good", "none", "bad", "unknown", "expired", "revoked"
UNCHECKED = "unchecked"  # there is no program here that could tell
_COMMIT = re.compile(r"[0-9a-f]{40}")
_OWN_KEYS = frozenset({"format", "op", "model", "time", "rules", "version"})


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed a commit, as Git says: `status` is GOOD, UNSIGNED, BAD, UNKNOWN (the key is nobody's),
    EXPIRED (outside of the dates of its key), REVOKED or UNCHECKED.

    `person` is the e-mail address that the key stands for, `key` its fingerprint, `format` ssh, gpg or "".
    """

    status: str
    person: str = ""
    key: str = ""
    format: str = ""


NOBODY = Signer(UNSIGNED)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing done to a model; never changed once written. `arguments` are the op's own, unknown keys too.

    `model` is the model's first name, `rules` the commit of the rules it was made under, `version` the event that
    registered the version it is about.
    """

    op: str
    model: str
    time_ms: int
    rules: str | None = None
    version: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Logged:
    """An event with what its commit says: `id` is the commit's."""

    id: str
    parents: tuple[str, ...]
    event: Event
    author: Author
    committed_s: int
    signer: Signer = NOBODY

    @property
    def person(self) -> str:
        """The e-mail address of who did it: of the key where the signature is good, else what the commit claims."""
        return self.signer.person if self.signer.status == GOOD and self.signer.person else self.author.email


def encode(event: Event, subject: str) -> str:
    """Return the message of an event's commit; raises ValueError where it would be too long."""
    data = {
        **event.arguments,
        "format": FORMAT,
        "op": event.op,
        "model": event.model,
        "time": canonical.iso(event.time_ms),
        "rules": event.rules,
    }
    if event.version is not None:
        data["version"] = event.version
    message = f"{' '.join(subject.split())}\n\n{canonical.dumps(data).decode()}"
    if len(message.encode()) > MAX_BYTES:
        raise ValueError(f"an event of {len(message):,} characters: at most {MAX_BYTES:,} bytes")
    return message


def decode(message: str) -> Event:
    """Return the event of a commit's message; raises ValueError for one that holds none."""
    if len(message) > MAX_BYTES:
        raise ValueError(f"a message of {len(message):,} characters: at most {MAX_BYTES:,}")
    data = canonical.loads(message.partition("\n\n")[2])
    if not isinstance(data, dict):
        raise ValueError("no JSON object")
    version = data.get("format")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ValueError("no format")
    return Event(
        op=_text(data, "op"),
        model=_text(data, "model"),
        time_ms=canonical.from_iso(_text(data, "time")),
        rules=_commit(data, "rules"),
        version=_commit(data, "version"),
        arguments={key: value for key, value in data.items() if key not in _OWN_KEYS},
    )


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"no {key}")
    return value


def _commit(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not _COMMIT.fullmatch(value):
        raise ValueError(f"{key} is no commit id")
    return value
