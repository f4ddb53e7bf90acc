"""What a push would show to others: measured, put in words, and asked about once per remote and kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitexp import text
from gitexp.errors import Damaged, Unconfirmed, Unsupported
from gitexp.git import compare, objects, refs
from gitexp.ops.storage import depots, largefiles
from gitexp.store import remotes, runs
from gitexp.store.remotes import Remote
from gitexp.store.runs import Head
from gitexp.store.workspace import Workspace

RUNS, DIRTY, UNTRACKED, COMMITS, ARTIFACTS = "runs", "dirty", "untracked", "commits", "artifacts"
MODELS = "models"
KINDS = frozenset({RUNS, DIRTY, UNTRACKED, COMMITS, ARTIFACTS, MODELS})
_TO = ARTIFACTS + " to "  # and where: each bucket is agreed to by itself, whoever has chosen it
_NAMED = 3  # files and branches named in one line


@dataclass(frozen=True, slots=True)
class Exposure:
    """What goes along with runs: how many, and of which kinds."""

    runs: int = 0
    dirty: int = 0
    untracked: int = 0
    files: tuple[str, ...] = ()
    commits: int = 0
    branches: tuple[str, ...] = ()
    artifact_files: int = 0
    artifact_bytes: int = 0
    events: int = 0  # of the registry
    depot: str = depots.LFS_LABEL  # where those bytes go

    @property
    def artifacts(self) -> str:
        """The kind that the bytes of artifacts are."""
        return _artifacts(self.depot)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of exposure there are."""
        counts = {
            RUNS: self.runs,
            DIRTY: self.dirty,
            UNTRACKED: self.untracked,
            COMMITS: self.commits,
            self.artifacts: self.artifact_bytes,
            MODELS: self.events,
        }
        return frozenset(kind for kind, count in counts.items() if count)


@dataclass(frozen=True, slots=True)
class _Code:
    dirty: bool
    untracked: tuple[str, ...]
    commit: str | None
    branch: str


def _artifacts(depot: str) -> str:
    """Return the kind of exposure that the bytes of artifacts are."""
    return ARTIFACTS if depot == depots.LFS_LABEL else _TO + depot


def kinds(workspace: Workspace, remote: Remote) -> frozenset[str]:
    """Return all kinds of exposure that a push to this remote can have."""
    depot = depots.label(workspace, remote)
    return KINDS - {ARTIFACTS} | ({_artifacts(depot)} if depot else frozenset())


def approved(workspace: Workspace, remote: Remote) -> frozenset[str]:
    """Return the kinds that may go to this remote without asking."""
    if workspace.settings.raw(f"push.{remote.name.lower()}") == "approved":
        return kinds(workspace, remote)
    return remotes.agreement(workspace, remote).kinds


def measure(
    workspace: Workspace, remote: Remote, heads: Sequence[Head], held: Sequence[str], owed: Sequence[str] = ()
) -> Exposure:
    """Return what goes along with these runs to a remote that holds the commits `held` and its own branches.

    `owed` are runs that are there already, whose large files are not.
    """
    codes = [_code(workspace, head) for head in heads]
    new = _unpublished(workspace, remote, [code.commit for code in codes if code.commit], held)
    files = {name for code in codes for name in code.untracked}
    branches = {code.branch for code in codes if code.commit in new and code.branch}
    depot = depots.label(workspace, remote)
    going = largefiles.here(workspace, [*(head.commit for head in heads), *owed]) if depot else ()
    return Exposure(
        runs=len(heads),
        dirty=sum(code.dirty for code in codes),
        untracked=sum(bool(code.untracked) for code in codes),
        files=tuple(sorted(files)),
        commits=len(new),
        branches=tuple(sorted(branches)),
        artifact_files=len(going),
        artifact_bytes=sum(item.size_bytes for item in going),
        depot=depot,
    )


