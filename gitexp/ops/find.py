"""Runs by the names people give them: name, id, ref, commit, `@`, `@~2`, `@{max:val_auc}` (docs/names.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any

from gitexp import canonical, ids, text
from gitexp.errors import Ambiguous, Damaged, NotFound, UsageError
from gitexp.git import refs
from gitexp.ops.places import Place, Places
from gitexp.record.facts import EMPTY, Note, State
from gitexp.record.summary import Aggregate, is_nan
from gitexp.store import runs
from gitexp.store.runs import Artifact, Run
from gitexp.store.workspace import Workspace

_ID = re.compile(r"[k-z]{3,16}")
_SHA = re.compile(r"[0-9a-f]{4,40}")
_BACK = re.compile(r"@(?:~(\d{0,9}))?")
_BEST = re.compile(r"@\{(last:)?(max|min):(.+)\}")
_GLOB = re.compile(r"[*?\[]")
_LISTED = 12  # candidates named in one message
_COMPARED = 5000  # names that are looked at for near ones


def one(workspace: Workspace, name: str, *, removed: bool = False) -> Run:
    """Return the one run that `name` means; removed ones only when asked for.

    Raises NotFound with near names, Ambiguous with the candidates, UsageError for a form that does not exist.
    """
    return _one(Places(workspace), name, removed=removed)


def _one(places: Places, name: str, *, removed: bool) -> Run:
    if name.startswith("@"):
        return _special(places, name)
    found = _matching(places, name)
    if found and not removed:
        found = _present(places, found, name)
    if len(found) > 1:
        found = _named_exactly(places, found, name)
    if len(found) > 1:
        raise _ambiguous(places, found, f"{text.safe(name)!r} means {len(found)} runs")
    return places.load(found[0]) if found else _by_commit(places, name)


def many(workspace: Workspace, names: Iterable[str], *, removed: bool = False) -> list[Run]:
    """Return the runs that names and globs (`lr0.1*`, `churn/*`) mean, each once, in the order given.

    Raises NotFound for a glob that matches nothing, and what `one` raises.
    """
    places = Places(workspace)
    found: dict[str, Run] = {}
    for name in names:
        is_glob = _GLOB.search(name) and not name.startswith("@")
        for run in _glob(places, name, removed) if is_glob else [_one(places, name, removed=removed)]:
            found.setdefault(run.id, run)
    return list(found.values())


def recent(workspace: Workspace) -> Iterator[Run]:
    """Yield the runs recorded in this clone, live ones too, the newest start first: what `@`, `@~1` … count."""
    places = Places(workspace)
    return (places.load(place) for place in places.recent())


def _glob(places: Places, pattern: str, removed: bool) -> list[Run]:
    # Refs hold slugs; a pattern is folded the same way, but for its own marks.
    folded = "/".join(re.sub(r"[^\w.=+*?\[\]!-]+", "-", part) for part in pattern.casefold().split("/"))
    found = [place for place in places.listing if fnmatchcase(place.name if "/" in pattern else place.slug, folded)]
    if not removed:
        found = [place for place in found if not places.is_removed(place)]
    if not found:
        raise NotFound(f"no run matches {text.safe(pattern)!r}", hint="list the runs with: gitexp log --all")
    return [places.load(place) for place in places.by_age(found)]


def _special(places: Places, name: str) -> Run:
    if match := _BACK.fullmatch(name):
        back = 0 if name == "@" else int(match[1] or 1)
        found = next(islice(places.recent(), back, None), None)
        if found is None:
            raise NotFound(f"{name}: {_count_here(places)}", hint="list the runs with: gitexp log --all")
        return places.load(found)
    if match := _BEST.fullmatch(name):
        return _best(places, match[3], match[2], "last" if match[1] else match[2])
    raise UsageError(
        f"{text.safe(name)!r} names no run",
        hint="the forms are: @  @~2  @{max:METRIC}  @{min:METRIC}  @{last:max:METRIC}",
    )


def _count_here(places: Places) -> str:
    count = sum(1 for _ in places.recent())
    return f"{text.plural(count, 'run')} recorded in this clone" if count else "no run was recorded in this clone"


def _best(places: Places, metric: str, direction: str, aggregate: str) -> Run:
    path = places.current_experiment()
    best: tuple[float, int, Run] | None = None
    for place in places.listing:
        head = places.head(place)
        if place.path != path or head is None or head.status != "completed":
            continue
        try:
            value = value_of(places.load(place), metric, aggregate)
        except Damaged:  # one record that does not parse must not hide the others
            continue
        if value is None or is_nan(value) or places.is_removed(place):
            continue
        rank = (value if direction == "max" else -value, head.start_ms, places.load(place))
        if best is None or rank[:2] > best[:2]:
            best = rank
    if best is None:
        raise NotFound(
            f"no completed run of {path} has the metric {text.safe(metric)!r}",
            hint="see the metrics with: gitexp log --columns all",
        )
    return best[2]


def value_of(run: Run, metric: str, aggregate: str) -> int | float | None:
    """Return one aggregate (last, min, max, mean, first) of a run's metric, None where it has none.

    What the user set in the summary stands for all of them.
    """
    summary = run.summary.get(metric)
    if summary is None:
        return None
    return summary.set if summary.set is not None else getattr(summary, aggregate)


def _matching(places: Places, name: str) -> list[Place]:
    """Return the runs that a name, experiment/name, ref (or its end) or id prefix means."""
    short = name.removeprefix("refs/").removeprefix("experiments/")
    is_id = _ID.fullmatch(name) is not None
    slug, paths = ids.slug(name), _paths(places, name) if "/" in name else set()
    found = []
    for place in places.listing:
        leaf = f"{place.slug}-{ids.short(place.id)}"
        if (
            place.slug == slug
            or (place.path, place.slug) in paths
            or short in (f"{place.path}/{leaf}", leaf)
            or (is_id and (place.id.startswith(name) or name.startswith(place.id)))
        ):
            found.append(place)
    return found


def _paths(places: Places, name: str) -> set[tuple[str, str]]:
    """Return what (experiment path, run slug) a name with slashes can mean; run names may hold slashes too."""
    parts, found = name.split("/"), set()
    for at in range(1, len(parts)):
        experiment, leaf = "/".join(parts[:at]), ids.slug("/".join(parts[at:]))
        found |= {(experiment, leaf), (ids.experiment_slug(experiment), leaf)}
        found |= {(path, leaf) for path, now in places.renamed.items() if now == experiment}
    return found


def _present(places: Places, found: Sequence[Place], name: str) -> list[Place]:
    kept = [place for place in found if not places.is_removed(place)]
    if not kept:
        raise NotFound(f"run {text.safe(name)!r} was removed", hint=f"gitexp undelete {name}")
    return kept


def _named_exactly(places: Places, found: Sequence[Place], name: str) -> list[Place]:
    """Return the only run whose name, id or ref is `name` to the letter, else all."""
    exact = []
    for place in found:
        known = place.live.start.record if place.live is not None else places.head(place)
        names = (known.name, known.id, place.ref, f"{known.experiment}/{known.name}") if known is not None else ()
        is_id = _ID.fullmatch(name) and len(name) > ids.SHORT and places.id_of(place).startswith(name)
        if name in names or is_id:
            exact.append(place)
    return exact if len(exact) == 1 else list(found)


def _by_commit(places: Places, name: str) -> Run:
    known = places.listing
    found = [place for place in known if place.commit.startswith(name)] if _SHA.fullmatch(name) else []
    if len(found) > 1:
        raise _ambiguous(places, found, f"{name} begins {len(found)} run commits")
    if found:
        return places.load(found[0])
    commit = refs.resolve(places.workspace.repo, name)
    if commit is None:
        raise _not_found(known, name)
    if (place := next((place for place in known if place.commit == commit), None)) is not None:
        return places.load(place)
    if runs.head(places.workspace, "", commit) is not None:
        return runs.load(places.workspace, commit)  # an earlier tip of a resumed run
    code = places.by_code(commit)
    what = f"{text.safe(name)!r} is the code commit {commit[:7]}"
    if not code:
        raise NotFound(f"{what}, which no run has run", hint="list the runs with: gitexp log --all")
    raise _ambiguous(places, code, f"{what}, not a run; {text.plural(len(code), 'run')} of it")


def _not_found(known: Sequence[Place], name: str) -> NotFound:
    import difflib  # a list of runs, which finds none, does without

    names = {place.name if "/" in name else place.slug for place in known}
    near = difflib.get_close_matches(name.casefold(), sorted(names)[:_COMPARED], n=3, cutoff=0.5)
    near += sorted({ids.short(place.id) for place in known if _close_id(place.id, name)})[:3]
    hint = f"did you mean: {', '.join(near)}" if near else "list the runs with: gitexp log --all"
    return NotFound(f"no run {text.safe(name)!r}", hint=hint)


def _close_id(run_id: str, name: str) -> bool:
    if not _ID.fullmatch(name):
        return False
    return sum(a != b for a, b in zip(run_id, name, strict=False)) <= 1


def _ambiguous(places: Places, found: Sequence[Place], message: str) -> Ambiguous:
    newest = places.by_age(found)
    lines = [f"{ids.short(place.id)}  {place.name}" for place in newest[:_LISTED]]
    if len(found) > _LISTED:
        lines.append(f"and {len(found) - _LISTED} more")
    return Ambiguous(message, hint="name one of them by its id", candidates=lines)


def completions(workspace: Workspace, beginning: str) -> list[tuple[str, str]]:
    """Return (what can be typed, what it is) for the runs whose name, experiment/name or id begins so."""
    found: dict[str, str] = {}
    for place in Places(workspace).listing:
        typed = (place.name,) if not beginning else (place.slug, place.name, ids.short(place.id))
        if name := next((name for name in typed if name.startswith(beginning)), None):
            found.setdefault(name, f"{ids.short(place.id)} {place.name}")
    return list(found.items())


def experiment_names(workspace: Workspace) -> list[str]:
    """Return the paths of the experiments that have runs."""
    return sorted({place.path for place in Places(workspace).listing})


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
        "user": record.user,
        "host": record.host,
        "seeds": record.seeds,
        "description": state.description or record.description,
        "tags": state.tags_over(record.tags),
        "notes": [_note(note) for note in state.notes],
        "parent": record.parent,
        "forked_from": record.forked_from,
        "code": record.code,
        "params": run.params,
        "metrics": {name: _aggregate(value) for name, value in run.summary.items()},
        "posts": state.posts,
        "verdicts": state.verdicts,
        "data": run.data,
        "artifacts": [_artifact(artifact) for artifact in run.artifacts],
        "cost": record.cost,
        "lost": record.lost,
        "archived": state.archived,
        "favourite": state.favourite,
        "removed": state.removed,
    }


def _note(note: Note) -> dict[str, Any]:
    author = {"name": note.author.name, "email": note.author.email}
    return {"id": note.id, "time": canonical.iso(note.time_ms), "author": author, "text": note.text}


def _aggregate(value: Aggregate) -> dict[str, Any]:
    return {"value": value.value, **value.to_json()}


def _artifact(artifact: Artifact) -> dict[str, Any]:
    return {"name": artifact.name, "size": artifact.size_bytes, "sha256": artifact.sha256}
