"""What gates judge: a version of a model as it stood, a stage, the rules, and who makes the transition when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gitexp.ops.registry.evidence import Evidence
from gitexp.record import event as events
from gitexp.record.model import Model, Version
from gitexp.record.rules import StageRules
from gitexp.store import rulebook
from gitexp.store.rulebook import Rulebook
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Act:
    """A transition that somebody would make, or made: who, when, how it is signed, and the proposal it names."""

    person: str
    at_ms: int
    signature: str = events.GOOD
    proposal: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Case:
    """What is judged: a version of a model as it stood, a stage, the rules, and the act."""

    workspace: Workspace
    model: Model
    version: Version
    stage: str
    book: Rulebook
    act: Act
    _kept: dict[str, Evidence] = field(default_factory=dict, repr=False)

    @cached_property
    def asked(self) -> StageRules:
        """What the rules ask of the stage."""
        return self.book.rules.stage(self.model.first, self.stage)

    @cached_property
    def reviewed(self) -> Workspace:
        """The workspace with the settings that were reviewed."""
        return rulebook.workspace_at(self.workspace, self.book.commit)

    def evidence(self, version: Version | None = None) -> Evidence:
        """Return what a version rests on; of this one without any."""
        wanted = version or self.version
        if wanted.id not in self._kept:
            self._kept[wanted.id] = Evidence(self.reviewed, wanted, self.act.at_ms)
        return self._kept[wanted.id]

    @property
    def typed(self) -> str:
        """The version as it is typed: churn:3."""
        return f"{self.model.name or self.model.first}:{self.version.number}"

    @property
    def rival(self) -> Version | None:
        """The version that an event must name in `from`: who holds the stage, or the stage it is compared with."""
        asked = self.asked
        stage = asked.better_than.stage if asked.better_than else self.stage if asked.exclusive else None
        return self.holder(stage) if stage else None

    @property
    def is_way_back(self) -> bool:
        """The version was in the stage before: what turned out to be worse must not close the way back to it."""
        return self.model.was_in(self.version, self.stage)

    def holder(self, stage: str) -> Version | None:
        """Return the other version that entered a stage last."""
        return next((item for item in self.model.holders(stage) if item.id != self.version.id), None)
