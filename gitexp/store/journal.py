"""The journal of a run that is still running: .git/gitexp/live/<id>/ (docs/format.md, "Journal").

    start.json             what was known at the start: record, code, who owns the journal
    events-<writer>.jsonl  params, tags, artifacts, the end: a line of JSON each; its writer holds the lock of this file
    metrics-<writer>.csv   points, the lines of metrics.csv
    system-<writer>.csv    system metrics
    output.log             of a wrapped command
    environment.json, requirements.txt, files/<stored name>, packs/pack-<sha1>.{pack,idx,list}

Append-only, one writer a file. A line that a crash tore is the last one, and is left out.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitexp import canonical, clock, files, locks
from gitexp.errors import Conflict, Damaged
from gitexp.record import points
from gitexp.record import summary as summaries
from gitexp.record.run import RunRecord
from gitexp.record.summary import Aggregate
from gitexp.store import turns
from gitexp.store.turns import Turn

MAIN = "main"
CLAIM = "claim.lock"  # of a recovery; no sign of the run's own life
BACKLOG_ROWS = 100_000  # rows in memory before the caller writes them itself: about 20 MB
_CHUNK_ROWS = 4096

Row = tuple[str, int, int, int | float]  # metric, step, time in ms, value


@dataclass(frozen=True, slots=True)
class Start:
    """start.json: the record as it was at the start, the tree and commit of the code, and the journal's owner.

    `owned` is False for a journal that no process owns (it is never taken for dead); to the main files of a `shared`
    one any process appends, each for a moment, and its owner is who holds the lock of owner.lock; `previous` is the tip
    of a run that is resumed, or that this journal `replaces` because it holds all of it; `fixed` says which of
    experiment and name the command line gave, so that the script cannot change them.
    """

    record: RunRecord
    code_tree: str | None
    code_commit: str | None
    ref: str
    pid: int
    boot: str
    owned: bool = True
    previous: str | None = None
    replaces: bool = False
    fixed: list[str] = field(default_factory=list)
    shared: bool = False

    def write(self, folder: Path) -> None:
        """Put start.json into a journal's folder."""
        kept = ("code_tree", "code_commit", "ref", "pid", "boot", "owned", "previous", "replaces", "fixed", "shared")
        value = {key: getattr(self, key) for key in kept} | {"record": self.record.to_json()}
        files.write(folder / "start.json", canonical.dumps(value))

    @classmethod
    def read(cls, folder: Path) -> Start:
        """Read a journal's start.json; raises Damaged."""
        try:
            value = canonical.loads((folder / "start.json").read_bytes())
            record = RunRecord.from_json(value.pop("record"))
            known = {key: value[key] for key in cls.__dataclass_fields__ if key in value}
            return cls(record=record, **known)
        except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
            raise Damaged(f"{folder}/start.json does not parse: {error}", hint="gitexp status") from error


