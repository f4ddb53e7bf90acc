"""A version into a stage: what it would do and which gates are in the way, then the event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitexp import text
from gitexp.errors import Refused
from gitexp.ops.registry import gates
from gitexp.ops.registry.gates import Gate
from gitexp.record import event as events
from gitexp.record import rules as ruling
from gitexp.record.model import Model, Version
from gitexp.store import models
from gitexp.store.models import Draft
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Plan:
    """A transition that could be made; `displaced` is what an exclusive stage gives up, `rival` what it must beat."""

    model: Model
    version: Version
    stage: str
    gates: tuple[Gate, ...]
    displaced: tuple[Version, ...]
    rival: Version | None
    proposal: Mapping[str, Any] | None = None

    @property
    def unmet(self) -> list[Gate]:
        """The gates that are not met."""
        return gates.unmet(self.gates)

    @property
    def done(self) -> bool:
        """The version is in that stage already."""
        return self.version.stage == self.stage

    @property
    def typed(self) -> str:
        """The version as it is typed: churn:3."""
        return f"{self.model.name}:{self.version.number}"


def plan(
    workspace: Workspace,
    model: Model,
    version: Version,
    stage: str,
    *,
    proposal: Mapping[str, Any] | None = None,
) -> Plan:
    """Say what moving a version into a stage would do; raises UsageError for a stage that cannot be called so."""
    case = gates.case(workspace, model, version, stage, act=gates.own(workspace, proposal))
    held = [item for item in model.holders(case.stage) if item.id != version.id]
    displaced = tuple(held) if case.asked.exclusive else ()
    return Plan(model, version, case.stage, gates.judge(case), displaced, case.rival, proposal)


def refuse(made: Plan) -> None:
    """Raise Refused where a gate is not met."""
    if made.unmet:
        named = "; ".join(f"{gate.name}: {gate.detail}" for gate in made.unmet)
        raise Refused(
            f"{text.safe(made.typed)} cannot enter {made.stage}: {named}",
            hint=f"gitexp model check {made.typed} {made.stage}",
        )


def execute(workspace: Workspace, made: Plan, *, note: str = "") -> Model:
    """Make a transition, with a note of the version where one is given, and return the model as it is then.

    One that is done already adds nothing. Raises Refused where a gate is not met, or where somebody else was first.
    """
    if made.done:
        return made.model
    refuse(made)
    drafts = [_draft(made)]
    if note:
        drafts.append(Draft(events.NOTE, f"note on {made.version.id[:7]}", made.version.id, {"text": note}))
    return models.append(workspace, made.model.first, drafts)


def _draft(made: Plan) -> Draft:
    word = "promote" if made.stage not in (ruling.NONE, ruling.ARCHIVED) else "move"
    arguments: dict[str, Any] = {
        "sha256": made.version.sha256,
        "stage": made.stage,
        "from": made.rival.id if made.rival else None,
        "checked": [gate.finding() for gate in made.gates],
        "proposal": dict(made.proposal) if made.proposal else None,
    }
    return Draft(events.TRANSITION, f"{word} {made.version.id[:7]} to {made.stage}", made.version.id, arguments)


def promote(
    workspace: Workspace,
    model: Model,
    version: Version,
    stage: str,
    *,
    note: str = "",
    proposal: Mapping[str, Any] | None = None,
) -> Model:
    """Move a version into a stage and return the model as it is then; raises Refused, naming every gate in the way."""
    return execute(workspace, plan(workspace, model, version, stage, proposal=proposal), note=note)
