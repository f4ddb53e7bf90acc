"""Artifact names: kept exactly, stored as every file system and Git accept them (docs/format.md, "Artifacts")."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote

from gitexp.errors import UsageError

MAX_PATH = 4000  # characters of a name
MAX_PARTS = 200
_MAX_PART = 200  # bytes of one stored component
_BAD = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\%]|[\ud800-\udfff]')
_WINDOWS = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\.|$)", re.IGNORECASE)
_GIT = re.compile(r"\.git|git~\d", re.IGNORECASE)
_IGNORABLE = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")  # what HFS+ overlooks in `.git`


def check(name: str) -> str:
    """Return an artifact's name, `/` between its parts; raises UsageError for absolute names, `..` and empty parts."""
    if not name or len(name) > MAX_PATH:
        raise UsageError(f"artifact name of {len(name)} characters: 1 to {MAX_PATH}", hint="give it another: name=…")
    if any(part in ("", ".", "..") for part in name.split("/")):
        raise UsageError(
            f"artifact name {name!r} is absolute, or has an empty, '.' or '..' part", hint="name='model.pt'"
        )
    if name.count("/") >= MAX_PARTS:
        raise UsageError(f"artifact name of {name.count('/') + 1} parts: at most {MAX_PARTS}", hint="name='model.pt'")
    return name


def is_or_below(name: str, path: str) -> bool:
    """Say whether a name is that of a file or folder, or lies in that folder."""
    return name == path or name.startswith(path + "/")


def read(stored: str, real: str | None) -> str | None:
    """Return the name of a stored path: the real one of the record, else what is decoded, else the path itself.

    What could mean a place outside is not taken; None where nothing is left.
    """
    for name in (real, decode(stored), stored):
        try:
            return check(name or "")
        except UsageError:
            continue
    return None


def encode(name: str) -> str:
    """Return the stored path of a name."""
    return "/".join(_encode_part(part) for part in check(name).split("/"))


def _encode_part(part: str) -> str:
    stored = _BAD.sub(_percent, part)
    if unicodedata.normalize("NFC", part) != part:
        stored = quote(part.encode("utf-8", "surrogatepass"), safe=" ")
    if _WINDOWS.match(part) or _GIT.match(_IGNORABLE.sub("", unicodedata.normalize("NFKC", part))):
        stored = f"%{ord(part[0]):02X}{stored[1:]}" if ord(part[0]) < 128 else quote(part, safe="")
    if stored.endswith((".", " ")):
        stored = f"{stored[:-1]}%{ord(stored[-1]):02X}"
    if len(stored.encode()) > _MAX_PART:
        digest = hashlib.sha256(part.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        head = stored.encode()[: _MAX_PART - 20].decode("utf-8", "ignore").rstrip("%0123456789ABCDEF. ")
        stored = f"{head}%7E{digest}"
    return stored


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))


def encode_all(names: Iterable[str]) -> dict[str, str]:
    """Return {name: stored path}, no two of which meet on a file system that ignores case.

    Of names that differ in case alone all but the first (in sorted order) get their capitals encoded; a file called as
    another's folder gets a digest.
    """
    stored: dict[str, str] = {}
    chosen = {name: encode(name) for name in sorted(set(names))}
    taken = {folder for path in chosen.values() for folder in _folders(path.casefold())}
    for name, path in chosen.items():
        if path.casefold() in taken:
            path = "/".join(re.sub(r"(?<!%)(?<!%[0-9A-F])[A-Z]", _percent, part) for part in path.split("/"))
        if path.casefold() in taken:
            path += "%7E" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        taken |= {path.casefold(), *_folders(path.casefold())}
        stored[name] = path
    return stored


def _folders(path: str) -> Iterator[str]:
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


def decode(stored: str) -> str:
    """Return the name of a stored path as far as the encoding alone tells (run.json's `names` has the exact ones)."""
    return unquote(stored, errors="replace")
