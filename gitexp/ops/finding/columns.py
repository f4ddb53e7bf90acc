"""The columns of a table of runs: those asked for, else what differs and what matters, and which value is best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gitexp import text
from gitexp.errors import NotFound
from gitexp.index import compile, database, search, values
from gitexp.ops.finding import goals, terms
from gitexp.query import nodes, parser
from gitexp.record.numbers import is_nan
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    from gitexp.index.entry import Entry

MAX_METRICS, MAX_PARAMS = 3, 5  # of its own accord
AGGREGATES = ("last", "min", "max", "mean", "first")
ALL = "all"
_MAX_VALUE = 40  # characters: a longer value is no column of its own accord
_AT_ONCE = 500  # runs whose expressions are computed by one statement


@dataclass(frozen=True, slots=True)
class Chosen:
    """A column: a param, with an `aggregate` a metric, a tag, a post, or an expression with its `values` by run id."""

    name: str
    aggregate: str = ""
    kind: str = "param"  # param, metric, tag, post, expression
    node: nodes.Value | None = field(default=None, compare=False, repr=False)
    values: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def title(self) -> str:
        """Its heading: lr, val_auc:max, tags.owner, `metrics.a - metrics.b`."""
        shown = text.safe(self.name)
        if self.aggregate:
            return f"{shown}:{self.aggregate}"
        return {"tag": f"tags.{shown}", "post": f"post.{shown}"}.get(self.kind, shown)

    @property
    def is_number(self) -> bool:
        """Say whether it is shown as a number: metrics, numbers learned later, expressions."""
        return self.kind in ("metric", "post", "expression")


@dataclass(frozen=True, slots=True)
class Choice:
    """The columns of a table, metrics first, and how many params and metrics it leaves out."""

    columns: tuple[Chosen, ...]
    hidden_params: int
    hidden_metrics: int


def choose(
    workspace: Workspace, found: Sequence[Entry], wanted: Sequence[str] = (), first: Sequence[Chosen] = ()
) -> Choice:
    """Return the columns for some runs: those `wanted` (names, expressions, `all`), else what differs and matters.

    `first` are columns that a query speaks of: they are shown too, each before others of its kind.
    """
    params = Counter(name for run in found for name in run.flat_params)
    metrics = Counter(name for run in found for name in run.summary)
    if list(wanted) == [ALL]:
        columns = [metric(workspace, name) for name in _by_weight(workspace, metrics)] + [Chosen(n) for n in params]
    elif wanted:
        columns = [_computed(workspace, found, named(workspace, name)) for name in wanted]
    else:
        columns = _own_accord(workspace, found, first, metrics, params)
    shown = {(column.name, column.kind) for column in columns}
    return Choice(
        tuple(columns),
        sum((name, "param") not in shown for name in params),
        sum((name, "metric") not in shown for name in metrics),
    )


def _own_accord(
    workspace: Workspace,
    found: Sequence[Entry],
    first: Sequence[Chosen],
    metrics: Mapping[str, int],
    params: Mapping[str, int],
) -> list[Chosen]:
    more = [column for n in workspace.settings.items("columns") if (column := _known(workspace, n, metrics, params))]
    asked = Counter(column.kind for column in first)
    of_metrics = [column for column in first if column.kind == "metric"]
    of_metrics += [metric(workspace, name) for name in mattering(workspace, metrics)]
    of_params = [column for column in first if column.kind == "param"] + [Chosen(name) for name in differing(found)]
    shown = list(dict.fromkeys(of_metrics))[: max(MAX_METRICS, asked["metric"])]
    shown += list(dict.fromkeys(of_params))[: max(MAX_PARAMS, asked["param"])]
    return list(dict.fromkeys([*shown, *first, *more]))


def mentioned(workspace: Workspace, asked: Iterable[object]) -> list[Chosen]:
    """Return the columns of the params, metrics, tags and posts that conditions and values speak of, in their order."""
    catalogue, found = database.of(workspace).catalogue, []
    names = (item for each in asked for item in terms.mentioned(each) if isinstance(item, nodes.Name))
    for name in names:
        known = name if name.kind else compile.resolve(name, catalogue)
        if isinstance(known, nodes.Field):
            continue
        if known.kind == "metric" and catalogue.column("metric", known.name) is not None:
            found.append(metric(workspace, known.name, known.aggregate))
        elif known.kind in ("param", "post") and catalogue.column(known.kind, known.name) is not None:
            found.append(Chosen(known.name, kind=known.kind))
        elif known.kind == "tag" and catalogue.has("tag", known.name):
            found.append(Chosen(known.name, kind="tag"))
    return list(dict.fromkeys(found))


def value(run: Entry, column: Chosen) -> Any:
    """Return what a run has in a column, None for nothing."""
    if column.kind == "metric":
        found = run.summary.get(column.name)  # what a user set stands for all aggregates in the index
        return None if found is None else getattr(found, column.aggregate)
    if column.kind == "expression":
        return column.values.get(run.id)
    return {"param": run.flat_params, "tag": run.tags, "post": run.posts}[column.kind].get(column.name)


def code(run: Entry) -> str:
    """Return the code of a run in a cell: its commit, with a `+` for uncommitted edits."""
    return (text.safe(run.code_commit or "")[:7] or "-") + "+" * run.dirty


def node(column: Chosen) -> nodes.Value:
    """Return a column as a value of the query language."""
    return column.node or nodes.Name(column.kind, column.name, column.aggregate)


def best(workspace: Workspace, found: Sequence[Entry], column: Chosen) -> float | None:
    """Return the best value of a metric's column, None where none is better than another."""
    goal = goals.of(workspace, column.name)
    if column.kind != "metric" or not goal.best:
        return None
    known: list[int | float] = [item for run in found if (item := value(run, column)) is not None and not is_nan(item)]
    if len(set(known)) < 2:
        return None
    return max(known) if goal.best == "max" else min(known)


