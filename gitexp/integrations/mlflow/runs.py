"""Runs: created, read, ended, renamed, deleted and brought back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlflow.entities import Experiment, RunInfo, RunInputs, RunOutputs, RunStatus, RunTag
from mlflow.entities import Run as Entity
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME, MLFLOW_USER

from gitexp import clock, ids
from gitexp.index import database
from gitexp.index.sql import Sql
from gitexp.integrations.mlflow import experiments, failures, follow, hold, search, shown, table
from gitexp.integrations.mlflow.experiments import Known, Register
from gitexp.ops.purging import purge
from gitexp.ops.recording import naming
from gitexp.record import facts
from gitexp.store import annotations as said
from gitexp.store import seal
from gitexp.store.annotations import Change
from gitexp.store.live import LiveRun
from gitexp.store.workspace import Workspace


class Runs:
    """The part of the store that knows runs as a whole."""

    workspace: Workspace
    register: Register

    if TYPE_CHECKING:

        def _known(self, experiment_id: str, *, deleted: bool | None = None) -> Known: ...

        def _said_by(self, run: LiveRun) -> tuple[RunInputs, RunOutputs]: ...

        def _check_experiment_active(self, experiment: Experiment | Known) -> None: ...

        def _artifact_uri(self, run_id: str, known: Known) -> str: ...

        def _inputs_outputs(self, run_ids: Sequence[str]) -> dict[str, tuple[RunInputs, RunOutputs]]: ...

    def create_run(
        self, experiment_id: str, user_id: str, start_time: int, tags: Sequence[RunTag] | None, run_name: str | None
    ) -> Entity:
        """Begin a run: its code is fixed now, and it can be seen at once."""
        known = self._known(experiment_id)
        self._check_experiment_active(known)
        told = {tag.key: "" if tag.value is None else str(tag.value) for tag in tags or ()}
        tagged = told.get(MLFLOW_RUN_NAME)
        if run_name and tagged and run_name != tagged:
            raise failures.bad(
                "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values"
                f" (run_name='{run_name}', mlflow.runName='{tagged}')."
            )
        name = run_name or tagged or naming.two_words(ids.new_run_id())
        told.setdefault(MLFLOW_RUN_NAME, name)
        if user_id and user_id != "unknown":
            told.setdefault(MLFLOW_USER, user_id)
        parent = told.get(MLFLOW_PARENT_RUN_ID, "")
        run_id = hold.begin(
            self.workspace,
            known.id,
            name,
            told,
            start_ms=start_time,
            parent=parent if ids.is_run_id(parent) else None,
        )
        if told.get(shown.NOTE):
            hold.write(self.workspace, run_id, lambda held: held.writer.event("description", text=told[shown.NOTE]))
        return self.get_run(run_id)

    def get_run(self, run_id: str) -> Entity:
        """Return a run, a deleted one too; raises RESOURCE_DOES_NOT_EXIST."""
        found = self._journal(run_id)
        if found is not None:
            return self._shown(shown.of(found, said.state(self.workspace, found)), *self._said_by(found))
        told = self._told(run_id)
        return self._shown(told, *self._inputs_outputs([run_id])[run_id])

    def _journal(self, run_id: str) -> LiveRun | None:
        """Return a run that is active, or to which something came late; None where all of it is committed."""
        found = follow.run(self.workspace, run_id)
        if found is None and (self.workspace.live / run_id / seal.LATE).exists():
            late = table.run(self.workspace, run_id)
            return late if isinstance(late, LiveRun) else None
        return found

    def _told(self, run_id: str) -> shown.Told:
        found = self._journal(run_id)
        if found is not None:
            return shown.of(found, said.state(self.workspace, found))
        rows = search.told(database.of(self.workspace), Sql("run.id = ?", (run_id,)))
        if not rows:
            raise failures.missing(f"Run with id={run_id} not found")
        return rows[0]

    def _shown(self, told: shown.Told, inputs: RunInputs, outputs: RunOutputs) -> Entity:
        known = self._known_of(told.path)
        return shown.entity(told, known.id, self._artifact_uri(told.id, known), inputs, outputs)

    def _known_of(self, path: str) -> Known:
        """Return the experiment of a run's refs."""
        found = next((item for item in self.register.told().values() if item.path == path), None)
        if found is None and path == experiments.DEFAULT.path:
            return experiments.DEFAULT
        return found or next(item for item in self.register.all().values() if item.path == path)

    def _check_active(self, run_id: str) -> None:
        """Raise INVALID_PARAMETER_VALUE for a deleted run; one that does not exist is found out by who writes to it."""
        if run_id in self.register.removed():
            raise failures.bad(f"The run {run_id} must be in the 'active' state. Current state is deleted.")

    def update_run_info(
        self, run_id: str, run_status: int | None, end_time: int | None, run_name: str | None
    ) -> RunInfo:
        """End a run, reopen it, rename it."""
        self._check_active(run_id)
        told = self._told(run_id)
        if run_name:
            self._rename(told, run_name)
        status = shown.OF_MLFLOW[RunStatus.to_string(run_status)] if run_status is not None else told.status
        if status != "running":
            if status != told.status or (end_time is not None and end_time != told.end_ms):
                hold.end(self.workspace, run_id, status, end_time)
                told.status, told.end_ms = status, clock.now_ms() if end_time is None else end_time
        elif told.status != "running":
            hold.resume(self.workspace, table.run(self.workspace, run_id))
            told.status, told.end_ms = status, None
        return self._shown(told, RunInputs([]), RunOutputs([])).info

    def _rename(self, told: shown.Told, name: str) -> None:
        if told.status == "running":
            plain = hold.plain_name(name)
            hold.write(self.workspace, told.id, lambda held: held.writer.event("name", name=plain))
        self._say(told, {MLFLOW_RUN_NAME: name})
        told.tags[MLFLOW_RUN_NAME], told.title = name, None

    def _say(self, told: shown.Told, tags: dict[str, str], gone: Sequence[str] = ()) -> None:
        """Set and take away tags: events of a run that is active, facts about one that has ended."""
        tags = {key: value for key, value in tags.items() if told.tags.get(key) != value}
        if told.status == "running":
            hold.write(self.workspace, told.id, lambda held: _write_tags(held.writer.event, tags, gone))
            return
        run = table.run(self.workspace, told.id)
        changes = [said.about_run(run, "tag", key=key, value=value) for key, value in tags.items()]
        changes += [said.about_run(run, "untag", key=key) for key in gone]
        if MLFLOW_RUN_NAME in tags:
            changes.append(said.about_run(run, "title", text=hold.plain_name(tags[MLFLOW_RUN_NAME])))
        if shown.NOTE in (*tags, *gone):
            changes.append(said.about_run(run, "description", text=tags.get(shown.NOTE, "")))
        said.add(self.workspace, changes)

    def delete_run(self, run_id: str) -> None:
        """Hide a run, also one that is running."""
        said.add(self.workspace, [self._about(run_id, "remove", reason="")])

    def restore_run(self, run_id: str) -> None:
        """Bring a deleted run back."""
        if said.states(self.workspace).get(run_id, facts.EMPTY).removal is not None:
            said.add(self.workspace, [self._about(run_id, "undelete", reason="")])
        else:
            self._about(run_id, "undelete")

    def _about(self, run_id: str, op: str, **arguments: str) -> Change:
        return said.about_run(table.run(self.workspace, run_id), op, **arguments)

    def _get_deleted_runs(self, older_than: int = 0) -> list[str]:
        """Return the ids of the runs deleted at least so many milliseconds ago; called by `mlflow gc`."""
        before = clock.now_ms() - older_than
        states, found = said.states(self.workspace), []
        for run_id in said.removed(self.workspace):
            removal = states[run_id].removal
            if removal is not None and states[run_id].purge is None and removal.time_ms <= before:
                found.append(run_id)
        return sorted(found)

    def _hard_delete_run(self, run_id: str) -> None:
        """Take a run out of this repository for good; called by `mlflow gc`."""
        told = self._told(run_id)
        if told.status == "running":
            hold.end(self.workspace, run_id, "killed")
        purge.execute(self.workspace, purge.plan(self.workspace, [run_id]), reason="mlflow gc")


def _write_tags(event: object, tags: dict[str, str], gone: Sequence[str]) -> None:
    assert callable(event)
    if tags:
        event("tags", values=tags)
    if gone:
        event("untag", keys=list(gone))
    if shown.NOTE in (*tags, *gone):
        event("description", text=tags.get(shown.NOTE, ""))
