"""Many transfers at once: a few threads, the failures of each, and an orderly end when one cannot go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from gitexp.git.lfspart import Stop
from gitexp.record.pointer import Failure

Item = TypeVar("Item")


def each(items: Sequence[Item], work: Callable[[Item], Failure | None], parallel: int, stop: Stop) -> list[Failure]:
    """Do `work` for every item, `parallel` at once, and return the failures in the order of the items.

    An error that ends everything (no disk, no way in, Ctrl-C) stops the others at their next block, and is raised.
    """
    stop.clear()
    if len(items) < 2 or parallel < 2:
        return [failure for item in items if (failure := work(item)) is not None]
    with ThreadPoolExecutor(min(parallel, len(items)), thread_name_prefix="gitexp-lfs") as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [failure for future in futures if (failure := future.result()) is not None]