def _code(workspace: Workspace, head: Head) -> _Code:
    """Return what a run's record says of its code; one that does not parse shows as the worst there is."""
    try:
        code = runs.load(workspace, head.commit, head.ref).record.code
    except (Damaged, Unsupported):
        return _Code(True, (), head.parents[0] if head.parents else None, "")
    untracked = code.get("untracked")
    names = tuple(str(name) for name in untracked) if isinstance(untracked, list) else ()
    snapshot, parents = code.get("snapshot"), head.parents
    if snapshot and snapshot in parents:
        parents = objects.read_commit(workspace.repo, snapshot).parents
    return _Code(head.dirty or bool(snapshot), names, parents[0] if parents else None, str(code.get("branch") or ""))


def _unpublished(workspace: Workspace, remote: Remote, commits: Sequence[str], held: Sequence[str]) -> frozenset[str]:
    """Return the commits behind these that the remote has neither in a branch nor below a run."""
    if not commits:
        return frozenset()
    here = [oid for oid in dict.fromkeys(commits) if objects.exists(workspace.repo, oid)]
    tracked = refs.listing(workspace.repo, f"refs/remotes/{remote.name}/") if remote.configured else {}
    return frozenset(compare.beyond(workspace.repo, here, [*held, *tracked.values()]))


def check(workspace: Workspace, remote: Remote, exposure: Exposure, *, yes: bool = False) -> None:
    """Raise Unconfirmed, with what would be sent, where a kind of it was not agreed to; `yes` agrees to it."""
    before = approved(workspace, remote)
    missing = exposure.kinds - before
    if not missing:
        return
    if yes:
        remotes.agree(workspace, remote, exposure.kinds)
        return
    if RUNS in before:
        new = _NEW | ({exposure.artifacts: exposure.artifacts} if exposure.artifact_bytes else {})
        news = "new there: " + ", ".join(words for kind, words in new.items() if kind in missing)
    else:
        news = "first push of experiments from this clone"
    plan = describe(remote, exposure, news)
    if exposure.artifacts in missing and depots.is_lfs(workspace, remote):
        plan.append("  hosts may charge for Git LFS, and most delete no single file of it")
    clean = "   Leave those out: gitexp push --clean" if missing & {DIRTY, UNTRACKED} else ""
    hint = f"Look: gitexp push --dry-run{clean}   Go (once per remote): gitexp push --yes"
    raise Unconfirmed(f"nothing sent to {remote.label}", hint=hint, plan=plan)


_NEW = {
    DIRTY: "runs with uncommitted edits",
    UNTRACKED: "untracked files",
    COMMITS: "commits that it does not have",
    ARTIFACTS: "artifacts",
    MODELS: "events of the model registry",
}


def describe(remote: Remote, exposure: Exposure, news: str) -> list[str]:
    """Return the lines that tell a person what would be sent."""
    where = f"{remote.label} = {remote.where}" if remote.configured else remote.where
    lines = [f"{where}: {news}", *(["  " + _runs_line(exposure)] if exposure.runs else [])]
    if exposure.commits:
        of = f" of {_some(exposure.branches)}" if exposure.branches else ""
        lines.append(f"  also {text.plural(exposure.commits, 'commit')}{of} that {remote.label} does not have")
    if exposure.events:
        lines.append(f"  {text.plural(exposure.events, 'event')} of the model registry")
    if exposure.artifact_bytes:
        files = text.plural(exposure.artifact_files, "file")
        lines.append(f"  {text.size(exposure.artifact_bytes)} of artifacts ({files}) to {exposure.depot}")
    return lines


def _runs_line(exposure: Exposure) -> str:
    parts = []
    if exposure.dirty:
        parts.append(f"{exposure.dirty} with uncommitted edits")
    if exposure.untracked:
        parts.append(f"{exposure.untracked} with untracked files ({_some(exposure.files)})")
    counted = text.plural(exposure.runs, "run")
    return f"{counted}: {', '.join(parts)}" if parts else counted


def _some(names: Sequence[str]) -> str:
    shown = [text.safe(name) for name in names[:_NAMED]]
    return ", ".join(shown) + (f", {len(names) - _NAMED} more" if len(names) > _NAMED else "")
