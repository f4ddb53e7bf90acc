"""Tables in memory: pandas, polars, Arrow (and what gives itself as Arrow) as one interface; NumPy's arrays.

Each library is used only where an object of it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gitexp import canonical
from gitexp.capture import tables
from gitexp.capture.profile import Field, Sample, rows_for
from gitexp.record import values

_MODULES = ("pandas", "polars", "pyarrow", "numpy")
_CLASSES = ("DataFrame", "Series", "LazyFrame", "Table", "RecordBatch", "ndarray")


@dataclass(frozen=True, slots=True)
class Frame:
    """A table in memory, its index (of pandas, where it has one that says anything) as the first columns."""

    kind: str
    rows: int
    columns: list[Column]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `word` is the kind of its values (WORDS), `block(a, b)` a pandas Series of these rows."""

    name: str
    dtype: str
    word: str
    block: Callable[[int, int], Any]
    at: Callable[[list[int]], list[Any]]
    missing: Callable[[], int]
    index: bool = False


def kind(value: Any) -> str:
    """Return the library whose table a value is, "" where it is none."""
    for above in type(value).__mro__:
        module = above.__module__.partition(".")[0]
        if module in _MODULES and above.__name__ in _CLASSES:
            return "array" if above.__name__ == "ndarray" else module
    return "pyarrow" if hasattr(value, "__arrow_c_stream__") else ""


def take(value: Any) -> Any:
    """Return a table that stays as it is now whatever the caller does to its own; raises ValueError for a lazy one."""
    found = kind(value)
    if type(value).__name__ == "LazyFrame":
        raise ValueError("a lazy frame has no content yet: .collect() it")
    if found == "pandas":
        import pandas

        framed = value.to_frame() if type(value).__name__ == "Series" else value
        return framed.copy(deep=int(pandas.__version__.split(".")[0]) < 3)  # later ones copy when written to
    if found == "array":
        return value.copy()
    if found == "polars":
        return value.to_frame() if type(value).__name__ == "Series" else value.clone()
    return _arrow(value)


def _arrow(value: Any) -> Any:
    import pyarrow

    return value if isinstance(value, pyarrow.Table) else pyarrow.table(value)


def frame(value: Any) -> Frame:
    """Return a table that was taken as one interface."""
    found = kind(value)
    if found == "pandas":
        return Frame(found, len(value), list(_pandas(value)))
    rows = int(value.height if found == "polars" else value.num_rows)
    names = list(value.columns if found == "polars" else value.column_names)
    read = _polars if found == "polars" else _pyarrow
    return Frame(found, rows, [read(value, at, str(name)) for at, name in enumerate(names)])


def _pandas(value: Any) -> Iterator[Column]:
    import pandas

    if not value.index.equals(pandas.RangeIndex(len(value))):
        for level in range(value.index.nlevels):
            series = pandas.Series(value.index.get_level_values(level))
            yield _series(series, _label(value.index.names[level]), index=True)
    for at, name in enumerate(value.columns):
        yield _series(value.iloc[:, at], _label(name))


def _series(series: Any, name: str, *, index: bool = False) -> Column:
    import pandas

    if isinstance(series.dtype, pandas.CategoricalDtype):
        plain = series.astype(series.cat.categories.dtype if not series.hasnans else object)
        dtype = "category"
    else:
        plain, dtype = series, str(series.dtype)
    plain = _settled(plain)
    return Column(
        name,
        dtype,
        _word(plain),
        lambda a, b: plain.iloc[a:b],
        lambda places: _listed(plain.iloc[places]),
        lambda: int(plain.isna().sum()),
        index,
    )


def _settled(series: Any) -> Any:
    """Return a column of objects as the type that all its values have."""
    from pandas.api import types

    if series.dtype != object:
        return series
    wanted = {"integer": "Int64", "boolean": "boolean", "floating": "float64", "mixed-integer-float": "float64"}
    found = types.infer_dtype(series, skipna=True)
    try:
        return series.astype(wanted[found]) if found in wanted else series
    except (TypeError, ValueError, OverflowError):
        return series


def _polars(value: Any, at: int, name: str) -> Column:
    series = value.to_series(at)
    dtype = str(series.dtype)
    wanted = _wanted(dtype)
    return Column(
        name,
        dtype,
        _WORDS[wanted],
        lambda a, b: _of_list(series[a:b].to_list(), wanted),
        lambda places: series.gather(places).to_list(),
        lambda: int(series.null_count()) + (int(series.is_nan().sum()) if dtype.startswith("Float") else 0),
    )


