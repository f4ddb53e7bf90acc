"""What the index keeps about itself, by name, as JSON."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from gitexp.index.stamps import Stamps


def get(connection: sqlite3.Connection, name: str, default: Any) -> Any:
    """Return what is kept under a name."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return default if row is None else json.loads(row[0])


def put(connection: sqlite3.Connection, name: str, value: Any) -> None:
    """Keep a value under a name."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))


def stamps(connection: sqlite3.Connection) -> Stamps | None:
    """Return the stamps of the last complete refresh, None before the first."""
    found = get(connection, "stamps", None)
    return None if found is None else Stamps(**found)
