"""Runs as one table for other programs, CSV or Parquet: a row a run, a column for all that any of them has.

Both read the runs twice, first which columns there are and of which type, then the rows, so memory grows with the
columns and not with the runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitexp import canonical, files
from gitexp.errors import Unsupported, WriteFailed
from gitexp.record import points

if TYPE_CHECKING:
    import pyarrow

    from gitexp.index.compile import Context
    from gitexp.index.entry import Entry

Source = Callable[[], Iterable["Entry"]]  # gives the runs anew each time
FIELDS: Mapping[str, str] = {
    "id": "text", "name": "text", "experiment": "text", "status": "text", "start": "time", "duration": "seconds",
    "user": "text", "host": "text", "exit_code": "whole", "error": "text", "description": "text", "command": "text",
    "parent": "text", "forked_from": "text", "code.commit": "text", "code.branch": "text", "code.dirty": "flag",
    "ref": "text", "commit": "text", "cost": "real",
}  # fmt: skip
_AT_ONCE = 1000  # runs of one piece of CSV or one batch of Parquet
_OVER = 2**63  # what 64 bits with a sign do not hold


@dataclass(frozen=True, slots=True)
class Column:
    """A column: a field of the run, a param, a metric's aggregate, a number posted later, or a tag.

    `type`: text, flag, whole, real, time (ms), seconds; "" where values differ in kind, or are lists and mappings.
    """

    kind: str
    name: str
    aggregate: str = ""
    type: str = ""

    @property
    def title(self) -> str:
        """Its heading: status, params.lr, metrics.loss:min, post.uplift, tags.owner."""
        prefix = {"param": "params.", "metric": "metrics.", "post": "post.", "tag": "tags."}.get(self.kind, "")
        return prefix + self.name + (f":{self.aggregate}" if self.aggregate else "")

    def value(self, entry: Entry, now_ms: int) -> Any:
        """Return what a run has there, None where it has nothing."""
        kind = self.kind
        if kind == "param":
            return entry.flat_params.get(self.name)
        if kind == "metric":
            found = entry.summary.get(self.name)
            return None if found is None else getattr(found, self.aggregate)
        if kind == "field":
            return _field_of(entry, self.name, now_ms)
        return entry.tags.get(self.name) if kind == "tag" else entry.posts.get(self.name)


_RENAMED = {"user": "author", "code.commit": "code_commit", "code.branch": "code_branch", "code.dirty": "dirty"}


def _field_of(entry: Entry, name: str, now_ms: int) -> Any:
    """Return a field of a run; of one that is running the duration so far."""
    if name == "name":
        return entry.title or entry.name
    if name == "start":
        return entry.start_ms
    if name == "duration":
        end = now_ms if entry.end_ms is None and entry.status == "running" else entry.end_ms
        return None if end is None else (end - entry.start_ms) / 1000
    return getattr(entry, _RENAMED.get(name, name))


_TYPES = {float: "real", str: "text", bool: "flag"}


def _type_of(value: Any) -> str:
    """Return the type of a value; a whole number beyond 64 bits, a list and a mapping have none of their own."""
    if type(value) is int:
        return "whole" if -_OVER <= value < _OVER else ""
    return _TYPES.get(type(value), "")


def columns(found: Iterable[Entry], context: Context, aggregates: Sequence[str] = ()) -> list[Column]:
    """Return the columns for all that runs have: fields, then params, metrics, posts and tags by name.

    A metric's is the value that represents it (`Column.aggregate` says which), or one for each of `aggregates`.
    """
    represent = cache(context.represent)
    params: dict[str, set[str]] = {}
    metrics: dict[tuple[str, str], set[str]] = {}
    posts: dict[str, set[str]] = {}
    tags: dict[str, set[str]] = {}
    for entry in found:
        for seen, values in ((params, entry.flat_params), (posts, entry.posts), (tags, entry.tags)):
            for name, value in values.items():
                types = seen.setdefault(name, set())
                if value is not None:
                    types.add(_type_of(value))
        for name, summary in entry.summary.items():
            for each in aggregates or (represent(name),):
                metrics.setdefault((name, each), set()).add(_type_of(getattr(summary, each)))
    order = list(aggregates)
    return [
        *(Column("field", name, type=kind) for name, kind in FIELDS.items()),
        *(Column("param", name, type=_common(params[name])) for name in sorted(params)),
        *(
            Column("metric", *key, type=_common(metrics[key]))
            for key in sorted(metrics, key=lambda key: (key[0], order.index(key[1]) if order else 0))
        ),
        *(Column("post", name, type=_common(posts[name])) for name in sorted(posts)),
        *(Column("tag", name, type=_common(tags[name])) for name in sorted(tags)),
    ]


def _common(types: set[str]) -> str:
    if types == {"whole", "real"}:
        return "real"
    return next(iter(types)) if len(types) == 1 else ""


def csv(source: Source, context: Context) -> Iterator[str]:
    """Yield the table as CSV (RFC 4180, lines end in LF), some rows at a time.

    Nothing stands where a run has no value, `""` for empty text; times are ISO 8601 in UTC, durations seconds, numbers
    as in metrics.csv (`nan`, `inf`), lists and mappings JSON.
    """
    found = columns(source(), context)
    yield row(column.title for column in found)
    rows = iter(source())
    while batch := list(islice(rows, _AT_ONCE)):
        yield "".join(row(_shown(column, entry, context) for column in found) for entry in batch)


def _shown(column: Column, entry: Entry, context: Context) -> Any:
    value = column.value(entry, context.now_ms)
    return canonical.iso(value) if column.type == "time" and value is not None else value


def row(values: Iterable[Any]) -> str:
    """Return one line of CSV."""
    return ",".join(map(_cell, values)) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return points.cell(clean(value)) or '""'
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else points.cell(as_json(value))


def as_json(value: Any) -> str:
    """Return a value as JSON on one line."""
    return canonical.line(value).decode()


def clean(text: str) -> str:
    """Return a text that UTF-8 can hold: JSON can bring half of a surrogate pair."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def parquet(source: Source, context: Context, path: Path) -> int:
    """Write the table as a Parquet file, whole or not at all; returns the number of runs. Durations are seconds.

    Columns whose values differ in kind are text of JSON. Raises Unsupported where pyarrow is not
    installed, WriteFailed where the file cannot be written.
    """
    try:
        import pyarrow
        from pyarrow import parquet as format
    except ImportError as error:
        raise Unsupported("Parquet needs pyarrow", hint="pip install 'gitexp[parquet]'") from error
    found = columns(source(), context)
    schema = pyarrow.schema([(clean(column.title), _arrow(column)) for column in found])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as file, format.ParquetWriter(file, schema) as writer:
            count = 0
            for batch in _batches(source(), found, schema, context):
                writer.write_batch(batch)
                count += batch.num_rows
    except OSError as error:
        raise WriteFailed(f"cannot write {path}: {error.strerror or error}", hint=f"ls -ld {path.parent}") from error
    return count


def _batches(
    entries: Iterable[Entry], found: Sequence[Column], schema: pyarrow.Schema, context: Context
) -> Iterator[pyarrow.RecordBatch]:
    import pyarrow

    rows = iter(entries)
    while batch := list(islice(rows, _AT_ONCE)):
        values = [[_stored(column, entry, context) for entry in batch] for column in found]
        arrays = [pyarrow.array(column, kind) for column, kind in zip(values, schema.types, strict=True)]
        yield pyarrow.record_batch(arrays, schema=schema)


def _arrow(column: Column) -> pyarrow.DataType:
    import pyarrow

    kinds = {"flag": pyarrow.bool_(), "whole": pyarrow.int64(), "real": pyarrow.float64(), "seconds": pyarrow.float64()}
    kinds["time"] = pyarrow.timestamp("ms", tz="UTC")
    return kinds.get(column.type, pyarrow.string())


def _stored(column: Column, entry: Entry, context: Context) -> Any:
    value = column.value(entry, context.now_ms)
    if value is None or column.type in ("flag", "whole", "time"):
        return value
    if column.type in ("real", "seconds"):
        return float(value)
    return clean(value) if column.type == "text" else as_json(value)
