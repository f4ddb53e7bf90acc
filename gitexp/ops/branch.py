"""A branch at the exact code of a run; from a version of a model, with an experiment for what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

from gitexp import ids, text
from gitexp.errors import Conflict, NotFound, UsageError
from gitexp.git import branches, objects
from gitexp.ops import experiments
from gitexp.ops.finding import code
from gitexp.ops.registry import models, serve
from gitexp.record import model as folding
from gitexp.record import rules as ruling
from gitexp.record.model import Model, Version
from gitexp.store import experiments as known
from gitexp.store.experiments import Experiment
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch that was made; `whole` says that it has all the code that ran."""

    name: str
    commit: str
    base: str | None  # the user's own commit, where the branch is at a snapshot of edits on top of it
    subject: str
    switched: bool
    whole: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """A branch and an experiment that begin where a version of a model stands, the last that is known to be good."""

    branch: Branch
    run: Run
    model: Model
    version: Version
    experiment: Experiment

    @property
    def stage(self) -> str:
        """The stage that it is in, "" for none."""
        return "" if self.version.stage == ruling.NONE else self.version.stage

    @property
    def label(self) -> str:
        """The version as people see it, with the stage it is in: `churn:3, in production`."""
        where = f", in {text.safe(self.stage)}" if self.stage else ""
        return models.label(self.model, self.version) + where


def create(workspace: Workspace, run: Run, name: str | None = None, *, switch: bool = False) -> Branch:
    """Create a branch at RUN^; without `name` it is called like the run."""
    side = code.of(run)
    if side.revision is None:
        raise NotFound(
            f"run {ids.short(run.id)} has no code commit: it ran before the first one",
            hint=f"see what it kept: gitexp show {ids.short(run.id)}",
        )
    if not objects.exists(workspace.repo, side.revision):
        raise NotFound(
            f"the code of run {ids.short(run.id)}, commit {side.revision[:7]}, is not in this clone",
            hint="git fetch --unshallow   or: gitexp fetch",
        )
    if switch and workspace.repo.is_bare:
        raise UsageError("a bare repository has no files to switch", hint=f"gitexp branch {ids.short(run.id)}")
    name = branches.check(workspace.repo, name) if name is not None else _free_name(workspace, run)
    branches.create(workspace.repo, name, side.revision, switch=switch)
    subject = objects.read_commit(workspace.repo, side.revision).message.partition("\n")[0]
    base = side.commit if side.revision != side.commit else None
    return Branch(name, side.revision, base, text.safe(subject), switch, side.kept)


def open_from(
    workspace: Workspace, said: str, name: str | None = None, *, reason: str = "", switch: bool = False
) -> Opened:
    """Create a branch at the code of a version's run, and an experiment of the same name that says where it is from.

    Without `name` they are called like the model and what was asked of it: churn-production, churn-v3; a number follows
    where that is taken. Raises NotFound where there is no such version, or its run is not here, and Conflict for a
    `name` that is a branch or an experiment already.
    """
    model, version = models.version(workspace, said)
    run = serve.recorded(workspace, model, version)
    taken = {item.name for item in known.listing(workspace)}
    name = _free_pair(workspace, _base(model, version, said), taken) if name is None else ids.check_experiment(name)
    if name in taken:
        raise Conflict(f"there is an experiment {text.safe(name)!r} already", hint="give another name")
    made = create(workspace, run, name, switch=switch)
    opened = Opened(made, run, model, version, experiments.create(workspace, name, reason))
    origin = f"opened from {opened.label}: run {ids.short(run.id)} {run.experiment}/{run.name}, code {made.commit[:7]}"
    experiments.note(workspace, opened.experiment, origin)
    experiments.tag(workspace, opened.experiment, {"from": f"{model.name}:{version.id[:12]}"})
    return opened


def _base(model: Model, version: Version, said: str) -> str:
    """Return what a branch from a version is called: by the stage or alias that was asked for, else by its number."""
    before, _, place = said.partition("@")
    asked = place if place and ":" not in before and place.lower() != folding.LATEST else f"v{version.number}"
    return ids.slug(f"{model.name}-{asked}")


def _free_pair(workspace: Workspace, base: str, taken: set[str]) -> str:
    """Return the name, with a number where it is taken, that neither a branch nor an experiment has."""
    base = branches.check(workspace.repo, base)
    tried = (base if at == 1 else f"{base}-{at}" for at in count(1))
    return next(name for name in tried if name not in taken and not branches.exists(workspace.repo, name))


def describe(run: Run, made: Branch, opened: Opened | None = None) -> dict[str, Any]:
    """Return the JSON of a branch that was made (docs/scripting.md)."""
    return {
        "branch": made.name,
        "commit": made.commit,
        "base": made.base,
        "whole": made.whole,
        "switched": made.switched,
        "run": run.id,
        "experiment": None if opened is None else opened.experiment.name,
        "model": None if opened is None else opened.model.name,
        "version": None if opened is None else opened.version.number,
        "event": None if opened is None else opened.version.id,
        "stage": None if opened is None else opened.stage or None,
    }


def _free_name(workspace: Workspace, run: Run) -> str:
    """Return the run's own name as a branch, with its id where that name is taken."""
    name = branches.check(workspace.repo, ids.slug(run.name))
    return f"{name}-{ids.short(run.id)}" if branches.exists(workspace.repo, name) else name
