"""Whether large files are what their pointers say: there, of the right size and sha256; if not here, at a remote."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitexp import files as bytes_of
from gitexp import ids, text
from gitexp.git.transport import Options
from gitexp.ops.storage import depots
from gitexp.ops.storage.pointed import Use
from gitexp.record.pointer import Pointer
from gitexp.store import objects as large
from gitexp.store.remotes import Remote
from gitexp.store.workspace import Workspace

LACKING, DAMAGED, RECORD, STRAY = "lacking", "damaged", "record", "stray"  # what can be wrong with one
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Bad:
    """A large file that is not as it must be: `what` is wrong, in words for people, and who uses it.

    `record`: the bytes are whole, but a pointer gives another size; `stray`: other bytes than its name says, and no
    record names it.
    """

    sha256: str
    size_bytes: int
    what: str
    message: str
    uses: tuple[Use, ...] = ()


@dataclass(slots=True)
class Found:
    """How many large files are here, their bytes, and those that are bad."""

    count: int = 0
    size_bytes: int = 0
    bad: list[Bad] = field(default_factory=list)


def files(
    workspace: Workspace,
    uses: Mapping[str, Sequence[Use]],
    *,
    quick: bool,
    progress: Callable[[str, int, int], None],
) -> Found:
    """Compare every large file with the pointers to it, and those that none points at with their names."""
    found = Found()
    unnamed = [sha256 for sha256 in here(workspace) if sha256 not in uses]
    total, done = sum(used[0].size_bytes for used in uses.values()), 0
    for sha256, used in sorted(uses.items()):
        progress("files", done, total)
        done += used[0].size_bytes
        bad = _one(workspace, sha256, used, found, quick)
        if bad is not None:
            found.bad.append(bad)
    for at, sha256 in enumerate([] if quick else unnamed):
        progress("files that no run names", at, len(unnamed))
        path = large.place(workspace, sha256)
        if not _is(path, sha256):
            message = "other bytes than its name says; no run names it"
            found.bad.append(Bad(sha256, path.stat().st_size, STRAY, f"{sha256[:12]} has {message}"))
    return found


def _one(workspace: Workspace, sha256: str, used: Sequence[Use], found: Found, quick: bool) -> Bad | None:
    use, path = used[0], large.path(workspace, sha256)
    more = f" and {len(used) - 1} more" if len(used) > 1 else ""
    name = f"{_name(use)}{more}"
    if path is None:
        message = f"{name}, {text.size(use.size_bytes)}, is not here"
        return Bad(sha256, use.size_bytes, LACKING, message, tuple(used))
    size = path.stat().st_size
    found.count += 1
    found.size_bytes += size
    wrong = next((use for use in used if use.size_bytes != size), None)
    if wrong is not None:
        what = RECORD if _is(path, sha256) else DAMAGED
        message = f"{_name(wrong)} has {size:,} bytes, not {wrong.size_bytes:,}"
        return Bad(sha256, wrong.size_bytes, what, message, tuple(used))
    if quick or _is(path, sha256):
        return None
    return Bad(sha256, size, DAMAGED, f"{name} has other bytes than its name says", tuple(used))


def _name(use: Use) -> str:
    return f"{use.file} of {use.run} ({ids.short(use.run_id)})"


def _is(path: Path, sha256: str) -> bool:
    """Read a file and say whether it is what its name says; one that cannot be read is not."""
    try:
        return bytes_of.sha256(path)[0] == sha256
    except OSError:
        return False


def here(workspace: Workspace) -> Iterator[str]:
    """Yield the names of all objects in this clone."""
    for folder, folders, names in os.walk(workspace.objects):
        folders.sort()
        above = Path(folder).relative_to(workspace.objects).parts
        for name in sorted(names):
            if len(name) == 64 and set(name) <= _HEX and above == (name[:2], name[2:4]):
                yield name


def held(workspace: Workspace, remote: Remote, lacking: Sequence[Bad]) -> frozenset[str]:
    """Return which of these the remote has; raises RemoteError where it cannot be asked."""
    items = [Pointer(bad.sha256, bad.size_bytes) for bad in lacking]
    if not items:
        return frozenset()
    away = {item.sha256 for item in depots.open(workspace, remote, Options()).lacks(items)}
    return frozenset(item.sha256 for item in items if item.sha256 not in away)
