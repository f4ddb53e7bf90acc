"""The ssh of a Git server: the program that Git would start, as dulwich's client of the protocol wants it."""

from __future__ import annotations

import io
import select
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from gitexp.git import address, command
from gitexp.git.address import Ssh
from gitexp.git.exchange import Options, quiet

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

_END_SECONDS = 60
_MAX_SAID_BYTES = 1 << 16


class Pipe:
    """A started ssh, as dulwich talks to one."""

    def __init__(self, words: Sequence[str], env: Mapping[str, str]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed below; a pipe that nobody reads would fill
        self._process = subprocess.Popen(
            words, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=env
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, io.BufferedReader(cast(io.RawIOBase, self._process.stdout))
        self.read, self.write = self._out.read, self._in.write

    def can_read(self) -> bool:
        """Say whether there is something to read."""
        waiting = select.poll()  # select() knows no descriptor from 1,024 on
        waiting.register(self._out, select.POLLIN)
        return bool(waiting.poll(0))

    def is_open(self) -> bool:
        """Wait for the first byte; False where there comes none."""
        return bool(self._out.peek(1))

    def said(self) -> list[str]:
        """End the talk; return what ssh and the other side said on stderr, nothing of one that was closed."""
        if self._errors.closed:
            return []
        with suppress(BrokenPipeError):
            self._in.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_END_SECONDS)
        self._errors.seek(0)
        return self._errors.read(_MAX_SAID_BYTES).decode("utf-8", "replace").splitlines()

    def close(self) -> None:
        """End it; done again it changes nothing."""
        for stream in (self._in, self._out, self._errors):
            with suppress(BrokenPipeError):
                stream.close()
        try:
            self._process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Vendor:
    """What dulwich takes for a maker of ssh connections: the command that Git would start."""

    def __init__(self, repo: Repo, place: Ssh, options: Options) -> None:
        self._repo, self._place, self._options = repo, place, options
        self._started: list[Pipe] = []

    def run_command(self, host: str, line: bytes, *, protocol_version: int | None = None, **_: object) -> Pipe:
        """Start ssh with this command for the other side."""
        from dulwich.errors import HangupException

        version = 2 if protocol_version is None else protocol_version
        words = address.program(self._repo, self._place)
        if version and not address.is_putty(self._repo):
            words += ["-o", "SendEnv=GIT_PROTOCOL"]
        env = {**quiet(self._options), **({"GIT_PROTOCOL": f"version={version}"} if version else {})}
        there = line.decode("utf-8", "surrogateescape")
        pipe = Pipe([*words, self._place.host, there], command.environment(None, env))
        self._started.append(pipe)
        if not pipe.is_open():
            raise HangupException
        return pipe

    def said(self) -> list[str]:
        """Return what was said on stderr."""
        return [line for pipe in self._started for line in pipe.said()]

    def close(self) -> None:
        """End what was started."""
        for pipe in self._started:
            pipe.close()
        self._started.clear()
