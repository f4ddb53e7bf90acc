"""Where the Git LFS store of a remote is: found as git-lfs finds it (git-lfs docs/api/server-discovery.md)."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from gitexp import redact, text
from gitexp.errors import Damaged, NoStore, RemoteError
from gitexp.git import address, command, objects
from gitexp.git.address import Ssh

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

UPLOAD, DOWNLOAD = "upload", "download"
_SSH_SECONDS = 60
_MAX_ANSWER_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An LFS store: exactly one of an HTTP address, a way over SSH to be told one, and a folder on this machine."""

    label: str
    url: str = field(default="", repr=False)  # it may hold a password
    ssh: Ssh | None = None
    folder: Path | None = None


def find(repo: Repo, remote: str, operation: str) -> Endpoint:
    """Return the LFS store for uploads to, or downloads from, a remote (its name, an address or a path).

    Raises RemoteError where the settings name none that could be used.
    """
    configured = _configured(repo, remote, operation)
    found = configured or address.of(repo, remote, push=operation == UPLOAD)
    return _parse(repo, found, derived=not configured)


def elsewhere(repo: Repo, remote: str) -> str:
    """Return where uploads for a remote go, without credentials, "" where that is the remote's own store."""
    configured = _configured(repo, remote, UPLOAD)
    if not configured or _same(configured, address.of(repo, remote, push=True)):
        return ""
    return text.safe(redact.url(configured))


def _same(configured: str, where: str) -> bool:
    return configured.rstrip("/") in (where.rstrip("/"), _below(where))


def _configured(repo: Repo, remote: str, operation: str) -> str:
    """Return what `lfs.url` and its kin say, "" where nothing does."""
    keys = ["lfs.url", f"remote.{remote}.lfsurl"]
    if operation == UPLOAD:
        keys = ["lfs.pushurl", keys[0], f"remote.{remote}.lfspushurl", keys[1]]
    for key in keys:
        if value := repo.config(key):
            return value
    shared = _lfsconfig(repo)
    return next((shared[key.lower()] for key in keys if shared.get(key.lower())), "")


def _lfsconfig(repo: Repo) -> dict[str, str]:
    """Return what the project's .lfsconfig says of stores: from the work tree, else the index, else HEAD.

    Whoever can commit writes that file, so it may name hosts, and no folder of this machine.
    """
    file = None if repo.work_tree is None else repo.work_tree / ".lfsconfig"
    if file is not None and file.is_file():
        sources = [["--file", str(file)]]
    else:
        sources = [["--blob", ":.lfsconfig"]] if repo.work_tree is not None else []
        sources.append(["--blob", "HEAD:.lfsconfig"])
    if not command.available():
        return _by_dulwich(repo, file)
    for source in sources:
        out = command.run(repo, "config", *source, "--no-includes", "--list", "--null", check=False)
        if not out.code:
            items = (item.partition("\n") for item in out.stdout.decode("utf-8", "replace").split("\0"))
            return {key.lower(): value for key, _, value in items if not _is_local(value)}
    return {}


def _by_dulwich(repo: Repo, file: Path | None) -> dict[str, str]:
    """Read .lfsconfig from the work tree, else from HEAD, without what it includes."""
    from dulwich.config import ConfigFile

    try:
        parsed = ConfigFile.from_file(io.BytesIO(file.read_bytes() if file and file.is_file() else _at_head(repo)))
    except (ValueError, OSError, Damaged):  # one that does not parse, or cannot be read
        return {}
    rows = [((*section, name), value) for section in parsed.sections() for name, value in parsed.items(section)]
    said = {b".".join(key).decode("utf-8", "replace").lower(): value.decode("utf-8", "replace") for key, value in rows}
    return {key: value for key, value in said.items() if not _is_local(value)}


def _at_head(repo: Repo) -> bytes:
    commit = repo.head().commit
    found = objects.entry(repo, objects.tree_of(repo, commit), ".lfsconfig") if commit else None
    return b"" if found is None else objects.read_blob(repo, found.oid, limit_bytes=_MAX_ANSWER_BYTES)


