"""The tables of the index. Whoever changes them raises VERSION: an index of another version is built anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitexp.version import __version__

if TYPE_CHECKING:  # a training that ends wants VERSION only
    import sqlite3

VERSION = 9
COLUMN_CAP = 1500  # numbered columns; SQLite's own limit for a table is 2,000

FIELDS = (
    "key", "id", "live", "removed", "archived", "own", "start_ms", "end_ms", "status", "path", "slug", "experiment",
    "name", "title", "pushed", "favourite", "reason", "code_dirty", "exit_code", "error", "cost", "environment",
    "ref", "commit_oid", "author", "email", "host", "parent", "forked_from", "code_commit", "code_snapshot",
    "code_tree", "code_branch", "code_remote", "command", "description", "damaged", "first_experiment", "told", "said",
    "steps",
)  # fmt: skip
# `first_experiment` is the experiment's name in the record, `told` the record's own tags and description as JSON:
# what facts are laid over again when they change; `said` tells that there are some; `steps` has the last steps of
# metrics, {name: step} but for those at 0. `digest` has the sha256 of blobs,
# each from when it was first asked for.

_META = "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID"
_TABLES = (
    f"CREATE TABLE run (key INTEGER PRIMARY KEY, {', '.join(FIELDS[1:])})",
    "CREATE TABLE catalogue (number INTEGER PRIMARY KEY, kind TEXT, name BLOB, aggregate TEXT)",
    "CREATE TABLE overflow (run INTEGER, number INTEGER, value, PRIMARY KEY (run, number)) WITHOUT ROWID",
    "CREATE TABLE tag (run INTEGER, name TEXT, value TEXT, PRIMARY KEY (run, name)) WITHOUT ROWID",
    "CREATE INDEX tag_name ON tag (name, value)",
    "CREATE TABLE verdict (run INTEGER, name TEXT, value TEXT, PRIMARY KEY (run, name)) WITHOUT ROWID",
    "CREATE TABLE note (run INTEGER, time_ms INTEGER, author TEXT, text TEXT)",
    "CREATE INDEX note_run ON note (run)",
    "CREATE TABLE artifact (run INTEGER, name TEXT, size_bytes INTEGER, sha256 TEXT, oid TEXT,"
    " PRIMARY KEY (run, name)) WITHOUT ROWID",
    "CREATE INDEX artifact_sha256 ON artifact (sha256) WHERE sha256 IS NOT NULL",
    "CREATE INDEX artifact_oid ON artifact (oid) WHERE oid IS NOT NULL",
    "CREATE TABLE digest (oid TEXT PRIMARY KEY, sha256 TEXT) WITHOUT ROWID",
    "CREATE INDEX digest_sha256 ON digest (sha256)",
    "CREATE TABLE used (run INTEGER, source TEXT, name TEXT, sha256 TEXT, said TEXT)",
    "CREATE INDEX used_run ON used (run)",
    "CREATE INDEX used_source ON used (source)",
    "CREATE INDEX used_sha256 ON used (sha256) WHERE sha256 IS NOT NULL",
    "CREATE TABLE logged_model (run INTEGER, kind TEXT, id TEXT, body TEXT)",
    "CREATE INDEX logged_model_run ON logged_model (run)",
    "CREATE INDEX logged_model_id ON logged_model (id)",
    "CREATE TABLE dataset (run INTEGER, name TEXT, role TEXT, uri TEXT, sha256 TEXT, rows, size_bytes, files)",
    "CREATE INDEX dataset_run ON dataset (run)",
    "CREATE INDEX dataset_sha256 ON dataset (sha256) WHERE sha256 IS NOT NULL",
    "CREATE TABLE environment (key INTEGER PRIMARY KEY, oid TEXT UNIQUE, python TEXT, implementation TEXT,"
    " platform TEXT, cuda TEXT, driver TEXT, gpus TEXT, gpu_count INTEGER, container TEXT)",
    "CREATE TABLE package (environment INTEGER, name TEXT, version TEXT, PRIMARY KEY (environment, name))"
    " WITHOUT ROWID",
    "CREATE TABLE model (run_id TEXT, name TEXT, version INTEGER)",
    "CREATE INDEX model_run ON model (run_id)",
    "CREATE TABLE strange (ref TEXT PRIMARY KEY, commit_oid TEXT) WITHOUT ROWID",
    "CREATE TABLE loose (folder TEXT, ref TEXT, oid TEXT, PRIMARY KEY (folder, ref)) WITHOUT ROWID",
    "CREATE TABLE logged (ref TEXT PRIMARY KEY, oid TEXT, own INTEGER) WITHOUT ROWID",
    "CREATE TABLE lost (ref TEXT PRIMARY KEY, oid TEXT) WITHOUT ROWID",
    "CREATE TABLE journal (id TEXT PRIMARY KEY, ref TEXT, state TEXT) WITHOUT ROWID",
    _META,
)

_INDEXES = (  # of `run`: put in when many runs are in, they cost a fraction of what they cost run by run
    "CREATE UNIQUE INDEX IF NOT EXISTS run_ref ON run (ref, commit_oid)",
    "CREATE INDEX IF NOT EXISTS run_id ON run (id)",
    "CREATE INDEX IF NOT EXISTS run_start ON run (start_ms, id)",
    "CREATE INDEX IF NOT EXISTS run_own ON run (start_ms, id) WHERE own AND NOT removed",
    "CREATE INDEX IF NOT EXISTS run_slug ON run (slug)",
    "CREATE INDEX IF NOT EXISTS run_commit ON run (commit_oid)",
    "CREATE INDEX IF NOT EXISTS run_parent ON run (parent) WHERE parent IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS run_forked ON run (forked_from) WHERE forked_from IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS run_path ON run"
    " (path, removed, archived, live, status, own, pushed, start_ms, id, experiment)",
    "CREATE INDEX IF NOT EXISTS run_live ON run (live) WHERE live",
)

# The tables with rows of a run.
PARTS = ("overflow", "tag", "verdict", "note", "artifact", "dataset", "used", "logged_model")


def create(connection: sqlite3.Connection) -> None:
    """Make all tables, and say whose they are."""
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('made_by', ?)", (made_by(),))


def add_indexes(connection: sqlite3.Connection) -> None:
    """Make the indexes of the table of runs, where there are none yet."""
    for statement in _INDEXES:
        connection.execute(statement)


def is_empty(connection: sqlite3.Connection) -> bool:
    """Say whether there are no tables at all."""
    return connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def is_ours(connection: sqlite3.Connection) -> bool:
    """Say whether the tables are those of this version of gitexp."""
    row = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'meta'").fetchone()
    if row is None or row[0] != _META:
        return False
    row = connection.execute("SELECT value FROM meta WHERE name = 'made_by'").fetchone()
    return row is not None and row[0] == made_by()


def made_by() -> str:
    """Return what an index says of its maker."""
    return f"gitexp {__version__}, index {VERSION}"
