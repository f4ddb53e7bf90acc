"""The list of runs: which ones, in which order, and what their experiment has in all, asked of the index."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitexp import ids, text
from gitexp.errors import Damaged, NotFound, Unsupported, UsageError
from gitexp.index import compile, database, kept, names, search
from gitexp.ops.finding import columns, goals, scope
from gitexp.query import nodes, parser
from gitexp.record import headline
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    from gitexp.index.compile import Context
    from gitexp.index.database import Index
    from gitexp.index.entry import Entry
    from gitexp.ops.finding.columns import Chosen
    from gitexp.ops.finding.provenance import History, Touched
    from gitexp.query.nodes import Node, Order

_LOOKED_AT = 20  # completed runs among which one with metrics is looked for


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for, as people write it; an empty field asks for nothing."""

    experiment: str = ""  # a name or path; "" is the current one
    every: bool = False  # of all experiments where none is named, archived runs too
    removed: bool = False  # the removed ones instead
    limit: int | None = None
    where: str = ""  # docs/query.md
    sort: str = ""  # -metrics.val_auc,params.lr
    since: str = ""
    until: str = ""
    author: str = ""
    grep: str = ""
    mine: bool = False
    status: str = ""
    best: str = ""  # a metric: its best run first
    revisions: tuple[str, ...] = ()  # main..HEAD: runs of those commits
    on: str = ""  # a branch: runs whose code is in its history
    paths: tuple[str, ...] = ()  # runs whose code touched these


@dataclass(frozen=True, slots=True)
class Selection:
    """A query as the index takes it; `base` has what the counts above a list count, `wanted` what is listed."""

    index: Index
    context: Context
    path: str  # of the experiment, "" for all
    base: Node
    shown: Node  # without the archived ones
    wanted: Node
    order: tuple[Order, ...]
    limit: int | None
    histories: tuple[History, ...] = ()  # of the revisions asked for: they know how each run is in them
    touched: Touched | None = None  # the runs whose code touched the paths asked for


@dataclass(frozen=True, slots=True)
class Listing:
    """The runs asked for (newest first, or as sorted), and the counts of all runs of the same experiments."""

    title: str
    total: int
    running: int
    failed: int
    archived: int
    unpushed: int | None  # None: there is no remote
    best: tuple[str, str] | None  # the main metric, and the id of its best run
    matched: int
    strange: int  # refs that hold no run
    rows: tuple[Entry, ...]
    newest: str  # the id of the newest run recorded here
    other_experiments: int
    via: Mapping[str, str]  # {run id: how its code is in the history asked for}
    versions: Mapping[str, Sequence[tuple[str, int]]]  # {run id: (model, number) of the versions it has}


def selection(workspace: Workspace, query: Query) -> Selection:
    """Return what a query asks of the index; raises NotFound for an experiment, revision or metric."""
    _check(query)
    index, context = database.of(workspace), goals.context(workspace)
    by_code = query.revisions or query.on or query.paths  # runs of any experiment: the code decides
    path = "" if (query.every or by_code) and not query.experiment else scope.path(workspace, query.experiment)
    histories = _histories(workspace, index, query)
    removed = nodes.Truth(nodes.Field("removed"))
    base = nodes.All((*([scope.below(path)] if path else []), removed if query.removed else nodes.Not(removed)))
    archived = nodes.Not(nodes.Truth(nodes.Field("archived")))
    shown = base if query.every or query.removed else nodes.All((*base.parts, archived))
    touched = _touched(workspace, index, query)
    code = [found.condition for found in (*histories, touched) if found is not None]
    wanted = nodes.All((*shown.parts, *_filters(workspace, query), *code))
    order = (*_by_metric(workspace, index, query.best), *(parser.parse_order(query.sort) if query.sort else ()))
    return Selection(index, context, path, base, shown, wanted, order, query.limit, histories, touched)


def _check(query: Query) -> None:
    """Raise UsageError for what is no text or no number: a script can give anything."""
    for name, given in (("experiment", query.experiment), ("where", query.where), ("sort", query.sort)):
        if not isinstance(given, str):
            raise UsageError(f"{name} is a text, not {given!r}", hint='where="params.lr < 0.1", sort="-metrics.loss"')
    limit: object = query.limit
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        raise UsageError(f"limit is a number of runs, 0 or more, not {limit!r}", hint="limit=20, or None for all")


def _histories(workspace: Workspace, index: Index, query: Query) -> tuple[History, ...]:
    asked = [revisions for revisions in (query.revisions, (query.on,) if query.on else ()) if revisions]
    if not asked:
        return ()
    from gitexp.ops.finding import provenance  # a list that does not ask for code does without

    return tuple(provenance.history(workspace, index, revisions) for revisions in asked)