def _is_local(where: str) -> bool:
    return address.scheme(where) not in ("http", "https", *address.SSH_SCHEMES) and not address.is_scp(where)


def _parse(repo: Repo, where: str, *, derived: bool) -> Endpoint:
    label, scheme = address.label(where), address.scheme(where)
    if scheme in ("http", "https"):
        return Endpoint(label, url=_below(where) if derived else where.rstrip("/"))
    if scheme == "git" and derived:
        return Endpoint(label, url=_below("https" + where[3:]))
    if scheme in address.SSH_SCHEMES:
        return Endpoint(label, ssh=address.ssh(where))
    if scheme == "file":
        return Endpoint(label, folder=_store(Path(unquote(urlsplit(where).path)), label))
    path = Path(where).expanduser() if where.startswith("~") else Path(repo.work_tree or repo.git_dir, where)
    if not scheme and not path.exists() and address.is_scp(where):
        return Endpoint(label, ssh=address.scp(where))
    if not scheme and ("/" in where or path.exists()):
        return Endpoint(label, folder=_store(path, label))
    raise NoStore(f"no Git LFS store is known for {label}", hint="git config lfs.url URL")


def _below(where: str) -> str:
    where = where.rstrip("/")
    return where + ("/info/lfs" if where.endswith(".git") else ".git/info/lfs")


def _store(path: Path, label: str) -> Path:
    """Return the folder of objects of a repository on this machine, which git-lfs uses too."""
    for candidate in (path / ".git", path, Path(f"{path}.git"), Path(f"{path}.git/.git")):
        folder = _pointed(candidate) if candidate.is_file() else candidate
        if folder is not None and (folder / "HEAD").is_file():
            common = folder / "commondir"
            shared = folder / common.read_text().strip() if common.is_file() else folder
            return Path(os.path.realpath(shared)) / "lfs" / "objects"
    raise RemoteError(f"{label} is no Git repository", hint="git remote -v")


def _pointed(file: Path) -> Path | None:
    words = file.read_bytes()[:4096].decode("utf-8", "surrogateescape").strip()
    return file.parent / words.removeprefix("gitdir:").strip() if words.startswith("gitdir:") else None


@dataclass(frozen=True, slots=True)
class Pass:
    """What `git-lfs-authenticate` gave: an address, headers for it, and for how many seconds they are good."""

    url: str
    headers: dict[str, str] = field(repr=False)
    seconds: float


def authenticate(repo: Repo, ssh: Ssh, operation: str, env: dict[str, str]) -> Pass:
    """Ask the other side of an SSH remote where its LFS store is; raises RemoteError."""
    line = f"git-lfs-authenticate {shlex.quote(ssh.path)} {operation}"
    args = [*address.program(repo, ssh), ssh.host, line]
    try:
        done = subprocess.run(
            args,
            env=command.environment(repo, env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SSH_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unanswered(ssh, type(error).__name__) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit {done.returncode}"]
        raise _unanswered(ssh, text.safe(redact.text(said[-1]))[:200])
    return _read_pass(ssh, done.stdout)


def _read_pass(ssh: Ssh, data: bytes) -> Pass:
    try:
        said = json.loads(data if len(data) <= _MAX_ANSWER_BYTES else b"")
        href, headers = said["href"], said.get("header") or {}
        seconds = float(said.get("expires_in") or 3600)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _unanswered(ssh, "its answer is no JSON that names a store") from error
    good = isinstance(headers, dict) and all(isinstance(word, str) for word in (*headers, *headers.values()))
    if not isinstance(href, str) or not re.match(r"https?://[^/]", href) or not good:
        raise _unanswered(ssh, "the address in its answer is not one of http or https")
    return Pass(href.rstrip("/"), headers, seconds)


def _unanswered(ssh: Ssh, why: str) -> RemoteError:
    where = text.safe(ssh.host)
    return RemoteError(
        f"{where} names no Git LFS store by git-lfs-authenticate: {why}", hint="git config lfs.url URL of a store"
    )
