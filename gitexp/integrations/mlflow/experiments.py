"""Experiments as MLflow has them: gitexp's, under gitexp's ids; what only MLflow wants to know are tags of theirs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlflow.entities import Experiment, ExperimentTag, LifecycleStage, ViewType
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking import SEARCH_MAX_RESULTS_DEFAULT
from mlflow.utils.search_utils import SearchExperimentsUtils, SearchUtils
from mlflow.utils.uri import append_to_uri_path, resolve_uri_if_local

from gitexp import clock, ids
from gitexp.errors import UsageError
from gitexp.git import reffiles
from gitexp.index import database
from gitexp.integrations.mlflow import artifacts, checks, compare, failures
from gitexp.ops import experiments as verbs
from gitexp.record import facts
from gitexp.record.facts import EXPERIMENT, RUN, Fact, State
from gitexp.store import annotations as said
from gitexp.store import experiments as stored
from gitexp.store.annotations import Change
from gitexp.store.workspace import Workspace

DEFAULT_NAME = "Default"  # what MLflow calls "0"
NAME = "mlflow.experimentName"  # tag: the name as MLflow has it, where gitexp's differs
LOCATION = "mlflow.artifactLocation"  # tag: where the user wants artifacts
PURGED = "mlflow.purged"  # tag: `mlflow gc` has deleted it for good
HIDDEN = (NAME, LOCATION, PURGED)
_LIVES = ("create", "rename", "remove", "undelete")  # facts that MLflow counts as an update

_PATHS = """
WITH RECURSIVE paths (path) AS (
  SELECT MIN(path) FROM run UNION ALL
  SELECT (SELECT MIN(path) FROM run WHERE path > paths.path) FROM paths WHERE paths.path IS NOT NULL
)
SELECT path FROM paths WHERE path IS NOT NULL
"""  # from one to the next by the index: as fast with many runs as with few


@dataclass(frozen=True, slots=True)
class Known:
    """An experiment, with what MLflow wants to know of it."""

    id: str
    path: str
    called: str  # by gitexp
    state: State
    created_ms: int
    updated_ms: int

    @property
    def name(self) -> str:
        """What MLflow calls it."""
        exact = self.state.tags.get(NAME)
        if exact is not None and plain_name(exact) == self.called:
            return exact
        return DEFAULT_NAME if (self.id, self.called) == ("0", ids.DEFAULT_EXPERIMENT) else self.called

    @property
    def is_deleted(self) -> bool:
        return self.state.removal is not None

    @property
    def tags(self) -> dict[str, str]:
        return {key: value for key, value in self.state.tags.items() if key not in HIDDEN}


DEFAULT = Known("0", ids.DEFAULT_EXPERIMENT, ids.DEFAULT_EXPERIMENT, facts.EMPTY, 0, 0)


def plain_name(name: str) -> str:
    """Return what gitexp calls an experiment of MLflow's: its name, where that can be one here too."""
    try:
        if ids.check_experiment(name) == name:
            return name
    except UsageError:
        pass
    words = "".join(c if c.isprintable() else " " for c in name.encode("utf-8", "replace").decode())
    parts = [part for part in (part.strip() for part in words.split("/")) if part not in ("", ".", "..")]
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return "/".join(parts)[:200].rstrip("/ ") + f"~{digest}"


class Register:
    """All experiments of a workspace, read anew when something was said, or when asked for all there are."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        # The tip of the facts is in one of them; every call that logs asks whether they are as before.
        self._files = [f"{workspace.repo.common_dir}/{name}" for name in (reffiles.NOTES, "packed-refs")]
        self._stamps: list[tuple[int, int] | None] = []
        self._tip: str | None = ""
        self._told: dict[str, Known] = {}
        self._removed: frozenset[str] = frozenset()

    def told(self) -> dict[str, Known]:
        """Return the experiments about which something is said, and the default one."""
        stamps = [_stamp(file) for file in self._files]
        if stamps == self._stamps:
            return self._told
        self._stamps, tip = stamps, reffiles.get(self._workspace.repo.common_dir, reffiles.NOTES)
        if tip != self._tip:
            ledger = said.ledger(self._workspace)
            every = (_known(item, ledger.said(EXPERIMENT, item.id)) for item in stored.said_of(self._workspace))
            self._told = {item.id: item for item in every if PURGED not in item.state.tags}
            self._removed, self._tip = ledger.removed, tip
        return self._told

    def all(self) -> dict[str, Known]:
        """Return those that only their runs tell of too; the default one is older than all others."""
        told = self.told()
        taken = {item.path for item in stored.said_of(self._workspace)}
        index, found = database.of(self._workspace), dict(told)
        oldest = [item.created_ms for key, item in told.items() if key != DEFAULT.id]
        oldest += [start_ms for (start_ms,) in index.rows("SELECT MIN(start_ms) FROM run") if start_ms is not None]
        for (path,) in index.rows(_PATHS):
            if path not in taken:
                name, start_ms = index.rows("SELECT first_experiment, MIN(start_ms) FROM run WHERE path = ?", (path,))[
                    0
                ]
                target = said.experiment_of(self._workspace, path)
                found[target] = Known(target, path, name, facts.EMPTY, start_ms, start_ms)
        default = found.get(DEFAULT.id, DEFAULT)
        created = min([*oldest, _born_ms(self._workspace)]) - 1
        updated = max(created, default.updated_ms)
        found["0"] = Known("0", default.path, default.called, default.state, created, updated)
        return found

    def get(self, experiment_id: str) -> Known | None:
        """Return one experiment; the index is not asked where something is said of it."""
        known = self.told().get(experiment_id)
        if known is None and experiment_id == DEFAULT.id:
            return DEFAULT
        return known or self.all().get(experiment_id)

    def removed(self) -> frozenset[str]:
        """Return the ids of the runs that are deleted."""
        self.told()
        return self._removed

    def named(self, name: str) -> Known | None:
        """Return the experiment that MLflow, or else gitexp, calls so."""
        every = self.all().values()
        exact = (item for item in every if item.name == name)
        return next(exact, None) or next((item for item in every if item.called == name), None)

    def ids_by_path(self) -> dict[str, str]:
        """Return {path of refs: id}."""
        return {item.path: item.id for item in self.all().values()}


def _stamp(path: str) -> tuple[int, int] | None:
    """Return what tells that a file of refs is the one that was read; None for one that is not there."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path costs more than the call
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino


