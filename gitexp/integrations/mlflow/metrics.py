"""Histories of metrics, in MLflow's order: what was logged twice is there once."""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mlflow.entities import Metric
from mlflow.store.entities.paged_list import PagedList
from mlflow.utils.search_utils import SearchUtils

from gitexp.integrations.mlflow import failures, table
from gitexp.store import runs, series
from gitexp.store.live import LiveRun
from gitexp.store.runs import Run
from gitexp.store.series import Series
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_BY_TIME, _BY_STEP = ("times_ms", "steps"), ("steps", "times_ms")


class Metrics:
    """The part of the store that reads histories."""

    workspace: Workspace

    def get_metric_history(
        self, run_id: str, metric_key: str, max_results: int | None = None, page_token: Any = None
    ) -> PagedList[Metric]:
        """Return the points of a metric by time, step and value; nothing for a run or metric that is not there."""
        offset = SearchUtils.parse_start_offset_from_page_token(page_token)
        history = self._history(run_id, metric_key, _BY_TIME)
        end = len(history) if max_results is None else offset + max_results
        token = SearchUtils.create_page_token(end) if end < len(history) else None
        return PagedList(_metrics(metric_key, history, range(offset, min(end, len(history)))), token)

    def get_metric_history_bulk(self, run_ids: Sequence[str], metric_key: str, max_results: int) -> list[Any]:
        """Return the points of a metric of several runs, by run id."""
        found: list[Any] = []
        for run_id in sorted(set(run_ids)):
            history = self._history(run_id, metric_key, _BY_TIME)
            wanted = range(min(len(history), max_results - len(found)))
            found += _with_run(run_id, _metrics(metric_key, history, wanted))
        return found

    def get_max_step_for_metric(self, run_id: str, metric_key: str) -> int:
        """Return the greatest step, 0 where there is no point."""
        history = self._history(run_id, metric_key, _BY_STEP)
        return int(history.steps[-1]) if len(history) else 0

    def get_metric_history_bulk_interval_from_steps(
        self, run_id: str, metric_key: str, steps: Collection[int], max_results: int
    ) -> list[Any]:
        """Return the points at some steps."""
        history = self._history(run_id, metric_key, _BY_STEP)
        wanted = set(steps)
        found = [at for at, step in enumerate(history.steps) if int(step) in wanted]
        return _with_run(run_id, _metrics(metric_key, history, found[:max_results]))

    def get_metric_history_bulk_interval(
        self, run_ids: Sequence[str], metric_key: str, max_results: int, start_step: int | None, end_step: int | None
    ) -> list[Any]:
        """Return about `max_results` points of each run, evenly spread over a range of steps with its ends."""
        if (start_step is None) != (end_step is None):
            raise failures.bad("Both start_step and end_step must be specified together, or neither may be specified.")
        found: list[Any] = []
        for run_id in run_ids:
            history = self._history(run_id, metric_key, _BY_STEP)
            low, high = 0, len(history)
            if start_step is not None and end_step is not None:
                low = bisect.bisect_left(history.steps, start_step)
                high = bisect.bisect_right(history.steps, end_step)
            wanted = (low + at for at in _spread(high - low, max(1, max_results)))
            found += _with_run(run_id, _metrics(metric_key, history, wanted))
        return found

    def _history(self, run_id: str, key: str, order: tuple[str, str]) -> Series:
        """Return a metric's points, each once, sorted."""
        from mlflow.exceptions import MlflowException

        try:
            parts = [found for run in _sessions(table.run(self.workspace, run_id)) if (found := _read(run, key))]
        except MlflowException:  # of a run that does not exist MLflow's own store knows no points
            parts = []
        return _sorted(key, parts, order)


def _sessions(run: Run) -> Iterator[Run]:
    """Yield a run's earlier record, where what is written now follows it, then the run."""
    if isinstance(run, LiveRun) and run.start.previous and not run.start.replaces:
        yield runs.load(run.workspace, run.start.previous)
    yield run


def _read(run: Run, key: str) -> Series | None:
    return series.read(run, [key]).get(key)


def _sorted(key: str, parts: Sequence[Series], order: tuple[str, str]) -> Series:
    import numpy as np

    steps, times, values = (
        np.concatenate([getattr(part, name) for part in parts]) if parts else np.array([], dtype=kind)
        for name, kind in (("steps", np.int64), ("times_ms", np.int64), ("values", np.float64))
    )
    columns = {"steps": steps, "times_ms": times}
    by = np.lexsort((np.nan_to_num(values, nan=0.0), columns[order[1]], columns[order[0]]))
    steps, times, values = steps[by], times[by], values[by]
    if len(by) > 1:
        same = (steps[1:] == steps[:-1]) & (times[1:] == times[:-1])
        same &= (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
        kept = np.concatenate([[True], ~same])
        steps, times, values = steps[kept], times[kept], values[kept]
    return Series(key, steps, times, values)


def _metrics(key: str, history: Series, wanted: Any) -> list[Metric]:
    places = list(wanted)
    steps, times, values = (part[places].tolist() for part in (history.steps, history.times_ms, history.values))
    return [Metric(key, float(value), time, step) for value, time, step in zip(values, times, steps, strict=True)]


def _with_run(run_id: str, metrics: Sequence[Metric]) -> list[Any]:
    from mlflow.entities.metric import MetricWithRunId

    return [MetricWithRunId(run_id=run_id, metric=metric) for metric in metrics]


def _spread(total: int, count: int) -> list[int]:
    """Return evenly spread places among `total`, the first and the last among them; of one place the last."""
    if total <= count:
        return list(range(total))
    if count == 1:
        return [total - 1]
    return sorted({round(at * (total - 1) / (count - 1)) for at in range(count)})