def boot() -> str:
    """Return what names this start of this machine's kernel: its locks can be trusted, another's cannot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return os.uname().nodename


class Writer:
    """One process's files in a journal. `rows` is what the caller appends points to; a thread takes them from there.

    Rows are (name as a CSV field, step, time in ms, value). Only `drain` removes rows, from the front, in one step that
    the interpreter does not interrupt, so appending needs no lock. The files of a `shared` one are several processes':
    each has them for the time of a call, which raises Conflict where the run has been committed.
    """

    def __init__(self, folder: Path, name: str, *, shared: bool = False) -> None:
        self.folder = folder
        self.name = name
        self.rows: list[Row] = []
        self.summary: dict[str, Aggregate] = {}
        self.trouble: OSError | None = None
        self.lost = 0
        self.waits = 0
        self._readings = 0
        self._posted: deque[bytes] = deque()
        self._metrics = self._system = -1
        self._events = _open(folder / f"events-{name}.jsonl", create=not shared)
        self._written = 0  # bytes of points, by this writer
        self._lock: Turn | threading.RLock = Turn(self._events) if shared else threading.RLock()
        if not shared and not locks.try_lock(self._events):
            os.close(self._events)
            raise Conflict(f"another process writes {folder.name} as {name}", hint="gitexp status")

    def event(self, op: str, **fields: Any) -> None:
        """Append one event; raises OSError where it cannot be written."""
        line = canonical.line({"op": op, "time": clock.now_ms(), **fields}) + b"\n"
        with self._lock:
            self._write_posted()
            _append(self._events, line)

    def post(self, op: str, **fields: Any) -> bool:
        """Append one event without waiting for anybody; False where whoever holds the files now will write it.

        For threads that the main one waits for: a signal may have stopped that one inside a write.
        """
        self._posted.append(canonical.line({"op": op, "time": clock.now_ms(), **fields}) + b"\n")
        return self.flush()

    def flush(self) -> bool:
        """Write what was posted, without waiting for anybody; says whether all of it is written."""
        if self._posted and self._lock.acquire(blocking=False):
            try:
                self._write_posted()
            except OSError as error:  # it stays for the next time, as points do
                self.trouble = error
            finally:
                self._lock.release()
        return not self._posted

    def _write_posted(self) -> None:
        while self._posted:
            _append(self._events, self._posted[0])
            self._posted.popleft()

    def system(self, rows: Iterable[tuple[str, int, float]]) -> None:
        """Append one reading of system metrics, (name, time in ms, value) each; the step counts the readings."""
        step, self._readings = self._readings, self._readings + 1
        lines = [f"{points.cell(name)},{step},{points.seconds(ms)},{value!r}\n" for name, ms, value in rows]
        with self._lock:
            if self._system < 0:
                self._system = _open(self.folder / f"system-{self.name}.csv", points.HEADER)
            _append(self._system, "".join(lines).encode("utf-8", "backslashreplace"))

    def drain(self, *, wait: bool = True) -> None:
        """Write what has been appended to `rows`; a failed write keeps the rows for the next time.

        After BACKLOG_ROWS × 10 rows that could not be written, the oldest are given up and counted in `lost`.
        """
        if not self._lock.acquire(blocking=wait):
            return
        try:
            self._write_posted()
            while chunk := self.rows[:_CHUNK_ROWS]:
                self._write_rows(chunk)
                del self.rows[: len(chunk)]
            self.trouble = None
        except OSError as error:
            self.trouble = error
            if (over := len(self.rows) - 10 * BACKLOG_ROWS) > 0:
                del self.rows[:over]
                self.lost += over
        finally:
            self._lock.release()

    def turn(self) -> Turn | threading.RLock:
        """Return what to hold while several things are written, or read and written, that belong together.

        Of a shared journal, raises Conflict where the run has been committed by another process.
        """
        return self._lock

    def put(self, rows: list[Row]) -> None:
        """Write points at once; raises OSError where they cannot be written."""
        with self._lock:
            self._write_posted()
            self._write_rows(rows)

    def _write_rows(self, rows: list[Row]) -> None:
        if self._metrics < 0:
            self._metrics = _open(self.folder / f"metrics-{self.name}.csv", points.HEADER)
        data = _format(rows).encode("utf-8", "backslashreplace")
        _append(self._metrics, data)
        self._written += len(data)
        summaries.take(self.summary, rows)

    @property
    def wrote_all(self) -> bool:
        """Whether every point in its file of metrics was written here, so that `summary` is that of the file."""
        try:
            size = (self.folder / f"metrics-{self.name}.csv").stat().st_size
        except FileNotFoundError:
            return True
        return size == len(points.HEADER) + self._written

    def touch(self) -> None:
        """Give a sign of life: hosts that share the file system without locks go by its time."""
        if self._lock.acquire(blocking=False):
            try:
                if self._events >= 0:
                    os.utime(self._events)
            finally:
                self._lock.release()

    def close(self) -> None:
        """Let go of the files and of the lock."""
        with self._lock.threads if isinstance(self._lock, Turn) else self._lock:
            for descriptor in (self._metrics, self._system, self._events):
                if descriptor >= 0:
                    os.close(descriptor)
            self._metrics = self._system = self._events = -1
            if isinstance(self._lock, Turn):
                self._lock.closed = True

    def abandon_in_child(self) -> None:
        """After a fork: the files and rows are the parent's; what they hold must not be written twice."""
        self._lock = threading.RLock()
        self.rows.clear()
        self._posted.clear()
        self.close()

    def rescue(self) -> None:
        """Move to a new folder where another host took ours for dead: our descriptors still hold what we wrote."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            self._events = self._moved(self._events, f"events-{self.name}.jsonl")
            self._metrics = self._moved(self._metrics, f"metrics-{self.name}.csv")
            self._system = self._moved(self._system, f"system-{self.name}.csv")
            locks.try_lock(self._events)

    def _moved(self, descriptor: int, name: str) -> int:
        if descriptor < 0:
            return descriptor
        with open(descriptor, "rb") as source, files.replacing(self.folder / name) as target:
            source.seek(0)
            shutil.copyfileobj(source, target)
        return _open(self.folder / name)


def _open(path: Path, header: str = "", *, create: bool = True) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o644)
    if header and not os.fstat(descriptor).st_size:
        try:
            _append(descriptor, header.encode())
        except OSError:
            os.close(descriptor)
            raise
    return descriptor


def _append(descriptor: int, data: bytes) -> None:
    """Write all of `data` or nothing: on a full disk the half that went in is taken back."""
    if descriptor < 0:
        raise ValueError("the journal is closed")
    size = os.fstat(descriptor).st_size
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def _format(rows: list[Row]) -> str:
    """Return the lines of rows; most points of one burst share a millisecond, whose text is made once."""
    lines: list[str] = []
    last, text = None, ""
    add = lines.append
    for cell, step, time_ms, value in rows:
        if time_ms != last:
            last, text = time_ms, points.seconds(time_ms)
        add(f"{cell},{step},{text},{value!r}\n")
    return "".join(lines)


def create(live: Path, start: Start) -> Path:
    """Make the journal's folder, with start.json; returns it. Raises Conflict where the run has one."""
    folder = live / start.record.id
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "start.json").exists():
        raise Conflict(f"run {start.record.id} is running already", hint="gitexp status")
    if start.shared:  # whoever comes finds it, and nobody makes one anew in a folder that is being removed
        (folder / f"events-{MAIN}.jsonl").touch()
    start.write(folder)
    return folder


