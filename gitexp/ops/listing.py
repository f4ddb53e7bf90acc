"""The list of runs: which ones, in which order, and what their experiment has in all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gitexp import ids, text
from gitexp.errors import Damaged, NotFound, Unsupported, UsageError
from gitexp.git import command
from gitexp.ops import find, goals
from gitexp.ops.places import Place, Places
from gitexp.record import message
from gitexp.record.facts import EMPTY, State
from gitexp.record.summary import is_nan
from gitexp.store import experiments, reflog, runs
from gitexp.store.runs import Head, Run
from gitexp.store.workspace import Workspace

_SAID = re.compile(r"^(.+): last (\S+), min (\S+), max (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for; an empty field asks for nothing. Times in milliseconds."""

    experiment: str = ""  # a name or path; "" is the current one
    every: bool = False  # of all experiments where none is named, archived runs too
    removed: bool = False  # the removed ones instead
    limit: int | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    author: str = ""
    grep: str = ""
    mine: bool = False
    status: str = ""
    best: str = ""  # a metric: its best run first
    revisions: tuple[str, ...] = ()  # main..HEAD: runs of those commits


@dataclass(frozen=True, slots=True)
class Row:
    """One run of the list, before its record is read."""

    place: Place
    id: str
    experiment: str
    name: str
    status: str
    author: str
    start_ms: int
    message: str
    state: State


@dataclass(frozen=True, slots=True)
class Listing:
    """The runs asked for (newest first, or the best), and the counts of all runs of the same experiments."""

    title: str
    total: int
    running: int
    failed: int
    archived: int
    unpushed: int | None  # None: there is no remote
    best: tuple[str, str] | None  # the main metric, and the id of its best run
    matched: int
    strange: int  # refs that hold no run
    rows: tuple[Row, ...]
    newest: str  # the id of the newest run recorded here, or its beginning
    other_experiments: int


def collect(workspace: Workspace, query: Query) -> Listing:
    """Return the runs that a query asks for, and what there is in all."""
    places = Places(workspace)
    path = "" if query.every and not query.experiment else _path(places, query.experiment)
    listed = [place for place in places.listing if _is_below(place.path, path)]
    rows = _rows(places, listed)
    if query.removed:
        rows = [row for row in rows if row.state.removed]
    else:
        rows = [row for row in rows if not row.state.removed]
    shown = [row for row in rows if query.every or query.removed or not row.state.archived]
    tests = _tests(places, query)
    found = [row for row in shown if all(test(row) for test in tests)]
    if query.best:
        found = _by_metric(workspace, found, query.best)
    return Listing(
        title=_title(rows, path),
        total=len(rows),
        running=sum(row.status == "running" for row in rows),
        failed=sum(row.status == "failed" for row in rows),
        archived=len(rows) - len(shown),
        unpushed=_unpushed(workspace, rows),
        best=_best(workspace, shown) if path else None,
        matched=len(found),
        strange=sum(place.live is None and places.head(place) is None for place in listed),
        rows=tuple(found[: query.limit]),
        newest=_id(places.newest),
        other_experiments=len({place.path for place in places.listing if not _is_below(place.path, path)}),
    )


def load(workspace: Workspace, row: Row) -> Run:
    """Return the run of a row."""
    return row.place.live or runs.load(workspace, row.place.commit, row.place.ref)


def read(workspace: Workspace, row: Row) -> tuple[Run | None, str]:
    """Return the run of a row with what lists show of it read; (None, why) where its record does not parse."""
    run = load(workspace, row)
    try:
        _ = run.record, run.flat_params, run.summary
    except (Damaged, Unsupported) as error:
        return None, error.message
    return run, ""


def oneline(row: Row) -> str:
    """Return a run as one line: its short id and its commit's subject."""
    return f"{ids.short(row.id)} {text.safe(row.message.partition(chr(10))[0])}"


