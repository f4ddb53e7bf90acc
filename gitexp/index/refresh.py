"""The index brought up to date: what changed since the stamps it keeps is read, and nothing else."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing, suppress
from functools import cached_property
from itertools import islice
from typing import Any

from gitexp import canonical, ids
from gitexp.errors import Damaged, GitexpError, Unsupported
from gitexp.git import objects, refs
from gitexp.index import handed, heads, meta, rows, running, schema, stamps, tables
from gitexp.index.catalogue import Catalogue
from gitexp.index.heads import Moves
from gitexp.index.readers import Readers
from gitexp.index.rows import Row
from gitexp.index.stamps import Stamps
from gitexp.record.facts import EXPERIMENT, RUN
from gitexp.record.model import Model
from gitexp.store import annotations as annotated
from gitexp.store import experiments, models, reflog, remotes, runs
from gitexp.store.ledger import Ledger
from gitexp.store.workspace import Workspace

BUSY_SECONDS = 2.0  # of one transaction: then others get their turn, and see what is there so far
_CHUNK = 250  # runs read and put in at once
_MANY = 500  # refs from which on all are looked up at once


def run(workspace: Workspace, connection: sqlite3.Connection, catalogue: Catalogue, readers: Readers) -> bool:
    """Bring an index up to date inside a transaction that writes; False where there is more to do in another one."""
    known = meta.stamps(connection)
    seen = stamps.look(workspace, known or Stamps())
    if seen == known:
        return True
    catalogue.load()
    refresh = Refresh(workspace, connection, catalogue, readers)
    if not refresh.all(known or Stamps(), seen):
        return False
    meta.put(connection, "stamps", seen.to_json())
    return True


class Refresh:
    """One transaction's part of a refresh."""

    def __init__(
        self, workspace: Workspace, connection: sqlite3.Connection, catalogue: Catalogue, readers: Readers
    ) -> None:
        self.workspace = workspace
        self.readers = readers
        self.connection = connection
        self.catalogue = catalogue
        self.doubtful: set[str] = set()  # refs that may be lost
        self.experiments: dict[str, str] = meta.get(connection, "experiments", {})
        self.has_runs = connection.execute("SELECT 1 FROM run").fetchone() is not None
        self._environments: dict[str, int | None] = {}
        self._paths: set[str] = set()

    @cached_property
    def ledger(self) -> Ledger:
        """What is said of runs."""
        return annotated.ledger(self.workspace)

    def all(self, known: Stamps, seen: Stamps) -> bool:
        """Take in what changed between two looks; False where the time was up before all was read."""
        state = seen, self.connection.execute("PRAGMA data_version").fetchone()[0]
        is_first = known == Stamps()
        if is_first and self.has_runs and self.readers.state != state:
            schema.add_indexes(self.connection)  # what follows looks runs up, and another process has read some
        if self.readers.state == state:
            wanted = self.readers.unread
            self.connection.executemany("INSERT OR REPLACE INTO loose VALUES (?, ?, ?)", self.readers.loose)
        else:
            wanted = self._differing(self._moves(known, seen))
        done = self._read(wanted)
        if done and is_first:
            schema.add_indexes(self.connection)
        done = done and self._read(self._differing(self._elsewhere()))
        if done and seen.remotes != known.remotes:
            self._push_anew()
        if done and (seen.models, seen.packed) != (known.models, known.packed):
            self._release_anew()
        self.readers.state = state
        return done

    def _moves(self, known: Stamps, seen: Stamps) -> Moves:
        """Take in all but what commits say, and return the refs of runs that may have moved."""
        if seen.log != known.log:
            self._follow_log(*(seen.log or (0, 0)))  # one that was taken away says nothing any more
        turned = self._journals(known, seen)
        moves: Moves = {ref: refs.get(self.workspace.repo, ref) for ref in turned}
        moves |= heads.moved(self.workspace, self.connection, known, seen)
        if seen.facts != known.facts:
            self._say(known.facts)
        self._look_for_lost(moves)
        self._publish(moves)
        live = self._running
        return {
            ref: None if leaf[2] in live else oid
            for ref, oid in moves.items()
            if (leaf := rows.leaf(ref)) and not ref.startswith(stamps.PUBLISHED_PREFIX)
        }

    @property
    def _running(self) -> set[str]:
        """The first letters of the ids of the runs that are running here."""
        return {ids.short(run_id) for (run_id,) in self.connection.execute("SELECT id FROM journal")}

    def _follow_log(self, size: int, inode: int) -> None:
        """Follow what gitexp itself did to refs: which runs were recorded here, and what should stand."""
        offset, known_inode = meta.get(self.connection, "log", (0, inode))
        if known_inode != inode or size < offset:
            offset = 0
            self.connection.execute("DELETE FROM logged")
            self.connection.execute("UPDATE run SET own = 0 WHERE ref IS NOT NULL")
        lines, offset = reflog.since(self.workspace, offset)
        touched = dict.fromkeys(line.ref for line in lines)
        state = {row[0]: row[1:] for row in self._by_ref("SELECT ref, oid, own FROM logged", touched)}
        for line in lines:
            if line.new == reflog.NONE:
                state.pop(line.ref, None)
            else:
                own = line.word in reflog.RECORDED or (line.ref in state and state[line.ref][1])
                state[line.ref] = line.new, int(own)
        many = self.connection.executemany
        many("DELETE FROM logged WHERE ref = ?", [(ref,) for ref in touched if ref not in state])
        many("INSERT OR REPLACE INTO logged VALUES (?, ?, ?)", [(ref, *state[ref]) for ref in touched if ref in state])
        if self.has_runs:
            own_of = [(state[ref][1] if ref in state else 0, ref) for ref in touched]
            many("UPDATE run SET own = ? WHERE ref = ?", own_of)
        self.doubtful.update(touched)
        meta.put(self.connection, "log", (offset, inode))

    def _by_ref(self, query: str, wanted: Collection[str]) -> list[Any]:
        """Return the rows of some refs: looked up together, or among all where there are many."""
        if len(wanted) > _MANY:
            return [row for row in self.connection.execute(query + " WHERE ref IS NOT NULL") if row[0] in wanted]
        marks = ", ".join("?" * len(wanted))
        return self.connection.execute(f"{query} WHERE ref IN ({marks})", list(wanted)).fetchall() if wanted else []

    def _journals(self, known: Stamps, seen: Stamps) -> list[str]:
        """Take in the runs that are running here; returns the refs of those that began or ended."""
        live = {name for name, files in seen.journals.items() if "start.json" in files and "late.json" not in files}
        kept = dict(self.connection.execute("SELECT id, ref FROM journal"))
        for name in kept.keys() - live:
            self._forget_journal(name)
        began = []
        for name in sorted(live):
            if (name not in kept or seen.journals[name] != known.journals.get(name)) and (ref := self._journal(name)):
                began += [ref] if name not in kept else []
        return [*(kept[name] for name in kept.keys() - live), *began]

    def _journal(self, name: str) -> str | None:
        """Read a journal on; None where it cannot be read, or has gone meanwhile."""
        row = self.connection.execute("SELECT state FROM journal WHERE id = ?", (name,)).fetchone()
        try:
            found, ref, state = running.read(self.workspace, self.workspace.live / name, row[0] if row else None)
        except (Damaged, OSError):  # `status` and `recover` name it
            self._forget_journal(name)
            return None
        keys = self.connection.execute("SELECT key FROM run WHERE id = ? AND live AND ref IS NULL", (name,)).fetchall()
        tables.delete(self.connection, [key for (key,) in keys])
        self.connection.execute("INSERT OR REPLACE INTO journal VALUES (?, ?, ?)", (name, ref, state))
        self._insert([(keys[0][0] if keys else None, found)])
        return ref

    def _forget_journal(self, name: str) -> None:
        keys = self.connection.execute("SELECT key FROM run WHERE id = ? AND live AND ref IS NULL", (name,)).fetchall()
        tables.delete(self.connection, [key for (key,) in keys])
        self.connection.execute("DELETE FROM journal WHERE id = ?", (name,))

    def _say(self, tip: str | None) -> None:
        """Fold again what is said of the runs that new lines are about, or of all where lines went away."""
        added = self.ledger.since(tip) if tip else self.ledger
        if added is None:
            said_before = self.connection.execute("SELECT id FROM run WHERE said").fetchall()
            targets, ledger = {run_id for (run_id,) in said_before} | set(self.ledger.targets(RUN)), self.ledger
        else:
            targets = set(added.targets(RUN))
            ledger = self.ledger if len(targets) > _MANY else self.ledger.of_runs(targets)
        for run_id in targets:
            found = self.connection.execute("SELECT key, told FROM run WHERE id = ?", (run_id,)).fetchall()
            for key, told in found:
                said = rows.said(ledger.state(RUN, run_id), told)
                tables.say(self.connection, self.catalogue, key, said)
        if added is None or added.targets(EXPERIMENT):
            self._name_experiments()

    def _name_experiments(self) -> None:
        """Call runs by what their experiments are called now."""
        now = {item.path: item.name for item in experiments.said_of(self.workspace)}
        for path in {**self.experiments, **now}:
            if now.get(path) != self.experiments.get(path):
                query = "UPDATE run SET experiment = COALESCE(?, first_experiment) WHERE path = ?"
                self.connection.execute(query, (now.get(path), path))
        self.experiments = now
        meta.put(self.connection, "experiments", now)

    def _publish(self, moves: Moves) -> None:
        """Keep which runs are published as running."""
        published: dict[str, str] = meta.get(self.connection, "published", {})
        changed = {ref: oid for ref, oid in moves.items() if ref.startswith(stamps.PUBLISHED_PREFIX) and rows.leaf(ref)}
        if changed:
            now = {ref: oid for ref, oid in (published | changed).items() if oid is not None}
            meta.put(self.connection, "published", now)

    def _elsewhere(self) -> Moves:
        """Return what should stand of the runs that run on other machines: those that are not here by now."""
        query = "SELECT ref FROM run WHERE live AND +ref IS NOT NULL"  # by the index of the few that are live
        found: Moves = {ref: None for (ref,) in self.connection.execute(query)}
        live = self._running
        for ref, oid in meta.get(self.connection, "published", {}).items():
            short = (rows.leaf(ref) or ("", "", ""))[2]
            query = "SELECT 1 FROM run WHERE id >= ? AND id < ? AND NOT live"
            if short not in live and not self.connection.execute(query, (short, short + "~")).fetchone():
                found[ref] = oid
        return found

    def _differing(self, wanted: Moves) -> list[tuple[str, str]]:
        """Take out what stands no more, and return the (ref, commit) that have to be read."""
        found = self._by_ref("SELECT ref, commit_oid, key FROM run", wanted)
        strange = self._by_ref("SELECT ref, commit_oid FROM strange", wanted)
        tables.delete(self.connection, [key for ref, oid, key in found if wanted[ref] != oid])
        gone = [(ref,) for ref, oid in strange if wanted[ref] != oid]
        self.connection.executemany("DELETE FROM strange WHERE ref = ?", gone)
        same = {ref for ref, oid, *_ in [*found, *strange] if wanted[ref] == oid}
        return [(ref, oid) for ref, oid in wanted.items() if oid is not None and ref not in same]

    def _read(self, wanted: Sequence[tuple[str, str]]) -> bool:
        """Read runs and put them in; False where the time was up."""
        given = handed.take(self.workspace) if wanted else {}
        here = {item: row for item in wanted if item in given and (row := self._given(*item, given[item])) is not None}
        self._insert([(None, row) for row in here.values()])
        left = [item for item in wanted if item not in here]
        unread, deadline = dict.fromkeys(left), time.monotonic() + BUSY_SECONDS
        with closing(self.readers.read(left)) as found:
            while chunk := list(islice(found, _CHUNK)):
                self._insert([(None, row) for _, row in chunk if row is not None])
                strange = [item for item, row in chunk if row is None]
                self.connection.executemany("INSERT OR REPLACE INTO strange VALUES (?, ?)", strange)
                for item, _ in chunk:
                    del unread[item]
                if time.monotonic() > deadline:
                    break
        self._leave([ref for ref, _ in unread])
        self.readers.unread = list(unread)
        return not unread

    def _leave(self, unread: Collection[str]) -> None:
        """Forget of refs that are still to be read that they are loose: who comes next must find them new."""
        left = set(unread)
        query = "SELECT folder, ref, oid FROM loose"
        self.readers.loose = [row for row in self.connection.execute(query) if row[1] in left] if left else []
        gone = [row[:2] for row in self.readers.loose]
        self.connection.executemany("DELETE FROM loose WHERE folder = ? AND ref = ?", gone)

    def _given(self, ref: str, commit: str, found: handed.Handed) -> Row | None:
        """Return the row of a record that its run has handed over, and make its environment known."""
        try:
            row = rows.given(self.workspace, ref, commit, found.folder, found.artifacts)
        except (Damaged, Unsupported):
            return None  # the commit is asked then
        if row is None or row.environment is None or self._environment_known(row.environment) is not None:
            return row
        if found.environment is not None:
            self._add_environment(row.environment, found.environment)
        return row

    def _insert(self, found: Sequence[tuple[int | None, Row]]) -> None:
        """Put runs in, with what is said of them and what is known of their refs."""
        if not found:
            return
        stored = [row.fields for _, row in found if row.fields.get("ref") is not None]
        own = dict(self._by_ref("SELECT ref, own FROM logged", [fields["ref"] for fields in stored]))
        held = self._held([fields["commit_oid"] for fields in stored])
        for fields in stored:
            fields["own"] = own.get(fields["ref"], 0)
            fields["pushed"] = int((fields["ref"], fields["commit_oid"]) in held)
        self._know_experiments({row.fields["path"] for _, row in found})
        ledger = self._ledger_of([row.fields["id"] for _, row in found])
        free, keyed = tables.next_key(self.connection), []
        for key, row in found:
            fields = row.fields
            fields["experiment"] = self.experiments.get(fields["path"], fields["first_experiment"])
            said = rows.said(ledger.state(RUN, fields["id"]), fields.get("told"))
            keyed.append((free if key is None else key, row, said))
            free += key is None
        tables.insert(self.connection, self.catalogue, keyed, self._environment)
        self.connection.executemany("DELETE FROM lost WHERE ref = ?", [(fields["ref"],) for fields in stored])

    def _ledger_of(self, run_ids: Sequence[str]) -> Ledger:
        return self.ledger if len(run_ids) >= _CHUNK else self.ledger.of_runs(run_ids)

    def _know_experiments(self, paths: Iterable[str]) -> None:
        """Look for the names of experiments that had no runs before: only now they have a path."""
        query = "SELECT 1 FROM run WHERE path = ?"
        new = {path for path in paths if path not in self._paths}
        self._paths |= new
        if any(path not in self.experiments and not self.connection.execute(query, (path,)).fetchone() for path in new):
            self._name_experiments()

    def _environment(self, oid: str) -> int | None:
        if oid not in self._environments:
            known = self._environment_known(oid)
            self._environments[oid] = known if known is not None else self._read_environment(oid)
        return self._environments[oid]

    def _environment_known(self, oid: str | None) -> int | None:
        row = self.connection.execute("SELECT key FROM environment WHERE oid = ?", (oid,)).fetchone()
        return None if row is None else int(row[0])

    def _read_environment(self, oid: str) -> int | None:
        try:
            content = canonical.loads(objects.read_blob(self.workspace.repo, oid, limit_bytes=runs.JSON_LIMIT))
        except (Damaged, ValueError):
            return None
        return self._add_environment(oid, content)

    def _add_environment(self, oid: str, content: Any) -> int:
        return tables.add_environment(self.connection, oid, rows.environment(content))

    def _held(self, commits: Sequence[str]) -> set[tuple[str, str]]:
        """Return which (ref, commit) remotes are known to hold, where these commits are among them at all."""
        files = [self.workspace.home / "remotes" / name for name in self._remote_files]
        if not files or not commits:
            return set()
        if len(commits) < _CHUNK:
            found = [path.read_bytes() for path in files]
            if not any(commit.encode() in data for commit in commits for data in found):
                return set()
        return self._holdings

    @cached_property
    def _remote_files(self) -> list[str]:
        return [name for name in stamps.look(self.workspace, Stamps()).remotes if name.endswith(".refs")]

    @cached_property
    def _holdings(self) -> set[tuple[str, str]]:
        return {pair for found in remotes.holdings(self.workspace).values() for pair in found.items()}

    def _push_anew(self) -> None:
        known = self.connection.execute("SELECT ref, commit_oid, pushed, key FROM run WHERE ref IS NOT NULL").fetchall()
        held = self._holdings
        changed = [(1 - pushed, key) for ref, oid, pushed, key in known if ((ref, oid) in held) != pushed]
        self.connection.executemany("UPDATE run SET pushed = ? WHERE key = ?", changed)

    def _release_anew(self) -> None:
        """Keep which runs have versions of models; a chain that cannot be read is named by `fsck`."""
        tips = refs.listing(self.workspace.repo, ids.MODELS)
        if tips == meta.get(self.connection, "models", {}):
            return
        found: list[tuple[str, str, int]] = []
        for ref, tip in tips.items():
            with suppress(GitexpError):
                found += _versions(models.load(self.workspace, ref, tip))
        self.connection.execute("DELETE FROM model")
        self.connection.executemany("INSERT INTO model VALUES (?, ?, ?)", found)
        meta.put(self.connection, "models", tips)

    def _look_for_lost(self, moves: Moves) -> None:
        """Keep which refs gitexp set, never deleted, and that are gone."""
        doubtful = self.doubtful | {ref for ref, oid in moves.items() if oid is None}
        if not doubtful:
            return
        expected = dict(self._by_ref("SELECT ref, oid FROM logged", doubtful))
        standing = refs.listing(self.workspace.repo, runs.REF_PREFIX) if len(expected) > _MANY else None
        lost = [(ref, oid) for ref, oid in expected.items() if not self._stands(ref, standing)]
        self.connection.executemany("DELETE FROM lost WHERE ref = ?", [(ref,) for ref in doubtful])
        self.connection.executemany("INSERT INTO lost VALUES (?, ?)", lost)

    def _stands(self, ref: str, standing: dict[str, str] | None) -> bool:
        return ref in standing if standing is not None else refs.get(self.workspace.repo, ref) is not None


def _versions(model: Model) -> list[tuple[str, str, int]]:
    """Return (run, name of the model, number) of the versions that a model has and that name a run."""
    kept = [] if model.removed is not None else model.versions.values()
    return [(item.run, model.name, item.number) for item in kept if item.run and item.removed is None]
