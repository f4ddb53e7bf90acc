"""Git's configuration without libgit2: the same values, from wherever Git takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.git import config, discover
from tests import support


def values(path: Path, key: str) -> list[tuple[str | None, bool]]:
    return [(entry.value, entry.own) for entry in discover.find(path).settings if entry.name == key]


def test_the_repository_s_values_come_after_the_user_s_and_are_told_apart(project: Path) -> None:
    support.git(project, "config", "--global", "gitexp.dirty", "allow")
    support.git(project, "config", "gitexp.dirty", "refuse")
    assert values(project, "gitexp.dirty") == [("allow", False), ("refuse", True)]
    assert discover.find(project).config("gitexp.DIRTY") == "refuse"


def test_a_change_is_seen_at_once(project: Path) -> None:
    repo = discover.find(project)
    for value in ("a", "b", "c"):
        support.git(project, "config", "gitexp.experiment", value)
        assert repo.config("gitexp.experiment") == value


def test_a_key_that_stands_alone_has_no_value(project: Path) -> None:
    with open(project / ".git/config", "a") as file:
        file.write("[gitexp]\n\tsign\n\tmetric =\n")
    assert (values(project, "gitexp.sign"), values(project, "gitexp.metric")) == ([(None, True)], [("", True)])


def test_values_of_several_lines_and_names_with_dots_are_kept(project: Path) -> None:
    support.git(project, "config", "remote.my.Fork.url", "/srv/x=1")
    support.git(project, "config", "gitexp.columns", "lr\nloss")
    repo = discover.find(project)
    assert (repo.config("remote.my.Fork.url"), repo.config("gitexp.columns")) == ("/srv/x=1", "lr\nloss")
    assert repo.config("remote.my.fork.url") is None
    assert repo.remotes == ["my.Fork"]


def test_what_is_included_counts_and_is_read_anew(project: Path, tmp_path: Path) -> None:
    included = tmp_path / "more"
    support.git(project, "config", "include.path", str(included))
    repo = discover.find(project)
    for value in ("one", "two"):
        included.write_text(f"[gitexp]\n\texperiment = {value}\n")
        assert repo.config("gitexp.experiment") == value


def test_an_include_for_one_branch_counts_on_it_only(project: Path, tmp_path: Path) -> None:
    (tmp_path / "more").write_text("[gitexp]\n\texperiment = cw3\n")
    support.git(project, "config", "includeIf.onbranch:cw3.path", str(tmp_path / "more"))
    repo = discover.find(project)
    assert repo.config("gitexp.experiment") is None
    support.git(project, "switch", "-qc", "cw3")
    assert repo.config("gitexp.experiment") == "cw3"


def test_values_of_the_call_and_of_other_files_count(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").write_text("[gitexp]\n\texperiment = mine\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "mine"))
    assert values(project, "gitexp.experiment") == [("mine", False)]
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "gitexp.experiment")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "given")
    assert values(project, "gitexp.experiment") == [("mine", False), ("given", True)]


def test_without_a_git_command_libgit2_says_the_same(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    support.git(project, "config", "--global", "gitexp.metric", "auc")
    support.git(project, "config", "gitexp.maximize", "a")
    support.git(project, "config", "--add", "gitexp.maximize", "b")
    repo = discover.find(project)
    asked = {entry for entry in repo.settings if entry.name.startswith(("gitexp.", "user.", "remote."))}
    monkeypatch.setenv("PATH", str(project))
    assert {entry for entry in repo.settings if entry.name.startswith(("gitexp.", "user.", "remote."))} == asked
    assert len(asked) >= 3


@pytest.mark.parametrize(
    ("key", "normal"),
    [("Core.Bare", "core.bare"), ("branch.My.Topic.Remote", "branch.My.Topic.remote"), ("A.B.C", "a.B.c")],
)
def test_only_the_middle_of_a_key_keeps_its_case(key: str, normal: str) -> None:
    assert config.normal(key) == normal
