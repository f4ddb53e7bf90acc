"""Where a remote is: its address as Git rewrites it, and the parts of one that is reached by ssh."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from gitexp import redact, text
from gitexp.errors import RemoteError

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

SSH_SCHEMES = ("ssh", "git+ssh", "ssh+git")
_SCP = re.compile(r"(?!\w+://)(?P<host>(?:[^/:@\[\]]+@)?(?:\[[^/\]]+\]|[^/:]+)):(?P<path>.+)", re.DOTALL)
_REWRITE = re.compile(r"url\.(?P<base>.*)\.(?P<kind>insteadof|pushinsteadof)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Ssh:
    """What ssh is told."""

    host: str  # with the user
    port: str
    path: str


def settings(repo: Repo) -> Iterator[tuple[str, str, str]]:
    """Yield (remote, key, value) of what Git's configuration says of remotes."""
    for entry in repo.settings:
        section, _, rest = entry.name.partition(".")
        name, dot, key = rest.rpartition(".")
        if section == "remote" and dot and entry.value is not None:
            yield name, key, entry.value


def of(repo: Repo, remote: str, *, push: bool) -> str:
    """Return the address of a remote (its name, an address or a path) as `url.*.insteadOf` and its kin rewrite it."""
    found: dict[str, str] = {}
    for name, key, value in settings(repo):
        if name == remote and key in ("url", "pushurl"):
            found.setdefault(key, value)
    if push and "pushurl" in found:
        return _rewritten(repo, found["pushurl"], "insteadof") or found["pushurl"]
    url = found.get("url", remote)
    pushed = _rewritten(repo, url, "pushinsteadof") if push else None
    return pushed or _rewritten(repo, url, "insteadof") or url


def _rewritten(repo: Repo, url: str, kind: str) -> str | None:
    """Return an address with its longest beginning that has another one for it replaced; None where none has."""
    best = new = ""
    for entry in repo.settings:
        match, value = _REWRITE.fullmatch(entry.name), entry.value or ""
        if match and match["kind"] == kind and url.startswith(value) and len(value) > len(best):
            best, new = value, match["base"]
    return new + url[len(best) :] if best else None


def scheme(address: str) -> str:
    """Return the scheme of an address in lower case, "" where it has none."""
    return address.partition("://")[0].lower() if "://" in address else ""


def is_scp(address: str) -> bool:
    """Say whether an address is of the form `user@host:path`, unless there is a file of that name."""
    return bool(_SCP.fullmatch(address))


def scp(address: str) -> Ssh:
    """Return the parts of `user@host:path`; raises RemoteError."""
    found = _SCP.fullmatch(address)
    if found is None:
        raise RemoteError(f"strange address: {label(address)}", hint="git remote -v")
    return _checked(Ssh(found["host"], "", found["path"]), address)


def ssh(address: str) -> Ssh:
    """Return the parts of `ssh://user@host:port/path`; raises RemoteError."""
    parts = urlsplit(address)
    path = unquote(parts.path)
    try:
        port = str(parts.port or "")
    except ValueError as error:
        raise RemoteError(f"{label(address)} has no valid port", hint="git remote -v") from error
    host = parts.netloc.rpartition("@")[2]
    host = host[: -len(port) - 1] if port else host.rstrip(":")
    user = unquote(parts.username or "")
    at = f"{user}@" if user else ""
    return _checked(Ssh(at + host.strip("[]"), port, path[1:] if path.startswith("/~") else path), address)


def _checked(found: Ssh, address: str) -> Ssh:
    """Refuse what ssh or the shell on the other side would take for an option (as Git does)."""
    if not found.host.rpartition("@")[2] or found.host.startswith("-") or "@-" in found.host:
        raise RemoteError(f"strange address: {label(address)}", hint="git remote -v")
    if found.path.startswith("-"):
        raise RemoteError(f"strange address: {label(address)}", hint="git remote -v")
    return found


def label(address: str) -> str:
    """Return an address as people may see it."""
    return text.safe(redact.url(address))


def program(repo: Repo, host: Ssh) -> list[str]:
    """Return the ssh command that Git would use, with the port."""
    line = os.environ.get("GIT_SSH_COMMAND") or repo.config("core.sshCommand")
    words = shlex.split(line) if line else [os.environ.get("GIT_SSH") or "ssh"]
    return [*words, "-P" if is_putty(repo) else "-p", host.port] if host.port else words


def is_putty(repo: Repo) -> bool:
    """Say whether the ssh command is one of PuTTY's, which has other options."""
    variant = (os.environ.get("GIT_SSH_VARIANT") or repo.config("ssh.variant") or "").lower()
    return variant in ("putty", "plink", "tortoiseplink")
