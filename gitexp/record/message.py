"""The run commit's message: a line for people, the main metrics, and trailers for lists (docs/format.md, "Commit")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gitexp import canonical, text
from gitexp.record import headline
from gitexp.record.run import FORMAT, RunRecord
from gitexp.record.summary import Aggregate

_TRAILER = re.compile(r"([A-Z][A-Za-z-]*): (.*)")


@dataclass(frozen=True, slots=True)
class Trailers:
    """What a list learns from the commit alone."""

    id: str
    experiment: str
    name: str
    status: str
    dirty: bool
    format: int
    start_ms: int | None = None


def encode(record: RunRecord, summary: Mapping[str, Aggregate]) -> str:
    """Return the message; subject `experiment/name: status in duration, metric value`."""
    main = headline.metrics(summary)
    # No name that is given here has new lines; one that came with a foreign record must not forge a trailer.
    experiment, run = (name.replace("\n", " ") for name in (record.experiment, record.name))
    lines = [f"{experiment}/{run}: {ending(record, summary)}", ""]
    lines += [_metric_line(name, summary[name]) for name in main] + ([""] if main else [])
    if record.description:
        lines += [record.description.strip(), ""]
    lines += [
        f"Run: {record.id}",
        f"Experiment: {experiment}",
        f"Name: {run}",
        f"Status: {record.status}",
        f"Start: {canonical.iso(record.start_ms)}",
    ]
    if record.code.get("dirty"):
        lines.append("Dirty: yes")
    return "\n".join([*lines, f"Format: {FORMAT}", ""])


def ending(record: RunRecord, summary: Mapping[str, Aggregate]) -> str:
    """Return how a run ended: `completed in 4:12, val_auc 0.9410`."""
    return headline.ended(record.status, record.duration_seconds, summary)


def decode(message: str) -> Trailers | None:
    """Return the trailers of a run commit's message, None where it is no run's."""
    found: dict[str, str] = {}
    for line in reversed(message.rstrip("\n").split("\n")):
        match = _TRAILER.fullmatch(line)
        if match is None:
            break
        found[match[1]] = match[2]
    try:
        return Trailers(
            found["Run"],
            found["Experiment"],
            found["Name"],
            found["Status"],
            found.get("Dirty") == "yes",
            int(found["Format"]),
            canonical.from_iso(found["Start"]) if "Start" in found else None,
        )
    except (KeyError, ValueError, OverflowError):
        return None


def _metric_line(name: str, aggregate: Aggregate) -> str:
    if not aggregate.count:
        return f"{headline.one_line(name)}: {text.number(aggregate.value)}"
    low, high, last = (text.number(item) for item in (aggregate.min, aggregate.max, aggregate.last))
    return f"{headline.one_line(name)}: last {last}, min {low}, max {high}"
