"""Choices made on a test metric, counted: one that is used over and over stops being a test.

A use is a ranking or a gate that reads a test metric of a set of runs, or a condition on it; a set that was looked at
before teaches nothing new and is not counted again. docs/howto-leaderboard.md has the definition and its sources.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path

from gitexp import canonical, clock, text
from gitexp.store.workspace import Workspace

GATE = "check"
_FILE = "test-uses.jsonl"
_NAMED = 3  # kinds of use that a warning names


def is_test(workspace: Workspace, metric: str) -> bool:
    """Say whether a metric was measured on a test set, by its name (gitexp.testMetrics)."""
    return any(fnmatchcase(metric, pattern) for pattern in workspace.settings.items("testMetrics"))


def used(workspace: Workspace, metric: str, what: str, runs: Collection[str]) -> str | None:
    """Count one use of a metric and return the warning, None for a metric of no test set or one used seldom.

    `what` is the command that used it, `runs` the ids of the runs that it chose among, or that a gate judged: for a
    choice there must be two, a gate decides over one.
    """
    if len(runs) < (1 if what == GATE else 2) or not is_test(workspace, metric):
        return None
    mark = sha256("\n".join(sorted(runs)).encode()).hexdigest()[:16]
    before = list(_uses(workspace, metric))
    if mark not in {known for known, _ in before}:
        before.append((mark, what))
        _append(workspace, {"time": canonical.iso(clock.now_ms()), "metric": metric, "runs": mark, "what": what})
    limit = int(workspace.settings.number("testUses"))
    return _warning(metric, [how for _, how in before]) if 0 < limit <= len(before) else None


def _warning(metric: str, whats: list[str]) -> str:
    kinds = list(dict.fromkeys(reversed(whats)))
    named = ", ".join(map(text.safe, kinds[:_NAMED])) + (", …" if len(kinds) > _NAMED else "")
    return (
        f"{text.safe(metric)} has now decided over {text.plural(len(whats), 'set')} of runs in this clone ({named}): "
        "what is chosen on it looks better than it is. Choose on a validation metric, and test the chosen run once"
    )


def _uses(workspace: Workspace, metric: str) -> Iterator[tuple[str, str]]:
    """Yield (mark of the set of runs, what used it) for each set that a metric was used with; torn lines are none."""
    seen = set()
    try:
        lines = _path(workspace).read_bytes().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):
            use = canonical.loads(line)
            if use["metric"] == metric and use["runs"] not in seen:
                seen.add(use["runs"])
                yield str(use["runs"]), str(use["what"])


def _append(workspace: Workspace, use: dict[str, str]) -> None:
    """Add a line; one write, so that lines of several processes do not mix."""
    path = _path(workspace)
    with suppress(OSError):  # a repository that cannot be written is read all the same
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            os.write(descriptor, canonical.line(use) + b"\n")
        finally:
            os.close(descriptor)


def _path(workspace: Workspace) -> Path:
    return workspace.home / _FILE
