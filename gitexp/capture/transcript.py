"""The log of a command's output: whole lines, without secrets, and of bounded size."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from gitexp import redact

FLUSH_SECONDS = 1.0
_BATCH_BYTES = 256 << 10  # handled at once: searching for secrets has a price per call
_LINE_BYTES = 64 << 10  # of a line longer than this, the beginning is written before its end is known
_SECRET_BYTES = 4 << 10  # what must be known behind a cut, so that no secret is cut in two
_KEY_BYTES = 16 << 10  # a private key is at most this long
_SEARCH_BYTES = 4 << 10  # how far from the best place a cut may be, to be at the end of a line
_COPY_BYTES = 1 << 20
_MIN_BYTES = 4 << 10


class Transcript:
    """Writes what a command prints into a file, within a second of when it was printed.

    An error of the disk ends the log, is said once, and goes no further: the command must not feel it.
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._path = path
        self._streams: dict[int, _Lines] = {}
        self._waiting: list[tuple[int, bytes]] = []
        self._waiting_bytes = 0
        self._open_line: int | None = None  # the stream in whose line the file ends
        self._due: float | None = None
        self._file: _Bounded | None = None
        try:
            self._file = _Bounded(path, max(limit_bytes, _MIN_BYTES))
        except OSError as error:
            self._give_up(error)

    def take(self, stream: int, data: bytes) -> None:
        """Take what has been read from a stream."""
        if self._file is None:
            return
        self._waiting.append((stream, data))
        self._waiting_bytes += len(data)
        if self._due is None:
            self._due = time.monotonic() + FLUSH_SECONDS
        if self._waiting_bytes >= _BATCH_BYTES:
            self._handle_waiting()

    def seconds_to_flush(self) -> float | None:
        """Return in how many seconds `flush` has something to do; None for nothing."""
        return None if self._due is None else max(0.0, self._due - time.monotonic())

    def flush(self) -> None:
        """Write everything, also the unfinished lines as they are now."""
        self._due = None
        self._handle_waiting()
        unfinished = [lines.peek() for lines in self._streams.values()]
        self._write(b"\n".join(filter(None, unfinished)), passing=True)

    def close(self) -> None:
        """Write the rest and close the file."""
        self._handle_waiting()
        for stream, lines in self._streams.items():
            self._put(stream, lines.end())
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:
            self._say(error)
        self._file = None

    def _handle_waiting(self) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        position = 0
        while position < len(waiting):
            stream, end = waiting[position][0], position
            while end < len(waiting) and waiting[end][0] == stream:
                end += 1
            data = b"".join(chunk for _, chunk in waiting[position:end])
            self._put(stream, self._streams.setdefault(stream, _Lines()).take(data))
            position = end

    def _put(self, stream: int, data: bytes) -> None:
        if not data:
            return
        if self._open_line not in (None, stream):
            data = b"\n" + data
        self._open_line = None if data.endswith(b"\n") else stream
        self._write(data)

    def _write(self, data: bytes, passing: bool = False) -> None:
        if self._file is None:
            return
        data = data.decode("utf-8", "replace").encode()
        try:
            if passing:
                self._file.show(data)
            else:
                self._file.append(data)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if self._file is not None:
            with suppress(OSError):  # the same trouble again
                self._file.close()
            self._file = None
        self._say(error)

    def _say(self, error: OSError) -> None:
        with suppress(OSError):  # stderr may be gone as well
            print(f"gitexp: {self._path.name}: {error.strerror}; the output is not recorded", file=sys.stderr)


class _Lines:
    """One stream: its chunks become lines in the state that a reader would see last, without secrets."""

    __slots__ = ("_hides_line", "_key_bytes", "_pending")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._key_bytes = 0  # how much more of a private key, whose end has not come, may follow
        self._hides_line = False  # a secret reaches farther than we look

    def take(self, data: bytes) -> bytes:
        """Return what is settled now: the lines that have ended, and the beginning of a line without end."""
        if self._hides_line:
            data = self._skip_line(data)
        ready = b""
        end = data.rfind(b"\n") + 1
        if end:
            ready = self._clean(_last_states(bytes(self._pending) + data[:end]))
            self._pending = bytearray(data[end:])
        else:
            self._pending += data
        if b"\r" in self._pending:
            # A CR at the end stays: only what follows tells whether it ends the line or takes it back.
            tail = b"\r" if self._pending.endswith(b"\r") else b""
            self._pending = bytearray(_last_state(bytes(self._pending)) + tail)
        pieces = [ready]
        while len(self._pending) >= _LINE_BYTES + _SECRET_BYTES:
            pieces.append(self._cut_line())
        return b"".join(pieces)

    def peek(self) -> bytes:
        """Return the unfinished line as it is now."""
        return b"" if self._key_bytes else redact.data(_last_state(bytes(self._pending)))

    def end(self) -> bytes:
        """Return the last line, which has no end."""
        rest, self._pending = bytes(self._pending), bytearray()
        return self._clean(_last_states(rest))

    def _clean(self, block: bytes) -> bytes:
        if self._key_bytes:
            block = self._skip_key(block)
        if redact.opens_key(block):
            self._key_bytes = _KEY_BYTES
        return redact.data(block)

    def _skip_key(self, block: bytes) -> bytes:
        lines = block.splitlines(keepends=True)
        for index, line in enumerate(lines):
            self._key_bytes = max(0, self._key_bytes - len(line))
            if redact.closes_key(line):
                self._key_bytes = 0
            if not self._key_bytes:
                return b"".join(lines[index + 1 :])
        return b""

    def _skip_line(self, data: bytes) -> bytes:
        end = data.find(b"\n")
        self._hides_line = end < 0
        return b"" if end < 0 else data[end:]

    def _cut_line(self) -> bytes:
        line = bytes(self._pending)
        cut = _safe_cut(line)
        self._hides_line = cut == len(line)
        self._pending = bytearray(line[cut:])
        return self._clean(line[:cut])


