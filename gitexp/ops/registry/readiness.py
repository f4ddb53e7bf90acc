"""How ready a version is for stages: `gitexp model check`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gitexp import text
from gitexp.errors import CheckFailed, UsageError
from gitexp.ops.registry import gates
from gitexp.ops.registry.gates import Gate
from gitexp.record import rules as ruling
from gitexp.record.model import Model, Version
from gitexp.store import rulebook
from gitexp.store.rulebook import Rulebook
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Readiness:
    """The gates of one or more stages, as a version finds them now."""

    model: Model
    version: Version
    book: Rulebook
    stages: tuple[tuple[str, tuple[Gate, ...]], ...]

    @property
    def typed(self) -> str:
        """The version as it is typed: churn:3."""
        return f"{self.model.name}:{self.version.number}"

    @property
    def rules(self) -> str:
        """Where the rules are from, for people: `rules of origin/main at a3f91c2`."""
        if self.book.commit is None or self.book.branch is None:
            return "no rules: there is no branch to read them from"
        branch = text.safe(self.book.label)
        if self.book.rules == ruling.EMPTY:
            return f"{branch} has no rules; they would stand in its gitexp.toml, as [registry.stages.production]"
        return f"rules of {branch} at {self.book.commit[:7]}"

    @property
    def passed(self) -> bool:
        """Say whether all gates are met."""
        return not any(gates.unmet(found) for _, found in self.stages)


def judge(workspace: Workspace, model: Model, version: Version, stages: Sequence[str] = ()) -> Readiness:
    """Hold a version against stages, else against all that the rules name and it is not in.

    Raises UsageError where no stage is named anywhere.
    """
    book = rulebook.now(workspace)
    named = [name for name in book.rules.names(model.first) if name not in (version.stage, ruling.ARCHIVED)]
    wanted = [ruling.check_stage(stage) for stage in stages] or named
    if not wanted:
        known = book.rules.names(model.first)
        message = "the rules name no other stage" if known else "which stage? the rules name none"
        raise UsageError(message, hint=f"gitexp model check {model.name}:{version.number} production")
    act = gates.own(workspace)
    found = [(stage, gates.evaluate(workspace, model, version, stage, act=act, book=book)) for stage in wanted]
    return Readiness(model, version, book, tuple(found))


def refuse(found: Readiness) -> None:
    """Raise CheckFailed where a gate is not met."""
    if not found.passed:
        missing = {stage: [gate.name for gate in gates.unmet(own)] for stage, own in found.stages}
        shut = [f"{stage} ({', '.join(names)})" for stage, names in missing.items() if names]
        fixes = [gate.fix for _, own in found.stages for gate in gates.unmet(own) if gate.fix]
        hint = fixes[0] if fixes else f"gitexp model show {found.typed}"
        raise CheckFailed(f"{text.safe(found.typed)} may not enter {', '.join(shut)}", hint=hint)


def describe(found: Readiness) -> dict[str, Any]:
    """Return the JSON of a check (docs/scripting.md)."""
    return {
        "model": found.model.name,
        "version": found.version.number,
        "id": found.version.id,
        "stage": found.version.stage,
        "passed": found.passed,
        "rules": {"branch": found.book.branch, "commit": found.book.commit},
        "stages": [
            {"stage": stage, "passed": not gates.unmet(own), "gates": [gate.to_json() for gate in own]}
            for stage, own in found.stages
        ],
    }
