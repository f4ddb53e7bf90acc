"""One run in full: its record, what was said of it since, where its bytes are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gitexp.index import database, names, search
from gitexp.ops.finding import code, find
from gitexp.ops.registry import models
from gitexp.record.facts import State
from gitexp.record.model import Model, Version
from gitexp.store import annotations as annotated
from gitexp.store import remotes
from gitexp.store.live import LiveRun
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Page:
    """What there is to show of a run: `subject` is that of its code commit, `children` are runs started in it."""

    run: Run
    state: State
    experiment: str  # what it is called now
    subject: str
    children: tuple[Run, ...]
    held_by: tuple[str, ...]  # remotes known to hold the run as it is
    has_remotes: bool
    versions: tuple[tuple[Model, Version], ...] = ()  # of models, that are artifacts of this run


def page(workspace: Workspace, run: Run) -> Page:
    """Gather what there is to show of a run."""
    holdings = remotes.holdings(workspace) if run.ref else {}
    return Page(
        run,
        annotated.state(workspace, run),
        found.experiment if (found := search.get(database.of(workspace), run.id)) else run.experiment,
        code.subject(workspace, str(run.record.code.get("commit") or "")),
        _children(workspace, run),
        tuple(sorted(name for name, held in holdings.items() if held.get(str(run.ref)) == run.commit)),
        workspace.repo.has_remotes,
        tuple(models.of_run(workspace, run.id)),
    )


def describe(workspace: Workspace, found: Page) -> dict[str, Any]:
    """Return the JSON of a run in full: that of lists, the environment, and where the bytes are."""
    run = found.run
    value = find.describe(run, found.state, experiment=found.experiment)
    value["artifacts"] = [
        {**item, "here": run.is_here(artifact)}
        for item, artifact in zip(value["artifacts"], run.artifacts, strict=True)
    ]
    value |= {"environment": run.environment, "pushed": list(found.held_by), "subject": found.subject}
    value["children"] = [child.id for child in found.children]
    value["models"] = [
        {"model": model.name, "version": version.number, "stage": version.stage, "artifact": version.artifact}
        for model, version in found.versions
    ]
    if isinstance(run, LiveRun):
        value |= {"alive": run.alive, "pid": run.pid, "last_sign_ms": run.last_sign_ms}
    return value


def _children(workspace: Workspace, run: Run) -> tuple[Run, ...]:
    """Return the runs whose parent this is, in any experiment, oldest first."""
    return tuple(find.load(workspace, place) for place in names.children(database.of(workspace), run.id))
