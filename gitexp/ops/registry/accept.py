"""Merged proposals turned into the transitions that they ask for, each once."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gitexp import ids, text
from gitexp.errors import CheckFailed, GitexpError, NotFound
from gitexp.ops.registry import models as named
from gitexp.ops.registry import promote, proposals
from gitexp.ops.registry.proposals import Merged, Proposal
from gitexp.record.model import Model, Version
from gitexp.store import models, rulebook
from gitexp.store.rulebook import Rulebook
from gitexp.store.workspace import Workspace

ACCEPTED, READY, WAITING, USED = "accepted", "ready", "waiting", "used"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one merged file: accepted, ready (nothing was to be written), waiting (`why`), or used before."""

    path: str
    state: str
    model: str = ""
    version: int | None = None
    stage: str = ""
    event: str = ""
    why: str = ""
    fix: str = ""  # what can be typed where it waits

    @property
    def typed(self) -> str:
        """What it is about, for people: churn:3 to production."""
        return f"{self.model}:{self.version} to {self.stage}" if self.version is not None else self.path

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp model accept --json` prints of it."""
        return {
            "path": self.path,
            "state": self.state,
            "model": self.model or None,
            "version": self.version,
            "stage": self.stage or None,
            "event": self.event or None,
            "why": self.why or None,
        }


def run(workspace: Workspace, names: Sequence[str] = (), *, dry_run: bool = False) -> list[Outcome]:
    """Accept what was merged into the branch of the rules, of all models or of those named; returns what became of it.

    Raises NotFound where a model is named that no merged file is about.
    """
    book = rulebook.now(workspace)
    wanted = {models.get(workspace, name).first for name in names}
    found = list(proposals.merged(workspace, book))
    chosen = [item for item in found if not wanted or (item.proposal is not None and item.proposal.model in wanted)]
    if wanted and not chosen:
        raise NotFound(f"nothing was merged into {book.label} for {', '.join(names)}", hint="git fetch")
    known: dict[str, dict[str, str]] = {}
    return [_one(workspace, book, item, known, dry_run=dry_run) for item in chosen]


def _one(
    workspace: Workspace, book: Rulebook, item: Merged, known: dict[str, dict[str, str]], *, dry_run: bool
) -> Outcome:
    if item.proposal is None:
        return Outcome(item.path, WAITING, why=item.why, fix=f"git rm {shlex.quote(item.path)}")
    said = item.proposal
    try:
        model, version = _meant(workspace, said)
        if said.model not in known:
            known[said.model] = proposals.used(workspace, model)
        outcome = Outcome(item.path, USED, model.name, version.number, said.stage, known[said.model].get(item.blob, ""))
        if outcome.event:
            return outcome
        return _accept(workspace, book, item, (model, version), dry_run=dry_run)
    except GitexpError as error:
        return Outcome(item.path, WAITING, said.model, stage=said.stage, why=error.message, fix=error.hint)


def _meant(workspace: Workspace, said: Proposal) -> tuple[Model, Version]:
    if ids.model_ref(said.model) not in models.listing(workspace):
        raise NotFound(f"model {text.safe(said.model)!r} is not in this clone", hint="gitexp fetch")
    model = models.get(workspace, said.model)
    version = model.versions.get(said.version)
    if version is None:
        raise NotFound(f"no version {said.version[:7]} of {text.safe(model.name)} is here", hint="gitexp fetch")
    return model, version


def _accept(
    workspace: Workspace, book: Rulebook, item: Merged, about: tuple[Model, Version], *, dry_run: bool
) -> Outcome:
    model, version = about
    stage = item.proposal.stage if item.proposal else ""
    plan = promote.plan(workspace, model, version, stage, proposal=proposals.named(workspace, book, item))
    state, event, why = READY, "", "; ".join(f"{gate.name}: {gate.detail}" for gate in plan.unmet)
    if plan.done:
        state, why = WAITING, f"it is in {stage} already"
    elif why:
        state = WAITING
    elif not dry_run:
        state, event = ACCEPTED, promote.execute(workspace, plan).passages[-1].id
    fix = f"gitexp model check {named.label(model, version)} {stage}" if state == WAITING else ""
    return Outcome(item.path, state, model.name, version.number, stage, event, why, fix)


def refuse(found: Sequence[Outcome]) -> None:
    """Raise CheckFailed where something that was merged could not be accepted."""
    held = [item for item in found if item.state == WAITING]
    if held:
        more = f" and {len(held) - 1} more" if len(held) > 1 else ""
        raise CheckFailed(
            f"{text.safe(held[0].typed)} was merged{more}, and not accepted: {held[0].why}",
            hint=held[0].fix,
        )
