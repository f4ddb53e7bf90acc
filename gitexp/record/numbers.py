"""Numbers as records hold them: floats, NaN and the infinities too, and integers of any size."""

from __future__ import annotations

import math
from typing import Any, TypeGuard


def is_number(value: Any) -> TypeGuard[int | float]:
    """Say whether a value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_nan(value: int | float) -> bool:
    """Say whether a value is NaN; unlike math.isnan this takes integers of any size."""
    return value != value


def float_of(value: int | float) -> float:
    """Return a number as float; an integer beyond all floats is an infinity."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
