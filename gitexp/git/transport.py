"""The network, in one place: by the git command where there is one (stock), else by dulwich (wire).

Both give the same results and refuse the same: nothing is forced or pruned, a ref that has to be replaced names what it
replaces, and tags are not followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from gitexp.git import address, command
from gitexp.git.exchange import (
    CURRENT,
    DELETED,
    NEW,
    PUSHING,
    REJECTED,
    UPDATED,
    Options,
    Result,
    interactive,
    quiet,
)

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

__all__ = ["CURRENT", "DELETED", "NEW", "PUSHING", "REJECTED", "UPDATED", "Options", "Result", "interactive", "quiet"]
_USUAL = Options()


class _Way(Protocol):
    """What both ways of going over the network can do."""

    def ls_remote(self, repo: Repo, remote: str, patterns: Sequence[str], options: Options) -> dict[str, str]: ...
    def fetch(self, repo: Repo, remote: str, refspecs: Iterable[str], options: Options) -> None: ...
    def push(
        self, repo: Repo, remote: str, refspecs: Sequence[str], *, leases: Mapping[str, str] | None, options: Options
    ) -> list[Result]: ...
    def bring(self, repo: Repo, remote: str, oids: Sequence[str]) -> None: ...


def _way() -> _Way:
    # A list of runs or models goes over no network; `wire` brings all that speaks HTTP.
    if command.available():
        from gitexp.git import stock

        return stock
    from gitexp.git import wire

    return wire


def ls_remote(repo: Repo, remote: str, patterns: Sequence[str], options: Options = _USUAL) -> dict[str, str]:
    """Return {ref: oid} of what the remote holds under these full names or `…/*` patterns; raises RemoteError."""
    return _way().ls_remote(repo, remote, patterns, options)


def fetch(repo: Repo, remote: str, refspecs: Iterable[str], options: Options = _USUAL) -> None:
    """Fetch exactly these refspecs, whole also in a partial clone; raises RemoteError."""
    _way().fetch(repo, remote, refspecs, options)


def push(
    repo: Repo,
    remote: str,
    refspecs: Sequence[str],
    *,
    leases: Mapping[str, str] | None = None,
    options: Options = _USUAL,
) -> list[Result]:
    """Push these refspecs and say what became of each; a lease {ref: oid} replaces or deletes exactly what it names.

    Raises RemoteError where the remote was not reached or said nothing of the refs.
    """
    return _way().push(repo, remote, refspecs, leases=leases, options=options)


def bring(repo: Repo, remote: str, oids: Sequence[str]) -> None:
    """Bring these objects of a partial clone's remote, alone; one that does not come is missed where it is read."""
    _way().bring(repo, remote, oids)


def names(repo: Repo) -> dict[str, str]:
    """Return {remote: the address that a push goes to} of the configured remotes, as written in the settings."""
    found: dict[str, str] = {}
    for name, key, value in address.settings(repo):
        if key == "pushurl" or (key == "url" and name not in found):
            found[name] = value
    return found


def pruning_refspecs(repo: Repo) -> list[tuple[str, str]]:
    """Return (remote, refspec) of the fetch refspecs with which a pruning `git fetch` deletes runs not yet pushed."""
    found = []
    for name, key, value in address.settings(repo):
        target = value.partition(":")[2]
        if key == "fetch" and target.startswith(("refs/experiments/", "refs/*", "refs/notes/")):
            found.append((name, value))
    return found
