"""Losses that are NaN or infinite: which metrics count, when it is told, and that it is told once."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from gitexp.ops.recording import losses
from gitexp.ops.recording.losses import Losses
from gitexp.record import points
from gitexp.record.summary import Aggregate
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace
from tests import recording, support

LOSSES = ["loss", "train/loss", "valLoss", "val_loss", "nll", "Loss/train", "perplexity", "loss.total"]
OTHERS = ["val_auc", "best_val_loss", "min_loss", "grad_norm", "losses_avoided_best", "gloss", "epoch"]


def of(**metrics: list[float]) -> dict[str, Aggregate]:
    found = {}
    for name, values in metrics.items():
        found[points.cell(name)] = aggregate = Aggregate()
        for step, value in enumerate(values):
            aggregate.add(step, 0, value)
    return found


def test_losses_are_known_by_the_words_of_their_names(workspace: Workspace) -> None:
    assert [name for name in [*LOSSES, *OTHERS] if losses.is_loss(workspace, name)] == LOSSES


def test_the_project_can_say_which_metrics_are_losses(project: Path) -> None:
    support.write(project / "gitexp.toml", 'lossMetrics = ["energy*", "loss"]')
    found = workspaces.open(project)
    assert [name for name in ("energy/total", "loss", "val_loss") if losses.is_loss(found, name)] == [
        "energy/total",
        "loss",
    ]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.5, math.nan], "loss is NaN at step 1"),
        ([0.5, math.inf], "loss is infinite at step 1"),
        ([-math.inf], "loss is infinite at step 0"),
        ([math.nan, 0.5], None),  # it has recovered
        ([0.5, 2**2000], None),
        ([], None),
    ],
)
def test_the_newest_value_decides(workspace: Workspace, values: list[float], said: str | None) -> None:
    found = Losses(workspace, of(loss=values)).look()
    assert (found.text if found else None) == said


def test_a_loss_that_comes_later_is_seen_and_it_is_told_once(workspace: Workspace) -> None:
    summary = of(loss=[0.5], **{"odd,name": [1.0]})
    watch = Losses(workspace, summary)
    assert watch.look() is None
    summary |= of(**{"val,loss": [math.nan]})
    found = watch.look()
    assert found is not None
    assert found.text == "val,loss is NaN at step 0"
    summary["loss"].add(9, 0, math.nan)
    assert watch.look() is None


def test_a_project_can_do_without(project: Path) -> None:
    support.write(project / "gitexp.toml", "[failures]\nnan = false\n")
    assert Losses(workspaces.open(project), of(loss=[math.nan])).look() is None


def test_a_run_that_ends_is_looked_at_whatever_its_status(project: Path) -> None:
    done = recording.record(project, "fine", metrics={"loss": [0.5, math.nan]})
    assert done.record.tags == {"nan": ""}
    assert [reason.to_json() for reason in done.record.reasons] == [
        {"tag": "nan", "from": "loss", "text": "loss is NaN at step 1"}
    ]
    assert recording.record(project, "good", metrics={"loss": [0.5], "auc": [math.nan]}).record.tags == {}
