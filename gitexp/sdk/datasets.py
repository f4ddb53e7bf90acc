"""What a run that is being recorded says of the data that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from gitexp import text
from gitexp.errors import GitexpError
from gitexp.ops.recording import data
from gitexp.ops.recording.attach import Work
from gitexp.ops.recording.data import Options, Source, Stop
from gitexp.ops.recording.storing import Storer
from gitexp.record.dataset import Dataset
from gitexp.store import workspace as workspaces

if TYPE_CHECKING:
    from gitexp.ops.recording.lifecycle import Session


class MoreData(TypedDict, total=False):
    """What else `log_dataset` takes."""

    metadata: Mapping[str, Any] | None
    version: str
    feature_store: str
    download: bool
    follow_links: bool
    wait: bool


class Datasets:
    """The part of a run that records data. It returns at once: a thread of its own reads and hashes."""

    if TYPE_CHECKING:
        _session: Session | None
        _warned: set[str]

        def _check_open(self) -> None: ...
        def _refuse(self, reason: str, line: str) -> None: ...
        def _say(self, line: str) -> None: ...
        def _event(self, op: str, **fields: Any) -> None: ...
        def _artifact_lost(self, what: str, why: str) -> None: ...
        def _artifact_changed(self, what: str, why: str) -> None: ...

    def _begin_datasets(self) -> None:
        self._reader = Storer(self._reading_failed)
        self._stop = Stop()

    def log_dataset(
        self,
        data_or_path: Any,
        name: str | None = None,
        *,
        role: str = "",
        store: bool = False,
        metadata: Mapping[str, Any] | None = None,
        version: str = "",
        feature_store: str = "",
        download: bool = False,
        follow_links: bool = False,
        wait: bool = False,
    ) -> None:
        """Record which data the run reads: its sha256, size, files, rows, schema and a small profile.

        data_or_path: a file, a folder, a DVC pointer; a DataFrame (pandas, polars), an Arrow table, a NumPy array; an
        address (`s3://`, `gs://`, `https://`, `lakefs://`), of which the host is asked for ETag and version, nothing
        more; with `feature_store` the name of what was read there. name: what it is called in all runs ("train");
        default: the last part of the path. role: what it is for. store: keep the bytes too, as an artifact
        `data/<name>`. metadata: a mapping, kept beside it. version: what its keeper calls this state of it. download:
        fetch what is at an address (`https://`, `s3://`, `gs://`, `az://`) and read it. follow_links: those of a folder
        that lead outside of it too. wait: return when it has been read. Definitions: docs/format.md, "Datasets".

        The same name again replaces what was said of it. What cannot be read is recorded with the reason.
        Raises UsageError for a path that does not exist, and for what is no data.
        """
        self._check_open()
        options = Options(
            name, role, metadata or {}, version, feature_store, store=store, download=download, follow=follow_links
        )
        workspace = self._session.workspace if self._session is not None else workspaces.open()
        found = data.source(workspace, data_or_path, options)
        if self._session is None:
            return
        self._event("dataset", entry=data.begun(found).to_json())
        self._reader.take(lambda: self._read(found), wait=wait)

    def _read(self, found: Source) -> None:
        """Read a dataset and complete its entry; in the thread."""
        session = self._session
        assert session is not None
        entry = data.read(session, found, self._stop, Work(session, self._artifact_lost, self._artifact_changed))
        session.writer.event("dataset", entry=entry.to_json())
        self._say_what_is_strange(session, entry)

    def _say_what_is_strange(self, session: Session, entry: Dataset) -> None:
        """Say what somebody should know of a dataset, in the one line beside the last that a run has for it."""
        outside, name = entry.source.get("outside"), text.safe(entry.name)
        if line := data.other(session, entry):
            self._tell(line)
        elif entry.unread:
            self._tell(f"dataset {name}: {text.safe(entry.unread)}")
        elif entry.changed:
            self._tell(f"dataset {name} changed while it was read: {text.safe(entry.changed[0])}")
        elif outside:
            self._tell(f"dataset {name}: links lead outside of it ({outside}) and were not followed: follow_links=True")

    def _tell(self, line: str) -> None:
        if not self._warned:
            self._say(f"gitexp: warning: {line}")
        self._warned.add("datasets")

    def _reading_failed(self, error: Exception) -> None:
        said = error.message if isinstance(error, GitexpError) else f"{type(error).__name__}: {error}"
        self._refuse("datasets", f"a dataset could not be recorded: {said}")

    def _finish_datasets(self, status: str) -> None:
        """Wait for what is being read; a run that is killed waits for no more than what is under way."""
        if status == "killed":
            self._stop.asked.set()
        self._reader.close()
