"""The schema of examples of what a model takes and gives, in the form that MLflow writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitexp.errors import UsageError
from gitexp.record import values

MAX_COLUMNS = 2000
_KINDS = {"b": "boolean", "f": "double", "M": "datetime", "S": "binary", "U": "string", "O": "string", "T": "string"}
_NARROW = {"float32": "float", "float16": "float", "int32": "integer", "int16": "integer", "int8": "integer",
           "uint8": "integer", "uint16": "integer"}  # fmt: skip


def of(example: Any) -> list[dict[str, Any]]:
    """Return the columns of a table, the tensors of a mapping, or the one tensor of an array."""
    if hasattr(example, "dtypes") and hasattr(example, "columns"):
        return _columns([(str(name), dtype) for name, dtype in zip(example.columns, example.dtypes, strict=True)])
    if hasattr(example, "dtype") and hasattr(example, "index") and hasattr(example, "name"):
        return _columns([(str(example.name or ""), example.dtype)])
    if isinstance(example, Mapping):
        return [{"name": str(name), **_tensor(value)} for name, value in example.items()]
    return [_tensor(example)]


def _columns(found: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    if len(found) > MAX_COLUMNS:
        raise UsageError(f"a table of {len(found):,} columns: at most {MAX_COLUMNS:,}", hint="give it as an array")
    return [{"name": name, "type": _type(dtype)} if name else {"type": _type(dtype)} for name, dtype in found]


def _type(dtype: Any) -> str:
    """Return MLflow's word for a type of a column; extension types go by the name of what they hold."""
    name = str(dtype).lower().partition("[")[0]
    if name in _NARROW:
        return _NARROW[name]
    kind = getattr(dtype, "kind", "O")
    return "long" if kind in "iu" else _KINDS.get(kind, "string")


def _tensor(value: Any) -> dict[str, Any]:
    """Return the type and shape of an array or a tensor of any library."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None or dtype is None:
        raise UsageError(
            f"{values.short_repr(value)[:80]} has no schema", hint="a DataFrame, an array, or a mapping of arrays"
        )
    sizes = [-1, *(int(size) for size in tuple(shape)[1:])]
    return {"type": "tensor", "tensor-spec": {"dtype": str(dtype).rpartition(".")[2], "shape": sizes}}
