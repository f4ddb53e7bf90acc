"""Which logged models a search means, and in which order: as MLflow's own store on SQL decides it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlparse
from mlflow.utils.search_utils import SearchUtils, _join_in_comparison_tokens
from sqlparse.sql import Comparison

from gitexp.integrations.mlflow import failures
from gitexp.integrations.mlflow.table import Found

_TYPES = ("attributes", "metrics", "params", "tags")
_ALIASES = {"creation_time": "creation_timestamp_ms", "creation_timestamp": "creation_timestamp_ms",
            "last_updated_timestamp": "last_updated_timestamp_ms"}  # fmt: skip
_TIMES = ("creation_timestamp_ms", "last_updated_timestamp_ms")
_ATTRIBUTES: dict[str, Callable[[Found], Any]] = {
    "model_id": lambda found: found.model.id,
    "experiment_id": lambda found: found.model.experiment,
    "name": lambda found: found.model.name,
    "creation_timestamp_ms": lambda found: found.model.created,
    "last_updated_timestamp_ms": lambda found: found.model.updated,
    "status": lambda found: found.model.status,
    "status_message": lambda found: found.model.message or None,
    "model_type": lambda found: found.model.type or None,
    "source_run_id": lambda found: found.model.source or None,
}
_NUMERIC = ("<", "<=", ">", ">=", "=", "!=")
_TEXT = ("=", "!=", "LIKE", "ILIKE", "IN", "NOT IN")


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a filter."""

    kind: str
    key: str
    op: str
    value: Any

    def values(self, found: Found, fits: Callable[[str, str], bool]) -> list[Any]:
        """Return what is compared: any of it has to hold; what is not there never does."""
        if self.kind == "attributes":
            value = _ATTRIBUTES[self.key](found)
            return [] if value is None else [value]
        if self.kind == "metrics":
            rows = [(key, point) for _, key, point in found.measured if key[1] == self.key]
            return [point.value for (_, _, dataset, digest), point in rows if fits(dataset, digest)]
        named = found.model.params if self.kind == "params" else found.model.tags
        return [named[self.key]] if self.key in named else []

    def holds(self, found: Found, fits: Callable[[str, str], bool]) -> bool:
        """Say whether it is so of a model."""
        compare = SearchUtils.get_comparison_func(self.op)
        return any(compare(value, self.value) for value in self.values(found, fits))


def chosen(every: Iterable[Found], text: str | None, datasets: Sequence[dict[str, Any]] | None) -> list[Found]:
    """Return the models for which all of a filter holds; with `datasets` only what was measured on these counts."""
    conditions = parse(text)

    def fits(dataset: str, digest: str) -> bool:
        return not datasets or any(
            item["dataset_name"] == dataset and item.get("dataset_digest", digest) == digest for item in datasets
        )

    found = [item for item in every if all(condition.holds(item, fits) for condition in conditions)]
    if datasets and not any(condition.kind == "metrics" for condition in conditions):
        found = [item for item in found if any(fits(key[2], key[3]) for _, key, _ in item.measured)]
    return found


def parse(text: str | None) -> list[Condition]:
    """Read a filter; raises MlflowException for one that makes no sense."""
    if not text:
        return []
    statements = sqlparse.parse(text)
    if len(statements) != 1:
        raise failures.bad(f"Invalid filter string: {text!r}. Expected a single SQL expression.")
    found = []
    for token in _join_in_comparison_tokens(statements[0].tokens):
        if isinstance(token, Comparison):
            found.append(_condition(token))
        elif not token.is_whitespace and token.value.strip().upper() != "AND":
            raise failures.bad(
                f"Invalid filter string: {text!r}. Expected a list of comparisons "
                f"separated by 'AND' (e.g. 'metrics.loss > 0.1 AND params.lr = 0.01')."
            )
    return found


def _condition(token: Comparison) -> Condition:
    words = [str(part) for part in token.tokens if not part.is_whitespace]
    if len(words) != 3:
        raise failures.bad(f"Invalid comparison: {token}. Expected a comparison with 3 tokens.")
    (kind, key), op, value = _entity(words[0]), words[1].upper(), words[2]
    numeric = kind == "metrics" or key in _TIMES
    known = _NUMERIC if numeric else _TEXT
    if op not in known:
        raise failures.bad(f"Invalid comparison operator for {kind}.{key}: {op!r}. Expected one of {known}.")
    return Condition(kind, key, op, _number(value) if numeric else _text(value))


def _entity(name: str) -> tuple[str, str]:
    match = re.match(r"^([a-z]+)\.(.+)$", name)
    kind, key = (match[1], match[2]) if match else ("attributes", name)
    key = key.strip("`")
    if kind not in _TYPES:
        raise failures.bad(f"Invalid entity type: {kind!r}. Expected one of {list(_TYPES)}.")
    if kind == "attributes":
        key = _ALIASES.get(key, key)
        if key not in _ATTRIBUTES:
            raise failures.bad(f"Invalid attribute of logged models: {key!r}. Expected one of {list(_ATTRIBUTES)}.")
    return kind, key


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise failures.bad(f"Invalid number in a filter: {text!r}") from None


def _text(text: str) -> Any:
    if not (text.startswith("(") and text.endswith(")")):
        return text.strip("'")
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise failures.bad(f"Invalid list in a filter: {text!r}") from None
    return (found,) if isinstance(found, str) else found


def ordered(found: list[Found], order_by: Sequence[dict[str, Any]] | None) -> list[Found]:
    """Return models in the order asked for; what lacks a value comes last, then the newest first."""
    keys: list[tuple[Callable[[Found], Any], bool]] = []
    names = set()
    for item in order_by or ():
        name = str(item.get("field_name"))
        names.add(_ALIASES.get(name, name))
        keys.append((_key(name, item), bool(item.get("ascending", True))))
    if "creation_timestamp_ms" not in names:
        keys.append((_ATTRIBUTES["creation_timestamp_ms"], False))
    if "model_id" not in names:
        keys.append((_ATTRIBUTES["model_id"], True))
    for key, ascending in reversed(keys):  # a stable sort by the least first
        have = sorted((each for each in found if key(each) is not None), key=key, reverse=not ascending)
        found = have + [each for each in found if key(each) is None]
    return found


def _key(name: str, item: dict[str, Any]) -> Callable[[Found], Any]:
    kind, dot, metric = name.partition(".")
    if not dot:
        if (attribute := _ALIASES.get(name, name)) not in _ATTRIBUTES:
            raise failures.bad(f"Invalid order by field name: {name}")
        return _ATTRIBUTES[attribute]
    if kind != "metrics":
        raise failures.bad(f"Invalid order by field name: {name}. Only metrics are supported.")
    wanted = item.get("dataset_name"), item.get("dataset_digest")
    return lambda found: _latest(found, metric, wanted)


def _latest(found: Found, metric: str, wanted: tuple[str | None, str | None]) -> float | None:
    """Return the latest value of a metric: by time, then step, then the first run by id."""
    rows = [
        (-point.time_ms, -point.step, run_id, point.value)
        for run_id, (_, name, dataset, digest), point in found.measured
        if name == metric and wanted[0] in (None, "", dataset) and wanted[1] in (None, "", digest)
    ]
    return min(rows)[3] if rows else None
