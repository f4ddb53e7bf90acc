"""A run that is being recorded."""

from __future__ import annotations

import os
import sys
import time as _time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from gitexp import ids, text
from gitexp.errors import GitexpError, UsageError
from gitexp.ops import annotate
from gitexp.ops.finding import using
from gitexp.ops.recording import evaluate, failures, lifecycle
from gitexp.ops.recording.background import Keeper
from gitexp.ops.recording.lifecycle import Session
from gitexp.record import params, points, values
from gitexp.record.reasons import Reason
from gitexp.record.summary import Aggregate
from gitexp.sdk import evaluations, rows
from gitexp.sdk.artifacts import Artifacts
from gitexp.sdk.datasets import Datasets
from gitexp.sdk.outcome import described, outcome
from gitexp.store import events, journal
from gitexp.store import workspace as workspaces
from gitexp.store.journal import BACKLOG_ROWS, Row
from gitexp.store.runs import Run as StoredRun
from gitexp.store.workspace import Workspace

STATUSES = ("completed", "failed", "killed")


class Summary(MutableMapping[str, Any]):
    """What stands for each metric: `run.summary["loss"].min`; a number that is set here overrides what was logged."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __getitem__(self, name: str) -> Aggregate:
        return self._run._summary()[name]

    def __setitem__(self, name: str, value: Any) -> None:
        try:
            number = values.number(value)
        except ValueError as error:
            self._run._warn("summary", f"summary[{name!r}] is {error}")
            return
        self._run._event("summary", values={name: number})

    def __delitem__(self, name: str) -> None:
        raise UsageError(
            f"the summary of {name!r} cannot be removed", hint=f"set it instead: run.summary[{name!r}] = …"
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._run._summary())

    def __len__(self) -> int:
        return len(self._run._summary())


class Run(Artifacts, Datasets):
    """A run of this process. Made by `gitexp.start_run`; as a context manager it finishes itself.

    All logging returns at once: values are taken over in the call, written by a thread. Only misuse raises; a value or
    a write that cannot be recorded warns once and is counted in the record.
    """

    def __init__(
        self,
        session: Session | None,
        *,
        keeper: Callable[[Run], Keeper] | None = None,
        prefix: str = "",
        on_finish: Callable[[Run], None] | None = None,
        quiet: bool = False,
        wait_seconds: float = 0.0,
    ) -> None:
        self._session = session
        self._prefix = prefix
        self._on_finish = on_finish
        self._quiet = quiet
        self._wait_seconds = wait_seconds
        self._pid = os.getpid()
        self._rows: list[Row] = session.writer.rows if session is not None else rows.Nowhere()
        self._cells: dict[str, str] = {}
        self._steps: dict[str, int] = {}
        self._params: dict[str, Any] = {}
        self._lost: dict[str, int] = {}
        self._warned: set[str] = set()
        self._finishing = False
        self._entered = False
        self._stored: StoredRun | None = None
        self._keeper = keeper(self) if keeper is not None and session is not None else None
        self.summary = Summary(self)
        self._begin_artifacts()
        self._begin_datasets()

    def __repr__(self) -> str:
        return f"<gitexp.Run {self.experiment}/{self.name} ({ids.short(self.id)})>" if self._session else "<gitexp.Run>"

    @property
    def id(self) -> str:
        """The run's id, 16 letters from k to z; "" for a rank that records nothing."""
        return self._session.id if self._session else ""

    @property
    def name(self) -> str:
        """The display name."""
        return (self._stored or self._session.start.record).name if self._session else ""

    @property
    def experiment(self) -> str:
        """The experiment's name."""
        return (self._stored or self._session.start.record).experiment if self._session else ""

    @property
    def ref(self) -> str:
        """The full ref that the run has once it has finished."""
        if self._stored is not None:
            return str(self._stored.ref)
        return self._session.start.ref if self._session else ""

    @property
    def commit(self) -> str | None:
        """The run commit, None before `finish`."""
        return self._stored.commit if self._stored else None

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended, here."""
        return self._finishing

    def log(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log several metrics at one step.

        metrics: {name: number}; one-element arrays and tensors count as their number, nested mappings as `a/b`.
        step: a whole number; when left out, one more than the last step of any of these metrics, from 0.
        Raises UsageError when the run has finished or `metrics` is no mapping.
        """
        if not isinstance(metrics, Mapping):
            raise UsageError(
                f"run.log takes a mapping, not {values.short_repr(metrics)}", hint='run.log({"loss": 0.5})'
            )
        now = _time.time_ns() // 1_000_000
        if step is None:
            metrics = _flat(metrics)
            step = 1 + max((self._last_step(self._prefix + name) for name in metrics), default=-1)
        cells, append, steps, plain = self._cells, self._rows.append, self._steps, type(step) is int
        for name, value in metrics.items():
            cell = cells.get(name)
            if plain and cell is not None and type(value) is float:
                append((cell, step, now, value))
                steps[name] = step
            elif isinstance(value, Mapping):
                self.log(_flat({name: value}), step)
            else:
                self._point(name, value, step, now)
                append = self._rows.append  # a forked child writes to its own
        if len(self._rows) > BACKLOG_ROWS:
            self._relieve()

    def log_metric(self, name: str, value: Any, step: int | None = None, time: Any = None) -> None:
        """Log one point of one metric.

        value: an int, a float, a bool (1 or 0), or an array or tensor of one element. step: a whole number; when left
        out, one more than this metric's last. time: seconds since the epoch, or a datetime; when left out, now.
        Raises UsageError when the run has finished.
        """
        cell = self._cells.get(name)
        if cell is not None and time is None and type(value) is float and type(step) is int:
            rows = self._rows
            rows.append((cell, step, _time.time_ns() // 1_000_000, value))
            self._steps[name] = step
            if len(rows) > BACKLOG_ROWS:
                self._relieve()
            return
        if step is None:
            step = 1 + self._last_step(self._prefix + name)
        try:
            now = _time.time_ns() // 1_000_000 if time is None else values.time_ms(time)
        except ValueError as error:
            self._refuse("times", f"the time of {name!r} is {error}")
            return
        self._point(name, value, step, now)

    def _point(self, name: str, value: Any, step: Any, time_ms: int) -> None:
        """Take one point whose name, value and step may be anything."""
        cell = self._cells.get(name)
        if cell is None:
            cell = self._new_cell(name)
            if cell is None:
                return
        try:
            row = (cell, step if type(step) is int else values.step(step), time_ms, values.number(value))
        except ValueError as error:
            self._refuse("values", f"{name!r} at step {step!r}: {error}")
            return
        self._rows.append(row)
        self._steps[name] = row[1]
        if len(self._rows) > BACKLOG_ROWS:
            self._relieve()

    def _new_cell(self, name: Any) -> str | None:
        self._check_open()
        if not isinstance(name, str) or not name or len(name) > points.MAX_NAME:
            self._refuse("names", f"{values.short_repr(name)[:80]} is no name for a metric")
            return None
        full = (self._prefix + name).encode("utf-8", "backslashreplace").decode()
        cell = self._cells[name] = points.cell(full)
        return cell

    def _last_step(self, name: str) -> int:
        bare = name.removeprefix(self._prefix)
        found = self._steps.get(bare)
        if found is None and self._session is not None and self._session.start.previous is not None:
            aggregate = self._before().get(name)
            found = aggregate.last_step if aggregate is not None and aggregate.count else None
        return -1 if found is None else found

    def _before(self) -> Mapping[str, Aggregate]:
        """Return the summary of the run as it was before this resume."""
        assert self._session is not None
        return lifecycle.before(self._session).summary

    def _relieve(self) -> None:
        """Write the backlog in the caller's own time: the memory bound holds, and the wait is counted."""
        if self._session is not None:
            self._session.writer.waits += 1
            self._session.writer.drain()
        else:
            self._rows.clear()

    def log_params(self, mapping: Mapping[str, Any]) -> None:
        """Log params, nested as they are: choices made before training.

        Values: anything JSON has; numpy and torch scalars, paths, enums, dates and dataclasses are converted, what
        cannot be is stored as its repr, with one warning. Raises UsageError for a param that has another value already.
        """
        self._check_open()
        if not isinstance(mapping, Mapping):
            raise UsageError(
                f"params are a mapping, not {values.short_repr(mapping)}", hint='run.log_params({"lr": 0.1})'
            )
        converted, exact = values.plain(mapping)
        if not exact:
            self._warn("params", "some params are recorded as their repr only")
        check_same(self._params, converted)
        self._params = params.merge(self._params, converted)
        self._event("params", source="sdk", values=converted)

    def log_param(self, name: str, value: Any) -> None:
        """Log one param; a dot in its name is part of the name."""
        self.log_params({name: value})

    def tag(self, *bare: str, **named: Any) -> None:
        """Add tags: `run.tag("baseline", owner="ana")`; also after the run has ended, as a fact."""
        tags = {**dict.fromkeys(bare, ""), **{key: str(value) for key, value in named.items()}}
        if self._session is not None and self._stored is not None:
            annotate.tag(self._session.workspace, [self._stored], tags)
        else:
            self._event("tags", values=tags)

    def note(self, said: str) -> None:
        """Add a note; it is a fact with its author and time, and may come after the end too."""
        if self._session is not None:
            self._fact(lambda workspace, run: annotate.note(workspace, [run], str(said)))

    def post(self, numbers: Mapping[str, float]) -> None:
        """Add numbers learned after training, such as an A/B result: `run.post({"uplift": 0.02})`."""
        converted = {name: values.number(value) for name, value in numbers.items()}
        self._fact(lambda workspace, run: annotate.post(workspace, [run], converted))

    def _fact(self, add: Callable[[Workspace, StoredRun], object]) -> None:
        if self._session is None:
            return
        try:
            add(self._session.workspace, self._stored or lifecycle.running(self._session))
        except (GitexpError, OSError) as error:
            self._refuse("facts", f"a fact could not be written: {error}")

    def use_artifact(self, name: str) -> Path:
        """Return the path of an artifact of another run, to be read only, and record that this run has read it.

        name: `RUN:PATH`, `RUN@PATH` or `RUN`, where that has one artifact alone; RUN is any name of a run (an
        experiment/name, an id or its beginning, `@~1`, `@{best:val_auc}`). PATH may be a folder. Or `sha256:…`, the
        hash of the bytes. Raises NotFound where there is no such run or artifact, or its bytes are not in this clone:
        the hint says how to bring them.
        """
        self._check_open()
        workspace = self._session.workspace if self._session is not None else workspaces.open()
        found = using.find(workspace, str(name))
        path = using.place(workspace, found)
        if found.run.id != self.id:
            self._event("used", **found.to_event())
        return path

    def log_confusion_matrix(
        self, y_true: Any, y_pred: Any, *, labels: Sequence[Any] | None = None, name: str = "confusion_matrix"
    ) -> None:
        """Keep how often each class was taken for each, for `gitexp plot --kind confusion`.

        y_true, y_pred: the classes of the samples, shape (n,): numbers or texts, lists, arrays or tensors. labels: the
        classes in the order to show, or names of the classes 0, 1, 2 …; default: those that occur, sorted. name: what
        it is called; the same name again replaces it. Definition: `gitexp.ops.recording.evaluate.confusion`.
        Raises UsageError for other shapes, and for classes that `labels` lacks.
        """
        evaluations.keep(self, name, lambda: evaluate.confusion(y_true, y_pred, labels, name))

    def log_roc(
        self, y_true: Any, scores: Any, *, labels: Sequence[Any] | None = None, positive: Any = None,
        name: str = "roc", step: int | None = None,
    ) -> None:  # fmt: skip
        """Keep a ROC curve, for `gitexp plot --kind roc`, and its area as the metric `<name>_auc`.

        y_true: the classes of the samples, shape (n,). scores: of the positive class, shape (n,), or of each class,
        (n, classes): then a curve for each class against the rest, and the unweighted mean of their areas. labels: the
        classes in the order of the columns, or their names. positive: the positive one of two classes; default 1, True,
        or the second of `labels`. step: of the metric. Definition: `gitexp.ops.recording.evaluate.roc`.
        Raises UsageError for shapes that do not fit, and where the positive class is not clear.
        """
        evaluations.keep(self, name, lambda: evaluate.roc(y_true, scores, labels, positive, name), step)

    def log_pr(
        self, y_true: Any, scores: Any, *, labels: Sequence[Any] | None = None, positive: Any = None,
        name: str = "pr", step: int | None = None,
    ) -> None:  # fmt: skip
        """Keep a precision-recall curve, for `gitexp plot --kind pr`, and average precision as the metric `<name>_ap`.

        Arguments and errors are those of `log_roc`. Definition: `gitexp.ops.recording.evaluate.pr`.
        """
        evaluations.keep(self, name, lambda: evaluate.pr(y_true, scores, labels, positive, name), step)

    def finish(self, status: str = "completed", *, exit_code: int | None = None) -> None:
        """End the run: all is on the disk, as one commit, when this returns. Again does nothing.

        status: completed, failed or killed. A full disk is said on stderr; the journal is kept for `gitexp recover`.
        """
        if status not in STATUSES:
            raise UsageError(f"no status {status!r}", hint="one of: " + ", ".join(STATUSES))
        self._finish(status, exit_code, None)

    def _finish(
        self, status: str, exit_code: int | None, error: BaseException | None, why: Sequence[Reason] = ()
    ) -> None:
        if self._finishing or self._session is None or os.getpid() != self._pid:
            self._finishing = True
            return
        self._finishing = True
        self._finish_datasets(status)
        self._storer.close()
        if self._keeper is not None:
            self._keeper.stop()
        try:
            if counts := self._counts():
                self._session.writer.event("lost", counts=counts)
            self._stored = lifecycle.finish(
                self._session,
                status,
                exit_code=exit_code,
                error=described(error) if status == "failed" else None,
                reasons=why or failures.of_error(self._session.workspace, error),
                wait_seconds=self._wait_seconds,
            )
        except (GitexpError, OSError, ValueError) as trouble:
            who = f"{self.experiment}/{self.name} ({ids.short(self.id)})"
            self._say(
                f"gitexp: {text.safe(who)} is kept in its journal, not committed: {trouble}; then: gitexp recover"
            )
            with suppress(OSError):
                self._session.writer.close()
        if self._on_finish is not None:
            self._on_finish(self)
        if self._stored is not None and not self._quiet:
            self._say(f"gitexp: {lifecycle.closing(self._stored)}")

    def _counts(self) -> dict[str, int]:
        counts = dict(self._lost)
        if self._session is not None and self._session.writer.lost:
            counts["points"] = counts.get("points", 0) + self._session.writer.lost
        if self._not_stored:
            counts["artifacts"] = counts.get("artifacts", 0) + self._not_stored
        return counts

    def __enter__(self) -> Run:
        self._entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        status, code = outcome(error)
        self._finish(status, code, error)

    def _event(self, op: str, **fields: Any) -> None:
        self._check_open()
        if self._session is None:
            return
        try:
            self._session.writer.event(op, **fields)
        except (OSError, ValueError) as error:
            self._refuse("events", f"{op} could not be written: {error}")

    def _summary(self) -> Mapping[str, Aggregate]:
        if self._stored is not None:
            return self._stored.summary
        if self._session is None:
            return {}
        self._session.writer.drain()
        return events.with_set(events.summary(self._session.folder), events.of(self._session.folder).summary)

    def _check_open(self) -> None:
        if self._finishing and os.getpid() == self._pid:
            raise UsageError(
                f"the run {self.name!r} has finished", hint=f"resume it: gitexp.start_run(resume={self.id!r})"
            )
        if os.getpid() != self._pid:
            self._join_after_fork()

    def _join_after_fork(self) -> None:
        """Let a forked child write files of its own, at once: it may end without a word (os._exit)."""
        assert self._session is not None
        self._pid = os.getpid()
        writer = journal.Writer(self._session.folder, f"pid{self._pid}-{os.urandom(3).hex()}")
        writer.rows = self._rows = rows.Through(writer)
        self._session = Session(self._session.workspace, self._session.start, self._session.folder, writer)
        self._finishing = False

    def _forked(self) -> None:
        """In a forked child: forget what the parent will write."""
        if self._session is None:
            return
        self._session.writer.abandon_in_child()
        self._keeper = None
        self._begin_artifacts()  # what waits there is the parent's
        self._begin_datasets()
        self._cells.clear()  # the next point takes the slow way, and joins
        self._rows = rows.Nowhere()

    def _refuse(self, reason: str, line: str) -> None:
        self._lost[reason] = self._lost.get(reason, 0) + 1
        self._warn(reason, line)

    def _warn(self, reason: str, line: str) -> None:
        if not self._warned:
            self._say(f"gitexp: warning: {line} (said once; the record counts them)")
        self._warned.add(reason)

    def _trouble(self, error: Exception) -> None:
        """Hear of what went wrong beside the training."""
        self._warn("background", f"{type(error).__name__}: {error}; training goes on")

    def _alarm(self, line: str) -> None:
        """Warn of something that the whole run is about; also where the process that owns the run is another."""
        if self._session is not None and not self._session.workspace.settings.flag("quiet") and sys.stderr is not None:
            with suppress(OSError, ValueError):
                print(f"gitexp: warning: {line}", file=sys.stderr)

    def _say(self, line: str) -> None:
        if not self._quiet and sys.stderr is not None:
            with suppress(OSError, ValueError):
                print(line, file=sys.stderr)


def _flat(metrics: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}/{below}": item for below, item in _flat(value).items()}
        else:
            flat[name] = value
    return flat


def check_same(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise UsageError for a param that has another value already; names both."""
    known, new = params.flatten(before), params.flatten(now)
    for path, value in new.items():
        if path in known and known[path] != value and not (known[path] != known[path] and value != value):
            raise UsageError(
                f"param {path!r} is {values.short_repr(known[path])} already, not {values.short_repr(value)}",
                hint="log a value that changes as a metric, or start another run",
            )
