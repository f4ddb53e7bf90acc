"""What is asked of the git command, and of libgit2 where there is none: the answers are the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitexp.errors import Unsupported
from gitexp.git import batch, command, compare, config, discover, disk, objects, patches, refs
from gitexp.git.repo import Repo
from tests import nogit, support

Ask = Callable[[Callable[[Repo], Any]], tuple[Any, Any]]


@pytest.fixture
def both(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Return what asks a question with the git command, and again without it."""
    usual, plain = os.environ["PATH"], nogit.path(tmp_path / "bin")

    def ask(question: Callable[[Repo], Any]) -> tuple[Any, Any]:
        answers = []
        for path in (usual, plain):
            monkeypatch.setenv("PATH", path)
            assert command.available() == (path == usual)
            answers.append(question(discover.find(project)))
        monkeypatch.setenv("PATH", usual)
        return answers[0], answers[1]

    return ask


@pytest.fixture
def edited(project: Path) -> tuple[str, str]:
    """Return two commits: files edited, renamed, removed, added, binary ones, and a record that nobody wants to see."""
    support.write(project / "long.txt", "".join(f"line {n}\n" for n in range(100)))
    support.write(project / "data.bin", bytes(range(256)) * 8)
    support.write(project / "naïve ä.txt", "x\n")
    old = support.commit(project, "before")
    support.git(project, "mv", "long.txt", "moved.txt")
    support.write(project / "moved.txt", "".join(f"line {n}\n" for n in range(99)))
    support.write(project / "data.bin", bytes(range(255)) * 8)
    support.write(project / "train.py", "print('other')\n")
    support.write(project / ".gitexp/run.json", "{}\n")
    support.write(project / "new/empty.txt", "")
    (project / "README.md").unlink()
    return old, support.commit(project, "after")


def test_the_files_that_differ(both: Ask, edited: tuple[str, str]) -> None:
    for old, new in (edited, edited[::-1], (None, edited[1]), (edited[0], None), (edited[0], edited[0])):
        with_git, without = both(lambda repo, old=old, new=new: compare.files(repo, old, new))  # type: ignore[misc]  # defaults
        assert without == with_git


def test_the_difference_itself_can_be_applied(both: Ask, edited: tuple[str, str], project: Path) -> None:
    _, without = both(lambda repo: compare.show(repo, edited[0], edited[1], ["--patch"], terminal=False))
    assert b".gitexp" not in without
    assert b"+print('other')" in without
    _, stat = both(lambda repo: compare.show(repo, edited[0], edited[1], ["--stat"], terminal=False))
    assert b" data.bin | Bin\n" in stat
    assert b" moved.txt | +0 -1\n" in stat


@pytest.mark.parametrize("new", [b"a\nb\nX\nd\n", b"", b"a\nb\nc\nd", b"\0\1\2", b"a\nb\nc\nd\n"])
def test_the_lines_in_which_two_files_differ(both: Ask, tmp_path: Path, new: bytes) -> None:
    one, other = support.write(tmp_path / "one", b"a\nb\nc\nd\n"), support.write(tmp_path / "other", new)
    with_git, without = both(lambda repo: compare.contents(one, other))
    assert without == with_git


def test_the_history_behind_a_commit(both: Ask, edited: tuple[str, str], project: Path) -> None:
    support.git(project, "switch", "--quiet", "-c", "side", edited[0])
    support.commit(project, "beside", side__txt="x")
    support.git(project, "merge", "--quiet", "--no-edit", "main")
    head = support.git(project, "rev-parse", "HEAD")
    for count in (1, 3, 100):
        with_git, without = both(lambda repo, count=count: compare.history(repo, head, count))  # type: ignore[misc]  # defaults
        assert len(without) == len(with_git)
        assert without[0] == with_git[0] == head
    assert set(without) == set(with_git)
    known = set(support.git(project, "rev-list", "HEAD", "^" + edited[0]).split())
    assert set(compare.beyond(discover.find(project), [head], [edited[0], "1" * 40])) == known


def test_a_known_commit_with_a_torn_history_stands_in_nobodys_way(project: Path) -> None:
    head = support.git(project, "rev-parse", "HEAD")
    parent = support.git(project, "commit-tree", "HEAD^{tree}", "-p", head, "-m", "parent")
    torn = support.git(project, "commit-tree", "HEAD^{tree}", "-p", parent, "-m", "torn")
    (project / ".git/objects" / parent[:2] / parent[2:]).unlink()
    new = support.commit(project, "new")
    assert compare.beyond(discover.find(project), [new], [torn]) == [new, head]
    support.git(project, "update-ref", "refs/experiments/a/b-kkkkkkk", head)
    assert compare.beyond(discover.find(project), [new], [torn, head]) == [new]


