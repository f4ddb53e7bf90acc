"""Which depot the large bytes of a remote go to and come from: `gitexp.artifacts`, for one remote or for all."""

from __future__ import annotations

import shlex
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gitexp import text
from gitexp.errors import NoStore, RemoteError, UsageError
from gitexp.git import lfs, lfsendpoint
from gitexp.git.lfsendpoint import DOWNLOAD
from gitexp.git.lfsfiles import FolderDepot
from gitexp.git.lfshttp import Tuning
from gitexp.git.transport import Options
from gitexp.record.pointer import Pointer
from gitexp.store import bucket
from gitexp.store.bucket import BucketDepot
from gitexp.store.config import FILES
from gitexp.store.depot import Depot
from gitexp.store.remotes import Remote
from gitexp.store.workspace import Workspace

AUTO, LFS, NONE = "auto", "lfs", "none"
LFS_LABEL = "Git LFS"
_KEY = "artifacts"
_FORMS = "auto | lfs | none | s3://BUCKET/PREFIX | gs://… | az://… | file:///FOLDER"


def open(workspace: Workspace, remote: Remote, options: Options, operation: str = DOWNLOAD) -> Depot:
    """Return the depot of a remote; raises RemoteError where there is none, UsageError where the setting is wrong."""
    chosen = _chosen(workspace, remote)
    if chosen == NONE:
        raise NoStore("gitexp.artifacts is none", hint="git config gitexp.artifacts auto")
    if chosen == LFS:
        return lfs.open(workspace.repo, remote.name, options, operation)
    tuning = Tuning.of(workspace.repo)
    if not chosen.startswith("file:"):
        return BucketDepot(chosen, tuning)
    place = _path(chosen)
    if not place.is_dir():  # one that is not mounted must not be made on this disk
        hint = f"mkdir -p {shlex.quote(str(place))}; or mount it"
        raise RemoteError(f"{label(workspace, remote)} is no folder", hint=hint)
    return FolderDepot(label(workspace, remote), place, tuning)


def label(workspace: Workspace, remote: Remote) -> str:
    """Return what people see of where the large bytes of a remote go, "" where they stay here."""
    chosen = _chosen(workspace, remote)
    if chosen == NONE:
        return ""
    if chosen == LFS:
        other = lfsendpoint.elsewhere(workspace.repo, remote.name)
        return f"{LFS_LABEL} at {other}" if other else LFS_LABEL
    return text.safe(chosen.rstrip("/")) if chosen.startswith("file:") else bucket.Address.of(chosen).label


def is_lfs(workspace: Workspace, remote: Remote) -> bool:
    """Say whether the large bytes of a remote go to a Git LFS store."""
    return _chosen(workspace, remote) == LFS


def folder(workspace: Workspace, remote: Remote) -> Path | None:
    """Return the folder that the depot is, None where it is a server, who vouches for what it has."""
    chosen = _chosen(workspace, remote)
    if chosen == LFS:
        return lfsendpoint.find(workspace.repo, remote.name, DOWNLOAD).folder
    return _path(chosen) if chosen.startswith("file:") else None


def deletion(workspace: Workspace, remote: Remote, item: Pointer) -> str:
    """Return the command that deletes an object of a bucket or folder."""
    chosen = _chosen(workspace, remote)
    if chosen.startswith("file:"):
        return f"rm {shlex.quote(str(_path(chosen) / item.sha256[:2] / item.sha256[2:4] / item.sha256))}"
    at = bucket.Address.of(chosen)
    if at.scheme == "az":
        return f"az storage blob delete --container-name {at.bucket} --name {at.key(item)}"
    return f"{'aws s3' if at.scheme == 's3' else 'gcloud storage'} rm {at.scheme}://{at.bucket}/{at.key(item)}"


def _chosen(workspace: Workspace, remote: Remote) -> str:
    """Return `lfs`, `none` or an address: gitexp.artifacts.<remote> of Git's settings, else gitexp.artifacts."""
    settings = workspace.settings
    own = None if _KEY in settings.locked else settings.raw(f"{_KEY}.{remote.name.lower()}")
    value, where = (own, "git config") if own else settings.origin(_KEY)
    value = value.strip()
    if value in ("", AUTO, LFS):  # Git LFS is what a Git remote can offer by itself
        return LFS
    scheme = value.partition(":")[0]
    if value == NONE or (scheme in bucket.SCHEMES and bucket.Address.of(value)):
        return value
    if scheme != "file" or not _path(value).is_absolute():
        raise UsageError(
            f"gitexp.artifacts is {text.safe(value)!r}, not {_FORMS}", hint="git config gitexp.artifacts auto"
        )
    if where.startswith(FILES):  # anybody can commit that one: it names buckets, and no folder of this machine
        raise UsageError(f"gitexp.artifacts names a folder in {where}", hint=f"git config gitexp.artifacts {value}")
    return value


def _path(url: str) -> Path:
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.netloc in ("", "localhost") else Path()
