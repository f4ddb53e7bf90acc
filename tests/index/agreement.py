"""Whether an index says what the records say, and what an index built from nothing would say."""

from __future__ import annotations

from typing import Any

from gitexp import canonical
from gitexp.index import catalogue, database, search
from gitexp.index.compile import Context
from gitexp.index.database import Index
from gitexp.index.entry import Entry
from gitexp.ops.finding import find
from gitexp.store import annotations as said
from gitexp.store import live, reflog, runs
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

CONTEXT = Context(now_ms=0, represent=lambda name: "last")
_NOT_CONTENT = {"key", "environment", "told", "said"}


def entries(workspace: Workspace) -> list[Entry]:
    """Return all runs as the index has them now, newest first."""
    return search.entries(database.of(workspace), context=CONTEXT)


def check(workspace: Workspace) -> list[Entry]:
    """Check the index against all records and against a new index; return its runs."""
    index = database.of(workspace)
    found = search.entries(index, context=CONTEXT)
    stored = {run.id: run for run in _stored(workspace)} | {run.id: run for run in live.listing(workspace)}
    assert {item.id for item in found} == set(stored)
    for item in found:
        agree(workspace, item, stored[item.id])
    assert dump(index) == dump(anew(workspace))
    return found


def _stored(workspace: Workspace) -> list[Run]:
    known = runs.listing(workspace).items()
    return [runs.load(workspace, commit, ref) for ref, commit in known if runs.head(workspace, ref, commit)]


def agree(workspace: Workspace, entry: Entry, run: Run) -> None:
    """Check one run of the index against its record and what is said of it."""
    record, state = run.record, said.state(workspace, run)
    assert (entry.id, entry.name, entry.status) == (record.id, record.name, record.status)
    assert (entry.ref, entry.commit, entry.live) == (run.ref, run.commit, run.live)
    assert (entry.start_ms, entry.host or "") == (record.start_ms, record.host)
    assert (entry.author, entry.email) == (record.user.get("name"), record.user.get("email"))
    assert entry.own == (run.live or run.ref in reflog.recorded(workspace))
    assert canonical.line(entry.flat_params) == canonical.line(run.flat_params)
    assert entry.tags == state.tags_over(record.tags)
    assert (entry.title, canonical.line(entry.posts)) == (state.title, canonical.line(state.posts))
    assert (entry.archived, entry.favourite, entry.removed) == (state.archived, state.favourite, state.removed)
    assert (entry.description or "") == (state.description or record.description)
    assert values(entry) == values(run)


def values(run: Any) -> bytes:
    """Return all aggregates of all metrics of a run or entry, to be compared."""
    found = {
        name: [find.value_of(run, name, key) for key in catalogue.AGGREGATES if key != "count"]
        + [run.summary[name].count]
        for name in run.summary
    }
    return canonical.line(found)


def anew(workspace: Workspace) -> Index:
    """Return an index built from nothing, in memory."""
    index = database.in_memory(workspace)
    database.refresh_all(index)
    return index


def dump(index: Index) -> dict[str, Any]:
    """Return all that an index says, however its columns are numbered."""
    rows = index.connection.execute("SELECT * FROM run")
    names = [item[0] for item in rows.description]
    wide = {f"c{number}": str(key) for key, number in index.catalogue.singles.items()}
    for name, number in index.catalogue.metrics.items():
        wide |= {f"c{number + at}": f"{name}:{key}" for at, key in enumerate(catalogue.AGGREGATES)}
    ids, found = {}, {}
    for row in rows:
        known = {wide.get(name, name): value for name, value in zip(names, row, strict=True) if value is not None}
        ids[known["key"]] = place = f"{known['id']} {known.get('ref')}"
        found[place] = {name: value for name, value in known.items() if name not in _NOT_CONTENT}
    return (
        {
            "run": found,
            **{table: _parts(index, table, ids) for table in ("tag", "verdict", "note", "artifact", "dataset")},
        }
        | {
            table: sorted(index.connection.execute(f"SELECT * FROM {table}"))
            for table in ("strange", "logged", "lost", "loose")
        }
        | {"overflow": _overflow(index, ids)}
    )


def _parts(index: Index, table: str, ids: dict[int, str]) -> list[str]:
    return sorted(repr((ids[row[0]], *row[1:])) for row in index.connection.execute(f"SELECT * FROM {table}"))


def _overflow(index: Index, ids: dict[int, str]) -> list[str]:
    names = {number: str(key) for key, number in index.catalogue.singles.items()}
    for name, number in index.catalogue.metrics.items():
        names |= {number + at: f"{name}:{key}" for at, key in enumerate(catalogue.AGGREGATES)}
    rows = index.connection.execute("SELECT * FROM overflow")
    return sorted(repr((ids[run], names[number], value)) for run, number, value in rows)