def describe(workspace: Workspace, listing: Listing) -> list[dict[str, Any]]:
    """Return the JSON of the runs of a list; one that does not parse has what its commit says, and why as `damaged`."""
    found = []
    for row in listing.rows:
        try:
            found.append(find.describe(load(workspace, row), row.state, experiment=row.experiment))
        except (Damaged, Unsupported) as error:
            known = {"id": row.id, "name": row.name, "experiment": row.experiment, "status": row.status}
            found.append({**known, "ref": row.place.ref, "commit": row.place.commit, "damaged": error.message})
    return found


def _rows(places: Places, found: Iterable[Place]) -> list[Row]:
    """Return the rows of some runs, the newest first."""
    states, rows = places.states, []
    for place in places.by_age(found):
        if place.live is not None:
            rows.append(_live_row(places, place, place.live, states))
        elif (head := places.head(place)) is not None:
            rows.append(_stored_row(places, place, head, states))
    return rows


def _live_row(places: Places, place: Place, run: Run, states: Mapping[str, State]) -> Row:
    record, user = run.record, run.record.user
    author = f"{user.get('name', '')} <{user.get('email', '')}>"
    subject = f"{record.experiment}/{record.name}: {record.status}\n\n{record.description}"
    experiment = places.renamed.get(place.path, record.experiment)
    state = states.get(run.id, EMPTY)
    return Row(place, run.id, experiment, run.name, run.status, author, record.start_ms, subject, state)


def _stored_row(places: Places, place: Place, head: Head, states: Mapping[str, State]) -> Row:
    experiment = places.renamed.get(place.path, head.experiment)
    state = states.get(head.id, EMPTY)
    return Row(place, head.id, experiment, head.name, head.status, head.author, head.start_ms, head.message, state)


def _id(place: Place | None) -> str:
    return "" if place is None else place.id


def _path(places: Places, name: str) -> str:
    if not name:
        return places.current_experiment()
    group = name.strip("/")
    if any(_is_below(place.path, group) for place in places.listing):
        return group
    return experiments.resolve(places.workspace, name).path


def _is_below(path: str, above: str) -> bool:
    return not above or path == above or path.startswith(above + "/")


def _title(rows: list[Row], path: str) -> str:
    names = {row.experiment for row in rows if row.place.path == path}
    return names.pop() if len(names) == 1 else path or "all experiments"


def _tests(places: Places, query: Query) -> list[Callable[[Row], bool]]:
    """Return the tests that a row has to pass, the cheap ones first."""
    workspace = places.workspace
    tests: list[Callable[[Row], bool]] = []
    if query.since_ms is not None:
        tests.append(lambda row, since=query.since_ms: row.start_ms >= since)  # type: ignore[misc]  # bound here
    if query.until_ms is not None:
        tests.append(lambda row, until=query.until_ms: row.start_ms <= until)  # type: ignore[misc]  # bound here
    if query.status:
        tests.append(lambda row: row.status == query.status)
    if query.author:
        author = _pattern(query.author)
        tests.append(lambda row: author.search(row.author) is not None)
    if query.mine:
        email, own = workspace.repo.config("user.email") or "", reflog.recorded(workspace)
        tests.append(lambda row: bool(row.place.live or row.place.ref in own or (email and f"<{email}>" in row.author)))
    if query.revisions:
        commits = _commits(workspace, query.revisions)
        tests.append(lambda row: not commits.isdisjoint(places.codes(row.place)))
    if query.grep:
        wanted = _pattern(query.grep)
        tests.append(lambda row: any(wanted.search(item) for item in _texts(row)))
    return tests


def _pattern(wanted: str) -> re.Pattern[str]:
    try:
        return re.compile(wanted, re.IGNORECASE)
    except re.error as error:
        raise UsageError(f"{wanted!r} is not a regular expression: {error}", hint="escape its marks with \\") from error


def _texts(row: Row) -> list[str]:
    tags = [f"{key}={value}" if value else key for key, value in row.state.tags.items()]
    return [row.message, row.state.title or "", row.state.description or "", *tags, *(n.text for n in row.state.notes)]


