"""Refs as they stand on the disk, read in plain Python: a list of runs loads no Git library for them."""

from __future__ import annotations

import mmap
import os
import re
from pathlib import Path

NOTES = "refs/notes/experiments"  # what is said of runs
_OID = re.compile(r"[0-9a-f]{40}")
_DEPTH = 5  # symbolic refs that lead to one another, as Git follows them


def listing(common_dir: Path, prefix: str) -> dict[str, str]:
    """Return {full ref: oid} of all refs below `prefix` (which ends with a slash), loose and packed, in name order."""
    found: dict[str, str] = {}
    for line in _packed_lines(common_dir):
        oid, _, name = line.partition(" ")
        if name.startswith(prefix) and _OID.fullmatch(oid):
            found[name] = oid
    found.update(loose(common_dir, prefix))
    return dict(sorted(found.items()))


def loose(common_dir: Path, prefix: str) -> dict[str, str]:
    """Return {full ref: oid} of the refs below `prefix` that have files of their own."""
    found: dict[str, str] = {}
    stack = [(str(common_dir / prefix.rstrip("/")), prefix)]
    while stack:
        stack.extend(_scan(*stack.pop(), found))
    return found


def packed(common_dir: Path) -> tuple[str, dict[str, str]]:
    """Return the first line of packed-refs, and {full ref: its lines}: with what a tag leads to, where that is said."""
    try:
        lines = (common_dir / "packed-refs").read_text("utf-8", "surrogateescape").splitlines(keepends=True)
    except FileNotFoundError:
        return "", {}
    rows, ref = dict[str, str](), ""
    for line in lines:
        if line.startswith("^"):
            rows[ref] = rows.get(ref, "") + line
        elif not line.startswith("#") and len(line) > 41:
            ref = line[41:].rstrip("\n")
            rows[ref] = line
    return lines[0] if lines else "", rows


def folder(common_dir: Path, prefix: str) -> dict[str, str]:
    """Return {full ref: oid} of the loose refs right below `prefix`, none of those deeper."""
    found: dict[str, str] = {}
    _scan(str(common_dir / prefix), prefix, found)
    return found


def _scan(folder: str, below: str, found: dict[str, str]) -> list[tuple[str, str]]:
    deeper = []
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    for entry in entries:
        if entry.is_dir():
            deeper.append((entry.path, f"{below}{entry.name}/"))
        elif not entry.name.endswith(".lock"):
            try:
                oid = _content(entry.path)
            except FileNotFoundError:  # packed or deleted since: the packed value read before stands, or none
                continue
            if _OID.fullmatch(oid):
                found[below + entry.name] = oid
    return deeper


def _content(path: str) -> str:
    """Return what a ref's file holds; `open` would cost three times as much, for thousands of them."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 64).strip().decode("ascii", "replace")
    finally:
        os.close(descriptor)


def _packed_lines(common_dir: Path) -> list[str]:
    try:
        text = (common_dir / "packed-refs").read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line and line[0] not in "#^"]


def get(common_dir: Path, ref: str) -> str | None:
    """Return the oid of one ref, None where it is not; symbolic refs are followed."""
    return follow(common_dir, ref)[1]


def follow(common_dir: Path, ref: str) -> tuple[str, str | None]:
    """Return the ref that a symbolic ref leads to (itself for a plain one) and its oid."""
    for _ in range(_DEPTH):
        content = _loose(common_dir / ref)
        if content is None:
            return ref, _packed(common_dir, ref)
        if not content.startswith("ref:"):
            return ref, content if _OID.fullmatch(content) else None
        ref = content[4:].strip()
    return ref, None


def _loose(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "surrogateescape").strip("\0 \n")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def _packed(common_dir: Path, ref: str) -> str | None:
    """Look one ref up in packed-refs: by bisection, for Git keeps it sorted, and says so."""
    try:
        with open(common_dir / "packed-refs", "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return None
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                wanted = ref.encode("utf-8", "surrogateescape")
                is_sorted = b" sorted" in data[: data.find(b"\n") + 1]
                at = _bisected(data, wanted) if is_sorted else data.find(b" " + wanted + b"\n") - 40
                found = data[at : at + 40].decode("ascii", "replace") if at >= 0 else ""
    except FileNotFoundError:
        return None
    return found if _OID.fullmatch(found) else None


def _bisected(data: mmap.mmap, wanted: bytes) -> int:
    """Return where the line of a ref begins in a sorted packed-refs, -1 where there is none."""
    low, high = data.find(b"\n") + 1, len(data)  # both at the beginning of a line
    while low < high:
        start = data.rfind(b"\n", low, (low + high) // 2) + 1 or low
        while data[start : start + 1] == b"^" and start > low:  # what the tag above peels to
            start = data.rfind(b"\n", low, start - 1) + 1 or low
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        name = data[start + 41 : end]
        if name == wanted:
            return start
        if name < wanted or data[start : start + 1] in b"^#":
            low = end + 1
        else:
            high = start
    return -1
