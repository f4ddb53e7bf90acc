"""Runs that somebody pushes, looked at before they are taken: forward only, and nothing but the record added."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitexp import canonical, ids
from gitexp.errors import GitexpError
from gitexp.git import objects
from gitexp.git.batch import Batch
from gitexp.git.objects import Commit, Entry
from gitexp.record import logged, message, params, pointer, points, run, summary, used
from gitexp.record.message import Trailers
from gitexp.record.run import RunRecord
from gitexp.store import runs

GROUP = 200  # refs looked at together: what is in memory does not grow with the push
CSV_TOTAL = 32 << 20  # bytes of one push's CSVs that are read row by row, since they are not as gitexp writes them
MAX_COMMIT_BYTES = 1 << 20
MAX_TREE_BYTES = 16 << 20
MAX_CHAIN = 1000  # new commits of one run
MAX_FOLDERS = 10_000  # folders of artifacts in one group
_REF = re.compile(r"refs/experiments/(?:[^/]+/)+[^/]+-([k-z]{7})")
_JSON = ("run.json", "params.json", "summary.json", "environment.json", "data.json", "used.json", "logged-models.json")
_CSV = ("metrics.csv", "system.csv")
_READ = (*_JSON, *_CSV, ".gitattributes")
# A whole metrics.csv as gitexp writes it; possessive, so time is linear: ten times as fast as reading the rows.
_ROWS = re.compile(
    rb"metric,step,time,value\n"
    rb'(?:(?:[^,"\r\n]++|"(?:[^"]++|"")*+"),-?\d++,-?\d++\.\d{3},'
    rb"(?:-?\d++(?:\.\d++)?(?:e[+-]?\d++)?|nan|-?inf)\n)*+"
)
_NEEDED = ("run.json", ".gitattributes")
_SEPARATOR = re.compile(r"[/\\\x00-\x1f]")


class Bad(Exception):
    """What is wrong with a run, in words for the one who pushed it."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A ref of a run that is made (`old` is None) or moved."""

    ref: str
    old: str | None
    new: str


@dataclass(frozen=True, slots=True)
class _Revision:
    """One commit of a run; `ref` is that of the push which brings it."""

    ref: str
    oid: str
    commit: Commit
    trailers: Trailers


@dataclass(frozen=True, slots=True)
class _Tree:
    """The top of a commit: its record's folder, and the bytes of all other entries."""

    record: str | None
    rest: bytes