def _pyarrow(value: Any, at: int, name: str) -> Column:
    import pyarrow

    chunks = value.column(at)
    inner = chunks.type.value_type if pyarrow.types.is_dictionary(chunks.type) else chunks.type
    wanted = _wanted(str(inner))
    return Column(
        name,
        str(chunks.type),
        _WORDS[wanted],
        lambda a, b: _of_list(chunks.slice(a, b - a).to_pylist(), wanted),
        lambda places: chunks.take(places).to_pylist(),
        lambda: int(chunks.null_count),
    )


def _wanted(dtype: str) -> str:
    """Return pandas' type for the values of another library's column."""
    lowered = dtype.lower()
    if lowered.startswith(("int", "uint")):
        return "UInt64" if lowered == "uint64" else "Int64"
    if lowered.startswith("bool"):
        return "boolean"
    if lowered.startswith(("float", "double", "halffloat")):
        return "float64"
    if lowered.startswith(("datetime", "timestamp")):
        zoned = "tz=" in lowered or ("time_zone=" in lowered and "time_zone=none" not in lowered)
        return "datetime64[ns, UTC]" if zoned else "datetime64[ns]"
    if lowered.startswith("duration"):
        return "timedelta64[ns]"
    if lowered.startswith(("str", "utf8", "large_str", "categorical", "enum", "null")):
        return "str"
    return "bytes" if "binary" in lowered else "object"


WORDS = ("bool", "int", "uint", "float", "time", "utc", "duration", "text", "bytes", "object")
_WORDS = {
    "UInt64": "uint", "Int64": "int", "boolean": "bool", "float64": "float", "datetime64[ns, UTC]": "utc",
    "datetime64[ns]": "time", "timedelta64[ns]": "duration", "str": "text", "bytes": "bytes", "object": "object",
}  # fmt: skip


def _word(series: Any) -> str:
    """Return what kind of values a column of pandas has."""
    from pandas.api import types

    dtype = series.dtype
    if types.is_bool_dtype(dtype):
        return "bool"
    if types.is_integer_dtype(dtype):
        return "uint" if str(dtype).lower().startswith("uint64") else "int"
    if types.is_float_dtype(dtype):
        return "float"
    if types.is_datetime64_any_dtype(dtype):
        return "utc" if getattr(dtype, "tz", None) is not None else "time"
    if types.is_timedelta64_dtype(dtype):
        return "duration"
    found = types.infer_dtype(series, skipna=True)
    return {"string": "text", "empty": "text", "bytes": "bytes"}.get(found, "object")


def _of_list(found: list[Any], wanted: str) -> Any:
    import pandas

    if wanted == "float64":
        found = [float("nan") if value is None else value for value in found]
    if "UTC" in wanted:
        return pandas.Series(pandas.to_datetime(pandas.Series(found, dtype=object), utc=True))
    return pandas.Series(found, dtype=object if wanted in ("str", "bytes") else wanted)


def _listed(series: Any) -> list[Any]:
    return [None if missing else value for value, missing in zip(series.tolist(), series.isna(), strict=True)]


def _label(name: Any) -> str:
    if isinstance(name, str) or name is None:
        return name or ""
    return canonical.line(values.plain(name)[0]).decode()


def sample(found: Frame) -> Sample:
    """Return rows of a table, spread over it where it is large; missing values are counted in all of it."""
    columns = [column for column in found.columns if not column.index]
    places = tables.spread(found.rows, rows_for(len(columns)))
    fields = [Field(item.name, item.dtype, item.at(places), item.missing()) for item in columns]
    return Sample(fields, found.rows, len(places), "spread", len(columns))


def suffix(value: Any) -> str:
    """Return how the file is called into which `write` puts a table: Parquet where it can be had, else CSV."""
    if kind(value) == "array":
        return ".npy"
    return ".parquet" if kind(value) == "polars" or find_spec("pyarrow") else ".csv"


def write(value: Any, path: Path) -> None:
    """Write a table that was taken into a new file; raises ValueError for what its form cannot hold."""
    found = kind(value)
    with open(path, "xb") as file:
        if found == "array":
            import numpy

            numpy.save(file, value, allow_pickle=False)
        elif found == "polars":
            value.write_parquet(file)
        elif found == "pyarrow":
            from pyarrow import parquet

            parquet.write_table(value, file)
        elif path.suffix == ".parquet":
            named = value if all(isinstance(name, str) for name in value.columns) else value.rename(columns=_label)
            named.to_parquet(file, index=None)
        else:
            value.to_csv(file, index=False)
