"""Events told to those who wait for them, each once, in their order, over restarts: `gitexp model watch`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitexp.errors import GitexpError, RemoteError
from gitexp.ops.registry import notices, outbox
from gitexp.ops.registry.notices import Notice
from gitexp.ops.registry.outbox import Outbox
from gitexp.ops.registry.receivers import Outcome, Receiver
from gitexp.store import models, remotes
from gitexp.store.workspace import Workspace

TRIES = 5  # with --once


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait: between looks, and before a receiver that failed is tried again (twice as long each time)."""

    interval_seconds: float = 10.0
    pause_seconds: float = 1.0
    longest_pause_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Told:
    """One try at telling somebody of an event, and what came of it."""

    receiver: str
    notice: Notice
    outcome: Outcome
    tries: int

    def to_json(self) -> dict[str, Any]:
        """Return the line of `gitexp model watch --json`."""
        return {
            "receiver": self.receiver,
            "event": self.notice.id,
            "op": self.notice.op,
            "model": self.notice.names[1],
            "version": self.notice.version,
            "stage": self.notice.stage or None,
            "done": self.outcome.done,
            "good": self.outcome.good,
            "word": self.outcome.word,
            "tries": self.tries,
        }


@dataclass(slots=True)
class _Line:
    """What waits for one receiver: the events in their order, and when it may be tried again."""

    receiver: Receiver
    box: Outbox
    waiting: list[Notice] = field(default_factory=list)
    tries: int = 0
    not_before: float = 0.0

    def take(self, found: Iterable[Notice]) -> None:
        """Take in the events that it was not told of, and pass over those that it does not want."""
        fresh = [notice for notice in found if notice.id not in self.box.done]
        self.waiting = [notice for notice in fresh if self.receiver.wants(notice)]
        self.box.note([notice.id for notice in fresh if not self.receiver.wants(notice)], outbox.PASSED)


class Teller:
    """Tells receivers; it holds their files until it is closed, so that nobody else tells them too."""

    def __init__(self, workspace: Workspace, receivers: Sequence[Receiver], pace: Pace, *, everything: bool) -> None:
        self._workspace, self._pace = workspace, pace
        self._stack = ExitStack()
        self._seen: object = None
        known = [] if everything else list(notices.known(workspace))
        self._lines = [
            _Line(item, self._stack.enter_context(outbox.held(_path(workspace, item), known))) for item in receivers
        ]

    def close(self) -> None:
        """Let go of the receivers' files."""
        self._stack.close()

    def __enter__(self) -> Teller:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def look(self, workspace: Workspace) -> None:
        """Find what is new."""
        self._workspace = workspace
        seen = models.listing(workspace), remotes.holdings(workspace)
        if seen == self._seen:
            return
        found = list(notices.every(workspace, self._done()))
        for line in self._lines:
            line.take(found)
        self._seen = seen

    def _done(self) -> set[str]:
        """Return the events that nobody waits for any more."""
        return set.intersection(*(line.box.done for line in self._lines)) if self._lines else set()

    @property
    def left(self) -> int:
        """How many events are still to be told."""
        return sum(len(line.waiting) for line in self._lines)

    def next_s(self) -> float:
        """Return the seconds until a receiver may be tried again, 0 where one may be now."""
        waits = [line.not_before - time.monotonic() for line in self._lines if line.waiting]
        return max(0.0, min(waits)) if waits else 0.0

    def tell(self, report: Callable[[Told], None], stopped: Callable[[], bool] = lambda: False) -> None:
        """Tell each receiver what waits for it, up to the first event that it does not take."""
        for line in self._lines:
            while line.waiting and time.monotonic() >= line.not_before and not stopped():
                self._try(line, report)

    def _try(self, line: _Line, report: Callable[[Told], None]) -> None:
        notice = line.waiting[0]
        outcome = line.receiver.tell(self._workspace, notice)
        line.tries += 1
        if outcome.done:
            line.box.note([notice.id], outcome.word.rpartition(" ")[2])
            line.waiting.pop(0)
        report(Told(line.receiver.name, notice, outcome, line.tries))
        if outcome.done:
            line.tries, line.not_before = 0, 0.0
            return
        pause = min(self._pace.pause_seconds * 2 ** (line.tries - 1), self._pace.longest_pause_seconds)
        line.not_before = time.monotonic() + max(pause, outcome.after or 0.0)

    def tries(self) -> int:
        """Return how often every event that somebody did not take was tried at least."""
        return min((line.tries for line in self._lines if line.waiting), default=0)


def _path(workspace: Workspace, receiver: Receiver) -> Path:
    return outbox.path_of(workspace, receiver.name, receiver.identity)


def waiting(
    workspace: Workspace, receivers: Sequence[Receiver], *, everything: bool = False
) -> list[tuple[str, Notice]]:
    """Return (receiver, event) of what would be told now; nothing is written."""
    waits = []
    for receiver in receivers:
        done = outbox.done(_path(workspace, receiver))
        if done is None:
            done = set() if everything else set(notices.known(workspace))
        waits += [(receiver.name, item) for item in notices.every(workspace, done) if receiver.wants(item)]
    return waits


def once(workspace: Workspace, teller: Teller, report: Callable[[Told], None], *, tries: int = TRIES) -> None:
    """Tell what is new now, with some more tries where somebody does not take it.

    Raises RemoteError where something is left: the next watch tells it.
    """
    teller.look(workspace)
    teller.tell(report)
    while teller.left and teller.tries() < tries:
        time.sleep(teller.next_s())
        teller.tell(report)
    if teller.left:
        raise RemoteError(f"{teller.left} not told yet: the next watch tries again", hint="gitexp model watch --once")


@dataclass(frozen=True, slots=True)
class Listener:
    """What hears of each try, and of what went wrong without ending the watch: a remote that is away, broken rules."""

    report: Callable[[Told], None]
    trouble: Callable[[GitexpError], None]


def watch(
    renew: Callable[[], tuple[Workspace, Sequence[Receiver]]],
    pace: Pace,
    listener: Listener,
    stop: threading.Event,
    *,
    everything: bool = False,
) -> None:
    """Tell whatever comes until `stop` is set; `renew` gives the workspace and the receivers as they are then.

    What is being told when it is set is told to the end. Raises what `renew` raises at first, and Conflict where
    another watch tells one of the receivers.
    """
    workspace, receivers = renew()
    with ExitStack() as stack:
        teller = stack.enter_context(Teller(workspace, receivers, pace, everything=everything))
        while not stop.is_set():
            try:
                teller.look(workspace)
                teller.tell(listener.report, stop.is_set)
                stop.wait(min(pace.interval_seconds, teller.next_s()) if teller.left else pace.interval_seconds)
                workspace, now = renew()
                if list(now) != list(receivers):
                    stack.close()
                    teller = stack.enter_context(Teller(workspace, now, pace, everything=everything))
                    receivers = now
            except GitexpError as error:
                listener.trouble(error)
                stop.wait(pace.interval_seconds)
