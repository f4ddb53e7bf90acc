"""The gates of a stage: for each rule whether a version meets it, and what is missing (docs/registry.md, "Rules").

The fold decides what the chain alone can tell; here the same is said gate by gate, with what only the run can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitexp import clock, ids, text
from gitexp.errors import GitexpError
from gitexp.ops.finding import goals, terms
from gitexp.ops.registry import proposals
from gitexp.ops.registry.cases import Act, Case
from gitexp.record import event as events
from gitexp.record import model as folding
from gitexp.record import rules as ruling
from gitexp.record.event import Logged
from gitexp.record.model import Model, Version
from gitexp.record.rules import StageRules
from gitexp.store import rulebook, signers
from gitexp.store import workspace as workspaces
from gitexp.store.rulebook import Rulebook
from gitexp.store.workspace import Workspace

MAX_DETAIL = 500  # characters of one finding that an event keeps
_ROUNDING = 1e-9  # of the values: 0.942 - 0.94 is a little more than 0.002
_FREE = (ruling.NONE, ruling.ARCHIVED)  # stages that need no rules


@dataclass(frozen=True, slots=True)
class Gate:
    """One rule: whether it is met, what was found, and what can be typed where it is not."""

    name: str
    met: bool
    detail: str
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp model check --json` prints of it."""
        return {"gate": self.name, "met": self.met, "detail": self.detail, "fix": self.fix or None}

    def finding(self) -> dict[str, Any]:
        """Return what a transition keeps of it."""
        return {"gate": self.name, "met": self.met, "detail": self.detail[:MAX_DETAIL]}


