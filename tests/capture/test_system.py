"""System metrics: of the run's own processes, never in the way of the training."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from gitexp.capture import system
from tests import support

NAMES = {
    "cpu.percent", "cpu.machine_percent", "memory.rss_bytes", "memory.percent", "disk.read_bytes", "disk.write_bytes",
    "network.sent_bytes", "network.received_bytes",
}  # fmt: skip


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_meter_reads_everything_again_and_again() -> None:
    meter = system.Meter()
    first = {name for name, _, _ in meter.sample()}
    assert first == NAMES - {"cpu.percent", "cpu.machine_percent"}  # these are differences
    time.sleep(0.02)
    second = meter.sample()
    assert {name for name, _, _ in second} == NAMES
    assert all(isinstance(value, int | float) and time_ms > 0 for _, time_ms, value in second)
    meter.close()
    assert (meter.failures, meter.gpu_seconds) == (0, 0)


def test_the_use_is_that_of_the_process_tree() -> None:
    inner = "print(flush=True); x = bytearray(64 << 20); input()"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        meter = system.Meter(pid=process.pid)
        until(lambda: {name: value for name, _, value in meter.sample()}["memory.rss_bytes"] > 64 << 20)
        process.stdin.write(b"\n")
    assert "memory.rss_bytes" not in {name for name, _, _ in meter.sample()}  # it ended
    assert meter.failures == 0


def test_written_bytes_count_those_of_processes_that_ended() -> None:
    readings = system._Readings(os.getpid(), {"CUDA_VISIBLE_DEVICES": ""}, time.monotonic())
    readings._disk_use({1: (10, 20), 2: (1, 2)})
    assert readings._disk_use({1: (11, 22)}) == {"disk.read_bytes": 12, "disk.write_bytes": 24}
    assert readings._disk_use({1: (11, 22), 3: (5, 5)}) == {"disk.read_bytes": 17, "disk.write_bytes": 29}


def test_a_missing_library_is_counted_and_asked_for_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    meter = system.Meter()
    for _ in range(system.MAX_FAILURES + 3):
        assert meter.sample() == []
    assert meter.failures == system.MAX_FAILURES
    meter.close()


def test_the_libraries_are_loaded_with_the_first_reading_and_not_before() -> None:
    code = """
import sys
from gitexp.capture import system
meter = system.Meter()
print("psutil" in sys.modules)
meter.sample()
print("psutil" in sys.modules)
"""
    assert support.python(".", code).stdout.split() == ["False", "True"]
