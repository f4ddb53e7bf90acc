"""System metrics of a run: how busy CPU, memory, disk, network and GPUs are, read now and then.

`cpu.percent` and `memory.rss_bytes` are of the run's processes (100 percent is one core), `cpu.machine_percent`,
`memory.percent` and `network.…` of the whole machine. `disk.…` counts from the start of those processes, `network.…`
from the first reading.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any

from gitexp import clock
from gitexp.capture import gpu

Sample = tuple[str, int, float]
MAX_FAILURES = 5  # in a row; then the machine will not tell, and asking again would be a waste


class Meter:
    """Reads the use of the machine when it is asked; call it from one thread. It never raises: `failures` counts."""

    def __init__(self, *, pid: int | None = None, environ: Mapping[str, str] | None = None) -> None:
        self.failures = 0
        self.gpu_seconds = 0.0
        self._failed_last = 0
        self._root = pid or os.getpid()
        self._environ = os.environ if environ is None else environ  # live: scripts set CUDA_VISIBLE_DEVICES late
        self._started = time.monotonic()
        self._readings: _Readings | None = None

    def sample(self) -> list[Sample]:
        """Return (metric, time in ms, value) of everything that can be read now; the first call loads the libraries."""
        if self._failed_last >= MAX_FAILURES:
            return []
        try:
            self._readings = self._readings or _Readings(self._root, self._environ, self._started)
            samples = self._readings.take()
            self.gpu_seconds = self._readings.gpu_seconds
            self._failed_last = 0
            return samples
        except Exception:  # whatever a driver or /proc did: a training must not end for it
            self.failures += 1
            self._failed_last += 1
            return []

    def close(self) -> None:
        """Let the driver go; `gpu_seconds` is final then."""
        if self._readings is not None:
            self.gpu_seconds = self._readings.close()
            self._readings = None


class _Readings:
    """The libraries, and what was read before: rates are differences."""

    def __init__(self, root: int, environ: Mapping[str, str], started: float) -> None:
        import psutil  # here, because it takes 20 ms that the training should not wait for

        self._psutil = psutil
        self._root = root
        self._environ = environ
        self._busy: dict[int, float] = {}
        self._disk: dict[int, tuple[int, int]] = {}
        self._disk_ended = (0, 0)
        self._network = psutil.net_io_counters()
        self._then = started
        self._first = True
        self.gpu_seconds = 0.0
        self._gpus = 0
        self._open = ExitStack()
        self._nvml = self._open.enter_context(gpu.library()) if gpu.in_use(environ) else None
        psutil.cpu_percent()  # the first call only sets the point that the next counts from

    def take(self) -> list[Sample]:
        """Read everything once."""
        now, time_ms = time.monotonic(), clock.now_ms()
        tree = self._tree()
        found = {**self._processes(tree, now), **self._machine(), **self._gpu_use({process.pid for process in tree})}
        self.gpu_seconds += self._gpus * (now - self._then)
        self._then, self._first = now, False
        return [(name, time_ms, value) for name, value in found.items()]

    def close(self) -> float:
        """Let the driver go; return the GPU-seconds until now."""
        self.gpu_seconds += self._gpus * (time.monotonic() - self._then)
        self._open.close()
        return self.gpu_seconds

    def _tree(self) -> list[Any]:
        with suppress(self._psutil.Error):
            root = self._psutil.Process(self._root)
            return [root, *root.children(recursive=True)]
        return []

    def _processes(self, tree: list[Any], now: float) -> dict[str, float]:
        busy: dict[int, float] = {}
        disk: dict[int, tuple[int, int]] = {}
        rss = 0
        for process in tree:
            with suppress(self._psutil.Error, AttributeError), process.oneshot():  # it ended; macOS has no io_counters
                times = process.cpu_times()
                busy[process.pid] = times.user + times.system
                rss += process.memory_info().rss
                counters = process.io_counters()
                disk[process.pid] = (counters.read_bytes, counters.write_bytes)
        found: dict[str, float] = {"memory.rss_bytes": rss} if busy else {}
        elapsed = now - self._then
        if not self._first and elapsed > 0 and busy:
            used = sum(seconds - self._busy.get(pid, 0.0) for pid, seconds in busy.items())
            found["cpu.percent"] = round(100 * max(0.0, used) / elapsed, 1)
        self._busy = busy
        return {**found, **self._disk_use(disk)}

    def _disk_use(self, disk: dict[int, tuple[int, int]]) -> dict[str, float]:
        """Return bytes read and written by the tree since the start, those of processes that ended included."""
        ended = [self._disk[pid] for pid in self._disk.keys() - disk.keys()]
        read, written = self._disk_ended
        self._disk_ended = (read + sum(pair[0] for pair in ended), written + sum(pair[1] for pair in ended))
        self._disk = disk
        if not disk:
            return {}
        return {
            "disk.read_bytes": self._disk_ended[0] + sum(pair[0] for pair in disk.values()),
            "disk.write_bytes": self._disk_ended[1] + sum(pair[1] for pair in disk.values()),
        }

    def _machine(self) -> dict[str, float]:
        found: dict[str, float] = {"memory.percent": self._psutil.virtual_memory().percent}
        if not self._first:
            found["cpu.machine_percent"] = self._psutil.cpu_percent()
        network = self._psutil.net_io_counters()
        if network and self._network:
            found["network.sent_bytes"] = network.bytes_sent - self._network.bytes_sent
            found["network.received_bytes"] = network.bytes_recv - self._network.bytes_recv
        return found

    def _gpu_use(self, pids: set[int]) -> dict[str, float]:
        if self._nvml is None:
            return {}
        found: dict[str, float] = {}
        own = gpu.own(self._nvml, self._environ, pids)
        self._gpus = len({device.index for device in own})
        for device in own:
            for name, value in gpu.sample(self._nvml, device).items():
                found[f"gpu.{device.index}.{name}"] = value
        return found