def _known(item: stored.Experiment, lines: Sequence[Fact]) -> Known:
    ordered = facts.ordered(lines)
    created = next((fact.time_ms for fact in ordered if fact.op == "create"), ordered[0].time_ms)
    updated = max(fact.time_ms for fact in ordered if fact.op in _LIVES or fact is ordered[0])
    return Known(item.id, item.path, item.name, item.state, created, updated)


def _born_ms(workspace: Workspace) -> int:
    """Return about when the repository was made here."""
    return (workspace.repo.common_dir / "config").stat().st_mtime_ns // 1_000_000


class Experiments:
    """The part of the store that knows experiments."""

    workspace: Workspace
    register: Register

    if TYPE_CHECKING:  # of the part that knows runs

        def _hard_delete_run(self, run_id: str) -> None: ...

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: Sequence[ExperimentTag] | None = None
    ) -> str:
        """Make an experiment and return its id; raises RESOURCE_ALREADY_EXISTS where one has the name, also deleted."""
        checks.experiment_name(name)
        told = {tag.key: tag.value for tag in tags or ()}
        if artifact_location:
            artifact_location = resolve_uri_if_local(artifact_location)
            checks.artifact_location_length(artifact_location)
            told[LOCATION] = artifact_location
        for key, value in told.items():
            checks.experiment_tag(key, value)
        if self.register.named(name) is not None:
            raise failures.exists(f"Experiment(name={name}) already exists.")
        return self._create(name, told)

    def _create(self, name: str, tags: Mapping[str, str]) -> str:
        called = plain_name(name)
        first = self._free(called)
        target = ids.experiment_id(first)
        changes = [said.about_experiment(target, "create", name=first)]
        if first != called:
            changes.append(said.about_experiment(target, "rename", name=called))
        exact = {NAME: name} if name != called else {}
        changes += [_tag(target, key, value) for key, value in {**exact, **tags}.items()]
        said.add(self.workspace, changes)
        return target

    def _free(self, name: str) -> str:
        """Return a first name that no experiment has had: an id comes of it, and one that was renamed keeps its own."""
        taken = {item.id for item in stored.listing(self.workspace)}
        number, found = 1, name
        while ids.experiment_id(found) in taken:
            number += 1
            found = f"{name[:240]}~{number}"
        return found

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Return an experiment, a deleted one too; raises RESOURCE_DOES_NOT_EXIST."""
        known = self._known(experiment_id)
        return self._experiment(self.register.all()[known.id] if known.id == DEFAULT.id else known)

    def get_experiment_by_name(self, experiment_name: str) -> Experiment | None:
        """Return the experiment of a name, a deleted one too; None where there is none."""
        found = self.register.named(experiment_name)
        return None if found is None else self._experiment(found)

    def _known(self, experiment_id: str, *, deleted: bool | None = None) -> Known:
        found = self.register.get(str(experiment_id or "0"))
        if found is None or deleted not in (None, found.is_deleted):
            raise failures.missing(f"No Experiment with id={experiment_id} exists")
        return found

    def _experiment(self, known: Known) -> Experiment:
        return Experiment(
            experiment_id=known.id,
            name=known.name,
            artifact_location=self._location(known),
            lifecycle_stage=LifecycleStage.DELETED if known.is_deleted else LifecycleStage.ACTIVE,
            tags=[ExperimentTag(key, value) for key, value in known.tags.items()],
            creation_time=known.created_ms,
            last_update_time=known.updated_ms,
        )

    def _location(self, known: Known) -> str:
        """Return where artifacts of an experiment are: where the user wanted them, else here."""
        return known.state.tags.get(LOCATION) or append_to_uri_path(artifacts.root(self.workspace), known.id)

    def _artifact_uri(self, run_id: str, known: Known) -> str:
        return str(append_to_uri_path(self._location(known), run_id, "artifacts"))

    def _check_experiment_active(self, experiment: Experiment | Known) -> None:
        """Raise INVALID_PARAMETER_VALUE for a deleted experiment."""
        stage = experiment.lifecycle_stage if isinstance(experiment, Experiment) else None
        key = experiment.experiment_id if isinstance(experiment, Experiment) else experiment.id
        if stage == LifecycleStage.DELETED or (isinstance(experiment, Known) and experiment.is_deleted):
            raise failures.bad(f"The experiment {key} must be in the 'active' state. Current state is deleted.")

    def delete_experiment(self, experiment_id: str) -> None:
        """Hide an experiment with its runs, also those that are running."""
        known = self._known(experiment_id, deleted=False)
        changes = [said.about_experiment(known.id, "remove", reason="")]
        for run_id, place in self._members(known):
            changes.append(Change(RUN, run_id, place, "remove", {"reason": "", "with": known.id}))
        said.add(self.workspace, [*self._creation(known), *changes])

    def _members(self, known: Known) -> list[tuple[str, str]]:
        query = "SELECT id, commit_oid FROM run WHERE path = ? AND NOT removed"
        found = database.of(self.workspace).rows(query, (known.path,))
        return [(run_id, commit or said.place(run_id)) for run_id, commit in found]

    def restore_experiment(self, experiment_id: str) -> None:
        """Bring a deleted experiment back, with the runs that went away with it."""
        known = self._known(experiment_id, deleted=True)
        verbs.undelete(self.workspace, stored.resolve(self.workspace, known.id))

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Give another name."""
        checks.experiment_name(new_name)
        known = self._known(experiment_id)
        if known.is_deleted:
            raise failures.wrong_state("Cannot rename a non-active experiment.")
        other = self.register.named(new_name)
        if other is not None and other.id != known.id:
            raise failures.exists(f"Experiment(name={new_name}) already exists.")
        changes = [said.about_experiment(known.id, "rename", name=plain_name(new_name))]
        if plain_name(new_name) != new_name:
            changes.append(_tag(known.id, NAME, new_name))
        said.add(self.workspace, [*self._creation(known), *changes])

    def set_experiment_tag(self, experiment_id: str, tag: ExperimentTag) -> None:
        """Set a tag."""
        checks.experiment_tag(tag.key, tag.value)
        known = self._known(experiment_id)
        self._check_experiment_active(known)
        if known.tags.get(tag.key) != str(tag.value):
            said.add(self.workspace, [*self._creation(known), _tag(known.id, tag.key, tag.value)])

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Take a tag away."""
        known = self._known(experiment_id)
        self._check_experiment_active(known)
        if key not in known.tags:
            raise failures.missing(f"No tag with name: {key} in experiment with id {experiment_id}")
        said.add(self.workspace, [said.about_experiment(known.id, "untag", key=key)])

    def _creation(self, known: Known) -> list[Change]:
        return stored.creation(stored.Experiment(known.id, known.called, known.path, known.state))

    def _hard_delete_experiment(self, experiment_id: str) -> None:
        """Forget a deleted experiment for good; called by `mlflow gc`, after its runs."""
        known = self._known(experiment_id, deleted=True)
        for run_id, _ in self._all_members(known):
            self._hard_delete_run(run_id)
        said.add(self.workspace, [*self._creation(known), _tag(known.id, PURGED, str(clock.now_ms()))])

    def _all_members(self, known: Known) -> list[Any]:
        return database.of(self.workspace).rows("SELECT id, path FROM run WHERE path = ?", (known.path,))

    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = SEARCH_MAX_RESULTS_DEFAULT,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Experiment]:
        """Return the experiments that a filter is true of, in order."""
        compare.check_max_results(max_results)
        stages = LifecycleStage.view_type_to_stages(view_type)
        tests = compare.experiment_tests(SearchExperimentsUtils.parse_search_filter(filter_string))
        every = [self._experiment(item) for item in self.register.all().values()]
        found = [item for item in every if item.lifecycle_stage in stages and all(test(item) for test in tests)]
        for attribute, ascending in reversed(compare.experiment_order(order_by)):
            found.sort(key=lambda item: getattr(item, attribute), reverse=not ascending)
        offset = SearchUtils.parse_start_offset_from_page_token(page_token)
        end = offset + max_results
        token = SearchUtils.create_page_token(end) if len(found) > end else None
        return PagedList(found[offset:end], token)


def _tag(target: str, key: str, value: object) -> Change:
    return said.about_experiment(target, "tag", key=key, value=str(value))
