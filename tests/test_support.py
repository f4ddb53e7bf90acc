"""The seal holds, and the checks that other tests rely on can fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pygit2
import pytest

from tests import support


def test_git_sees_only_the_sealed_configuration(project: Path) -> None:
    assert support.git(project, "config", "user.email") == "ana@acme.io"
    origins = {line.split("\t")[0] for line in support.git(project, "config", "--list", "--show-origin").splitlines()}
    assert origins == {f"file:{os.environ['GIT_CONFIG_GLOBAL']}", "file:.git/config"}


@pytest.mark.parametrize("name", ["Ben Li", "Cem Oz"])
def test_libgit2_reads_the_home_of_this_test_and_not_of_the_one_before(project: Path, seal: Path, name: str) -> None:
    assert pygit2.Repository(project).config["user.name"] == "Ana Ruiz"
    support.git(project, "config", "--global", "user.name", name)
    assert pygit2.Repository(project).config["user.name"] == name
    assert support.git(project, "config", "user.name") == name


def test_untouched_is_content_with_a_new_ref_and_private_files(project: Path, untouched: None) -> None:
    support.git(project, "update-ref", "refs/experiments/churn/a-klmnopq", "HEAD")
    support.write(project / ".git/gitexp/refs.log", "x")


@pytest.mark.parametrize(
    ("part", "command"),
    [
        ("files", ["sh", "-c", "echo >> README.md"]),
        ("files", ["chmod", "+x", "train.py"]),
        ("files", ["touch", "new.txt"]),
        ("index", ["git", "update-index", "--refresh"]),
        ("refs", ["git", "branch", "new"]),
        ("HEAD", ["git", "checkout", "--quiet", "--detach"]),
    ],
)
def test_untouched_sees_a_change(project: Path, part: str, command: list[str]) -> None:
    with pytest.raises(AssertionError, match=f"{part} of"), support.untouched(project):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def test_untouched_sees_a_damaged_object(project: Path) -> None:
    blob = support.git(project, "rev-parse", "HEAD:train.py")
    with pytest.raises(AssertionError, match="fsck"), support.untouched(project):
        (project / ".git/objects" / blob[:2] / blob[2:]).unlink()


def test_a_child_process_imports_gitexp(project: Path) -> None:
    done = support.python(project, "import gitexp.errors as errors, os; print(errors.__file__, os.getcwd())")
    assert done.stdout.split() == [str(support.ROOT / "gitexp/errors.py"), str(project)]


def test_a_process_that_nobody_waited_for_is_seen() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert support.zombies() == [child.pid]
    child.wait()
    assert support.zombies() == []


def test_the_bare_remote_has_the_branch(project: Path, bare: Path) -> None:
    assert support.git(bare, "rev-parse", "main") == support.git(project, "rev-parse", "HEAD")
    assert support.git(project, "rev-parse", "@{upstream}") == support.git(project, "rev-parse", "HEAD")
