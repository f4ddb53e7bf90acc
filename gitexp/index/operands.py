"""Where a value of the query language is in the index: a column, or the rows of another table."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from gitexp.errors import BadQuery
from gitexp.index import sql
from gitexp.index.sql import Sql
from gitexp.query import names as fields
from gitexp.query import nodes


@dataclass(frozen=True, slots=True)
class Context:
    """What a query's words depend on: the time, and which aggregate of a metric its bare name means."""

    now_ms: int
    represent: Callable[[str], str]


class Names(Protocol):
    """What is asked of the catalogue."""

    def column(self, kind: str, name: str, aggregate: str = "") -> str | None:
        """Return the SQL of a value in `FROM run`, None where no run has that name."""

    def names(self, kind: str) -> list[str]:
        """Return all names of a kind."""

    def has(self, kind: str, name: str) -> bool:
        """Say whether any run has a name of a kind."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of another table that belong to a run: `key` of theirs is `own` of the run, and `where` picks among them."""

    table: str
    where: Sql
    key: str = "run"
    own: str = "run.key"


@dataclass(frozen=True, slots=True)
class Operand:
    """A value in SQL. `kind` says how it compares:

    any (a param: number, text or a BLOB of JSON), number (may be a BLOB too), real (never a BLOB), text,
    time (milliseconds), flag (0, 1), and texts with rules of their own: status, glob (experiment), commit, id,
    digest, version.
    """

    sql: Sql
    kind: str
    spelled: Sql | None = None  # the number that a text of `sql` spells, where some run has such a text
    rows: Rows | None = None
    several: bool = False  # any of the values may match; `!=` means that none is equal
    others: tuple[Sql, ...] = ()  # further columns, any of which may match
    name: str = ""
    column: int = 0


_FIELDS: dict[str, tuple[str, str]] = {
    "id": ("id", "run.id"),
    "title": ("text", "run.title"),
    "experiment": ("glob", "run.experiment"),
    "path": ("text", "+run.path"),  # not by its index: with most runs in one experiment a scan is faster
    "status": ("status", "run.status"),
    "start": ("time", "run.start_ms"),
    "end": ("time", "run.end_ms"),
    "host": ("text", "run.host"),
    "exit_code": ("real", "run.exit_code"),
    "error": ("text", "run.error"),
    "description": ("text", "run.description"),
    "command": ("text", "run.command"),
    "parent": ("id", "run.parent"),
    "forked_from": ("id", "run.forked_from"),
    "archived": ("flag", "run.archived"),
    "favourite": ("flag", "run.favourite"),
    "removed": ("flag", "run.removed"),
    "pushed": ("flag", "run.pushed"),
    "own": ("flag", "run.own"),
    "live": ("flag", "run.live"),
    "cost": ("real", "run.cost"),
    "ref": ("text", "run.ref"),
    "commit": ("commit", "run.commit_oid"),
    "code.commit": ("commit", "run.code_commit"),
    "code.dirty": ("flag", "run.code_dirty"),
    "code.branch": ("text", "run.code_branch"),
    "code.tree": ("commit", "run.code_tree"),
    "code.remote": ("text", "run.code_remote"),
    "code.snapshot": ("commit", "run.code_snapshot"),
}
_ROWS: dict[str, tuple[str, str, str]] = {  # field: kind, table, expression
    "artifact": ("text", "artifact", "artifact.name"),
    "note": ("text", "note", "note.text"),
    "tag": ("text", "tag", "CASE tag.value WHEN '' THEN tag.name ELSE tag.name || '=' || tag.value END"),
    "dataset.name": ("text", "dataset", "dataset.name"),
    "dataset.digest": ("digest", "dataset", "dataset.sha256"),
    "dataset.context": ("text", "dataset", "dataset.role"),
    "model": ("text", "model", "model.name"),
    "model.version": ("text", "model", "model.name || ':' || model.version"),
    "used": ("text", "used", "used.name"),
    "used.run": ("id", "used", "used.source"),
    "used.sha256": ("digest", "used", "used.sha256"),
}
_ENVIRONMENT = {
    "env.python": ("version", "environment.python"),
    "env.platform": ("text", "environment.platform"),
    "env.cuda": ("version", "environment.cuda"),
    "env.gpu": ("text", "environment.gpus"),
}
_FACTS = {
    "sha256": ("digest", "dataset.sha256"),
    "rows": ("real", "dataset.rows"),
    "uri": ("text", "dataset.uri"),
    "bytes": ("real", "dataset.size_bytes"),
    "files": ("real", "dataset.files"),
    "role": ("text", "dataset.role"),
}
_COMPARED = 5000  # names of a kind that are looked at for near ones
_ARTIFACT_BYTES = "(SELECT COALESCE(SUM(size_bytes), 0) FROM artifact WHERE artifact.run = run.key)"


def of(value: nodes.Field | nodes.Name, names: Names, context: Context) -> Operand:
    """Return where a field or name is; raises BadQuery for a bare name that no run has, or that is in two places."""
    known = value if isinstance(value, nodes.Field) else resolve(value, names)
    found = _field(known.name, context) if isinstance(known, nodes.Field) else _name(known, names, context)
    written = nodes.spell(value)
    if found is None:
        found = Operand(Sql("NULL", unknown=(written,)), "real")
    return replace(found, name=written, column=value.column)


