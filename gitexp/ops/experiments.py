"""Experiments as a whole: listed, created, renamed, described, tagged, archived, removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gitexp import canonical, ids, text
from gitexp.errors import Conflict
from gitexp.index import database, names
from gitexp.ops import annotate
from gitexp.ops.finding import find
from gitexp.record.facts import Fact
from gitexp.store import annotations as said
from gitexp.store import experiments
from gitexp.store.annotations import Change
from gitexp.store.experiments import Experiment
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Row:
    """An experiment with what its runs come to: how many are listed, how many are running, when the newest began."""

    experiment: Experiment
    runs: int = 0
    running: int = 0
    newest_ms: int | None = None

    @property
    def hidden(self) -> bool:
        """Say whether lists leave it out: it is archived or removed."""
        return self.experiment.state.archived or self.experiment.state.removed

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of one experiment (docs/scripting.md)."""
        experiment, state = self.experiment, self.experiment.state
        return {
            "id": experiment.id,
            "name": experiment.name,
            "names": list(experiment.names),
            "path": experiment.path,
            "description": state.description,
            "tags": state.tags,
            "notes": [note.to_json() for note in state.notes],
            "archived": state.archived,
            "removed": state.removed,
            "runs": self.runs,
            "running": self.running,
            "newest": None if self.newest_ms is None else canonical.iso(self.newest_ms),
        }


def listing(workspace: Workspace, *, everything: bool = False) -> list[Row]:
    """Return the experiments by name; archived and removed ones only with `everything`."""
    levels = {level.path: level for level in names.levels(database.of(workspace))}
    found = {item.path: Row(item) for item in experiments.listing(workspace)}
    for path, level in levels.items():
        row = found.get(path) or Row(Experiment(ids.experiment_id(level.experiment), level.experiment, path))
        found[path] = replace(row, runs=level.runs, running=level.running, newest_ms=level.newest_ms)
    rows = sorted(found.values(), key=lambda row: (row.experiment.name, row.experiment.id))
    return [row for row in rows if everything or not row.hidden]


def create(workspace: Workspace, name: str, description: str = "") -> Experiment:
    """Create an experiment; raises Conflict where one has this name. Clones that create it apart mean the same one."""
    name = ids.check_experiment(name)
    target = ids.experiment_id(name)
    taken = [item for item in experiments.listing(workspace) if item.name == name or item.id == target]
    for item in taken:
        hint = f"gitexp experiment undelete {item.name}" if item.state.removed else "gitexp experiment ls"
        called = "" if item.name == name else f", now called {text.safe(item.name)!r}"
        raise Conflict(f"there is an experiment {text.safe(name)!r}{called}", hint=hint)
    experiment = Experiment(target, name, ids.experiment_slug(name))
    changes = experiments.creation(experiment)
    if description:
        changes.append(_of(experiment, "description", text=annotate.check_text(description, "description")))
    said.add(workspace, changes)
    return experiments.resolve(workspace, target)


def rename(workspace: Workspace, experiment: Experiment, name: str) -> tuple[Fact, ...]:
    """Give another display name; refs stay where they are. Raises Conflict where another experiment has that name."""
    name = ids.check_experiment(name)
    if any(item.name == name and item.id != experiment.id for item in experiments.listing(workspace)):
        raise Conflict(f"there is an experiment {text.safe(name)!r} already", hint="gitexp experiment ls --all")
    return _say(workspace, experiment, _of(experiment, "rename", name=name))


def describe(workspace: Workspace, experiment: Experiment, words: str) -> tuple[Fact, ...]:
    """Replace the description; an empty one takes it away."""
    checked = annotate.check_text(words, "description") if words else ""
    return _say(workspace, experiment, _of(experiment, "description", text=checked))


def tag(workspace: Workspace, experiment: Experiment, tags: Mapping[str, str]) -> tuple[Fact, ...]:
    """Set tags; a bare tag has the value ""."""
    changes = [_of(experiment, "tag", key=annotate.check_tag(key, value), value=value) for key, value in tags.items()]
    return _say(workspace, experiment, *changes)


def untag(workspace: Workspace, experiment: Experiment, keys: Iterable[str]) -> tuple[Fact, ...]:
    """Take tags away."""
    return _say(workspace, experiment, *(_of(experiment, "untag", key=annotate.check_tag(key, "")) for key in keys))


def note(workspace: Workspace, experiment: Experiment, words: str) -> tuple[Fact, ...]:
    """Add a note."""
    return _say(workspace, experiment, _of(experiment, "note", text=annotate.check_text(words, "note")))


def archive(workspace: Workspace, experiment: Experiment, *, on: bool = True) -> tuple[Fact, ...]:
    """Put an experiment into the archive, or take it out."""
    return _say(workspace, experiment, _of(experiment, "archive" if on else "unarchive"))


def members(workspace: Workspace, experiment: Experiment) -> list[Run]:
    """Return the runs of an experiment that are not removed (not those of experiments below it)."""
    return [find.load(workspace, place) for place in names.members(database.of(workspace), experiment.path)]


def remove(workspace: Workspace, experiment: Experiment, reason: str = "") -> tuple[Fact, ...]:
    """Hide an experiment and its runs from lists; `undelete` brings all back. Raises Refused while a run is running."""
    found = members(workspace, experiment)
    annotate.refuse_live(found, "removed")
    gone = {"reason": reason, "with": experiment.id}
    changes = [said.about_run(run, "remove", **gone) for run in found]
    return _say(workspace, experiment, _of(experiment, "remove", reason=reason), *changes)


def undelete(workspace: Workspace, experiment: Experiment) -> tuple[Fact, ...]:
    """Bring an experiment back, and the runs that went away with it."""
    index, states = database.of(workspace), said.states(workspace)
    away = {run_id: states[run_id].removal for run_id in said.removed(workspace)}
    gone = [run_id for run_id, removal in away.items() if removal and removal.experiment == experiment.id]
    found = [find.load(workspace, place) for run_id in gone for place in names.by_id(index, run_id)]
    changes = [said.about_run(run, "undelete", reason="") for run in found]
    return _say(workspace, experiment, _of(experiment, "undelete", reason=""), *changes)


def _of(experiment: Experiment, op: str, **arguments: Any) -> Change:
    return said.about_experiment(experiment.id, op, **arguments)


def _say(workspace: Workspace, experiment: Experiment, *changes: Change) -> tuple[Fact, ...]:
    return said.add(workspace, [*experiments.creation(experiment), *changes])
