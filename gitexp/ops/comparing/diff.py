"""What differs between runs: metrics, and all that may be the cause of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, TypeVar

from gitexp import canonical, ids, text
from gitexp.errors import Damaged, NotFound, UsageError
from gitexp.git import compare as git_compare
from gitexp.git import objects
from gitexp.ops.comparing import aliases, difference
from gitexp.ops.comparing.difference import MISSING, MetricRow, Row
from gitexp.ops.finding import code, find, listing
from gitexp.ops.finding.code import CodeDifference
from gitexp.ops.finding.listing import Query
from gitexp.store.runs import Artifact, Run
from gitexp.store.workspace import Workspace

T = TypeVar("T")
MANY = 12  # runs of a query that are compared where no limit is given
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two or more runs side by side. A part that cannot be read in some run is empty there, and named in `unread`."""

    runs: tuple[Run, ...]
    metrics: tuple[MetricRow, ...]
    params: tuple[Row, ...]
    command: Row
    code: CodeDifference
    data: tuple[Row, ...]
    seeds: tuple[Row, ...]
    packages: tuple[Row, ...]
    surroundings: tuple[Row, ...]
    has_environment: tuple[bool, ...]
    artifacts: tuple[Row, ...]  # values are Artifact
    same_artifacts: frozenset[str] = frozenset()  # names of those with equal bytes everywhere
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that differs and may be why the metrics do."""

    kind: str  # param, command, code, dataset, seed, package, Python, variable, machine
    name: str


def pick(workspace: Workspace, names: Sequence[str]) -> list[Run]:
    """Return the runs to compare: those named, one against `@`, or the last two recorded here, the older first."""
    if not names:
        newest = list(islice(find.recent(workspace), 2))
        if len(newest) < 2:
            raise NotFound(
                f"comparing needs two runs, and {len(newest) or 'none'} was recorded in this clone",
                hint="name two: gitexp diff A B   (list them with: gitexp log)",
            )
        return newest[::-1]
    found = find.many(workspace, names)
    if len(names) == 1 and _GLOB.search(names[0]) and not names[0].startswith("@"):
        found.sort(key=lambda run: run.record.start_ms)
    elif len(names) == 1:
        found = [*found, *(run for run in find.many(workspace, ["@"]) if run.id != found[0].id)]
    if len(found) < 2:
        raise UsageError(
            f"comparing needs two runs: {' and '.join(map(text.safe, names))} is {ids.short(found[0].id)} alone",
            hint="name another: gitexp diff @~1 @",
        )
    return found


def matching(workspace: Workspace, names: Sequence[str], asked: Query) -> tuple[list[Run], bool]:
    """Return the runs named and those of a query, in its order or else the older first, and whether more match."""
    limit = MANY if asked.limit is None else asked.limit
    entries = listing.entries(workspace, replace(asked, limit=limit + 1))
    chosen = entries[:limit] if asked.sort else entries[:limit][::-1]
    found = {run.id: run for run in find.many(workspace, names)}
    found |= {entry.id: find.load(workspace, entry) for entry in chosen if entry.id not in found}
    if len(found) < 2:
        raise NotFound(
            f"comparing needs two runs, and {text.plural(len(found), 'run')} matched", hint="gitexp log --where '…'"
        )
    return list(found.values()), len(entries) > limit


def compare(workspace: Workspace, runs: Sequence[Run]) -> Comparison:
    """Compare two or more runs."""
    read = _Reader(runs)
    environments: list[dict[str, Any]] = read.each("environment.json", lambda run: run.environment, {})
    artifacts, same_artifacts = _artifacts(workspace, read.each("artifacts", lambda run: run.artifacts, []))
    return Comparison(
        runs=tuple(runs),
        metrics=difference.metrics(workspace, read.readable("summary.json", lambda run: run.summary)),
        params=aliases.merge(
            difference.rows(read.each("params.json", lambda run: run.flat_params, {})), aliases.groups(workspace)
        ),
        command=Row("command", tuple(list(run.record.command) for run in runs)),
        code=code.difference(workspace, runs),
        data=difference.rows(read.each("data.json", difference.datasets, {})),
        seeds=difference.rows([run.record.seeds for run in runs]),
        packages=difference.rows([difference.packages(found) for found in environments]),
        surroundings=difference.rows(
            [difference.surroundings(run, found) for run, found in zip(runs, environments, strict=True)]
        ),
        has_environment=tuple(bool(found) for found in environments),
        artifacts=artifacts,
        same_artifacts=same_artifacts,
        unread=tuple(read.unread),
    )


def with_metrics(found: Comparison, wanted: Sequence[str]) -> Comparison:
    """Return a comparison with only the metrics that names or globs mean; raises NotFound for one that means none."""
    kept = tuple(row for row in found.metrics if any(fnmatchcase(row.name, name) for name in wanted))
    for name in wanted:
        if not any(fnmatchcase(row.name, name) for row in kept):
            known = ", ".join(text.safe(row.name) for row in found.metrics) or "none"
            raise NotFound(f"no metric {text.safe(name)!r} in these runs", hint=f"they have: {known}")
    return replace(found, metrics=kept)


@dataclass(slots=True)
class _Reader:
    """Reads one part of every run; what is damaged, or not here, is named and left out."""

    runs: Sequence[Run]
    unread: list[str] = field(default_factory=list)

    def each(self, part: str, read: Callable[[Run], T], empty: T) -> list[T]:
        found = []
        for label, run in zip(labels(len(self.runs)), self.runs, strict=True):
            try:
                found.append(read(run))
            except Damaged as error:
                found.append(empty)
                self.unread.append(f"{part} of {label} cannot be read: {error.message}")
        return found

    def readable(self, part: str, read: Callable[[Run], object]) -> Sequence[Run]:
        found = self.each(part, read, None)
        return self.runs if all(item is not None for item in found) else ()


def labels(count: int) -> list[str]:
    """Return A, B … Z, then the numbers from 27."""
    return [chr(ord("A") + i) if i < 26 else str(i + 1) for i in range(count)]


def _artifacts(workspace: Workspace, sides: Sequence[Sequence[Artifact]]) -> tuple[tuple[Row, ...], frozenset[str]]:
    found = difference.rows([{artifact.name: artifact for artifact in side} for side in sides])
    return found, frozenset(row.name for row in found if _same_bytes(workspace, row.values))


def _same_bytes(workspace: Workspace, values: Sequence[Any]) -> bool:
    """Say whether artifacts are equal: by blob, else by sha256 (that of a small one is computed), else not known."""
    if any(value is MISSING for value in values) or len({value.size_bytes for value in values}) > 1:
        return False
    oids = {value.oid for value in values}
    if len(oids) == 1 and "" not in oids:
        return True
    digests = {value.sha256 or _digest(workspace, value) for value in values}
    return len(digests) == 1 and "" not in digests


def _digest(workspace: Workspace, artifact: Artifact) -> str:
    from hashlib import sha256

    try:
        return sha256(objects.read_blob(workspace.repo, artifact.oid)).hexdigest() if artifact.oid else ""
    except Damaged:
        return ""


def differing(rows: Iterable[Row]) -> list[Row]:
    """Return the rows whose values are not all the same."""
    return [row for row in rows if not row.equal]


def causes(found: Comparison) -> list[Cause]:
    """Return what differs and may be why the metrics do: what is recorded; a machine counts once."""
    listed = [Cause("param", row.name) for row in differing(found.params)]
    if command_differs(found):
        listed.append(Cause("command", "command"))
    if not found.code.equal:
        listed.append(Cause("code", "code"))
    listed += [Cause("dataset", row.name) for row in differing(found.data)]
    params = [row.values for row in differing(found.params) if "seed" in row.name.lower()]
    # One number seeds several libraries, and is often a param too.
    if seeds := [row for row in differing(found.seeds) if row.values not in params]:
        listed.append(Cause("seed", ", ".join(row.name for row in seeds)))
    if all(found.has_environment):
        listed += [Cause("package", row.name) for row in differing(found.packages)]
        listed += _surrounding_causes(differing(found.surroundings))
    return listed


def command_differs(found: Comparison) -> bool:
    """Say whether the commands differ in more than the params that were read from them."""
    if found.command.equal:
        return False
    known = set()
    for row in found.params:
        if row.alias or not row.equal:
            names = [name.lower().replace("-", "_") for name in row.names or (row.name,)]
            known |= {*names, *(name.rpartition(".")[2] for name in names)}
            known |= {text.value(value) for value in row.values if value is not MISSING}
    common = set.intersection(*(set(words) for words in found.command.values))
    own = {word for words in found.command.values for word in words if word not in common}
    return not own or not all(_parts(word) & known for word in own)


def _parts(word: str) -> set[str]:
    """Return what a word of a command can say of a param: `--lr=0.1` its name and its value."""
    name, _, value = word.partition("=")
    return {word, value, name.lstrip("-").lower().replace("-", "_")}


def _surrounding_causes(rows: Sequence[Row]) -> list[Cause]:
    named = [row.name for row in rows]
    found = [Cause("Python", name) for name in named if name == difference.PYTHON]
    found += [Cause("variable", name) for name in named if name.startswith(difference.VARIABLE)]
    machine = [name for name in named if name != difference.PYTHON and not name.startswith(difference.VARIABLE)]
    return found + ([Cause("machine", ", ".join(machine))] if machine else [])


def names(found: Comparison) -> list[tuple[str, str]]:
    """Return (kind, name) of all that differs, for `--name-only`."""
    listed = [("metric", row.name) for row in found.metrics if not row.equal]
    listed += [("param", row.name) for row in differing(found.params)]
    listed += [("command", "command")] if command_differs(found) else []
    listed += [("code", change.path) for change in found.code.files or ()]
    for kind in ("data", "seeds", "packages", "surroundings"):
        word = {"seeds": "seed", "packages": "package", "surroundings": "environment"}.get(kind, kind)
        listed += [(word, row.name) for row in differing(getattr(found, kind))]
    return listed + [("artifact", row.name) for row in found.artifacts if row.name not in found.same_artifacts]


def show_code(workspace: Workspace, runs: Sequence[Run], options: Sequence[str], *, terminal: bool) -> bytes:
    """Show the difference of two runs' code as `git diff` does; returns what it prints where it is no terminal."""
    if len(runs) != 2:
        raise UsageError(f"--code and --stat compare two runs, not {len(runs)}", hint="gitexp diff --code @~1 @")
    old, new = (code.of(run).revision for run in runs)
    return git_compare.show(workspace.repo, old, new, options, terminal=terminal)


