"""What objects take on the disk, as Git packed them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gitexp.git import command

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

_CHECKSUM_BYTES = 20  # at the end of a pack
_FORMAT = "--batch-check=%(objectname) %(objectsize:disk)"


def sizes(repo: Repo, oids: Iterable[str]) -> dict[str, int]:
    """Return {oid: bytes on the disk} of those that are here; none is fetched for it."""
    wanted = sorted(set(oids))
    if not wanted:
        return {}
    if not command.available():
        return dict(_by_files(repo, wanted))
    asked = "".join(f"{oid}\n" for oid in wanted).encode()
    done = command.run(repo, "cat-file", _FORMAT, "--buffer", input=asked, env={"GIT_NO_LAZY_FETCH": "1"})
    rows = (line.split(" ") for line in done.stdout.decode("ascii", "replace").splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


def _by_files(repo: Repo, oids: Collection[str]) -> Iterator[tuple[str, int]]:
    """Yield what objects take as files of their own, else in the first pack that holds them."""
    folder, left = repo.common_dir / "objects", set(oids)
    for oid in oids:
        with suppress(FileNotFoundError):
            yield oid, (folder / oid[:2] / oid[2:]).stat().st_size
            left.discard(oid)
    for pack in sorted((folder / "pack").glob("*.pack")):
        if left and pack.with_suffix(".idx").exists():
            found = {oid: size for oid, size in _packed(pack) if oid in left}
            left -= found.keys()
            yield from found.items()


def _packed(pack: Path) -> Iterator[tuple[str, int]]:
    """Yield what each object takes in a pack: up to where the next one begins."""
    from dulwich.object_format import SHA1
    from dulwich.pack import load_pack_index

    with closing(load_pack_index(str(pack.with_suffix(".idx")), SHA1)) as index:
        rows = sorted((offset, oid.hex()) for oid, offset, _ in index.iterentries())
    ends = [offset for offset, _ in rows[1:]] + [pack.stat().st_size - _CHECKSUM_BYTES]
    for (offset, oid), end in zip(rows, ends, strict=True):
        yield oid, end - offset