def _touched(workspace: Workspace, index: Index, query: Query) -> Touched | None:
    if not query.paths:
        return None
    from gitexp.ops.finding import provenance

    return provenance.touching(workspace, index, query.paths)


def stream(chosen: Selection) -> Iterator[Entry]:
    """Yield the runs of a selection; however many they are, few are held at once."""
    return search.stream(chosen.index, chosen.wanted, chosen.order, limit=chosen.limit, context=chosen.context)


def entries(workspace: Workspace, query: Query) -> list[Entry]:
    """Return the runs that a query asks for."""
    return list(stream(selection(workspace, query)))


def collect(workspace: Workspace, query: Query) -> Listing:
    """Return the runs that a query asks for, and what there is in all."""
    return of(workspace, selection(workspace, query))


def of(workspace: Workspace, chosen: Selection) -> Listing:
    """Return the list of a selection."""
    index, context = chosen.index, chosen.context
    tally = search.tally(index, chosen.base, context=context)
    found = list(stream(chosen))
    is_cut = chosen.limit is not None and len(found) >= chosen.limit
    is_whole = chosen.wanted == chosen.shown  # nothing but the experiment is asked for: that is counted already
    hidden = tally.archived if chosen.shown != chosen.base else 0
    newest = next(iter(names.recent(index, 1)), None)
    others = sum(not scope.is_below(path, chosen.path) for path in names.paths(index))
    return Listing(
        title=title(chosen),
        total=tally.total,
        running=tally.running,
        failed=tally.failed,
        archived=hidden,
        unpushed=tally.unpushed if workspace.repo.has_remotes else None,
        best=_best(workspace, chosen, found) if chosen.path else None,
        matched=_count(chosen) if is_cut and not is_whole else tally.total - hidden if is_whole else len(found),
        strange=search.strange(index, chosen.path),
        rows=tuple(found),
        newest=newest.id if newest is not None else "",
        other_experiments=others,
        via={row.id: via(chosen.histories, row) for row in found} if chosen.histories else {},
        versions=kept.versions(index, [row.id for row in found]),
    )


def via(histories: Sequence[History], row: Entry) -> str:
    """Return how a run's code is in the histories asked for (commit, tree, patch, squash), the least sure."""
    from gitexp.ops.finding import provenance

    return max((history.of(row) for history in histories), key=provenance.WAYS.index)


def title(chosen: Selection) -> str:
    """Return what the runs of a selection are called together: the name of their experiment."""
    if not chosen.path:
        return "all experiments"
    return names.experiment_of(chosen.index, chosen.path) or chosen.path


def describe(chosen: Selection) -> Iterator[dict[str, Any]]:
    """Yield the JSON of the runs of a list, one read at a time; `via` is how its code is in the history asked for.

    One that does not parse has what its commit says, and why as `damaged`.
    """
    from gitexp.ops.finding import find  # a table, which reads no record, does without
    from gitexp.record.facts import EMPTY
    from gitexp.store import annotations as said

    workspace = chosen.index.workspace
    states = said.states(workspace)
    for row in stream(chosen):
        how = {"via": via(chosen.histories, row)} if chosen.histories else {}
        try:
            found = find.describe(find.load(workspace, row), states.get(row.id, EMPTY), experiment=row.experiment)
        except (Damaged, Unsupported) as error:
            found = {"id": row.id, "name": row.name, "experiment": row.experiment, "status": row.status}
            found |= {"ref": row.ref, "commit": row.commit, "damaged": error.message}
        yield {**found, **how}


def oneline(workspace: Workspace, row: Entry) -> str:
    """Return a run as one line: its short id, how it ended, and the main metric with the value that stands for it."""
    seconds = None if row.end_ms is None else (row.end_ms - row.start_ms) / 1000
    said, main = headline.ended(row.status, seconds, {}), workspace.settings.text("metric")
    if shown := [main] if main in row.summary else headline.metrics(row.summary)[:1]:
        column = columns.metric(workspace, shown[0])
        said += f", {column.title} {text.number(columns.value(row, column))}"
    return f"{ids.short(row.id)} {text.safe(f'{row.experiment}/{row.name}: {said}')}"


def mentioned(chosen: Selection) -> list[Chosen]:
    """Return the columns that a query sorts by and asks for."""
    return columns.mentioned(chosen.index.workspace, [*(order.value for order in chosen.order), chosen.wanted])


def remarks(chosen: Selection) -> Iterator[str]:
    """Yield what should be said beside a list: names that no run has, what a history could not tell, leakage."""
    catalogue, context = chosen.index.catalogue, chosen.context
    unknown = (
        *compile.condition(chosen.wanted, catalogue, context).unknown,
        *compile.order(chosen.order, catalogue, context).unknown,
    )
    for name in dict.fromkeys(unknown):
        yield f"no run has {text.safe(name)}{_near(chosen.index, name)}"
    for found in (*chosen.histories, chosen.touched):
        if found is not None and found.note:
            yield found.note
    for column in columns.mentioned(chosen.index.workspace, [order.value for order in chosen.order]):
        if column.kind == "metric":
            yield from _leak(chosen, column.name)


