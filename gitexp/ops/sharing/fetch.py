"""Bringing runs and facts of a remote here: what is new or newer, never over something of ours."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from gitexp import ids, text
from gitexp.errors import GitexpError, NotFound
from gitexp.git import notes, refs
from gitexp.git.transport import Options
from gitexp.ops.finding import find
from gitexp.ops.sharing import elsewhere, land, sync, unite
from gitexp.ops.sharing.elsewhere import Shown
from gitexp.ops.sharing.land import Landed
from gitexp.ops.sharing.unite import United
from gitexp.ops.storage import largefiles
from gitexp.store import annotations as said
from gitexp.store import remotes, runs
from gitexp.store.remotes import Remote
from gitexp.store.workspace import Workspace

_SHOWN = 10  # running runs that are told one by one
_PACK_FROM = 500  # loose refs that one fetch may leave: listing them costs 30 µs each
_LEAF = re.compile(r"(.*)-([k-z]{7})")


@dataclass(slots=True)
class Fetched:
    """What came: runs by what became of them, facts, running runs, bytes beside the commits."""

    remote: str
    landed: Landed = field(default_factory=Landed)
    facts: int = 0
    running: list[Shown] = field(default_factory=list)
    files: int = 0
    models: United = field(default_factory=United)
    bytes_left: str = ""  # why large bytes stayed there
    meaningless: list[str] = field(default_factory=list)  # patterns that mean no file of these runs

    def experiments(self) -> dict[str, int]:
        """Return {experiment path: how many runs are new}."""
        return dict(Counter(ref.removeprefix(runs.REF_PREFIX).rpartition("/")[0] for ref in self.landed.new))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of `gitexp fetch --json`."""
        return {
            "remote": self.remote,
            **self.landed.to_json(),
            "facts": self.facts,
            "running": len(self.running),
            "live": [shown.to_json() for shown in self.running],
            "files": self.files,
            "models": self.models.to_json(),
            "bytes_left": self.bytes_left or None,
            "meaningless": self.meaningless,
        }


def fetch(
    workspace: Workspace,
    remote: Remote,
    names: Sequence[str] = (),
    *,
    artifacts: Sequence[str] = (),
    options: Options | None = None,
) -> Fetched:
    """Bring the runs that the names mean (default: all) and all facts; raises RemoteError, NotFound.

    `artifacts` are names, folders and patterns of large files that these runs produced, which come too.
    """
    options = options or Options()
    fetched = Fetched(remote.label)
    with remotes.busy(workspace, remote):
        before = remotes.seen(workspace, remote)
        held = sync.look(workspace, remote, options)
        came = _chosen(workspace, held, names, remote)
        _take(workspace, remote, held, came, fetched, options)
        if not names:
            fetched.running = _take_running(workspace, remote, held, before, options)
            fetched.models = unite.take(workspace, remote, held, options)
    wanted = _with_files(workspace, came, fetched, everything=not names) if artifacts else _arrived(fetched)
    commits = [held[ref] for ref in wanted]
    moved = largefiles.download(workspace, remote, commits, options, artifacts)
    fetched.files, fetched.bytes_left = moved.count, moved.why
    if not moved.count:
        fetched.meaningless = largefiles.meaningless(workspace, commits, artifacts)
    return fetched


def _arrived(fetched: Fetched) -> list[str]:
    return [*fetched.landed.new, *fetched.landed.updated]


def _with_files(workspace: Workspace, came: Mapping[str, str], fetched: Fetched, *, everything: bool) -> list[str]:
    """Return the runs whose files are wanted: those that were taken, and removed ones only by name."""
    skipped = {ref for ref, _ in fetched.landed.skipped}
    removed = {ids.short(run_id) for run_id in (said.removed if everything else said.purged)(workspace)}
    return [ref for ref in came if ref not in skipped and ref[-ids.SHORT :] not in removed]


