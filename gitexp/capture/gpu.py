"""The GPUs of a run, through NVIDIA's management library: what they are, and how busy they are.

Only the run's own: those that CUDA_VISIBLE_DEVICES names, else those that its processes use, else, in a container
(where the driver tells no process ids of ours), all that are there.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitexp.capture import machine

TIMEOUT_SECONDS = 5.0
_DEVICES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/nvhost-gpu")  # driver, WSL, Jetson


@dataclass(frozen=True, slots=True)
class Device:
    """One GPU; `handle` is the library's."""

    index: int
    uuid: str
    handle: Any


def capture(environ: Mapping[str, str], *, timeout_seconds: float = TIMEOUT_SECONDS) -> dict[str, Any]:
    """Return {"gpus": [{index, name, memory_bytes, uuid}], "driver", "cuda"}; {} where no driver answers in time.

    Waking a driver can take seconds: call this in the background.
    """
    found: dict[str, Any] = {}

    def ask() -> None:
        with library() as nvml:
            if nvml is not None:
                found.update(_describe(nvml, environ))

    if not present():
        return {}
    thread = threading.Thread(target=ask, name="gitexp-gpu", daemon=True)
    thread.start()
    thread.join(timeout_seconds)
    return {} if thread.is_alive() else dict(found)


def present() -> bool:
    """Say whether there can be a driver at all, so that machines without one never load the library."""
    return not sys.platform.startswith("linux") or any(Path(device).exists() for device in _DEVICES)


@contextmanager
def library() -> Iterator[Any]:
    """Yield the module pynvml with the driver's library loaded, or None where that is missing or refuses."""
    try:
        import pynvml  # 10 ms, and useless without a driver

        pynvml.nvmlInit()
    except Exception:  # a missing module, library or device, or a driver that does not fit: all mean no GPUs here
        yield None
        return
    try:
        yield pynvml
    finally:
        with suppress(*_refusals(pynvml)):
            pynvml.nvmlShutdown()


def visible(nvml: Any, environ: Mapping[str, str]) -> list[Device]:
    """Return the GPUs that the environment lets the run see: all without CUDA_VISIBLE_DEVICES."""
    named = environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return devices(nvml)
    found: list[Device] = []
    for name in (word.strip() for word in named.split(",")):
        device = _by_name(nvml, name)
        if device is None:
            break  # as CUDA does: an unknown or -1 entry hides all that follow
        found.append(device)
    return found


def devices(nvml: Any) -> list[Device]:
    """Return all GPUs that the driver shows."""
    found = (_by_index(nvml, index) for index in range(nvml.nvmlDeviceGetCount()))
    return [device for device in found if device is not None]


def own(nvml: Any, environ: Mapping[str, str], pids: Collection[int]) -> list[Device]:
    """Return the GPUs that are the run's own, whose processes are `pids`."""
    seen = visible(nvml, environ)
    if "CUDA_VISIBLE_DEVICES" in environ:
        return seen
    used = [device for device in seen if not _pids_on(nvml, device).isdisjoint(pids)]
    return used or (seen if machine.container(environ) else [])


def _pids_on(nvml: Any, device: Device) -> set[int]:
    """Return the processes that hold memory on a GPU, for computing or drawing."""
    pids: set[int] = set()
    for kind in ("Compute", "Graphics"):
        for version in ("", "_v2"):  # an older driver has only the second
            with suppress(*_refusals(nvml)):
                ask = getattr(nvml, f"nvmlDeviceGet{kind}RunningProcesses{version}")
                pids.update(process.pid for process in ask(device.handle))
                break
    return pids


def _refusals(nvml: Any) -> tuple[type[Exception], ...]:
    """Return the ways in which the library says that it cannot tell: AttributeError for a call it does not know."""
    return nvml.NVMLError, getattr(nvml, "NVMLLibraryMismatchError", nvml.NVMLError), AttributeError


def sample(nvml: Any, device: Device) -> dict[str, float]:
    """Return what a GPU tells of its use now; what it does not support is absent."""
    readings: dict[str, Callable[[], Any]] = {
        "utilization_percent": lambda: nvml.nvmlDeviceGetUtilizationRates(device.handle).gpu,
        "memory_bytes": lambda: nvml.nvmlDeviceGetMemoryInfo(device.handle).used,
        "power_watts": lambda: nvml.nvmlDeviceGetPowerUsage(device.handle) / 1000,
        "temperature_celsius": lambda: nvml.nvmlDeviceGetTemperature(device.handle, nvml.NVML_TEMPERATURE_GPU),
    }
    found: dict[str, float] = {}
    for name, read in readings.items():
        with suppress(*_refusals(nvml)):
            found[name] = read()
    return found


def _describe(nvml: Any, environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"gpus": [_facts(nvml, device) for device in visible(nvml, environ)]}
    with suppress(*_refusals(nvml)):
        found["driver"] = _text(nvml.nvmlSystemGetDriverVersion())
    with suppress(*_refusals(nvml)):
        version = nvml.nvmlSystemGetCudaDriverVersion()
        found["cuda"] = f"{version // 1000}.{version % 1000 // 10}"
    return found


def _facts(nvml: Any, device: Device) -> dict[str, Any]:
    facts: dict[str, Any] = {"index": device.index, "uuid": device.uuid}
    with suppress(*_refusals(nvml)):
        facts["name"] = _text(nvml.nvmlDeviceGetName(device.handle))
    with suppress(*_refusals(nvml)):
        facts["memory_bytes"] = nvml.nvmlDeviceGetMemoryInfo(device.handle).total
    return facts


def _by_index(nvml: Any, index: int) -> Device | None:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        return Device(index, _text(nvml.nvmlDeviceGetUUID(handle)), handle)
    except _refusals(nvml):
        return None


def _by_name(nvml: Any, name: str) -> Device | None:
    """Return the GPU of one entry of CUDA_VISIBLE_DEVICES: an index, or a UUID or the beginning of one."""
    if name.isdigit():
        return _by_index(nvml, int(name)) if int(name) < nvml.nvmlDeviceGetCount() else None
    if name.startswith("MIG-"):
        with suppress(*_refusals(nvml)):
            handle = nvml.nvmlDeviceGetHandleByUUID(name.encode())
            parent = nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle)
            return Device(nvml.nvmlDeviceGetIndex(parent), name, handle)
        return None
    matches = [device for device in devices(nvml) if name and device.uuid.startswith(name)]
    return matches[0] if len(matches) == 1 else None


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def in_use(environ: Mapping[str, str] | None = None) -> bool:
    """Say whether the environment leaves any GPU to the run."""
    environ = os.environ if environ is None else environ
    return present() and environ.get("CUDA_VISIBLE_DEVICES", "0") not in ("", "-1", "NoDevFiles")
