"""gitexp: experiment tracking inside the Git repository you already have.

with gitexp.start_run("churn", params={"lr": 0.05}) as run:
    run.log({"loss": 0.3})
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitexp.version import __version__

if TYPE_CHECKING:
    from gitexp.sdk import (
        RecordedArtifact,
        RecordedRun,
        Run,
        Runs,
        Series,
        Summary,
        active_run,
        end_run,
        get_run,
        link_artifact,
        log,
        log_artifact,
        log_audio,
        log_checkpoint,
        log_dataset,
        log_dict,
        log_figure,
        log_histogram,
        log_html,
        log_image,
        log_metric,
        log_param,
        log_params,
        log_table,
        log_text,
        metrics,
        models,
        note,
        runs,
        seed_everything,
        start_run,
        tag,
        track,
    )

__all__ = [
    "RecordedArtifact",
    "RecordedRun",
    "Run",
    "Runs",
    "Series",
    "Summary",
    "__version__",
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
    "models",
    "note",
    "runs",
    "seed_everything",
    "start_run",
    "tag",
    "track",
]


def __getattr__(name: str) -> Any:
    """Load the SDK when it is first used: `import gitexp` alone costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'gitexp' has no attribute {name!r}")
    from gitexp import sdk

    if name == "models":  # a training does without the registry
        from gitexp.sdk import models

        return models
    return getattr(sdk, name)


def __dir__() -> list[str]:
    return __all__
