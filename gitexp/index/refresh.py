"""The index brought up to date: what changed since the stamps it keeps is read, and nothing else."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping

from gitexp import ids
from gitexp.errors import Damaged, GitexpError
from gitexp.git import objects, refs
from gitexp.index import rows, stamps, tables
from gitexp.index.catalogue import Catalogue
from gitexp.index.rows import Row
from gitexp.index.stamps import Stamps
from gitexp.record.facts import EMPTY, RUN
from gitexp.store import annotations, experiments, live, reflog, remotes, runs
from gitexp.store.workspace import Workspace

SLICE = 2000  # runs between two commits of a long refresh


class Refresh:
    """One refresh of an index, in a transaction that writes."""

    def __init__(self, workspace: Workspace, connection: sqlite3.Connection, catalogue: Catalogue) -> None:
        self.workspace = workspace
        self.connection = connection
        self.catalogue = catalogue
        self.ledger = annotations.ledger(workspace)
        self.environments: dict[str, int | None] = {}

    def all(self) -> None:
        """Bring everything up to date."""
        running = {run.id: run for run in live.listing(self.workspace)}
        self._refs({ids.short(run_id) for run_id in running})
        self._journals(running)
        self._facts()
        self._experiments()
        self._own()
        self._pushed()

    def _refs(self, running: set[str]) -> None:
        standing = refs.listing(self.workspace.repo, runs.REF_PREFIX)
        wanted = {ref: oid for ref, oid in standing.items() if (leaf := rows.leaf(ref)) and leaf[2] not in running}
        ended = running | {leaf[2] for ref in standing if (leaf := rows.leaf(ref))}
        for ref, oid in refs.listing(self.workspace.repo, rows.PUBLISHED_PREFIX).items():
            if (leaf := rows.leaf(ref)) and leaf[2] not in ended:
                wanted[ref] = oid
        known = {ref: (key, oid) for ref, oid, key in self.connection.execute(
            "SELECT ref, commit_oid, key FROM run WHERE ref IS NOT NULL UNION ALL SELECT ref, commit_oid, NULL FROM strange"
        )}  # fmt: skip
        gone = [ref for ref, (_, oid) in known.items() if wanted.get(ref) != oid]
        tables.delete(self.connection, [key for ref in gone if (key := known[ref][0]) is not None])
        self.connection.executemany("DELETE FROM strange WHERE ref = ?", [(ref,) for ref in gone])
        self._read([(ref, oid) for ref, oid in wanted.items() if known.get(ref, ("", ""))[1] != oid])

    def _read(self, found: Iterable[tuple[str, str]]) -> None:
        read: list[Row] = []
        for ref, oid in found:
            row = rows.stored(self.workspace, ref, oid)
            if row is None:
                self.connection.execute("INSERT INTO strange VALUES (?, ?)", (ref, oid))
            else:
                read.append(row)
        self._insert(read)

    def _insert(self, found: list[Row]) -> None:
        keyed = [
            (
                None,
                row,
                rows.said(
                    self.ledger.state(RUN, row.fields["id"]), row.fields["told"] if "told" in row.fields else None
                ),
            )
            for row in found
        ]
        tables.insert(self.connection, self.catalogue, keyed, self._environment)

    def _environment(self, oid: str) -> int | None:
        if oid not in self.environments:
            row = self.connection.execute("SELECT key FROM environment WHERE oid = ?", (oid,)).fetchone()
            self.environments[oid] = row[0] if row else self._new_environment(oid)
        return self.environments[oid]

    def _new_environment(self, oid: str) -> int | None:
        from gitexp import canonical

        try:
            content = canonical.loads(objects.read_blob(self.workspace.repo, oid, limit_bytes=runs.JSON_LIMIT))
        except (Damaged, ValueError):
            return None
        return tables.add_environment(self.connection, oid, rows.environment(content))

    def _journals(self, running: Mapping[str, live.LiveRun]) -> None:
        before = self.connection.execute("SELECT key FROM run WHERE live AND ref IS NULL").fetchall()
        tables.delete(self.connection, [key for (key,) in before])
        read = []
        for run in running.values():
            try:
                read.append(rows.live(run, run.summary))
            except (GitexpError, OSError, ValueError):
                continue
        self._insert(read)

    def _facts(self) -> None:
        for key, run_id, told in self.connection.execute("SELECT key, id, told FROM run").fetchall():
            tables.say(self.connection, self.catalogue, key, rows.said(self.ledger.state(RUN, run_id) or EMPTY, told))

    def _experiments(self) -> None:
        self.connection.execute("UPDATE run SET experiment = first_experiment")
        for item in experiments.said_of(self.workspace):
            self.connection.execute("UPDATE run SET experiment = ? WHERE path = ?", (item.name, item.path))

    def _own(self) -> None:
        own = [(ref,) for ref in reflog.recorded(self.workspace)]
        self.connection.execute("DELETE FROM own")
        self.connection.executemany("INSERT INTO own VALUES (?)", own)
        self.connection.execute("UPDATE run SET own = ref IN (SELECT ref FROM own) WHERE ref IS NOT NULL")

    def _pushed(self) -> None:
        held = {pair for found in remotes.holdings(self.workspace).values() for pair in found.items()}
        known = self.connection.execute("SELECT key, ref, commit_oid FROM run").fetchall()
        self.connection.executemany(
            "UPDATE run SET pushed = ? WHERE key = ?", [(int((ref, oid) in held), key) for key, ref, oid in known]
        )


def read_stamps(connection: sqlite3.Connection) -> Stamps:
    """Return the stamps that an index keeps."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'stamps'").fetchone()
    return Stamps.from_json(json.loads(row[0])) if row else Stamps()


def run(workspace: Workspace, connection: sqlite3.Connection, catalogue: Catalogue) -> Stamps:
    """Bring an index up to date inside a transaction that writes; returns the stamps it has then."""
    known = read_stamps(connection)
    seen = stamps.look(workspace, known)
    if seen != known or not connection.execute("SELECT 1 FROM meta WHERE name = 'stamps'").fetchone():
        catalogue.load()
        Refresh(workspace, connection, catalogue).all()
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('stamps', ?)", (json.dumps(seen.to_json()),))
    return read_stamps(connection)
