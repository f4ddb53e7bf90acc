"""Runs by what people type of them: slug, experiment, beginning of an id or commit, and the newest ones, in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gitexp.index.database import Index

_COLUMNS = (
    "key, id, path, slug, COALESCE(ref, ''), COALESCE(commit_oid, ''), name, experiment, start_ms, live, removed, own"
)
_NEWEST = "ORDER BY start_ms DESC, id DESC"
_LAST = "\U0010ffff"  # sorts after all that a name can go on with


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run is and what it is called: all that names need, without its values."""

    key: int
    id: str
    path: str  # of the experiment
    slug: str
    ref: str
    commit: str
    name: str
    experiment: str  # what it is called now
    start_ms: int
    live: bool
    removed: bool
    own: bool  # recorded in this clone

    @property
    def typed(self) -> str:
        """The name that can be typed: experiment/name, as it stands in refs."""
        return f"{self.path}/{self.slug}"


def by_slug(index: Index, slug: str, id_prefix: str = "") -> list[Place]:
    """Return the runs of a slug; `id_prefix` is how their ids begin."""
    return _select(index, "slug = ? AND id >= ? AND id < ?", [slug, *_range(id_prefix)])


def by_path(index: Index, path: str, slug: str) -> list[Place]:
    """Return the runs of a slug right below an experiment, given by its path or its name of now."""
    return _select(index, "slug = ? AND (path = ? OR experiment = ?)", [slug, path, path])


def by_id(index: Index, prefix: str) -> list[Place]:
    """Return the runs whose id begins so."""
    return _select(index, "id >= ? AND id < ?", _range(prefix))


def by_commit(index: Index, prefix: str) -> list[Place]:
    """Return the runs whose run commit begins so."""
    return _select(index, "commit_oid >= ? AND commit_oid < ?", _range(prefix))


def by_code(index: Index, commit: str) -> list[Place]:
    """Return the runs whose code is a commit: as it is, or with uncommitted edits on top."""
    return _select(index, "code_commit = ? OR code_snapshot = ?", [commit, commit])


def children(index: Index, run_id: str) -> list[Place]:
    """Return the runs whose parent is a run, the oldest first."""
    return _select(index, "parent = ?", [run_id])[::-1]


def by_keys(index: Index, keys: Sequence[int]) -> list[Place]:
    """Return runs by their keys, the newest first."""
    return unique(place for at in range(0, len(keys), 500) for place in _of_keys(index, keys[at : at + 500]))


def _of_keys(index: Index, keys: Sequence[int]) -> list[Place]:
    return _select(index, f"key IN ({', '.join('?' * len(keys))})", keys)


def matching(index: Index, pattern: str) -> list[Place]:
    """Return the runs that a glob of slugs, or with a slash of experiment/slug, matches, newest first."""
    what = "path || '/' || slug" if "/" in pattern else "slug"
    return _select(index, f"{what} GLOB ?", [pattern.replace("[!", "[^")])


def recent(index: Index, limit: int, skip: int = 0) -> list[Place]:
    """Return runs recorded in this clone, live ones too, the newest start first; removed ones are left out."""
    return _select(index, "own AND NOT removed", [], f"LIMIT {int(limit)} OFFSET {int(skip)}", by="run_own")


def count_recent(index: Index) -> int:
    """Return how many runs were recorded in this clone and not removed."""
    return int(index.rows("SELECT COUNT(*) FROM run WHERE own AND NOT removed")[0][0])


def ended(index: Index) -> list[Place]:
    """Return the runs that are stored and not removed."""
    return _select(index, "NOT live AND NOT removed", [])


def published(index: Index) -> list[Place]:
    """Return the runs that are running on other machines, as last fetched."""
    return _select(index, "live AND ref IS NOT NULL", [])


def members(index: Index, path: str) -> list[Place]:
    """Return the runs of an experiment that are not removed, not those of experiments below it."""
    return _select(index, "path = ? AND NOT removed", [path])


def newest(index: Index) -> Place | None:
    """Return the newest run of all."""
    return next(iter(_select(index, "NOT removed", [], "LIMIT 1", by="run_start")), None)


