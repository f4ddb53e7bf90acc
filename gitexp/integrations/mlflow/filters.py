"""MLflow's comparisons of runs as SQL over the index; what each means is what MLflow's own SQL store makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import (
    MLFLOW_GIT_COMMIT,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NAME,
    MLFLOW_SOURCE_NAME,
    MLFLOW_USER,
)
from mlflow.utils.search_utils import SearchUtils

from gitexp.index import sql as sqls
from gitexp.index.catalogue import METRIC, PARAM
from gitexp.index.database import Index
from gitexp.index.sql import Sql
from gitexp.integrations.mlflow import failures, shown
from gitexp.integrations.mlflow.experiments import Known
from gitexp.record import params as nested

_TAG = "(SELECT value FROM tag WHERE tag.run = run.key AND tag.name = ?)"
_OWN = f"CASE WHEN {_TAG} IS NULL THEN {{field}} END"  # of runs that gitexp recorded: they have no run name of MLflow's
_INSTEAD = {MLFLOW_USER: "run.author", MLFLOW_SOURCE_NAME: "run.command", MLFLOW_GIT_COMMIT: "run.code_commit"}
_STATUS = "CASE run.status WHEN 'completed' THEN 'FINISHED' ELSE UPPER(run.status) END"
_NUMBER = "typeof({0}) IN ('integer', 'real')"


def of(index: Index, item: Mapping[str, Any], paths: Mapping[str, Known]) -> Sql:
    """Return the condition that one comparison of a parsed filter means; raises INVALID_PARAMETER_VALUE."""
    kind, value, word = item["type"], item["value"], item["comparator"].upper()
    key = SearchUtils.translate_key_alias(item["key"])
    if SearchUtils.is_string_attribute(kind, key, word) or SearchUtils.is_numeric_attribute(kind, key, word):
        return _compared(_attribute(key, paths), word, value)
    if SearchUtils.is_metric(kind, word):
        return _metric(index, key, word, float(value))
    if SearchUtils.is_param(kind, word):
        return _compared(_param(index, key), word, value)
    if SearchUtils.is_tag(kind, word):
        return _compared(_tag(key), word, value)
    if SearchUtils.is_dataset(kind, word):
        return _dataset(key, word, value)
    raise failures.bad(f"Invalid search expression type '{kind}'")


def _compared(left: Sql, word: str, value: Any) -> Sql:
    """Compare a text or a number; what is missing is unlike all."""
    if word in ("IS NULL", "IS NOT NULL"):
        return sqls.form(f"{{0}} {word}", left)
    if word == "LIKE":
        return sqls.form("{0} GLOB {1}", left, sqls.bind(_glob(str(value))))
    if word == "ILIKE":
        return sqls.form("{0} LIKE {1}", left, sqls.bind(str(value)))
    if word in ("IN", "NOT IN"):
        return sqls.form(f"{{0}} {word} ({{1}})", left, sqls.listing(sqls.bind(each) for each in value))
    return sqls.form(f"{{0}} {word} {{1}}", left, sqls.bind(value))


def _glob(pattern: str) -> str:
    """Return a pattern of LIKE as one of GLOB, which alone heeds capitals in SQLite."""
    marks = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    return "".join(marks.get(character, character) for character in pattern)


def _attribute(key: str, paths: Mapping[str, Known]) -> Sql:
    if key == "run_name":
        return _tag(MLFLOW_RUN_NAME)
    if key == "user_id":
        return _tag(MLFLOW_USER)
    if key == "artifact_uri":
        return _artifact_uri(paths)
    return {
        "run_id": Sql("run.id"),
        "status": Sql(_STATUS),
        "start_time": Sql("run.start_ms"),
        "end_time": Sql("CASE WHEN run.live THEN NULL ELSE run.end_ms END"),
    }[key]


def _artifact_uri(paths: Mapping[str, Known]) -> Sql:
    """Return the addresses' part that differs between runs: where all are in one place that is enough for an order."""
    return Sql("run.path || '/' || run.id")


