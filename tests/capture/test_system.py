"""System metrics: read in a thread, of the run's own processes, never in the way of the training."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
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


def test_a_sampler_hands_over_what_it_reads_until_it_is_stopped() -> None:
    taken: list[list[system.Sample]] = []
    sampler = system.Sampler(taken.append, interval_seconds=0.05)
    sampler.start()
    until(lambda: len(taken) >= 3)
    sampler.stop()
    count = len(taken)
    assert {name for name, _, _ in taken[2]} - {"cpu.percent"} >= NAMES - {"cpu.percent"}
    assert all(isinstance(value, int | float) and time_ms > 0 for name, time_ms, value in taken[2])
    time.sleep(0.15)
    assert len(taken) == count
    assert sampler.failures == 0
    assert sampler.gpu_seconds == 0


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


def test_a_writer_that_fails_is_counted_and_does_no_harm() -> None:
    def fail(samples: list[system.Sample]) -> None:
        raise OSError("no space left")

    sampler = system.Sampler(fail, interval_seconds=0.05)
    sampler.start()
    until(lambda: sampler.failures >= 2)
    sampler.stop()


def test_a_missing_library_is_counted_and_asked_for_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    meter = system.Meter()
    for _ in range(system.MAX_FAILURES + 3):
        assert meter.sample() == []
    assert meter.failures == system.MAX_FAILURES
    meter.close()


def test_the_libraries_are_loaded_in_the_thread_and_not_before() -> None:
    code = "import sys; from gitexp.capture import system; system.Sampler(print).stop(); print('psutil' in sys.modules)"
    assert support.python(".", code).stdout.strip() == "False"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # training code forks beside threads all the same
def test_a_stop_is_prompt_and_a_fork_has_no_sampler() -> None:
    sampler = system.Sampler(lambda samples: None, interval_seconds=60)
    sampler.start()
    child = os.fork()
    if child == 0:
        sampler.stop()
        os._exit(threading.active_count() - 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    sampler.stop(timeout_seconds=20)
    assert not sampler._thread.is_alive()
