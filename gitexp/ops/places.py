"""Where the runs of a clone are: what refs and journals say before any record is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from gitexp import ids
from gitexp.errors import Damaged
from gitexp.git import objects, refs
from gitexp.record.facts import State
from gitexp.store import annotations as annotated
from gitexp.store import experiments, live, reflog, runs
from gitexp.store import workspace as workspaces
from gitexp.store.live import LiveRun
from gitexp.store.runs import Head, Run
from gitexp.store.workspace import Workspace

PUBLISHED_PREFIX = "refs/experiments-live/"  # runs that are running on other machines, as last fetched
_LEAF = re.compile(r"(.*)-([k-z]{7})")


@dataclass(frozen=True, slots=True)
class Place:
    """A run by its ref, or by its journal while it is running."""

    id: str  # seven letters of a stored run, all sixteen of a live one
    path: str  # of the experiment
    slug: str
    ref: str = ""
    commit: str = ""
    live: LiveRun | None = None

    @property
    def name(self) -> str:
        """The name that can be typed: experiment/name."""
        return f"{self.path}/{self.slug}"


class Places:
    """The runs of a clone as one command sees them: refs are listed once, each commit is read at most once."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._heads: dict[str, Head | None] = {}

    @cached_property
    def listing(self) -> list[Place]:
        """All runs, removed ones too: those running here, those recorded, those running elsewhere."""
        found = [_of_live(run) for run in live.listing(self.workspace)]
        found += _from_refs(runs.listing(self.workspace), runs.REF_PREFIX)
        ended = {ids.short(place.id) for place in found}
        published = _from_refs(refs.listing(self.workspace.repo, PUBLISHED_PREFIX), PUBLISHED_PREFIX)
        return found + [place for place in published if place.id not in ended]

    def head(self, place: Place) -> Head | None:
        """Return what the commit of a stored run says; None for a live one, or a ref that holds no run."""
        if place.commit and place.commit not in self._heads:
            try:
                self._heads[place.commit] = runs.head(self.workspace, place.ref, place.commit)
            except Damaged:  # missing, or no commit at all: fsck tells
                self._heads[place.commit] = None
        return self._heads.get(place.commit)

    def load(self, place: Place) -> Run:
        """Return the run at a place."""
        return place.live if place.live is not None else runs.load(self.workspace, place.commit, place.ref)

    def start_ms(self, place: Place) -> int:
        """Return when the run at a place began; reads its commit, not its record."""
        if place.live is not None:
            return place.live.start.record.start_ms
        head = self.head(place)
        return head.start_ms if head is not None else 0

    def by_age(self, found: Iterable[Place]) -> list[Place]:
        """Return places by the start of their runs, the newest first."""
        return sorted(found, key=lambda place: (self.start_ms(place), place.id), reverse=True)

    @cached_property
    def states(self) -> Mapping[str, State]:
        """What is said of runs, by id; runs of which nothing is said are absent."""
        return annotated.states(self.workspace)

    def id_of(self, place: Place) -> str:
        """Return the whole id of the run at a place, "" where its commit does not say."""
        head = self.head(place)
        return place.id if place.live is not None else head.id if head is not None else ""

    def is_removed(self, place: Place) -> bool:
        """Say whether somebody removed the run at a place."""
        state = self.states.get(self.id_of(place))
        return state is not None and state.removed

    def recent(self) -> Iterator[Place]:
        """Yield the runs recorded in this clone, live ones too, the newest start first: what `@`, `@~1` … count."""
        own = reflog.recorded(self.workspace)
        here = [place for place in self.listing if place.live is not None or place.ref in own]
        return (place for place in self.by_age(here) if not self.is_removed(place))

    @cached_property
    def newest(self) -> Place | None:
        """The newest run recorded in this clone: `@`."""
        return next(self.recent(), None)

    def current_experiment(self) -> str:
        """Return the path of the experiment that reading commands mean when none is named.

        The one that is set; else the one called like the branch, where it has runs; else that of the newest run here,
        or, in a clone that has recorded none, of the newest run.
        """
        name = workspaces.default_experiment(self.workspace)
        chosen = experiments.resolve(self.workspace, name, new=True).path
        if self.workspace.settings.text("experiment") or not self.listing:
            return chosen
        if chosen != ids.DEFAULT_EXPERIMENT and any(place.path == chosen for place in self.listing):
            return chosen
        return (self.newest or self.by_age(self.listing)[0]).path

    @cached_property
    def renamed(self) -> dict[str, str]:
        """The names of now, by path, of the experiments of which something is said."""
        return {item.path: item.name for item in experiments.said_of(self.workspace)}

    def experiment_of(self, run: Run) -> str:
        """Return what the experiment of a run is called now."""
        ref = run.start.ref if isinstance(run, LiveRun) else run.ref or ""
        path = ref.removeprefix(runs.REF_PREFIX).removeprefix(PUBLISHED_PREFIX).rpartition("/")[0]
        return self.renamed.get(path, run.experiment)

    def by_code(self, commit: str) -> list[Place]:
        """Return the runs whose code is `commit`: as it is, or with uncommitted edits on top."""
        return [place for place in self.listing if commit in self.codes(place)]

    def codes(self, place: Place) -> tuple[str, ...]:
        """Return the commits of a run's code: the snapshot of its edits, if any, and the user's own commit."""
        if place.live is not None:
            code = place.live.record.code
            return tuple(sha for sha in (code.get("snapshot"), code.get("commit")) if sha)
        head = self.head(place)
        if head is None or not head.parents:
            return ()
        first = head.parents[0]
        if not head.dirty or not objects.exists(self.workspace.repo, first):  # not there in a shallow clone
            return (first,)
        return (first, *objects.read_commit(self.workspace.repo, first).parents[:1])


def _of_live(run: LiveRun) -> Place:
    record, path = run.start.record, run.start.ref.removeprefix(runs.REF_PREFIX).rpartition("/")[0]
    return Place(record.id, path, ids.slug(record.name), live=run)


def _from_refs(known: Mapping[str, str], prefix: str) -> list[Place]:
    found = []
    for ref, commit in known.items():
        path, _, leaf = ref.removeprefix(prefix).rpartition("/")
        if path and (match := _LEAF.fullmatch(leaf)):
            found.append(Place(match[2], path, match[1], ref, commit))
    return found
