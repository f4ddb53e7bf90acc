"""The thread beside the training: it writes what was logged, gives signs of life, and does once what can wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from gitexp.capture.system import Sampler
from gitexp.ops.lifecycle import Session

FLUSH_SECONDS = 0.5
TOUCH_SECONDS = 5.0
STOP_SECONDS = 30.0


class Keeper:
    """The background thread of one session.

    `first` runs once at the start, in the thread; `regular` are (seconds, function) that run again and again; the
    `sampler` has a thread of its own. What one of them raises goes to `trouble`, never into the training.
    """

    def __init__(
        self,
        session: Session,
        trouble: Callable[[Exception], None],
        first: Callable[[], None] | None = None,
        regular: tuple[tuple[float, Callable[[], None]], ...] = (),
        sampler: Sampler | None = None,
    ) -> None:
        self._session = session
        self._trouble = trouble
        self._first = first
        self._regular = [(seconds, work, time.monotonic() + seconds) for seconds, work in regular]
        self._regular.append((TOUCH_SECONDS, session.writer.touch, time.monotonic() + TOUCH_SECONDS))
        self._sampler = sampler
        if sampler is not None:
            sampler.start()
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
            self._do_regular()

    def _do_regular(self) -> None:
        now = time.monotonic()
        for index, (seconds, work, due) in enumerate(self._regular):
            if now >= due:
                self._regular[index] = (seconds, work, now + seconds)
                self._guarded(work)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # whatever the machine, a driver or a file system does, the training goes on
            self._trouble(error)

    def stop(self) -> None:
        """End the thread; waits for what it is doing, a stuck driver for half a minute."""
        self._stop.set()
        if self._sampler is not None:
            self._sampler.stop()
            if self._sampler.gpu_seconds:
                self._guarded(self._say_gpu)
        if threading.current_thread() is not self._thread:
            self._thread.join(STOP_SECONDS)

    def _say_gpu(self) -> None:
        if self._sampler is not None:
            self._session.writer.event("gpu", seconds=self._sampler.gpu_seconds)
