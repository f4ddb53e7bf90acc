"""A remote that is a folder of this machine: objects are copied there or here, refs compared and set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gitexp.errors import Conflict, Damaged, RemoteError, Unsupported
from gitexp.git import compare, discover, hooks, incoming, outgoing, refs

if TYPE_CHECKING:
    from gitexp.git.incoming import Write
    from gitexp.git.repo import Repo

_DECIDING = ("pre-receive", "update", "proc-receive", "reference-transaction")


@dataclass(slots=True)
class Neighbour:
    """Another repository on this machine, from the point of view of `repo`."""

    repo: Repo
    other: Repo
    label: str
    said: list[str] = field(default_factory=list)

    def listing(self, prefixes: Sequence[str]) -> dict[str, str]:
        """Return the refs that begin so."""
        held = refs.listing(self.other, "refs/")
        return {ref: oid for ref, oid in held.items() if ref.startswith(tuple(prefixes))}

    def fetch(self, choose: Callable[[dict[str, str]], tuple[list[str], list[str]]], write: Write) -> None:
        """Write the pack of what `choose(refs)` wants beyond what it has."""
        wanted, here = choose(self.listing(["refs/"]))
        if wanted:
            try:
                outgoing.write(self.other, outgoing.lacking(self.other, wanted, here), write)
            except Damaged as error:
                raise RemoteError(f"{self.label}: {error.message}", hint="git fsck, in that repository") from error

    def push(self, decide: Callable[[dict[str, str]], Mapping[str, str | None]]) -> dict[str, str]:
        """Change the refs that `decide(refs)` names, None deletes one; returns why, for each that was not taken."""
        held = self.listing(["refs/"])
        wanted = decide(held)
        if not wanted:
            return {}
        self._refuse_rules()
        new = [oid for oid in wanted.values() if oid is not None]
        with incoming.pack(self.other) as write:
            if oids := outgoing.lacking(self.repo, new, set(held.values())):
                outgoing.write(self.repo, oids, write)
        if self.repo.is_shallow:
            try:
                incoming.check(self.other, new)
            except Damaged:
                return dict.fromkeys(wanted, "shallow update not allowed")
        answers = {ref: self._set(ref, oid, held.get(ref)) for ref, oid in wanted.items()}
        return {ref: why for ref, why in answers.items() if why}

    def _refuse_rules(self) -> None:
        """Refuse to go past hooks with which the other repository decides what it takes: only Git runs them."""
        if found := next((name for name in _DECIDING if hooks.find(self.other, name) is not None), None):
            raise Unsupported(f"{self.label} has the hook {found}, which needs the git command", hint="install git")

    def _set(self, ref: str, new: str | None, old: str | None) -> str:
        """Set one ref of the other repository; returns why not, "" where it is done."""
        if why := self._forbidden(ref, new, old):
            return why
        try:
            if new is not None:
                refs.update(self.other, ref, new, old=old)
            elif old is not None:
                refs.delete(self.other, ref, old=old)
        except Conflict as error:
            return f"failed to update ref: {error.message}"
        return ""

    def _forbidden(self, ref: str, new: str | None, old: str | None) -> str:
        """Return why the other repository's settings do not allow a change (man git-config, receive.*)."""
        if new is None and _is_on(self.other, "receive.denyDeletes"):
            return "deletion prohibited"
        is_back = new is not None and old is not None and not compare.contains(self.other, new, old)
        if is_back and _is_on(self.other, "receive.denyNonFastForwards"):
            return "non-fast-forward"
        denies = (self.other.config("receive.denyCurrentBranch") or "refuse") not in ("ignore", "warn", "false")
        if denies and self.other.work_tree is not None and ref == f"refs/heads/{self.other.head().branch}":
            return "branch is currently checked out"
        return ""


def _is_on(repo: Repo, key: str) -> bool:
    return (repo.config(key) or "").lower() in ("true", "yes", "on", "1")


def find(repo: Repo, path: Path, label: str) -> Neighbour:
    """Return the repository at a path; raises RemoteError where there is none."""
    other = discover.at(path)
    if other is None:
        raise RemoteError(f"{label} does not appear to be a git repository", hint="check the address: git remote -v")
    return Neighbour(repo, other, label)
