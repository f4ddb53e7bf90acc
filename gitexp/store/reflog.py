"""gitexp's own log of what it did to refs: Git keeps none below refs/experiments/, and a prune can take refs away.

.git/gitexp/refs.log, append-only, a line each: `<time ms> <word> <old> <new> <ref>`; no oid is forty zeros. Words:
`run`, `resume` (recorded here), `fetch`, `unbundle` (from elsewhere), `restore`, `delete`, `purge`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from gitexp import clock
from gitexp.store.workspace import Workspace

NONE = "0" * 40
RECORDED = ("run", "resume")


@dataclass(frozen=True, slots=True)
class Line:
    """One change of one ref."""

    time_ms: int
    word: str
    old: str
    new: str
    ref: str


def append(workspace: Workspace, word: str, changes: Sequence[tuple[str, str | None, str | None]]) -> None:
    """Add a line for each (ref, old, new); one write, so that lines of several processes do not mix."""
    now = clock.now_ms()
    text = "".join(f"{now} {word} {old or NONE} {new or NONE} {ref}\n" for ref, old, new in changes)
    workspace.home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(workspace.home / "refs.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def lines(workspace: Workspace) -> Iterator[Line]:
    """Yield all lines, oldest first; torn and foreign ones are passed over."""
    for text in _texts(workspace):
        line = _parse(text)
        if line is not None:
            yield line


def since(workspace: Workspace, offset: int) -> tuple[list[Line], int]:
    """Return the whole lines from a byte offset on, and the offset after them."""
    try:
        with open(workspace.home / "refs.log", "rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], 0
    end = data.rfind(b"\n") + 1
    found = map(_parse, data[:end].decode("utf-8", "replace").split("\n"))
    return [line for line in found if line is not None], offset + end


def _texts(workspace: Workspace) -> list[str]:
    try:
        return (workspace.home / "refs.log").read_text("utf-8", "replace").split("\n")
    except FileNotFoundError:
        return []


def _parse(text: str) -> Line | None:
    parts = text.split(" ", 4)
    if len(parts) != 5 or len(parts[3]) != 40 or not parts[0].isdigit():
        return None
    return Line(int(parts[0]), parts[1], parts[2], parts[3], parts[4])


def unreadable(workspace: Workspace) -> int:
    """Return how many whole lines are neither a change nor blanked after a purge."""
    whole = _texts(workspace)[:-1]  # what follows the last new line was cut off
    return sum(1 for text in whole if text.strip("#") and _parse(text) is None)


def expected(workspace: Workspace) -> dict[str, str]:
    """Return {ref: oid} as the log says they should stand."""
    found: dict[str, str] = {}
    for line in lines(workspace):
        if line.new == NONE:
            found.pop(line.ref, None)
        else:
            found[line.ref] = line.new
    return found


def recorded(workspace: Workspace) -> dict[str, int]:
    """Return {ref: time of its last line} of the runs recorded in this clone, oldest first."""
    found: dict[str, int] = {}
    for line in lines(workspace):
        if line.new == NONE:
            found.pop(line.ref, None)
        elif line.word in RECORDED:
            found.pop(line.ref, None)
            found[line.ref] = line.time_ms
    return found


def commits(workspace: Workspace) -> dict[str, str]:
    """Return {ref: the commit that was recorded last} of the runs that nothing else has moved since they were."""
    found: dict[str, str] = {}
    for line in lines(workspace):
        if line.word in RECORDED:
            found[line.ref] = line.new
        elif line.word != "restore":
            found.pop(line.ref, None)
    return found


def forget(workspace: Workspace, refs: Collection[str]) -> None:
    """Blank the lines of refs whose runs were purged, in place: writers that append meanwhile are not disturbed."""
    try:
        with open(workspace.home / "refs.log", "r+b") as file:
            at = 0
            for line in file.readlines():
                parts = line.rstrip(b"\n").split(b" ", 4)
                if len(parts) == 5 and parts[4].decode("utf-8", "replace") in refs:
                    file.seek(at)
                    file.write(b"#" * (len(line) - 1))
                at += len(line)
    except FileNotFoundError:
        return
