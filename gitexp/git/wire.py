"""The network where there is no git command: Git's own rules of pushing and fetching, the protocol by dulwich.

The other side is a Git server (smart), a folder of this machine (neighbour), or a bundle to fetch from.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from gitexp.errors import Damaged, RemoteError, Unsupported
from gitexp.git import address, bundles, compare, hooks, incoming, neighbour, objects, refs, smart
from gitexp.git.exchange import CURRENT, DELETED, NEW, PUSHING, REJECTED, UPDATED, Options, Result
from gitexp.git.refs import Update

if TYPE_CHECKING:
    from gitexp.git.incoming import Write
    from gitexp.git.repo import Repo

_OID = re.compile("[0-9a-f]{40}")
_HAVES = 250  # commits that a server is told of: dulwich ends there where none of them is known
_RECENT = 64  # of them the latest commits of HEAD, should all branches have gone on
Refs = dict[str, str]


class Peer(Protocol):
    """The other side of a transfer; `said` are its words to people."""

    said: list[str]

    def listing(self, prefixes: Sequence[str]) -> Refs: ...
    def fetch(self, choose: Callable[[Refs], tuple[list[str], list[str]]], write: Write) -> None: ...
    def push(self, decide: Callable[[Refs], Mapping[str, str | None]]) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True)
class Spec:
    """One refspec taken apart: `source` is a ref, an object or "" (delete), both may end with a star."""

    source: str
    target: str
    forced: bool = False

    @classmethod
    def read(cls, words: str) -> Spec:
        """Read `[+]source:target`."""
        source, _, target = words.removeprefix("+").partition(":")
        return cls(source, target, words.startswith("+"))

    def expand(self, held: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield (target, oid) for what this means of these refs; raises KeyError for a name that is not there."""
        if self.source.endswith("*"):
            below = self.source[:-1]
            for ref, oid in held.items():
                if ref.startswith(below):
                    yield self.target[:-1] + ref.removeprefix(below), oid
        else:
            yield self.target, self.source if _OID.fullmatch(self.source) else held[self.source]


def ls_remote(repo: Repo, remote: str, patterns: Sequence[str], options: Options) -> Refs:
    """Return {ref: oid} of what the remote holds under these full names or `…/*` patterns."""
    found = _peer(repo, remote, options, push=False).listing([pattern.removesuffix("*") for pattern in patterns])
    prefixes = tuple(pattern[:-1] for pattern in patterns if pattern.endswith("*"))
    return {ref: oid for ref, oid in sorted(found.items()) if ref in patterns or ref.startswith(prefixes)}


def fetch(repo: Repo, remote: str, refspecs: Iterable[str], options: Options) -> None:
    """Fetch exactly these refspecs, each only forward; raises RemoteError, and then no ref has changed."""
    specs, found = [Spec.read(words) for words in refspecs], dict[str, tuple[str, bool]]()

    def choose(held: Refs) -> tuple[list[str], list[str]]:
        for spec in specs:
            try:
                found.update({ref: (oid, spec.forced) for ref, oid in spec.expand(held)})
            except KeyError as error:
                raise RemoteError(f"{remote} has no ref {spec.source}", hint=f"git ls-remote {remote}") from error
        return _lacking(repo, {oid for oid, _ in found.values()}), [*islice(_known(repo, held), _HAVES)]

    peer = _peer(repo, remote, options, push=False)
    try:
        with incoming.pack(repo) as write:
            peer.fetch(choose, write)
        incoming.check(repo, {oid for oid, _ in found.values()})
    except Damaged as error:
        raise RemoteError(f"{address.label(remote)}: {error.message}", hint="gitexp fetch") from error
    _land(repo, remote, found)


def _lacking(repo: Repo, wanted: Collection[str]) -> list[str]:
    """Return those of these commits that are not here whole: what no ref names may have lost a part since."""
    absent = [oid for oid in wanted if not objects.exists(repo, oid)]
    loose = [oid for oid in wanted if oid not in absent]
    try:
        incoming.check(repo, loose)
    except Damaged:
        return absent + loose
    return absent


