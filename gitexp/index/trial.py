"""Conditions on params that are in no run yet, asked of a table of one row: they mean what they mean of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from gitexp.index import compile as compiling
from gitexp.index import database, rows, schema, tables
from gitexp.index.compile import Context
from gitexp.index.rows import Said
from gitexp.query import nodes
from gitexp.store.workspace import Workspace


def holds(
    workspace: Workspace, params: Mapping[str, Any], conditions: Sequence[nodes.Node], context: Context
) -> list[bool]:
    """Say of each condition whether it is true of nested params; raises BadQuery for one that cannot be meant."""
    index = database.in_memory(workspace)
    with closing(index.connection):
        schema.create(index.connection)
        nothing = Said({}, {}, {}, {}, [])
        tables.insert(index.connection, index.catalogue, [(1, rows.of_params(params), nothing)], lambda _: None)
        parts = [compiling.value(node, index.catalogue, context) for node in conditions]
        asked = ", ".join(part.text for part in parts)
        found = index.rows(f"SELECT {asked} FROM run", [item for part in parts for item in part.parameters])
    return [bool(value) for value in found[0]]
