"""Recording from Python: start_run, the run, and the same calls on the run that is active."""

from __future__ import annotations

from gitexp.sdk.active import (
    active_run,
    end_run,
    log,
    log_artifact,
    log_metric,
    log_param,
    log_params,
    note,
    seed_everything,
    start_run,
    tag,
)
from gitexp.sdk.recorded import RecordedRun, Runs, get_run, runs
from gitexp.sdk.run import Run, Summary
from gitexp.sdk.tracked import track

__all__ = [
    "RecordedRun",
    "Run",
    "Runs",
    "Summary",
    "active_run",
    "end_run",
    "get_run",
    "log",
    "log_artifact",
    "log_metric",
    "log_param",
    "log_params",
    "note",
    "runs",
    "seed_everything",
    "start_run",
    "tag",
    "track",
]
