"""What a wrapped command leaves behind: files by patterns, at its end."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitexp import text
from gitexp.errors import GitexpError, UsageError
from gitexp.ops.recording import attach, folders
from gitexp.ops.recording.attach import Work
from gitexp.ops.recording.folders import File
from gitexp.ops.recording.lifecycle import Session
from gitexp.record import names
from gitexp.store import events

_CLOCK_NS = 10_000_000  # how far the time of a file may lie behind the clock: kernels look at it once in a tick
Begin = Callable[[int], Callable[[int], None]]  # bytes to keep -> what is told of the bytes done


@dataclass(frozen=True, slots=True)
class Wanted:
    """Patterns of files to keep, `**` for any folders, from a folder on; `any_age`: also those older than the run."""

    patterns: tuple[str, ...] = ()
    any_age: bool = False
    folder: Path = field(default_factory=Path.cwd)


@dataclass(slots=True)
class Collected:
    """What was kept, how many files were older than the run, which patterns matched nothing, what could not be kept."""

    files: int = 0
    size_bytes: int = 0
    older: int = 0
    nothing: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    lost: int = 0

    def line(self) -> str:
        """Return all of it in one line."""
        said = [f"{text.plural(self.files, 'artifact')} kept ({text.size(self.size_bytes)})"]
        if self.older:
            said.append(f"{text.plural(self.older, 'file')} older than the run left out (--any-age takes them too)")
        if self.nothing:
            said.append("nothing matches " + ", ".join(text.safe(pattern) for pattern in self.nothing[:3]))
        if self.troubles:
            more = f" and {len(self.troubles) - 1} more" if len(self.troubles) > 1 else ""
            said.append(text.safe(self.troubles[0]) + more)
        return "; ".join(said)


def check(patterns: Sequence[str]) -> None:
    """Raise UsageError for a pattern that cannot be meant."""
    for pattern in patterns:
        if not pattern or "\0" in pattern:
            raise UsageError(f"{pattern!r} is no pattern", hint="--artifacts 'out/**/*.png'")


def collect(session: Session, wanted: Wanted, begin: Begin | None = None) -> Collected:
    """Keep what the patterns match; what goes wrong is said and counted, and never raised."""
    done = Collected()

    def trouble(what: str, why: str) -> None:
        done.troubles.append(f"{what} could not be kept: {why}")
        done.lost += 1

    work = Work(session, trouble, lambda what, why: done.troubles.append(f"{what} {why}"))
    try:
        found = _found(session, wanted, done, trouble)
        if begin is not None:
            work = Work(session, work.trouble, work.noticed, begin(sum(file.found.st_size for file in found)))
        kept = attach.add_files(work, found, "")
        done.files, done.size_bytes = len(kept.names), kept.size_bytes
    except (OSError, GitexpError) as error:
        trouble("an artifact", attach.why(error))
    if done.lost:
        session.writer.event("lost", counts={"artifacts": done.lost})
    return done


def _found(session: Session, wanted: Wanted, done: Collected, trouble: folders.Trouble) -> list[File]:
    """Return the files that the patterns match, by name, those of the run's own time."""
    since_ns = 0 if wanted.any_age else session.start.record.start_ms * 1_000_000 - _CLOCK_NS
    repo = session.workspace.repo
    own = tuple(os.path.realpath(path) for path in (repo.git_dir, repo.common_dir))
    found: dict[str, File] = {}
    older: set[str] = set()
    for pattern in wanted.patterns:
        matched = False
        for file in _matches(pattern, wanted.folder, own, trouble):
            matched = True
            if max(file.found.st_mtime_ns, file.found.st_ctime_ns) < since_ns:
                older.add(file.below)
            else:
                found.setdefault(file.below, file)
        if not matched:
            done.nothing.append(pattern)
    done.older = len(older)
    logged = events.of(session.folder).artifacts  # by the script itself, which knows better
    return [found[name] for name in sorted(found) if name not in logged]


def _matches(pattern: str, folder: Path, own: tuple[str, ...], trouble: folders.Trouble) -> Iterator[File]:
    """Yield the files that a pattern matches; folders that it matches with all that is in them."""
    base = _base(pattern, folder)
    top = os.path.realpath(base)
    for path in sorted(glob.iglob(str(folder / pattern), recursive=True)):
        real = os.path.realpath(path)
        if any(real == one or real.startswith(one + os.sep) for one in own):
            continue
        if "**" in pattern and _is_below_link(path, base, top):
            continue  # what it leads to inside is found under its own name, and loops end here
        if real != top and not real.startswith(top.rstrip("/") + "/"):
            trouble(os.path.relpath(path, base), "is a link to outside of the folder")
            continue
        try:
            seen = os.stat(path)  # noqa: PTH116
        except OSError as error:
            trouble(path, attach.why(error))
            continue
        name = _name(path, base)
        if stat.S_ISDIR(seen.st_mode):
            if not path.endswith("/") and "**" not in pattern:
                for file in folders.listing(Path(path), trouble, own).files:
                    yield File(file.path, f"{name}/{file.below}", file.found)
        elif what := folders.kind(seen.st_mode):
            trouble(path, f"is {what}")
        else:
            yield File(path, name, seen)


def _is_below_link(path: str, base: Path, top: str) -> bool:
    """Say whether the folder that a path lies in is reached through a link."""
    folder = Path(path).parent
    return os.path.realpath(folder) != os.path.normpath(Path(top, os.path.relpath(folder, base)))


def _base(pattern: str, folder: Path) -> Path:
    """Return the folder from which files are named: the given one, or the fixed part of a pattern that leads out."""
    whole = Path(os.path.normpath(folder / pattern))
    if whole.is_relative_to(folder):
        return folder
    fixed = whole
    while glob.has_magic(str(fixed)):
        fixed = fixed.parent
    return fixed.parent


def _name(path: str, base: Path) -> str:
    relative = os.path.relpath(path, base)
    try:
        return names.check(relative)
    except UsageError:
        return names.check(Path(path).name)
