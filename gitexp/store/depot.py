"""A depot: where large bytes live besides this clone, such as the Git LFS store of a remote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from gitexp.record.pointer import Failure, Pointer

__all__ = ["Depot", "Failure", "Tell"]

Tell = Callable[[int], None]  # told the bytes done since it was told last; less than nothing where some go again


class Depot(Protocol):
    """What every depot can do.

    Each call streams and tries again by itself; it returns the items that did not travel, and raises RemoteError where
    the whole depot cannot be used. What a call did not get done, the same call does when it is made again.
    """

    @property
    def label(self) -> str:
        """What people see, without credentials."""
        ...

    def lacks(self, items: Sequence[Pointer]) -> list[Pointer]:
        """Return those whose bytes are not there."""
        ...

    def send(self, items: Sequence[Pointer], source: Callable[[Pointer], Path], tell: Tell) -> list[Failure]:
        """Give the files that `source` names to the depot, as far as it lacks them."""
        ...

    def bring(
        self, items: Sequence[Pointer], arrive: Callable[[Pointer, Path], None], folder: Path, tell: Tell
    ) -> list[Failure]:
        """Download into `folder`, as `<sha256>.part`; `arrive` takes each file once its bytes are verified."""
        ...

    def drop(self, items: Sequence[Pointer]) -> list[Failure] | None:
        """Delete the bytes there; None where such a depot never deletes."""
        ...
