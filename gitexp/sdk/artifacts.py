"""What a run that is being recorded keeps of files, and of values that become files."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypedDict, Unpack

from gitexp import files, redact
from gitexp.errors import UsageError
from gitexp.ops.recording import attach, checkpoints
from gitexp.ops.recording.attach import Work
from gitexp.ops.recording.checkpoints import Policy, Shelf
from gitexp.ops.recording.storing import HELD_FILES, Storer
from gitexp.record import names, points, values
from gitexp.sdk import kinds
from gitexp.sdk.kinds import Made

if TYPE_CHECKING:
    from gitexp.ops.recording.lifecycle import Session

Metadata = Mapping[str, Any]


class Said(TypedDict, total=False):
    """What is said of any artifact."""

    role: str | None
    caption: str | None
    metadata: Metadata | None


class More(Said, total=False):
    """That, and whether to wait."""

    wait: bool


class Linked(Said, total=False):
    """What is said of a link."""

    type: str | None
    step: int | None


class Artifacts:
    """The part of a run that keeps files. All of it returns at once: files are read, hashed and written by a thread.

    The thread takes one after the other, in the order logged; `finish` waits for it. What cannot be kept warns once and
    is counted in the record. Common arguments: name is what it is called in the record, `/` between parts, and the same
    name again replaces it; role says what it is for; metadata is a mapping, kept beside it; wait=True returns when it
    is on the disk.
    """

    if TYPE_CHECKING:
        _session: Session | None
        _prefix: str

        def _check_open(self) -> None: ...
        def _warn(self, reason: str, line: str) -> None: ...

    def _begin_artifacts(self) -> None:
        self._storer = Storer(self._job_failed)
        self._shelf: Shelf | None = None
        self._not_stored = 0

    def log_artifact(
        self,
        path: Any,
        name: str | None = None,
        *,
        type: str | None = None,
        role: str | None = None,
        step: int | None = None,
        caption: str | None = None,
        metadata: Metadata | None = None,
        wait: bool = False,
    ) -> None:
        """Keep a file, or all files of a folder, that the run produced; or bytes, or what a file object gives.

        name: default: the last part of `path`. type: what kind of thing it is, any word ("model"). A small file has the
        bytes of this moment; a large one is opened now and read soon: one that was changed until then is said to have
        changed, wait=True keeps what there is now. Raises UsageError for a path that does not exist, a name that cannot
        be, and bytes without a name.
        """
        self._check_open()
        facts = about(type, role, step, caption, metadata)
        if isinstance(path, bytes | bytearray | memoryview):
            data = bytes(path)
            self._keep_made(self._named(name), Made("", lambda: data, len(data)), facts, wait)
        elif callable(getattr(path, "read", None)):
            self._keep_stream(path, name, facts, wait)
        else:
            self._keep_path(Path(path), name, facts, wait)

    def log_text(self, said: str, name: str = "text.txt", *, step: int | None = None, **more: Unpack[More]) -> None:
        """Keep a text as UTF-8; with a step, `notes.txt` becomes `notes/<step>.txt`.

        More: role, caption, metadata, wait.
        """
        self._log(lambda suffix: kinds.text(said, suffix), "text", name, step, more)

    def log_dict(self, value: Any, name: str = "values.json", *, step: int | None = None, **more: Unpack[More]) -> None:
        """Keep a mapping or list as JSON; values are converted as params are. More: role, caption, metadata, wait."""
        self._log(lambda suffix: kinds.document(value, suffix), "dict", name, step, more)

    def log_table(self, frame: Any, name: str = "table", *, step: int | None = None, **more: Unpack[More]) -> None:
        """Keep a DataFrame, or what one is made of, as Parquet where pyarrow is installed, else as CSV.

        name: an ending says which: `predictions.parquet`, `predictions.csv`. More: role, caption, metadata, wait.
        """
        self._log(lambda suffix: kinds.table(frame, suffix), "table", name, step, more, (".csv", ".parquet"))

    def log_figure(self, figure: Any, name: str = "figure", *, step: int | None = None, **more: Unpack[More]) -> None:
        """Keep a figure: of matplotlib (or axes, or seaborn's grids) as PNG, SVG or PDF, of plotly as a page or JSON.

        It is drawn in the call, which takes as long as that does. name: an ending says how: `loss.svg`. More: role,
        caption, metadata, wait.
        """
        known = (*kinds.FIGURES, ".html", ".json")
        self._log(lambda suffix: kinds.figure(figure, suffix), "figure", name, step, more, known)

    def log_image(self, image: Any, name: str = "image", *, step: int | None = None, **more: Unpack[More]) -> None:
        """Keep an image: PIL's, or an array or tensor of shape (height, width) or (height, width, 1, 3 or 4).

        Whole numbers count 0 to 255, floats 0 to 1; channels may come first. name: an ending says how it is written
        (default PNG); with a step, `sample` becomes `sample/<step>.png`. More: role, caption, metadata, wait.
        """
        self._log(lambda suffix: kinds.image(image, suffix), "image", name, step, more, tuple(kinds.IMAGES))

    def log_audio(
        self, samples: Any, sample_rate: int, name: str = "audio", *, step: int | None = None, **more: Unpack[More]
    ) -> None:
        """Keep sound as 16-bit WAV: samples of shape (samples,) or (samples, channels), floats of -1 to 1 or int16.

        sample_rate: in hertz. Files of other formats are artifacts: log_artifact(path, type="audio"). More: role,
        caption, metadata, wait.
        """
        self._log(lambda suffix: kinds.audio(samples, int(sample_rate), suffix), "audio", name, step, more, (".wav",))

    def log_html(self, page: str, name: str = "page.html", *, step: int | None = None, **more: Unpack[More]) -> None:
        """Keep a page of HTML. More: role, caption, metadata, wait."""
        self._log(lambda suffix: kinds.text(page, suffix), "html", name, step, more)

    def log_histogram(
        self, numbers: Any, name: str = "histogram", *, bins: int = 64, step: int | None = None, **more: Unpack[More]
    ) -> None:
        """Keep how numbers are distributed: counts in `bins` bins of equal width from the least to the greatest (JSON).

        NaN and infinities are left out, and counted. More: role, caption, metadata, wait.
        """
        known = (".json",)
        self._log(lambda suffix: kinds.histogram(numbers, bins, suffix), "histogram", name, step, more, known)

    def link_artifact(
        self,
        uri: str,
        name: str | None = None,
        *,
        sha256: str | None = None,
        size: int | None = None,
        etag: str | None = None,
        version: str | None = None,
        **more: Unpack[Linked],
    ) -> None:
        """Name an artifact whose bytes stay where they are: `s3://…`, `https://…`, a path on a shared disk.

        Nothing is read, and credentials in the URI are not kept. sha256 (64 hex digits) and size (bytes) let a reader
        check what it downloads. name: default: the last part of the URI. More: type, role, step, caption, metadata.
        Raises UsageError for what is no sha256 or size.
        """
        self._check_open()
        if sha256 is not None and not (len(sha256) == 64 and set(sha256.lower()) <= set("0123456789abcdef")):
            raise UsageError(f"{sha256[:70]!r} is no sha256", hint="sha256sum FILE")
        if size is not None and (not isinstance(size, int) or size < 0):
            raise UsageError(f"{size!r} is no size in bytes", hint="size=1024")
        said = {"uri": redact.url(str(uri)), "sha256": sha256 and sha256.lower(), "size": size, "etag": etag}
        link = {key: value for key, value in {**said, "version": version}.items() if value is not None}
        full = self._named(name or str(uri).split("?")[0].rstrip("/").rpartition("/")[2])
        link |= about(**more)
        session = self._session
        if session is not None:
            self._storer.take(lambda: attach.link(session, full, link))

    def log_checkpoint(
        self,
        path: str | os.PathLike[str],
        *,
        step: int | None = None,
        metric: str | None = None,
        value: float | None = None,
        best: int | None = None,
        last: int | None = None,
        top: int | None = None,
        mode: str | None = None,
        name: str | None = None,
        **more: Unpack[More],
    ) -> None:
        """Keep a checkpoint, a file or folder, as `checkpoints/<step>/<name>`, and free those that a policy gives up.

        best or top: how many of the best to keep, by `value`, or by what `metric` was last logged as; last: how many of
        the newest by step; what is among either stays, all where neither is said. What falls out is taken back at once,
        its bytes too, unless another run or artifact has the same. mode: "max" or "min" where neither the project nor
        the metric's name says what is better. name: default: the last part of `path`; checkpoints of different names do
        not compete. step: when left out, one more than the last. It returns when the bytes are kept, as the next
        checkpoint mostly takes the place of this one on the disk; wait=False where each has a path of its own. More:
        role, caption, metadata. Raises UsageError for a path that does not exist and for a policy that cannot be meant.
        """
        self._check_open()
        source, seen = Path(path), _existing(Path(path))
        number = None if value is None else float(values.number(value))
        policy = self._policy(metric, number, best if top is None else max(top, best or 0), last, mode)
        if self._session is None:
            return
        if metric is not None and number is None:
            number = self._last_value(metric)
            if number is None:
                self._warn("metrics", f"no metric {metric!r} was logged: the checkpoint cannot be the best")
        ranked = {key: item for key, item in (("metric", metric), ("value", number)) if item is not None}
        facts = {**_about_more("checkpoint", step, more), **ranked}
        if self._shelf is None or self._shelf.session is not self._session:
            self._shelf = Shelf(self._session)
        self._keep_checkpoint(
            self._shelf, source, self._named(name or source.name), facts, policy, seen, bool(more.get("wait", True))
        )

    def _keep_checkpoint(
        self, shelf: Shelf, source: Path, group: str, facts: dict[str, Any], policy: Policy, seen: Any, wait: bool
    ) -> None:
        try:
            opened = _opened(source, seen)
        except OSError as error:
            self._artifact_lost(str(source), attach.why(error))
            return

        def job() -> None:
            with opened as found:
                facts.setdefault("step", shelf.next_step(group))
                shelf.keep(self._work(packs=False), found, group, facts, policy, since=_seen(seen))

        self._storer.take(self._named_job(job, str(source)), wait=wait)

    def _policy(
        self, metric: str | None, value: float | None, best: int | None, last: int | None, mode: str | None
    ) -> Policy:
        for number in (best, last):
            if number is not None and (not isinstance(number, int) or number < 0):
                raise UsageError(f"{number!r} is no number of checkpoints", hint="best=1, last=2")
        if mode not in (None, "max", "min"):
            raise UsageError(f"no mode {mode!r}", hint='mode="max", or mode="min"')
        if best is None or self._session is None:
            return Policy(best, last)
        if metric is None and value is None:
            raise UsageError("nothing says which checkpoint is the best", hint='metric="val_auc", or value=0.93')
        return Policy(best, last, checkpoints.direction(self._session.workspace, metric, mode))

    def _last_value(self, metric: str) -> float | None:
        """Return what a metric was logged as last: among what waits, else in what is written."""
        assert self._session is not None
        cell, writer = points.cell(self._prefix + metric), self._session.writer
        for row in reversed(writer.rows[:]):
            if row[0] == cell:
                return float(row[3])
        aggregate = writer.summary.get(cell)
        return None if aggregate is None or aggregate.last is None else float(aggregate.last)

    def _log(
        self,
        make: Callable[[str], Made],
        kind: str,
        name: str,
        step: int | None,
        more: More,
        known: tuple[str, ...] | None = None,
    ) -> None:
        """Take a value over, and keep it under its name with the ending that its bytes have."""
        self._check_open()
        facts = _about_more(kind, step, more)
        suffix = kinds.ending(self._named(name), known)
        if self._session is None:
            return
        try:
            made = make(suffix)
        except UsageError:
            raise
        except Exception as error:  # whatever a library says of a value: the training goes on
            self._artifact_lost(name, attach.why(error))
            return
        bare = name[: -len(suffix)] if suffix else name
        end = name[len(bare) :] or made.suffix
        full = f"{bare}{end}" if step is None else f"{bare}/{facts['step']}{end}"
        self._keep_made(self._named(full), made, {**facts, **made.facts}, bool(more.get("wait")))

    def _keep_made(self, name: str, made: Made, facts: dict[str, Any], wait: bool) -> None:
        session = self._session
        if session is not None:
            job = self._named_job(lambda: attach.add_bytes(session, made.encode(), name, facts), name)
            self._storer.take(job, held_bytes=made.held_bytes, wait=wait)

    def _keep_stream(self, stream: Any, name: str | None, facts: dict[str, Any], wait: bool) -> None:
        """Read a file object in the call: it may be closed right after; what is large goes to the disk."""
        given = getattr(stream, "name", None)
        full = self._named(name or (Path(given).name if isinstance(given, str) else None))
        if self._session is None:
            return
        aside = self._session.workspace.tmp / f"stream.{os.getpid()}.{os.urandom(4).hex()}"
        try:
            aside.parent.mkdir(parents=True, exist_ok=True)
            with open(aside, "wb") as file:
                _pour(stream, file)
        except Exception as error:  # a stream raises what it likes, and a disk can be full
            aside.unlink(missing_ok=True)
            self._artifact_lost(full, attach.why(error))
            return
        self._storer.take(self._named_job(lambda: attach.take(self._work(), aside, full, facts), full), wait=wait)

    def _keep_path(self, path: Path, name: str | None, facts: dict[str, Any], wait: bool) -> None:
        source, seen = path, _existing(path)
        given = name or (source.name if source.name not in ("", "..") else source.resolve().name) or "files"
        full = self._named(given.strip("/") if stat.S_ISDIR(seen.st_mode) else given)
        if self._session is None:
            return
        try:
            if stat.S_ISREG(seen.st_mode) and seen.st_size <= self._work().limit:
                data, changed = attach.read(source, self._work().limit)
                if data is not None:
                    facts = {**facts, **({"changed": True} if changed else {})}
                    self._keep_small(data, full, seen, facts, wait)
                    return
            opened = _opened(source, seen, keep=self._storer.waiting < HELD_FILES)
        except OSError as error:
            self._artifact_lost(str(path), attach.why(error))
            return

        def job() -> None:
            with opened as found:
                attach.add(self._work(), found, full, facts, since=_seen(seen))

        self._storer.take(self._named_job(job, str(path)), wait=wait)

    def _keep_small(self, data: bytes, name: str, seen: os.stat_result, facts: dict[str, Any], wait: bool) -> None:
        """Keep a small file that was read in the call: that takes no longer than handing it over."""
        session, executable = self._session, bool(seen.st_mode & 0o100)
        assert session is not None
        job = self._named_job(lambda: attach.add_bytes(session, data, name, facts, executable), name)
        self._storer.take(job, held_bytes=len(data), wait=wait)

    def _named(self, name: Any) -> str:
        """Return the full name of an artifact; raises UsageError for one that cannot be."""
        if not isinstance(name, str | os.PathLike) or not str(name):
            raise UsageError("an artifact of bytes needs a name", hint='name="model.pt"')
        return names.check(self._prefix + str(name))

    def _work(self, *, packs: bool = True) -> Work:
        assert self._session is not None
        return Work(self._session, self._artifact_lost, self._artifact_changed, packs=packs)

    def _named_job(self, job: Callable[[], object], what: str) -> Callable[[], None]:
        """Return a job that says of what it was when it fails."""

        def guarded() -> None:
            try:
                job()
            except Exception as error:  # a disk, a library, a value: the training goes on, and it is counted
                self._artifact_lost(what, attach.why(error))

        return guarded

    def _job_failed(self, error: Exception) -> None:
        self._artifact_lost("an artifact", attach.why(error))

    def _artifact_lost(self, what: str, why: str) -> None:
        self._not_stored += 1
        self._warn("artifacts", f"{what[:200]!r} could not be kept: {why}")

    def _artifact_changed(self, what: str, why: str) -> None:
        self._warn("changed", f"{what[:200]!r} {why}")


def _pour(stream: Any, file: BinaryIO) -> None:
    """Copy what a file object gives; one of text gives UTF-8."""
    while block := stream.read(files.BLOCK_BYTES):
        file.write(block.encode("utf-8", "backslashreplace") if isinstance(block, str) else block)


class _opened:
    """A large file that is kept open until it is read: then it may be replaced or removed meanwhile.

    What is yielded names the open file itself; for folders, and where many are open already, it is the path.
    """

    def __init__(self, source: Path, seen: os.stat_result, *, keep: bool = True) -> None:
        self._source = source
        self._descriptor = -1
        if keep and stat.S_ISREG(seen.st_mode):
            self._descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> Path:
        return self._source if self._descriptor < 0 else Path(f"/proc/self/fd/{self._descriptor}")

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


def _existing(path: Path) -> os.stat_result:
    """Return what a path is; raises UsageError where there is nothing that can be looked at."""
    try:
        return path.stat()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"there is no file {str(path)[:200]!r} to log", hint="look at the path, and at the current folder"
        ) from error


def _seen(found: os.stat_result) -> tuple[int, int] | None:
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def _about_more(kind: str, step: int | None, more: More) -> dict[str, Any]:
    """Return what is said of an artifact; raises TypeError for a keyword that there is not."""
    if unknown := set(more) - {"role", "caption", "metadata", "wait"}:
        raise TypeError(f"unexpected keyword argument {min(unknown)!r}")
    return about(kind, more.get("role"), step, more.get("caption"), more.get("metadata"))


def about(
    type: str | None = None,
    role: str | None = None,
    step: Any = None,
    caption: str | None = None,
    metadata: Metadata | None = None,
) -> dict[str, Any]:
    """Return what is said of an artifact as artifacts.json has it; raises UsageError for what cannot be said."""
    said: dict[str, Any] = {}
    for key, text in (("type", type), ("role", role), ("caption", caption)):
        if text is not None:
            said[key] = str(text)
    if step is not None:
        try:
            said["step"] = values.step(step)
        except ValueError as error:
            raise UsageError(str(error), hint="step=100") from error
    if metadata is not None:
        if not isinstance(metadata, Mapping):
            raise UsageError(f"metadata is a mapping, not {values.short_repr(metadata)[:80]}", hint='metadata={"k": 1}')
        said["metadata"] = values.plain(metadata)[0]
    return said
