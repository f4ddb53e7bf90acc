"""Which GPUs are a run's own, and what they tell; the driver's library is stood in for by one with two GPUs."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gitexp.capture import gpu, machine, system


class Refusal(Exception):
    """The library's own error."""


class Driver:
    """What pynvml offers, for two GPUs of which process 77 uses the second."""

    NVMLError = Refusal
    NVML_TEMPERATURE_GPU = 0

    def __init__(self) -> None:
        self.open = 0
        self.silent: set[str] = set()  # calls that this driver does not support

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("nvml") and name in object.__getattribute__(self, "silent"):
            return refuse
        return object.__getattribute__(self, name)

    def nvmlInit(self) -> None:
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes) -> str:
        return "mig" if uuid == b"MIG-1" else refuse()

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle: str) -> int:
        return 1

    def nvmlDeviceGetIndex(self, handle: int) -> int:
        return handle

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{handle}abc"

    def nvmlDeviceGetName(self, handle: int) -> bytes:
        return b"H100"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return SimpleNamespace(total=80 << 30, used=3 << 30)

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        return SimpleNamespace(gpu=73)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        return 300_500

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        return 61

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:
        return [SimpleNamespace(pid=77)] if handle == 1 else []

    def nvmlSystemGetDriverVersion(self) -> str:
        return "555.42"

    def nvmlSystemGetCudaDriverVersion(self) -> int:
        return 12040


def refuse(*args: Any) -> Any:
    raise Refusal("not supported")


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Driver:
    """Put the library in place of pynvml, on a machine that has a device file and is no container."""
    found = Driver()
    monkeypatch.setitem(sys.modules, "pynvml", found)
    monkeypatch.setattr(gpu, "_DEVICES", (str(tmp_path),))
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    monkeypatch.setattr(machine.container, "__defaults__", (tmp_path,))
    return found


def indices(devices: list[gpu.Device]) -> list[int]:
    return [device.index for device in devices]


def test_gpus_driver_and_cuda_are_told(driver: Driver) -> None:
    one = {"index": 0, "uuid": "GPU-0abc", "name": "H100", "memory_bytes": 80 << 30}
    two = {**one, "index": 1, "uuid": "GPU-1abc"}
    assert gpu.capture({}) == {"gpus": [one, two], "driver": "555.42", "cuda": "12.4"}
    assert driver.open == 0


VISIBLE = [
    ("0", [0]), ("1", [1]), ("1,0", [1, 0]), ("GPU-1", [1]), (" GPU-0abc ", [0]), ("MIG-1", [1]), ("", []), ("-1", []),
    ("1,-1,0", [1]), ("7", []), ("GPU-", []), ("MIG-2", []), ("nonsense", []),
]  # fmt: skip


@pytest.mark.parametrize(("named", "expected"), VISIBLE)
def test_cuda_visible_devices_is_read_as_cuda_reads_it(driver: Driver, named: str, expected: list[int]) -> None:
    assert indices(gpu.visible(driver, {"CUDA_VISIBLE_DEVICES": named})) == expected


def test_without_it_a_gpu_is_the_runs_own_once_its_processes_use_it(driver: Driver) -> None:
    assert indices(gpu.own(driver, {}, {77, 78})) == [1]
    assert gpu.own(driver, {}, {5}) == []
    assert indices(gpu.own(driver, {"CUDA_VISIBLE_DEVICES": "0"}, {77})) == [0]


def test_in_a_container_all_gpus_that_it_was_given_count(driver: Driver) -> None:
    assert indices(gpu.own(driver, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, {5})) == [0, 1]


def test_what_a_gpu_does_not_support_is_left_out(driver: Driver) -> None:
    driver.silent |= {"nvmlDeviceGetPowerUsage", "nvmlDeviceGetName", "nvmlSystemGetDriverVersion"}
    device = gpu.devices(driver)[0]
    assert gpu.sample(driver, device) == {"utilization_percent": 73, "memory_bytes": 3 << 30, "temperature_celsius": 61}
    assert "driver" not in gpu.capture({})


def test_system_metrics_have_the_runs_gpus_and_their_seconds(driver: Driver) -> None:
    meter = system.Meter(environ={"CUDA_VISIBLE_DEVICES": "0,1"})
    time.sleep(0.05)
    found = {name: value for name, _, value in meter.sample() if name.startswith("gpu.")}
    assert found["gpu.1.power_watts"] == 300.5
    assert len(found) == 8
    meter.close()
    assert meter.gpu_seconds >= 0.1
    assert (driver.open, meter.failures) == (0, 0)


def test_a_driver_that_hangs_is_left_behind(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "nvmlInit", lambda: time.sleep(0.3))
    assert gpu.capture({}, timeout_seconds=0.01) == {}


def test_a_machine_without_a_driver_has_no_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert gpu.present() or gpu.capture({}) == {}
    monkeypatch.setattr(gpu, "_DEVICES", (str(tmp_path),))
    monkeypatch.setitem(sys.modules, "pynvml", None)  # not installed
    assert gpu.capture({}) == {}


def test_a_run_that_may_see_no_gpu_never_loads_the_driver(driver: Driver) -> None:
    assert gpu.in_use({})
    assert gpu.in_use({"CUDA_VISIBLE_DEVICES": "1"})
    assert not gpu.in_use({"CUDA_VISIBLE_DEVICES": ""})
    assert not gpu.in_use({"CUDA_VISIBLE_DEVICES": "-1"})
