"""Comparing and going back in clones that do not have everything, and in work trees of other kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import recording, support

A, B = "kqzvmxr" + "k" * 9, "mzrokvu" + "k" * 9
LINES = "".join(f"line {number}\n" for number in range(30))
EDITED = LINES.replace("line 3\n", "line three\n")


@pytest.fixture
def shared(project: Path, bare: Path) -> Path:
    """Return a bare repository with two runs: of edited code, and of a commit later."""
    support.git(bare, "config", "uploadpack.allowFilter", "true")
    support.commit(project, "lines", train__py=LINES, big__py="x\n" * 1000)
    support.write(project / "train.py", EDITED)
    recording.record(project, "edits", run_id=A, params={"lr": 0.1}, metrics={"loss": [0.5]})
    support.git(project, "checkout", "--quiet", "train.py")
    support.commit(project, "later", other__py="y\n")
    recording.record(project, "later", run_id=B, params={"lr": 0.2}, metrics={"loss": [0.4]})
    support.git(project, "push", "--quiet", "origin", "main", "refs/experiments/*")
    return bare


def clone(bare: Path, path: Path, *options: str) -> Path:
    support.git(bare.parent, "clone", "--quiet", *options, f"file://{bare}", str(path))
    return path


def fetched(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(path)
    support.gitexp("fetch")
    return path


@pytest.mark.parametrize("options", [(), ("--depth=1",), ("--filter=blob:none",), ("--filter=blob:none", "--sparse")])
def test_runs_are_compared_applied_and_branched_from_in_any_clone(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    path = fetched(clone(shared, tmp_path / "größer clone", *options), monkeypatch)
    with support.untouched(path):
        shown = support.gitexp("diff", "kqzvmxr", "mzrokvu").stdout
        assert "  loss:min              0.5000    0.4000    -0.1000  -20.0 %  better" in shown
        assert "2 files, +2 -1   (--code shows them)\n" in shown
        assert "A has edits" in shown
        support.gitexp("apply", "kqzvmxr")
        assert (path / "train.py").read_text() == EDITED
        support.gitexp("apply", "--undo")
        assert support.gitexp("fsck").stdout.startswith("all is well: 2 runs")
    support.gitexp("branch", "kqzvmxr", "try")
    assert support.git(path, "show", "try:train.py") == EDITED.rstrip()


def test_a_file_outside_a_sparse_checkout_is_not_written(
    project: Path, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    support.commit(project, "lines")
    support.write(project / "deep/train.py", LINES)
    support.commit(project, "deep")
    support.write(project / "deep/train.py", EDITED)
    recording.record(project, "edits", run_id=A)
    support.git(project, "checkout", "--quiet", "deep/train.py")
    support.git(project, "push", "--quiet", "origin", "main", "refs/experiments/*")
    path = fetched(clone(bare, tmp_path / "sparse", "--sparse"), monkeypatch)
    assert not (path / "deep").exists()
    with support.untouched(path):
        shown = support.gitexp("apply", "kqzvmxr", expect=3).stderr
    assert " D deep/train.py\n" in shown
    assert "git sparse-checkout add deep" in shown


@pytest.mark.parametrize("where", ["sub/dir", "."])
def test_a_sub_directory_and_git_dir_make_no_difference(
    project: Path, monkeypatch: pytest.MonkeyPatch, where: str, tmp_path: Path
) -> None:
    support.write(project / "sub/dir/train.py", LINES)
    support.commit(project, "sub")
    support.write(project / "sub/dir/train.py", EDITED)
    recording.record(project, "edits", run_id=A)
    support.git(project, "checkout", "--quiet", "sub/dir/train.py")
    if where == ".":
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GIT_DIR", str(project / ".git"))
        monkeypatch.setenv("GIT_WORK_TREE", str(project))
    else:
        monkeypatch.chdir(project / where)
    support.gitexp("apply", "kqzvmxr")
    assert (project / "sub/dir/train.py").read_text() == EDITED
    support.gitexp("apply", "--undo")
    assert (project / "sub/dir/train.py").read_text() == LINES
    assert support.gitexp("fsck").stdout.startswith("all is well: 1 run")


def test_edits_made_before_the_first_commit_are_applied_on_an_unborn_branch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    support.git(tmp_path, "init", "--quiet")
    monkeypatch.chdir(tmp_path)
    support.write(tmp_path / "train.py", LINES)
    recording.record(tmp_path, "first", run_id=A)
    (tmp_path / "train.py").unlink()
    recording.record(tmp_path, "second", run_id=B)
    assert "train.py | 30 --" in support.gitexp("diff", "kqzvmxr", "mzrokvu").stdout
    assert support.gitexp("apply", "kqzvmxr").stdout.endswith("1 file, nothing staged\n  A train.py\n")
    assert (tmp_path / "train.py").read_text() == LINES
    support.gitexp("apply", "--undo")
    assert not (tmp_path / "train.py").exists()
