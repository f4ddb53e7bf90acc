"""Where the runs of a clone are: what refs and journals say before any record is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gitexp import ids
from gitexp.git import objects
from gitexp.store import annotations, live, reflog, runs
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

_LEAF = re.compile(r"(.*)-([k-z]{7})")


@dataclass(frozen=True, slots=True)
class Place:
    """A run by its ref, or by its journal while it is running."""

    id: str  # seven letters of a stored run, all sixteen of a live one
    path: str  # of the experiment
    slug: str
    ref: str = ""
    commit: str = ""
    live: Run | None = None

    @property
    def name(self) -> str:
        """The name that can be typed: experiment/name."""
        return f"{self.path}/{self.slug}"


def listing(workspace: Workspace) -> list[Place]:
    """Return all runs of this clone, removed ones too: live ones, then by ref."""
    found = [
        Place(run.id, ids.experiment_slug(run.experiment), ids.slug(run.name), live=run)
        for run in live.listing(workspace)
    ]
    for ref, commit in runs.listing(workspace).items():
        path, _, leaf = ref.removeprefix(runs.REF_PREFIX).rpartition("/")
        if path and (match := _LEAF.fullmatch(leaf)):
            found.append(Place(match[2], path, match[1], ref, commit))
    return found


def load(workspace: Workspace, place: Place) -> Run:
    """Return the run at a place."""
    return place.live if place.live is not None else runs.load(workspace, place.commit, place.ref)


def start_ms(workspace: Workspace, place: Place) -> int:
    """Return when the run at a place began; reads its commit, not its record."""
    if place.live is not None:
        return place.live.record.start_ms
    head = runs.head(workspace, place.ref, place.commit)
    return head.start_ms if head is not None else 0


def by_age(workspace: Workspace, found: Iterable[Place]) -> list[Place]:
    """Return places by the start of their runs, the newest first."""
    return sorted(found, key=lambda place: (start_ms(workspace, place), place.id), reverse=True)


def recent(workspace: Workspace) -> Iterator[Run]:
    """Yield the runs recorded in this clone, live ones too, the newest start first: what `@`, `@~1` … count."""
    own = reflog.recorded(workspace)
    here = [place for place in listing(workspace) if place.live is not None or place.ref in own]
    for place in by_age(workspace, here):
        run = load(workspace, place)
        if not annotations.state(workspace, run).removed:
            yield run


def current_experiment(workspace: Workspace) -> str:
    """Return the path of the experiment that reading commands mean when none is named.

    The one that is set; else the one called like the branch, where it has runs; else that of the newest run here,
    or, in a clone that has recorded none, of the newest run.
    """
    known = listing(workspace)
    chosen = ids.experiment_slug(workspaces.default_experiment(workspace))
    if workspace.settings.text("experiment") or not known:
        return chosen
    if chosen != ids.DEFAULT_EXPERIMENT and any(place.path == chosen for place in known):
        return chosen
    newest = next(recent(workspace), None)
    if newest is not None:
        return path_of(newest)
    return by_age(workspace, known)[0].path


def path_of(run: Run) -> str:
    """Return the path of a run's experiment: fixed at creation, whatever it is called now."""
    if run.ref:
        return run.ref.removeprefix(runs.REF_PREFIX).rpartition("/")[0]
    return ids.experiment_slug(run.experiment)


def by_code(workspace: Workspace, commit: str) -> list[Place]:
    """Return the runs whose code is `commit`: as it is, or with uncommitted edits on top."""
    return [place for place in listing(workspace) if commit in codes(workspace, place)]


def codes(workspace: Workspace, place: Place) -> tuple[str, ...]:
    """Return the commits of a run's code: the snapshot of its edits, if any, and the user's own commit."""
    if place.live is not None:
        code = place.live.record.code
        return tuple(sha for sha in (code.get("snapshot"), code.get("commit")) if sha)
    head = runs.head(workspace, place.ref, place.commit)
    if head is None or not head.parents:
        return ()
    first = head.parents[0]
    return (first, *objects.read_commit(workspace.repo, first).parents[:1]) if head.dirty else (first,)


def experiment_paths(workspace: Workspace) -> list[str]:
    """Return the paths of all experiments that have runs."""
    return sorted({place.path for place in listing(workspace)})
