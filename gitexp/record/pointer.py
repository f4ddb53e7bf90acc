"""Git LFS pointers: what stands in the commit for bytes that are kept beside it (git-lfs docs/spec.md, version 1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_BYTES = 1024
_PATTERN = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-\d-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize (\d{1,18})\n"
)


@dataclass(frozen=True, slots=True)
class Pointer:
    """The sha256 (hex) and size of the bytes meant."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Bytes that did not travel, and why; `missing` where the other side does not have them."""

    item: Pointer
    why: str
    missing: bool = False


def encode(pointer: Pointer) -> bytes:
    """Return the pointer file."""
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{pointer.sha256}\nsize {pointer.size_bytes}\n"
    return text.encode()


def decode(data: bytes) -> Pointer | None:
    """Return the pointer in a small file, None where it is none."""
    if len(data) > MAX_BYTES:
        return None
    found = _PATTERN.fullmatch(data)
    return Pointer(found[1].decode(), int(found[2])) if found else None
