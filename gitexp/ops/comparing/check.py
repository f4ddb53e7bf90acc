"""The regression gate: whether a run is good enough, by itself and beside a baseline, rule by rule."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gitexp import ids, text
from gitexp.errors import BadQuery, CheckFailed, NotFound, UsageError
from gitexp.index import compile as compiler
from gitexp.index import database, search
from gitexp.ops.comparing import baselines, conform, conventions
from gitexp.ops.comparing.baselines import Baseline
from gitexp.ops.finding import find, goals, leakage, terms
from gitexp.ops.finding.goals import Goal
from gitexp.query import nodes, parser
from gitexp.record.numbers import float_of, is_nan
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

_ROUNDING = 1e-9  # of the values: 0.94 - 0.93 is a little more than 0.01
COMPLETED = "completed"
STATUS, NUMBER, DROP, PERCENT, LEAST, MOST, REQUIRE = "status", "number", "drop", "percent", "min", "max", "require"
CONVENTION = "convention"


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound of one metric, or with metric "" of all that --metric names."""

    metric: str
    value: float

    @classmethod
    def parse(cls, words: str, option: str) -> Limit:
        """Read `0.01` or `val_auc=0.01`; raises UsageError."""
        metric, _, number = words.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or (value < 0 and option.startswith("--max-drop")):
            wanted = "a number, 0 or more" if option.startswith("--max-drop") else "a number"
            raise UsageError(f"{option} {words!r}: {number!r} is not {wanted}", hint=f"{option} val_auc=0.01")
        return cls(metric.strip(), value)


@dataclass(frozen=True, slots=True)
class Gate:
    """What a run is held against; metrics are names, with `:last` and the like for another value than usual."""

    metrics: tuple[str, ...] = ()
    baseline: str = ""
    max_drop: tuple[Limit, ...] = ()
    max_drop_percent: tuple[Limit, ...] = ()
    least: tuple[Limit, ...] = ()
    most: tuple[Limit, ...] = ()
    require: tuple[str, ...] = ()
    allow_missing_baseline: bool = False
    conventions: bool = False

    @property
    def compared(self) -> list[str]:
        """The metrics that are held against the baseline: those named as such, and those that a drop names."""
        return self._and(self.metrics, (*self.max_drop, *self.max_drop_percent))

    @property
    def checked(self) -> list[str]:
        """All metrics that are checked: beside these those that a bound names."""
        return self._and(self.compared, (*self.least, *self.most))

    def _and(self, names: Sequence[str], limits: Sequence[Limit]) -> list[str]:
        return list(dict.fromkeys([*names, *(limit.metric for limit in limits if limit.metric)]))


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that is checked: its name as it was given, and what of it is compared."""

    given: str
    name: str
    aggregate: str
    goal: Goal

    @property
    def title(self) -> str:
        """Its heading: `val_auc:max`."""
        return f"{self.name}:{self.aggregate}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, what the run and the baseline have of it, and whether the run keeps it."""

    kind: str
    passed: bool
    value: Any = None
    metric: Metric | None = None
    baseline: int | float | None = None
    limit: float | None = None
    condition: str = ""

    @property
    def change(self) -> float | None:
        """From the baseline to the run; None where there is no such number."""
        if self.baseline is None or self.value is None:
            return None
        found = float_of(self.value) - float_of(self.baseline)
        return found if math.isfinite(found) else None

    @property
    def change_percent(self) -> float | None:
        """The change in percent of the baseline's size; None where that is nothing."""
        change = self.change
        return 100 * change / abs(float_of(self.baseline)) if change is not None and self.baseline else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The rules with what became of them."""

    run: Run
    baseline: Baseline | None
    missing: str  # why there is no baseline where one was asked for
    rules: tuple[Rule, ...]
    warnings: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Say whether the run keeps all rules."""
        return all(rule.passed for rule in self.rules)

    @property
    def failed(self) -> list[Rule]:
        """The rules that it does not keep."""
        return [rule for rule in self.rules if not rule.passed]


def judge(workspace: Workspace, name: str, gate: Gate) -> Verdict:
    """Hold a run against a gate.

    Raises UsageError for a gate that cannot be meant, NotFound for a run or baseline that is not there.
    """
    _check(gate)
    run = find.one(workspace, name)
    metrics = [_metric(workspace, given) for given in gate.checked]
    compared = [metric for metric in metrics if gate.baseline and metric.given in gate.compared]
    if unknown := [metric.name for metric in compared if not metric.goal.best]:
        raise _no_direction(workspace, unknown[0])
    slips = list(_unknown(workspace, gate))
    baseline, missing = _baseline(workspace, run, compared, gate)
    rules = [Rule(STATUS, run.status == COMPLETED, run.status)]
    for metric in metrics:
        rules += _rules(gate, metric, run, baseline if metric in compared else None)
    warnings = [*slips, *_leaks(workspace, gate, metrics, run, baseline)]
    rules += [*_required(workspace, run, gate), *(_conventions(workspace, run) if gate.conventions else ())]
    return Verdict(run, baseline, missing, tuple(rules), tuple(warnings))


