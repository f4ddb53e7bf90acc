"""The Git LFS store of a remote as a depot: streams, several at once, tried again, resumed, verified."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from gitexp.errors import NoStore, RemoteError
from gitexp.git import lfsbatch, lfsendpoint, lfspart, lfswork, transport
from gitexp.git.lfsbatch import Action, Ticket
from gitexp.git.lfsendpoint import DOWNLOAD, UPLOAD, Endpoint
from gitexp.git.lfsfiles import FolderDepot
from gitexp.git.lfshttp import BLOCK_BYTES, Session, Trouble, Tuning, host
from gitexp.git.lfspart import Part, Sending, Stop, Tell
from gitexp.git.transport import Options
from gitexp.record.pointer import Failure, Pointer

if TYPE_CHECKING:
    import urllib3

    from gitexp.git.repo import Repo

_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 60  # a server that wants more is not waited for
_BATCH_TRIES = 4
_CHECKED_BYTES_PER_SECOND = 20_000_000  # how slowly a server may look through what it has received
_JSON = "application/vnd.git-lfs+json"


def open(repo: Repo, remote: str, options: Options, operation: str = DOWNLOAD) -> HttpDepot | FolderDepot:
    """Return the LFS store of a remote (its name, an address or a path); raises RemoteError where there is none."""
    endpoint = lfsendpoint.find(repo, remote, operation)
    tuning = Tuning.of(repo)
    if endpoint.folder is not None:
        return FolderDepot(endpoint.label, endpoint.folder, tuning)
    return HttpDepot(repo, endpoint, tuning, options)


class HttpDepot:
    """An LFS server, told apart from a folder by having one who answers."""

    def __init__(self, repo: Repo, endpoint: Endpoint, tuning: Tuning, options: Options) -> None:
        self.label = endpoint.label
        self._repo, self._endpoint, self._tuning = repo, endpoint, tuning
        self._env = transport.quiet(options)
        self._stop, self._lock = Stop(), threading.Lock()
        self._sessions: dict[str, tuple[Session, float]] = {}

    def lacks(self, items: Sequence[Pointer]) -> list[Pointer]:
        """Return those whose bytes the server does not offer."""
        tickets = [ticket for batch in lfsbatch.batches(items) for ticket in self._ask(DOWNLOAD, batch)]
        return [ticket.item for ticket in tickets if ticket.trouble is not None]

    def send(self, items: Sequence[Pointer], source: Callable[[Pointer], Path], tell: Tell) -> list[Failure]:
        """Upload what the server lacks."""

        def upload(ticket: Ticket) -> None:
            if ticket.actions:
                self._put(ticket, source(ticket.item), counted)
            else:
                counted(ticket.item.size_bytes)

        counted = lfswork.counted(tell)
        return self._all(UPLOAD, items, upload)

    def bring(
        self, items: Sequence[Pointer], arrive: Callable[[Pointer, Path], None], folder: Path, tell: Tell
    ) -> list[Failure]:
        """Download into `folder`; `arrive` takes each file once it is verified."""

        def download(ticket: Ticket) -> None:
            with lfspart.opened(folder, ticket.item, counted, self._host()) as part:
                if not part.complete:
                    self._get(ticket, part)
                part.check()
                arrive(ticket.item, part.path)

        counted = lfswork.counted(tell)
        return self._all(DOWNLOAD, items, download)

    def drop(self, items: Sequence[Pointer]) -> None:
        """Say that this store never deletes: the LFS protocol has no way to ask for it."""

    def _all(self, operation: str, items: Sequence[Pointer], work: Callable[[Ticket], None]) -> list[Failure]:
        failures: list[Failure] = []
        patient = partial(self._patiently, operation, work)
        for batch in lfsbatch.batches(items):
            failures += lfswork.each(self._ask(operation, batch), patient, self._tuning.parallel, self._stop)
        return failures

    def _patiently(self, operation: str, work: Callable[[Ticket], None], ticket: Ticket) -> Failure | None:
        """Do the work of one ticket; again, with a fresh one, where that may help."""
        item, turn, renewed = ticket.item, 0, ticket.trouble is not None
        current: Ticket | None = ticket
        while True:
            try:
                work(self._valid(operation, item, current))
                return None
            except Trouble as trouble:
                forbidden = trouble.status in (401, 403) and not renewed  # its permission may have run out early
                turn += 1
                if not forbidden and (not trouble.again or turn >= self._tuning.tries or self._is_too_long(trouble)):
                    return Failure(item, trouble.why, trouble.missing)
                renewed = renewed or forbidden
                self._pause(turn, trouble)
                current = None

    def _valid(self, operation: str, item: Pointer, ticket: Ticket | None) -> Ticket:
        """Return a ticket that can be used: asked for again where there is none, or it has run out."""
        if ticket is None or ticket.stale:
            self._stop.check()
            (ticket,) = self._ask(operation, [item])
        if ticket.trouble is not None:
            raise ticket.trouble
        if ticket.stale:
            raise Trouble(f"{self._host()} gives permissions that have run out (is the clock right?)", again=True)
        return ticket

    def _host(self) -> str:
        return host(self._endpoint.url) if self._endpoint.url else self.label

    def _is_too_long(self, trouble: Trouble) -> bool:
        return trouble.after is not None and trouble.after > _LONGEST_WAIT_SECONDS

    def _pause(self, turn: int, trouble: Trouble) -> None:
        seconds = min(_FIRST_PAUSE_SECONDS * 2 ** (turn - 1), self._tuning.longest_pause_seconds)
        self._stop.wait(seconds if trouble.after is None else trouble.after)
        self._stop.check()

    def _ask(self, operation: str, items: Sequence[Pointer]) -> list[Ticket]:
        """Return a ticket for each item; raises RemoteError where the store cannot be asked."""
        turn = 0
        while True:
            try:
                return lfsbatch.ask(self._session(operation), operation, items)
            except Trouble as trouble:
                turn += 1
                if trouble.status == 413 and len(items) > 1:  # it takes fewer at once
                    half = len(items) // 2
                    return self._ask(operation, items[:half]) + self._ask(operation, items[half:])
                if not trouble.again or turn >= min(_BATCH_TRIES, self._tuning.tries) or self._is_too_long(trouble):
                    raise self._closed(trouble) from trouble
                self._pause(turn, trouble)

    def _closed(self, trouble: Trouble) -> RemoteError:
        if trouble.missing:
            return NoStore(f"{self._host()} has no Git LFS store there", hint="git config lfs.url URL of a store")
        return RemoteError(trouble.why, hint="try again, or use another store: git config lfs.url URL")

    def _session(self, operation: str) -> Session:
        """Return the session for an operation; over SSH it is asked for first, and again when it has run out."""
        with self._lock:
            session, until = self._sessions.get(operation, (None, 0.0))
            if session is None or time.monotonic() > until:
                session, until = self._begin(operation)
                self._sessions[operation] = session, until
            return session

    def _begin(self, operation: str) -> tuple[Session, float]:
        if self._endpoint.ssh is None:
            return Session(self._repo, self._endpoint.url, self._tuning, self._env), float("inf")
        given = lfsendpoint.authenticate(self._repo, self._endpoint.ssh, operation, self._env)
        session = Session(self._repo, given.url, self._tuning, self._env, given=given.headers)
        return session, time.monotonic() + given.seconds * 0.9

    def _put(self, ticket: Ticket, path: Path, tell: Tell) -> None:
        """Upload one file, and tell the server that it is there where it wants to be told."""
        item, action = ticket.item, ticket.actions[UPLOAD]
        headers = {"Content-Type": "application/octet-stream", **action.headers, "Content-Length": str(item.size_bytes)}
        bodies: list[Sending] = []
        with _opened(path) as file:

            def body() -> Sending:
                file.seek(0)
                bodies.append(Sending(file, item, tell, self._stop))
                return bodies[-1]

            silence = self._tuning.silence_seconds + item.size_bytes / _CHECKED_BYTES_PER_SECOND
            session = self._session(UPLOAD)
            try:
                session.open("PUT", action.href, headers, body, silence_seconds=silence).drain_conn()
            except Trouble:
                tell(-sum(sent.size_bytes for sent in bodies))
                raise
            finally:
                for sent in bodies:
                    sent.close()
        tell(-sum(sent.size_bytes for sent in bodies[:-1]))
        if "verify" in ticket.actions:
            self._verify(session, item, ticket.actions["verify"])

    def _verify(self, session: Session, item: Pointer, action: Action) -> None:
        data = json.dumps({"oid": item.sha256, "size": item.size_bytes}).encode()
        headers = {"Accept": _JSON, "Content-Type": _JSON, **action.headers}
        for turn in range(1, _BATCH_TRIES + 1):
            try:
                session.open("POST", action.href, headers, lambda: data).drain_conn()
                return
            except Trouble as trouble:
                if not trouble.again or turn == _BATCH_TRIES or self._is_too_long(trouble):
                    raise Trouble(f"{trouble.why} (after the upload)", status=trouble.status) from trouble
                self._pause(turn, trouble)

    def _get(self, ticket: Ticket, part: Part) -> None:
        """Download what is missing of one object."""
        item, action = ticket.item, ticket.actions[DOWNLOAD]
        headers = dict(action.headers)
        if part.size_bytes:
            headers["Range"] = f"bytes={part.size_bytes}-{item.size_bytes - 1}"
        session = self._session(DOWNLOAD)
        try:
            answer = session.open("GET", action.href, headers)
        except Trouble as trouble:
            if trouble.status != 416:
                raise
            part.restart()
            raise Trouble(trouble.why, again=True) from trouble
        try:
            _check_length(answer, part, host(action.href))
            self._receive(session, action.href, answer, part)
        finally:
            answer.close()

    def _receive(self, session: Session, href: str, answer: urllib3.BaseHTTPResponse, part: Part) -> None:
        while True:
            self._stop.check()
            try:
                data = answer.read1(BLOCK_BYTES)  # what has come is written, so that a kill costs little
            except Exception as error:
                raise session.explain(error, href) from error
            if not data:
                break
            part.add(data)
        if not part.complete:
            raise Trouble(f"{host(href)} cut the connection", again=True)


def _opened(path: Path) -> FileIO:
    try:
        return FileIO(path)
    except OSError as error:
        raise Trouble(f"cannot be read here: {error.strerror}; gitexp fsck") from error


def _check_length(answer: urllib3.BaseHTTPResponse, part: Part, where: str) -> None:
    """Look at what is announced, and begin anew where it is not the rest that was asked for."""
    if part.size_bytes:
        begins = answer.headers.get("Content-Range", "").startswith(f"bytes {part.size_bytes}-")
        if answer.status != 206 or not begins:
            part.restart()
    if (
        answer.status == 206
        and not part.size_bytes
        and not answer.headers.get("Content-Range", "bytes 0-").startswith("bytes 0-")
    ):
        raise Trouble(f"{where} sends another part than was asked for", again=True)
    announced, left = answer.headers.get("Content-Length", ""), part.item.size_bytes - part.size_bytes
    if announced.isdigit() and int(announced) != left:
        part.restart()
        raise Trouble(f"{where} sends {int(announced):,} bytes, not the {left:,} that were recorded")
