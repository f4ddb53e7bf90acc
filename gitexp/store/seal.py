"""From a journal to a run's one commit. What is sealed depends on the journal alone, so a recovery can do it again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gitexp import canonical, files, ids
from gitexp.git import objects, packs, refs
from gitexp.git.objects import Entry
from gitexp.record import dataset, logged, names, params, points, reasons, summary, used
from gitexp.record.pointer import Pointer
from gitexp.record.points import Point
from gitexp.record.reasons import Reason
from gitexp.record.run import Parent, RunRecord
from gitexp.record.summary import Aggregate
from gitexp.store import events, experiments, journal, runs, turns
from gitexp.store import objects as large
from gitexp.store.journal import Start
from gitexp.store.runs import Content, Draft, Run
from gitexp.store.workspace import Workspace

LATE = "late.json"  # stands in a journal whose run is committed while other processes still write


@dataclass(slots=True)
class _Work:
    """What is being put together."""

    workspace: Workspace
    folder: Path
    start: Start
    total: events.Sum
    previous: Run | None
    late: bool = False
    offsets: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    files: dict[str, Content] = field(default_factory=dict)
    executable: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)


def seal(workspace: Workspace, folder: Path, own: Mapping[str, Aggregate] | None = None) -> Run:
    """Commit what a journal holds and remove it; a journal without an end gives a `killed` run.

    `own` is the summary of the main writer, {CSV field: Aggregate}, when this process wrote the journal itself and
    need not read its points back. Raises WriteFailed or Conflict, and keeps the journal then.
    """
    with turns.alone(folder) if Start.read(folder).shared else nullcontext():
        return _seal(workspace, folder, own)


def _seal(workspace: Workspace, folder: Path, own: Mapping[str, Aggregate] | None) -> Run:
    work = _begin(workspace, folder)
    aggregates = _metrics(work, own)
    work.files["params.json"] = params.encode(_params(work))
    if aggregates:
        work.files["summary.json"] = summary.encode(aggregates)
    _series(work, "system")
    _artifacts(work)
    if read := [*(work.previous.used if work.previous else ()), *work.total.used]:
        work.files["used.json"] = used.encode(read)
    if work.total.logged:
        before = work.previous.logged if work.previous else None
        work.files["logged-models.json"] = logged.encode(logged.fold(work.total.logged, before))
    for name in ("environment.json", "requirements.txt", "data.json", "output.log"):
        if (folder / name).exists():
            work.files[name] = folder / name
    if work.total.datasets:
        earlier = work.previous.data if work.previous is not None else []
        work.files["data.json"] = dataset.encode(dataset.merge(earlier, datasets(folder, work.total)))
    record = _record(work)
    start = work.start
    if start.previous is not None:
        _carry_over(work, runs.load(workspace, start.previous, start.ref))
    draft = Draft(
        start.ref, record, aggregates, work.files, start.code_tree, start.previous, frozenset(work.executable)
    )  # fmt: skip
    run = runs.write(workspace, draft)
    _leave(work, run)
    return run


def _begin(workspace: Workspace, folder: Path) -> _Work:
    start, offsets, late = Start.read(folder), {}, (folder / LATE).exists()
    if late:
        said = canonical.loads((folder / LATE).read_bytes())
        offsets = said["offsets"]
        # Others may have added to the run since: what is late comes after whatever is there.
        start = replace(start, previous=refs.get(workspace.repo, start.ref) or said["tip"])
    ends = _ends(folder)
    total = events.of(folder, offsets, ends)
    start = renamed(workspace, start, total.renamed)
    work = _Work(workspace, folder, start, total, None, late, offsets, ends)
    if start.previous is not None and not start.replaces:
        work.previous = runs.load(workspace, start.previous, start.ref)
    return work


def _ends(folder: Path) -> dict[str, int]:
    """Return {file: bytes} of what is committed now: whole lines of processes that still write, all of the others."""
    found = {}
    for writer in journal.writers(folder):
        writes = writer != journal.MAIN and journal.held(folder, writer)
        for name in (f"events-{writer}.jsonl", f"metrics-{writer}.csv", f"system-{writer}.csv"):
            path = folder / name
            if path.exists():
                found[name] = _whole_lines(path) if writes else path.stat().st_size
    return found


def _whole_lines(path: Path) -> int:
    """Return up to where the last whole line of a file that grows ends."""
    with open(path, "rb") as file:
        start = max(0, file.seek(0, 2) - files.BLOCK_BYTES)
        file.seek(start)
        return start + file.read().rfind(b"\n") + 1


def renamed(workspace: Workspace, start: Start, renamed: Mapping[str, str]) -> Start:
    """Take the script's own experiment and name where the command line gave none; a resumed run keeps its ref."""
    wanted = {key: value for key, value in renamed.items() if key not in start.fixed}
    if not wanted or start.previous is not None:
        return start
    said = experiments.resolve(workspace, wanted.get("experiment", start.record.experiment), new=True)
    name = ids.check_name(wanted.get("name", start.record.name))
    record = replace(start.record, experiment=said.name, name=name, experiment_id=said.id)
    return replace(start, record=record, ref=ids.run_ref(said.path, name, record.id))