def _conventions(workspace: Workspace, run: Run) -> Iterator[Rule]:
    """Yield what became of each convention of the run's experiment; raises NotFound where it has none."""
    found = conventions.of(workspace, run.record.experiment)
    if found is None:
        none = conventions.Conventions(run.record.experiment, workspace.settings.file)
        raise NotFound(
            f"the experiment {text.safe(none.experiment)!r} has no conventions in {none.file}",
            hint=f"write there:  {conventions.example(none)}",
        )
    violations = {item.rule: item.value for item in conform.judge(workspace, found, conform.stored(workspace, run))}
    for rule in found.rules:
        yield Rule(CONVENTION, rule not in violations, violations.get(rule), condition=rule.title)


def _no_direction(workspace: Workspace, metric: str) -> UsageError:
    """Return the error for a metric of which no direction is known; one that no run has is more likely a slip."""
    import difflib  # only an error needs it

    catalogue = database.of(workspace).catalogue
    if catalogue.has("metric", metric):
        message = f"whether more or less of {text.safe(metric)!r} is better is not known"
        return UsageError(message, hint=goals.saying(workspace, metric))
    near = difflib.get_close_matches(metric, catalogue.names("metric"), n=3, cutoff=0.6)
    hint = f"did you mean: {', '.join(map(text.safe, near))}" if near else "see them with: gitexp log --columns all"
    return UsageError(f"no run has the metric {text.safe(metric)!r}, and its name tells no direction", hint=hint)


def refuse(verdict: Verdict) -> None:
    """Raise CheckFailed where a rule is not kept."""
    if not verdict.passed:
        named = ", ".join(dict.fromkeys(title(rule) for rule in verdict.failed))
        run, base = ids.short(verdict.run.id), verdict.baseline
        compared = base is not None and base.run.id != verdict.run.id
        look = f"diff {ids.short(base.run.id)} {run}" if base is not None and compared else f"show {run}"
        raise CheckFailed(
            f"{run} failed {len(verdict.failed)} of {len(verdict.rules)} checks: {named}", hint=f"gitexp {look}"
        )


def title(rule: Rule) -> str:
    """Return what a rule is about: `val_auc:max`, `code.dirty = false`."""
    return text.safe(rule.metric.title if rule.metric else rule.condition or rule.kind)


def _check(gate: Gate) -> None:
    if not gate.checked and not gate.require and not gate.conventions:
        raise UsageError("nothing to check", hint="gitexp check @ --metric val_auc --baseline main --max-drop 0.01")
    if (gate.max_drop or gate.max_drop_percent) and not gate.baseline:
        raise UsageError("a drop is one from a baseline, and none was given", hint="add: --baseline main")
    if gate.baseline and not gate.compared:
        raise UsageError("a baseline is compared by a metric, and none was given", hint="add: --metric val_auc")
    for condition in gate.require:
        parser.parse(condition)


def _metric(workspace: Workspace, given: str) -> Metric:
    name, aggregate = goals.split(given)
    goal = goals.of(workspace, name)
    return Metric(given, name, aggregate or goal.aggregate, goal)


def _baseline(workspace: Workspace, run: Run, metrics: Sequence[Metric], gate: Gate) -> tuple[Baseline | None, str]:
    """Return the baseline, or None and why there is none where that is allowed."""
    if not gate.baseline:
        return None, ""
    try:
        first = metrics[0]
        found = baselines.find(workspace, gate.baseline, (first.name, first.aggregate, first.goal), besides=run)
        for metric in metrics:
            value = find.value_of(found.run, metric.name, metric.aggregate)
            if value is None or is_nan(value):
                what = "no" if value is None else "only NaN for"
                raise baselines.missing(f"baseline {ids.short(found.run.id)} has {what} {text.safe(metric.name)!r}")
    except NotFound as error:
        if not gate.allow_missing_baseline:
            raise
        return None, error.message
    return found, ""


def _rules(gate: Gate, metric: Metric, run: Run, baseline: Baseline | None) -> Iterator[Rule]:
    """Yield the rules for one metric; a run without a number for it fails, whatever they are."""
    value = find.value_of(run, metric.name, metric.aggregate)
    if value is None or is_nan(value):
        yield Rule(NUMBER, False, value, metric)
        return
    least, most = _of(gate, gate.least, metric), _of(gate, gate.most, metric)
    drops = _drops(gate, metric, value, baseline) if baseline is not None else []
    yield from drops
    if least is not None:
        yield Rule(LEAST, value >= least, value, metric, limit=least)
    if most is not None:
        yield Rule(MOST, value <= most, value, metric, limit=most)
    if least is None and most is None and not drops:
        yield Rule(NUMBER, True, value, metric)


