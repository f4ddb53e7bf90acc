"""What was told to whom: a file for each receiver of events, with a line for each event that it is done with.

`.git/gitexp/models/sent/<receiver>.log`. A line is on the disk before the next event is told; so what was told is not
told again after a restart, and what was not is.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitexp import canonical, clock, files, ids, locks
from gitexp.errors import Conflict
from gitexp.store.workspace import Workspace

PASSED = "-"  # of an event that is not to be told: of another kind, or from before the first start
_OID = 40


@dataclass(slots=True)
class Outbox:
    """The events that a receiver is done with."""

    path: Path
    done: set[str]

    def note(self, events: Iterable[str], outcome: str) -> None:
        """Remember that a receiver is done with these events, durably."""
        new = [event for event in events if event not in self.done]
        if not new:
            return
        now = canonical.iso(clock.now_ms())
        data = "".join(f"{event} {outcome} {now}\n" for event in new).encode()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            os.write(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.done.update(new)


def path_of(workspace: Workspace, name: str, identity: str) -> Path:
    """Return the file of a receiver; another address or command under the same name is another receiver."""
    digest = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return workspace.home / "models" / "sent" / f"{ids.slug(name)}-{digest}.log"


@contextmanager
def held(path: Path, before: Iterable[str]) -> Iterator[Outbox]:
    """Hold a receiver's file, that nobody else tells it at once; where there is none, `before` are done with already.

    Raises Conflict where another process holds it.
    """
    try:
        with locks.hold(path.with_suffix(".lock"), timeout_seconds=0):
            if not path.exists():
                now = canonical.iso(clock.now_ms())
                files.write(path, "".join(f"{event} {PASSED} {now}\n" for event in before).encode(), durable=True)
            _mend(path)
            yield Outbox(path, done(path) or set())
    except Conflict as error:
        if "is locked" not in error.message:
            raise
        raise Conflict(
            f"another `gitexp model watch` tells {path.stem} already", hint="end it, or leave it to it"
        ) from error


def done(path: Path) -> set[str] | None:
    """Return the events that a receiver is done with, None where it was never told of anything."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return None
    return {line[:_OID].decode("ascii", "replace") for line in lines[:-1] if len(line) > _OID}


def _mend(path: Path) -> None:
    """Cut off a last line that a crash tore, so that the next one is whole."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with open(path, "r+b") as file:
            file.truncate(whole)
