"""Which runs made and read which bytes: artifacts, data sets and uses in the index, by sha256, blob and run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gitexp.index.database import Index

_CHUNK = 500  # parameters of one query


@dataclass(frozen=True, slots=True)
class Made:
    """An artifact of a run: `blob` where its bytes stand in Git itself, and `sha256` is None until it is asked for."""

    key: int
    name: str
    size_bytes: int
    sha256: str | None
    blob: str | None


@dataclass(frozen=True, slots=True)
class Read:
    """What a run read: a data set (`source` None) or an artifact of the run `source` (an id)."""

    key: int
    name: str
    sha256: str | None
    source: str | None = None
    uri: str | None = None
    size_bytes: float | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A run as a graph of runs needs it; `parent` and `forked_from` are ids, which may mean no run that is here."""

    key: int
    id: str
    experiment: str
    name: str
    status: str
    start_ms: int
    removed: int
    parent: str | None
    forked_from: str | None
    code: str | None
    dirty: int


_MEMBER = (
    "SELECT key, id, experiment, COALESCE(title, name), status, start_ms, removed, parent, forked_from,"
    " code_commit, code_dirty FROM run WHERE "
)
_MADE = "SELECT run, name, size_bytes, sha256, oid FROM artifact WHERE "
_DATA = "SELECT run, name, sha256, NULL, uri, size_bytes FROM dataset WHERE "
_USED = (
    "SELECT run, name, sha256, source, NULL, (SELECT artifact.size_bytes FROM run JOIN artifact"
    " ON artifact.run = run.key AND artifact.name = used.name WHERE run.id = used.source) FROM used WHERE "
)


def members(index: Index, keys: Sequence[int]) -> list[Member]:
    """Return runs by their keys."""
    return [Member(*row) for row in _rows(index, _MEMBER + "key IN ({0})", keys)]


def members_called(index: Index, run_ids: Sequence[str]) -> list[Member]:
    """Return runs by their ids."""
    return [Member(*row) for row in _rows(index, _MEMBER + "id IN ({0})", run_ids)]


def offspring(index: Index, run_ids: Sequence[str]) -> list[Member]:
    """Return the runs whose parent is one of these, or that were forked from one."""
    queries = (_MEMBER + f"{field} IN ({{0}})" for field in ("parent", "forked_from"))
    found = {row[0]: Member(*row) for query in queries for row in _rows(index, query, run_ids)}
    return list(found.values())


def made(index: Index, sha256: str, blobs: Sequence[str] = ()) -> list[Made]:
    """Return the artifacts of some bytes: by their hash, or by the blobs in Git that hold them."""
    found = [Made(*row) for row in index.rows(_MADE + "sha256 = ?", [sha256])]
    return found + [Made(*row) for row in _rows(index, _MADE + "oid IN ({0})", blobs)]


def makers(index: Index, hashes: Sequence[str]) -> list[tuple[str, int]]:
    """Return (sha256, run) of the runs that made any of these bytes, as far as their hashes are known."""
    by_blob = "SELECT digest.sha256, run FROM digest JOIN artifact ON artifact.oid = digest.oid WHERE digest.sha256"
    queries = ("SELECT sha256, run FROM artifact WHERE sha256", by_blob)
    return list({(str(row[0]), int(row[1])) for query in queries for row in _rows(index, query + " IN ({0})", hashes)})


def made_by(index: Index, keys: Iterable[int]) -> list[Made]:
    """Return the artifacts of some runs, by name."""
    return [Made(*row) for row in _rows(index, _MADE + "run IN ({0}) ORDER BY run, name", list(keys))]


def read_by(index: Index, keys: Iterable[int]) -> list[Read]:
    """Return the data sets and artifacts that some runs read."""
    wanted = list(keys)
    return [Read(*row) for query in (_DATA, _USED) for row in _rows(index, query + "run IN ({0})", wanted)]


def readers(index: Index, hashes: Sequence[str]) -> list[Read]:
    """Return who read any of these bytes, as data or as an artifact."""
    return [Read(*row) for query in (_DATA, _USED) for row in _rows(index, query + "sha256 IN ({0})", hashes)]


def readers_of_runs(index: Index, run_ids: Sequence[str]) -> list[Read]:
    """Return who read an artifact of these runs."""
    return [Read(*row) for row in _rows(index, _USED + "source IN ({0})", run_ids)]


def hashes(index: Index, blobs: Sequence[str]) -> dict[str, str]:
    """Return {blob: sha256} as far as it is known."""
    return dict(_rows(index, "SELECT oid, sha256 FROM digest WHERE oid IN ({0})", blobs))


def versions(index: Index, run_ids: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    """Return {run: (model, number) of the versions that it has}, the newest first."""
    query = "SELECT run_id, name, version FROM model WHERE run_id IN ({0}) ORDER BY name, version DESC"
    found: dict[str, list[tuple[str, int]]] = {}
    for run_id, name, number in _rows(index, query, run_ids):
        found.setdefault(run_id, []).append((name, number))
    return found


_LIKELY = (
    " AND (size_bytes IN (SELECT size_bytes FROM dataset)"
    " OR EXISTS (SELECT 1 FROM dataset WHERE size_bytes IS NULL AND sha256 IS NOT NULL))"
)


def large(index: Index) -> set[str]:
    """Return the sha256 of all artifacts whose bytes are kept beside Git."""
    return {str(row[0]) for row in index.rows("SELECT DISTINCT sha256 FROM artifact WHERE sha256 IS NOT NULL")}


def unhashed(index: Index, *, likely: bool) -> list[str]:
    """Return the blobs of artifacts whose sha256 nobody has asked for yet; `likely`: those as large as a data set."""
    query = "SELECT DISTINCT oid FROM artifact WHERE oid IS NOT NULL AND oid NOT IN (SELECT oid FROM digest)"
    return [str(oid) for (oid,) in index.rows(query + (_LIKELY if likely else ""))]


def blobs(index: Index, sha256: str) -> list[str]:
    """Return the blobs that are known to have a sha256."""
    return [str(oid) for (oid,) in index.rows("SELECT oid FROM digest WHERE sha256 = ?", [sha256])]


def beginning(index: Index, prefix: str) -> list[str]:
    """Return the hashes that begin so, of whatever runs made or read."""
    queries = [f"SELECT sha256 FROM {table} WHERE sha256 GLOB ?" for table in ("artifact", "digest", "dataset", "used")]
    return [str(row[0]) for row in index.rows(" UNION ".join(queries), [f"{prefix}*"] * len(queries))]


def remember(index: Index, found: Sequence[tuple[str, str]]) -> None:
    """Keep the sha256 of blobs: (blob, sha256) each. A blob never changes, so this is true for ever."""
    if not found:
        return
    index.connection.execute("BEGIN IMMEDIATE")
    try:
        index.connection.executemany("INSERT OR REPLACE INTO digest VALUES (?, ?)", found)
    finally:
        index.connection.execute("COMMIT")


def _rows(index: Index, query: str, values: Sequence[object]) -> Iterator[tuple]:  # type: ignore[type-arg]  # of SQLite
    for at in range(0, len(values), _CHUNK):
        part = values[at : at + _CHUNK]
        yield from index.rows(query.format(", ".join("?" * len(part))), part)