def test_what_objects_are_and_hold_and_take(both: Ask, edited: tuple[str, str], project: Path) -> None:
    oids = [line.split()[0] for line in support.git(project, "rev-list", "--objects", "--all").splitlines()] + [
        "1" * 40
    ]

    def read(repo: Repo) -> Any:
        with batch.Batch(repo) as opened:
            return list(opened.sizes(oids)), list(opened.read(oids, limit_bytes=1000))

    for _ in range(2):
        with_git, without = both(read)
        assert without == with_git
        with_git, without = both(lambda repo: disk.sizes(repo, iter(oids)))
        assert without == with_git
        support.git(project, "gc", "--quiet")
    support.commit(project, "loose again", more__txt="more")


def test_settings_are_read_from_everywhere(
    both: Ask, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = support.write(tmp_path / "other.cfg", '[remote "Dotted.Name"]\n\turl = x:y\n[core]\n\tloud\n')
    support.git(project, "config", "include.path", str(other))
    support.git(project, "config", "--add", "remote.origin.fetch", "a:b")
    support.git(project, "config", "--add", "remote.origin.fetch", "c:d")
    mine = support.write(tmp_path / "global.cfg", "[user]\n\tname = Elsewhere\n[gitexp]\n\tsign = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(mine))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "http.Https://X.io/.extraHeader")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "A: b")

    def rows(repo: Repo) -> set[tuple[str, str | None, bool]]:
        return {(entry.name, entry.value, entry.own) for entry in repo.settings if not entry.name.startswith("include")}

    with_git, without = both(rows)
    assert without == with_git
    assert ("http.Https://X.io/.extraheader", "A: b", True) in without
    assert ("user.name", "Elsewhere", False) in without
    _, name = both(lambda repo: repo.config("user.name"))
    assert name == "Elsewhere"


def test_settings_are_written_and_taken_out(both: Ask, project: Path) -> None:
    for everywhere in (False, True):
        support.git(project, "config", "--add", "--global" if everywhere else "--local", "gitexp.remote", "one")
        support.git(project, "config", "--add", "--global" if everywhere else "--local", "gitexp.remote", "two")

        def change(repo: Repo, everywhere: bool = everywhere) -> tuple[str | None, bool, bool]:
            config.put(repo, "gitexp.remote", "origin", everywhere=everywhere)
            found = repo.config("gitexp.remote")
            gone = config.unset(repo, "gitexp.remote", everywhere=everywhere)
            return found, gone, config.unset(repo, "gitexp.remote", everywhere=everywhere)

        assert both(change) == (("origin", True, False), ("origin", True, False))


def test_refs_are_packed(both: Ask, project: Path) -> None:
    head = support.git(project, "rev-parse", "HEAD")

    def pack(repo: Repo) -> dict[str, str]:
        refs.update(repo, f"refs/experiments/a/{command.available()}", head, old=None)
        refs.pack(repo)
        assert not list((project / ".git/refs/experiments").glob("*/*"))
        return refs.listing(repo, "refs/experiments/a/")

    _, without = both(pack)
    assert without == {"refs/experiments/a/False": head, "refs/experiments/a/True": head}
    assert support.run_refs(project) == without


def test_what_only_git_can_do_names_the_command(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", nogit.path(tmp_path / "bin"))
    repo = discover.find(project)
    for ask in (lambda: patches.tips(repo, ["main"]), lambda: patches.ids(repo, {objects.EMPTY_TREE: None})):
        with pytest.raises(Unsupported, match=r"this needs `git \S+`") as caught:
            ask()
        assert "install git" in caught.value.hint


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_repository_of_somebody_else_is_refused_with_what_to_type(project: Path, tmp_path: Path, seal: Path) -> None:
    for path in (project, *project.rglob("*")):
        os.lchown(path, 65534, 65534)
    env = {"PATH": nogit.path(tmp_path / "bin")}
    said = support.process(project, "run", "--", "true", env=env, expect=6).stderr
    assert "is not owned by current user" in said
    line = next(line for line in said.splitlines() if line.startswith("printf "))
    support.execute(project, "sh", "-c", line)
    assert "completed" in support.process(project, "run", "--", "true", env=env).stderr
