"""Runs that were recorded, read from Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from gitexp.errors import NotFound, UsageError
from gitexp.index import database, search
from gitexp.index.entry import Entry
from gitexp.ops import annotate
from gitexp.ops.finding import find, goals, listing
from gitexp.record import values
from gitexp.record.facts import State
from gitexp.record.summary import Aggregate
from gitexp.sdk import frames, kept, notebook
from gitexp.sdk.active import begin_fork
from gitexp.sdk.kept import RecordedArtifact
from gitexp.sdk.run import Run
from gitexp.store import annotations as facts
from gitexp.store import runs as stored
from gitexp.store import series
from gitexp.store import workspace as workspaces
from gitexp.store.series import Series
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd


class RecordedRun:
    """A run that was recorded, or is running; parts are read when they are asked for."""

    def __init__(self, workspace: Workspace, found: stored.Run | Entry) -> None:
        self._workspace = workspace
        self._found = found

    def __repr__(self) -> str:
        return f"<gitexp.RecordedRun {self.experiment}/{self.name} {self.id[:7]} {self.status}>"

    def _repr_html_(self) -> str:
        return notebook.run(self._workspace, self._entry)

    @property
    def id(self) -> str:
        """The run's id, 16 letters from k to z."""
        return self._found.id

    @property
    def name(self) -> str:
        """The display name; a title given later wins."""
        title = self._found.title if isinstance(self._found, Entry) else self._state.title
        return title or self._found.name

    @property
    def experiment(self) -> str:
        """The name of its experiment."""
        return self._found.experiment

    @property
    def status(self) -> str:
        """running, completed, failed or killed."""
        return self._found.status

    @property
    def ref(self) -> str | None:
        """The full ref, None while the run is live."""
        return self._found.ref

    @property
    def commit(self) -> str | None:
        """The run commit (40 hex digits), None while the run is live; `commit^` is the code."""
        return self._found.commit

    @property
    def params(self) -> dict[str, Any]:
        """Nested params."""
        return self._run.params

    @property
    def summary(self) -> Mapping[str, Aggregate]:
        """{metric: its aggregates}: `.last`, `.min`, `.max`, `.mean`, `.count`, `.min_step` …"""
        return self._run.summary

    @property
    def tags(self) -> dict[str, str]:
        """Tags, those added later too; a bare one has the value ""."""
        if isinstance(self._found, Entry):
            return dict(self._found.tags)
        return self._state.tags_over(self._run.record.tags)

    @property
    def artifacts(self) -> list[RecordedArtifact]:
        """The files that it kept, and links to what stays elsewhere, by name."""
        return kept.of(self._run)

    def artifact(self, name: str) -> RecordedArtifact:
        """Return one file that it kept, a folder of them, or a link: `.path()`, `.read()`, `.get(to=…)`.

        Raises NotFound with what there is.
        """
        return kept.one(self._run, name)

    @property
    def used(self) -> list[dict[str, Any]]:
        """The artifacts of other runs that it read: run (id), artifact, sha256, as (what was typed), time."""
        return [use.to_json() for use in self._run.used]

    @property
    def record(self) -> dict[str, Any]:
        """Everything as `gitexp show --json` prints it."""
        return find.describe(self._run, self._state)

    @cached_property
    def _run(self) -> stored.Run:
        """The record; of a run from a list it is read when something is asked that lists do not know."""
        return self._found if isinstance(self._found, stored.Run) else find.load(self._workspace, self._found)

    @cached_property
    def _entry(self) -> Entry:
        """What lists know of it."""
        if isinstance(self._found, Entry):
            return self._found
        entry = search.get(database.of(self._workspace), self.id)
        if entry is None:
            raise NotFound(f"run {self.id[:7]} is gone", hint="list the runs with: gitexp log --all")
        return entry

    @property
    def _state(self) -> State:
        return facts.state(self._workspace, self._run)

    def metric(self, name: str) -> Series:
        """Return the history of one metric, in the order logged; raises UsageError for one that the run lacks."""
        found = series.read(self._run, [name]).get(name)
        if found is None:
            known = ", ".join(sorted(self.summary)[:10]) or "none"
            raise UsageError(f"run {self.name!r} has no metric {name!r}", hint=f"it has: {known}")
        return found

    def metrics(self, *, wide: bool = False) -> pd.DataFrame:
        """Return all points as a DataFrame, in the order logged: metric, step, time (UTC), value.

        wide: a row a step and a column a metric instead, by name; where a metric has several points at one step, the
        latest one.
        """
        return frames.points(self._run, wide=wide)

    def fork(self, *, name: str | None = None, params: Mapping[str, Any] | None = None) -> Run:
        """Begin a new run from this one: its params with `params` over them; the record says where it is from."""
        return begin_fork(self._run, name, {**self.params, **(params or {})})

    def tag(self, *bare: str, **named: Any) -> None:
        """Add tags, as facts."""
        annotate.tag(self._workspace, [self._run], {**dict.fromkeys(bare, ""), **_texts(named)})

    def note(self, said: str) -> None:
        """Add a note."""
        annotate.note(self._workspace, [self._run], said)

    def post(self, numbers: Mapping[str, float]) -> None:
        """Add numbers learned later, such as a business metric: `run.post({"uplift": 0.02})`."""
        annotate.post(self._workspace, [self._run], {name: values.number(item) for name, item in numbers.items()})


