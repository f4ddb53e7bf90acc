"""The time, in one place."""

from __future__ import annotations

import os
import time

from gitexp import canonical


def now_ms() -> int:
    """Return the milliseconds since the epoch; the variable GITEXP_NOW (ISO 8601) stands in for the clock."""
    fixed = os.environ.get("GITEXP_NOW")
    return canonical.from_iso(fixed) if fixed else time.time_ns() // 1_000_000
