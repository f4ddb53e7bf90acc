"""Git servers spoken to by dulwich: over HTTP by our own session, over ssh by the user's ssh, and as git://.

The session is that of Git LFS: Git's proxy, certificates and credentials, bounds, and redirects that take none along.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from gitexp import redact, text
from gitexp.errors import GitexpError, RemoteError
from gitexp.git import address, incoming, outgoing, smarthttp, smartssh
from gitexp.git.address import Ssh
from gitexp.git.exchange import Options, quiet
from gitexp.git.lfshttp import Session, Trouble, Tuning

if TYPE_CHECKING:
    import urllib3
    from dulwich.client import GitClient
    from dulwich.pack import UnpackedObject

    from gitexp.git.incoming import Write
    from gitexp.git.repo import Repo

_NONE = b"0" * 40
Refs = dict[str, str]


@dataclass(slots=True)
class Haves:
    """What the other side is told that is here, and where history is cut off here: dulwich's GraphWalker."""

    rest: Iterator[str]
    shallow: set[bytes]

    def __next__(self) -> bytes | None:
        """Return the next commit that is here, None after the last."""
        oid = next(self.rest, None)
        return None if oid is None else oid.encode()

    def ack(self, sha: bytes, /) -> None:
        """Hear that the other side has a commit; what is told is no more for it."""

    def nak(self) -> None:
        """Hear that nothing is common so far."""


@dataclass(slots=True)
class Server:
    """A repository behind one of dulwich's clients; `said` are the server's words to people."""

    repo: Repo
    client: GitClient
    path: str
    options: Options
    label: str
    close: Callable[[], None]
    asides: Callable[[], list[str]] = list  # what is said beside the protocol
    said: list[str] = field(default_factory=list)

    def listing(self, prefixes: Sequence[str]) -> Refs:
        """Return the refs that begin so."""
        with self._talk():
            answer = self.client.get_refs(self.path.encode(), ref_prefix=[prefix.encode() for prefix in prefixes])
        return _decoded(cast(Any, answer.refs))

    def fetch(self, choose: Callable[[Refs], tuple[list[str], list[str]]], write: Write) -> None:
        """Write the pack of what `choose(refs)` wants beyond what it has."""
        shallow = {line.encode() for line in _shallow_tips(self.repo)}
        haves = Haves(iter(()), shallow)

        def wants(held: Mapping[bytes, bytes], depth: int | None = None) -> list[bytes]:
            wanted, here = choose(_decoded(held))
            haves.rest = iter(here)
            return [oid.encode() for oid in wanted]

        with self._talk():
            self.client.fetch_pack(
                self.path.encode(),
                cast(Any, wants),
                cast(Any, haves),
                write,
                progress=self._hear,
                ref_prefix=[b"refs/"],
            )

    def push(self, decide: Callable[[Refs], Mapping[str, str | None]]) -> dict[str, str]:
        """Change the refs that `decide(refs)` names, None deletes one; returns why, for each that was not taken."""
        from dulwich.errors import SendPackError

        asked: dict[str, str | None] = {}

        def update(held: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
            asked.update(decide(_decoded(held)))
            return {_bytes(ref): _NONE if oid is None else oid.encode() for ref, oid in asked.items()}

        try:
            with self._talk():
                done = self.client.send_pack(self.path.encode(), cast(Any, update), cast(Any, self._pack), self._hear)
        except SendPackError:
            return dict.fromkeys(asked, "unpacker error")
        if done.ref_status is None:  # a server that reports nothing; Git takes that for success as well
            return {}
        found = {_text(ref): why for ref, why in done.ref_status.items()}
        answers = {ref: found.get(ref, "the remote said nothing of it") for ref in asked}
        return {ref: text.safe(redact.text(why)) for ref, why in answers.items() if why is not None}

    def _pack(
        self, have: set[bytes], want: set[bytes], *, ofs_delta: bool = False, progress: object = None
    ) -> tuple[int, Iterator[UnpackedObject]]:
        oids = outgoing.lacking(self.repo, [oid.decode() for oid in want], {oid.decode() for oid in have})
        return len(oids), outgoing.records(self.repo, oids)

    def _hear(self, data: bytes) -> None:
        words = data.decode("utf-8", "replace")
        self.said.append(words)
        if self.options.progress:
            sys.stderr.write("".join(f"remote: {line}" for line in words.splitlines(keepends=True)))
            sys.stderr.flush()

    @contextmanager
    def _talk(self) -> Iterator[None]:
        """Raise RemoteError for whatever a server, or the way to it, does wrong."""
        from dulwich import errors as faults
        from dulwich.client import HTTPUnauthorized

        broken = (faults.GitProtocolError, faults.NotGitRepository, faults.FileFormatException, HTTPUnauthorized)
        try:
            yield
        except (faults.SendPackError, GitexpError):
            raise
        except Trouble as error:
            raise self._failed(smarthttp.words(error, self.label)) from error
        except (*broken, *incoming.MALFORMED, NotImplementedError, OSError) as error:
            raise self._failed(_of(error)) from error
        finally:
            self.close()

    def _failed(self, why: str) -> RemoteError:
        said = [*"".join(self.said).splitlines(), *self.asides()]
        words = text.safe(redact.text("; ".join([why, *[line.strip() for line in said if line.strip()][-3:]])))[:500]
        return RemoteError(f"{self.label}: {words}", hint="look at the address and the network: cat .git/config")


def http(repo: Repo, url: str, options: Options) -> Server:
    """Return the server of an HTTP address."""
    from dulwich.client import Urllib3HttpGitClient

    session = Session(repo, url, Tuning.of(repo), quiet(options))
    requests = cast("urllib3.PoolManager", smarthttp.Requests(session))
    client = Urllib3HttpGitClient(session.url, pool_manager=requests, thin_packs=True)
    return Server(repo, client, "", options, address.label(url), session.close)


def ssh(repo: Repo, place: Ssh, label: str, options: Options) -> Server:
    """Return the server that the user's ssh reaches."""
    from dulwich.client import SSHGitClient

    vendor = smartssh.Vendor(repo, place, options)
    client = SSHGitClient(place.host, vendor=cast(Any, vendor), thin_packs=True)
    return Server(repo, client, place.path, options, label, vendor.close, vendor.said)


def daemon(repo: Repo, url: str, options: Options) -> Server:
    """Return the server of a git:// address."""
    from dulwich.client import TCPGitClient

    parts = urlsplit(url)
    client = TCPGitClient(parts.hostname or "", port=parts.port, thin_packs=True)
    return Server(repo, client, parts.path, options, address.label(url), client.close)


def _shallow_tips(repo: Repo) -> list[str]:
    """Return the commits at which history is cut off here."""
    try:
        return (repo.common_dir / "shallow").read_text().split()
    except FileNotFoundError:
        return []


def _of(error: Exception) -> str:
    from dulwich.errors import HangupException, NotGitRepository

    if isinstance(error, NotGitRepository):
        return "no Git repository is there"
    if isinstance(error, HangupException):
        return "the other side ended the connection"
    return str(error) or type(error).__name__


def _decoded(held: Mapping[bytes, bytes | None]) -> Refs:
    rows = ((_text(ref), oid) for ref, oid in held.items() if oid is not None and len(oid) == 40)
    return {ref: oid.decode("ascii", "replace") for ref, oid in rows if ref.startswith("refs/") and ref[-3:] != "^{}"}


def _text(ref: bytes) -> str:
    return ref.decode("utf-8", "surrogateescape")


def _bytes(ref: str) -> bytes:
    return ref.encode("utf-8", "surrogateescape")
