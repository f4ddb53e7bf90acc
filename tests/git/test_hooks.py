"""Where hooks are, and running one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.git import discover, hooks
from tests import support


def folder(path: Path) -> hooks.Folder:
    return hooks.folder(discover.find(path))


@pytest.fixture(params=["libgit2", "git"])
def asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the configuration both ways: by libgit2, and by git where libgit2 would overlook variables."""
    if request.param == "libgit2":
        monkeypatch.delenv("GIT_CONFIG_GLOBAL")


pytestmark = pytest.mark.usefixtures("asked")


def test_hooks_are_beside_the_refs(project: Path) -> None:
    assert folder(project) == hooks.Folder(project / ".git/hooks")


def test_linked_worktrees_share_the_hooks(project: Path, tmp_path: Path) -> None:
    support.git(project, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    assert folder(tmp_path / "linked") == hooks.Folder(project / ".git/hooks")


def test_a_relative_hooks_path_is_below_the_top_of_the_work_tree(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    support.git(project, "config", "core.hooksPath", "tools/hooks")
    (project / "sub").mkdir()
    monkeypatch.chdir(project / "sub")
    assert folder(project / "sub") == hooks.Folder(project / "tools/hooks")


def test_an_absolute_hooks_path_is_taken_as_it_is(project: Path, tmp_path: Path) -> None:
    support.git(project, "config", "core.hooksPath", str(tmp_path / "hooks"))
    assert folder(project) == hooks.Folder(tmp_path / "hooks")


def test_a_hooks_path_of_the_home_is_shared_by_all_repositories(project: Path, seal: Path) -> None:
    support.git(project, "config", "--global", "core.hooksPath", "~/hooks")
    assert folder(project) == hooks.Folder(seal / "hooks", shared=True)
    support.git(project, "config", "core.hooksPath", ".hooks")
    assert folder(project) == hooks.Folder(project / ".hooks")


def test_a_bare_repository_has_its_own(bare: Path) -> None:
    assert folder(bare) == hooks.Folder(bare / "hooks")


def test_only_an_executable_hook_is_found(project: Path) -> None:
    path = support.write(project / ".git/hooks/pre-run", "#!/bin/sh\n")
    repo = discover.find(project)
    assert hooks.find(repo, "pre-run") is None
    path.chmod(0o755)
    assert hooks.find(repo, "pre-run") == path


def test_a_hook_runs_at_the_top_of_the_work_tree_with_its_variables(project: Path) -> None:
    path = support.write(project / ".git/hooks/pre-run", '#!/bin/sh\necho "$PWD $NAME" >&2\nexit 5\n')
    path.chmod(0o755)
    output = hooks.run(discover.find(project), path, {"NAME": "churn"})
    assert (output.code, output.stderr) == (5, f"{project} churn\n")


def test_a_hook_that_git_would_not_find_is_run_all_the_same(project: Path) -> None:
    path = support.write(project / ".husky/pre-run", "echo hello >&2\nfalse\ntrue\n")
    output = hooks.run(discover.find(project), path, {})
    assert (output.code, output.stderr) == (1, "hello\n")
