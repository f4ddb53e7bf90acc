"""What goes on beside the training: what was logged is written, signs of life are given, the machine is looked at.

One thread serves all runs of a process: to start and join one for each would be a third of the time of a short run.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from gitexp.capture.system import Meter
from gitexp.ops.recording import lifecycle
from gitexp.ops.recording.lifecycle import Session

FLUSH_SECONDS = 0.5
TOUCH_SECONDS = 5.0
STOP_SECONDS = 30.0


class Keeper:
    """What the thread does for one session.

    `first` is done once, soon after the start, at the latest when the session ends; `meter` is read after 1, 2, 4 …
    seconds, then every `meter_seconds`, so that short runs have some; `regular` is (seconds, function) that runs again
    and again; `warn` hears of a loss that is NaN or infinite. What one of them raises goes to `trouble`, never into the
    training.
    """

    def __init__(
        self,
        session: Session,
        trouble: Callable[[Exception], None],
        *,
        warn: Callable[[str], None] | None = None,
        first: Callable[[], None] | None = None,
        meter: Meter | None = None,
        meter_seconds: float = 15.0,
        regular: tuple[float, Callable[[], None]] | None = None,
    ) -> None:
        self._session = session
        self._trouble = trouble
        self._warn = warn
        self._first = first
        self._meter = meter
        now = time.monotonic()
        self._works = [_Work(session.writer.touch, TOUCH_SECONDS, TOUCH_SECONDS, now + TOUCH_SECONDS)]
        if meter is not None:
            self._works.append(_Work(self._read_meter, 1.0, meter_seconds, now + min(1.0, meter_seconds)))
        if regular is not None:
            self._works.append(_Work(regular[1], regular[0], regular[0], now + regular[0]))
        self._busy = threading.Lock()
        self._service = service(os.getpid())
        self._service.add(self)

    def turn(self) -> None:
        """Do what is due; called by the thread."""
        if not self._busy.acquire(blocking=False):
            return  # it is being stopped
        try:
            self._do_first()
            # Never waiting: a signal may have stopped the main thread inside a write, and it will wait for this turn.
            self._guarded(lambda: self._session.writer.drain(wait=False))
            if self._session.writer.trouble is not None:
                self._trouble(self._session.writer.trouble)
            self._guarded(self._look_at_losses)
            for work in self._works:
                if time.monotonic() >= work.due:
                    work.delay = min(work.delay * 2, work.every)
                    work.due = time.monotonic() + work.delay
                    self._guarded(work.do)
        finally:
            self._busy.release()

    def stop(self) -> None:
        """End it; waits for the turn under way, a stuck driver for half a minute."""
        self._service.remove(self)
        if self._busy.acquire(timeout=STOP_SECONDS):
            self._do_first()
            if self._meter is not None:
                self._meter.close()
        if self._meter is not None and self._meter.gpu_seconds:
            self._guarded(self._say_gpu)

    def _do_first(self) -> None:
        first, self._first = self._first, None
        if first is not None:
            self._guarded(first)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # whatever the machine, a driver or a file system does, the training goes on
            self._trouble(error)

    def _look_at_losses(self) -> None:
        line = lifecycle.look_at_losses(self._session)
        if line and self._warn is not None:
            self._warn(f"{line}; training goes on")

    def _read_meter(self) -> None:
        if self._meter is not None:
            self._session.writer.system(self._meter.sample())

    def _say_gpu(self) -> None:
        if self._meter is not None:
            self._session.writer.event("gpu", seconds=self._meter.gpu_seconds)


@dataclass(slots=True)
class _Work:
    """Something to do again and again: the delay doubles until it is `every`."""

    do: Callable[[], None]
    delay: float
    every: float
    due: float


class Service:
    """The thread of a process; it ends when it has had nothing to do for a while."""

    def __init__(self) -> None:
        self._keepers: list[Keeper] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, keeper: Keeper) -> None:
        """Serve a keeper from now on."""
        with self._lock:
            self._keepers.append(keeper)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="gitexp", daemon=True)
                self._thread.start()

    def remove(self, keeper: Keeper) -> None:
        """Serve it no more; a turn may still be under way. Takes no lock: a signal's handler may come here."""
        if keeper in self._keepers:
            self._keepers.remove(keeper)

    def _run(self) -> None:
        idle = 0
        while True:
            time.sleep(FLUSH_SECONDS)
            for keeper in self._keepers[:]:
                keeper.turn()
            idle = 0 if self._keepers else idle + 1
            if idle > 10:
                with self._lock:
                    if not self._keepers:
                        self._thread = None
                        return


@lru_cache(maxsize=1)
def service(_pid: int) -> Service:
    """Return the service of this process; a forked child gets its own: threads do not come along."""
    return Service()
