"""What purges share: the objects of runs that nothing else needs, taken out of this clone and of the remote."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitexp import text
from gitexp.errors import Damaged, RemoteError, Unsupported
from gitexp.git import command, discover, erase, lfsendpoint, lfslocal, objects
from gitexp.git.repo import Repo
from gitexp.git.transport import Options
from gitexp.ops.finding import using
from gitexp.ops.sharing import land
from gitexp.ops.storage import depots, repair
from gitexp.record import pointer
from gitexp.record.pointer import Pointer
from gitexp.store import live
from gitexp.store import objects as large
from gitexp.store.remotes import Remote
from gitexp.store.workspace import Workspace

OTHERS = "other clones keep what they fetched until there: gitexp fetch; gitexp purge --follow; bundles too"
_SNAPSHOT_EMAIL = "gitexp@localhost"  # as git/snapshot.py signs them


@dataclass(slots=True)
class Erased:
    """How many objects and large files went, their bytes, and what could not be reached."""

    objects: int = 0
    files: int = 0
    size_bytes: int = 0
    left: list[str] = field(default_factory=list)


def objects_of(repo: Repo, commits: Collection[str]) -> set[str]:
    """Return the objects that make these run commits and their snapshots, but for those of the user's own code."""
    found, code = set[str](), set[str]()
    for commit in commits:
        if not objects.exists(repo, commit):
            continue
        found |= _tree_of(repo, commit)
        for parent in objects.read_commit(repo, commit).parents:
            if parent in commits or not objects.exists(repo, parent):
                continue
            if is_snapshot(repo, parent):
                found |= _tree_of(repo, parent)
                code |= {oid for base in objects.read_commit(repo, parent).parents for oid in _tree_of(repo, base)}
            else:
                code |= _tree_of(repo, parent)
    return found - code


def _tree_of(repo: Repo, commit: str) -> set[str]:
    if not objects.exists(repo, commit):
        return set()
    tree = objects.read_commit(repo, commit).tree
    found, waiting = {commit, tree}, [tree]
    while waiting:
        folder = waiting.pop()
        for entry in objects.entries(repo, folder) if objects.exists(repo, folder) else ():
            if entry.mode == objects.TREE and entry.oid not in found:
                waiting.append(entry.oid)
            if entry.mode != objects.SUBMODULE:
                found.add(entry.oid)
    return found


def is_snapshot(repo: Repo, commit: str) -> bool:
    """Say whether gitexp made a commit: it signs snapshots with a name that no user has."""
    return objects.read_commit(repo, commit).author.email == _SNAPSHOT_EMAIL


def meant_by(repo: Repo, oids: Iterable[str]) -> dict[str, Pointer]:
    """Return {blob: what it means} of those that are pointers."""
    return {oid: found for oid in oids if (found := _pointer(repo, oid)) is not None}


def _pointer(repo: Repo, oid: str) -> Pointer | None:
    if not objects.exists(repo, oid) or objects.size_of(repo, oid) > pointer.MAX_BYTES:
        return None
    try:
        return pointer.decode(objects.read_blob(repo, oid))
    except Damaged:  # a tree or a commit
        return None


def erase_here(
    workspace: Workspace, doomed: Collection[str], meant: Mapping[str, Pointer], done: Erased
) -> erase.Erased:
    """Erase these objects where nothing needs them, and the large files that only they mean."""
    repo = workspace.repo
    sizes = {oid: objects.size_of(repo, oid) for oid in doomed if objects.exists(repo, oid)}
    erased = erase.erase(repo, doomed)
    done.objects += len(erased.gone)
    done.size_bytes += sum(sizes[oid] for oid in erased.gone)
    busy = in_journals(workspace)
    for oid in erased.gone & meant.keys():
        if meant[oid].sha256 not in busy:
            drop_file(workspace, meant[oid].sha256, done)
    if erased.left:
        why = "in packs that cannot be rewritten: git repack -a -d"
        if not command.available():
            why = "of which only Git can say that nothing else needs them: install git, then purge again"
        done.left.append(f"{text.plural(len(erased.left), 'object')} {why}")
    return erased


def in_journals(workspace: Workspace) -> set[str]:
    """Return the large files that running runs have logged."""
    return {item.sha256 for run in live.listing(workspace) for item in run.artifacts if item.sha256}