def _drops(gate: Gate, metric: Metric, value: int | float, baseline: Baseline) -> list[Rule]:
    """Return the rules on how much worse than the baseline a metric may be: not at all, if nothing is said."""
    base = find.value_of(baseline.run, metric.name, metric.aggregate)
    if base is None:
        return []
    percent, drop = _of(gate, gate.max_drop_percent, metric), _of(gate, gate.max_drop, metric)
    if drop is None and percent is None:
        drop = 0.0
    rules = []
    if drop is not None:
        rules.append(Rule(DROP, _keeps(metric.goal, value, base, drop), value, metric, base, drop))
    if percent is not None:
        allowed = abs(float_of(base)) * percent / 100
        rules.append(Rule(PERCENT, _keeps(metric.goal, value, base, allowed), value, metric, base, percent))
    return rules


def _keeps(goal: Goal, value: int | float, base: int | float, allowed: float) -> bool:
    """Say whether a value is at most `allowed` worse than the baseline's; rounding is no drop."""
    if value == base or goal.better(value, base):
        return True
    worse = abs(float_of(value) - float_of(base))
    return worse <= allowed + _ROUNDING * max(abs(float_of(value)), abs(float_of(base))) and math.isfinite(worse)


def _of(gate: Gate, limits: Sequence[Limit], metric: Metric) -> float | None:
    """Return the limit for a metric, the last of several: its own, else for one that --metric names that for all."""
    own = [limit.value for limit in limits if limit.metric == metric.given]
    every = [limit.value for limit in limits if not limit.metric and metric.given in gate.metrics]
    return own[-1] if own else every[-1] if every else None


def _required(workspace: Workspace, run: Run, gate: Gate) -> Iterator[Rule]:
    """Yield what became of each required condition, with what the run has of the values that it asks for."""
    index, context = database.of(workspace), goals.context(workspace)
    this = nodes.Compare("=", nodes.Field("id"), nodes.Literal(run.id))
    for condition in gate.require:
        node = parser.parse(condition)
        passed = search.count(index, nodes.All((this, node)), context=context) > 0
        held = terms.held(index, node, this, context).get(run.id, {})
        yield Rule(REQUIRE, passed, held, condition=condition)


def _unknown(workspace: Workspace, gate: Gate) -> Iterator[str]:
    """Yield a line for each name in a condition that no run has: likely a slip."""
    index, context = database.of(workspace), goals.context(workspace)
    for condition in gate.require:
        try:
            found = compiler.condition(parser.parse(condition), index.catalogue, context)
        except BadQuery as error:
            raise error.within(condition) from None
        yield from (f"{text.safe(condition)}: no run has {text.safe(name)}" for name in found.unknown)


def _leaks(
    workspace: Workspace, gate: Gate, metrics: Sequence[Metric], run: Run, baseline: Baseline | None
) -> Iterator[str]:
    judged = [run.id, *([baseline.run.id] if baseline is not None else [])]
    required = terms.metrics(database.of(workspace), tuple(parser.parse(condition) for condition in gate.require))
    for name in dict.fromkeys([*(metric.name for metric in metrics), *(item.name for item in required)]):
        if line := leakage.used(workspace, name, leakage.GATE, judged):
            yield line


def describe(verdict: Verdict) -> dict[str, Any]:
    """Return the JSON of a check (docs/scripting.md)."""
    base = verdict.baseline
    return {
        "passed": verdict.passed,
        "run": _run(verdict.run),
        "baseline": None if base is None else {**_run(base.run), "given": base.given, "from": base.how or None},
        "missing": verdict.missing or None,
        "checks": [_rule(rule) for rule in verdict.rules],
        "warnings": list(verdict.warnings),
    }


def _run(run: Run) -> dict[str, Any]:
    code = run.record.code
    return {
        "id": run.id,
        "name": run.name,
        "experiment": run.experiment,
        "status": run.status,
        "ref": run.ref or None,
        "commit": run.commit or None,
        "code": {"commit": code.get("commit"), "dirty": bool(code.get("dirty"))},
    }


def _rule(rule: Rule) -> dict[str, Any]:
    metric = rule.metric
    return {
        "kind": rule.kind,
        "metric": metric.name if metric else None,
        "aggregate": metric.aggregate if metric else None,
        "goal": (metric.goal.best or None) if metric else None,
        "goal_from": (metric.goal.why or None) if metric else None,
        "condition": rule.condition or None,
        "value": rule.value,
        "baseline": rule.baseline,
        "change": rule.change,
        "limit": rule.limit,
        "passed": rule.passed,
    }