def _params(work: _Work) -> dict[str, Any]:
    own = work.total.merged_params
    return own if work.previous is None else params.merge(work.previous.params, own)


def _metrics(work: _Work, own: Mapping[str, Aggregate] | None) -> dict[str, Aggregate]:
    """Put metrics.csv together and return the summary, with what the user set."""
    found: Mapping[str, Aggregate]
    shards = _shards(work, "metrics")
    if own is not None and work.previous is None and [path.name for path in shards] in ([], ["metrics-main.csv"]):
        found = {name_of(cell): aggregate for cell, aggregate in own.items()}
        if shards:
            work.files["metrics.csv"] = _kept(work, shards[0])
    else:
        found = _series(work, "metrics")
    set_before = {} if work.previous is None else _set_values(work.previous.summary)
    return events.with_set(found, {**set_before, **work.total.summary})


def datasets(folder: Path, total: events.Sum) -> list[dict[str, Any]]:
    """Return what a journal says of datasets so far: what stands in its data.json, then what was logged."""
    path = folder / "data.json"
    written = canonical.loads(path.read_bytes()) if path.exists() else []
    return dataset.merge(written if isinstance(written, list) else [], total.datasets)


def name_of(cell: str) -> str:
    """Return the metric's name of a CSV field."""
    return next(points.rows(cell + "\n"))[0] if cell else ""


def _set_values(found: Mapping[str, Aggregate]) -> dict[str, int | float]:
    return {name: aggregate.set for name, aggregate in found.items() if aggregate.set is not None}


def _kept(work: _Work, path: Path) -> Path | Pointer:
    """Return a finished shard; a large one is linked into the store, not copied: it is ours and nobody writes it."""
    if path.stat().st_size <= work.workspace.settings.size_bytes("metricsInlineLimit"):
        return path
    work.workspace.tmp.mkdir(parents=True, exist_ok=True)
    link = work.workspace.tmp / f"shard.{os.getpid()}.{os.urandom(4).hex()}"
    os.link(path, link)
    return large.put_file(work.workspace, link, take=True)


def _shards(work: _Work, kind: str) -> list[Path]:
    paths = [work.folder / f"{kind}-{writer}.csv" for writer in journal.writers(work.folder)]
    return [path for path in paths if path.name in work.ends]


def _series(work: _Work, kind: str) -> dict[str, Aggregate]:
    """Write one CSV of the points before, then each writer's in the order it logged them; returns the summary."""
    shards = _shards(work, kind)
    if not shards and (work.previous is None or f"{kind}.csv" not in work.previous.entries):
        return {}
    found: dict[str, Aggregate] = {}
    target = work.folder / f"{kind}.csv"
    with files.replacing(target) as file:
        file.write(points.HEADER.encode())
        block: list[str] = []
        for point in _all_points(work, kind, shards):
            found.setdefault(point.metric, Aggregate()).add(point.step, point.time_ms, point.value)
            block.append(points.line(point))
            if len(block) >= 10_000:
                file.write("".join(block).encode("utf-8", "backslashreplace"))
                block.clear()
        file.write("".join(block).encode("utf-8", "backslashreplace"))
    work.files[f"{kind}.csv"] = target
    return found


def _all_points(work: _Work, kind: str, shards: Sequence[Path]) -> Iterator[Point]:
    if work.previous is not None:
        yield from work.previous.points() if kind == "metrics" else work.previous.system()
    for path in shards:
        offset, end = work.offsets.get(path.name, 0), work.ends[path.name]
        yield from events.read_points(path, work.total.lost, offset, end)


def _artifacts(work: _Work) -> None:
    stored = names.encode_all(work.total.artifacts)
    for name, event in work.total.artifacts.items():
        path = f"artifacts/{stored[name]}"
        if "sha256" in event:
            work.files[path] = Pointer(str(event["sha256"]), int(event["size"]))
        elif "oid" in event:
            mode = objects.EXECUTABLE if event.get("executable") else objects.FILE
            work.files[path] = Entry(path, mode, str(event["oid"]))
        elif (waiting := work.folder / "files" / staged(name)).exists():
            work.files[path] = waiting
        if event.get("executable"):
            work.executable.add(path)
        if stored[name] != name:
            work.names[stored[name]] = name
    for pack in sorted(journal.packs(work.folder).glob("*.pack")):
        packs.install(work.workspace.repo, pack)
    _facts(work)


def _facts(work: _Work) -> None:
    """Put artifacts.json together: what was said before of what is not written anew, and what is said now."""
    total, said = work.total, {"artifacts": dict(work.total.facts), "links": dict(work.total.links)}
    if work.previous is not None:
        gone = {*total.artifacts, *total.dropped}
        before = {name: facts for name, facts in work.previous.artifact_facts.items() if name not in gone}
        said = {"artifacts": before | total.facts, "links": {**work.previous.links, **total.links}}
    if any(said.values()):
        work.files["artifacts.json"] = canonical.dumps({key: value for key, value in said.items() if value})