def describe(found: Comparison) -> dict[str, Any]:
    """Return the JSON of a comparison (docs/scripting.md)."""
    return {
        "runs": [_run(label, run) for label, run in zip(labels(len(found.runs)), found.runs, strict=True)],
        "metrics": [_metric(row) for row in found.metrics],
        "params": [_param(row) for row in found.params],
        "command": {"equal": found.command.equal, "values": list(found.command.values)},
        "code": _code(found.code),
        "data": _datasets(found.data),
        "seeds": _rows(found.seeds),
        "packages": _rows(found.packages),
        "environment": _rows(found.surroundings),
        "artifacts": [_artifact(row, row.name in found.same_artifacts) for row in found.artifacts],
        "causes": [{"kind": cause.kind, "name": cause.name} for cause in causes(found)],
        "unread": list(found.unread),
    }


def _run(label: str, run: Run) -> dict[str, Any]:
    record = run.record
    return {
        "label": label,
        "id": run.id,
        "name": run.name,
        "experiment": run.experiment,
        "status": run.status,
        "live": run.live,
        "start": canonical.iso(record.start_ms),
        "commit": run.commit or None,
        "ref": run.ref or None,
    }


def _metric(row: MetricRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "aggregate": row.goal.aggregate,
        "values": list(row.values),
        "change": row.change,
        "percent": row.percent,
        "verdict": row.verdict,
        "goal": row.goal.best or None,
        "goal_from": row.goal.why or None,
    }