def stage(folder: Path, stored: str, write: Callable[[Path], None]) -> Path:
    """Let `write` put a small artifact into the journal's own folder, aside first."""
    target = folder / "files" / stored
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        write(aside)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return target


def packs(folder: Path) -> Path:
    """Return where a journal keeps the packs of large folders until its run is committed."""
    return folder / "packs"


def writers(folder: Path) -> list[str]:
    """Return the names of the processes that wrote here: the main one first, then in the order of their names."""
    names = {path.name.split("-", 1)[1].rsplit(".", 1)[0] for path in folder.glob("events-*.jsonl")}
    return sorted(names, key=lambda name: (name != MAIN, name))


def held(folder: Path, writer: str) -> bool | None:
    """Say whether a writer holds its lock; None where locks do not tell; False where it never came."""
    return _locked(folder / f"events-{writer}.jsonl")


def _locked(path: Path) -> bool | None:
    try:
        return locks.is_locked(path)
    except FileNotFoundError:
        return False


def last_sign_ms(folder: Path) -> int:
    """Return when anything was last written or touched in a journal, ms since the epoch; 0 for one that is gone."""
    newest = 0
    try:
        for item in os.scandir(folder):
            if item.name != CLAIM and not item.name.startswith("."):
                newest = max(newest, item.stat().st_mtime_ns // 1_000_000)
    except FileNotFoundError:
        return newest
    return newest


def is_ours(start: Start) -> bool:
    """Say whether the journal's locks are those of this machine's own kernel."""
    return start.boot == boot()


def lock_of_owner(folder: Path, start: Start) -> Path:
    """Return the file whose lock the owner of a journal holds."""
    return folder / (turns.OWNER if start.shared else f"events-{MAIN}.jsonl")


def has_owner(folder: Path, start: Start) -> bool:
    """Say whether a journal belongs to a process, which may be dead."""
    return start.owned and not (start.shared and not (folder / turns.OWNER).exists())


def is_alive(folder: Path, start: Start, dead_after_seconds: float) -> bool:
    """Say whether a journal has a writer: by its lock on this machine, by its last sign of life elsewhere."""
    if not has_owner(folder, start):
        return True
    locked = _locked(lock_of_owner(folder, start))
    if locked:
        return True
    if locked is False and is_ours(start):
        return False
    return clock.now_ms() - last_sign_ms(folder) < dead_after_seconds * 1000


def claim(folder: Path) -> Path | None:
    """Take a dead journal's folder by renaming it; None where another process was first. Freed by `release`."""
    run_id = folder.name.partition(".")[0]
    taken = folder.with_name(f"{run_id}.dead.{os.getpid()}.{os.urandom(3).hex()}")
    try:
        folder.rename(taken)
    except FileNotFoundError:
        return None
    return taken


def is_claimed(folder: Path) -> bool:
    """Say whether a folder is one that a recovery took."""
    return ".dead." in folder.name


def lock_claim(folder: Path) -> int | None:
    """Hold a claimed folder's lock while it is turned into a commit; None where somebody does that now."""
    descriptor = os.open(folder / CLAIM, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        return descriptor
    return descriptor


def remove(folder: Path) -> None:
    """Remove a journal whose run is committed."""
    shutil.rmtree(folder, ignore_errors=True)
