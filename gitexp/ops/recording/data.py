"""Datasets of a run that is being recorded: what a path, a table or an address holds, read beside the training.

An entry is written at once, as far as it is known without reading; `read` completes it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from gitexp import canonical, ids, text
from gitexp.capture import address, data, digest, frames, pointers, tables
from gitexp.capture.data import Hashed, Hasher
from gitexp.errors import GitexpError, UsageError
from gitexp.git import refs
from gitexp.ops.recording import attach
from gitexp.ops.recording.attach import Work
from gitexp.ops.recording.lifecycle import Session
from gitexp.record import dataset, values
from gitexp.record.dataset import Dataset
from gitexp.store import awsfiles, hashes, reflog, runs
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace

NOT_YET = "the run ended before it was read"
_EARLIER = 20  # runs that are looked at for one that read the same name


@dataclass(slots=True)
class Stop:
    """Asks a reading to end soon: the run is being killed."""

    asked: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        """Raise where it was asked."""
        if self.asked.is_set():
            raise OSError("the run was killed before all was read")


@dataclass(frozen=True, slots=True)
class Options:
    """What is said of a dataset beside where it is."""

    name: str | None = None
    role: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    feature_store: str = ""
    store: bool = False
    download: bool = False
    follow: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """What was logged: exactly one of a path, a table (`frame`, already ours) and an address; or a name in a store."""

    entry: Dataset
    path: Path | None = None
    frame: Any = None
    address: str = ""
    options: Options = field(default_factory=Options)


def source(workspace: Workspace, given: Any, options: Options) -> Source:
    """Return what is to be read, with the entry as far as it is known now; raises UsageError for what cannot be meant.

    A table in memory is taken over: what the caller does to it later changes nothing.
    """
    plain, _ = values.plain(dict(options.metadata))
    base = Dataset("", role=str(options.role or ""), metadata=plain)
    if options.feature_store:
        base = replace(base, source={"kind": "feature-store", "store": str(options.feature_store)})
    if options.version:
        base = replace(base, source={**base.source, "version": str(options.version)})
    if frames.kind(given):
        return Source(_named(base, options, "data"), frame=_taken(given), options=options)
    if not isinstance(given, str | os.PathLike):
        raise UsageError(
            f"a dataset is a path, a table or an address, not {values.short_repr(given)[:80]}",
            hint='run.log_dataset("data/train.csv", name="train")',
        )
    said = os.fspath(given)
    if options.feature_store:
        named = replace(base, uri=said, source={**base.source, "feature": said})
        return Source(_named(named, options, said))
    if address.is_address(said) and not said.lower().startswith("file://"):
        parts = {**address.source(said), **base.source}
        named = replace(base, uri=address.shown(said), source=parts)
        return Source(_named(named, options, _last(urlsplit(said).path) or "data"), address=said, options=options)
    return _of_path(workspace, Path(unquote(urlsplit(said).path) if "://" in said else said), base, options)


def _of_path(workspace: Workspace, path: Path, base: Dataset, options: Options) -> Source:
    pointed = pointers.pointed(path) if pointers.is_dvc(path) else None
    if pointed is not None:
        path, base = pointed[0], replace(base, source={**pointed[1], **base.source})
    elif not path.exists() and not path.with_name(path.name + ".dvc").is_file():
        raise UsageError(f"there is no data at {str(path)!r}", hint="look at the path, and at the current folder")
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - as it was named: a link is not resolved
    named = _named(base, options, absolute.name or "data")
    return Source(replace(named, uri=_uri(workspace, absolute)), path=absolute, options=options)


def _named(base: Dataset, options: Options, default: str) -> Dataset:
    name = default if options.name is None else options.name
    if not isinstance(name, str) or not name.strip() or len(name) > dataset.MAX_NAME:
        raise UsageError(f"{values.short_repr(name)[:80]} is no name for a dataset", hint='name="train"')
    return replace(base, name=name.strip())


def _last(path: str) -> str:
    return unquote(path.rstrip("/").rpartition("/")[2])[: dataset.MAX_NAME]


def _taken(given: Any) -> Any:
    try:
        return frames.take(given)
    except ValueError as error:
        raise UsageError(str(error), hint="run.log_dataset(frame.collect())") from error


def _uri(workspace: Workspace, path: Path) -> str:
    """Return a path as it is recorded: from the top of the work tree where it is in it, else absolute."""
    top = workspace.repo.work_tree
    if top is not None:
        with suppress(ValueError):
            return path.relative_to(os.path.abspath(top)).as_posix()  # noqa: PTH100
        with suppress(ValueError, OSError):
            return path.resolve().relative_to(top.resolve()).as_posix()
    return path.as_posix()


def begun(found: Source) -> Dataset:
    """Return the entry that stands until the source has been read."""
    waits = found.path is not None or found.frame is not None or found.address
    return replace(found.entry, unread=NOT_YET) if waits else found.entry


def hasher(workspace: Workspace, stop: Stop | None = None) -> Hasher:
    """Return what hashes files, with the hashes of this repository that are known already."""
    look = None if stop is None else stop.look

    def hashed(path: Path) -> Hashed:
        if look is not None:
            look()
        return Hashed(*hashes.read(workspace, path, look))

    return hashed


def read(session: Session, found: Source, stop: Stop, work: Work) -> Dataset:
    """Read a source; what cannot be read is said in the entry, never raised. `work` keeps the bytes where asked."""
    if found.path is not None:
        return _read_path(session, found, found.path, stop, work)
    if found.frame is not None:
        return _read_frame(session, found, work)
    return _read_address(session, found, stop, work) if found.address else found.entry


def _read_path(session: Session, found: Source, path: Path, stop: Stop, work: Work) -> Dataset:
    base = found.entry
    if "kind" not in base.source:
        base = replace(base, source={**(pointers.dvc(path) or {}), **base.source})
    if base.source.get("kind") == "dvc" and not path.exists():
        return replace(base, unread="the data is not here, only what DVC says of it: dvc pull")
    hashing = hasher(session.workspace, stop)
    entry = data.read(path, base, hashing, follow=found.options.follow)
    if not found.options.store or entry.source.get("kind") == "lfs":
        return entry
    kept = _kept(path, entry, work)
    if kept.stored and entry.sha256 is not None:
        again = data.check(path, hashing, follow=found.options.follow)
        if again.sha256 != entry.sha256:  # it changed between the two: what was read last counts
            return replace(kept, sha256=again.sha256, size_bytes=again.size_bytes, changed=(*entry.changed, path.name))
    return kept


def _kept(path: Path, entry: Dataset, work: Work) -> Dataset:
    name = _artifact(entry.name, _suffix(path) if path.is_file() else "")
    try:
        attach.add(work, path, name, {"type": "dataset"})
    except (GitexpError, OSError) as error:
        work.trouble(str(path), attach.why(error))
        return entry
    return replace(entry, stored=True, artifact=name)


def _suffix(path: Path) -> str:
    """Return how a file's name ends: .csv, .tar.gz."""
    packed = path.suffix if path.suffix in (".gz", ".bz2", ".xz", ".zst") else ""
    return (path.with_suffix("").suffix if packed else path.suffix) + packed