def metric(workspace: Workspace, name: str, aggregate: str = "") -> Chosen:
    """Return the column of a metric: of the value that stands for it, or of the one asked for."""
    return Chosen(name, aggregate or goals.of(workspace, name).aggregate, "metric")


def mattering(workspace: Workspace, metrics: Mapping[str, int]) -> list[str]:
    """Return the metrics to show: one that is neither better nor worse (an epoch) only where there is little else."""
    ordered = _by_weight(workspace, metrics)
    directed = [name for name in ordered if goals.of(workspace, name).best or name == workspace.settings.text("metric")]
    return directed[:MAX_METRICS] if len(directed) > 1 else ordered[:2]


def differing(found: Sequence[Entry]) -> list[str]:
    """Return the params that are not the same in all runs: those of several values first, then those that some lack."""
    params = Counter(name for run in found for name in run.flat_params)
    several: dict[str, bool] = {}
    for name, count in params.items():
        shown = {text.value(run.flat_params[name]) for run in found if name in run.flat_params}
        if (len(shown) > 1 or count < len(found)) and all(len(item) <= _MAX_VALUE for item in shown):
            several[name] = len(shown) > 1
    return sorted(several, key=lambda name: (not several[name], -params[name]))


def named(workspace: Workspace, name: str, *, first: str = "metric") -> Chosen:
    """Return the column that a name or an expression means; raises NotFound or BadQuery.

    Of what has the same name metrics go before params, or with `first` params before metrics, both before tags.
    """
    catalogue = database.of(workspace).catalogue
    known = {kind: set(catalogue.names(kind)) for kind in ("metric", "param", "tag")}
    if first == "param" and name in known["param"]:
        return Chosen(name)
    found = _known(workspace, name, known["metric"], known["param"])
    if found is None and name in known["tag"]:
        return Chosen(name, kind="tag")
    return found or _written(workspace, name, known)


def _written(workspace: Workspace, name: str, known: Mapping[str, set[str]]) -> Chosen:
    """Return the column of what is written in the query language: params.lr, tags.owner, metrics.a - metrics.b."""
    value = parser.parse_value(name)
    if not isinstance(value, nodes.Name):
        return _expression(name, value)
    if not value.kind or (value.kind in known and value.name not in known[value.kind]):
        raise _not_found(value.name, known)
    if value.kind == "metric":
        return metric(workspace, value.name, value.aggregate)
    return Chosen(value.name, kind=value.kind) if value.kind in ("param", "tag", "post") else _expression(name, value)


def _expression(name: str, value: nodes.Value) -> Chosen:
    return Chosen(name, kind="expression", node=value)


def _not_found(name: str, known: Mapping[str, set[str]]) -> NotFound:
    import difflib  # a list of runs, which finds all, does without

    near = difflib.get_close_matches(name, sorted(set().union(*known.values())), n=3, cutoff=0.6)
    hint = f"did you mean: {', '.join(map(text.safe, near))}" if near else "see what there is: gitexp log --columns all"
    return NotFound(f"no run has a param, metric or tag {text.safe(name)!r}", hint=hint)


def _computed(workspace: Workspace, found: Sequence[Entry], column: Chosen) -> Chosen:
    """Return a column with the values of these runs, where it is an expression."""
    if column.kind != "expression":
        return column
    index, context = database.of(workspace), goals.context(workspace)
    computed: dict[str, Any] = {}
    for at in range(0, len(found), _AT_ONCE):
        ids = tuple(nodes.Literal(run.id) for run in found[at : at + _AT_ONCE])
        wanted = nodes.In(nodes.Field("id"), ids)
        rows = search.values(index, [nodes.Field("id"), node(column)], wanted, context=context)
        computed |= {run_id: values.decode(item) for run_id, item in rows if item is not None}
    return replace(column, values=computed)


def _by_weight(workspace: Workspace, metrics: Mapping[str, int]) -> list[str]:
    """Return metrics by weight: the main one, those with a direction, validation, test, training, most runs."""
    main = workspace.settings.text("metric")

    def weight(name: str) -> tuple[bool, bool, int, int]:
        lowered = name.lower()
        part = 0 if lowered.startswith(("val", "eval")) else 1 if lowered.startswith("test") else 2
        return name != main, not goals.of(workspace, name).best, part, -metrics[name]

    return sorted(metrics, key=weight)


def _known(workspace: Workspace, name: str, metrics: Collection[str], params: Collection[str]) -> Chosen | None:
    """Return the column of a name: lr, val_auc, val_auc:last; a metric goes before a param of the same name."""
    metric_name, _, aggregate = name.rpartition(":")
    if metric_name in metrics and aggregate in AGGREGATES:
        return metric(workspace, metric_name, aggregate)
    if name in metrics:
        return metric(workspace, name)
    return Chosen(name) if name in params else None


def split(words: str) -> list[str]:
    """Return the parts of a list with commas; those in quotes, backticks and parentheses part nothing."""
    parts, part, depth, quote = [], "", 0, ""
    for char in words:
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"`":
            quote = char
        depth += (char == "(") - (char == ")") if not quote else 0
        if char == "," and not quote and depth <= 0:
            parts.append(part)
            part = ""
        else:
            part += char
    return [item.strip() for item in [*parts, part] if item.strip()]
