"""The result of a run in one line, for subjects and lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gitexp import text
from gitexp.record.summary import Aggregate

MAIN_METRICS = 5


def ended(status: str, seconds: float | None, summary: Mapping[str, Aggregate]) -> str:
    """Return how a run ended: `completed in 4:12, val_auc 0.9410`."""
    main = metrics(summary)
    took = "" if seconds is None else f" in {text.duration(seconds)}"
    head = f", {one_line(main[0])} {text.number(summary[main[0]].value)}" if main else ""
    return f"{status}{took}{head}"


def metrics(summary: Iterable[str]) -> list[str]:
    """Return up to five metrics for a headline: validation, then test, then the rest, by name."""

    def rank(name: str) -> int:
        words = re.split(r"[^a-z]+", name.lower())
        return 0 if any(word.startswith("val") for word in words) else 1 if "test" in words else 2

    return sorted(summary, key=lambda name: (rank(name), name))[:MAIN_METRICS]


def one_line(name: str) -> str:
    """Return a name that cannot break the line it stands in."""
    return text.safe(name).replace("\n", " ")
