"""The words of `gitexp diff` for code, data, environment and artifacts of two runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gitexp import text
from gitexp.git.compare import FileChange
from gitexp.ops.comparing import diff, difference
from gitexp.ops.comparing.aliases import GUESS
from gitexp.ops.comparing.diff import Cause, Comparison
from gitexp.ops.comparing.difference import MISSING, Dataset, MetricRow, Row
from gitexp.ops.finding.code import Code, CodeDifference

_BAR = 20  # columns of a diffstat's pluses and minuses
_LISTED = 10
_METRICS = 100  # that are shown: thousands would bury what may be the cause


def sections(found: Comparison, every: bool) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield (title, items) of all sections below metrics and params."""
    if every or diff.command_differs(found):
        yield "command", _command(found.command)
    yield "code", list(_code(found.code))
    yield from _inputs(found, every)
    yield "environment", list(_environment(found, every))
    if found.artifacts:
        yield "artifacts", list(_artifacts(found, every))


def metrics(found: Comparison, every: bool) -> tuple[list[MetricRow], str]:
    """Return the metrics to show, those that matter first, and a line on how many more differ."""
    rows = [row for row in found.metrics if every or not row.equal]
    if every or len(rows) <= _METRICS:
        return rows, ""
    return rows[:_METRICS], f"  and {text.plural(len(rows) - _METRICS, 'metric')} more (--all, --metric NAMES)"


def comment(row: MetricRow, *, whole: bool = True) -> str:
    """Return what a metric's change means, and how that is known where the `whole` of it is wanted."""
    if None in row.values:
        return "only in B" if row.values[0] is None else "only in A"
    if row.equal:
        return "equal"
    if not row.goal.best:
        return "better or worse is not known" if whole else "not known"
    return f"{row.verdict:<6} ({row.goal.words})" if whole else row.verdict


def other_names(row: Row) -> str:
    """Return under which other names runs have a param, and how that is known."""
    sides: dict[str, list[str]] = {}
    for label, name in zip(diff.labels(len(row.names)), row.names, strict=True):
        if name and name != row.name:
            sides.setdefault(name, []).append(label)
    listed = "; ".join(f"{text.safe(name)} in {', '.join(found)}" for name, found in sides.items())
    return (
        f"{listed}: a guess, the values are equal" if row.alias == GUESS else f"{listed} (gitexp.aliases: {row.alias})"
    )


def _command(row: Row) -> list[str]:
    lines = [text.safe(shlex.join(words)) or "-" for words in row.values]
    return [f"same: {lines[0]}"] if row.equal else [f"A  {lines[0]}\n", f"B  {lines[1]}"]


def _code(found: CodeDifference) -> Iterator[str]:
    yield _relation(found)
    edits = [_edits(label, side) for label, side in zip("AB", found.sides, strict=True)]
    said = [line for line in edits if line]
    if found.equal and all(side.dirty for side in found.sides):
        yield "same edits"
        return
    files = found.files
    if files is None:
        yield from said
        yield f"the files cannot be compared: {text.safe(found.why)}"
        return
    hint = "   (--code shows them)"
    if not files:
        yield from said
    elif len(files) == 1:
        yield "; ".join([*said[:-1], f"{said[-1]}: " if said else ""]) + stat(files)[0] + hint
    else:
        yield from said
        yield f"{len(files)} files, {_lines(files)}{hint}\n"
        yield from (line + "\n" for line in stat(files[:_LISTED]))
        if len(files) > _LISTED:
            yield f"and {len(files) - _LISTED} more files (--stat)"


def _relation(found: CodeDifference) -> str:
    first = found.sides[0]
    if found.same_commit:
        return f"same: {first.commit[:7]}" if found.equal and first.commit and not first.dirty else "same commit"
    if found.apart is None:
        return "other commits"
    alike = ", the same files" if found.equal else ""
    back, forth = found.apart
    if back and forth:
        return f"{text.plural(back, 'commit')} only in A, {forth} only in B{alike}"
    return f"{text.plural(back + forth, 'commit')} between{alike}"


def _edits(label: str, side: Code) -> str:
    if side.kept:
        return f"{label} has edits" if side.dirty else ""
    known = "" if side.revision != side.commit else ", which are not recorded"
    return f"{label} has edits{known or ', not all of which are recorded'}"


