"""Objects that are freed, and what killed processes leave half written."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.ops.recording import recover, sweep
from gitexp.store import leftovers, objects
from gitexp.store.workspace import Workspace
from tests import recording, support

MODEL = b"m" * 200_000


def left(workspace: Workspace) -> list[str]:
    return sorted(path.name for path in workspace.tmp.iterdir())


def test_what_a_kill_left_goes_when_nobody_has_touched_it_for_long(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("object.7.ab", "apply.x/train.py", f"{'ab' * 32}.part", "site-1.lock"):
        support.write(workspace.tmp / name, b"half")
    assert not sweep.needed(workspace)
    monkeypatch.setattr(leftovers, "_LONG_SECONDS", 0)
    assert sweep.needed(workspace)
    assert recover.sweep(workspace).line() == ""
    assert left(workspace) == [f"{'ab' * 32}.part", "site-1.lock"] and not sweep.needed(workspace)
    monkeypatch.setattr(leftovers, "_PART_SECONDS", 0)
    recover.sweep(workspace)
    assert left(workspace) == ["site-1.lock"]


def test_an_object_that_was_being_freed_comes_back_where_a_run_names_it(
    workspace: Workspace, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recording.record(project, "base", artifacts={"model.pt": MODEL})
    (artifact,) = run.artifacts
    assert artifact.sha256 is not None
    place, other = objects.place(workspace, artifact.sha256), workspace.tmp / f"{leftovers.FREED}{'cd' * 32}"
    support.write(other, b"nobody's")
    place.rename(workspace.tmp / f"{leftovers.FREED}{artifact.sha256}")
    monkeypatch.setattr(leftovers, "_LONG_SECONDS", 0)
    recover.sweep(workspace)
    assert place.read_bytes() == MODEL and left(workspace) == []
