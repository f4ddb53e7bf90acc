"""Runs held against the conventions of their experiment: at their start, at their end, and any time after."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gitexp import clock, redact, text
from gitexp.errors import Refused
from gitexp.ops.comparing import aliases, conventions
from gitexp.ops.comparing.conventions import END, NAME, PARAM, TAG, Conventions, Rule
from gitexp.record import params as nested
from gitexp.record.facts import EMPTY
from gitexp.record.run import RunRecord
from gitexp.store import annotations as facts
from gitexp.store import events, runs, seal
from gitexp.store.journal import Start
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

_OFF, _REFUSE = "off", "refuse"
_COMMAND_WIDTH = 60
_SEED = "seed"  # of `gitexp run --seed` and `start_run(seed=…)`, which is no param
_LISTED = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """What of a run conventions are about; `command` is that of `gitexp run`, empty where a script began it itself."""

    experiment: str
    name: str
    tags: Mapping[str, str]
    params: Mapping[str, Any]
    seeds: Mapping[str, Any] = field(default_factory=dict)
    command: Sequence[str] = ()

    @property
    def title(self) -> str:
        """How messages call it."""
        return text.safe(f"{self.experiment}/{self.name}")


@dataclass(frozen=True, slots=True)
class Violation:
    """One requirement that a run does not keep, and how."""

    rule: Rule
    value: str  # as it is shown; "missing"
    missing: bool = False

    @property
    def text(self) -> str:
        """How the run is: `is missing (adam or sgd)`, `is 5.0, not between 1e-5 and 0.1`."""
        wanted = text.safe(self.rule.wanted)
        if self.missing:
            return f"is {self.value} ({wanted})" if wanted else f"is {self.value}"
        return f"is {self.value}, not {wanted}"

    @property
    def line(self) -> str:
        """It in words: `param lr is 5.0, not between 1e-5 and 0.1`."""
        return f"{self.rule.what} {self.text}"

    def to_json(self) -> dict[str, str]:
        """Return the object that stands in run.json."""
        return {"what": self.rule.what, "text": self.text, "table": self.rule.table}


def summary(violations: Sequence[Mapping[str, str]]) -> str:
    """Return what a run's record says it did not keep, in one sentence, "" for nothing."""
    told = [line(item) for item in violations[:_LISTED]]
    told += [f"{len(violations) - _LISTED} more"] if len(violations) > _LISTED else []
    return f" Conventions not kept: {'; '.join(told)}." if told else ""


def line(violation: Mapping[str, str]) -> str:
    """Return one of a record's violations in words."""
    return text.safe(f"{violation.get('what', '')} {violation.get('text', '')}")


def at_start(workspace: Workspace, subject: Subject, *, later: bool = False) -> tuple[tuple[Violation, ...], str]:
    """Return what a run that begins does not keep, and what there is to say; raises Refused where that forbids it.

    `later`: tags and params of this run come after its start, so that none is missing yet.
    """
    conventions.check_file(workspace)
    found = _of(workspace, subject.experiment)
    if found is None:
        return (), ""
    violations = [item for item in judge(workspace, found, subject) if not (item.missing and (later or _waits(item)))]
    if not violations:
        return (), ""
    told = [f"  {item.line}{_again(found, item)}" for item in violations]
    kept = f"the conventions of {text.safe(found.experiment)} ({', '.join(found.tables)} in {found.file})"
    if found.refuses and workspace.settings.choice("conventions") == _REFUSE:
        head = f"run refused: {subject.title} does not keep {kept}"
        raise Refused("\n".join([head, *told]), hint=_hint(found, subject, violations))
    head = f"gitexp: warning: {subject.title} does not keep {kept}"
    return tuple(violations), "\n".join([head, *told, f"  type: {_typed(subject, violations)}"])


def _of(workspace: Workspace, experiment: str) -> Conventions | None:
    return None if workspace.settings.choice("conventions") == _OFF else conventions.of(workspace, experiment)


def at_end(workspace: Workspace, subject: Subject) -> tuple[Violation, ...] | None:
    """Return what a run that ends does not keep; None where its experiment has no conventions."""
    found = _of(workspace, subject.experiment)
    return None if found is None else judge(workspace, found, subject)


def begun(workspace: Workspace, record: RunRecord, params: Mapping[str, Any], previous: Run | None) -> Subject:
    """Return what is known of a run that is about to begin; one that goes on keeps its name, tags and params."""
    if previous is None:
        return Subject(record.experiment, record.name, record.tags, params, record.seeds)
    before = previous.record
    tags = {**facts.state(workspace, previous).tags_over(before.tags), **record.tags}
    seeds = {**before.seeds, **record.seeds}
    return Subject(before.experiment, before.name, tags, nested.merge(previous.params, params), seeds)


