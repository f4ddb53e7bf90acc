"""Pointers: those of Git LFS, version 1."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.record import pointer
from gitexp.record.pointer import Pointer
from tests import support

SHA = hashlib.sha256(b"abc").hexdigest()


@given(st.binary().map(lambda data: hashlib.sha256(data).hexdigest()), st.integers(0, 10**18 - 1))
def test_a_pointer_comes_back_as_it_was_written(sha256: str, size: int) -> None:
    assert pointer.decode(pointer.encode(Pointer(sha256, size))) == Pointer(sha256, size)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_pointer_or_none(data: bytes) -> None:
    assert pointer.decode(data) is None
    assert pointer.decode(pointer.encode(Pointer(SHA, 3)) + data + b"!") is None


def test_it_is_what_git_lfs_writes(tmp_path: Path) -> None:
    support.needs("git-lfs")
    file = support.write(tmp_path / "data.bin", b"abc")
    said = support.execute(tmp_path, "git", "lfs", "pointer", f"--file={file}").stdout
    assert said.encode() == pointer.encode(Pointer(SHA, 3))


def test_pointers_with_extensions_are_read() -> None:
    data = f"version https://git-lfs.github.com/spec/v1\next-0-foo sha256:{SHA}\noid sha256:{SHA}\nsize 3\n".encode()
    assert pointer.decode(data) == Pointer(SHA, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"version https://git-lfs.github.com/spec/v1\n",
        f"version https://git-lfs.github.com/spec/v2\noid sha256:{SHA}\nsize 3\n".encode(),
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{SHA.upper()}\nsize 3\n".encode(),
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{SHA}\nsize -3\n".encode(),
        f"version https://git-lfs.github.com/spec/v1\noid sha256:../../{SHA[6:]}\nsize 3\n".encode(),
        f"version https://git-lfs.github.com/spec/v1\r\noid sha256:{SHA}\r\nsize 3\r\n".encode(),
        pointer.encode(Pointer(SHA, 3)) * 10,
    ],
)
def test_what_only_looks_like_a_pointer_is_none(data: bytes) -> None:
    assert pointer.decode(data) is None
