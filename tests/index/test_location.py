"""Where the index is."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.index import location
from gitexp.store import workspace as workspaces

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/ana/local xfs rw 0 0
host#share /mnt/with\\040space 9p rw 0 0
sshfs /home/ana/far fuse.sshfs rw 0 0
tmpfs /home/ana/far tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/srv/x/.git", "ext4"),
        ("/home", "nfs4"),
        ("/homes/x/.git", "ext4"),
        ("/home/ana/x/.git", "nfs4"),
        ("/home/ana/local/.git", "xfs"),
        ("/mnt/with space/.git", "9p"),
        ("/home/ana/far/.git", "tmpfs"),
    ],
)
def test_the_longest_mount_point_counts_and_of_two_the_last(path: str, kind: str) -> None:
    assert location.kind(path, MOUNTS) == kind


def test_the_index_is_beside_the_repository(project: Path) -> None:
    assert location.of(workspaces.open(project)) == project / ".git/gitexp/index.sqlite"


def test_on_a_network_it_is_in_the_cache_of_the_user(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = workspaces.open(project)
    here = location._kind(str(workspace.repo.common_dir))
    monkeypatch.setattr(location, "NETWORK", frozenset({here}))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = location.of(workspace)
    assert found.parent == tmp_path / "cache/gitexp"
    assert found.suffix == ".sqlite"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert location.of(workspace).parent == Path.home() / ".cache/gitexp"