def _tag(key: str) -> Sql:
    """Return a tag as MLflow shows it: what gitexp keeps elsewhere has MLflow's name here."""
    tag = Sql(_TAG, (key,))
    if key == MLFLOW_RUN_NAME:
        return sqls.form("COALESCE(run.title, {0}, run.name)", tag)
    if key == shown.NOTE:
        return sqls.form("COALESCE(run.description, {0})", tag)
    if key == MLFLOW_PARENT_RUN_ID:
        return sqls.form("COALESCE({0}, run.parent)", tag)
    if key in _INSTEAD:
        own = Sql(_OWN.format(field=_INSTEAD[key]), (MLFLOW_RUN_NAME,))
        return sqls.form("COALESCE({0}, {1})", tag, own)
    return tag


def _param(index: Index, key: str) -> Sql:
    """Return a param as a text; a key with dots may be a path of gitexp's, or one key."""
    names = dict.fromkeys((nested.escape(key), key))
    columns = [column for name in names if (column := index.catalogue.column(PARAM, name))]
    if not columns:
        return sqls.NOTHING
    return Sql(f"gitexp_written(COALESCE({', '.join([*columns, 'NULL'])}))")


def _metric(index: Index, key: str, word: str, value: float) -> Sql:
    column = index.catalogue.column(METRIC, key)
    if column is None:
        return sqls.FALSE
    left = Sql(column)
    if word == "!=":  # NaN is unlike all numbers
        return sqls.form("({0} IS NOT NULL AND {0} != {1})", left, sqls.bind(value))
    return sqls.form(f"({_NUMBER} AND {{0}} {word} {{1}})", left, sqls.bind(value))


def _dataset(key: str, word: str, value: Any) -> Sql:
    path = {"name": "$.name", "digest": "$.digest", "context": '$.tags."mlflow.data.context"'}[key]
    inner = _compared(Sql("json_extract(logged_model.body, ?)", (path,)), word, value)
    template = (
        "EXISTS (SELECT 1 FROM logged_model WHERE logged_model.run = run.key AND logged_model.kind = 'dataset' AND {0})"
    )
    return sqls.form(template, inner)


def order(index: Index, order_by: Sequence[str] | None, paths: Mapping[str, Known]) -> Sql:
    """Return what to sort by: what is asked for, then the newest start, then the id."""
    parts: list[Sql] = []
    seen: set[tuple[str, str]] = set()
    for clause in order_by or ():
        kind, key, ascending = SearchUtils.parse_order_by_for_search_runs(clause)
        key = SearchUtils.translate_key_alias(key)
        if (kind, key) in seen:
            raise MlflowException(f"`order_by` contains duplicate fields: {list(order_by or ())}")
        seen.add((kind, key))
        parts += _ranked(index, kind, key, "ASC" if ascending else "DESC", paths)
    if ("attribute", "start_time") not in seen:
        parts.append(Sql("run.start_ms DESC"))
    return sqls.listing([*parts, Sql("run.id")])


def _ranked(index: Index, kind: str, key: str, way: str, paths: Mapping[str, Known]) -> list[Sql]:
    """Return the terms of one clause: numbers and texts first, then NaN, then what is missing, either way."""
    if SearchUtils.is_metric(kind, "="):
        column = index.catalogue.column(METRIC, key)
        value = sqls.NOTHING if column is None else Sql(column)
        first = sqls.form("CASE WHEN {0} IS NULL THEN 2 WHEN typeof({0}) = 'blob' THEN 1 ELSE 0 END", value)
        return [first, sqls.form(f"{{0}} {way}", value)]
    if kind == "attribute":
        value = _attribute(key, paths)
    elif SearchUtils.is_tag(kind, "="):
        value = _tag(key)
    elif SearchUtils.is_param(kind, "="):
        value = _param(index, key)
    else:
        raise failures.bad(f"Invalid identifier type '{kind}'")
    return [sqls.form("{0} IS NULL", value), sqls.form(f"{{0}} {way}", value)]
