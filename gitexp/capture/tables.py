"""Tables in files, looked at without reading them whole: CSV, TSV, JSON lines, Parquet, NumPy arrays."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import IO, Any

from gitexp.capture.profile import Field, Sample, rows_for
from gitexp.record.dataset import MAX_COLUMNS

_HEAD_BYTES = 8 << 20  # of a text file that are looked at
_BLOCK_BYTES = 1 << 20
_MISSING = frozenset({"", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "<NA>", "#N/A"})
_BOOLS = {"true": True, "false": False}
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?")


class Unreadable(ValueError):
    """A file whose table cannot be read; its bytes have a hash all the same."""


def read(path: Path) -> Sample | None:
    """Return what a file's table holds, None where its name promises none; raises Unreadable, OSError."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    reader = _READERS.get((suffixes[:-1] if packed else suffixes)[-1] if len(suffixes) > packed else "")
    if reader is None or (packed and reader in (_parquet, _npy)):
        return None
    try:
        return reader(path)
    except (OSError, MemoryError, RecursionError):
        raise
    except (ValueError, TypeError, KeyError, IndexError, EOFError, zlib.error, csv.Error, ArithmeticError) as error:
        raise Unreadable(str(error).split("\n")[0][:200] or type(error).__name__) from error


def is_table(path: str) -> bool:
    """Say whether a file's name promises a table."""
    return path.lower().removesuffix(".gz").endswith(tuple(_READERS))


def _open(path: Path) -> gzip.GzipFile | IO[bytes]:
    return gzip.GzipFile(path) if path.suffix.lower() == ".gz" else open(path, "rb")


def _head(path: Path) -> tuple[bytes, bool]:
    """Return the first lines of a file, and whether they are all of it."""
    with _open(path) as file:
        data = file.read(_HEAD_BYTES)
        if len(data) < _HEAD_BYTES or not file.read(1):
            return data, True
    return data[: data.rfind(b"\n") + 1] or data, False


