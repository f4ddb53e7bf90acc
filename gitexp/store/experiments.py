"""Experiments: their ids, names and paths, from what is said of them and from their runs (docs/facts.md)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gitexp import ids, text
from gitexp.errors import Ambiguous, NotFound
from gitexp.git import refs
from gitexp.record import facts
from gitexp.record.facts import State
from gitexp.store import annotations as said
from gitexp.store import runs
from gitexp.store.annotations import Change
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Experiment:
    """A hypothesis or approach: an id from its first name, a name of now, and the path of its refs, which stays."""

    id: str
    name: str
    path: str
    state: State = facts.EMPTY

    @property
    def names(self) -> tuple[str, ...]:
        """All names it has had."""
        return self.state.names or (self.name,)


def resolve(workspace: Workspace, name: str, *, new: bool = False) -> Experiment:
    """Return the experiment that a name, former name, id or path means; with `new` one that is not there yet too.

    The name of now counts before former ones. Raises NotFound with near names, Ambiguous with the candidates: two
    clones may each have given this name to an experiment of theirs.
    """
    name = ids.check_experiment(name)
    told = said_of(workspace)
    plain = Experiment(ids.experiment_id(name), name, ids.experiment_slug(name))
    found = [item for item in told if item.name == name]
    if plain.id not in {item.id for item in told} and (has_runs(workspace, plain.path) if found or not new else False):
        found.append(plain)
    found = found or [item for item in told if name in (*item.names, item.id, item.path)]
    if not found and not new:
        found = [item for item in listing(workspace) if name in (item.name, item.id, item.path)]
    if len(found) == 1:
        return found[0]
    if found:
        return _of_two(found, plain, new=new)
    if new:
        return plain
    raise _not_found(name, listing(workspace))


def _of_two(found: Sequence[Experiment], plain: Experiment, *, new: bool) -> Experiment:
    first = [item for item in found if item.id == plain.id]
    if new and first:  # a run must start: what was first called so is the same in every clone
        return first[0]
    lines = [f"{item.id}  refs/experiments/{item.path}/  first called {text.safe(item.names[0])}" for item in found]
    raise Ambiguous(
        f"{text.safe(plain.name)!r} means {len(found)} experiments",
        hint="name one by its id, or rename it: gitexp experiment rename ID NAME",
        candidates=lines,
    )


def _not_found(name: str, known: Iterable[Experiment]) -> NotFound:
    near = difflib.get_close_matches(name, [item.name for item in known], n=3, cutoff=0.5)
    hint = f"did you mean: {', '.join(near)}" if near else "list them with: gitexp experiment ls"
    return NotFound(f"no experiment {text.safe(name)!r}", hint=hint)


def said_of(workspace: Workspace) -> list[Experiment]:
    """Return the experiments about which something is said, by id."""
    found = []
    for target, state in said.experiment_states(workspace).items():
        if state.name is not None:
            path = state.path or _path_of(workspace, target)
            found.append(Experiment(target, state.name, path, state))
    return found


def _path_of(workspace: Workspace, experiment_id: str) -> str:
    """Return the path of an experiment whose creation nobody has told: that of its runs."""
    known = (item for item in _from_runs(workspace, frozenset()) if item.id == experiment_id)
    return next((item.path for item in known), experiment_id)


def listing(workspace: Workspace) -> list[Experiment]:
    """Return all experiments, archived and removed ones too, and those known only from their runs, by name."""
    told = said_of(workspace)
    found = told + _from_runs(workspace, frozenset(item.path for item in told))
    return sorted(found, key=lambda item: (item.name, item.id))


def _from_runs(workspace: Workspace, known_paths: frozenset[str]) -> list[Experiment]:
    paths: dict[str, tuple[str, str]] = {}
    for ref, commit in runs.listing(workspace).items():
        path = ref.removeprefix(runs.REF_PREFIX).rpartition("/")[0]
        if path and path not in known_paths:
            paths.setdefault(path, (ref, commit))
    found = []
    for path, (ref, commit) in paths.items():
        head = runs.head(workspace, ref, commit)
        name = head.experiment if head is not None else path
        target = said.experiment_of(workspace, path) if ids.experiment_slug(name) != path else ids.experiment_id(name)
        found.append(Experiment(target, name, path))
    return found


def has_runs(workspace: Workspace, path: str) -> bool:
    """Say whether there are runs right below a path (not only in experiments below it)."""
    below = f"{runs.REF_PREFIX}{path}/"
    return any("/" not in ref.removeprefix(below) for ref in refs.listing(workspace.repo, below))


def creation(experiment: Experiment) -> list[Change]:
    """Return what must be said first of an experiment of which nothing is said yet: its name, which gives its id."""
    if experiment.state.names or ids.experiment_id(experiment.name) != experiment.id:
        return []
    return [said.about_experiment(experiment.id, "create", name=experiment.name)]