def staged(name: str) -> str:
    """Return the file name under which a small artifact waits in the journal."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _record(work: _Work) -> RunRecord:
    start, total, before = work.start, work.total, work.start.record
    if work.previous is not None:
        before = _continued(work, work.previous.record)
    end = total.end or {"status": "killed", "end": journal.last_sign_ms(work.folder)}
    roles = [("code", work.start.code_commit), ("previous", work.start.previous)]
    record = replace(
        before,
        tags=total.tags_over(before.tags),
        description=total.description or before.description,
        seeds={**before.seeds, **total.seeds},
        parents=tuple(Parent(role, commit) for role, commit in roles if commit is not None),
        names={**before.names, **work.names},
        lost={key: before.lost.get(key, 0) + total.lost.get(key, 0) for key in {**before.lost, **total.lost}},
        code={**before.code, **({"edited": total.edited} if total.edited else {})},
    )
    if work.late and total.end is None:
        return _why(record, [*record.reasons, *total.reasons])
    end_ms = max(int(end["end"]), start.record.start_ms)
    record = replace(
        record,
        status=str(end["status"]),
        end_ms=end_ms,
        exit_code=end.get("exit_code"),
        error=end.get("error") or total.error,
        cost=_cost(work.workspace, end_ms - start.record.start_ms, total.gpu_seconds),
        violations=before.violations if total.violations is None else tuple(total.violations),
    )
    record = _why(record, total.reasons)
    return replace(record, error=None) if record.status == "completed" else record


def _why(record: RunRecord, found: Iterable[Reason]) -> RunRecord:
    """Add why the run failed; of a run that completed only losses that were no numbers."""
    kept = reasons.merged(item for item in found if record.status != "completed" or item.source == reasons.LOSS)
    return replace(record, reasons=kept, tags=reasons.tagged(kept, record.tags))


def _continued(work: _Work, before: RunRecord) -> RunRecord:
    """Return the record of a run that goes on: its first start, with the times of each session beside."""
    if work.late:
        return before
    sessions = before.extra.get("sessions") or [_session(before.start_ms, before.end_ms)]
    end = (work.total.end or {}).get("end", journal.last_sign_ms(work.folder))
    now = work.start.record
    return replace(
        now,
        start_ms=before.start_ms,
        name=before.name,
        experiment=before.experiment,
        experiment_id=before.experiment_id,
        tags={**reasons.untagged(before.reasons, before.tags), **now.tags},
        seeds={**before.seeds, **now.seeds},
        lost=before.lost,
        names=before.names,
        parent=now.parent or before.parent,
        forked_from=before.forked_from,
        description=now.description or before.description,
        extra={**before.extra, **now.extra, "sessions": [*sessions, _session(now.start_ms, int(end))]},
    )


def _session(start_ms: int, end_ms: int | None) -> dict[str, str]:
    return {"start": canonical.iso(start_ms), "end": canonical.iso(start_ms if end_ms is None else end_ms)}


def _cost(workspace: Workspace, duration_ms: int, gpu_seconds: float) -> dict[str, Any] | None:
    per_hour = workspace.settings.number("costPerHour")
    found: dict[str, Any] = {"gpu_seconds": round(gpu_seconds, 1)} if gpu_seconds else {}
    if per_hour:
        found |= {"per_hour": per_hour, "total": round(per_hour * duration_ms / 3_600_000, 6)}
    return found or None


def _carry_over(work: _Work, previous: Run) -> None:
    """Keep the files of the record before that this session did not write anew."""
    dropped = {f"artifacts/{item.stored}" for item in previous.artifacts if item.name in work.total.dropped}
    for name, item in runs.record_entries(previous).items():
        if name not in ("run.json", ".gitattributes", "artifacts.json") and name not in dropped:
            work.files.setdefault(name, item)


def expect_late(folder: Path, tip: str, offsets: Mapping[str, int] | None = None) -> None:
    """Say in a journal that its run is committed, as `tip`, and that more may come after these offsets."""
    files.write(folder / LATE, canonical.dumps({"tip": tip, "offsets": dict(offsets or {})}))


def _leave(work: _Work, run: Run) -> None:
    """Remove the journal, or leave it to the processes that still write: what they add becomes one more commit.

    One may also have joined, written and ended while the commit was made.
    """
    others = [writer for writer in journal.writers(work.folder) if writer != journal.MAIN]
    now = {name: size for name, size in _ends(work.folder).items() if name.split("-", 1)[1].rsplit(".", 1)[0] in others}
    grown = any(size > work.ends.get(name, 0) for name, size in now.items())
    if not grown and not any(journal.held(work.folder, writer) for writer in others):
        journal.remove(work.folder)
        return
    sizes = {path.name: path.stat().st_size for path in work.folder.iterdir() if path.is_file()}
    sizes |= {name: work.ends.get(name, 0) for name in now}
    expect_late(work.folder, str(run.commit), sizes)