def _artifact(name: str, suffix: str) -> str:
    parts = [part if part not in (".", "..") else "_" for part in name.split("/") if part]
    called = "/".join(parts) or "data"
    return f"data/{called}" + (suffix if not called.lower().endswith(suffix.lower()) else "")


def _read_frame(session: Session, found: Source, work: Work) -> Dataset:
    is_array = frames.kind(found.frame) == "array"
    entry = found.entry
    try:
        if is_array:
            entry = data.described(replace(entry, sha256=digest.of_array(found.frame)), tables.of_array(found.frame))
        else:
            frame = frames.frame(found.frame)
            entry = data.described(entry, frames.sample(frame))
            entry = replace(entry, sha256=digest.of_frame(frame))
    except (digest.Unhashable, MemoryError) as error:
        entry = replace(entry, unread=str(error) or "not enough memory")
    return _store_frame(session, found.frame, entry, work) if found.options.store else entry


def _store_frame(session: Session, frame: Any, entry: Dataset, work: Work) -> Dataset:
    suffix = frames.suffix(frame)
    name, aside = _artifact(entry.name, suffix), _aside(session.workspace, suffix)
    try:
        frames.write(frame, aside)
        size = aside.stat().st_size
        attach.take(work, aside, name, {"type": "dataset"})
    except (GitexpError, OSError, ValueError) as error:
        work.trouble(name, attach.why(error))
        return entry
    finally:
        aside.unlink(missing_ok=True)
    return replace(entry, stored=True, artifact=name, size_bytes=size)


