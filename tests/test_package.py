"""What is installed: the package, its types, the hooks, the manual page, and the two commands."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import support


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Return the wheel, built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=support.ROOT, check=True, capture_output=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_has_all_modules_and_says_that_they_are_typed(wheel: zipfile.ZipFile) -> None:
    modules = {str(path.relative_to(support.ROOT)) for path in (support.ROOT / "gitexp").rglob("*.py")}
    assert {*modules, "gitexp/py.typed"} - set(wheel.namelist()) == set()


def test_the_wheel_has_the_manual_pages_the_hooks_and_the_licence(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    hooks = {f"gitexp/hooks/{path.name}" for path in (support.ROOT / "hooks").iterdir() if path.is_file()}
    pages = {f"gitexp-0.1.0.data/data/share/man/man1/{page}" for page in ("git-exp.1", "gitexp.1")}
    assert hooks
    assert {*hooks, *pages, "gitexp-0.1.0.dist-info/licenses/LICENSE"} - names == set()


def test_nothing_else_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    top = {name.split("/")[0] for name in wheel.namelist()}
    assert top == {"gitexp", "gitexp-0.1.0.data", "gitexp-0.1.0.dist-info"}


def test_both_commands_are_on_the_path_and_git_knows_one(project: Path) -> None:
    version = support.execute(project, "gitexp", "--version").stdout
    assert version.startswith("gitexp 0.1.0")
    assert support.git(project, "exp", "--version") == version.strip()
    assert support.process(project, "--version").stdout == version


def test_git_shows_the_manual_page(project: Path, tmp_path: Path) -> None:
    viewer = support.write(tmp_path / "bin/man", '#!/bin/sh\necho "man $*"\n')
    viewer.chmod(0o755)
    env = {"PATH": f"{viewer.parent}:{os.environ['PATH']}"}
    assert support.git(project, "exp", "--help", env=env) == "man git-exp"
