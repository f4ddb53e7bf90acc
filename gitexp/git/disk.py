"""What objects take on the disk, as Git packed them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gitexp.git import command

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

_FORMAT = "--batch-check=%(objectname) %(objectsize:disk)"


def sizes(repo: Repo, oids: Iterable[str]) -> dict[str, int]:
    """Return {oid: bytes on the disk} of those that are here; none is fetched for it."""
    asked = "".join(f"{oid}\n" for oid in sorted(set(oids))).encode()
    if not asked:
        return {}
    done = command.run(repo, "cat-file", _FORMAT, "--buffer", input=asked, env={"GIT_NO_LAZY_FETCH": "1"})
    rows = (line.split(" ") for line in done.stdout.decode("ascii", "replace").splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
