"""Names and passwords for HTTP, from `git credential` and from addresses; never shown, never in an error."""

from __future__ import annotations

import base64
import netrc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from gitexp.git import asking, command

if TYPE_CHECKING:
    from gitexp.git.repo import Repo


@dataclass(frozen=True, slots=True)
class Credential:
    """What a server is shown; `asked` is what the helpers are told of it afterwards."""

    username: str
    password: str = field(repr=False)
    asked: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def header(self) -> str:
        """The value of `Authorization`."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


def part(url: str) -> tuple[str, str, Credential | None]:
    """Return an address without its credentials, the user it names, and its credentials where it has a password."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, "", None
    name, colon, password = user.partition(":")
    plain = urlunsplit(parts._replace(netloc=host))
    found = Credential(unquote(name), unquote(password)) if colon else None
    return plain, unquote(name), found


def from_netrc(url: str, username: str) -> Credential | None:
    """Return what ~/.netrc has for a host, as Git (curl) reads it; None where it has nothing, or cannot be read."""
    try:
        found = netrc.netrc().authenticators(urlsplit(url).hostname or "")
    except (OSError, netrc.NetrcParseError):
        return None
    if found is None or not found[2] or (username and found[0] != username):
        return None
    return Credential(found[0], found[2])


def fill(repo: Repo, url: str, username: str, env: Mapping[str, str]) -> Credential | None:
    """Ask Git's helpers, and the user where `env` lets Git ask, for the credentials of an address."""
    parts = urlsplit(url)
    wanted = {"protocol": parts.scheme, "host": parts.netloc, "path": parts.path.lstrip("/"), "username": username}
    if any("\n" in value or "\0" in value for value in wanted.values()):
        return None
    said = _asked(repo, wanted, env) if command.available() else asking.fill(repo, wanted, env)
    if not said.get("password"):
        return None
    return Credential(said.get("username", ""), said["password"], tuple(said.items()))


def _asked(repo: Repo, wanted: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    out = command.run(repo, "credential", "fill", input=_lines(wanted), env=env, check=False)
    lines = () if out.code else out.stdout.decode("utf-8", "replace").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def advice(url: str) -> str:
    """Return how to give the credentials that an address wants."""
    if command.available():
        return f"log in once with plain Git: git ls-remote {url}"
    return "put them into ~/.netrc, or name a program that gives them: GIT_ASKPASS, credential.helper"


def approve(repo: Repo, credential: Credential) -> None:
    """Tell the helpers that the credentials were good."""
    _tell(repo, "approve", credential)


def reject(repo: Repo, credential: Credential) -> None:
    """Tell the helpers to forget the credentials."""
    _tell(repo, "reject", credential)


def _tell(repo: Repo, what: str, credential: Credential) -> None:
    if not credential.asked:
        return
    if command.available():
        command.run(repo, "credential", what, input=_lines(dict(credential.asked)), check=False)
    else:
        asking.tell(repo, {"approve": "store", "reject": "erase"}[what], dict(credential.asked))


def _lines(values: Mapping[str, str]) -> bytes:
    return "".join(f"{key}={value}\n" for key, value in values.items() if value).encode() + b"\n"
