"""The kernel's counters: version 2 of control groups, version 1, a container, none at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitexp.capture import oom
from tests import support


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(oom, "ROOT", tmp_path)
    return tmp_path


def test_the_count_is_that_of_the_processs_own_group(root: Path) -> None:
    support.write(root / "proc/7/cgroup", "0::/user.slice/job_7\n")
    support.write(root / "sys/fs/cgroup/user.slice/job_7/memory.events", "low 0\noom 2\noom_kill 3\n")
    support.write(root / "proc/vmstat", "oom_kill 99\n")
    counter = oom.counter(7)
    assert counter is not None
    assert oom.read(counter) == 3


def test_a_container_sees_its_own_group_as_the_root(root: Path) -> None:
    support.write(root / "proc/7/cgroup", "0::/../../elsewhere\n")
    support.write(root / "sys/fs/cgroup/memory.events", "oom_kill 1\n")
    assert oom.counter(7) == root / "sys/fs/cgroup/memory.events"


def test_version_1_has_a_hierarchy_for_memory(root: Path) -> None:
    support.write(root / "proc/7/cgroup", "9:cpu,cpuacct:/a\n4:memory:/job\n0::/\n")
    support.write(root / "sys/fs/cgroup/memory/job/memory.oom_control", "under_oom 0\noom_kill 5\n")
    counter = oom.counter(7)
    assert counter is not None
    assert oom.read(counter) == 5


def test_without_groups_the_count_of_the_whole_machine_serves_or_there_is_none(root: Path) -> None:
    assert oom.counter(7) is None
    support.write(root / "proc/vmstat", "nr_free_pages 1\noom_kill 4\n")
    assert oom.counter(7) == root / "proc/vmstat"
    assert oom.read(root / "gone") is None


def test_this_machine_can_be_asked() -> None:
    counter = oom.counter(os.getpid())
    assert counter is None or (oom.read(counter) or 0) >= 0
