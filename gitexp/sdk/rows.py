"""Lists that a run's points go to where no thread will take them from there."""

from __future__ import annotations

from gitexp.store import journal
from gitexp.store.journal import Row


class Nowhere(list[Row]):
    """Rows of a run that records nothing."""

    def append(self, row: Row) -> None:
        """Take no row."""


class Through(list[Row]):
    """Rows of a forked child: each is written at once."""

    def __init__(self, writer: journal.Writer) -> None:
        super().__init__()
        self._writer = writer

    def append(self, row: Row) -> None:
        """Write one row."""
        super().append(row)
        self._writer.drain()
