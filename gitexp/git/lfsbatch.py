"""The batch API of Git LFS: what has to be moved, and where to (git-lfs docs/api/batch.md); dulwich speaks it.

What a server answers is looked at before it is used: sizes, addresses, headers, and that it is about what was asked.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gitexp import canonical, clock, redact, text
from gitexp.git.lfshttp import Trouble, host
from gitexp.record.pointer import Pointer

if TYPE_CHECKING:
    from dulwich.lfs import HTTPLFSClient, LFSBatchObject

    from gitexp.git.lfshttp import Session

SIZE = 100  # objects a request, as git-lfs
_MAX_ANSWER_BYTES = 8 << 20
_FRESH_SECONDS = 5  # what is left of a permission must be good for beginning
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Action:
    """One request to make for an object."""

    href: str
    headers: Mapping[str, str] = field(repr=False)
    until: float  # by time.monotonic()

    @property
    def stale(self) -> bool:
        """Say whether its permission has run out."""
        return time.monotonic() > self.until


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the server says of one object: the actions it wants, none where nothing is to do, or why it cannot be."""

    item: Pointer
    actions: Mapping[str, Action] = field(default_factory=dict)
    trouble: Trouble | None = None

    @property
    def stale(self) -> bool:
        """Say whether it has to be asked for again."""
        return any(action.stale for action in self.actions.values())


def ask(session: Session, operation: str, items: Sequence[Pointer]) -> list[Ticket]:
    """Ask what is to be done for up to SIZE objects; raises Trouble where the answer is no answer."""
    from dulwich.lfs import LFSError

    wanted: list[dict[str, str | int]] = [{"oid": item.sha256, "size": item.size_bytes} for item in items]
    try:
        answer = _client(session).batch(operation, wanted)
    except LFSError as error:
        raise _malformed(session) from error
    if answer.transfer != "basic":
        raise Trouble(f"{host(session.url)} wants the transfer {text.safe(str(answer.transfer)[:40])!r}, not basic")
    if answer.hash_algo not in (None, "sha256"):
        raise Trouble(f"{host(session.url)} wants another hash than sha256")
    found: dict[str, LFSBatchObject] = {}
    for said in answer.objects:
        found.setdefault(said.oid, said)
    return [_ticket(session, item, operation, found.get(item.sha256)) for item in items]


def _client(session: Session) -> HTTPLFSClient:
    """Return dulwich's client, its requests made by our session: bounded, with Git's credentials."""
    from dulwich.lfs import HTTPLFSClient

    class Client(HTTPLFSClient):
        def _make_request(
            self, method: str, path: str, data: bytes | None = None, headers: dict[str, str] | None = None
        ) -> bytes:
            kind = "application/vnd.git-lfs+json"
            sent = {"Accept": kind, "Content-Type": kind, **(headers or {})}
            return _tidy(session, session.ask(f"{session.url}/{path}", sent, data or b"", _MAX_ANSWER_BYTES))

    return Client(session.url)


def _tidy(session: Session, data: bytes) -> bytes:
    """Return an answer with what cannot be used replaced by an error of its object, so that the others go on."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _malformed(session) from error
    if not isinstance(value, dict) or not isinstance(value.get("objects"), list):
        raise _malformed(session)
    objects = [_tidy_object(item) for item in value["objects"] if isinstance(item, dict)]
    kept = {key: value[key] for key in ("transfer", "hash_algo") if isinstance(value.get(key), str)}
    return json.dumps({**kept, "objects": objects}).encode()


def _tidy_object(value: Mapping[str, Any]) -> dict[str, Any]:
    size = value.get("size")
    known = {"oid": str(value.get("oid")), "size": size if isinstance(size, int) else -1}
    error, actions = value.get("error"), value.get("actions")
    if isinstance(error, dict):
        code, said = error.get("code"), str(error.get("message") or "")[:200]
        return {**known, "error": {"code": code if isinstance(code, int) else 0, "message": said}}
    if not actions:
        return known
    if not isinstance(actions, dict) or not all(_usable(action) for action in actions.values()):
        return {**known, "error": {"code": 0, "message": _STRANGE}}
    return {**known, "actions": {str(name): _tidy_action(action) for name, action in actions.items()}}


_STRANGE = "it names an address or a header that is not one of http or https"


def _usable(action: object) -> bool:
    if not isinstance(action, dict) or not isinstance(href := action.get("href"), str):
        return False
    headers = action.get("header") or {}
    if not isinstance(headers, dict) or not re.fullmatch(r"https?://[!-~]+", href, re.IGNORECASE):
        return False
    try:
        parts = urlsplit(href)
        if not parts.hostname or (parts.port or 1) < 1:
            return False
    except ValueError:
        return False
    return all(_is_header(name, value) for name, value in headers.items())


def _is_header(name: str, value: object) -> bool:
    return bool(_TOKEN.fullmatch(name)) and isinstance(value, str) and value.isascii() and value.isprintable()


def _tidy_action(action: Mapping[str, Any]) -> dict[str, Any]:
    """Return an action with `expires_at` as seconds from now, which is what counts whatever the clocks say."""
    headers = {name: value for name, value in (action.get("header") or {}).items() if name.lower() not in _OURS}
    seconds = action.get("expires_in")
    if not isinstance(seconds, int | float) or seconds == 0:
        seconds = _left(action.get("expires_at"))
    return {"href": action["href"], "header": headers, "expires_at": None if seconds is None else str(seconds)}


def _left(moment: object) -> float | None:
    try:
        until = canonical.from_iso(moment) if isinstance(moment, str) else 0
    except ValueError:
        return None
    return (until - clock.now_ms()) / 1000 if until > 0 else None  # 0001-01-01 is how Go writes "never"


def _ticket(session: Session, item: Pointer, operation: str, said: LFSBatchObject | None) -> Ticket:
    where = host(session.url)
    if said is None:
        return Ticket(item, trouble=Trouble(f"{where} says nothing of it", again=True))
    if said.error is not None:
        return Ticket(item, trouble=_error(where, said.error.code, said.error.message))
    if said.size != item.size_bytes:
        there = f"{said.size:,} bytes" if said.size >= 0 else "no size"
        return Ticket(item, trouble=Trouble(f"{where} says that it has {there}, not {item.size_bytes:,}"))
    now = time.monotonic()
    actions = {
        name: Action(action.href, action.header or {}, now + _good_for(action.expires_at))
        for name, action in (said.actions or {}).items()
    }
    if operation == "download" and "download" not in actions:
        return Ticket(item, trouble=Trouble(f"{where} names no address for it", status=404))
    if actions and operation not in actions:
        return Ticket(item, trouble=Trouble(f"{where} names no address to send it to"))
    return Ticket(item, actions)


def _good_for(seconds: str | None) -> float:
    return float("inf") if seconds is None else float(seconds) - _FRESH_SECONDS


def _error(where: str, code: int, message: str) -> Trouble:
    said = text.safe(redact.text(message))
    words = "does not have it" if code in (404, 410) else f"refuses it ({code})" if code else "gives no usable answer"
    return Trouble(
        f"{where} {words}{f': {said}' if said else ''}", again=code in (429, 500, 502, 503, 504), status=code
    )


def _malformed(session: Session) -> Trouble:
    return Trouble(f"{host(session.url)} does not answer as a Git LFS store does (git config lfs.url URL)")


def batches(items: Iterable[Pointer]) -> Iterable[list[Pointer]]:
    """Yield lists of up to SIZE different objects."""
    every = list({item.sha256: item for item in items}.values())
    return (every[start : start + SIZE] for start in range(0, len(every), SIZE))