class Vet:
    """Looks at the runs of one push. `refuse_dirty`: those of dirty trees are not wanted here."""

    def __init__(self, batch: Batch, *, refuse_dirty: bool = False) -> None:
        self._batch = batch
        self._refuse_dirty = refuse_dirty
        self._commits: dict[str, Commit | None] = {}
        self._good: set[tuple[str, str]] = set()  # (file name, blob) that parsed
        self._csv_left = CSV_TOTAL
        self._faults: dict[str, str] = {}

    def faults(self, moved: Sequence[Moved]) -> dict[str, str]:
        """Return {ref: why it cannot be taken}, without those that can."""
        self._faults = {}
        for start in range(0, len(moved), GROUP):
            self._group(moved[start : start + GROUP])
            self._commits.clear()
        return self._faults

    def _group(self, moved: Sequence[Moved]) -> None:
        self._fetch_commits([item.new for item in moved])
        self._fetch_commits([parent for found in list(self._commits.values()) if found for parent in found.parents])
        revisions: list[_Revision] = []
        for item in moved:
            try:
                revisions += self._chain(item)
            except Bad as bad:
                self._faults[item.ref] = str(bad)
        self._check_records(revisions, self._tops(revisions))

    def _refuse(self, ref: str, why: str) -> None:
        self._faults.setdefault(ref, why)

    def _fetch_commits(self, oids: Iterable[str]) -> None:
        wanted = [oid for oid in dict.fromkeys(oids) if oid not in self._commits]
        for oid, kind, data in self._batch.read(wanted, limit_bytes=MAX_COMMIT_BYTES):
            self._commits[oid] = objects.decode_commit(data) if kind == "commit" and data is not None else None

    def _commit(self, oid: str) -> Commit | None:
        self._fetch_commits([oid])
        return self._commits[oid]

    def _chain(self, item: Moved) -> list[_Revision]:
        """Return the commits of the run that the push brings, the newest first."""
        match = _REF.fullmatch(item.ref)
        if match is None:
            raise Bad("not the ref of a run, refs/experiments/EXPERIMENT/NAME-ID")
        first = self._revision(item.ref, item.new)
        if first is None:
            raise Bad(f"{item.new[:7]} is not the commit of a run")
        if ids.short(first.trailers.id) != match[1]:
            raise Bad(f"{item.new[:7]} is of the run {ids.short(first.trailers.id)}")
        found, waiting, seen = [], [first], {item.new}
        while waiting:
            revision = waiting.pop()
            found.append(revision)
            for parent in revision.commit.parents:
                earlier = None if parent in seen or parent == item.old else self._revision(item.ref, parent)
                seen.add(parent)
                if earlier is not None and earlier.trailers.id == first.trailers.id:
                    waiting.append(earlier)
            if len(found) > MAX_CHAIN:
                raise Bad(f"more than {MAX_CHAIN} commits of one run")
        if item.old is not None and item.old not in seen:
            raise Bad(f"a run only moves forward, and {item.new[:7]} does not follow {item.old[:7]}; fetch first")
        return found

    def _revision(self, ref: str, oid: str) -> _Revision | None:
        commit = self._commit(oid)
        trailers = message.decode(commit.message) if commit is not None else None
        if commit is None or trailers is None or not ids.is_run_id(trailers.id):
            return None
        return _Revision(ref, oid, commit, trailers)

    def _tops(self, revisions: Sequence[_Revision]) -> dict[str, _Tree | None]:
        """Read the top trees of these commits and of all their parents."""
        commits = [revision.commit for revision in revisions]
        parents = [self._commits.get(oid) for commit in commits for oid in commit.parents]
        wanted = dict.fromkeys(commit.tree for commit in (*commits, *parents) if commit is not None)
        found: dict[str, _Tree | None] = {}
        for oid, kind, data in self._batch.read(list(wanted), limit_bytes=MAX_TREE_BYTES):
            found[oid] = _split(data) if kind == "tree" and data is not None else None
        return found

    def _check_records(self, revisions: Sequence[_Revision], tops: Mapping[str, _Tree | None]) -> None:
        folders: dict[str, list[_Revision]] = {}
        for revision in revisions:
            top = tops.get(revision.commit.tree)
            if top is None or top.record is None:
                self._refuse(revision.ref, f"{revision.oid[:7]} has no {runs.FOLDER} folder, or a tree that is damaged")
            else:
                folders.setdefault(top.record, []).append(revision)
        names: dict[str, dict[str, Entry]] = {}
        for oid, kind, data in self._batch.read(list(folders), limit_bytes=MAX_TREE_BYTES):
            try:
                names[oid] = _record_entries(kind, data)
            except Bad as bad:
                self._refuse_all(folders[oid], str(bad))
        self._check_folders(names, folders)
        records = self._check_files(names, folders)
        for folder, record in records.items():
            for revision in folders[folder]:
                try:
                    self._check_one(revision, record, tops)
                except Bad as bad:
                    self._refuse(revision.ref, str(bad))

    def _refuse_all(self, revisions: Iterable[_Revision], why: str) -> None:
        for revision in revisions:
            self._refuse(revision.ref, why)

    def _check_folders(self, names: Mapping[str, Mapping[str, Entry]], folders: Mapping[str, list[_Revision]]) -> None:
        """Look through the folders of artifacts: names that leave the folder, links and submodules are refused."""
        owners: dict[str, set[str]] = {}
        for folder, entries in names.items():
            for entry in entries.values():
                if entry.mode == objects.TREE:
                    owners.setdefault(entry.oid, set()).add(folder)
        seen: set[str] = set()
        while todo := [oid for oid in owners if oid not in seen]:
            seen.update(todo)
            for oid, kind, data in self._batch.read(todo, limit_bytes=MAX_TREE_BYTES):
                try:
                    for entry in _safe_entries(kind, data, len(seen)):
                        if entry.mode == objects.TREE:
                            owners.setdefault(entry.oid, set()).update(owners[oid])
                except Bad as bad:
                    for folder in owners[oid]:
                        self._refuse_all(folders[folder], str(bad))

    def _check_files(
        self, names: Mapping[str, Mapping[str, Entry]], folders: Mapping[str, list[_Revision]]
    ) -> dict[str, RunRecord]:
        """Parse the files of the records; return {folder: its run.json} of those that are well."""
        uses: dict[tuple[str, str], list[str]] = {}
        for folder, entries in names.items():
            for name in _READ:
                if name in entries and (name == "run.json" or (name, entries[name].oid) not in self._good):
                    uses.setdefault((name, entries[name].oid), []).append(folder)
        found: dict[str, RunRecord] = {}
        for (name, oid), data in self._contents(list(uses)):
            try:
                record = self._parse(name, data)
            except (Bad, GitexpError, ValueError) as error:
                for folder in uses[name, oid]:
                    self._refuse_all(folders[folder], f"{name}: {getattr(error, 'message', error)}")
                continue
            self._good.add((name, oid))
            if record is not None:
                found.update(dict.fromkeys(uses[name, oid], record))
        return found

    def _contents(self, wanted: Sequence[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], bytes | str]]:
        """Yield each file's bytes, or what keeps it from being read: sizes are asked for before contents."""
        sized = self._batch.sizes([oid for _, oid in wanted])
        fit: list[tuple[str, str]] = []
        for key, (_, kind, size) in zip(wanted, sized, strict=True):
            limit = runs.JSON_LIMIT if key[0] not in _CSV else runs.TEXT_LIMIT
            if kind == "blob" and size <= limit:
                fit.append(key)
            else:
                yield key, f"{size:,} bytes, more than {limit:,}" if kind == "blob" else f"is {kind}"
        read = self._batch.read([oid for _, oid in fit], limit_bytes=runs.TEXT_LIMIT)
        for key, (_, _, data) in zip(fit, read, strict=True):
            yield key, b"" if data is None else data

    def _parse(self, name: str, data: bytes | str) -> RunRecord | None:
        """Parse one file of a record; return the record when it is run.json."""
        if isinstance(data, str):
            raise Bad(data)
        if name == "run.json":
            return run.decode(data)
        if pointer.decode(data) is not None:
            return None
        if name == ".gitattributes":
            if data != runs.ATTRIBUTES:
                raise Bad("not the one that gitexp writes")
        elif name in _CSV:
            self._check_csv(data)
        else:
            _PARSERS[name](data)
        return None

    def _check_csv(self, data: bytes) -> None:
        if _ROWS.fullmatch(data):
            return
        self._csv_left -= len(data)
        if self._csv_left < 0:
            raise Bad("more rows than a push may have that are not as gitexp writes them")
        for _ in points.decode(data):
            pass

    def _check_one(self, revision: _Revision, record: RunRecord, tops: Mapping[str, _Tree | None]) -> None:
        """Compare a commit with what its record says of it, and its tree with that of the code."""
        commit, said = revision.commit, revision.trailers
        if (record.id, record.status) != (said.id, said.status):
            raise Bad(f"run.json and the message of {revision.oid[:7]} are not of one run")
        if bool(record.code.get("dirty")) != said.dirty:
            raise Bad(f"run.json and the message of {revision.oid[:7]} do not agree on uncommitted edits")
        if self._refuse_dirty and said.dirty:
            raise Bad("a run with uncommitted edits: this server takes none (gitexp.pushDirty)")
        if tuple(parent.commit for parent in record.parents) != commit.parents:
            raise Bad(f"run.json names other parents than {revision.oid[:7]} has")
        codes = [parent.commit for parent in record.parents if parent.role == "code"]
        code = self._commit(codes[0]) if codes else None
        if codes and code is None:
            raise Bad(f"its code {codes[0][:7]} is not a commit")
        before = tops.get(code.tree) if code is not None else _Tree(None, b"")
        after = tops.get(commit.tree)
        if before is None or after is None or before.rest != after.rest:
            raise Bad(f"{revision.oid[:7]} changes more than {runs.FOLDER}/: a run commit adds only the record")