def _commits(workspace: Workspace, revisions: tuple[str, ...]) -> frozenset[str]:
    """Return the commits of Git's own revision ranges."""
    done = command.run(workspace.repo, "rev-list", "--end-of-options", *revisions, "--", check=False)
    if done.code:
        said = done.stderr.strip().splitlines()[:1]
        raise NotFound(
            f"no commits {' '.join(map(text.safe, revisions))!r}: {text.safe(said[0]) if said else done.code}",
            hint="give a range such as main..HEAD; runs of one experiment: gitexp log -e NAME",
        )
    return frozenset(done.stdout.decode().split())


def _by_metric(workspace: Workspace, rows: list[Row], metric: str) -> list[Row]:
    found = _ranked(workspace, rows, metric)
    if rows and not found:
        raise NotFound(f"no run has the metric {text.safe(metric)!r}", hint="see them with: gitexp log --columns all")
    return found


def _ranked(workspace: Workspace, rows: Iterable[Row], metric: str) -> list[Row]:
    """Return the runs that have a metric, its best first; those whose value is NaN last."""
    goal = goals.of(workspace, metric)
    ranked = []
    for row in rows:
        run, _ = read(workspace, row)
        value = find.value_of(run, metric, goal.aggregate) if run is not None else None
        if value is not None:
            ranked.append((value if goal.best != "min" else -value, row))
    return [row for _, row in sorted(ranked, key=lambda item: _rank(item[0]), reverse=True)]


def _rank(value: float) -> tuple[bool, float]:
    return (False, 0.0) if is_nan(value) else (True, value)


def _unpushed(workspace: Workspace, rows: list[Row]) -> int | None:
    """Count the finished runs of this clone that no remote is known to hold; None where there is no remote."""
    if not workspace.repo.has_remotes:
        return None
    from gitexp.store import remotes  # without one, a list does without

    held = {(ref, oid) for refs in remotes.holdings(workspace).values() for ref, oid in refs.items()}
    own = reflog.recorded(workspace)
    return sum(row.place.ref in own and (row.place.ref, row.place.commit) not in held for row in rows)


def _best(workspace: Workspace, rows: list[Row]) -> tuple[str, str] | None:
    """Return the main metric and the id of the best completed run by it, from the commits' messages."""
    ended = [row for row in rows if row.status == "completed"]
    for metric in _main_metrics(workspace, ended):
        goal = goals.of(workspace, metric)
        if not goal.best:
            continue
        said = {row.id: value for row in ended if (value := _said(row, metric, goal.best)) is not None}
        if len(said) < 2:
            continue
        # Messages are rounded: among those that look equal, the records decide.
        for value in sorted(set(said.values()), reverse=goal.best == "max"):
            found = _ranked(workspace, (row for row in ended if said.get(row.id) == value), metric)
            if found:
                return metric, found[0].id
    return None


def _main_metrics(workspace: Workspace, rows: list[Row]) -> list[str]:
    if chosen := workspace.settings.text("metric"):
        return [chosen]
    # Those of the newest run that has any: a wrapped script may log none.
    return next((found for row in rows if (found := [match[1] for match in _SAID.finditer(row.message)])), [])


def _said(row: Row, metric: str, aggregate: str) -> float | None:
    """Return what a run's commit message says of a metric, rounded; None for nothing or NaN."""
    for match in _SAID.finditer(row.message):
        if match[1] == message.one_line(metric):
            try:
                value = float(match[3] if aggregate == "min" else match[4])
            except ValueError:
                return None
            return None if is_nan(value) else value
    return None


def time_ms(workspace: Workspace, words: str) -> int:
    """Return a time, ISO 8601 or as Git reads it: 2026-11-20, `yesterday`, `2 weeks ago`."""
    try:
        moment = datetime.fromisoformat(words)
    except ValueError:
        said = command.run(workspace.repo, "rev-parse", f"--since={words}").stdout.decode().strip()
        return int(said.removeprefix("--max-age=")) * 1000
    return round(moment.astimezone().timestamp() * 1000)  # one without a zone is local
