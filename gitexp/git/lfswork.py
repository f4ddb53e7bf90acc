"""Many transfers at once: a few threads, the failures of each, and an orderly end when one cannot go on."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from gitexp.git.lfspart import Stop, Tell
from gitexp.record.pointer import Failure

Item = TypeVar("Item")
_PATIENCE_SECONDS = 2.0  # after Ctrl-C, for threads that wait for a server


def each(
    items: Sequence[Item],
    work: Callable[[Item], Failure | None],
    parallel: int,
    stop: Stop,
    *,
    apart: bool = False,
) -> list[Failure]:
    """Do `work` for every item, `parallel` at once, and return the failures in the order of the items.

    An error that ends everything (no disk, no way in, Ctrl-C) stops the others at their next block, and is raised.
    `apart`: in threads even where one would do, for work that Ctrl-C cannot interrupt in the main one.
    """
    stop.clear()
    if not items or (not apart and (len(items) < 2 or parallel < 2)):
        return [failure for item in items if (failure := work(item)) is not None]
    waiting, done, errors = deque(enumerate(items)), dict[int, Failure](), list[BaseException]()

    def serve() -> None:
        while waiting and not stop.is_set():
            try:
                number, item = waiting.popleft()
            except IndexError:  # another thread was faster
                return
            try:
                if (failure := work(item)) is not None:
                    done[number] = failure
            except BaseException as error:
                errors.append(error)
                stop.set()

    _join([threading.Thread(target=serve, name="gitexp-transfer", daemon=True) for _ in items[:parallel]], stop)
    if errors:
        raise errors[0]
    return [done[number] for number in sorted(done)]


def counted(tell: Tell) -> Tell:
    """Return a teller that threads may call at once: one at a time reaches `tell`."""
    lock = threading.Lock()

    def one(count: int) -> None:
        with lock:
            tell(count)

    return one


def _join(threads: Sequence[threading.Thread], stop: Stop) -> None:
    """Start threads and wait for them; on Ctrl-C only a moment, for they end with the process."""
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        stop.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join(_PATIENCE_SECONDS / len(threads))
        raise
