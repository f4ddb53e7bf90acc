"""Data that other tools point at: DVC's .dvc files and dvc.lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_MAX_BYTES = 16 << 20  # of a dvc.lock
_MAX_OUTS = 1000


def dvc(path: Path) -> dict[str, Any] | None:
    """Return what DVC says of a path: its `.dvc` file, else the `dvc.lock` of its folder or one above; else None."""
    beside = path.with_name(path.name + ".dvc")
    if beside.is_file():
        for out in outs(beside):
            if _same(beside.parent / out["path"], path):
                return _source(out, beside.name)
    for folder in [path.parent, *path.parent.parents][:32]:
        lock = folder / "dvc.lock"
        if lock.is_file():
            for out in outs(lock):
                if _same(folder / out["path"], path):
                    return _source(out, lock.name)
        if (folder / ".git").exists():
            return None
    return None


def pointed(pointer: Path) -> tuple[Path, dict[str, Any]] | None:
    """Return the data that a `.dvc` file stands for, and what it says of it; None where it says nothing."""
    for out in outs(pointer):
        return pointer.parent / out["path"], _source(out, pointer.name)
    return None


def is_dvc(path: Path) -> bool:
    """Say whether a path is called as DVC's pointers are."""
    return path.suffix == ".dvc" and path.is_file()


def outs(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the outputs in a .dvc file, or those of all stages in a dvc.lock; nothing where it does not parse."""
    import yaml

    try:
        with open(path, "rb") as file:
            found = yaml.load(file.read(_MAX_BYTES), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return
    stages = found.get("stages") if isinstance(found, dict) else None
    parts = list(stages.values())[:_MAX_OUTS] if isinstance(stages, dict) else [found]
    for part in parts:
        for key in ("outs", "deps") if isinstance(part, dict) else ():
            listed = part.get(key)
            for out in listed[:_MAX_OUTS] if isinstance(listed, list) else ():
                if isinstance(out, dict) and isinstance(out.get("path"), str) and out["path"]:
                    yield out


def _source(out: Mapping[str, Any], pointer: str) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": "dvc", "pointer": pointer}
    found |= {key: str(out[key]) for key in ("md5", "etag", "checksum") if isinstance(out.get(key), str)}
    for key in ("size", "nfiles"):
        if isinstance(out.get(key), int):
            found["files" if key == "nfiles" else key] = out[key]
    return found


def _same(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve()
    except (OSError, RuntimeError, ValueError):
        return False
