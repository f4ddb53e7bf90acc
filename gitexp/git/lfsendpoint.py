"""Where the Git LFS store of a remote is: found as git-lfs finds it (git-lfs docs/api/server-discovery.md)."""

from __future__ import annotations

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
from gitexp.errors import NoStore, RemoteError
from gitexp.git import command

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

UPLOAD, DOWNLOAD = "upload", "download"
_SCP = re.compile(r"(?!\w+://)(?P<host>(?:[^/:@\[\]]+@)?(?:\[[^/\]]+\]|[^/:]+)):(?P<path>.+)", re.DOTALL)
_SSH_SECONDS = 60
_MAX_ANSWER_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Ssh:
    """Where `git-lfs-authenticate` is asked."""

    host: str  # with the user
    port: str
    path: str


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
    address = configured or _address(repo, remote, operation)
    return _parse(repo, address, derived=not configured)


def elsewhere(repo: Repo, remote: str) -> str:
    """Return where uploads for a remote go, without credentials, "" where that is the remote's own store."""
    configured = _configured(repo, remote, UPLOAD)
    if not configured or _same(configured, _address(repo, remote, UPLOAD)):
        return ""
    return text.safe(redact.url(configured))


def _same(configured: str, address: str) -> bool:
    return configured.rstrip("/") in (address.rstrip("/"), _below(address))


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
        return {}
    for source in sources:
        out = command.run(repo, "config", *source, "--no-includes", "--list", "--null", check=False)
        if not out.code:
            items = (item.partition("\n") for item in out.stdout.decode("utf-8", "replace").split("\0"))
            return {key.lower(): value for key, _, value in items if not _is_local(value)}
    return {}


def _is_local(address: str) -> bool:
    return not re.match(r"(https?|ssh|git\+ssh|ssh\+git)://", address) and not _SCP.fullmatch(address)


def _address(repo: Repo, remote: str, operation: str) -> str:
    """Return the remote's address, as Git rewrites it by `url.*.insteadOf`."""
    if command.available():
        known = remote in repo.remotes
        args = ["remote", "get-url", *(["--push"] if operation == UPLOAD else []), "--", remote]
        out = command.run(repo, *(args if known else ["ls-remote", "--get-url", "--", remote]), check=False)
        if not out.code and (lines := out.stdout.decode("utf-8", "surrogateescape").splitlines()):
            return lines[0]
    pushed = repo.config(f"remote.{remote}.pushurl") if operation == UPLOAD else None
    return pushed or repo.config(f"remote.{remote}.url") or remote


def _parse(repo: Repo, address: str, *, derived: bool) -> Endpoint:
    label = text.safe(redact.url(address))
    scheme = address.partition("://")[0].lower() if "://" in address else ""
    if scheme in ("http", "https"):
        return Endpoint(label, url=_below(address) if derived else address.rstrip("/"))
    if scheme == "git" and derived:
        return Endpoint(label, url=_below("https" + address[3:]))
    if scheme in ("ssh", "git+ssh", "ssh+git"):
        return Endpoint(label, ssh=_ssh(address, label))
    if scheme == "file":
        return Endpoint(label, folder=_store(Path(unquote(urlsplit(address).path)), label))
    path = Path(address).expanduser() if address.startswith("~") else Path(repo.work_tree or repo.git_dir, address)
    if not scheme and not path.exists() and (found := _SCP.fullmatch(address)):
        return Endpoint(label, ssh=_checked(Ssh(found["host"], "", found["path"]), label))
    if not scheme and ("/" in address or path.exists()):
        return Endpoint(label, folder=_store(path, label))
    raise NoStore(f"no Git LFS store is known for {label}", hint="git config lfs.url URL")


def _below(address: str) -> str:
    address = address.rstrip("/")
    return address + ("/info/lfs" if address.endswith(".git") else ".git/info/lfs")


def _ssh(address: str, label: str) -> Ssh:
    parts = urlsplit(address)
    path = unquote(parts.path)
    try:
        port = str(parts.port or "")
    except ValueError as error:
        raise RemoteError(f"{label} has no valid port", hint="git remote -v") from error
    host = parts.netloc.rpartition("@")[2]
    host = host[: -len(port) - 1] if port else host.rstrip(":")
    user = unquote(parts.username or "")
    at = f"{user}@" if user else ""
    return _checked(Ssh(at + host.strip("[]"), port, path[1:] if path.startswith("/~") else path), label)


def _checked(ssh: Ssh, label: str) -> Ssh:
    """Refuse what ssh or the shell on the other side would take for an option (as Git does)."""
    if not ssh.host.rpartition("@")[2] or ssh.host.startswith("-") or "@-" in ssh.host or ssh.path.startswith("-"):
        raise RemoteError(f"strange address: {label}", hint="git remote -v")
    return ssh


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
    args = [*_program(repo), *(_port(repo, ssh.port) if ssh.port else ()), ssh.host, line]
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


def _program(repo: Repo) -> list[str]:
    """Return the ssh command that Git would use."""
    line = os.environ.get("GIT_SSH_COMMAND") or repo.config("core.sshCommand")
    return shlex.split(line) if line else [os.environ.get("GIT_SSH") or "ssh"]


def _port(repo: Repo, port: str) -> list[str]:
    variant = (os.environ.get("GIT_SSH_VARIANT") or repo.config("ssh.variant") or "").lower()
    return ["-P" if variant in ("putty", "plink", "tortoiseplink") else "-p", port]