def drop_file(workspace: Workspace, sha256: str, done: Erased) -> None:
    """Delete the bytes of a hash: the object, its name for git-lfs, half a download, and what a repair put aside."""
    lfslocal.take_back(workspace.repo, sha256)
    aside = [*workspace.tmp.glob(f"{sha256}*"), *(workspace.home / repair.FOLDER).glob(f"{sha256}.*")]
    for path in aside:
        path.unlink(missing_ok=True)
    path = large.place(workspace, sha256)
    if path.exists():
        done.size_bytes += path.stat().st_size
        done.files += 1
        path.unlink()


def drop_shown(workspace: Workspace, commits: Iterable[str]) -> None:
    """Delete what scripts were given to read of these run commits."""
    for commit in commits:
        shutil.rmtree(workspace.home / using.FOLDER / commit, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Doomed:
    """What is to go: run commits, all objects that only they need, the blobs that matter, and large files.

    `named`: these very bytes are to go; else they are no longer needed here, which says nothing of other repositories.
    """

    commits: frozenset[str]
    objects: frozenset[str]
    blobs: frozenset[str]
    items: tuple[Pointer, ...]
    named: bool = False


def erase_there(workspace: Workspace, remote: Remote, doomed: Doomed, options: Options) -> list[str]:
    """Delete at a remote what its refs held until now, as far as its host lets one; returns what is left there."""
    repo = _on_disk(workspace, remote)
    if repo is None:
        left = [f"{remote.label} keeps the objects until it collects garbage: ask its host"]
        return left + _drop_bytes(workspace, remote, doomed.items, options, named=doomed.named)
    elsewhere = replace(workspace, repo=repo)
    tips = [commit for commit in doomed.commits if objects.exists(repo, commit)]
    wanted = doomed.objects | objects_of(repo, {commit for tip in tips for commit in land.chain(elsewhere, tip)})
    meant = meant_by(repo, wanted)
    erased = erase.erase(repo, wanted)
    stays = (erased.needed & (doomed.blobs | doomed.commits)) | erased.left
    left = [f"{text.plural(len(stays), 'object')} at {remote.label}, which other refs need"] if stays else []
    held = {meant[oid].sha256 for oid in erased.needed & meant.keys()}
    gone = [*doomed.items, *(meant[oid] for oid in erased.gone & meant.keys())]
    free = [item for item in gone if item.sha256 not in held]
    return left + _drop_bytes(workspace, remote, free, options, named=doomed.named)


def _on_disk(workspace: Workspace, remote: Remote) -> Repo | None:
    """Return the repository of a remote that is a folder of this machine."""
    path = (workspace.repo.work_tree or workspace.repo.git_dir) / remote.url.removeprefix("file://")
    try:
        found = discover.find(path) if path.is_dir() else None
    except Unsupported:
        return None
    is_it = found is not None and found.common_dir.resolve() in (path.resolve(), (path / ".git").resolve())
    return found if is_it else None


def _drop_bytes(
    workspace: Workspace, remote: Remote, items: Sequence[Pointer], options: Options, *, named: bool
) -> list[str]:
    unique = list(dict.fromkeys(items))
    if not unique:
        return []
    files, where = text.plural(len(unique), "large file"), depots.label(workspace, remote)
    shared = bool(where) and not depots.is_lfs(workspace, remote)
    if shared and not named:
        why = f"in {where}, where other runs and repositories may need it; if none does"
        return [f"a large file {why}: {depots.deletion(workspace, remote, item)}" for item in unique]
    try:
        failures = depots.open(workspace, remote, options, lfsendpoint.UPLOAD).drop(unique)
    except RemoteError as error:
        return [f"{files} at {remote.label}: {error.message}"]
    if failures is None:
        hashes = ", ".join(item.sha256[:12] for item in unique[:5])
        return [f"{files} in the LFS store of {remote.label}, which never deletes: ask its host ({hashes})"]
    older = [f"older versions of {files}, if {where} keeps versions"] if shared and "file:" not in where else []
    return older + [f"{failure.item.sha256[:12]} at {remote.label}: {failure.why}" for failure in failures]
