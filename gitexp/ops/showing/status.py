"""What is going on: live runs and their last sign of life, journals that need help, what each remote lacks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gitexp import canonical, clock, text
from gitexp.errors import Damaged, Unsupported
from gitexp.git import transport
from gitexp.index import database, names, search
from gitexp.index.database import Index
from gitexp.ops.finding import find
from gitexp.ops.sharing import elsewhere, unite
from gitexp.ops.sharing.elsewhere import Shown
from gitexp.store import journal, live, remotes
from gitexp.store.journal import Start
from gitexp.store.live import LiveRun
from gitexp.store.remotes import Remote
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Alive:
    """A run that has not ended: `state` is running, silent (no sign of life, on another host) or unowned."""

    run: LiveRun
    experiment: str
    state: str
    silent_seconds: float


@dataclass(frozen=True, slots=True)
class Lack:
    """A remote, how many finished runs it is not known to hold, and how many of them were recorded here.

    `owed` are the runs that went there without their large files, `told` is why where that lasts.
    """

    remote: str
    runs: int
    own: int
    seen: bool
    owed: int = 0
    told: str = ""
    models: int = 0  # of which it lacks events


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a workspace."""

    live: tuple[Alive, ...]
    elsewhere: tuple[tuple[Run, Shown], ...]  # running runs that others published
    damaged: tuple[str, ...]  # journals that do not parse
    missing: tuple[str, ...]  # refs gone whose commits are gone too
    lacks: tuple[Lack, ...]
    pruning: tuple[tuple[str, str], ...]  # (remote, refspec) with which a plain fetch deletes unpushed runs
    crash: str  # the log of the last crash, "" for none
    newest: Run | None  # the newest run recorded here


def look(workspace: Workspace) -> Status:
    """Return what is going on."""
    index = database.of(workspace)
    newest = [find.load(workspace, place) for place in names.recent(index, 1)]
    published = ((run, elsewhere.of(workspace, run)) for run in _published(workspace, index))
    crash = workspace.home / "crash.log"
    return Status(
        live=tuple(_alive(index, run) for run in live.listing(workspace)),
        elsewhere=tuple((run, shown) for run, shown in published if shown is not None),
        damaged=tuple(_damaged(workspace)),
        missing=tuple(ref for ref, _ in database.of(workspace).lost),
        lacks=tuple(_lacks(index)),
        pruning=tuple(transport.pruning_refspecs(workspace.repo)) if workspace.repo.has_remotes else (),
        crash=str(crash) if crash.exists() else "",
        newest=next((run for run in newest if _parses(run)), None),
    )


def _published(workspace: Workspace, index: Index) -> list[Run]:
    return [find.load(workspace, place) for place in names.published(index)]


def _alive(index: Index, run: LiveRun) -> Alive:
    state = "unowned" if not journal.has_owner(run.folder, run.start) else "running" if run.alive else "silent"
    entry = search.get(index, run.id)
    return Alive(run, entry.experiment if entry is not None else run.experiment, state, live.age_seconds(run))


def _parses(run: Run) -> bool:
    try:
        return bool(run.record)
    except (Damaged, Unsupported):
        return False


def _damaged(workspace: Workspace) -> list[str]:
    found = []
    for folder in live.folders(workspace):
        try:
            Start.read(folder)
        except Damaged:
            found.append(str(folder))
    return found


def _lacks(index: Index) -> list[Lack]:
    workspace = index.workspace
    if not workspace.repo.has_remotes:
        return []
    holdings, ended = remotes.holdings(workspace), names.ended(index)
    found = []
    for name, url in sorted(transport.names(workspace.repo).items()):
        held, agreed = holdings.get(name, {}), remotes.agreement(workspace, Remote(name, url))
        lacking = [place for place in ended if held.get(place.ref) != place.commit]
        own = sum(place.own for place in lacking)
        lack = Lack(name, len(lacking), own, name in holdings, len(agreed.owed), agreed.told)
        found.append(replace(lack, models=len(unite.lacking(workspace, held))))
    return found


def describe(workspace: Workspace, status: Status) -> dict[str, Any]:
    """Return the JSON of a status."""
    now = clock.now_ms()
    return {
        "time": canonical.iso(now),
        "live": [
            {
                "id": item.run.id, "name": item.run.name, "experiment": item.experiment, "state": item.state,
                "start": canonical.iso(item.run.record.start_ms), "host": item.run.host, "pid": item.run.pid,
                "last_sign": canonical.iso(item.run.last_sign_ms), "silent_seconds": round(item.silent_seconds, 1),
            }
            for item in status.live
        ],
        "elsewhere": [find.describe(run) | _sign(shown) for run, shown in status.elsewhere],
        "damaged": list(status.damaged),
        "missing": list(status.missing),
        "remotes": [
            {"name": item.remote, "lacks": item.runs, "lacks_own": item.own, "seen": item.seen,
             "owed": item.owed, "owed_why": item.told or None, "lacks_models": item.models} for item in status.lacks
        ],
        "pruning": [{"remote": remote, "refspec": refspec} for remote, refspec in status.pruning],
        "crash": status.crash or None,
        "newest": None if status.newest is None else status.newest.id,
    }  # fmt: skip


def _sign(shown: Shown) -> dict[str, Any]:
    said = shown.to_json()
    return {key: said[key] for key in ("last_sign", "silent_seconds")}


def porcelain(status: Status) -> list[str]:
    """Return lines for scripts, fields parted by tabs; the first is the kind, later fields may be added at the end."""
    lines = [
        "\t".join(("live", item.state, item.run.id, text.safe(item.experiment), text.safe(item.run.name),
                   str(item.run.pid), text.safe(item.run.host), str(int(item.silent_seconds))))
        for item in status.live
    ]  # fmt: skip
    now = clock.now_ms()
    lines += [
        "\t".join(("elsewhere", shown.id, text.safe(shown.experiment), text.safe(shown.name),
                   text.safe(shown.host), str(max(0, now - shown.sign_ms) // 1000)))
        for _, shown in status.elsewhere
    ]  # fmt: skip
    lines += [f"damaged\t{text.safe(path)}" for path in status.damaged]
    lines += [f"missing\t{ref}" for ref in status.missing]
    lines += [f"remote\t{text.safe(item.remote)}\t{item.runs}\t{item.own}" for item in status.lacks]
    lines += [f"pruning\t{text.safe(remote)}\t{text.safe(refspec)}" for remote, refspec in status.pruning]
    return lines + ([f"crash\t{text.safe(status.crash)}"] if status.crash else [])
