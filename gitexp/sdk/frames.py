"""Histories and lists of runs as DataFrames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gitexp import ids
from gitexp.errors import UsageError
from gitexp.ops.finding import goals
from gitexp.ops.showing import export
from gitexp.ops.showing.export import Column
from gitexp.record import arrays
from gitexp.record.arrays import Table
from gitexp.store import series
from gitexp.store.runs import Run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from gitexp.index.compile import Context
    from gitexp.index.entry import Entry


def points(run: Run, names: Collection[str] | None = None, *, wide: bool = False) -> pd.DataFrame:
    """Return a run's points: metric, step, time, value as they were logged; `wide`: a row a step, a column a metric."""
    import pandas as pd

    table = series.table(run, names)
    if wide:
        return _wide(table, sorted(table.names), pd.Index(sorted(table.names), dtype=object, name="metric"))
    return pd.DataFrame(_columns(table), copy=False)


def metrics(runs: Sequence[tuple[Run, str]], names: Sequence[str] | None, *, wide: bool = False) -> pd.DataFrame:
    """Return the points of several runs, given with their names: run, name, metric, step, time, value.

    `wide`: a row a step, a column a run; where not just one metric is asked for, a column a metric and run.
    """
    import numpy as np
    import pandas as pd

    wanted = None if names is None else list(dict.fromkeys(names))
    lengths: list[int] = []
    found: set[str] = set()

    def loaded() -> Iterator[Table]:  # one at a time is in memory twice
        for at, (run, _) in enumerate(runs):
            table = series.table(run, wanted)
            lengths.append(len(table))
            found.update(table.names)
            yield replace(table, names=tuple(f"{at} {name}" for name in table.names)) if wide else table

    whole = arrays.together(loaded())
    _check_known([run for run, _ in runs], found, wanted or ())
    if wide:
        return _side_by_side(whole, _labels(runs), sorted(found) if wanted is None else wanted, one=wanted is not None)
    who = {"run": [run.id for run, _ in runs], "name": [name for _, name in runs]}
    columns = {key: _category(np.repeat(_codes(texts), lengths), dict.fromkeys(texts)) for key, texts in who.items()}
    return pd.DataFrame({**columns, **_columns(whole)}, copy=False)


def table(entries: Sequence[Entry], context: Context, aggregates: str | Sequence[str] = ()) -> pd.DataFrame:
    """Return a row a run, a column a field, param, metric, number posted later and tag; `attrs` has what represents
    each metric. `aggregates`: values of each metric that get columns of their own, or "all".
    """
    import pandas as pd

    wanted = _aggregates(aggregates)
    plain = export.columns(entries, context)
    more = [column for column in export.columns(entries, context, wanted) if column.kind == "metric"] if wanted else []
    values = [_typed(column, entries, context) for column in (*plain, *more)]
    frame = pd.DataFrame(dict(enumerate(values)), copy=False)
    titles = [*(replace(column, aggregate="").title for column in plain), *(column.title for column in more)]
    frame.columns = pd.Index(titles, dtype=object)
    frame.attrs["represents"] = {column.name: column.aggregate for column in plain if column.kind == "metric"}
    return frame


def _aggregates(wanted: str | Sequence[str]) -> Sequence[str]:
    every = (*goals.AGGREGATES, "count")
    names = every if wanted == "all" else [wanted] if isinstance(wanted, str) else wanted
    for name in names:
        if name not in every:
            raise UsageError(f"no aggregate of a metric is called {name!r}", hint="all, or: " + ", ".join(every))
    return names


def _typed(column: Column, entries: Sequence[Entry], context: Context) -> Any:
    """Return a column's values in the type that they have in common, objects where they have none; NA is missing."""
    import numpy as np
    import pandas as pd

    values = [column.value(entry, context.now_ms) for entry in entries]
    if column.type == "time":
        return moments(np.array(values, dtype=np.int64))
    if column.type == "seconds":
        whole = [np.timedelta64("NaT") if value is None else round(value * 1000) for value in values]
        return np.array(whole, dtype="timedelta64[ms]")
    kinds: dict[str, Any] = {"flag": "boolean", "whole": "Int64", "real": "Float64", "text": pd.StringDtype("python")}
    if column.type:  # text in Python's own strings, which may have half of a surrogate pair
        return pd.array(values, dtype=kinds[column.type])
    found = np.empty(len(values), dtype=object)
    for at, value in enumerate(values):
        found[at] = pd.NA if value is None else value
    return found


def _check_known(runs: Sequence[Run], found: Collection[str], names: Sequence[str]) -> None:
    missing = next((name for name in names if name not in found), None)
    if runs and missing is not None:
        known = ", ".join(sorted({name for run in runs for name in run.summary})[:10]) or "none"
        raise UsageError(f"no run of these has a metric {missing!r}", hint=f"they have: {known}")


def _labels(runs: Sequence[tuple[Run, str]]) -> list[str]:
    """Return the runs' names, with the id where two have the same."""
    count = Counter(name for _, name in runs)
    return [f"{name} ({ids.short(run.id)})" if count[name] > 1 else name for run, name in runs]


def _side_by_side(whole: Table, labels: Sequence[str], metrics: Sequence[str], *, one: bool) -> pd.DataFrame:
    """Return a column a run and metric, named `<number of the run> <metric>` in the table."""
    import pandas as pd

    if one and len(metrics) == 1:
        columns: pd.Index[Any] = pd.Index(list(labels), dtype=object, name="run")
    else:
        pairs = [[metric for metric in metrics for _ in labels], [label for _ in metrics for label in labels]]
        columns = pd.MultiIndex.from_arrays([pd.Index(each, dtype=object) for each in pairs], names=["metric", "run"])
    return _wide(whole, [f"{at} {metric}" for metric in metrics for at in range(len(labels))], columns)


def _wide(table: Table, names: Sequence[str], columns: pd.Index[Any]) -> pd.DataFrame:
    import pandas as pd

    shape = arrays.wide(table, names)
    return pd.DataFrame(shape.values, index=pd.Index(shape.steps, name="step"), columns=columns, copy=False)


def _columns(table: Table) -> dict[str, Any]:
    return {
        "metric": _category(table.codes, table.names),
        "step": table.steps,
        "time": moments(table.times_ms),
        "value": table.values,
    }


def _codes(texts: Sequence[str]) -> list[int]:
    """Return each text's number among those that differ, in the order in which they first appear."""
    known: dict[str, int] = {}
    return [known.setdefault(each, len(known)) for each in texts]


def _category(codes: Any, texts: Iterable[str]) -> pd.Categorical:
    import pandas as pd

    return pd.Categorical.from_codes(codes, pd.Index(list(texts), dtype=object))


def moments(times_ms: np.ndarray[Any, Any]) -> pd.DatetimeIndex:
    """Return milliseconds since the epoch as times in UTC."""
    import pandas as pd

    return pd.DatetimeIndex(times_ms.view("datetime64[ms]")).tz_localize("UTC")