def stat(files: Sequence[FileChange]) -> list[str]:
    """Return a line a file, as `git diff --stat` draws it."""
    paths = [_path(item) for item in files]
    counts = ["Bin" if item.added is None else str(item.added + (item.deleted or 0)) for item in files]
    most = max((item.added or 0) + (item.deleted or 0) for item in files)
    scale = min(1.0, _BAR / most) if most else 1.0
    left, right = max(map(len, paths)), max(map(len, counts))
    return [
        f"{path:<{left}} | {count:>{right}} {_bar(item, scale)}".rstrip()
        for path, count, item in zip(paths, counts, files, strict=True)
    ]


def _bar(item: FileChange, scale: float) -> str:
    added, deleted = item.added or 0, item.deleted or 0
    return "+" * _scaled(added, scale) + "-" * _scaled(deleted, scale)


def _scaled(count: int, scale: float) -> int:
    return max(round(count * scale), 1) if count else 0


def _path(item: FileChange) -> str:
    path = text.safe(item.path)
    return f"{text.safe(item.old_path)} => {path}" if item.old_path else path


def _lines(files: Sequence[FileChange]) -> str:
    return f"+{sum(item.added or 0 for item in files)} -{sum(item.deleted or 0 for item in files)}"


def _inputs(found: Comparison, every: bool) -> Iterator[tuple[str, list[str]]]:
    """Yield data and seed: on one line where neither differs."""
    data, seeds = diff.differing(found.data), diff.differing(found.seeds)
    known = _datasets(found.data, every), _seed(found.seeds, 0) if found.seeds else ""
    if not data and not seeds:
        yield "data, seed", [_known_inputs(*known)]
        return
    yield "data", [_change(row) for row in data] or [_same(known[0])]
    yield "seed", [" -> ".join(_seed(found.seeds, side) for side in (0, 1)) if seeds else _same(known[1])]


def _known_inputs(data: str, seed: str) -> str:
    if data and seed:
        return f"same: {data}; {seed}"
    if not data and not seed:
        return "neither recorded"
    return f"same: {data}; no seed recorded" if data else f"no data recorded; same seed: {seed}"


def _same(known: str) -> str:
    return f"same: {known}" if known else "not recorded"


def dataset_key(item: Dataset) -> str:
    """Return what tells a dataset apart: the beginning of its hash, else its URI."""
    return text.safe(item.sha256)[:8] if item.sha256 else text.safe(item.key)


def dataset(item: Dataset) -> str:
    """Return a dataset in a line: its hash or URI, and its rows."""
    rows = f", {text.plural(item.rows, 'row')}" if item.rows is not None else ""
    return dataset_key(item) + rows


def _datasets(rows: Iterable[Row], every: bool) -> str:
    """Return the datasets that all runs have, and have the same; with `every` how many rows they have too."""
    shown = dataset if every else dataset_key
    return "; ".join(f"{text.safe(row.name)} {shown(row.values[0])}" for row in rows if row.equal)


def _seed(rows: Iterable[Row], side: int) -> str:
    """Return the seeds of one run: one number where all are the same."""
    known = {row.name: text.value(row.values[side]) for row in rows if row.values[side] is not MISSING}
    seeds = {name: value for name, value in known.items() if name != "python_hash"} or known
    if len(set(seeds.values())) == 1 and len(seeds) > 1:
        return next(iter(seeds.values()))
    if list(seeds) in (["seed"], ["python"]):
        return next(iter(seeds.values()))
    return ", ".join(f"{text.safe(name)} {value}" for name, value in seeds.items()) or "none"


def _change(row: Row) -> str:
    """Return `name old -> new`, or where it is."""
    old, new = (None if item is MISSING else value(item) for item in row.values)
    if old == new and isinstance(row.values[0], Dataset):  # hashes that begin the same
        old, new = (text.safe(item.key) for item in row.values)
    name = text.safe(row.name)
    if old is None or new is None:
        return f"{name} {new if old is None else old} only in {'B' if old is None else 'A'}"
    return f"{name} {old} -> {new}"


