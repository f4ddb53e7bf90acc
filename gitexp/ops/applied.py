"""What was applied to a work tree, kept so that it can be taken back: <home>/applied.json and copies beside it."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gitexp import canonical, files
from gitexp.errors import Damaged, NotFound, Refused, WriteFailed
from gitexp.store.workspace import Workspace

KEPT = 20  # applications that can still be taken back, newest first


@dataclass(frozen=True, slots=True)
class File:
    """One path: what it was and what it became, as fingerprints; None for no file. `copy` holds its old bytes."""

    path: str
    before: str | None
    after: str | None
    copy: str | None


@dataclass(frozen=True, slots=True)
class Application:
    """The edits of one run, put into one work tree."""

    token: str
    run: str
    title: str
    work_tree: str
    files: tuple[File, ...]
    made: tuple[str, ...]  # folders that were not there

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Application:
        """Read one entry of applied.json."""
        listed = tuple(File(item["path"], item["before"], item["after"], item["copy"]) for item in value["files"])
        return cls(value["token"], value["run"], value["title"], value["work_tree"], listed, tuple(value["made"]))


def listing(workspace: Workspace) -> list[Application]:
    """Return what was applied and not taken back, in all work trees, oldest first."""
    path = _state(workspace)
    try:
        return [Application.from_json(item) for item in canonical.loads(path.read_bytes())]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{path} does not parse: {error}", hint=f"look at it, then: rm {path}") from error


def _state(workspace: Workspace) -> Path:
    return workspace.home / "applied.json"


def folder(workspace: Workspace, token: str) -> Path:
    """Return where the copies of one application are."""
    return workspace.home / "applied" / token


def save(workspace: Workspace, found: Sequence[Application]) -> None:
    """Write the list; the copies of what falls off it are removed."""
    kept = found[-KEPT:]
    files.write(_state(workspace), canonical.dumps([asdict(item) for item in kept]), durable=True)
    names = {item.token for item in kept}
    for path in (workspace.home / "applied").glob("*"):
        if path.name not in names:
            shutil.rmtree(path, ignore_errors=True)


def fingerprint(path: Path) -> str | None:
    """Return what a path holds: kind, executable bit, sha256; None for nothing."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(mode):
        return "link " + hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
    if not stat.S_ISREG(mode):
        return "folder"
    return f"{'program' if mode & 0o100 else 'file'} {files.sha256(path)[0]}"


def put(source: Path, target: Path) -> None:
    """Put a copy of a file or link in the place of `target`, whole or not at all."""
    aside = target.with_name(f".{target.name[:100]}.{os.urandom(4).hex()}.tmp")
    try:
        shutil.copy2(source, aside, follow_symlinks=False)
        if not aside.is_symlink():
            os.utime(aside)  # build tools and Git go by the time of a change
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def remove(top: Path, path: str) -> None:
    """Remove a file, and the folders below `top` that this leaves empty, as Git does."""
    full = top / path
    full.unlink(missing_ok=True)
    with suppress(OSError):  # not empty
        for parent in full.parents:
            if parent == top:
                break
            parent.rmdir()


def take_back(workspace: Workspace) -> Application:
    """Put the files of the last application in this work tree back as they were, and return it.

    Raises NotFound where there is none, Refused where one of its files was changed since: nothing is done then.
    """
    found = listing(workspace)
    here = str(workspace.repo.work_tree)
    last = next((item for item in reversed(found) if item.work_tree == here), None)
    if last is None:
        raise NotFound("no edits of a run were applied here", hint="apply some: gitexp apply RUN")
    top = Path(here)
    changed = [file.path for file in last.files if fingerprint(top / file.path) not in (file.before, file.after)]
    if changed:
        listed = "".join(f"\n  {path}" for path in changed)
        raise Refused(
            f"changed since the edits of {last.title} were applied, so nothing was taken back:{listed}",
            hint="look with: git diff",
        )
    restore(workspace, last)
    save(workspace, [item for item in found if item.token != last.token])
    return last


def restore(workspace: Workspace, last: Application) -> None:
    """Put every file of an application back; those that are as before already stay."""
    top, copies = Path(last.work_tree), folder(workspace, last.token)
    try:
        for file in last.files:
            if file.copy is None:
                (top / file.path).unlink(missing_ok=True)
        for name in reversed(last.made):
            with suppress(OSError):  # the user has put something into it
                (top / name).rmdir()
        for file in last.files:
            if file.copy is not None and fingerprint(top / file.path) != file.before:
                (top / file.path).parent.mkdir(parents=True, exist_ok=True)
                put(copies / file.copy, top / file.path)
    except OSError as error:
        raise WriteFailed(
            f"cannot put {error.filename or 'a file'} back: {error.strerror}", hint="then again: gitexp apply --undo"
        ) from error


def missing_folders(top: Path, paths: Iterable[str]) -> list[str]:
    """Return the folders that `paths` need and that are not there, the outer ones first."""
    found = set()
    for path in paths:
        for parent in Path(path).parents:
            if parent != Path() and not (top / parent).is_dir():
                found.add(parent.as_posix())
    return sorted(found)
