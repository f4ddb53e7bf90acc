"""MLflow's comparisons of experiments, and the checks that its searches share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlflow.entities import Experiment
from mlflow.store.tracking import SEARCH_MAX_RESULTS_THRESHOLD
from mlflow.utils.search_utils import SearchExperimentsUtils, SearchUtils

from gitexp.integrations.mlflow import failures

_NUMERIC = ("=", "!=", "<", "<=", ">", ">=")
_TEXT = ("=", "!=", "LIKE", "ILIKE")
_ORDER = ("creation_time DESC", "experiment_id ASC")

Test = Callable[[Experiment], bool]


def check_max_results(max_results: int | None, *, none: bool = False) -> None:
    """Raise INVALID_PARAMETER_VALUE for a number of results that cannot be asked for."""
    said = f"Invalid value {max_results} for parameter 'max_results' supplied. It must be "
    if (max_results is None and not none) or (max_results is not None and max_results < 1):
        raise failures.bad(said + "a positive integer")
    if max_results is not None and max_results > SEARCH_MAX_RESULTS_THRESHOLD:
        raise failures.bad(f"{said}at most {SEARCH_MAX_RESULTS_THRESHOLD}")


def experiment_tests(parsed: Sequence[Mapping[str, Any]]) -> list[Test]:
    """Return what must be true of an experiment, of a filter that MLflow has parsed."""
    return [_test(item["type"], item["key"], item["comparator"], item["value"]) for item in parsed]


def _test(kind: str, key: str, comparator: str, value: Any) -> Test:
    if kind == "tag":
        return _tag_test(key, comparator, value)
    if kind != "attribute":
        raise failures.bad(f"Invalid token type: {kind}")
    if key == "experiment_id":
        if comparator not in ("=", "!=", "IN", "NOT IN"):
            raise failures.bad(f"Invalid comparator for experiment_id: {comparator}")
    elif SearchExperimentsUtils.is_string_attribute(kind, key, comparator):
        if comparator not in _TEXT:
            raise failures.bad(f"Invalid comparator for string attribute: {comparator}")
    elif SearchExperimentsUtils.is_numeric_attribute(kind, key, comparator):
        value = _whole(key, comparator, value)
    compare = SearchUtils.get_comparison_func(comparator)
    return lambda item: bool(compare(getattr(item, key), value))


def _whole(key: str, comparator: str, value: Any) -> int:
    if comparator not in _NUMERIC:
        raise failures.bad(f"Invalid comparator for numeric attribute: {comparator}")
    if isinstance(value, float):
        raise failures.bad(f"Invalid value for numeric attribute '{key}': {str(value)!r}")
    try:
        return int(value)
    except (TypeError, ValueError):
        raise failures.bad(f"Invalid value for numeric attribute '{key}': {value!r}") from None


def _tag_test(key: str, comparator: str, value: Any) -> Test:
    if comparator == "IS NULL":
        return lambda item: key not in item.tags
    if comparator == "IS NOT NULL":
        return lambda item: key in item.tags
    if comparator not in _TEXT:
        raise failures.bad(f"Invalid comparator for tag: {comparator}")
    compare = SearchUtils.get_comparison_func(comparator)
    return lambda item: key in item.tags and bool(compare(item.tags[key], value))


def experiment_order(order_by: Sequence[str] | None) -> list[tuple[str, bool]]:
    """Return (attribute, ascending) of an order; the id breaks ties."""
    found = []
    for kind, key, ascending in map(SearchExperimentsUtils.parse_order_by_for_search_experiments, order_by or _ORDER):
        if kind != "attribute":
            raise failures.bad(f"Invalid order_by entity: {kind}")
        found.append((key, ascending))
    return found if any(key == "experiment_id" for key, _ in found) else [*found, ("experiment_id", False)]