def _field(name: str, context: Context) -> Operand:
    if name in _FIELDS:
        kind, column = _FIELDS[name]
        return Operand(Sql(column), kind)
    if name in _ROWS:
        kind, table, expression = _ROWS[name]
        own = ("run_id", "run.id") if table == "model" else ("run", "run.key")
        return Operand(Sql(expression), kind, rows=Rows(table, sql.TRUE, *own), several=True)
    if name in _ENVIRONMENT:
        kind, column = _ENVIRONMENT[name]
        return Operand(Sql(column), kind, rows=Rows("environment", sql.TRUE, "key", "run.environment"))
    if name == "duration":
        ended = Sql("COALESCE(run.end_ms, CASE WHEN run.status = 'running' THEN ? END)", (context.now_ms,))
        return Operand(sql.form("(({0} - run.start_ms) / 1000.0)", ended), "real")
    if name == "name":
        return Operand(Sql("COALESCE(run.title, run.name)"), "text", several=True, others=(Sql("run.name"),))
    if name == "user":
        return Operand(Sql("run.author"), "text", several=True, others=(Sql("run.email"),))
    if name == "artifact.size":
        return Operand(Sql(_ARTIFACT_BYTES), "real")
    raise BadQuery(f"no field is called {name!r}", column=0)


def _name(value: nodes.Name, names: Names, context: Context) -> Operand | None:
    kind, name = value.kind, value.name
    if kind == "param":
        column, spelled = names.column(kind, name), names.column(kind, name, "number")
        return Operand(Sql(column), "any", Sql(spelled) if spelled else None) if column else None
    if kind == "seed":
        column = names.column(kind, name)
        spelled = f"CASE WHEN {column} >= '' AND {column} < x'' THEN gitexp_number({column}) END"
        return Operand(Sql(column), "any", Sql(spelled)) if column else None
    if kind == "metric":
        column = names.column(kind, name, value.aggregate or context.represent(name))
        return Operand(Sql(column), "number") if column else None
    if kind == "post":
        column = names.column(kind, name)
        return Operand(Sql(column), "number") if column else None
    if kind == "package":
        name = re.sub(r"[-_.]+", "-", name).lower()
        where, own = Sql("package.name = ?", (name,)), "run.environment"
        found = Operand(Sql("package.version"), "version", rows=Rows("package", where, "environment", own))
    elif kind == "data":
        kind, (kind_of, column) = "dataset", _FACTS[value.aggregate]
        where = Sql("(dataset.name = ? OR dataset.role = ?)", (name, name))
        found = Operand(Sql(column), kind_of, rows=Rows("dataset", where))
    else:
        found = Operand(Sql(f"{kind}.value"), "text", rows=Rows(kind, Sql(f"{kind}.name = ?", (name,))))
    return found if names.has(kind, name) else None


def resolve(value: nodes.Name, names: Names) -> nodes.Name | nodes.Field:
    """Return a bare name as the param, metric, tag or field that it is; raises BadQuery."""
    if value.kind:
        return value
    kinds = ("metric",) if value.aggregate else ("param", "metric", "tag")
    if value.name in fields.SHARED and not value.aggregate and (field := _shared(value, names, kinds)):
        return field
    if not any(names.names(kind) for kind in ("metric", "param", "tag")):
        return replace(value, kind=kinds[0])  # there is no run yet, or none with a name of its own
    found = [kind for kind in kinds if names.has(kind, value.name)]
    if len(found) == 1:
        return replace(value, kind=found[0])
    if found:
        written = [nodes.spell(replace(value, kind=kind)) for kind in found]
        words = " and a ".join(", a ".join(found).rsplit(", a ", 1))
        raise BadQuery(f"{value.name!r} is a {words}", column=value.column, hint=f"write: {'  or  '.join(written)}")
    raise _unknown(value, names, kinds)


def _shared(value: nodes.Name, names: Names, kinds: tuple[str, ...]) -> nodes.Field | None:
    """Return the field of a name that runs have too, None where they alone have it; raises BadQuery for both."""
    own = [kind for kind in kinds if names.has(kind, value.name)]
    if own and names.has("released", ""):
        written = [nodes.spell(replace(value, kind=kind)) for kind in own]
        hint = f"write: {'  or  '.join([*written, f'run.{value.name}'])}"
        raise BadQuery(f"{value.name!r} is a field and a {own[0]}", column=value.column, hint=hint)
    return None if own else nodes.Field(value.name, value.column)


def _unknown(value: nodes.Name, names: Names, kinds: tuple[str, ...]) -> BadQuery:
    import difflib  # only an error needs it

    known: dict[str, list[str]] = {} if value.aggregate else {field: [field] for field in fields.FIELDS}
    for kind in kinds:
        for name in names.names(kind)[:_COMPARED]:
            known.setdefault(name.casefold(), []).append(nodes.spell(nodes.Name(kind, name)))
    near = difflib.get_close_matches(value.name.casefold(), known, n=3, cutoff=0.6)
    quoted = value.name.replace("'", "''")
    hint = f"see them with: gitexp log --columns all; a text goes in quotes: '{quoted[:40]}'"
    if value.name.casefold() in ("inf", "infinity"):
        hint = "infinity is written: 1e400"
    elif near:
        hint = f"did you mean: {', '.join([one for name in near for one in known[name]][:4])}"
    what = "metric" if value.aggregate else "field, param, metric or tag"
    return BadQuery(f"no {what} is called {value.name[:60]!r}", column=value.column, hint=hint)
