"""Runs by the names people give them: name, id, ref, commit, `@`, `@~2`, `@{max:val_auc}` (docs/names.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gitexp import canonical, ids, text
from gitexp.errors import Ambiguous, NotFound, UsageError
from gitexp.git import refs
from gitexp.index import database, names, search
from gitexp.index.database import Index
from gitexp.index.names import Place
from gitexp.ops.finding import goals, leakage, scope
from gitexp.query import nodes
from gitexp.record.facts import EMPTY, State
from gitexp.record.numbers import is_nan
from gitexp.record.summary import Aggregate
from gitexp.store import live, runs
from gitexp.store.runs import Artifact, Run
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    from gitexp.index.entry import Entry

_ID = re.compile(r"[k-z]{3,16}")
_SHA = re.compile(r"[0-9a-f]{4,40}")
_LEAF = re.compile(r"(.+)-([k-z]{7})")
_BACK = re.compile(r"@(?:~(\d{0,9}))?")
_BEST = re.compile(r"@\{(?:(last:)?(max|min)|(best)):(.+)\}")
_GLOB = re.compile(r"[*?\[]")
_LISTED = 12  # candidates named in one message
_COMPARED = 5000  # names that are looked at for near ones
_COMPLETED = 500  # names that a shell is offered
_CHUNK = 50  # runs that are looked up at once on the way back from the newest


def one(workspace: Workspace, name: str, *, removed: bool = False) -> Run:
    """Return the one run that `name` means; removed ones only when asked for.

    Raises NotFound with near names, Ambiguous with the candidates, UsageError for a form that does not exist.
    """
    index = database.of(workspace)
    if name.startswith("@"):
        return _special(index, name)
    found = _matching(index, name)
    if found and not removed:
        found = _present(found, name)
    if len(found) > 1:
        found = _named_exactly(found, name)
    if len(found) > 1:
        raise _ambiguous(found, f"{text.safe(name)!r} means {len(found)} runs")
    return load(workspace, found[0]) if found else _by_commit(index, name)


def many(workspace: Workspace, given: Iterable[str], *, removed: bool = False) -> list[Run]:
    """Return the runs that names and globs (`lr0.1*`, `churn/*`) mean, each once, in the order given.

    Raises NotFound for a glob that matches nothing, and what `one` raises.
    """
    found: dict[str, Run] = {}
    for name in given:
        is_glob = _GLOB.search(name) and not name.startswith("@")
        for run in _glob(workspace, name, removed) if is_glob else [one(workspace, name, removed=removed)]:
            found.setdefault(run.id, run)
    return list(found.values())


def recent(workspace: Workspace) -> Iterator[Run]:
    """Yield the runs recorded in this clone, live ones too, the newest start first: what `@`, `@~1` … count."""
    index, at = database.of(workspace), 0
    while found := names.recent(index, _CHUNK, at):
        yield from (load(workspace, place) for place in found)
        at += len(found)


def load(workspace: Workspace, found: Place | Entry) -> Run:
    """Return the run at a place, or of a row of a list; nothing is read yet."""
    if found.commit:
        return runs.load(workspace, found.commit, found.ref)
    run = live.by_id(workspace, found.id) or runs.by_id(workspace, found.id)  # it may have ended just now
    if run is None:
        raise NotFound(f"run {ids.short(found.id)} is gone", hint="list the runs with: gitexp log --all")
    return run


def _glob(workspace: Workspace, pattern: str, removed: bool) -> list[Run]:
    # Refs hold slugs; a pattern is folded the same way, but for its own marks.
    folded = "/".join(re.sub(r"[^\w.=+*?\[\]!-]+", "-", part) for part in pattern.casefold().split("/"))
    found = [place for place in names.matching(database.of(workspace), folded) if removed or not place.removed]
    if not found:
        raise NotFound(f"no run matches {text.safe(pattern)!r}", hint="list the runs with: gitexp log --all")
    return [load(workspace, place) for place in found]


def _special(index: Index, name: str) -> Run:
    if match := _BACK.fullmatch(name):
        back = 0 if name == "@" else int(match[1] or 1)
        found = names.recent(index, 1, back)
        if not found:
            raise NotFound(f"{name}: {_count_here(index)}", hint="list the runs with: gitexp log --all")
        return load(index.workspace, found[0])
    if match := _BEST.fullmatch(name):
        return _best(index, match[4], match[2] or "", last=bool(match[1]))
    raise UsageError(
        f"{text.safe(name)!r} names no run",
        hint="the forms are: @  @~2  @{best:METRIC}  @{max:METRIC}  @{min:METRIC}  @{last:max:METRIC}",
    )


def _count_here(index: Index) -> str:
    count = names.count_recent(index)
    return f"{text.plural(count, 'run')} recorded in this clone" if count else "no run was recorded in this clone"


def _best(index: Index, metric: str, direction: str, *, last: bool) -> Run:
    """Return the completed run of the current experiment that a metric says is best; among equals the newest."""
    workspace = index.workspace
    aggregate, direction = _goal(workspace, metric, direction, last=last)
    path = scope.current_experiment(workspace)
    ranked = nodes.Name("metric", metric, aggregate)
    wanted = nodes.All((scope.at(path), _is("status", "completed"), nodes.Not(nodes.Truth(nodes.Field("removed")))))
    order = [nodes.Order(ranked, descending=direction == "max")]
    found = search.entries(index, wanted, order, limit=1, context=goals.context(workspace))
    value = value_of(found[0], metric, aggregate) if found else None
    if value is None or is_nan(value):
        raise NotFound(
            f"no completed run of {path} has the metric {text.safe(metric)!r}",
            hint="see the metrics with: gitexp log --columns all",
        )
    if leakage.is_test(workspace, metric):  # counted here, said by the next list or gate
        ranked_ids = search.values(index, [nodes.Field("id")], wanted, context=goals.context(workspace))
        leakage.used(workspace, metric, "@{…}", [run_id for (run_id,) in ranked_ids])
    return load(workspace, found[0])


def _goal(workspace: Workspace, metric: str, direction: str, *, last: bool) -> tuple[str, str]:
    """Return which value counts, and whether the greatest or the smallest is the best; said by the name or known."""
    if direction:
        return "last" if last else direction, direction
    goal = goals.of(workspace, metric)
    if not goal.best:
        raise UsageError(
            f"which way {text.safe(metric)!r} is better is not known",
            hint=f"name it: @{{max:{metric}}} or @{{min:{metric}}}; for always: {goals.saying(workspace, metric)}",
        )
    return goal.aggregate, goal.best


def _is(field: str, value: str) -> nodes.Node:
    return nodes.Compare("=", nodes.Field(field), nodes.Literal(value))


def _matching(index: Index, name: str) -> list[Place]:
    """Return the runs that a name, experiment/name, ref (or its end) or id prefix means, the newest first."""
    found = names.by_slug(index, ids.slug(name))
    parts = name.split("/")
    for at in range(1, len(parts)):  # names of runs may hold slashes too
        experiment, slug = "/".join(parts[:at]), ids.slug("/".join(parts[at:]))
        for path in (experiment, _slug_of(experiment)):
            found += names.by_path(index, path, slug)
    path, _, leaf = name.removeprefix("refs/").removeprefix("experiments/").rpartition("/")
    if match := _LEAF.fullmatch(leaf):
        found += [place for place in names.by_slug(index, match[1], match[2]) if path in ("", place.path)]
    if _ID.fullmatch(name):
        found += names.by_id(index, name)
    return names.unique(found)


def _slug_of(experiment: str) -> str:
    """Return the path of an experiment first called so."""
    return ids.experiment_slug(experiment) if experiment.strip("/") else ""


def _present(found: Sequence[Place], name: str) -> list[Place]:
    kept = [place for place in found if not place.removed]
    if not kept:
        raise NotFound(f"run {text.safe(name)!r} was removed", hint=f"gitexp undelete {name}")
    return kept


def _named_exactly(found: Sequence[Place], name: str) -> list[Place]:
    """Return the only run whose name, id or ref is `name` to the letter, else all."""
    is_id = _ID.fullmatch(name) is not None and len(name) > ids.SHORT
    exact = [
        place
        for place in found
        if name in (place.name, place.id, place.ref, f"{place.experiment}/{place.name}")
        or (is_id and place.id.startswith(name))
    ]
    return exact if len(exact) == 1 else list(found)


def _by_commit(index: Index, name: str) -> Run:
    workspace = index.workspace
    found = names.by_commit(index, name) if _SHA.fullmatch(name) else []
    if len(found) > 1:
        raise _ambiguous(found, f"{name} begins {len(found)} run commits")
    if found:
        return load(workspace, found[0])
    commit = refs.resolve(workspace.repo, name)
    if commit is None:
        raise _not_found(index, name)
    if tip := names.by_commit(index, commit):
        return load(workspace, tip[0])
    if runs.head(workspace, "", commit) is not None:
        return runs.load(workspace, commit)  # an earlier tip of a resumed run
    code = names.by_code(index, commit)
    what = f"{text.safe(name)!r} is the code commit {commit[:7]}"
    if not code:
        raise NotFound(f"{what}, which no run has run", hint="list the runs with: gitexp log --all")
    raise _ambiguous(code, f"{what}, not a run; {text.plural(len(code), 'run')} of it")


def _not_found(index: Index, name: str) -> NotFound:
    import difflib  # a list of runs, which finds none, does without

    known = sorted(names.slugs(index, _COMPARED, with_path="/" in name))
    near = difflib.get_close_matches(name.casefold(), known, n=3, cutoff=0.5)
    if _ID.fullmatch(name):
        near += sorted(ids.short(place.id) for place in names.near_ids(index, name, 3))
    hint = f"did you mean: {', '.join(near)}" if near else "list the runs with: gitexp log --all"
    return NotFound(f"no run {text.safe(name)!r}", hint=hint)


def _ambiguous(found: Sequence[Place], message: str) -> Ambiguous:
    lines = [f"{ids.short(place.id)}  {place.typed}" for place in found[:_LISTED]]
    if len(found) > _LISTED:
        lines.append(f"and {len(found) - _LISTED} more")
    return Ambiguous(message, hint="name one of them by its id", candidates=lines)


def completions(workspace: Workspace, beginning: str) -> list[tuple[str, str]]:
    """Return (what can be typed, what it is) for runs whose name, experiment/name or id begins so, newest first."""
    found: dict[str, str] = {}
    for place in names.beginning(database.of(workspace), beginning, _COMPLETED):
        typed = (place.typed,) if not beginning else (place.slug, place.typed, ids.short(place.id))
        if name := next((name for name in typed if name.startswith(beginning)), None):
            found.setdefault(name, f"{ids.short(place.id)} {place.typed}")
    return list(found.items())


def experiment_names(workspace: Workspace) -> list[str]:
    """Return the paths of the experiments that have runs."""
    return [level.path for level in names.levels(database.of(workspace))]


def value_of(run: Run | Entry, metric: str, aggregate: str) -> int | float | None:
    """Return one aggregate (last, min, max, mean, first) of a run's metric, None where it has none.

    What the user set in the summary stands for all of them.
    """
    summary = run.summary.get(metric)
    if summary is None:
        return None
    return summary.set if summary.set is not None else getattr(summary, aggregate)


def code(workspace: Workspace, run: Run) -> str | None:
    """Return the commit of the code that ran, RUN^: a snapshot of edits or the user's own; None on an unborn branch."""
    for parent in run.record.parents:
        if parent.role == "code":
            return parent.commit
    return None