def _chosen(workspace: Workspace, held: Mapping[str, str], names: Sequence[str], remote: Remote) -> dict[str, str]:
    """Return the run refs of a remote that the names mean there or, where they mean none, here (`@`, `@{best:auc}`)."""
    chosen: dict[str, str] = {}
    for name in names:
        try:
            chosen |= select(held, [name], remote)
        except NotFound as error:
            try:
                known = [run.ref for run in find.many(workspace, [name]) if run.ref in held]
            except GitexpError:
                known = []
            if not known:
                raise error
            chosen |= {ref: held[ref] for ref in known if ref is not None}
    return chosen if names else select(held, (), remote)


def select(held: Mapping[str, str], names: Sequence[str], remote: Remote) -> dict[str, str]:
    """Return the run refs of a remote that the names mean; raises NotFound for one that means none."""
    found = {ref: oid for ref, oid in held.items() if ref.startswith(runs.REF_PREFIX)}
    if not names:
        return found
    chosen: dict[str, str] = {}
    for name in names:
        matching = {ref: oid for ref, oid in found.items() if matches(ref, name)}
        if not matching:
            raise NotFound(f"{remote.label} has no run {text.safe(name)!r}", hint=f"gitexp fetch {remote.label}")
        chosen |= matching
    return chosen


def matches(ref: str, name: str) -> bool:
    """Say whether a name or glob means the run of this ref: its record may not be here yet."""
    path, _, leaf = ref.removeprefix(runs.REF_PREFIX).rpartition("/")
    parted = _LEAF.fullmatch(leaf)
    if parted is None:
        return False
    slug, short = parted.groups()
    if ids.is_id_prefix(name) and (short.startswith(name) or name.startswith(short)):
        return True
    folded = "/".join(re.sub(r"[^\w.=+*?\[\]!-]+", "-", part) for part in name.casefold().split("/"))
    whole = (f"{path}/{slug}", f"{path}/{leaf}", ref) if "/" in name else (slug, leaf)
    return any(name == item or fnmatchcase(item, folded) for item in whole)


def update(workspace: Workspace, remote: Remote, held: Mapping[str, str], options: Options) -> Landed:
    """Bring what stands in the way of a push: these refs of the remote, and its facts."""
    fetched = Fetched(remote.label)
    came = {ref: oid for ref, oid in held.items() if ref.startswith(runs.REF_PREFIX)}
    _take(workspace, remote, held, came, fetched, options)
    return fetched.landed


def _take(
    workspace: Workspace,
    remote: Remote,
    held: Mapping[str, str],
    came: Mapping[str, str],
    fetched: Fetched,
    options: Options,
) -> None:
    ours = runs.listing(workspace)
    purged = {ids.short(run_id) for run_id in said.purged(workspace)}
    replaced = said.ledger(workspace).replaced
    stale = [ref for ref, oid in came.items() if ours.get(ref) != oid and oid in replaced]
    came = {ref: oid for ref, oid in came.items() if ref not in stale}
    wanted = {ref: oid for ref, oid in came.items() if ours.get(ref) != oid and ref[-ids.SHORT :] not in purged}
    theirs, mine = held.get(notes.REF), refs.get(workspace.repo, notes.REF)
    facts = {notes.REF: theirs} if theirs is not None and theirs != mine else {}
    with sync.brought(workspace, remote, {**wanted, **facts}, options):
        if theirs is not None:
            sync.keep(workspace, remote, "facts", theirs)
            fetched.facts = merge_facts(workspace, theirs)
        gone = {ids.short(run_id) for run_id in said.purged(workspace)}
        fit = {ref: oid for ref, oid in wanted.items() if ref[-ids.SHORT :] not in gone}
        fetched.landed = land.land(workspace, "fetch", fit)
    fetched.landed.skipped += [(ref, land.STALE) for ref in stale]
    if len(fetched.landed.new) > _PACK_FROM:
        refs.pack(workspace.repo)


