"""Recording from Python: start_run, the run, and the same calls on the run that is active."""

from __future__ import annotations

from gitexp.sdk.active import (
    active_run,
    end_run,
    log,
    log_metric,
    log_param,
    log_params,
    note,
    seed_everything,
    start_run,
    tag,
)
from gitexp.sdk.calls import (
    link_artifact,
    log_artifact,
    log_audio,
    log_checkpoint,
    log_dataset,
    log_dict,
    log_figure,
    log_histogram,
    log_html,
    log_image,
    log_table,
    log_text,
)
from gitexp.sdk.kept import RecordedArtifact
from gitexp.sdk.recorded import RecordedRun, Runs, get_run, metrics, runs
from gitexp.sdk.run import Run, Summary
from gitexp.sdk.tracked import track
from gitexp.store.series import Series

__all__ = [
    "RecordedArtifact",
    "RecordedRun",
    "Run",
    "Runs",
    "Series",
    "Summary",
    "active_run",
    "end_run",
    "get_run",
    "link_artifact",
    "log",
    "log_artifact",
    "log_audio",
    "log_checkpoint",
    "log_dataset",
    "log_dict",
    "log_figure",
    "log_histogram",
    "log_html",
    "log_image",
    "log_metric",
    "log_param",
    "log_params",
    "log_table",
    "log_text",
    "metrics",
    "note",
    "runs",
    "seed_everything",
    "start_run",
    "tag",
    "track",
]
