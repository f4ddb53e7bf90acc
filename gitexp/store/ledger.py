"""The ledger: the lines of all notes by what they are about, kept in one file so that the notes need not be walked.

`.git/gitexp/facts.cache` is only a cache: rows `<key> TAB <object> TAB <line>`, appended as the notes grow, each batch
closed by `@ TAB <notes commit>`. What comes after the last such row is torn and counts for nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from gitexp import files, locks
from gitexp.errors import Conflict, Damaged
from gitexp.git import notes
from gitexp.git.repo import Repo
from gitexp.record import facts

_HEADER = b"#\tgitexp facts 1\n"
_TIP = b"\n@\t"
_DAMAGED, _PURGED = b"!", b"-"
_SIGNS = {facts.RUN: b"", facts.EXPERIMENT: b"="}  # before the id in a row's key


@dataclass(frozen=True, slots=True)
class Line:
    """One line and the object that it hangs on."""

    place: str
    line: bytes


class Ledger:
    """All lines of one notes commit, by target."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._states: dict[tuple[str, str], facts.State] = {}

    @cached_property
    def _rows(self) -> dict[bytes, list[bytes]]:
        return _by_key(self._data.split(b"\n"))

    @cached_property
    def _experiments(self) -> dict[bytes, list[bytes]]:
        """The few rows about experiments, which every start of a run looks at: found without parting all rows."""
        return _by_key(re.findall(rb"^=.*$", self._data, re.MULTILINE))

    def lines(self, kind: str, target: str) -> list[Line]:
        """Return the lines about one run or experiment, on whichever objects they hang."""
        known = self._rows if kind == facts.RUN else self._experiments
        rows = known.get(_SIGNS[kind] + target.encode(), ())
        return [Line(row[:40].decode(), row[41:]) for row in rows]

    def said(self, kind: str, target: str) -> list[facts.Fact]:
        """Return the facts about one run or experiment."""
        return [facts.decode_line(line.line) for line in self.lines(kind, target)]

    def state(self, kind: str, target: str) -> facts.State:
        """Return what they come to."""
        key = kind, target
        if key not in self._states:
            found = self.said(kind, target)
            self._states[key] = facts.fold(found) if found else facts.EMPTY
        return self._states[key]

    def targets(self, kind: str) -> list[str]:
        """Return the ids that something is said about."""
        if kind == facts.RUN:
            return [key.decode() for key in self._rows if len(key) == 16]
        return [key[1:].decode() for key in self._experiments]

    def since(self, tip: str) -> Ledger | None:
        """Return what was added after an earlier notes commit; None where these are not its lines and more."""
        at = self._data.rfind(_TIP + tip.encode() + b"\n")
        return None if at < 0 else Ledger(self._data[at + len(_TIP) + 41 :])

    def of_runs(self, run_ids: Collection[str]) -> Ledger:
        """Return the lines about a few runs alone: all others need not be sorted by what they are about then."""
        wanted = {run_id.encode() for run_id in run_ids}
        rows = [row for row in self._data.split(b"\n") if row[:16] in wanted] if wanted else []
        return Ledger(b"\n".join([*rows, b""]))

    @cached_property
    def removed(self) -> frozenset[str]:
        """The ids of removed and purged runs: only those whose lines could say so are folded."""
        words = (b"remove", b"purge", b"\\u")
        runs = ((key, rows) for key, rows in self._rows.items() if len(key) == 16)
        maybe = (key.decode() for key, rows in runs if any(word in row for row in rows for word in words))
        return frozenset(run_id for run_id in maybe if self.state(facts.RUN, run_id).removed)

    @property
    def purged(self) -> frozenset[str]:
        """The ids of purged runs."""
        return frozenset(row[41:].decode() for row in self._rows.get(_PURGED, ()))

    @cached_property
    def cuts(self) -> dict[str, tuple[facts.Cut, ...]]:
        """{run id: what was purged from it} of the runs that lost something and not all."""
        word = facts.CUT.encode()
        if word not in self._data:
            return {}
        runs = (key.decode() for key, rows in self._rows.items() if len(key) == 16 and any(word in row for row in rows))
        return {run_id: found for run_id in runs if (found := self.state(facts.RUN, run_id).cuts)}

    @cached_property
    def replaced(self) -> dict[str, str]:
        """{run commit: the one in its place}: what may not come back, since something in it was purged."""
        return {old: new for cuts in self.cuts.values() for cut in cuts for old, new in cut.commits.items()}

    @property
    def damaged(self) -> int:
        """How many lines no reader understands."""
        return len(self._rows.get(_DAMAGED, ()))


