"""Which checkpoints a policy keeps, and what becomes of the bytes of the others."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gitexp
from gitexp.errors import UsageError
from gitexp.ops.recording import checkpoints
from gitexp.ops.recording.checkpoints import Checkpoint, Policy
from tests import support

BIG = 150_000


def some(values: list[float | None]) -> list[Checkpoint]:
    return [Checkpoint(f"c{step}", step, value, step) for step, value in enumerate(values)]


def steps(values: list[float | None], **policy: Any) -> list[int]:
    found = some(values)
    gone = checkpoints.fallen(found, Policy(**policy))
    return [item.step for item in found if item not in gone]


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"best": 1}, [1]),
        ({"best": 1, "higher": False}, [3]),
        ({"best": 2}, [1, 2]),
        ({"last": 2}, [3, 4]),
        ({"best": 1, "last": 1}, [1, 4]),
        ({"best": 9, "last": 0}, [0, 1, 2, 3]),
        ({"last": 0}, []),
    ],
)
def test_a_policy_keeps_the_best_and_the_last(policy: dict[str, Any], kept: list[int]) -> None:
    assert steps([0.5, 0.9, 0.7, 0.1, None], **policy) == kept


def test_of_equal_ones_the_later_is_better_and_nan_is_never_the_best() -> None:
    assert steps([0.5, 0.5, math.nan], best=1) == [1]
    assert steps([math.nan, math.nan], best=1) == []


@given(
    values=st.lists(st.none() | st.floats(), max_size=8),
    best=st.none() | st.integers(0, 4),
    last=st.none() | st.integers(0, 4),
)
def test_no_policy_keeps_more_than_it_says(values: list[float | None], best: int | None, last: int | None) -> None:
    kept = steps(values, best=best, last=last)
    if best is None and last is None:
        assert kept == list(range(len(values)))
    else:
        assert len(kept) <= (best or 0) + (last or 0)
        assert set(range(len(values))[-last:] if last else ()) <= set(kept)


def names(run: gitexp.Run) -> list[str]:
    return [item.name for item in gitexp.get_run(run.id).artifacts]


def objects_here(project: Path) -> int:
    return sum(1 for path in (project / ".git/gitexp/objects").rglob("*") if path.is_file())


def test_what_falls_out_is_freed_at_once_and_in_no_commit(project: Path, untouched: None, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with gitexp.start_run() as run:
        for step, auc in enumerate([0.5, 0.9, 0.7, 0.6]):
            path.write_bytes(bytes([step]) * BIG)
            run.log({"val_auc": auc}, step=step)
            run.log_checkpoint(path, step=step, metric="val_auc", best=1, last=1)
            assert objects_here(project) <= 2
    assert names(run) == ["checkpoints/1/model.pt", "checkpoints/3/model.pt"]
    facts = gitexp.get_run(run.id)._run.artifact_facts
    assert facts["checkpoints/1/model.pt"] == {"type": "checkpoint", "step": 1, "metric": "val_auc", "value": 0.9}
    assert [item.read()[0] for item in gitexp.get_run(run.id).artifacts] == [1, 3]


def test_folders_and_small_files_are_freed_too(project: Path, tmp_path: Path) -> None:
    with gitexp.start_run() as run:
        for step in range(4):
            support.write(tmp_path / "ckpt/small.json", f"{step}")
            support.write(tmp_path / "ckpt/sub/big.bin", os.urandom(BIG))
            run.log_checkpoint(tmp_path / "ckpt", last=1, role="resume")
        assert len(list((run._session.folder / "files").iterdir())) == 1  # type: ignore[union-attr]  # it records
    assert names(run) == ["checkpoints/3/ckpt/small.json", "checkpoints/3/ckpt/sub/big.bin"]
    assert objects_here(project) == 1
    assert gitexp.get_run(run.id).artifacts[0].role == "resume"


def test_bytes_that_anything_else_names_stay(project: Path, tmp_path: Path) -> None:
    path = support.write(tmp_path / "model.pt", b"a" * BIG)
    with gitexp.start_run(name="first") as first:
        first.log_artifact(path)
    with gitexp.start_run(name="live") as other, gitexp.start_run(name="second") as run:
        run.log_checkpoint(path, step=0, last=1)  # the bytes of a recorded run
        path.write_bytes(b"b" * BIG)
        run.log_checkpoint(path, step=1, last=1)
        run.log_artifact(path, "kept.pt", wait=True)  # of the run itself
        path.write_bytes(b"c" * BIG)
        run.log_checkpoint(path, step=2, last=1)
        other.log_artifact(path, wait=True)  # of one that is running
        path.write_bytes(b"d" * BIG)
        run.log_checkpoint(path, step=3, last=1)
    for recorded, letters in ((first, b"a"), (run, b"db"), (other, b"c")):
        assert b"".join(item.read()[:1] for item in gitexp.get_run(recorded.id).artifacts) == letters
    support.gitexp("fsck")


def test_a_step_that_is_logged_again_is_replaced(project: Path, tmp_path: Path) -> None:
    with gitexp.start_run() as run:
        for letter in (b"a", b"b"):
            run.log_checkpoint(support.write(tmp_path / "m.pt", letter * BIG), step=7, last=3)
    assert [item.read()[:1] for item in gitexp.get_run(run.id).artifacts] == [b"b"]
    assert objects_here(project) == 1


def test_one_that_would_fall_out_itself_is_never_stored(project: Path, tmp_path: Path) -> None:
    path = support.write(tmp_path / "m.pt", b"a" * BIG)
    with gitexp.start_run() as run:
        run.log_checkpoint(path, step=0, value=0.1, top=1, mode="min")
        path.write_bytes(b"b" * BIG)
        run.log_checkpoint(path, step=1, value=0.2, top=1, mode="min")
        assert objects_here(project) == 1
    assert names(run) == ["checkpoints/0/m.pt"]


def test_checkpoints_of_different_names_do_not_compete(project: Path, tmp_path: Path) -> None:
    path = support.write(tmp_path / "m.pt", b"a")
    with gitexp.start_run() as run:
        for step in range(3):
            run.log_checkpoint(path, step=step, last=1)
            run.log_checkpoint(path, step=step, last=2, name="ema/m.pt")
    assert names(run) == ["checkpoints/1/ema/m.pt", "checkpoints/2/ema/m.pt", "checkpoints/2/m.pt"]


def test_a_resumed_run_goes_on_with_its_checkpoints(project: Path, tmp_path: Path) -> None:
    path = support.write(tmp_path / "m.pt", b"a" * BIG)
    with gitexp.start_run() as run:
        run.log_checkpoint(path, value=0.9, best=1, mode="max")
    with gitexp.start_run(resume=run.id) as more:
        path.write_bytes(b"b" * BIG)
        more.log_checkpoint(path, value=0.5, best=1, last=1, mode="max")
        path.write_bytes(b"c" * BIG)
        more.log_checkpoint(path, value=0.95, best=1, last=1, mode="max")
    assert names(more) == ["checkpoints/2/m.pt"]
    assert support.git(project, "show", f"{run.commit}:.gitexp/artifacts/checkpoints/0/m.pt").startswith("version")
    assert objects_here(project) == 2  # that commit's stays
    support.gitexp("fsck")


def test_a_metric_that_was_never_logged_is_said(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with gitexp.start_run() as run:
        run.log_checkpoint("train.py", metric="val_auc", last=1)
    assert names(run) == ["checkpoints/0/train.py"]
    assert "no metric 'val_auc' was logged" in capfd.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        {"best": 1},
        {"best": 1, "value": 0.5},
        {"best": 1, "metric": "what"},
        {"best": -1, "metric": "loss"},
        {"last": 0.5},
        {"mode": "up"},
    ],
)
def test_policies_that_cannot_be_meant_are_refused(project: Path, wrong: dict[str, Any]) -> None:
    with gitexp.start_run() as run, pytest.raises(UsageError):
        run.log_checkpoint("train.py", **wrong)
