"""The thread that stores what a training logs, in the order logged: the training hands over and goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue

HELD_BYTES = 128 << 20  # of the caller's bytes that wait in memory before the caller waits too
HELD_FILES = 128  # files that are kept open while they wait
Job = Callable[[], None]


@dataclass(slots=True)
class _Order:
    job: Job
    held_bytes: int
    done: threading.Event = field(default_factory=threading.Event)


class Storer:
    """Does jobs one after the other; its thread begins with the first and ends with `close`.

    Taking a job waits for nobody and holds no lock that the thread needs, so that a signal's handler may close it
    whatever the main thread was in the middle of. `failed` hears what a job raises.
    """

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._taken = self._done = 0  # jobs; the first is counted by callers alone, the second by the thread alone
        self._taken_bytes = self._done_bytes = 0
        self._last: _Order | None = None
        self.waits = 0

    @property
    def waiting(self) -> int:
        """How many jobs are not done."""
        return self._taken - self._done

    def take(self, job: Job, *, held_bytes: int = 0, wait: bool = False) -> None:
        """Do a job later; with `wait`, or where too many bytes wait already, return when it is done."""
        order = _Order(job, held_bytes)
        self._taken += 1
        self._taken_bytes += held_bytes
        self._last = order
        if not self._is_running():
            self._do(order)
            return
        self._orders.put(order)
        if wait or self._taken_bytes - self._done_bytes > HELD_BYTES:
            self.waits += not wait
            order.done.wait()

    def close(self) -> None:
        """Return when all is done, and end the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._orders.put(None)
            thread.join()

    def _is_running(self) -> bool:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="gitexp-store", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter is ending, and starts no more threads
                return False
            self._thread = thread
        return True

    def _run(self) -> None:
        while (order := self._orders.get()) is not None:
            self._do(order)

    def _do(self, order: _Order) -> None:
        try:
            order.job()
        except Exception as error:  # whatever a library or a disk does: the training goes on, and it is counted
            self._failed(error)
        finally:
            self._done += 1
            self._done_bytes += order.held_bytes
            order.done.set()