def merge_facts(workspace: Workspace, theirs: str) -> int:
    """Join another history of facts to ours, and return how many lines are new here."""
    before = refs.get(workspace.repo, notes.REF)
    if before == theirs:
        return 0
    said.merge(workspace, theirs)
    after = refs.get(workspace.repo, notes.REF)
    differing = notes.changed(workspace.repo, before, after).values()
    pairs = ((set(_lines(workspace, old)), set(_lines(workspace, new))) for old, new in differing)
    return sum(len(new - old) for old, new in pairs)


def _lines(workspace: Workspace, blobs: notes.Blobs) -> list[bytes]:
    return notes.lines(workspace.repo, blobs, strict=False)


def _take_running(
    workspace: Workspace,
    remote: Remote,
    held: Mapping[str, str],
    before: Mapping[str, str],
    options: Options,
) -> list[Shown]:
    """Mirror the running runs that others publish: they are overwritten, and go when they end."""
    own = {ids.short(folder.name) for folder in workspace.live.iterdir()} if workspace.live.is_dir() else set()
    here = refs.listing(workspace.repo, sync.LIVE_PREFIX)
    ended = {ref[-ids.SHORT :] for ref in runs.listing(workspace)}
    theirs = {
        ref: oid
        for ref, oid in held.items()
        if ref.startswith(sync.LIVE_PREFIX) and ref[-ids.SHORT :] not in own | ended
    }
    moved = {ref: oid for ref, oid in theirs.items() if here.get(ref) != oid}
    gone = [ref for ref in here if ref not in theirs and (ref in before or ref[-ids.SHORT :] in ended)]
    with sync.brought(workspace, remote, moved, options):
        fit = {ref: oid for ref, oid in moved.items() if not land.unfit(workspace, ref, oid)}
        updates = [refs.Update(ref, oid, here.get(ref)) for ref, oid in fit.items()]
        refs.update_many(workspace.repo, [*updates, *(refs.Update(ref, None, here[ref]) for ref in gone)])
        loaded = (runs.load(workspace, oid, ref) for ref, oid in theirs.items() if ref not in moved or ref in fit)
        found = [shown for run in loaded if (shown := elsewhere.of(workspace, run)) is not None]
    return sorted(found, key=lambda shown: -shown.sign_ms)


def describe(fetched: Fetched) -> list[str]:
    """Return the lines that tell a person what came."""
    landed, lines = fetched.landed, []
    if landed.new:
        parts = ", ".join(f"{text.safe(path)} {count}" for path, count in sorted(fetched.experiments().items()))
        lines.append(f"{text.plural(len(landed.new), 'new run')} ({parts})")
    if landed.updated:
        lines.append(f"{text.plural(len(landed.updated), 'run')} went on there")
    if fetched.facts:
        lines.append(text.plural(fetched.facts, "new fact"))
    if fetched.running:
        lines.append(f"{len(fetched.running)} running there")
    if news := [*fetched.models.new, *fetched.models.updated]:
        lines.append(unite.summary(news, "with news"))
    if fetched.files:
        lines.append(f"{text.plural(fetched.files, 'large file')}")
    first = f"{fetched.remote}: " + (", ".join(lines) or "nothing new")
    left = [f"large files stay there: {fetched.bytes_left}"] if fetched.bytes_left else []
    nothing = [f"no run there has a file {text.safe(pattern)!r}" for pattern in fetched.meaningless]
    hints = [shown.hint() for shown in fetched.running if shown.silent]
    shown_runs = [f"  {shown.line()}" for shown in fetched.running[:_SHOWN]]
    if len(fetched.running) > _SHOWN:
        shown_runs.append(f"  and {len(fetched.running) - _SHOWN} more: gitexp status")
    return [first, *shown_runs, *hints[:1], *left, *nothing, *land.describe(landed), *unite.describe(fetched.models)]
