"""Values as people log them, turned into JSON's types and plain numbers."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime, time
from pathlib import PurePath
from typing import Any

MAX_DEPTH = 50
MAX_REPR = 1000  # characters kept of a value that only its repr can stand for
MAX_INT_DIGITS = 4300  # what Python itself converts between int and text


def number(value: Any) -> int | float:
    """Return a metric's value as int or float: bools count 1 and 0, one-element arrays and tensors give their element.

    Raises ValueError for all else: text, None, complex numbers, arrays of several elements.
    """
    kind = type(value)
    if kind is float or kind is int:
        return value if kind is float else _bounded(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return _bounded(int(value)) if isinstance(value, int) else float(value)
    item = getattr(value, "item", None)
    if callable(item):
        try:
            inner = item()
        except (RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f"an array of several numbers: {short_repr(value)}") from error
        if isinstance(inner, int | float):
            return number(inner)
    elif hasattr(value, "__float__") and not isinstance(value, str | bytes):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"not a number: {short_repr(value)}") from error
    raise ValueError(f"not a number: {short_repr(value)}")


def _bounded(value: int) -> int:
    if not _is_bounded(value):
        raise ValueError(f"an integer of {value.bit_length()} bits")
    return value


def _is_bounded(value: int) -> bool:
    return value.bit_length() <= 3 * MAX_INT_DIGITS


def step(value: Any) -> int:
    """Return a step as int; raises ValueError for what is no whole number."""
    if type(value) is int:
        return _bounded(value)
    found = number(value)
    if isinstance(found, float):
        if not found.is_integer():
            raise ValueError(f"a step is a whole number, not {found!r}")
        return int(found)
    return found


def time_ms(value: Any) -> int:
    """Return a time (seconds since the epoch, or a datetime; without a zone it is local time) in whole milliseconds."""
    seconds = value.timestamp() if isinstance(value, datetime) else number(value)
    if not abs(seconds) <= 1e11:  # not: > ; NaN is refused too
        raise ValueError(f"not a time in seconds: {value!r}")
    return round(seconds * 1000)


def plain(value: Any) -> tuple[Any, bool]:
    """Return a param's value as JSON can hold it, and whether that says all (False where a repr stands in)."""
    lost: list[Any] = []
    return _plain(value, (), lost), not lost


def _plain(value: Any, above: tuple[int, ...], lost: list[Any]) -> Any:
    """Return one value; `above` are the ids of the containers it lies in: one that holds itself would never end."""
    if value is None or isinstance(value, bool | str) or type(value) is float:
        return value
    if id(value) in above or len(above) >= MAX_DEPTH or (isinstance(value, int) and not _is_bounded(value)):
        lost.append(value)
        return short_repr(value)
    if isinstance(value, enum.Enum):
        return _plain(value.value, (*above, id(value)), lost)
    if isinstance(value, int | float):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return _plain_container(value, (*above, id(value)), lost)


def _plain_container(value: Any, above: tuple[int, ...], lost: list[Any]) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item, above, lost) for key, item in value.items()}
    if isinstance(value, Set):
        return sorted((_plain(item, above, lost) for item in value), key=repr)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(item, above, lost) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name), above, lost) for field in dataclasses.fields(value)}
    for method in ("tolist", "model_dump", "item"):  # numpy and torch; pydantic
        convert = getattr(value, method, None)
        if callable(convert) and not isinstance(value, type):
            try:
                inner = convert()
            except (RuntimeError, TypeError, ValueError):
                continue
            if type(inner) is not type(value):
                return _plain(inner, above, lost)
    if type(value).__name__ == "Namespace":  # argparse's; not worth its import
        return {key: _plain(item, above, lost) for key, item in vars(value).items()}
    lost.append(value)
    return short_repr(value)


def short_repr(value: Any) -> str:
    """Return repr(value), cut; a repr that raises gives the type's name."""
    try:
        text = repr(value)
    except Exception:  # a user's __repr__ may raise anything, and must not end the training
        text = f"<{type(value).__name__}>"
    return text if len(text) <= MAX_REPR else text[: MAX_REPR - 1] + "…"