def describe(run: Run, state: State = EMPTY, *, experiment: str = "") -> dict[str, Any]:
    """Return a run as the JSON that every command, the SDK and the web give of it (docs/scripting.md).

    `experiment` is what its experiment is called now, where that is not what the record says.
    """
    record = run.record
    return {
        "id": run.id,
        "name": run.name,
        "title": state.title,
        "experiment": experiment or run.experiment,
        "experiment_id": record.experiment_id,
        "status": run.status,
        "live": run.live,
        "ref": run.ref or None,
        "commit": run.commit or None,
        "start": canonical.iso(record.start_ms),
        "end": None if record.end_ms is None else canonical.iso(record.end_ms),
        "duration": record.duration_seconds,
        "command": list(record.command),
        "exit_code": record.exit_code,
        "error": record.error,
        "reasons": [reason.to_json() for reason in record.reasons],
        "violations": list(record.violations),
        "user": record.user,
        "host": record.host,
        "seeds": record.seeds,
        "description": state.description or record.description,
        "tags": state.tags_over(record.tags),
        "notes": [note.to_json() for note in state.notes],
        "parent": record.parent,
        "forked_from": record.forked_from,
        "code": record.code,
        "params": run.params,
        "metrics": {name: _aggregate(value) for name, value in run.summary.items()},
        "posts": state.posts,
        "verdicts": state.verdicts,
        "data": run.data,
        "artifacts": [{**_artifact(artifact), **run.facts_of(artifact.name)} for artifact in run.artifacts],
        "links": [{"name": name, **link} for name, link in sorted(run.links.items())],
        "used": [use.to_json() for use in run.used],
        "cost": record.cost,
        "lost": record.lost,
        "archived": state.archived,
        "favourite": state.favourite,
        "removed": state.removed,
    }


def _aggregate(value: Aggregate) -> dict[str, Any]:
    return {"value": value.value, **value.to_json()}


def _artifact(artifact: Artifact) -> dict[str, Any]:
    return {"name": artifact.name, "size": artifact.size_bytes, "sha256": artifact.sha256}
