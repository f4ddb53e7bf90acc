"""A bar on the terminal for what takes long; nothing where nobody looks, or where there is little to do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from gitexp.cli import context

MIN_BYTES = 100 << 20


@contextmanager
def bar(label: str) -> Iterator[Callable[[int], Callable[[int], None]]]:
    """Give a function that takes how many bytes there are to do and returns one that is told of those done."""
    with ExitStack() as stack:

        def begin(total_bytes: int) -> Callable[[int], None]:
            if total_bytes < MIN_BYTES or context.options().quiet or not sys.stderr.isatty():
                return lambda _done: None
            return _shown(stack, label, total_bytes)

        yield begin


def _shown(stack: ExitStack, label: str, total_bytes: int) -> Callable[[int], None]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn(label), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    shown = stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
    task = shown.add_task(label, total=total_bytes)
    return lambda done: shown.update(task, advance=done)
