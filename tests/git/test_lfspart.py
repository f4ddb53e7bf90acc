"""Files on their way to a store: hashed while they are sent, and never whole there where they are damaged here."""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import closing
from pathlib import Path

import pytest

from gitexp.git.lfshttp import Trouble
from gitexp.git.lfspart import Sending, Stop
from gitexp.record.pointer import Pointer

BLOCK = 1 << 18
DATA = os.urandom(4 * BLOCK + 7)
ITEM = Pointer(hashlib.sha256(DATA).hexdigest(), len(DATA))


def sent(path: Path, item: Pointer, into: list[bytes]) -> None:
    """Read a body to its end, as a connection does."""
    with open(path, "rb", buffering=0) as file, closing(Sending(file, item, lambda count: None, Stop())) as body:
        while data := body.read(BLOCK):
            into.append(data)


def hashing() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "gitexp-hash"]


def test_all_of_a_file_goes_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(DATA)
    into: list[bytes] = []
    sent(tmp_path / "large", ITEM, into)
    assert b"".join(into) == DATA and hashing() == []


@pytest.mark.parametrize("damage", [0, 2 * BLOCK, len(DATA) - 1], ids=["first", "middle", "last"])
def test_the_end_of_a_damaged_file_never_goes(tmp_path: Path, damage: int) -> None:
    bad = bytearray(DATA)
    bad[damage] ^= 1
    (tmp_path / "large").write_bytes(bad)
    into: list[bytes] = []
    with pytest.raises(Trouble, match="not those recorded"):
        sent(tmp_path / "large", ITEM, into)
    assert len(b"".join(into)) == 4 * BLOCK and hashing() == []


def test_a_file_that_was_cut_off_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(DATA[:-1])
    with pytest.raises(Trouble, match="not those recorded"):
        sent(tmp_path / "large", ITEM, [])
    assert hashing() == []
