"""The machine of a run: platform, processor, cores and memory within the limits that hold, and the container."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from gitexp import redact

ROOT = Path("/")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# Where images tell their own name: no standard does, so the usual ways of passing it in are read.
_IMAGE_VARIABLES = ("CONTAINER_IMAGE", "IMAGE_NAME", "CI_JOB_IMAGE", "APPTAINER_CONTAINER", "SINGULARITY_CONTAINER")
_DIGEST_VARIABLES = ("CONTAINER_IMAGE_DIGEST", "CONTAINER_DIGEST", "IMAGE_DIGEST")


@cache
def platform() -> dict[str, str]:
    """Return system, release, architecture, distribution and C library."""
    if not hasattr(os, "uname"):
        import platform as standard  # 5 ms, and it may start processes

        return {"system": standard.system(), "release": standard.release(), "machine": standard.machine()}
    name = os.uname()
    found = {"system": name.sysname, "release": name.release, "machine": name.machine}
    distribution = _field(_read(ROOT / "etc/os-release"), "PRETTY_NAME")
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        libc = ""
    return {**found, **{k: v for k, v in (("distribution", distribution), ("libc", libc)) if v}}


def capture(root: Path = ROOT) -> dict[str, Any]:
    """Return processor, cores and memory that this process may use, and the machine's own where they are more.

    Read once in a process: a limit that changes while it runs is not seen.
    """
    return dict(_capture(root))


@cache
def _capture(root: Path) -> dict[str, Any]:
    cores, total = usable_cores(root), os.cpu_count()
    memory, physical = usable_memory_bytes(root), _physical_bytes()
    found: dict[str, Any] = {"cpu": _cpu(root), "cores": cores, "memory_bytes": memory}
    if total and cores and total > cores:
        found["machine_cores"] = total
    if physical and memory and physical > memory:
        found["machine_memory_bytes"] = physical
    return {key: value for key, value in found.items() if value}


def usable_cores(root: Path = ROOT) -> float | None:
    """Return the cores within affinity and CPU quota: 1.5 for a container with a limit of 1500m."""
    try:
        cores: float | None = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count()
    limits = [quota for quota in (_quota(folder) for folder in _cgroups(root, "cpu")) if quota]
    least = min([*limits, *([cores] if cores else [])], default=None)
    return int(least) if least is not None and least == int(least) else least


def usable_memory_bytes(root: Path = ROOT) -> int | None:
    """Return the machine's memory, or the limit of the tightest cgroup around this process."""
    physical = _physical_bytes()
    limits = [_number(_read(folder / name)) for folder in _cgroups(root, "memory") for name in _MEMORY_FILES]
    return min([limit for limit in (*limits, physical) if limit], default=None)


def container(environ: Mapping[str, str], root: Path = ROOT) -> dict[str, str]:
    """Return runtime, id, image and digest of the container, as far as they can be read; {} outside of one."""
    engine, container_id, podman = _container_files(root)
    found = {
        "runtime": _runtime(environ) or engine,
        "id": container_id or _unquoted(podman, "id"),
        "image": _first(environ, _IMAGE_VARIABLES) or _unquoted(podman, "image"),
    }
    if not found["runtime"] and not found["id"]:
        return {}
    digest = _DIGEST.search(_first(environ, _DIGEST_VARIABLES) or found["image"])
    found["digest"] = digest[0] if digest else ""
    image_id = _unquoted(podman, "imageid")
    found["image_id"] = f"sha256:{image_id}" if _HEX64.fullmatch(image_id) else ""
    return {key: redact.text(value) for key, value in found.items() if value}


@cache
def _container_files(root: Path) -> tuple[str, str, str]:
    """Return engine, container id and podman's own file, as far as the file system tells them."""
    podman = root / "run/.containerenv"
    engine = "podman" if podman.exists() else "docker" if (root / ".dockerenv").exists() else ""
    return engine, _container_id(root), _read(podman)


def _runtime(environ: Mapping[str, str]) -> str:
    if environ.get("APPTAINER_CONTAINER") or environ.get("SINGULARITY_CONTAINER"):
        return "apptainer"
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    told = environ.get("container", "")  # by systemd's convention: lxc, podman, systemd-nspawn
    return told if re.fullmatch(r"[a-z-]{1,20}", told) else ""


def _container_id(root: Path) -> str:
    """Return the container's id from its cgroup, or from where its hostname file is mounted from."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        if found := _HEX64.search(line.rpartition("/")[2]):
            return found[0]
    for line in _read(root / "proc/self/mountinfo", 1 << 20).splitlines():
        if "/hostname " in line and (found := re.search(r"containers/([0-9a-f]{64})/", line)):
            return found[1]
    return ""


def _cpu(root: Path) -> str:
    """Return the processor's name."""
    if sys.platform == "darwin":
        return _sysctl()
    told = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", _read(root / "proc/cpuinfo"), re.MULTILINE)
    if told:
        return told[1].strip()
    board = _read(root / "sys/firmware/devicetree/base/model").strip("\0 \n")
    return board or platform().get("machine", "")


@cache
def _sysctl() -> str:
    try:
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=2)
        return done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _physical_bytes() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") or None
    except (AttributeError, ValueError, OSError):
        return None


_MEMORY_FILES = ("memory.max", "memory.limit_in_bytes")  # cgroup 2, cgroup 1


def _cgroups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the cgroup folders whose limits hold for this process: its own and all above, in versions 2 and 1."""
    top = root / "sys/fs/cgroup"
    yield from (top, top / controller)  # in a container of its own cgroup namespace, its limits are at the top
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, controllers, path = (*line.split(":", 2), "", "", "")[:3]
        base = top if number == "0" and not controllers else top / controller
        if base == top or controller in controllers.split(","):
            place = base / path.lstrip("/")
            yield from _up_to(place, base)


def _up_to(place: Path, base: Path) -> Iterable[Path]:
    return (folder for folder in (place, *place.parents) if folder != base and base in folder.parents)


def _quota(folder: Path) -> float | None:
    """Return the cores that a cgroup's CPU quota comes to."""
    limit = _read(folder / "cpu.max").split()  # "150000 100000", or "max 100000"
    if len(limit) != 2:
        limit = [_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")]
    quota, period = _number(limit[0]), _number(limit[1])
    return quota / period if quota and period else None


def _number(text: str) -> int | None:
    """Return a limit; None for "max", -1, and the near-infinite number that cgroup 1 writes for none."""
    text = text.strip()
    return int(text) if text.isdigit() and 0 < int(text) < 1 << 60 else None


def _first(environ: Mapping[str, str], names: Iterable[str]) -> str:
    return next((environ[name] for name in names if environ.get(name)), "")


def _field(text: str, name: str) -> str:
    found = re.search(rf'^{name}="?([^"\n]*)"?$', text, re.MULTILINE)
    return found[1] if found else ""


def _unquoted(text: str, name: str) -> str:
    return _field(text, name) if text else ""


def _read(path: Path, limit: int = 1 << 14) -> str:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""