_PARSERS: dict[str, Callable[[bytes], object]] = {
    "params.json": params.decode,
    "summary.json": summary.decode,
    "environment.json": canonical.loads,
    "data.json": canonical.loads,
    "used.json": used.decode,
    "logged-models.json": logged.decode,
}


def _split(data: bytes) -> _Tree | None:
    """Return a tree's record folder and the rest of its bytes, None for what is no tree."""
    record, rest, at = None, [], 0
    marker = f"40000 {runs.FOLDER}".encode()
    while at < len(data):
        end = data.find(b"\0", at)
        if end < 0 or end + 21 > len(data):
            return None
        if data[at:end] == marker:
            record = data[end + 1 : end + 21].hex()
        else:
            rest.append(data[at : end + 21])
        at = end + 21
    return _Tree(record, b"".join(rest))


def _record_entries(kind: str, data: bytes | None) -> dict[str, Entry]:
    found = {entry.name: entry for entry in _safe_entries(kind, data, 0, top=True)}
    for name in _NEEDED:
        if name not in found or not found[name].is_file:
            raise Bad(f"the record has no {name}")
    return found


def _safe_entries(kind: str, data: bytes | None, folders: int, *, top: bool = False) -> Iterator[Entry]:
    if kind != "tree" or data is None:
        raise Bad("a folder of the record is missing, or too large")
    if folders > MAX_FOLDERS:
        raise Bad(f"more than {MAX_FOLDERS:,} folders")
    try:
        entries = objects.decode_tree(data)
    except ValueError:
        raise Bad("a folder of the record is damaged") from None
    for entry in entries:
        if not _is_safe(entry.name) and not (top and entry.name in _NEEDED):
            raise Bad(f"the name {entry.name!r} is not safe in a record")
        if not (entry.is_file or entry.mode == objects.TREE):
            raise Bad(f"{entry.name!r} is a link or a submodule")
        yield entry


def _is_safe(name: str) -> bool:
    # What begins with .git is encoded by gitexp: as it is, it would change what Git does with the record.
    return name not in ("", ".", "..") and not name.lower().startswith(".git") and not _SEPARATOR.search(name)
