"""The kernel's count of processes that it killed for want of memory: of a process's control group, else of all."""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/")
_CGROUPS = Path("sys/fs/cgroup")
_FILES = ("memory.events", "memory.oom_control")  # of version 2 and of version 1


def counter(pid: int) -> Path | None:
    """Return the file that counts for a process that runs; None where the kernel does not tell."""
    for name, path in _groups(pid):
        base = ROOT / _CGROUPS / name
        for folder in (base / path, base):  # in a container its own group is the root of what it sees
            for file in _FILES:
                if read(folder / file) is not None:
                    return folder / file
    whole = ROOT / "proc/vmstat"
    return None if read(whole) is None else whole


def own(pid: int) -> Path | None:
    """Return the file that counts for a process's control group alone; None where there is none."""
    found = counter(pid)
    return found if found is not None and found.name in _FILES else None


def read(path: Path) -> int | None:
    """Return what a file of counters has of `oom_kill`; None where it has nothing."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return None
    return next((int(words[1]) for words in lines if words[:1] == ["oom_kill"] and words[1:]), None)


def _groups(pid: int) -> list[tuple[str, str]]:
    """Return (folder of the hierarchy, path in it) of version 2 and of the memory controller of version 1."""
    try:
        lines = (ROOT / f"proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return []
    parted = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    return [
        ("memory" if controllers else "", path.lstrip("/"))
        for _, controllers, path in parted
        if not controllers or "memory" in controllers.split(",")
    ]
