"""What a pull request should show: the best run of a branch's code beside the best of the code it goes into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gitexp import clock, text
from gitexp.errors import UsageError
from gitexp.index import database, search
from gitexp.index.database import Index
from gitexp.index.entry import Entry
from gitexp.ops.comparing import check
from gitexp.ops.comparing.check import Gate, Rule, Verdict
from gitexp.ops.finding import find, goals, provenance
from gitexp.ops.finding.goals import Goal
from gitexp.ops.pages import curves, report, sections
from gitexp.pages.parts import Cell, Column, Report, Section, Table
from gitexp.query import nodes
from gitexp.record.numbers import float_of, is_nan, is_number
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Side:
    """The runs of one side: what it is called, how many it has of each status, how many dirty, and its best run."""

    name: str
    statuses: dict[str, int]
    dirty: int
    best: Run | None

    @property
    def total(self) -> int:
        """How many runs there are."""
        return sum(self.statuses.values())


@dataclass(frozen=True, slots=True)
class Review:
    """Both sides by one metric, and the gate, where there is a run to judge."""

    range: str
    metric: str  # "" where no run has a metric whose direction is known
    goal: Goal
    base: Side
    head: Side
    verdict: Verdict | None
    notes: tuple[str, ...]


def review(workspace: Workspace, revisions: str, metric: str = "", gate: Gate | None = None) -> Review:
    """Compare the code of `main..HEAD` with that of `main`, by the best completed run of each.

    A side without a run is said, not an error. Raises NotFound for revisions that are not there, UsageError for a
    metric whose direction is not known.
    """
    base, head = _split(revisions)
    index = database.of(workspace)
    known = {name: _entries(index, workspace, revision) for name, revision in ((base, base), (head, f"{base}..{head}"))}
    (before, one), (after, other) = known[base], known[head]
    metric = metric or _main(workspace, [*after, *before])
    goal = goals.of(workspace, metric)
    if metric and not goal.best:
        raise UsageError(
            f"whether more or less of {text.safe(metric)!r} is better is not known",
            hint=goals.saying(workspace, metric),
        )
    sides = [_side(workspace, name, found, metric, goal) for name, found in ((base, before), (head, after))]
    verdict = _judge(workspace, metric, sides[1].best, sides[0].best, gate or Gate())
    notes = tuple(dict.fromkeys(line for line in (one, other) if line))
    return Review(f"{base}..{head}", metric, goal, sides[0], sides[1], verdict, notes)


def _split(revisions: str) -> tuple[str, str]:
    base, dots, head = revisions.partition("..")
    if not base or head.startswith("."):
        raise UsageError(f"{text.safe(revisions)!r} is not a range", hint="gitexp report --pr main..HEAD --md")
    return base, (head if dots else "") or "HEAD"


def _entries(index: Index, workspace: Workspace, revision: str) -> tuple[list[Entry], str]:
    """Return the runs of the code of some commits, but the removed ones, and what could not be looked at."""
    found = provenance.history(workspace, index, [revision])
    if not found.how:
        return [], found.note
    wanted = nodes.All((found.condition, nodes.Not(nodes.Truth(nodes.Field("removed")))))
    return search.entries(index, wanted, context=goals.context(workspace)), found.note


def _main(workspace: Workspace, found: Sequence[Entry]) -> str:
    """Return the metric to go by: the one that is set, else the weightiest that has a direction."""
    if chosen := workspace.settings.text("metric"):
        return chosen
    names = {name for entry in found if entry.status == "completed" for name in entry.summary}
    return next((name for name in curves.by_weight(workspace, names) if goals.of(workspace, name).best), "")


def _side(workspace: Workspace, name: str, found: Sequence[Entry], metric: str, goal: Goal) -> Side:
    best: tuple[float, Entry] | None = None
    for entry in found:
        value = find.value_of(entry, metric, goal.aggregate) if entry.status == "completed" else None
        if value is None or is_nan(value):
            continue
        if best is None or goal.better(float_of(value), best[0]):  # of equals the newest stays
            best = (float_of(value), entry)
    statuses = dict(sorted(Counter(entry.status for entry in found).items()))
    run = find.load(workspace, best[1]) if best is not None else None
    return Side(name, statuses, sum(entry.dirty for entry in found), run)


def _judge(workspace: Workspace, metric: str, run: Run | None, base: Run | None, gate: Gate) -> Verdict | None:
    """Hold the branch's best run against the other side's, by the rules of `git exp check`."""
    if run is None:
        return None
    metrics = tuple(dict.fromkeys((metric, *gate.metrics)))
    against = "" if base is None or base.id == run.id else base.id
    limits = gate if against else replace(gate, max_drop=(), max_drop_percent=())
    return check.judge(workspace, run.id, replace(limits, metrics=metrics, baseline=against))


def page(workspace: Workspace, found: Review, options: report.Options) -> Report:
    """Return the review as a page: a report of the best runs, the gate first."""
    runs = [side.best for side in (found.base, found.head) if side.best is not None]
    runs = list({run.id: run for run in runs}.values())
    about = replace(options, title=options.title or _title(found), main=found.metric)
    made = report.build(workspace, runs, about) if runs else _nothing(about.title)
    warned = [*_warnings(found), *made.warnings]
    first = [_gate(found.verdict)] if found.verdict is not None else []
    return replace(
        made,
        subtitle=tuple(_subtitle(found)),
        warnings=tuple(warned),
        sections=(*first, *made.sections),
        gate=_said(found.verdict) if found.verdict is not None else "",
        passed=found.verdict is None or found.verdict.passed,
    )


def _nothing(title: str) -> Report:
    now = report.moment(clock.now_ms())
    return Report(title, (), (), (), None, (), (), True, (), (), (), (), (), now)


def _title(found: Review) -> str:
    values = [_value(found, side) for side in (found.base, found.head)]
    if values[1] is None:
        return f"{found.range}: no run to show"
    shown = f"{found.range}: {found.metric} {text.number(values[1])}"
    if values[0] is None or found.base.best is None or found.head.best is None:
        return shown
    if found.base.best.id == found.head.best.id or values[0] == values[1]:
        return f"{shown}, as {found.base.name}"
    word = "better" if found.goal.better(float_of(values[1]), float_of(values[0])) else "worse"
    return f"{shown}, {word} than {found.base.name} ({text.number(values[0])})"


def _value(found: Review, side: Side) -> int | float | None:
    return None if side.best is None else find.value_of(side.best, found.metric, found.goal.aggregate)


def _subtitle(found: Review) -> Iterator[str]:
    for side in (found.base, found.head):
        others = ", ".join(f"{count} {status}" for status, count in side.statuses.items() if status != "completed")
        yield f"{side.name}: {text.plural(side.total, 'run')}" + (f" ({others})" if others else "")
    if found.metric:
        yield f"best by {found.metric}:{found.goal.aggregate} ({found.goal.words})"


def _warnings(found: Review) -> Iterator[str]:
    yield from found.notes
    for side, what in ((found.base, f"the code of {found.base.name}"), (found.head, found.range)):
        if not side.total:
            yield f"No run of {what} is here: record one, or bring it with git exp fetch."
        elif side.best is None:
            yield f"No completed run of {what} has {found.metric or 'a metric whose direction is known'}."
        elif side.best.record.code.get("dirty"):
            yield f"The best run of {what} ran with uncommitted edits: its numbers are not those of a commit."
    if found.verdict is not None:
        yield from found.verdict.warnings


def _gate(verdict: Verdict) -> Section:
    heads = (Column("check"), Column("run", True), Column("baseline", True), Column("change", True))
    rows = tuple(_rule(rule) for rule in verdict.rules)
    return Section("gate", (), Table((*heads, Column("allowed"), Column("result")), rows))


def _said(verdict: Verdict) -> str:
    failed = ", ".join(check.title(rule) for rule in verdict.failed)
    return f"gate failed: {failed}" if failed else f"gate passed, {text.plural(len(verdict.rules), 'check')}"


def _rule(rule: Rule) -> tuple[Cell, ...]:
    change = "–" if rule.change is None else f"{'+' if rule.change > 0 else ''}{text.number(rule.change)}"
    result = Cell("pass", marks="better") if rule.passed else Cell("FAIL", marks="worse")
    return (
        Cell(check.title(rule), note=rule.metric.goal.words if rule.metric else ""),
        Cell(_shown(rule.value)),
        Cell(sections.number(rule.baseline)),
        Cell(change),
        Cell(_allowed(rule)),
        result,
    )


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items())
    if is_number(value):
        return text.number(value)
    return "–" if value is None else text.value(value)


def _allowed(rule: Rule) -> str:
    limit = "" if rule.limit is None else text.number(rule.limit)
    if rule.kind in (check.DROP, check.PERCENT) and rule.metric is not None:
        word = "drop" if rule.metric.goal.best == "max" else "rise"
        return f"{word} of {limit}{' %' if rule.kind == check.PERCENT else ''}" if rule.limit else f"no {word}"
    if rule.kind in (check.LEAST, check.MOST):
        return f"at least {limit}" if rule.kind == check.LEAST else f"at most {limit}"
    return {check.STATUS: check.COMPLETED, check.NUMBER: "a number"}.get(rule.kind, "true")


def describe(found: Review) -> dict[str, Any]:
    """Return the JSON of a review (docs/scripting.md)."""
    return {
        "range": found.range,
        "metric": found.metric or None,
        "aggregate": found.goal.aggregate if found.metric else None,
        "goal": found.goal.best or None,
        "goal_from": found.goal.why or None,
        "base": _described(found, found.base),
        "head": _described(found, found.head),
        "gate": None if found.verdict is None else check.describe(found.verdict),
        "warnings": list(_warnings(found)),
    }


def _described(found: Review, side: Side) -> dict[str, Any]:
    best = side.best
    return {
        "name": side.name,
        "total": side.total,
        "statuses": side.statuses,
        "dirty": side.dirty,
        "value": _value(found, side),
        "best": None if best is None else {"id": best.id, "name": best.name, "experiment": best.experiment},
    }
