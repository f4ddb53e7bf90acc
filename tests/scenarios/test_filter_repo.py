"""What `git filter-repo` on the code does to runs: docs/howto-purge.md says it, this holds it to that."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import gitexp
from gitexp.ops import annotate
from gitexp.ops.finding import find
from tests import sharing, support

pytest.importorskip("git_filter_repo")
SECRET = "hunter2-in-the-code"


@pytest.fixture
def rewritten(project: Path, tmp_path: Path) -> Path:
    """Return a project with two runs, of a commit and of edits, whose history was rewritten without keys.py."""
    support.commit(project, "oops", keys__py=f"KEY = {SECRET!r}\n")
    with gitexp.start_run("churn", name="clean") as run:
        run.log({"loss": 0.5})
        run.log_artifact(support.write(tmp_path / "m", os.urandom(200_000)), "model.pt", wait=True)
    support.write(project / "train.py", "print('edited')\n")
    with gitexp.start_run("churn", name="edited"):
        pass
    workspace = sharing.opened(project)
    annotate.tag(workspace, [find.one(workspace, "clean")], {"good": ""})
    support.git(project, "checkout", "--quiet", "train.py")
    command = (sys.executable, "-m", "git_filter_repo", "--invert-paths", "--path", "keys.py", "--force")
    support.execute(project, *command)
    return project


def test_the_file_is_gone_from_the_code_and_from_the_runs(rewritten: Path) -> None:
    listed = support.git(rewritten, "rev-list", "--all", "--objects")
    assert "keys.py" not in listed
    for ref in support.run_refs(rewritten):
        assert SECRET not in support.git(rewritten, "grep", SECRET, ref, check=False)


def test_runs_are_listed_with_their_values_tags_and_artifacts(rewritten: Path) -> None:
    runs = {run.name: run for run in gitexp.runs()}
    assert set(runs) == {"clean", "edited"}
    assert runs["clean"].tags == {"good": ""} and runs["clean"].summary["loss"].last == 0.5
    with gitexp.start_run("eval") as run:
        assert run.use_artifact("clean:model.pt").stat().st_size == 200_000
    head = support.git(rewritten, "rev-parse", "HEAD")
    assert support.git(rewritten, "rev-parse", f"{runs['clean'].ref}^") == head


def test_records_name_the_old_commits_and_fsck_says_so(rewritten: Path) -> None:
    shown = support.gitexp("fsck", expect=8).stdout
    assert shown.count("run.json names other parents than") == 2
    old = support.record(rewritten, next(iter(support.run_refs(rewritten))))["code"]["commit"]
    assert support.git(rewritten, "cat-file", "-t", old, check=False) == ""
    assert old in (rewritten / ".git/filter-repo/commit-map").read_text()