def _text(data: bytes) -> tuple[str, str]:
    """Return text and the name of its encoding: UTF-8, else what the byte order mark says, else Windows' western."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace"), "utf-16"
    try:
        return data.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), "cp1252"


def _csv(path: Path) -> Sample:
    return _separated(path, "")


def _tsv(path: Path) -> Sample:
    return _separated(path, "\t")


def _separated(path: Path, delimiter: str) -> Sample:
    data, whole = _head(path)
    text, encoding = _text(data)
    delimiter = delimiter or _delimiter(text)
    found = (record for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if record)
    first = next(found, [])
    limit = rows_for(len(first))
    records = list(islice(found, limit + 1))
    headed = not all(_is_number(cell) for cell in first) if first else False
    if not headed and first:
        records.insert(0, first)
        first = [str(at) for at in range(len(first))]
    if not whole and len(records) <= limit:
        records = records[:-1]  # the last one may be cut
    looked_at = min(len(records), limit)
    complete = whole and len(records) <= limit
    rows = looked_at if complete else None if encoding == "utf-16" else _count(path, quoted=True) - headed
    said: dict[str, Any] = {"encoding": encoding} if encoding else {}
    if ragged := sum(1 for record in records[:looked_at] if len(record) != len(first)):
        said["ragged"] = ragged
    return Sample(_columns(first, records[:looked_at]), rows, looked_at, "first", len(first), said)


def _delimiter(text: str) -> str:
    line = re.sub(r'"[^"]*"', "", text[:65536].split("\n", 1)[0])
    counts = {sign: line.count(sign) for sign in ",;\t|"}
    return max(counts, key=lambda sign: counts[sign])


def _columns(names: Sequence[str], records: Sequence[Sequence[str]]) -> list[Field]:
    found = []
    for at, name in enumerate(names[:MAX_COLUMNS]):
        cells = [record[at] if at < len(record) else "" for record in records]
        found.append(Field(name, *typed(cells)))
    return found


def typed(cells: Sequence[str]) -> tuple[str, list[Any]]:
    """Return the type of a column of text, and its values; None for those that are missing."""
    texts = [None if cell.strip() in _MISSING else cell for cell in cells]
    present = [cell for cell in texts if cell is not None]
    if not present:
        return "empty", [None] * len(texts)
    convert: tuple[tuple[str, Callable[[str], Any]], ...] = (("int", _int), ("float", _float), ("bool", _bool))
    for dtype, function in convert:
        try:
            values = iter([function(cell) for cell in present])
        except (ValueError, KeyError):
            continue
        return dtype, [None if cell is None else next(values) for cell in texts]
    dated = all(_DATE.fullmatch(cell.strip()) for cell in present)
    return "date" if dated else "text", texts


def _int(cell: str) -> int:
    if "_" in cell or len(cell) > 4000:
        raise ValueError(cell)
    return int(cell)


def _float(cell: str) -> float:
    if "_" in cell:
        raise ValueError(cell)
    return float(cell)


def _bool(cell: str) -> bool:
    return _BOOLS[cell.strip().lower()]


def _is_number(cell: str) -> bool:
    try:
        _float(cell)
    except ValueError:
        return False
    return True


def _count(path: Path, *, quoted: bool) -> int:
    """Return how many lines with anything on them a file has; with `quoted`, line ends between quotes are none."""
    import numpy

    total, open_quotes, blank = 0, 0, True
    for block in _blocks(path):
        signs = numpy.frombuffer(block, dtype=numpy.uint8)
        ends = signs == 10
        if quoted and (open_quotes or b'"' in block):
            inside = (numpy.cumsum(signs == 34) + open_quotes) & 1
            open_quotes = int(inside[-1])
            ends &= inside == 0
        places = numpy.flatnonzero(ends)
        starts = numpy.concatenate(([-1], places[:-1])) if len(places) else places
        full = int(numpy.count_nonzero(places - starts > 1))
        if len(places) and places[0] == 0 and not blank:
            full += 1  # what began in the block before ends here
        total += full
        blank = len(places) > 0 and int(places[-1]) == len(signs) - 1
    return total + (not blank)


def _blocks(path: Path) -> Iterator[bytes]:
    with _open(path) as file:
        while block := file.read(_BLOCK_BYTES):
            if stripped := block.replace(b"\r", b""):
                yield stripped


def _jsonl(path: Path) -> Sample:
    data, whole = _head(path)
    lines = [line for line in data.split(b"\n") if line.strip()]
    records, bad = [], 0
    for line in islice(lines, rows_for(1)):
        try:
            records.append(json.loads(line))
        except (ValueError, RecursionError):
            bad += 1
    columns = list(dict.fromkeys(key for record in records if isinstance(record, dict) for key in record))
    if any(not isinstance(record, dict) for record in records):
        columns = ["value"]
        records = [{"value": record} for record in records]
    limit = rows_for(len(columns))
    looked_at = min(len(records) + bad, limit)
    rows = len(lines) if whole else _count(path, quoted=False)
    fields = [Field(name, *_of_json([item.get(name) for item in records[:limit]])) for name in columns[:MAX_COLUMNS]]
    return Sample(fields, rows, looked_at, "first", len(columns), {"bad": bad} if bad else {})


def _of_json(values: list[Any]) -> tuple[str, list[Any]]:
    kinds = {_KINDS.get(type(value), "object") for value in values if value is not None}
    if kinds == {"int", "float"}:
        kinds = {"float"}
    return (kinds.pop() if len(kinds) == 1 else "mixed" if kinds else "empty"), values


_KINDS = {bool: "bool", int: "int", float: "float", str: "text", list: "list", dict: "object"}


def _parquet(path: Path) -> Sample:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise Unreadable("Parquet is read where pyarrow is: pip install 'gitexp[parquet]'") from None
    try:
        with closing(parquet.ParquetFile(path)) as file:
            return _of_parquet(file)
    except pyarrow.ArrowException as error:
        raise Unreadable(str(error).split("\n")[0][:200]) from error


def _of_parquet(file: Any) -> Sample:
    schema, rows = file.schema_arrow, int(file.metadata.num_rows)
    limit, missing = rows_for(len(schema.names)), _nulls(file.metadata)
    batch = next(file.iter_batches(batch_size=limit), None) if rows else None
    fields = []
    for at, (name, dtype) in enumerate(zip(schema.names, schema.types, strict=True)):
        if at >= MAX_COLUMNS:
            break
        values = [] if batch is None else batch.column(at).to_pylist()
        fields.append(Field(name, str(dtype), values, missing.get(name)))
    return Sample(fields, rows, 0 if batch is None else batch.num_rows, "first", len(schema.names))


def _nulls(metadata: Any) -> dict[str, int]:
    """Return {column: missing values} as the row groups' statistics tell, for columns of which all do."""
    found: dict[str, int] = {}
    unknown: set[str] = set()
    for group in (metadata.row_group(at) for at in range(min(metadata.num_row_groups, 1000))):
        for column in (group.column(at) for at in range(group.num_columns)):
            told = column.statistics
            if told is None or not told.has_null_count:
                unknown.add(column.path_in_schema)
            else:
                found[column.path_in_schema] = found.get(column.path_in_schema, 0) + int(told.null_count)
    whole = metadata.num_row_groups <= 1000
    return {name: count for name, count in found.items() if whole and name not in unknown}


def _npy(path: Path) -> Sample:
    import numpy

    return of_array(numpy.load(path, mmap_mode="r", allow_pickle=False))


def of_array(array: Any) -> Sample:
    """Return what a NumPy array holds: one column of all its values, the rows being those of its first axis."""
    import numpy

    rows = int(array.shape[0]) if array.ndim else 1
    each = math.prod(array.shape[1:]) if array.ndim else 1
    places = spread(rows, max(1, rows_for(1) // max(each, 1)))
    flat = numpy.asarray(array[places] if array.ndim else array).reshape(-1)[: rows_for(1) * 20]
    shape = ", ".join(str(length) for length in array.shape[1:])
    looked_at = len(places) if array.ndim else 1
    values = flat.tolist() if flat.dtype.kind in "biuf" else []
    item = Field("values", f"{array.dtype.name}[{shape}]" if shape else array.dtype.name, values)
    return Sample([item], rows, looked_at, "spread", 1, {"shape": [int(length) for length in array.shape]})


def spread(rows: int, wanted: int) -> list[int]:
    """Return so many places, spread over so many rows; all where they are few."""
    return list(range(rows)) if rows <= wanted else [at * rows // wanted for at in range(wanted)]


_READERS: dict[str, Callable[[Path], Sample]] = {
    ".csv": _csv, ".tsv": _tsv, ".jsonl": _jsonl, ".ndjson": _jsonl, ".parquet": _parquet, ".npy": _npy,
}  # fmt: skip
