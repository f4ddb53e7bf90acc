"""The log of a command's output: secrets, progress bars, two streams, and its limit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gitexp.capture.transcript import Transcript

TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "output.log"


def logged(path: Path, *chunks: bytes, limit: int = 1 << 20) -> str:
    """Return the log of these chunks of stdout."""
    transcript = Transcript(path, limit)
    for chunk in chunks:
        transcript.take(1, chunk)
    transcript.close()
    return path.read_text()


def test_a_secret_is_redacted_wherever_the_chunks_are_cut(log: Path) -> None:
    line = f"token is {TOKEN} here\n".encode()
    for cut in range(len(line)):
        assert logged(log, line[:cut], line[cut:]) == "token is [redacted] here\n"
        transcript = Transcript(log, 1 << 20)
        transcript.take(1, line[:cut])
        transcript.flush()
        transcript.take(1, line[cut:])
        transcript.flush()
        assert log.read_text() == "token is [redacted] here\n"
        transcript.close()


@pytest.mark.parametrize("space", [b" ", b"-", b"\xc3\xa9"])
def test_a_secret_is_redacted_wherever_it_is_in_a_line_without_end(log: Path, space: bytes) -> None:
    for before in (65_000, 65_500, 69_600, 131_000):
        begin = space * (before // len(space)) + b" "
        pieces = [begin + TOKEN.encode()[:20], TOKEN.encode()[20:] + b" " + space * (50_000 // len(space))]
        assert logged(log, *pieces) == b"".join(pieces).decode().replace(TOKEN, "[redacted]")
        for size in (999, 65_536):
            text = b"".join(pieces)
            chunks = [text[start : start + size] for start in range(0, len(text), size)]
            assert logged(log, *chunks) == text.decode().replace(TOKEN, "[redacted]")


def test_nothing_of_an_endless_secret_is_in_the_log(log: Path) -> None:
    text = logged(log, b'password = "', *[b"hunter2" * 9000] * 9, b'"\nnext\n')
    assert "hunter2" not in text
    assert text.endswith("\nnext\n")


def test_a_private_key_over_many_lines_is_left_out(log: Path) -> None:
    body = [b"MIIEpAIBAAKCAQEA%02dq7\n" % number for number in range(30)]
    begin, end = b"-----BEGIN RSA PRIVATE KEY-----\n", b"-----END RSA PRIVATE KEY-----\n"
    for size in (1, 3, 40):
        transcript = Transcript(log, 1 << 20)
        text = b"before\n" + begin + b"".join(body) + end + b"after\n"
        for start in range(0, len(text), size):
            transcript.take(1, text[start : start + size])
            transcript.flush()
            assert "MII" not in log.read_text()
        transcript.close()
        assert log.read_text() in ("before\n[redacted]\nafter\n", "before\n[redacted]after\n")


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ((b"10%\r20%\r30%\ndone\n",), "30%\ndone\n"),
        ((b"\r10%", b"\r20%", b"\r30%", b"\n"), "30%\n"),
        ((b"10%\r", b"20%\r", b"30%\r", b"\n"), "30%\n"),
        ((b"windows\r", b"\nlines\r\n"), "windows\nlines\n"),
        ((b"10%\r", b"20%"), "20%"),
        ((b"10%\r",), "10%"),
        ((b"\r\r\n\n",), "\n\n"),
        ((b"x" * 100_000 + b"\rshort\n",), "short\n"),
    ],
)
def test_a_progress_bar_is_logged_in_its_last_state(log: Path, chunks: tuple[bytes, ...], expected: str) -> None:
    assert logged(log, *chunks) == expected


def test_a_progress_bar_that_runs_for_days_takes_no_memory_and_its_state_is_in_the_log(log: Path) -> None:
    transcript = Transcript(log, 1 << 20)
    for number in range(2000):
        transcript.take(2, b"\r" + b"#" * 500 + b" %d it" % number)
    transcript.flush()
    assert log.read_text() == "#" * 500 + " 1999 it"
    transcript.take(2, b"\rdone\n")
    transcript.close()
    assert log.read_text() == "done\n"


def test_lines_of_two_streams_are_not_mixed(log: Path) -> None:
    transcript = Transcript(log, 1 << 20)
    for stream, data in ((1, b"out "), (2, b"err "), (1, b"one\n"), (2, b"two\n"), (1, b"rest"), (2, b"left")):
        transcript.take(stream, data)
        transcript.flush()
    transcript.close()
    assert log.read_text() == "out one\nerr two\nrest\nleft"


@pytest.mark.parametrize("limit", [4096, 10_000, 100_000])
@pytest.mark.parametrize("size", [7, 4000, 300_000])
def test_a_long_log_keeps_head_and_tail_and_says_how_much_is_left_out(log: Path, limit: int, size: int) -> None:
    text = b"".join(b"line %d\n" % number for number in range(30_000))
    transcript = Transcript(log, limit)
    for start in range(0, len(text), size):
        transcript.take(1, text[start : start + size])
        if size > 7 or start % 700 == 0:
            transcript.flush()
            assert log.stat().st_size <= limit
    transcript.close()
    head, count, tail = re.split(r"\n\[gitexp: ([\d,]+) bytes of output left out\]\n", log.read_text())
    assert len(head) + int(count.replace(",", "")) + len(tail) == len(text)
    assert text.startswith(head.encode())
    assert text.endswith(tail.encode())
    assert (head[-1], tail[:5]) == ("\n", "line ")
    assert len(tail) > limit // 10 and len(head) > limit // 3


def test_a_bounded_log_of_one_endless_line_is_still_text(log: Path) -> None:
    text = logged(log, *["é".encode() * 50_000] * 10, limit=20_001)
    assert "\ufffd" not in text
    assert len(text.encode()) <= 20_001
    assert "left out" in text
