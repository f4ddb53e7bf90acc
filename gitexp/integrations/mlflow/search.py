"""search_runs: MLflow's own parser reads the filter, the index answers it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlflow.entities import LifecycleStage, Metric, RunInputs, RunOutputs
from mlflow.entities import Run as Entity
from mlflow.utils.search_utils import SearchUtils

from gitexp.index import database, schema, values
from gitexp.index import sql as sqls
from gitexp.index.catalogue import METRIC, PARAM
from gitexp.index.database import Index
from gitexp.index.sql import Sql
from gitexp.integrations.mlflow import compare, filters, hold, shown, table
from gitexp.integrations.mlflow.experiments import Known, Register
from gitexp.store.workspace import Workspace

_FIELDS = (
    "id", "path", "name", "status", "start_ms", "end_ms", "removed", "title", "author", "description", "parent",
    "code_commit", "command",
)  # fmt: skip
_CHUNK = 500
_WIDTH = 900


class Search:
    """The part of the store that finds runs."""

    workspace: Workspace
    register: Register

    if TYPE_CHECKING:

        def _artifact_uri(self, run_id: str, known: Known) -> str: ...

        def _inputs_outputs(self, run_ids: Sequence[str]) -> dict[str, tuple[RunInputs, RunOutputs]]: ...

    def _search_runs(
        self,
        experiment_ids: Sequence[str],
        filter_string: str | None,
        run_view_type: int,
        max_results: int | None,
        order_by: Sequence[str] | None,
        page_token: str | None,
    ) -> tuple[list[Entity], Any]:
        compare.check_max_results(max_results, none=True)
        hold.commit_all_late(self.workspace)
        stages = LifecycleStage.view_type_to_stages(run_view_type)
        parsed = SearchUtils.parse_search_filter(filter_string)
        index = database.of(self.workspace)
        known = [self.register.get(str(key)) for key in experiment_ids]
        paths = {item.path: item for item in known if item is not None}
        by = filters.order(index, order_by, paths)
        where = [filters.of(index, item, paths) for item in parsed]
        where += [_inside(paths), _staged(stages), _NO_HOLDER]
        offset = SearchUtils.parse_start_offset_from_page_token(page_token)
        limit = -1 if max_results is None else max_results + 1
        found = told(index, sqls.both(where), by, limit, offset)
        token = None
        if max_results is not None and len(found) > max_results:
            token, found = SearchUtils.create_page_token(offset + max_results), found[:max_results]
        return self._entities(found, paths), token

    def _entities(self, found: Sequence[shown.Told], paths: Mapping[str, Known]) -> list[Entity]:
        both = self._inputs_outputs([item.id for item in found]) if found else {}
        return [
            shown.entity(item, paths[item.path].id, self._artifact_uri(item.id, paths[item.path]), *both[item.id])
            for item in found
        ]


_NO_HOLDER = Sql("NOT EXISTS (SELECT 1 FROM tag WHERE tag.name = ? AND tag.run = run.key)", (table.HOLDER,))


def _inside(paths: Collection[str]) -> Sql:
    return Sql(f"run.path IN ({', '.join('?' * len(paths))})", tuple(paths))


def _staged(stages: Collection[str]) -> Sql:
    wanted = [str(int(stage == LifecycleStage.DELETED)) for stage in stages]
    return Sql(f"run.removed IN ({', '.join(wanted)})")


def told(index: Index, where: Sql, by: Sql | None = None, limit: int = -1, offset: int = 0) -> list[shown.Told]:
    """Return the runs that a condition is true of, in order."""
    order = by or Sql("run.start_ms DESC, run.id")
    rows = index.rows(
        f"SELECT run.key FROM run WHERE {where.text} ORDER BY {order.text} LIMIT ? OFFSET ?",
        (*where.parameters, *order.parameters, limit, offset),
    )
    keys = [key for (key,) in rows]
    return [item for at in range(0, len(keys), _CHUNK) for item in _load(index, keys[at : at + _CHUNK])]


def _load(index: Index, keys: Sequence[int]) -> Iterable[shown.Told]:
    marks = ", ".join("?" * len(keys))
    found: dict[int, shown.Told] = {}
    query = f"SELECT key, steps, {', '.join(_FIELDS)} FROM run WHERE key IN ({marks})"
    steps: dict[int, dict[str, int]] = {}
    for key, last_steps, *fields in index.rows(query, keys):
        item = found[key] = shown.Told(*fields)
        item.removed = bool(item.removed)
        item.end_ms = None if item.status == "running" else item.end_ms
        steps[key] = json.loads(last_steps) if last_steps else {}
    for key, name, value in index.rows(f"SELECT run, name, value FROM tag WHERE run IN ({marks})", keys):
        if key in found:
            found[key].tags[name] = value
    _values(index, keys, marks, found, steps)
    return [found[key] for key in keys if key in found]


def _values(
    index: Index, keys: Sequence[int], marks: str, found: Mapping[int, shown.Told], steps: Mapping[int, dict[str, int]]
) -> None:
    """Add params and metrics: those in columns, then those beyond them."""
    over: dict[int, tuple[str, str]] = {}
    wide: list[tuple[int, str, str]] = []
    for (kind, name, aggregate), number in index.catalogue.singles.items():
        if kind == PARAM and not aggregate:
            wide.append((number, kind, shown.key_of(name)))
    wide += [(number, METRIC, name) for name, number in index.catalogue.metrics.items()]
    over = {number: (kind, name) for number, kind, name in wide if number > schema.COLUMN_CAP}
    wide = [item for item in wide if item[0] <= schema.COLUMN_CAP]
    for at in range(0, len(wide), _WIDTH):
        part = wide[at : at + _WIDTH]
        columns = ", ".join(f"c{number}" for number, _, _ in part)
        for key, *row in index.rows(f"SELECT key, {columns} FROM run WHERE key IN ({marks})", keys):
            for (_, kind, name), value in zip(part, row, strict=True):
                if value is not None and key in found:
                    _take(found[key], steps[key], kind, name, value)
    if over:
        query = f"SELECT run, number, value FROM overflow WHERE run IN ({marks})"
        for key, number, value in index.rows(query, keys):
            if number in over and key in found:
                _take(found[key], steps[key], *over[number], value)


def _take(item: shown.Told, steps: Mapping[str, int], kind: str, name: str, value: Any) -> None:
    if kind == PARAM:
        item.params[name] = value if type(value) is str else shown.text(value)
        return
    time_ms = item.end_ms or item.start_ms
    number = value if type(value) is float else float(values.decode(value))
    item.metrics.append(Metric(name, number, time_ms, steps.get(name, 0)))