def running(workspace: Workspace, folder: Path, start: Start) -> Subject:
    """Return what is known of a run whose journal this is, by now; tags that were said as facts too."""
    total = events.of(folder)
    record = seal.renamed(workspace, start, total.renamed).record
    previous = None if start.previous is None else runs.load(workspace, start.previous, start.ref)
    found = begun(workspace, record, total.merged_params, previous)
    said = facts.states(workspace).get(record.id, EMPTY)
    tags = said.tags_over(total.tags_over(found.tags))
    return replace(found, tags=tags, seeds={**found.seeds, **total.seeds})


def stored(workspace: Workspace, run: Run) -> Subject:
    """Return what is known of a run that has ended."""
    record, tags = run.record, facts.state(workspace, run).tags_over(run.record.tags)
    return Subject(record.experiment, record.name, tags, run.params, record.seeds)


def judge(workspace: Workspace, found: Conventions, subject: Subject) -> tuple[Violation, ...]:
    """Return what a run does not keep, in the order of the rules."""
    flat = nested.flatten(subject.params)
    if subject.seeds:
        flat.setdefault(_SEED, next(iter(subject.seeds.values())))
    asked = [rule for rule in found.rules if rule.kind == PARAM]
    names = {rule.key: _present(workspace, flat, rule.key) for rule in asked}
    values = {key: flat[name] for key, name in names.items() if name is not None}
    wrong = _wrong(workspace, values, asked)
    violations = []
    for rule in found.rules:
        if rule.kind == PARAM:
            value, is_bad = values.get(rule.key), rule in wrong
            is_missing = rule.key not in values
        else:
            value = subject.name if rule.kind == NAME else subject.tags.get(rule.key)
            is_missing = value is None
            is_bad = value is not None and not rule.fits(value)
        if is_missing:
            violations.append(Violation(rule, "missing", missing=True))
        elif is_bad:
            violations.append(Violation(rule, repr(value) if isinstance(value, str) else text.value(value)))
    return tuple(violations)


def _present(workspace: Workspace, flat: Mapping[str, Any], key: str) -> str | None:
    """Return the name under which a run has a param: its own, or one that gitexp.aliases says is the same."""
    if key in flat:
        return key
    others = [name for group in aliases.groups(workspace) if key in group.names for name in group.names]
    return next((name for name in others if name in flat), None)


def _wrong(workspace: Workspace, values: Mapping[str, Any], asked: Sequence[Rule]) -> list[Rule]:
    """Return the rules on params whose condition is not true."""
    tried = [rule for rule in asked if rule.condition is not None and rule.key in values]
    if not tried:
        return []
    from gitexp.index import trial  # and SQLite: a run without conditions does without
    from gitexp.index.compile import Context

    context = Context(clock.now_ms(), lambda metric: "last")
    true = trial.holds(workspace, nested.unflatten(values), [r.condition for r in tried if r.condition], context)
    return [rule for rule, is_true in zip(tried, true, strict=True) if not is_true]


def _waits(violation: Violation) -> bool:
    return violation.rule.at == END


def _again(found: Conventions, violation: Violation) -> str:
    return "; it is looked for again at the end" if violation.missing and not found.refuses else ""


def _hint(found: Conventions, subject: Subject, violations: Sequence[Violation]) -> str:
    lines = [_typed(subject, violations)]
    late = [item.rule for item in violations if item.missing and item.rule.kind == PARAM]
    if late:
        keys = ", ".join(f'"{text.safe(rule.key)}"' for rule in late)
        lines.append(f"or, for what the script logs later, in {found.file}: {late[0].table}  params_at_end = [{keys}]")
    return "\n".join(lines)


def _typed(subject: Subject, violations: Sequence[Violation]) -> str:
    """Return what to type to keep them."""
    kinds = {kind: [item.rule for item in violations if item.rule.kind == kind] for kind in (NAME, TAG, PARAM)}
    if subject.command:
        words = ["gitexp run …", *(["--name NAME"] if kinds[NAME] else [])]
        words += [f"-t {text.safe(rule.key)}=VALUE" for rule in kinds[TAG]]
        words += ["--seed N"] if any(rule.key == _SEED for rule in kinds[PARAM]) else []
        command = text.safe(shlex.join(redact.command(list(subject.command))))
        words += ["--", text.shorten(command, _COMMAND_WIDTH)]
        return " ".join(words + [f"--{text.safe(rule.key)} VALUE" for rule in kinds[PARAM] if rule.key != _SEED])
    given = ['name="…"'] if kinds[NAME] else []
    for argument, kind, value in (("tags", TAG, '"…"'), ("params", PARAM, "…")):
        if kinds[kind]:
            inner = ", ".join(f'"{text.safe(rule.key)}": {value}' for rule in kinds[kind])
            given.append(f"{argument}={{{inner}}}")
    return f"gitexp.start_run({', '.join([repr(subject.experiment), *given])})"
