"""The hash of a table or array in memory: of its content alone (docs/format.md, "Datasets").

Not of how values lie in memory, how wide their type is, or which library holds them.
"""

from __future__ import annotations

import hashlib
from typing import Any

from gitexp import canonical
from gitexp.capture.frames import Column, Frame
from gitexp.record import values

_BLOCK_ROWS = 65_536
_NUMBERS = {"bool": "u1", "int": "<i8", "uint": "<u8", "float": "<f8", "time": "<i8", "utc": "<i8", "duration": "<i8"}


class Unhashable(ValueError):
    """A column with objects whose content cannot be told."""


def of_frame(found: Frame) -> str:
    """Return the sha256 of a table's content; raises Unhashable."""
    whole = hashlib.sha256(b"gitexp frame\0%d\0" % found.rows)
    for column in found.columns:
        whole.update(_column(column, found.rows))
    return whole.hexdigest()


def _column(column: Column, rows: int) -> bytes:
    missing, lengths, data = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    for at in range(0, rows, _BLOCK_ROWS):
        absent, sizes, encoded = _encoded(column, column.block(at, min(at + _BLOCK_ROWS, rows)))
        missing.update(absent)
        lengths.update(sizes)
        data.update(encoded)
    head, name = b"index" if column.index else b"column", column.name.encode("utf-8", "surrogatepass")
    said = b"%b\0%b\0%b\0" % (head, name, column.word.encode())
    return hashlib.sha256(said + missing.digest() + lengths.digest() + data.digest()).digest()


def _encoded(column: Column, block: Any) -> tuple[bytes, bytes, bytes]:
    """Return which values are missing, a byte each, the lengths of texts, and the values, 0 or empty where missing."""
    import numpy

    if column.word in _NUMBERS:
        found, absent = _numbers(column, block)
        found[absent] = 0
        return absent.astype("u1").tobytes(), b"", found.astype(_NUMBERS[column.word]).tobytes()
    absent = block.isna().to_numpy(dtype=bool)
    texts = [b"" if gone else _told(value, column) for value, gone in zip(block, absent, strict=True)]
    sizes = numpy.fromiter(map(len, texts), dtype="<u8", count=len(texts))
    return absent.astype("u1").tobytes(), sizes.tobytes(), b"".join(texts)


def _numbers(column: Column, block: Any) -> tuple[Any, Any]:
    """Return the values of a block as numbers of one width, and which of them are missing."""
    import numpy

    if column.word == "float":
        found = block.to_numpy(dtype="float64", na_value=numpy.nan, copy=True)
        return found, numpy.isnan(found)
    absent = block.isna().to_numpy(dtype=bool)
    if column.word in ("time", "utc", "duration"):
        kind = "timedelta64[ns]" if column.word == "duration" else "datetime64[ns]"
        try:
            local = block.dt.tz_convert("UTC").dt.tz_localize(None) if column.word == "utc" else block
            return local.astype(kind).to_numpy(copy=True).astype("int64"), absent  # NumPy's own astype would wrap
        except (ValueError, OverflowError) as error:
            raise Unhashable(f"column {column.name!r} has times beyond the years 1678 to 2261") from error
    dtype = {"bool": "uint8", "int": "int64", "uint": "uint64"}[column.word]
    filled = block.fillna(False if column.word == "bool" else 0) if absent.any() else block
    return filled.to_numpy(dtype=dtype, copy=True), absent


def _told(value: Any, column: Column) -> bytes:
    """Return the bytes of a text, of bytes, or of the JSON of anything else."""
    if column.word == "text":
        return str(value).encode("utf-8", "surrogatepass")
    if column.word == "bytes":
        return bytes(value)
    plain, exact = values.plain(value)
    if not exact:
        said = type(value).__name__
        raise Unhashable(f"column {column.name!r} holds values of type {said}, whose content cannot be told")
    return canonical.line(plain)


def of_array(array: Any) -> str:
    """Return the sha256 of an array's content: its kind of numbers, its shape, the values in C order; or Unhashable."""
    word = {"b": "bool", "i": "int", "u": "uint", "f": "float"}.get(array.dtype.kind)
    if word is None or array.dtype.itemsize > 8:
        raise Unhashable(f"an array of {array.dtype} has no hash of its content")
    shape = ",".join(str(length) for length in array.shape)
    found = hashlib.sha256(f"gitexp array\0{word}\0{shape}\0".encode())
    flat = array.reshape(-1)
    for at in range(0, flat.size, 1 << 20):
        found.update(flat[at : at + (1 << 20)].astype(_NUMBERS[word]).tobytes())
    return found.hexdigest()
