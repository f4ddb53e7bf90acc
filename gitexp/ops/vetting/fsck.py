"""Whether all that is stored can be read and is what it says: runs, large files, facts, models, journals, refs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from gitexp import canonical, ids, text
from gitexp.errors import Damaged, GitexpError
from gitexp.git import chain, compare, notes, objects, refs
from gitexp.git.batch import Batch
from gitexp.git.transport import Options
from gitexp.ops import applied
from gitexp.ops.storage import pointed, repair, verify
from gitexp.ops.storage.pointed import Use
from gitexp.ops.storage.verify import Bad
from gitexp.ops.vetting import vetnotes
from gitexp.ops.vetting.vetruns import GROUP, Moved, Vet
from gitexp.record import facts
from gitexp.store import annotations as annotated
from gitexp.store import events, heads, journal, live, models, reflog, runs, whereabouts
from gitexp.store import objects as large
from gitexp.store.journal import Start
from gitexp.store.remotes import Remote
from gitexp.store.workspace import Workspace

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much
_OID = re.compile(rb"[0-9a-f]{40}\n?|ref: .*\n?")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as it must be; `kind` is run, ref, file, facts, model, journal or log."""

    kind: str
    name: str
    message: str
    hint: str


@dataclass(slots=True)
class Report:
    """What was looked at and what was found.

    `missing` files are of runs from elsewhere and can be fetched, `elsewhere` are those that the remote is known to
    have. `quarantined` says where damaged bytes were put ({sha256: path}), `repaired` what is whole again; `bad` are
    the large files behind `damaged`.
    """

    runs: int = 0
    files: int = 0
    bytes: int = 0
    journals: int = 0
    annotated: int = 0
    models: int = 0
    quick: bool = False
    damaged: list[Fault] = field(default_factory=list)
    missing: list[Fault] = field(default_factory=list)
    elsewhere: list[Fault] = field(default_factory=list)
    quarantined: dict[str, str] = field(default_factory=dict)
    repaired: list[str] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp fsck --json` prints."""
        return {key: value for key, value in asdict(self).items() if key != "bad"}


def check(
    workspace: Workspace,
    *,
    quick: bool = False,
    at: Remote | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Report:
    """Look at everything; `quick` compares the sizes of large files and does not read them.

    `at` is a remote that is asked for what is not here; raises RemoteError where it cannot be.
    """
    report = Report(quick=quick)
    standing = runs.listing(workspace)
    with Batch(workspace.repo) as batch:
        bad = _runs(batch, standing, report, progress)
        _facts(workspace, batch, report)
    _models(workspace, report)
    _loose_refs(workspace, report)
    _log(workspace, standing, report)
    uses = pointed.listing(workspace, {ref: oid for ref, oid in standing.items() if ref not in bad})
    _journals(workspace, report, uses)
    _files(workspace, uses, at, report, progress)
    _applied(workspace, report)
    return report


def mend(workspace: Workspace, report: Report, sources: Sequence[Remote], options: Options) -> None:
    """Put damaged large files aside and fetch them again; the report says then what is still damaged."""
    done = repair.run(workspace, report.bad, sources, options)
    report.quarantined, report.repaired = done.quarantined, done.repaired
    whole = set(done.repaired)
    for name in ("damaged", "bad"):
        kept = [
            item for item in getattr(report, name) if getattr(item, "sha256", getattr(item, "name", "")) not in whole
        ]
        setattr(report, name, kept)
    for number, fault in enumerate(report.damaged):
        if fault.kind == "file" and (why := done.left.get(fault.name)):
            report.damaged[number] = replace(fault, hint=why)


def _runs(batch: Batch, standing: Mapping[str, str], report: Report, progress: Progress) -> set[str]:
    """Look at every run as a server looks at a push; return the refs that something is wrong with."""
    moved = [Moved(ref, None, oid) for ref, oid in standing.items()]
    report.runs, bad = len(moved), set()
    for start in range(0, len(moved), GROUP):
        progress("runs", start, len(moved))
        for ref, why in Vet(batch).faults(moved[start : start + GROUP]).items():
            bad.add(ref)
            report.damaged.append(
                Fault("run", ref, why, f"git show {ref}   take it from a clone that has it whole: gitexp fetch")
            )
    return bad


def _facts(workspace: Workspace, batch: Batch, report: Report) -> None:
    tip = refs.get(workspace.repo, notes.REF)
    if tip is None:
        return
    why = vetnotes.fault(batch, None, tip)
    if why:
        report.damaged.append(Fault("facts", notes.REF, why, f"git log {notes.REF}"))
        return
    ledger = annotated.ledger(workspace)
    report.annotated = len(ledger.targets(facts.RUN))


def _models(workspace: Workspace, report: Report) -> None:
    """Fold every model, and compare its head with the one that this clone remembers."""
    known = heads.remembered(workspace)
    for ref, tip in models.listing(workspace).items():
        report.models += 1
        hint = f"git log {ref}   gitexp model verify"
        try:
            models.load(workspace, ref, tip)
            held = known.get(ref, tip)
            if not objects.exists(workspace.repo, held) or not chain.is_behind(workspace.repo, held, tip):
                report.damaged.append(
                    Fault("model", ref, f"{tip[:7]} does not follow {held[:7]}, which was here", hint)
                )
        except GitexpError as error:
            report.damaged.append(Fault("model", ref, error.message, hint))
    for ref in heads.lost(workspace):
        report.damaged.append(Fault("ref", ref, "was taken away", "gitexp recover"))


def _loose_refs(workspace: Workspace, report: Report) -> None:
    """Find ref files that hold no object's name: what a power cut leaves, and what Git passes over."""
    top = workspace.repo.common_dir
    for path in sorted((top / runs.REF_PREFIX).rglob("*")):
        if path.is_file() and not path.name.endswith(".lock"):
            with open(path, "rb") as file:
                content = file.read(1024)
            if not _OID.fullmatch(content):
                name = path.relative_to(top).as_posix()
                report.damaged.append(Fault("ref", name, "holds no commit's name", f"rm {path}   gitexp recover"))


def _log(workspace: Workspace, standing: Mapping[str, str], report: Report) -> None:
    """Compare the refs with the log of what gitexp did to them."""
    torn = reflog.unreadable(workspace)
    if torn:
        hint = f"look at {workspace.home / 'refs.log'}; what it says elsewhere is used"
        report.damaged.append(Fault("log", "refs.log", f"{text.plural(torn, 'line')} cannot be read", hint))
    for ref, oid in reflog.expected(workspace).items():
        now = standing.get(ref)
        here = objects.exists(workspace.repo, oid)
        if now is None and ref.startswith(runs.REF_PREFIX):
            hint = "gitexp recover" if here else "gitexp fetch"
            gone = "was taken away" if here else "is gone, and its commit too"
            report.damaged.append(Fault("ref", ref, gone, hint))
        elif now not in (None, oid) and here and compare.merge_base(workspace.repo, str(now), oid) != oid:
            hint = f"see what it held: git show {oid[:7]}   gitexp fetch"
            report.damaged.append(Fault("ref", ref, f"{str(now)[:7]} does not follow {oid[:7]}", hint))


def _journals(workspace: Workspace, report: Report, uses: dict[str, list[Use]]) -> None:
    """Look at the journals of running and lost runs; what their artifacts point at is added to `uses`."""
    for folder in live.folders(workspace):
        report.journals += 1
        hint = "gitexp recover   what can be read of it is kept"
        try:
            start = Start.read(folder)
        except Damaged as error:
            report.damaged.append(Fault("journal", folder.name, error.message, hint))
            continue
        for name, count in _unreadable(folder):
            message = f"{name}: {text.plural(count, 'line')} cannot be read"
            report.damaged.append(Fault("journal", start.record.id, message, hint))
        for name, event in events.of(folder).artifacts.items():
            if isinstance(event.get("sha256"), str):
                use = Use(
                    f"{start.record.experiment}/{start.record.name}", start.record.id, name, int(event["size"]), True
                )
                uses.setdefault(event["sha256"], []).append(use)


def _unreadable(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield (file, damaged lines); a last line that is not whole is one that is being written, or was cut off."""
    for writer in journal.writers(folder):
        path = folder / f"events-{writer}.jsonl"
        bad = sum(not _is_event(line) for line in path.read_bytes().split(b"\n")[:-1])
        if bad:
            yield path.name, bad
        for kind in ("metrics", "system"):
            path = folder / f"{kind}-{writer}.csv"
            if path.exists():
                lost: dict[str, int] = {}
                for _ in events.read_points(path, lost):
                    pass
                bad = lost.get("points", 0) - _is_torn(path)
                if bad > 0:
                    yield path.name, bad


def _is_event(line: bytes) -> bool:
    try:
        value = canonical.loads(line)
    except ValueError:
        return False
    return isinstance(value, dict) and "op" in value


def _is_torn(path: Path) -> bool:
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 1, 0))
        return file.read(1) not in (b"", b"\n")


def _files(
    workspace: Workspace, uses: Mapping[str, list[Use]], at: Remote | None, report: Report, progress: Progress
) -> None:
    """Look at every large file; what is not here is sought at `at`, else where remotes were last seen to have it."""
    found = verify.files(workspace, uses, quick=report.quick, progress=progress)
    report.files, report.bytes = found.count, found.size_bytes
    lacking = [bad for bad in found.bad if bad.what == verify.LACKING]
    there = verify.held(workspace, at, lacking) if at is not None else frozenset(whereabouts.holders(workspace))
    for bad in found.bad:
        own = any(use.recorded_here for use in bad.uses)
        fault = Fault("file", bad.sha256, bad.message, _hint(workspace, bad, at))
        if bad.what == verify.LACKING and bad.sha256 in there:
            report.elsewhere.append(replace(fault, hint=_brought(bad)))
        elif bad.what != verify.LACKING or own:
            report.damaged.append(fault)
            report.bad.append(bad)
        else:
            report.missing.append(replace(fault, hint=_sent(bad, at) if at is not None else _brought(bad)))


def _sent(bad: Bad, at: Remote) -> str:
    return f"{at.label} does not have it; from a clone that has: gitexp push {at.label} {_run(bad)}"


def _brought(bad: Bad) -> str:
    return f"gitexp fetch --artifacts {_run(bad)}"


def _run(bad: Bad) -> str:
    return ids.short(bad.uses[0].run_id)


def _hint(workspace: Workspace, bad: Bad, at: Remote | None) -> str:
    if bad.what == verify.RECORD:
        return f"gitexp show {ids.short(bad.uses[0].run_id)}   the bytes are whole, what the record says of them is not"
    if bad.what == verify.STRAY:
        return f"look at {large.place(workspace, bad.sha256)}   gitexp fsck --repair moves it away"
    return "gitexp fsck --repair" + (f" --remote {at.label}" if at is not None else "")


def _applied(workspace: Workspace, report: Report) -> None:
    try:
        applied.listing(workspace)
    except Damaged as error:
        report.damaged.append(Fault("log", "applied.json", error.message, error.hint))