def _known(repo: Repo, held: Mapping[str, str]) -> Iterator[str]:
    """Yield commits that the other side may have, those first that spare most: branches, facts, HEAD's past, runs."""
    ours = refs.listing(repo, "refs/")
    whole = set(ours.values())  # what no ref names is not counted on
    usual = ("refs/heads/", "refs/tags/", "refs/notes/", "refs/remotes/")
    first = [oid for ref, oid in (*held.items(), *ours.items()) if ref.startswith(usual)]
    past = _past(repo)
    rest = [oid for ref, oid in reversed([*held.items()]) if not ref.startswith(usual)]
    for oid in dict.fromkeys((*first[: _HAVES // 2], *past, *rest, *first)):
        if oid in whole or oid in past:
            yield oid


def _past(repo: Repo) -> list[str]:
    import pygit2

    if (head := repo.head().commit) is None:
        return []
    found: list[str] = []
    with suppress(KeyError, pygit2.GitError):  # history that is cut off ends here
        found.extend(str(commit.id) for commit in islice(repo.raw.walk(pygit2.Oid(hex=head)), _RECENT))
    return found


def _land(repo: Repo, remote: str, found: Mapping[str, tuple[str, bool]]) -> None:
    updates = []
    for ref, (oid, forced) in found.items():
        old = refs.get(repo, ref)
        if old is not None and not forced and not compare.contains(repo, oid, old):
            raise RemoteError(f"{address.label(remote)}: {ref} is not forward from here", hint="gitexp fetch")
        if old != oid:
            updates.append(Update(ref, oid, old))
    refs.update_many(repo, updates)


def bring(repo: Repo, remote: str, oids: Sequence[str]) -> None:
    """Bring these objects of a partial clone's remote, alone; one that does not come is missed where it is read."""
    with suppress(RemoteError, Damaged), incoming.pack(repo) as write:
        _peer(repo, remote, Options(auto=True), push=False).fetch(lambda _: (list(oids), []), write)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One change that a push asks for."""

    ref: str
    new: str | None
    lease: str | None  # what the remote must hold, "" for nothing, None where that is not said
    forced: bool


def push(
    repo: Repo, remote: str, refspecs: Sequence[str], *, leases: Mapping[str, str] | None, options: Options
) -> list[Result]:
    """Push these refspecs by the rules of `git push` and say what became of each; raises RemoteError."""
    wanted = list(_wanted(repo, refspecs, leases or {}))
    judged: dict[str, Result] = {}

    def decide(held: Refs) -> dict[str, str | None]:
        judged.update({item.ref: _judge(repo, item, held.get(item.ref)) for item in wanted})
        able = [item for item in wanted if judged[item.ref].status not in (CURRENT, REJECTED)]
        going = {item.ref: item.new for item in able if item.new != held.get(item.ref)}
        _ask_hook(repo, remote, going, held, options)
        return going

    peer = _peer(repo, remote, options, push=True)
    refused = peer.push(decide)
    said = "".join(peer.said).splitlines()
    return [
        Result(ref, REJECTED, _reason(repo, refused[ref])).explained(said) if ref in refused else result
        for ref, result in judged.items()
    ]


def _wanted(repo: Repo, refspecs: Sequence[str], leases: Mapping[str, str]) -> Iterator[Wanted]:
    ours = refs.listing(repo, "refs/")
    for spec in map(Spec.read, refspecs):
        if not spec.source:
            yield Wanted(spec.target, None, leases.get(spec.target), spec.forced)
            continue
        try:
            for ref, oid in spec.expand(ours):
                yield Wanted(ref, oid, leases.get(ref), spec.forced)
        except KeyError as error:
            raise RemoteError(f"there is no ref {spec.source} to push", hint="git show-ref") from error


def _judge(repo: Repo, item: Wanted, old: str | None) -> Result:
    """Say what is to become of a ref that the remote holds so, as `git push` decides it."""
    if item.new == old:
        return Result(item.ref, DELETED if old is None else CURRENT)
    if item.lease is not None and item.lease != (old or ""):
        return Result(item.ref, REJECTED, "stale info")
    if item.new is None:
        return Result(item.ref, DELETED)
    if old is None:
        return Result(item.ref, NEW)
    why = "" if item.forced or item.lease is not None else _backwards(repo, item.ref, item.new, old)
    return Result(item.ref, REJECTED if why else UPDATED, why)


def _backwards(repo: Repo, ref: str, new: str, old: str) -> str:
    """Return why a ref may not go from `old` to `new`, "" where that is forward."""
    if ref.startswith("refs/tags/"):
        return "already exists"
    if not objects.exists(repo, old):
        return "fetch first"
    return "" if compare.contains(repo, new, old) else "non-fast-forward"


def _reason(repo: Repo, why: str) -> str:
    """Return why a server refused, with the cause that Git would have named where history is cut off here."""
    if repo.is_shallow and ("missing necessary objects" in why or "unpacker error" in why):
        return f"shallow update not allowed: {why}"
    return why


def _ask_hook(repo: Repo, remote: str, going: Mapping[str, str | None], held: Refs, options: Options) -> None:
    """Run the user's pre-push hook as `git push` does; raises RemoteError where it refuses."""
    path = hooks.find(repo, "pre-push") if going else None
    if path is None or _is_of_lfs(path):
        return
    none = "0" * 40
    lines = (f"{ref} {new or none} {ref} {held.get(ref, none)}\n" for ref, new in going.items())
    env = {PUSHING: "1", **({"GIT_LFS_SKIP_PUSH": "1"} if options.skip_lfs else {})}
    args = (remote, address.of(repo, remote, push=True))
    done = hooks.run(repo, path, env, args=args, input="".join(lines).encode("utf-8", "surrogateescape"))
    if done.code:
        said = " ".join((done.stderr or done.stdout.decode("utf-8", "replace")).split())[-300:]
        raise RemoteError(f"the hook {path.name} refuses the push: {said}", hint=f"look at it: {path}")


def _is_of_lfs(path: Path) -> bool:
    """Say whether a hook does nothing but call git-lfs, which needs Git; the large files of runs have gone before."""
    lines = path.read_text("utf-8", "replace").splitlines()
    said = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return bool(said) and all(line.startswith(("command -v git-lfs", "git lfs pre-push")) for line in said)


def _peer(repo: Repo, remote: str, options: Options, *, push: bool) -> Peer:
    """Return the other side; raises RemoteError, and Unsupported for what only the git command can reach."""
    where = address.of(repo, remote, push=push)
    label, scheme = address.label(where), address.scheme(where)
    path = Path(where).expanduser() if where.startswith("~") else Path(repo.work_tree or repo.git_dir, where)
    if not scheme and address.is_scp(where) and not path.exists():
        scheme = "scp"
    _check_allowed(repo, {"": "file", "scp": "ssh"}.get(scheme, scheme), label)
    if scheme in ("http", "https"):
        return smart.http(repo, where, options)
    if scheme in ("scp", *address.SSH_SCHEMES):
        return smart.ssh(repo, address.scp(where) if scheme == "scp" else address.ssh(where), label, options)
    if scheme == "git":
        return smart.daemon(repo, where, options)
    if scheme not in ("", "file"):
        raise Unsupported(f"only the git command can reach {label}", hint="install git")
    path = Path(unquote(urlsplit(where).path)) if scheme else path
    return bundles.read(path) if bundles.is_one(path) else neighbour.find(repo, path, label)


def _check_allowed(repo: Repo, protocol: str, label: str) -> None:
    """Refuse what `protocol.*.allow` or GIT_ALLOW_PROTOCOL forbid (man git-config)."""
    listed = os.environ.get("GIT_ALLOW_PROTOCOL")
    said = repo.config(f"protocol.{protocol}.allow") or repo.config("protocol.allow") or "user"
    allowed = said.lower() != "never" if listed is None else protocol in listed.split(":")
    if not allowed:
        raise RemoteError(f"{label}: transport '{protocol}' not allowed", hint="git config --get-regexp ^protocol")
