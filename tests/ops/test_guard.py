"""What the pre-commit and pre-push hooks refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import DirtyTree, Refused
from gitexp.ops import guard
from tests import support
from tests.sharing import make_run, opened

NOBODY = "0" * 40
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 12345\n"


def stage(path: Path, **files: str | bytes) -> None:
    for name, text in files.items():
        support.write(path / name.replace("__", "."), text)
        support.git(path, "add", "--force", name.replace("__", "."))


def refusal(path: Path) -> str:
    with pytest.raises(Refused) as caught:
        guard.check_staged(opened(path))
    assert caught.value.exit_code == 3 and caught.value.hint
    return caught.value.message


def test_a_clean_tree_passes_and_a_dirty_one_is_refused_with_its_paths(project: Path) -> None:
    guard.clean_tree(opened(project))
    support.write(project / "train.py", "edited")
    with pytest.raises(DirtyTree) as caught:
        guard.clean_tree(opened(project))
    assert caught.value.paths == ((" M", "train.py"),)


def test_code_and_text_may_be_committed(project: Path) -> None:
    stage(project, train__py="print(1)\n", notes__md="notes", data__csv="a,b\n" * 1000)
    guard.check_staged(opened(project))


def test_nothing_staged_before_the_first_commit_is_fine(tmp_path: Path) -> None:
    support.git(tmp_path, "init", "--quiet")
    guard.check_staged(opened(tmp_path))
    stage(tmp_path, model__pt="weights")
    assert "model.pt" in refusal(tmp_path)


def test_staged_run_records_are_refused(project: Path) -> None:
    run = make_run(opened(project))
    support.git(project, "cherry-pick", "--no-commit", str(run.commit))
    assert ".gitexp/run.json" in refusal(project)


def test_a_record_edited_by_hand_is_refused_and_one_taken_away_is_not(project: Path) -> None:
    run = make_run(opened(project))
    support.git(project, "switch", "--quiet", "--create", "try", str(run.commit))
    guard.check_staged(opened(project))
    (project / ".gitexp/run.json").write_text("{}")
    support.git(project, "add", ".gitexp")
    assert ".gitexp/run.json" in refusal(project)
    support.git(project, "rm", "-rfq", ".gitexp")
    guard.check_staged(opened(project))


def test_models_and_large_files_belong_in_artifacts(project: Path) -> None:
    support.git(project, "config", "gitexp.commitLimit", "1k")
    stage(project, small__txt="x", LARGE__TXT="x" * 2000, Model__PT="w")
    message = refusal(project)
    assert "2 staged files" in message and "LARGE.TXT" in message and "Model.PT" in message
    assert "small.txt" not in message


def test_limit_and_endings_can_be_set(project: Path) -> None:
    stage(project, a__npy="x" * 2000, b__bin="x")
    support.git(project, "config", "gitexp.artifactSuffixes", ".bin")
    message = refusal(project)
    assert "b.bin" in message and "a.npy" not in message


def test_a_pathspec_allows_what_belongs_in_git(project: Path) -> None:
    stage(project, **{"tests/data/a__npy": "x", "b__npy": "x"})
    support.git(project, "config", "gitexp.artifactIgnore", "tests/")
    message = refusal(project)
    assert "b.npy" in message and "tests/" not in message.split("\n", 1)[1]
    support.git(project, "config", "--add", "gitexp.artifactIgnore", ":(glob)*.npy")
    guard.check_staged(opened(project))


def test_a_pointer_of_git_lfs_is_no_model(project: Path) -> None:
    stage(project, model__pt=POINTER)
    guard.check_staged(opened(project))


def test_a_model_that_is_tracked_already_is_the_projects_choice(project: Path) -> None:
    support.commit(project, "a small model", model__pt="w")
    stage(project, model__pt="v")
    guard.check_staged(opened(project))


def test_what_a_merge_brings_is_not_refused(project: Path) -> None:
    support.git(project, "switch", "--quiet", "--create", "other")
    support.commit(project, "theirs", train__py="theirs", model__pt="w")
    support.git(project, "switch", "--quiet", "main")
    support.commit(project, "ours", train__py="ours")
    support.git(project, "merge", "other", check=False)
    stage(project, train__py="both")
    guard.check_staged(opened(project))
    stage(project, other__pt="w")
    assert "other.pt" in refusal(project)


def test_a_commit_of_some_paths_is_judged_by_its_own_index(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage(project, model__pt="w")
    own = project / ".git/next-index"
    support.git(project, "read-tree", "HEAD", env={"GIT_INDEX_FILE": str(own)})
    monkeypatch.setenv("GIT_INDEX_FILE", str(own))
    guard.check_staged(opened(project))


def test_what_git_says_to_pre_push_is_read() -> None:
    lines = [f"refs/heads/a {'1' * 40} refs/heads/b {NOBODY}", f"(delete) {NOBODY} refs/heads/c {'2' * 40}", ""]
    assert guard.updates(lines) == [
        guard.Update("refs/heads/a", "1" * 40, "refs/heads/b"),
        guard.Update("(delete)", None, "refs/heads/c"),
    ]


def test_dirty_runs_are_pushed_unless_the_rule_is_refuse(project: Path) -> None:
    clean, dirty = make_run(opened(project), "clean"), make_run(opened(project), "dirty", dirty=True)
    pushed = [guard.Update("x", run.commit, str(run.ref)) for run in (clean, dirty)]
    guard.check_pushed(opened(project), pushed)
    support.git(project, "config", "gitexp.pushDirty", "refuse")
    with pytest.raises(Refused) as caught:
        guard.check_pushed(opened(project), pushed)
    assert str(dirty.ref) in caught.value.message and str(clean.ref) not in caught.value.message
    assert "--clean" in caught.value.hint
    guard.check_pushed(opened(project), pushed[:1])
    guard.check_pushed(opened(project), [guard.Update("x", None, str(dirty.ref))])


def test_the_framework_names_one_ref_so_all_runs_are_looked_at(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    support.git(project, "remote", "add", "origin", "../origin.git")
    clean, dirty = make_run(opened(project), "a"), make_run(opened(project), "b", dirty=True)
    monkeypatch.setenv("PRE_COMMIT_REMOTE_NAME", "origin")
    monkeypatch.setenv("PRE_COMMIT_REMOTE_BRANCH", "refs/heads/main")
    guard.check_framework_push(opened(project))
    monkeypatch.setenv("PRE_COMMIT_REMOTE_BRANCH", str(clean.ref))
    monkeypatch.setenv("PRE_COMMIT_TO_REF", str(clean.commit))
    with pytest.raises(Refused, match=r"/b-"):
        guard.check_framework_push(opened(project))
    monkeypatch.setenv("GITEXP_PUSHING", "1")
    guard.check_framework_push(opened(project))
    monkeypatch.setenv("PRE_COMMIT_REMOTE_BRANCH", str(dirty.ref))
    monkeypatch.setenv("PRE_COMMIT_TO_REF", str(dirty.commit))
    with pytest.raises(Refused, match=r"/b-"):
        guard.check_framework_push(opened(project))
