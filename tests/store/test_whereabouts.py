"""What remotes were seen to hold."""

from __future__ import annotations

from pathlib import Path

from gitexp.store import remotes, whereabouts
from gitexp.store import workspace as workspaces
from tests import support

A, B, C = "a" * 64, "b" * 64, "c" * 64


def test_what_was_seen_last_counts(project: Path, bare: Path) -> None:
    workspace = workspaces.open(project)
    origin = remotes.choose(workspace)
    whereabouts.saw(workspace, origin, [A, B], [C])
    whereabouts.saw(workspace, origin, [C], [A])
    assert whereabouts.holders(workspace) == {B: ["origin"], C: ["origin"]}
    assert whereabouts.brought(workspace) == set()


def test_what_came_from_a_remote_is_there_too(project: Path, bare: Path) -> None:
    workspace = workspaces.open(project)
    whereabouts.came(workspace, remotes.choose(workspace), [A])
    assert whereabouts.holders(workspace) == {A: ["origin"]}
    assert whereabouts.brought(workspace) == {A}


def test_what_is_known_already_is_not_written_again(project: Path, bare: Path) -> None:
    workspace = workspaces.open(project)
    origin = remotes.choose(workspace)
    for _ in range(2):
        whereabouts.saw(workspace, origin, [A], [B])
        whereabouts.came(workspace, origin, [A])
    (path,) = (project / ".git/gitexp/remotes").glob("*.bytes")
    assert path.read_text().split("\n")[2:] == [f"+{A}", f"-{B}", f"<{A}", ""]


def test_a_remote_at_another_address_is_not_believed(project: Path, bare: Path) -> None:
    whereabouts.saw(workspaces.open(project), remotes.choose(workspaces.open(project)), [A])
    support.git(project, "remote", "set-url", "origin", str(bare) + "2")
    workspace = workspaces.open(project)
    assert whereabouts.holders(workspace) == {}
    whereabouts.saw(workspace, remotes.choose(workspace), [B])
    assert whereabouts.holders(workspaces.open(project)) == {B: ["origin"]}


def test_a_line_that_a_crash_tore_costs_nothing_else(project: Path, bare: Path) -> None:
    workspace = workspaces.open(project)
    origin = remotes.choose(workspace)
    whereabouts.saw(workspace, origin, [A])
    (path,) = (project / ".git/gitexp/remotes").glob("*.bytes")
    with open(path, "a") as file:
        file.write("+bbb")
    whereabouts.saw(workspace, origin, [C, B])
    assert set(whereabouts.holders(workspace)) >= {A, B}
