"""Objects read by `git cat-file --batch`: in the quarantine of a push they are where only git looks for them.

Where there is no git command nobody is in a quarantine: libgit2 reads them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO

from gitexp.errors import Damaged
from gitexp.git import command, objects
from gitexp.git.repo import Repo

_CHUNK = 1000  # requests of 41 bytes: they fit into the pipe, so nobody waits for the other
_BLOCK_BYTES = 1 << 20


class Batch:
    """One process that gives the contents of objects, and one that gives their sizes, while the block lasts."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._contents = _start(repo, "--batch") if command.available() else None
        self._sizes = _start(repo, "--batch-check") if command.available() else None

    def __enter__(self) -> Batch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (self._contents, self._sizes):
            if process is None:
                continue
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(BrokenPipeError):  # git ended early; who asked has been told
                        stream.close()
            process.wait()

    def sizes(self, oids: Sequence[str]) -> Iterator[tuple[str, str, int]]:
        """Yield (oid, kind, bytes) of each object in order; the kind of one that is not there is "missing"."""
        if self._sizes is None:
            yield from ((oid, *_found(self._repo, oid)) for oid in oids)
            return
        for lines in _ask(self._sizes, oids):
            for oid in lines:
                yield oid, *_header(self._sizes)

    def read(self, oids: Sequence[str], *, limit_bytes: int) -> Iterator[tuple[str, str, bytes | None]]:
        """Yield (oid, kind, content) of each object in order; the content of what is larger than the limit is None."""
        if self._contents is None:
            yield from ((oid, *_read(self._repo, oid, limit_bytes)) for oid in oids)
            return
        for lines in _ask(self._contents, oids):
            for oid in lines:
                kind, size = _header(self._contents)
                yield oid, kind, _content(_out(self._contents), kind, size, limit_bytes)


_KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}


def _found(repo: Repo, oid: str) -> tuple[str, int]:
    """Return the kind and size of an object, "missing" for one that is not here or cannot be read."""
    try:
        kind, size = objects.header(repo, oid)
    except Damaged:
        return "missing", 0
    return _KINDS.get(kind, "missing"), size


def _read(repo: Repo, oid: str, limit_bytes: int) -> tuple[str, bytes | None]:
    kind, size = _found(repo, oid)
    if kind == "missing" or size > limit_bytes:
        return kind, None
    try:
        return kind, objects.read(repo, oid)[1]
    except Damaged:
        return "missing", None


def _start(repo: Repo, option: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["git", "cat-file", option],
        cwd=repo.work_tree or repo.git_dir,
        env={**command.environment(repo), "GIT_NO_LAZY_FETCH": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def _ask(process: subprocess.Popen[bytes], oids: Sequence[str]) -> Iterator[Sequence[str]]:
    stream = process.stdin
    assert stream is not None
    for start in range(0, len(oids), _CHUNK):
        asked = oids[start : start + _CHUNK]
        try:
            stream.write("".join(oid + "\n" for oid in asked).encode())
            stream.flush()
        except BrokenPipeError:
            raise _ended() from None
        yield asked


def _out(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


def _header(process: subprocess.Popen[bytes]) -> tuple[str, int]:
    words = _out(process).readline().split()
    if len(words) == 3:
        return words[1].decode(), int(words[2])
    if len(words) == 2:
        return "missing", 0
    raise _ended()


def _ended() -> Damaged:
    return Damaged("git cat-file ended before it had read all objects", hint="git fsck --full")


def _content(stream: IO[bytes], kind: str, size: int, limit_bytes: int) -> bytes | None:
    if kind == "missing":
        return None
    if size <= limit_bytes:
        return stream.read(size + 1)[:-1]
    left = size + 1
    while left:
        left -= len(stream.read(min(left, _BLOCK_BYTES))) or left
    return None