class Runs(Sequence[RecordedRun]):
    """A list of runs."""

    def __init__(self, workspace: Workspace, found: Sequence[RecordedRun]) -> None:
        self._workspace = workspace
        self._found = tuple(found)

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, index: int) -> RecordedRun: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> RecordedRun | Runs:
        return Runs(self._workspace, self._found[index]) if isinstance(index, slice) else self._found[index]

    def __iter__(self) -> Iterator[RecordedRun]:
        return iter(self._found)

    def __repr__(self) -> str:
        return f"<gitexp.Runs: {len(self)}>"

    def _repr_html_(self) -> str:
        return notebook.runs(self._workspace, self[: notebook.ROWS]._entries(), len(self))

    def to_dataframe(self, *, aggregates: str | Sequence[str] = ()) -> pd.DataFrame:
        """Return a row a run: id, name, status, start, duration …, then params.*, metrics.*, post.* and tags.*.

        A metric's column has the value that represents it (docs/configuration.md; `frame.attrs["represents"]` says
        which). aggregates: further values of each metric, as columns such as `metrics.loss:min`: "all", or some of
        last, min, max, mean, first and count. Missing values are NA; columns whose values differ in kind hold objects.
        """
        return frames.table(self._entries(), goals.context(self._workspace), aggregates)

    def _entries(self) -> list[Entry]:
        """What lists know of the runs."""
        return [run._entry for run in self._found]


def _texts(named: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in named.items()}


def get_run(name: str, *, repo: str | None = None) -> RecordedRun:
    """Return one run by its name, id or prefix of it, ref, commit, or `@`, `@~2`, `@{best:val_auc}`, `@{min:loss}`.

    Raises NotFound, and Ambiguous with the candidates.
    """
    workspace = workspaces.open(repo)
    return RecordedRun(workspace, find.one(workspace, name))


def runs(
    experiment: str | None = None, *, where: str = "", sort: str = "", limit: int | None = None, repo: str | None = None
) -> Runs:
    """Return runs, of one experiment and those below it, or of all: those of which `where` is true, newest first.

    `where` is a query such as "metrics.val_auc > 0.9 and params.lr < 0.01" (docs/query.md), `sort` names to order by,
    "-metrics.val_auc,params.lr". Removed runs are left out. Raises BadQuery, and NotFound for the experiment.
    """
    workspace = workspaces.open(repo)
    query = listing.Query(experiment or "", every=experiment is None, limit=limit, where=where, sort=sort)
    return Runs(workspace, [RecordedRun(workspace, entry) for entry in listing.entries(workspace, query)])


def metrics(
    runs: Iterable[RecordedRun], names: str | Sequence[str] | None = None, *, wide: bool = False
) -> pd.DataFrame:
    """Return the histories of several runs as one DataFrame: run (id), name, metric, step, time (UTC), value.

    names: a metric, or several; when left out, all. wide: a row a step and a column a run, where one name is given;
    else a column a metric and run. Raises UsageError for a metric that none of the runs has, and for what is no runs.
    """
    given = list(runs) if isinstance(runs, Iterable) else [None]
    if not all(isinstance(run, RecordedRun) for run in given):
        raise UsageError("metrics takes several runs", hint='gitexp.metrics([run], "loss"), or run.metrics()')
    found = [(run._run, run.name) for run in given]
    return frames.metrics(found, [names] if isinstance(names, str) else names, wide=wide)
