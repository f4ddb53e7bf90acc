"""The thread beside the training: it writes what was logged, gives signs of life, and does once what can wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from gitexp.capture.system import Meter
from gitexp.ops.lifecycle import Session

FLUSH_SECONDS = 0.5
TOUCH_SECONDS = 5.0
STOP_SECONDS = 30.0


class Keeper:
    """The background thread of one session.

    `first` runs once at the start, in the thread; `meter` is read after 1, 2, 4 … seconds, then every
    `meter_seconds`, so that short runs have some; `regular` is (seconds, function) that runs again and again. What one
    of them raises goes to `trouble`, never into the training.
    """

    def __init__(
        self,
        session: Session,
        trouble: Callable[[Exception], None],
        *,
        first: Callable[[], None] | None = None,
        meter: Meter | None = None,
        meter_seconds: float = 15.0,
        regular: tuple[float, Callable[[], None]] | None = None,
    ) -> None:
        self._session = session
        self._trouble = trouble
        self._first = first
        self._meter = meter
        now = time.monotonic()
        self._works = [_Work(session.writer.touch, TOUCH_SECONDS, TOUCH_SECONDS, now + TOUCH_SECONDS)]
        if meter is not None:
            self._works.append(_Work(self._read_meter, 1.0, meter_seconds, now + min(1.0, meter_seconds)))
        if regular is not None:
            self._works.append(_Work(regular[1], regular[0], regular[0], now + regular[0]))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gitexp", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        if self._first is not None:
            self._guarded(self._first)
        while not self._stop.wait(FLUSH_SECONDS):
            # Never waiting: a signal may have stopped the main thread inside a write, and it will join this thread.
            self._session.writer.drain(wait=False)
            if self._session.writer.trouble is not None:
                self._trouble(self._session.writer.trouble)
            for work in self._works:
                if time.monotonic() >= work.due:
                    work.delay = min(work.delay * 2, work.every)
                    work.due = time.monotonic() + work.delay
                    self._guarded(work.do)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # whatever the machine, a driver or a file system does, the training goes on
            self._trouble(error)

    def _read_meter(self) -> None:
        if self._meter is not None:
            self._session.writer.system(self._meter.sample())

    def stop(self) -> None:
        """End the thread; waits for what it is doing, a stuck driver for half a minute."""
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(STOP_SECONDS)
        if self._meter is not None and not self._thread.is_alive():
            self._meter.close()
            if self._meter.gpu_seconds:
                self._guarded(self._say_gpu)

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
