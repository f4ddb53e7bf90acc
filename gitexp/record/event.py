"""Events of the model registry: what was done to a model, one commit each (docs/registry.md, "An event")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitexp import canonical, ids
from gitexp.errors import UsageError
from gitexp.record.author import Author

FORMAT = 1
MAX_BYTES = 256 * 1024  # of an event's message
CREATE, RENAME, REGISTER, REQUEST, APPROVE, REJECT = "create", "rename", "register", "request", "approve", "reject"
TRANSITION, ALIAS, TAG, UNTAG, NOTE, DESCRIBE = "transition", "alias", "tag", "untag", "note", "describe"
DEPRECATE, REMOVE, UNDELETE, JOIN = "deprecate", "remove", "undelete", "join"
GOOD, UNSIGNED, BAD, UNKNOWN, EXPIRED, REVOKED = "good", "none", "bad", "unknown", "expired", "revoked"
UNCHECKED = "unchecked"  # there is no program here that could tell
_COMMIT = re.compile(r"[0-9a-f]{40}")
_UNUSUAL = re.compile(r"\\u[dD][89a-fA-F]|\d{19}")  # may be half of a surrogate pair, or beyond 64 bits
_HALF = re.compile(r"[\ud800-\udfff]")
_LARGEST = 1 << 63
_LAST_MS = 253_402_300_800_000  # the end of the year 9999
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
    """Return the message of an event's commit; raises ValueError where nobody would take it."""
    data: dict[str, Any] = {
        **event.arguments,
        "format": FORMAT,
        "op": event.op,
        "model": event.model,
        "time": canonical.iso(event.time_ms),
        "rules": event.rules,
    }
    if event.version is not None:
        data["version"] = event.version
    _check_plain(data)
    message = f"{' '.join(subject.split())}\n\n{canonical.dumps(data).decode()}"
    if len(message.encode()) > MAX_BYTES:
        raise ValueError(f"an event of {len(message):,} characters: at most {MAX_BYTES:,} bytes")
    return message


def decode(message: str) -> Event:
    """Return the event of a commit's message; raises ValueError for one that holds none."""
    if len(message) > MAX_BYTES:
        raise ValueError(f"a message of {len(message):,} characters: at most {MAX_BYTES:,}")
    body = message.partition("\n\n")[2]
    data = canonical.loads(body)
    if not isinstance(data, dict):
        raise ValueError("no JSON object")
    if _UNUSUAL.search(body):
        _check_plain(data)
    version = data.get("format")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ValueError("no format")
    return Event(
        op=_text(data, "op"),
        model=_model(data),
        time_ms=_time(data),
        rules=_commit(data, "rules"),
        version=_commit(data, "version"),
        arguments={key: value for key, value in data.items() if key not in _OWN_KEYS},
    )


def is_canonical(message: str) -> bool:
    """Say whether a message that `decode` takes has canonical JSON: each key once, so that all readers see the same."""
    body = message.partition("\n\n")[2]
    return canonical.dumps(canonical.loads(body)).decode() == body


def _check_plain(value: Any) -> None:
    """Raise ValueError for what not every reader can hold: half of a surrogate pair, a number beyond 64 bits."""
    if isinstance(value, str):
        if _HALF.search(value):
            raise ValueError(f"a text that is no Unicode: {value[:40]!r}")
    elif isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        raise ValueError("a number beyond 64 bits")
    elif isinstance(value, dict | list):
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            _check_plain(item)


def _model(data: Mapping[str, Any]) -> str:
    name = _text(data, "model")
    try:
        if ids.check_model(name) == name:
            return name
    except UsageError as error:
        raise ValueError(error.message) from error
    raise ValueError(f"{name!r} is no name as it is written")


def _time(data: Mapping[str, Any]) -> int:
    found = canonical.from_iso(_text(data, "time"))
    if not 0 <= found < _LAST_MS:
        raise ValueError("a time before 1970 or after 9999")
    return found


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"no {key}")
    return value


def _commit(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not is_commit(value):
        raise ValueError(f"{key} is no commit id")
    return value


def is_commit(text: str) -> bool:
    """Say whether a text is the id of an object: events come from elsewhere, and could name anything."""
    return _COMMIT.fullmatch(text) is not None