def _read_address(session: Session, found: Source, stop: Stop, work: Work) -> Dataset:
    if not found.options.download:
        try:
            said = ask(found.address)
        except address.Unreachable as error:
            return replace(found.entry, unread=f"unverified: {error}")
        return _with(found.entry, said)
    aside = _aside(session.workspace, Path(urlsplit(found.address).path).suffix[:20])
    try:
        said = address.fetch(found.address, aside, _config(found.address))
        entry = data.read(aside, _with(found.entry, said), hasher(session.workspace, stop))
        return _kept(aside, entry, work) if found.options.store else entry
    except OSError as error:
        return replace(found.entry, unread=f"unverified: {error}")
    finally:
        aside.unlink(missing_ok=True)


def ask(place: str) -> dict[str, Any]:
    """Return what the host of an address says of it now; raises address.Unreachable."""
    return address.ask(place, _config(place))


def _config(place: str) -> dict[str, str]:
    return awsfiles.read() if place.lower().startswith("s3") else {}


def _with(entry: Dataset, said: Mapping[str, Any]) -> Dataset:
    """Return an entry with what a host said; what the caller said of the version stands."""
    own = {key: value for key, value in said.items() if key != "size"}
    return replace(entry, source={**own, **entry.source}, size_bytes=said.get("size"))


def _aside(workspace: Workspace, suffix: str) -> Path:
    workspace.tmp.mkdir(parents=True, exist_ok=True)
    return workspace.tmp / f"data.{os.getpid()}.{os.urandom(4).hex()}{suffix}"


def other(session: Session, entry: Dataset) -> str:
    """Return one line where the newest run of the experiment that read this name here saw other data, else ""."""
    if not entry.key:
        return ""
    workspace = workspaces.open(session.workspace.repo.work_tree or session.workspace.repo.git_dir)
    experiment = session.start.ref.rpartition("/")[0] + "/"
    recorded = [ref for ref in reflog.recorded(workspace) if ref.rpartition("/")[0] + "/" == experiment]
    for ref in recorded[: -_EARLIER - 1 : -1]:
        before = _earlier(workspace, ref, entry.name)
        if before is not None and before[0] != session.id and before[1].key:
            if before[1].key == entry.key:
                return ""
            name, run_id = text.safe(entry.name), ids.short(before[0])
            return (
                f"{name} is other data ({entry.key[:8]}) than run {run_id} of this experiment saw"
                f" ({text.safe(before[1].key[:8])}): gitexp data diff {run_id} {ids.short(session.id)} {name}"
            )
    return ""


def _earlier(workspace: Workspace, ref: str, name: str) -> tuple[str, Dataset] | None:
    """Return the id of a run and what it read under a name; None where it read nothing so called."""
    commit = refs.get(workspace.repo, ref)
    try:
        run = runs.load(workspace, commit, ref) if commit else None
        if run is None or canonical.line(name) not in (run.file("data.json") or b""):  # cheaper than to parse it
            return None
        found = dataset.read(run.data)
    except GitexpError:  # a record that does not parse tells nothing
        return None
    return next(((run.id, item) for item in found if item.name == name), None)
