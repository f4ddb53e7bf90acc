"""Whether a loss has become NaN or infinite while it trains: seen in the aggregates, which costs nothing per point."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

from gitexp.ops.recording import failures
from gitexp.record.reasons import LOSS, Reason
from gitexp.record.summary import Aggregate
from gitexp.store import seal
from gitexp.store.workspace import Workspace

_WORDS = frozenset({"loss", "losses", "nll", "perplexity", "ppl", "logloss", "crossentropy", "xent", "elbo"})
_EXTREMES = frozenset({"best", "min", "max", "lowest"})  # `best_val_loss` is infinite until there is one


class Losses:
    """The losses of one process's points so far; the first that is no finite number is told, once."""

    def __init__(self, workspace: Workspace, summary: Mapping[str, Aggregate]) -> None:
        self._workspace = workspace
        self._summary = summary
        self._seen = 0
        self._found: dict[str, Aggregate] = {}
        self._told = False

    def look(self) -> Reason | None:
        """Return the first loss whose newest value is NaN or infinite; None where there is none, or one was told."""
        if self._told:
            return None
        if len(self._summary) != self._seen:
            names = list(self._summary)  # in one step: another thread may add to it
            new = {cell: seal.name_of(cell) for cell in names[self._seen :]}
            self._found |= {name: self._summary[cell] for cell, name in new.items() if is_loss(self._workspace, name)}
            self._seen = len(names)
        for name, aggregate in self._found.items():
            if aggregate.count and aggregate.last - aggregate.last != 0:
                self._told = True
                if not failures.is_given(self._workspace, failures.NAN):
                    return None
                return Reason.of(failures.NAN, LOSS, f"{name} is {_word(aggregate.last)} at step {aggregate.last_step}")
        return None


def _word(value: int | float) -> str:
    return "NaN" if value != value else "infinite"


def is_loss(workspace: Workspace, metric: str) -> bool:
    """Say whether a metric is a loss: as gitexp.lossMetrics says, else by the words of its name."""
    said = workspace.settings.items("lossMetrics")
    if said:
        return any(fnmatchcase(metric, pattern) for pattern in said)
    words = set(re.split(r"[^a-z]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", metric).lower()))
    return bool(words & _WORDS) and not words & _EXTREMES