def own(workspace: Workspace, proposal: Mapping[str, Any] | None = None) -> Act:
    """Return what a transition made here and now would be."""
    now_ms = clock.now_ms()
    found = signers.expected(workspace, now_ms // 1000)
    person = found.person if found.status == events.GOOD and found.person else workspaces.user(workspace)["email"]
    return Act(person, now_ms, found.status, proposal=proposal)


def of_event(entry: Logged) -> Act:
    """Return what a transition was that stands in a chain."""
    proposal = entry.event.arguments.get("proposal")
    return Act(
        entry.person,
        entry.event.time_ms,
        entry.signer.status,
        proposal=proposal if isinstance(proposal, dict) else None,
    )


def evaluate(
    workspace: Workspace,
    model: Model,
    version: Version,
    stage: str,
    *,
    act: Act | None = None,
    book: Rulebook | None = None,
) -> tuple[Gate, ...]:
    """Return each gate of a stage as a version finds it: now and by whoever works here, if nothing else is said.

    `model` is as it stood before the act. Raises UsageError for a stage that cannot be called so, or rules that
    cannot be read.
    """
    return judge(case(workspace, model, version, stage, act=act, book=book))


def case(
    workspace: Workspace,
    model: Model,
    version: Version,
    stage: str,
    *,
    act: Act | None = None,
    book: Rulebook | None = None,
) -> Case:
    """Return what `judge` judges."""
    return Case(
        workspace, model, version, ruling.check_stage(stage), book or rulebook.now(workspace), act or own(workspace)
    )


def judge(found: Case) -> tuple[Gate, ...]:
    """Return the gates of a case in their order; those that the rules do not ask for are left out."""
    gates = []
    for check in _CHECKS:
        try:
            gate = check(found)
        except GitexpError as error:  # what cannot be told stands closed
            gate = Gate(check.__name__.strip("_"), False, error.message, error.hint)
        if gate is not None:
            gates.append(gate)
    return tuple(gates)


def unmet(gates: Sequence[Gate]) -> list[Gate]:
    """Return the gates that are not met."""
    return [gate for gate in gates if not gate.met]


def of_transition(workspace: Workspace, before: Model, entry: Logged) -> tuple[Gate, ...]:
    """Return the gates of a transition that stands in a chain, as they were for it, by the rules that it names."""
    version = before.versions.get(entry.event.version or "")
    if version is None:
        return (Gate("version", False, "no such version"),)
    commit = entry.event.rules
    book = Rulebook(rulebook.at(workspace, commit), commit, rulebook.find_branch(workspace))
    stage = str(entry.event.arguments.get("stage", ""))
    return evaluate(workspace, before, version, stage, act=of_event(entry), book=book)


def _stage(case: Case) -> Gate | None:
    named = case.book.rules.names(case.model.first)
    if not named or case.stage in (*named, *_FREE):
        return None
    return Gate("stage", False, f"the rules know no stage {case.stage!r}: {', '.join(named)}", "gitexp model check")


def _version(case: Case) -> Gate | None:
    if case.version.removed is not None:
        return Gate("version", False, "it was removed", f"gitexp model undelete {case.typed}")
    if case.version.deprecated is not None and case.stage not in _FREE:
        return Gate("version", False, f"it is deprecated: {text.safe(case.version.deprecated.text)}")
    return None


def _artifact(case: Case) -> Gate | None:
    if case.stage in _FREE or not case.version.run:
        return None
    fault = case.evidence().fault
    detail = fault or f"{text.safe(case.version.artifact)} of run {ids.short(case.version.run)} is what was registered"
    return Gate("artifact", not fault, detail, "gitexp fetch" if fault else "")


def _promoters(case: Case) -> Gate | None:
    wanted = {case.stage: case.asked, case.version.stage: _left(case)}
    asked = {stage: rules for stage, rules in wanted.items() if rules.promoters}
    if not asked:
        return None
    for stage, rules in asked.items():
        allowed = case.book.rules.people(rules.promoters)
        if case.act.person.lower() not in allowed:
            where = stage if stage == case.stage else f"{stage}, where it is"
            detail = f"{text.safe(case.act.person)} is not among the promoters of {where}"
            return Gate("promoters", False, detail, f"ask {', '.join(sorted(allowed)) or 'who may change the rules'}")
    return Gate("promoters", True, text.safe(case.act.person))


def _left(case: Case) -> StageRules:
    return case.book.rules.stage(case.model.first, case.version.stage)


def _signed(case: Case) -> Gate | None:
    left = _left(case)
    if not case.asked.signed and not (left.promoters and left.signed):
        return None
    if case.act.signature != events.GOOD:
        fix = "gitexp keys setup" if case.act.signature == events.UNSIGNED else "gitexp keys check"
        return Gate("signed", False, f"the transition: {signature(case.act.signature)}", fix)
    if case.asked.signed and not case.version.signed:
        run, name = ids.short(case.version.run) or "RUN", case.model.name or case.model.first
        fix = f"gitexp model register {run} {name} --again"
        return Gate("signed", False, "the registration of the version has no good signature", fix)
    return Gate("signed", True, "registration and transition")


def signature(status: str) -> str:
    """Return what a status of a signature means to people."""
    return _SIGNATURES.get(status, status)


_SIGNATURES = {
    events.UNSIGNED: "no signature",
    events.BAD: "a signature that does not fit",
    events.UNKNOWN: "a key that is nobody's here",
    events.EXPIRED: "a key out of its dates",
    events.REVOKED: "a revoked key",
    events.UNCHECKED: "a signature that cannot be checked here",
}


def _approvals(case: Case) -> Gate | None:
    asked = case.asked
    if not asked.approvals and not asked.approvers:
        return None
    found = folding.standing(case.version, case.stage, asked, case.book.rules)
    # Who registers a version says who made its run, and could say anything: the run itself knows.
    makers = case.evidence().makers if asked.not_by_author and case.version.run else frozenset[str]()
    approved = [who for who in found.approved if who not in makers]
    unheard = {**found.ignored, **{who: "made its run" for who in found.approved if who in makers}}
    not_heard = "; ".join(f"{who}: {why}" for who, why in unheard.items())
    more = f" (not counted: {not_heard})" if not_heard else ""
    if found.rejected:
        return Gate("approvals", False, text.safe(f"rejected by {', '.join(found.rejected)}{more}"))
    named = f" by {', '.join(approved)}" if approved else ""
    detail = text.safe(f"{len(approved)} of {asked.approvals}{named}{more}")
    met = len(approved) >= asked.approvals
    return Gate("approvals", met, detail, "" if met else f"gitexp model request {case.typed} {case.stage}")


def _way_back(case: Case, name: str) -> Gate:
    """Return the gate of a rule that is not asked of a version again."""
    return Gate(name, True, f"it was in {case.stage} before")


def _after(case: Case) -> Gate | None:
    asked = case.asked.after
    if not asked:
        return None
    if case.is_way_back:
        return _way_back(case, "after")
    met = case.version.stage in asked
    where = " or ".join(asked)
    detail = f"it is in {case.version.stage}" + ("" if met else f", not in {where}")
    return Gate("after", met, detail, "" if met else f"gitexp model stage {case.typed} {asked[0]}")


def _require(case: Case) -> Gate | None:
    if not case.asked.require:
        return None
    met, held = case.evidence().fits(case.asked.require)
    values = ", ".join(f"{name} {terms.shown(name, value)}" for name, value in held.items())
    return Gate("require", met, text.safe(f"{case.asked.require} ({values})" if values else case.asked.require))


def _better_than(case: Case) -> Gate | None:
    better = case.asked.better_than
    if better is None:
        return None
    if case.is_way_back:
        return _way_back(case, "better_than")
    rival = case.holder(better.stage)
    if rival is None:
        return Gate("better_than", True, f"no other version is in {better.stage}")
    name = better.metric or case.reviewed.settings.text("metric")
    goal = goals.of(case.reviewed, goals.split(name)[0])
    if not name or not goal.best:
        why = f"whether more or less of {name!r} is better is not known" if name else "no metric is named"
        hint = f'in the rules\' file: maximize = ["{name or "val_auc"}"]'
        return Gate("better_than", False, text.safe(why), hint)
    value, base = case.evidence().metric(name), case.evidence(rival).metric(name)
    if value is None:
        return Gate("better_than", False, text.safe(f"the run has no number for {name}"))
    if base is None:
        return Gate("better_than", True, text.safe(f"version {rival.number} has no number for {name}"))
    gain = (value - base) * (1 if goal.best == "max" else -1)
    met = gain > better.margin + _ROUNDING * max(abs(value), abs(base))
    margin = f", by more than {better.margin:g}" if better.margin else ""
    beside = f"{text.number(value)} beside {text.number(base)} of version {rival.number} in {better.stage}"
    return Gate("better_than", met, text.safe(f"{name}: {beside} ({goal.words}{margin})"))


def _max_age(case: Case) -> Gate | None:
    if case.asked.max_age_ms is None:
        return None
    if case.is_way_back:
        return _way_back(case, "max_age")
    record = case.evidence().run.record
    ended = record.end_ms if record.end_ms is not None else record.start_ms
    age = text.age(ended, case.act.at_ms)
    met = case.act.at_ms - ended <= case.asked.max_age_ms
    return Gate("max_age", met, f"its run ended {age} ago, of {text.age(0, case.asked.max_age_ms)} that it may")


def _tags(case: Case) -> Gate | None:
    asked = case.asked.tags
    if not asked:
        return None
    has = dict(case.version.tags)
    if not all(_is_tagged(has, word) for word in asked) and case.version.run:
        has = {**case.evidence().tags, **has}
    missing = [word for word in asked if not _is_tagged(has, word)]
    detail = f"missing: {', '.join(missing)}" if missing else ", ".join(asked)
    return Gate(
        "tags", not missing, text.safe(detail), f"gitexp model tag {case.typed} {missing[0]}" if missing else ""
    )


def _is_tagged(tags: Mapping[str, str], word: str) -> bool:
    key, equals, value = word.partition("=")
    return key in tags and (not equals or tags[key] == value)


def _notes(case: Case) -> Gate | None:
    asked, count = case.asked.notes, len(case.version.notes)
    if not asked:
        return None
    fix = "" if count >= asked else f'gitexp model note {case.typed} "…"'
    return Gate("notes", count >= asked, f"{count} of {asked}", fix)


def _merged(case: Case) -> Gate | None:
    if case.act.proposal is not None:
        fault = proposals.fault(case)
        return Gate(
            "merged", not fault, fault or str(case.act.proposal["path"]), "gitexp model accept" if fault else ""
        )
    if not case.asked.merged:
        return None
    waiting = proposals.waiting(case)
    if waiting is not None:
        return Gate("merged", False, f"{waiting.path} is merged, and not accepted yet", "gitexp model accept")
    return Gate("merged", False, "no proposal of it is merged", f"gitexp model propose {case.typed} {case.stage}")


def _exclusive(case: Case) -> Gate | None:
    if not case.asked.exclusive:
        return None
    holder = case.holder(case.stage)
    return Gate(
        "exclusive", True, f"version {holder.number} goes to archived" if holder else "no other version is in it"
    )


_CHECKS: tuple[Callable[[Case], Gate | None], ...] = (
    _stage,
    _version,
    _artifact,
    _promoters,
    _signed,
    _approvals,
    _after,
    _require,
    _better_than,
    _max_age,
    _tags,
    _notes,
    _merged,
    _exclusive,
)