def _last_states(block: bytes) -> bytes:
    return b"\n".join(map(_last_state, block.split(b"\n"))) if b"\r" in block else block


def _last_state(line: bytes) -> bytes:
    """Return what a line with carriage returns shows at the end, as progress bars write them."""
    return line.rstrip(b"\r").rpartition(b"\r")[2] if b"\r" in line else line


def _safe_cut(line: bytes) -> int:
    """Return where a long line can be cut without cutting a secret: its end where there is no such place."""
    whole = redact.data(line)
    cut = len(line) - _SECRET_BYTES
    for _ in range(8):
        cut = line.rfind(b" ", cut - _SECRET_BYTES // 8, cut) + 1 or _character(line, cut - 64)
        if whole is line or redact.data(line[:cut]) + redact.data(line[cut:]) == whole:
            return cut
    return len(line)


def _character(data: bytes, position: int) -> int:
    """Return the place nearest before `position` where a UTF-8 character begins."""
    for place in range(position, max(position - 4, 0), -1):
        if data[place] & 0xC0 != 0x80:
            return place
    return position


class _Bounded:
    """A file that keeps the head and the tail of what is appended, and says between them how much was left out.

    The tail is moved up in place when the file is full, so that at any moment the file holds what there is to hold.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        self._limit = limit
        self._end = 0
        self._shown = b""
        self._head = 0  # its length, once something has been left out
        self._tail = 0  # where the tail begins, after the notice
        self._left_out = 0

    def append(self, data: bytes) -> None:
        """Write at the end."""
        self._unshow()
        while data:
            room = self._limit - self._end
            self._end += _write_at(self._fd, data[:room], self._end)
            data = data[room:]
            if data:
                self._leave_out()

    def show(self, data: bytes) -> None:
        """Write at the end until something else is written there."""
        data = data[: self._limit - self._end]
        if data != self._shown:
            self._unshow()
            self._shown = data
            _write_at(self._fd, data, self._end)

    def close(self) -> None:
        """Close the file; only what was appended stays."""
        try:
            self._unshow()
        finally:
            os.close(self._fd)

    def _unshow(self) -> None:
        if self._shown:
            self._shown = b""
            os.ftruncate(self._fd, self._end)

    def _leave_out(self) -> None:
        """Make room: keep the first half and the last quarter."""
        if not self._head:
            self._head = self._tail = self._line_before(self._limit // 2)
        source = self._line_after(self._end - self._limit // 4)
        self._left_out += source - self._tail
        notice = f"\n[gitexp: {self._left_out:,} bytes of output left out]\n".encode()
        self._tail = target = self._head + _write_at(self._fd, notice, self._head)
        while source < self._end:
            part = os.pread(self._fd, min(_COPY_BYTES, self._end - source), source)
            source += len(part)
            target += _write_at(self._fd, part, target)
        self._end = target
        os.ftruncate(self._fd, target)

    def _line_before(self, place: int) -> int:
        start = max(0, place - _SEARCH_BYTES)
        near = os.pread(self._fd, place - start, start)
        return start + (near.rfind(b"\n") + 1 or _character(near, len(near) - 1))

    def _line_after(self, place: int) -> int:
        near = os.pread(self._fd, min(_SEARCH_BYTES, self._limit // 8), place)
        skipped = near.find(b"\n") + 1
        while not skipped and near and near[0] & 0xC0 == 0x80:
            near, place = near[1:], place + 1
        return place + skipped


def _write_at(fd: int, data: bytes, place: int) -> int:
    done = 0
    while done < len(data):
        done += os.pwrite(fd, data[done:], place + done)
    return done