def _near(index: Index, name: str) -> str:
    import difflib  # a list that finds all does without

    prefix = next((prefix for prefix in nodes.PREFIX.values() if prefix and name.startswith(prefix)), "")
    kind = next(kind for kind, known in nodes.PREFIX.items() if known == prefix)
    known = index.catalogue.names(kind) if kind in ("param", "metric", "tag", "post", "seed") else []
    near = difflib.get_close_matches(name.removeprefix(prefix), known, n=3, cutoff=0.6)
    return f"; did you mean {', '.join(text.safe(prefix + item) for item in near)}?" if near else ""


def _leak(chosen: Selection, metric: str) -> Iterator[str]:
    from gitexp.ops.finding import leakage  # only a list that is ranked by a metric needs it

    workspace = chosen.index.workspace
    if leakage.is_test(workspace, metric):
        rows = search.values(chosen.index, [nodes.Field("id")], chosen.wanted, context=chosen.context)
        warning = leakage.used(workspace, metric, "log --sort", [row[0] for row in rows])
        yield from [warning] if warning else []


def _filters(workspace: Workspace, query: Query) -> Iterator[Node]:
    """Yield the conditions that the options and --where come to."""
    if query.where:
        yield parser.parse(query.where)
    for op, words in ((">=", query.since), ("<=", query.until)):
        if words:
            yield nodes.Compare(op, nodes.Field("start"), nodes.Literal(words))
    if query.status:
        yield nodes.Compare("=", nodes.Field("status"), nodes.Literal(query.status))
    if query.author:
        yield _matches("user", query.author)
    if query.mine:
        email = workspace.repo.config("user.email") or ""
        mine = nodes.Compare("=", nodes.Field("user"), nodes.Literal(email))
        yield nodes.Any((nodes.Truth(nodes.Field("own")), *([mine] if email else [])))
    if query.grep:
        yield nodes.Any(tuple(_matches(name, query.grep) for name in ("name", "title", "description", "tag", "note")))
    if query.best:
        yield nodes.IsMissing(nodes.Name("metric", query.best), negated=True)


def _matches(field: str, pattern: str) -> Node:
    try:
        re.compile(pattern)
    except re.error as error:
        hint = "escape its marks with \\"
        raise UsageError(f"{text.safe(pattern)!r} is not a regular expression: {error}", hint=hint) from error
    return nodes.Matches("~", nodes.Field(field), "(?i)" + pattern)


def _by_metric(workspace: Workspace, index: Index, metric: str) -> list[Order]:
    """Return the order of --best: by the value that stands for a metric, highest first where no way is known."""
    if not metric:
        return []
    if index.catalogue.column("metric", metric, "last") is None:
        raise NotFound(f"no run has the metric {text.safe(metric)!r}", hint="see them with: gitexp log --columns all")
    goal = goals.of(workspace, metric)
    return [nodes.Order(nodes.Name("metric", metric), descending=goal.best != "min")]


def _count(chosen: Selection) -> int:
    return search.count(chosen.index, chosen.wanted, context=chosen.context)


def _best(workspace: Workspace, chosen: Selection, listed: Sequence[Entry]) -> tuple[str, str] | None:
    """Return the main metric and the id of the best completed run by it, where there are two to choose from."""
    completed = nodes.Compare("=", nodes.Field("status"), nodes.Literal("completed"))
    ended = nodes.All((chosen.shown, completed))
    for metric in _main_metrics(workspace, chosen, ended, listed):
        goal = goals.of(workspace, metric)
        if not goal.best:
            continue
        value = nodes.Name("metric", metric)
        known = nodes.All((ended, nodes.IsMissing(value, negated=True), nodes.IsNan(value, negated=True)))
        order = [nodes.Order(value, descending=goal.best == "max")]
        found = search.values(chosen.index, [nodes.Field("id")], known, order, limit=2, context=chosen.context)
        if len(found) > 1:
            return metric, found[0][0]
    return None


def _main_metrics(workspace: Workspace, chosen: Selection, ended: Node, listed: Sequence[Entry]) -> list[str]:
    if main := workspace.settings.text("metric"):
        return [main]
    # Those of the newest run that has any: a wrapped script may log none. A list mostly shows it already.
    newest: Sequence[Entry] = [] if chosen.order or chosen.wanted != chosen.shown else listed
    newest = [run for run in newest if run.status == "completed" and run.summary] or search.entries(
        chosen.index, ended, limit=_LOOKED_AT, context=chosen.context
    )
    return next((headline.metrics(run.summary) for run in newest if run.summary), [])