def _environment(found: Comparison, every: bool) -> Iterator[str]:
    for label, has in zip("AB", found.has_environment, strict=True):
        if not has:
            yield f"not recorded in {label}"
    surroundings = diff.differing(found.surroundings)
    if all(found.has_environment):
        changed = [_change(row) for row in [*diff.differing(found.packages), *surroundings]]
        yield from changed if every else changed[:_LISTED]
        if len(changed) > _LISTED and not every:
            yield f"and {len(changed) - _LISTED} more (--all)"
    elif not found.surroundings:
        return
    equal = list(_equal_parts(found))
    if equal:
        *most, last = equal
        yield f"{', '.join(most)} and {last} equal" if most else f"{last} equal"


def _equal_parts(found: Comparison) -> Iterator[str]:
    same = {row.name for row in found.surroundings if row.equal}
    packages = sum(row.equal for row in found.packages)
    if packages:
        yield text.plural(packages, "package")
    yield from (name for name in (difference.PYTHON, "host", "GPU") if name in same)


def _artifacts(found: Comparison, every: bool) -> Iterator[str]:
    equal = len(found.same_artifacts)
    for row in found.artifacts:
        if row.name not in found.same_artifacts:
            yield _artifact_change(row)
        elif every:
            yield f"{text.safe(row.name)} equal"
    if equal and not every:
        yield f"{equal} equal"


def _artifact_change(row: Row) -> str:
    name, (one, other) = text.safe(row.name), row.values
    if one is MISSING or other is MISSING:
        return f"{name} {artifact(other if one is MISSING else one)} only in {'B' if one is MISSING else 'A'}"
    sizes = [text.size(value.size_bytes) for value in (one, other)]
    if sizes[0] == sizes[1]:
        return f"{name} differs"
    units = [size.split(" ") for size in sizes]
    return f"{name} {units[0][0] if units[0][1] == units[1][1] else sizes[0]} -> {sizes[1]}"


def artifact(value: Any) -> str:
    """Return an artifact in a cell: its size."""
    return "-" if value is MISSING else text.size(value.size_bytes)


def artifact_hash(value: Any) -> str:
    """Return the beginning of an artifact's sha256, of a small one's object name in Git."""
    return "-" if value is MISSING else (value.sha256 or value.oid)[:8] or "-"


def numbers(row: MetricRow) -> tuple[str, ...]:
    """Return a metric's values as they are shown."""
    return tuple("-" if value is None else text.number(value) for value in row.values)


def value(item: Any) -> str:
    """Return any value in a cell, "-" for none."""
    return "-" if item is MISSING else dataset(item) if isinstance(item, Dataset) else text.value(item)


def signed(row: MetricRow) -> str:
    """Return the change with as many decimals as the values are shown with."""
    change = row.change
    if change is None:
        return "-"
    shown = numbers(row)
    rough = [cell for cell in shown if not cell.endswith(".0")]  # 1.0 is whole, not known to one decimal
    places = sorted(len(cell.partition(".")[2]) for cell in rough or shown)
    for decimals in places:
        fixed = f"{change:+.{decimals}f}"
        if fixed.strip("+-0.") and "e" not in "".join(shown):
            return fixed
    return ("+" if change > 0 else "") + text.number(change) if change else "0"


def verdict(found: Comparison) -> str:
    """Return the last line: how many causes the difference can have."""
    listed = diff.causes(found)
    if not listed:
        if not diff.names(found):
            return "nothing differs."
        return "no cause is recorded: chance, or something that is not recorded."
    counts: dict[str, int] = {}
    for cause in listed:
        counts[cause.kind] = counts.get(cause.kind, 0) + 1
    if len(listed) == 1:
        return f"1 cause possible: {_kind(listed[0])}."
    parts = ", ".join(_counted(kind, count) for kind, count in counts.items())
    return f"{len(listed)} causes possible ({parts}): rerun with one changed to know which."


_ALONE = frozenset({"command", "code", "seed", "Python", "machine"})  # kinds that there is one of


def _kind(cause: Cause) -> str:
    """Return a cause by itself: `param lr`, but `code` and not `code code`."""
    return cause.kind if cause.kind in _ALONE else f"{cause.kind} {text.safe(cause.name)}"


def _counted(kind: str, count: int) -> str:
    return kind if kind in _ALONE else text.plural(count, kind)