def _by_key(rows: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for row in rows:
        key, _, rest = row.partition(b"\t")
        if rest:
            found.setdefault(key, []).append(rest)
    return found


EMPTY = Ledger(b"")


def read(repo: Repo, home: Path, tip: str | None) -> Ledger:
    """Return the ledger of a notes commit."""
    return EMPTY if tip is None else _read(repo, home, tip)


@lru_cache(maxsize=2)
def _read(repo: Repo, home: Path, tip: str) -> Ledger:
    path = home / "facts.cache"
    cached, seen = _load(path)
    if seen == tip:
        return Ledger(cached)
    added = _added(repo, seen, tip) if seen else None
    if added is None:
        data = _HEADER + _rows(repo, None, tip)
        _store(path, data, whole=True, length=len(cached))
    else:
        data = cached + added
        _store(path, added, whole=False, length=len(cached))
    return Ledger(data)


def _load(path: Path) -> tuple[bytes, str | None]:
    """Return the file up to the end of its last whole batch, and the notes commit it stands for."""
    try:
        data = path.read_bytes()
    except OSError:
        return b"", None
    at = data.rfind(_TIP)
    end = data.find(b"\n", at + 1) + 1
    if not data.startswith(_HEADER) or at < 0 or end - at != len(_TIP) + 41:
        return b"", None
    return data[:end], data[end - 41 : end - 1].decode("ascii", "replace")


def _store(path: Path, data: bytes, *, whole: bool, length: int) -> None:
    """Write or append; where another was first, or nothing can be written, the next reader works again."""
    with suppress(OSError, Conflict), locks.hold(path.with_suffix(".lock"), timeout_seconds=0.2):
        if whole:
            files.write(path, data)
            return
        if len(_load(path)[0]) == length:
            with open(path, "r+b") as file:
                file.truncate(length)
                file.seek(0, os.SEEK_END)
                file.write(data)


def _added(repo: Repo, old: str, tip: str) -> bytes | None:
    """Return the rows that `tip` has beyond `old`; None where lines went away or `old` is not here any more."""
    try:
        return _rows(repo, old, tip)
    except (Damaged, _LineGone):
        return None


class _LineGone(Exception):
    """A line of the older notes is not in the newer ones: there was a purge."""


def _rows(repo: Repo, old: str | None, tip: str) -> bytes:
    differing = notes.changed(repo, old, tip)
    notes.prefetch(repo, [blob for _, blobs in differing.values() for blob in blobs])
    rows = []
    for place, (before, after) in differing.items():
        known, now = (set(notes.lines(repo, blobs, strict=False)) for blobs in (before, after))
        if not known <= now:
            raise _LineGone
        rows += [row for line in sorted(now - known) for row in _row(place, line)]
    return b"".join(rows) + b"@\t" + tip.encode() + b"\n"


def _row(place: str, line: bytes) -> Iterable[bytes]:
    where = b"\t" + place.encode() + b"\t"
    try:
        fact = facts.decode_line(line)
    except ValueError:
        return [_DAMAGED + where + b"\n"]
    found = [_SIGNS[fact.kind] + fact.target.encode() + where + line + b"\n"]
    if fact.op == "purge" and fact.kind == facts.RUN:
        found.append(_PURGED + where + fact.target.encode() + b"\n")
    return found
