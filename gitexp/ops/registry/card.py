"""All there is to tell of a model, or of one version: what it is, how it stands for each stage, what was done to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitexp.errors import GitexpError
from gitexp.ops.finding import using
from gitexp.ops.registry import chronicle, serve
from gitexp.ops.registry import models as named
from gitexp.ops.registry.chronicle import Item
from gitexp.ops.registry.models import Known
from gitexp.record import model as folding
from gitexp.record import rules as ruling
from gitexp.record.model import Standing, Version
from gitexp.record.rules import Rules
from gitexp.store import rulebook
from gitexp.store.workspace import Workspace

HERE, ELSEWHERE, NO_RUN = "here", "not here", "its run is not here"


@dataclass(frozen=True, slots=True)
class Card:
    """A model, or a version of it, with what this clone knows; `where` says whether the version's bytes are here."""

    known: Known
    version: Version | None
    history: tuple[Item, ...]
    rules: Rules
    branch: str  # where the rules are from, for people: origin/main
    standings: Mapping[str, Standing] = field(default_factory=dict)  # of each stage that asks for approvals
    where: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp model show --json` prints."""
        history = [item.to_json() for item in self.history]
        if self.version is None:
            rows = [named.describe_version(self.known, item) for item in named.versions(self.known.model, removed=True)]
            return {**named.describe(self.known), "all_versions": rows, "history": history}
        standings = {
            stage: {
                "needed": self.rules.stage(self.known.model.first, stage).approvals,
                "approved": list(found.approved),
                "rejected": list(found.rejected),
                "ignored": dict(found.ignored),
            }
            for stage, found in self.standings.items()
        }
        described = named.describe_version(self.known, self.version)
        return {**described, "approvals": standings, "here": self.where == HERE, "history": history}


def of(workspace: Workspace, said: str) -> Card:
    """Return the card of what a text names; removed ones too."""
    model, version = named.find(workspace, said, removed=True)
    known, book = named.known(workspace, model), rulebook.now(workspace)
    history = tuple(chronicle.of(workspace, known, version))
    if version is None:
        return Card(known, None, history, book.rules, book.label)
    asked = {stage: book.rules.stage(model.first, stage) for stage in book.rules.names(model.first)}
    standings = {
        stage: folding.standing(version, stage, rule, book.rules)
        for stage, rule in asked.items()
        if rule.approvals and stage not in (version.stage, ruling.NONE)
    }
    return Card(known, version, history, book.rules, book.label, standings, where(workspace, version))


def where(workspace: Workspace, version: Version) -> str:
    """Say whether the bytes of a version are in this clone."""
    run = serve.run_of(workspace, version)
    if run is None:
        return NO_RUN
    try:
        found = using.of_run(run, version.artifact.rstrip("/"), version.artifact)
    except GitexpError:
        return ELSEWHERE
    return HERE if all(run.is_here(item) for item in found.items) else ELSEWHERE