def _rows(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return rows as JSON; `present` tells a value that is not there from one that is null."""
    return [
        {
            "name": row.name,
            "equal": row.equal,
            "values": [None if value is MISSING else value for value in row.values],
            "present": [value is not MISSING for value in row.values],
        }
        for row in rows
    ]


def _param(row: Row) -> dict[str, Any]:
    """Return a param as JSON; `names` and `alias` tell of other names that runs have it under."""
    names = [name or None for name in row.names] if row.alias else None
    return {**_rows([row])[0], "names": names, "alias": row.alias or None}


def _datasets(rows: Iterable[Row]) -> list[dict[str, Any]]:
    found = _rows(rows)
    for row in found:
        row["values"] = [
            value and {"sha256": value.sha256, "uri": value.uri, "rows": value.rows, "size": value.size_bytes}
            for value in row["values"]
        ]
    return found


def _code(found: CodeDifference) -> dict[str, Any]:
    return {
        "equal": found.equal,
        "same_commit": found.same_commit,
        "runs": [
            {"commit": side.commit, "revision": side.revision, "dirty": side.dirty, "kept": side.kept}
            for side in found.sides
        ],
        "commits_apart": list(found.apart) if found.apart else None,
        "files": None
        if found.files is None
        else [
            {"path": item.path, "old_path": item.old_path, "added": item.added, "deleted": item.deleted}
            for item in found.files
        ],
        "unread": found.why or None,
    }


def _artifact(row: Row, equal: bool) -> dict[str, Any]:
    values: list[Mapping[str, Any] | None] = [
        None if value is MISSING else {"size": value.size_bytes, "sha256": value.sha256} for value in row.values
    ]
    return {"name": row.name, "equal": equal, "values": values}