def beginning(index: Index, text: str, limit: int) -> list[Place]:
    """Return runs whose slug, experiment/slug or id begins so, newest first; of "" all, up to the limit."""
    if not text:
        return _select(index, "NOT removed", [], f"LIMIT {int(limit)}", by="run_start")
    tests, values = ["slug >= ? AND slug < ?", "id >= ? AND id < ?"], [*_range(text), *_range(text)]
    path, slash, leaf = text.rpartition("/")
    if slash:
        tests.append("path = ? AND slug >= ? AND slug < ?")
        values += [path, *_range(leaf)]
    tests.append("path >= ? AND path < ?")
    found = _select(index, " OR ".join(f"({test})" for test in tests), [*values, *_range(text)], f"LIMIT {int(limit)}")
    return [place for place in found if not place.removed]


def slugs(index: Index, limit: int, *, with_path: bool) -> list[str]:
    """Return what runs are called in refs, each once."""
    what = "path || '/' || slug" if with_path else "slug"
    rows = index.rows(f"SELECT DISTINCT {what} FROM run LIMIT {int(limit)}")
    return [str(row[0]) for row in rows]


def near_ids(index: Index, prefix: str, limit: int) -> list[Place]:
    """Return runs whose id begins like a prefix but for one letter."""
    patterns = [f"{prefix[:at]}?{prefix[at + 1 :]}*" for at in range(len(prefix))]
    return _select(index, " OR ".join(["id GLOB ?"] * len(patterns)), patterns, f"LIMIT {int(limit)}")


def unique(found: Iterable[Place]) -> list[Place]:
    """Return places, each once, newest first."""
    return sorted({place.key: place for place in found}.values(), key=lambda p: (p.start_ms, p.id), reverse=True)


def _range(prefix: str) -> tuple[str, str]:
    return prefix, prefix + _LAST


def _select(index: Index, where: str, values: Sequence[Any], limit: str = "", *, by: str = "") -> list[Place]:
    # SQLite sorts all rows rather than walk an index in order, unless it is told.
    table = f"run INDEXED BY {by}" if by else "run"
    rows = index.rows(f"SELECT {_COLUMNS} FROM {table} WHERE {where} {_NEWEST} {limit}", values)
    return [_place(*row) for row in rows]


def _place(*row: Any) -> Place:
    return Place(*row[:9], *map(bool, row[9:]))


@dataclass(frozen=True, slots=True)
class Level:
    """What the runs of one experiment path come to; removed ones do not count."""

    path: str
    experiment: str
    runs: int
    running: int
    newest_ms: int | None


def levels(index: Index) -> list[Level]:
    """Return the experiments that have runs, by path."""
    rows = index.rows(
        "SELECT path, experiment, TOTAL(NOT removed), TOTAL(live AND NOT removed), "
        "MAX(start_ms) FILTER (WHERE NOT removed) FROM run GROUP BY path ORDER BY path"
    )
    return [Level(path, name, int(runs), int(running), newest) for path, name, runs, running, newest in rows]


_PATHS = """
WITH RECURSIVE paths (path) AS (
  SELECT MIN(path) FROM run UNION ALL
  SELECT (SELECT MIN(path) FROM run WHERE path > paths.path) FROM paths WHERE paths.path IS NOT NULL
)
SELECT path FROM paths WHERE EXISTS (SELECT 1 FROM run WHERE run.path = paths.path AND removed = 0)
"""  # from one to the next by the index: as fast with many runs as with few


def paths(index: Index) -> list[str]:
    """Return the paths of the experiments that have runs which are not removed, sorted."""
    return [str(row[0]) for row in index.rows(_PATHS)]


def experiment_of(index: Index, path: str) -> str:
    """Return what the experiment of a path is called now, "" where no run is right in it."""
    found = index.rows("SELECT experiment FROM run WHERE path = ? LIMIT 1", [path])
    return str(found[0][0]) if found else ""


def is_path(index: Index, path: str) -> bool:
    """Say whether there are runs of an experiment path, or below it."""
    found = index.rows(
        "SELECT EXISTS (SELECT 1 FROM run WHERE path = ?) OR EXISTS (SELECT 1 FROM run WHERE path >= ? AND path < ?)",
        [path, path + "/", path + "0"],
    )
    return bool(found[0][0])


def paths_called(index: Index, name: str) -> list[str]:
    """Return the paths of the experiments with runs that are called so now."""
    rows = index.rows("SELECT DISTINCT path FROM run WHERE experiment = ? ORDER BY path", [name])
    return [str(row[0]) for row in rows]
