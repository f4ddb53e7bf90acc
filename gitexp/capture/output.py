"""A command run as if nobody watched: its output passes through unchanged, and a copy without secrets is kept."""

from __future__ import annotations

import errno
import os
import selectors
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from gitexp.capture import signals, terminal
from gitexp.capture.transcript import Transcript
from gitexp.errors import UsageError

LINGER_SECONDS = 0.5  # how long to wait, after the command has ended, for others that hold its output open
_CHUNK_BYTES = 64 << 10
_LINGER_CHUNKS = 16  # more than a pipe can hold
_TICK_SECONDS = 1.0
_BLIND_TICK_SECONDS = 0.05  # where no signal tells that the child has ended
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127  # as shells say it


def run(
    argv: Sequence[str],
    *,
    log: Path | None,
    environ: Mapping[str, str],
    cwd: Path | None = None,
    limit_bytes: int = 100 << 20,
    on_start: Callable[[int], None] | None = None,
) -> int:
    """Run a command to its end and return its exit code, 128 + n when signal n ended it.

    What it prints goes on to stdout and stderr byte for byte, and, without secrets and bounded to `limit_bytes` by
    leaving out the middle, into the file `log`; without `log` the command writes to stdout and stderr itself. Where
    they are a terminal, the command sees one; stdin is always the real one. `on_start` gets the process id. Signals
    go on to the command.

    Raises UsageError when the command cannot be started; its `exit_code` is 127 (not found) or 126 (not executable).
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):  # gone or closed: the command will notice by itself
                stream.flush()
    with ExitStack() as stack:
        channels = stack.enter_context(_channels()) if log is not None else {}
        relay = stack.enter_context(signals.Relay(lambda: _copy_sizes(channels)))
        child = stack.enter_context(_started(argv, channels, environ, cwd))
        relay.attach(child)
        if on_start is not None:
            on_start(child.pid)
        transcript = Transcript(log, limit_bytes) if log is not None else None
        if transcript is not None:
            stack.callback(transcript.close)
        code = _Pump(child, list(dict.fromkeys(channels.values())), relay, transcript).run()
    return 128 - code if code < 0 else code


@dataclass(eq=False, slots=True)
class _Channel:
    """The way of one stream: the child writes to `childs`, we read `ours` and write to `target` (1 or 2)."""

    ours: int
    childs: int
    target: int
    is_tty: bool

    def close_childs(self) -> None:
        """Leave the child's side to the child."""
        if self.childs >= 0:
            os.close(self.childs)
            self.childs = -1

    def close(self) -> None:
        """Let the child's next write fail, as it would if it wrote to a target that is gone."""
        self.close_childs()
        if self.ours >= 0:
            os.close(self.ours)
            self.ours = -1


@contextmanager
def _channels() -> Iterator[dict[int, _Channel]]:
    """Open a channel for stdout and one for stderr; one for both, which keeps the order, where they are the same."""
    found: dict[int, _Channel] = {}
    places: dict[tuple[int, int, int], _Channel] = {}
    try:
        for target in (1, 2):
            try:
                status = os.fstat(target)
            except OSError:
                continue  # closed, and so it is for the child
            place = (status.st_dev, status.st_ino, status.st_rdev)
            if place not in places:
                places[place] = _open(target)
            found[target] = places[place]
        yield found
    finally:
        for channel in places.values():
            channel.close()


def _open(target: int) -> _Channel:
    if os.isatty(target):
        with suppress(OSError, termios.error):  # no pseudo-terminals in this container: a pipe is better than nothing
            return _Channel(*terminal.open_like(target), target, is_tty=True)
    return _Channel(*os.pipe(), target, is_tty=False)


def _copy_sizes(channels: Mapping[int, _Channel]) -> None:
    for channel in channels.values():
        if channel.is_tty and channel.ours >= 0:
            terminal.copy_size(channel.target, channel.ours)


@contextmanager
def _started(
    argv: Sequence[str], channels: Mapping[int, _Channel], environ: Mapping[str, str], cwd: Path | None
) -> Iterator[Popen[bytes]]:
    """Start the child; should the block fail, end it."""
    outs = {target: channel.childs for target, channel in channels.items()}
    try:
        child = Popen(list(argv), stdout=outs.get(1), stderr=outs.get(2), env=dict(environ), cwd=cwd)
    except (OSError, ValueError, IndexError) as error:
        raise _not_started(argv, environ, cwd, error) from error
    for channel in channels.values():
        channel.close_childs()
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
            with suppress(subprocess.TimeoutExpired):
                child.wait(2)
        if child.poll() is None:
            child.kill()
            child.wait()


