"""Runs that were recorded, read from Python."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from gitexp.errors import UsageError
from gitexp.ops import annotate, find, listing
from gitexp.record import values
from gitexp.record.facts import State
from gitexp.record.summary import Aggregate
from gitexp.sdk.active import begin_fork
from gitexp.sdk.run import Run
from gitexp.store import annotations as facts
from gitexp.store import runs as stored
from gitexp.store import workspace as workspaces

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Series:
    """One metric's history: `steps` (int64), `times` (float64, seconds since the epoch) and `values` (float64).

    Steps beyond 64 bits come as Python integers (an array of objects), values beyond all floats as infinities.
    """

    name: str
    steps: np.ndarray[Any, Any]
    times: np.ndarray[Any, Any]
    values: np.ndarray[Any, Any]

    def __len__(self) -> int:
        return len(self.values)


class RecordedRun:
    """A run that was recorded, or is running; parts are read when they are asked for."""

    def __init__(self, run: stored.Run) -> None:
        self._run = run

    def __repr__(self) -> str:
        return f"<gitexp.RecordedRun {self.experiment}/{self.name} {self.id[:7]} {self.status}>"

    @property
    def id(self) -> str:
        """The run's id, 16 letters from k to z."""
        return self._run.id

    @property
    def name(self) -> str:
        """The display name; a title given later wins."""
        return self._state.title or self._run.name

    @property
    def experiment(self) -> str:
        """The name of its experiment."""
        return self._run.experiment

    @property
    def status(self) -> str:
        """running, completed, failed or killed."""
        return self._run.status

    @property
    def ref(self) -> str | None:
        """The full ref, None while the run is live."""
        return self._run.ref

    @property
    def commit(self) -> str | None:
        """The run commit (40 hex digits), None while the run is live; `commit^` is the code."""
        return self._run.commit

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
        return self._state.tags_over(self._run.record.tags)

    @property
    def record(self) -> dict[str, Any]:
        """Everything as `gitexp show --json` prints it."""
        return find.describe(self._run, self._state)

    @property
    def _state(self) -> State:
        return facts.state(self._run.workspace, self._run)

    def metric(self, name: str) -> Series:
        """Return the history of one metric, in the order logged; raises UsageError for one that the run lacks."""
        import numpy as np

        rows = [point for point in self._run.points() if point.metric == name]
        if not rows:
            known = ", ".join(sorted(self.summary)[:10]) or "none"
            raise UsageError(f"run {self.name!r} has no metric {name!r}", hint=f"it has: {known}")
        return Series(
            name,
            _steps([point.step for point in rows]),
            np.array([point.time_ms for point in rows], dtype=np.float64) / 1000,
            np.array([_float(point.value) for point in rows], dtype=np.float64),
        )

    def metrics(self, *, wide: bool = False) -> pd.DataFrame:
        """Return all points as a DataFrame: metric, step, time, value; `wide`: a row a step, a column a metric.

        Where a metric has several points at one step, the wide table has the last one.
        """
        import pandas as pd

        rows = list(self._run.points())
        frame = pd.DataFrame(rows, columns=["metric", "step", "time", "value"])
        frame["time"] = frame["time"] / 1000
        if not wide:
            return frame
        return frame.pivot_table(index="step", columns="metric", values="value", aggfunc="last")

    def fork(self, *, name: str | None = None, params: Mapping[str, Any] | None = None) -> Run:
        """Begin a new run from this one: its params with `params` over them; the record says where it is from."""
        return begin_fork(self._run, name, {**self.params, **(params or {})})

    def tag(self, *bare: str, **named: Any) -> None:
        """Add tags, as facts."""
        annotate.tag(self._run.workspace, [self._run], {**dict.fromkeys(bare, ""), **_texts(named)})

    def note(self, said: str) -> None:
        """Add a note."""
        annotate.note(self._run.workspace, [self._run], said)

    def post(self, numbers: Mapping[str, float]) -> None:
        """Add numbers learned later, such as a business metric: `run.post({"uplift": 0.02})`."""
        annotate.post(self._run.workspace, [self._run], {name: values.number(item) for name, item in numbers.items()})


def _steps(steps: list[int]) -> np.ndarray[Any, Any]:
    import numpy as np

    try:
        return np.array(steps, dtype=np.int64)
    except OverflowError:
        return np.array(steps, dtype=object)


def _float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


class Runs(Sequence[RecordedRun]):
    """A list of runs."""

    def __init__(self, found: Sequence[RecordedRun]) -> None:
        self._found = tuple(found)

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, index: int) -> RecordedRun: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> RecordedRun | Runs:
        return Runs(self._found[index]) if isinstance(index, slice) else self._found[index]

    def __iter__(self) -> Iterator[RecordedRun]:
        return iter(self._found)

    def __repr__(self) -> str:
        return f"<gitexp.Runs: {len(self)}>"


def _texts(named: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in named.items()}


def get_run(name: str, *, repo: str | None = None) -> RecordedRun:
    """Return one run by its name, id or prefix of it, ref, commit, or `@`, `@~2`, `@{max:val_auc}`, `@{min:loss}`.

    Raises NotFound, and Ambiguous with the candidates.
    """
    return RecordedRun(find.one(workspaces.open(repo), name))


def runs(experiment: str | None = None, *, limit: int | None = None, repo: str | None = None) -> Runs:
    """Return runs, newest first: of one experiment, or of all. Removed ones are left out."""
    workspace = workspaces.open(repo)
    query = listing.Query(experiment=experiment or "", every=experiment is None, limit=limit)
    return Runs([RecordedRun(listing.load(workspace, row)) for row in listing.collect(workspace, query).rows])