def _not_started(
    argv: Sequence[str], environ: Mapping[str, str], cwd: Path | None, error: OSError | ValueError | IndexError
) -> UsageError:
    name = argv[0] if argv else ""
    if not name:
        return _unusable("no command is given", "for example: gitexp run -- python train.py", _NOT_FOUND)
    reason, code = str(getattr(error, "strerror", None) or error).lower(), _NOT_EXECUTABLE
    hint = f"make it executable: chmod +x {name}" if isinstance(error, PermissionError) else ""
    if cwd is not None and not cwd.is_dir():
        reason, hint = f"there is no directory {str(cwd)!r}", f"mkdir -p {cwd}"
    elif isinstance(error, FileNotFoundError) and os.sep in name and (cwd or Path()).joinpath(name).exists():
        reason = "the interpreter in its first line is not there"
    elif isinstance(error, FileNotFoundError):
        reason, hint, code = "there is no such command", "check its spelling, and PATH", _NOT_FOUND
    elif getattr(error, "errno", None) == errno.ENOEXEC:
        hint = f"for a script without a first line like #!/bin/sh: gitexp run -- sh {name}"
    if name.endswith(".py"):
        hint = f"for example: gitexp run -- python {name}"
    return _unusable(f"cannot run {name!r}: {reason}", hint, code)


def _unusable(message: str, hint: str, code: int) -> UsageError:
    error = UsageError(message, hint=hint)
    error.exit_code = code
    return error


class _Pump:
    """Moves the output of a child until it has ended."""

    def __init__(
        self, child: Popen[bytes], channels: list[_Channel], relay: signals.Relay, transcript: Transcript | None
    ) -> None:
        self._child = child
        self._open = len(channels)
        self._relay = relay
        self._transcript = transcript
        self._selector = selectors.DefaultSelector()
        self._selector.register(relay.wake, selectors.EVENT_READ)
        for channel in channels:
            self._selector.register(channel.ours, selectors.EVENT_READ, channel)

    def run(self) -> int:
        """Return the exit code of the child, negative for a signal."""
        with self._selector:
            while self._child.poll() is None:
                self._move(self._seconds_to_wait())
            deadline = time.monotonic() + LINGER_SECONDS
            while self._open and (left := deadline - time.monotonic()) > 0:
                self._move(min(left, self._seconds_to_wait()))
            for _ in range(_LINGER_CHUNKS):
                if not self._open or not self._move(0):
                    break
        return self._child.returncode

    def _seconds_to_wait(self) -> float:
        longest = _TICK_SECONDS if self._relay.works else _BLIND_TICK_SECONDS
        flush = self._transcript.seconds_to_flush() if self._transcript is not None else None
        return longest if flush is None else min(flush, longest)

    def _move(self, seconds: float) -> bool:
        """Move what there is, or comes within the time; say whether something came."""
        moved = False
        for key, _ in self._selector.select(seconds):
            if isinstance(key.data, _Channel):
                self._transfer(key.data)
                moved = True
            else:
                self._relay.clear()
        if self._transcript is not None and self._transcript.seconds_to_flush() == 0:
            self._transcript.flush()
        return moved

    def _transfer(self, channel: _Channel) -> None:
        try:
            data = os.read(channel.ours, _CHUNK_BYTES)
        except OSError:  # how Linux says that nobody has the other side of a pseudo-terminal open
            data = b""
        gone = not data or not _write(channel.target, data)
        if data and self._transcript is not None:
            self._transcript.take(channel.target, data)
        if gone:
            self._selector.unregister(channel.ours)
            self._open -= 1
            channel.close()


def _write(target: int, data: bytes) -> bool:
    """Write everything; say whether the target takes more."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(target, rest) :]
        except BlockingIOError:  # somebody made it so; it is not ours to change
            with selectors.DefaultSelector() as selector:
                selector.register(target, selectors.EVENT_WRITE)
                selector.select()
        except OSError:
            return False
    return True
