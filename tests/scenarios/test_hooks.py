"""Hooks in the hands of a user: real commits, pushes and runs, beside a real pre-commit."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

import gitexp
from gitexp.errors import DirtyTree
from gitexp.ops import hooks
from tests import support
from tests.sharing import make_run, opened


def git(path: Path, *args: str, env: Mapping[str, str] | None = None) -> tuple[bool, str]:
    """Run git; return whether it succeeded and all it said."""
    done = subprocess.run(["git", *args], cwd=path, env={**os.environ, **(env or {})}, capture_output=True, text=True)
    return done.returncode == 0, done.stdout + done.stderr


def install(path: Path, *names: str) -> None:
    hooks.install(opened(path), names or hooks.COMMIT_AND_PUSH)


def test_a_run_on_a_dirty_tree_stops_before_any_training(project: Path) -> None:
    support.gitexp("hooks", "install", "pre-run")
    support.write(project / "train.py", "from pathlib import Path\nPath('trained').touch()\n")
    with support.untouched(project):
        result = support.process(project, "run", "--", "python", "train.py", expect=3)
    assert " M train.py" in result.stderr and "git commit" in result.stderr
    assert not (project / "trained").exists()
    assert support.run_refs(project) == {}
    with pytest.raises(DirtyTree, match=r"train\.py"):
        gitexp.start_run()
    assert support.run_refs(project) == {}


def test_no_verify_skips_the_hook_and_the_record_says_so(project: Path) -> None:
    support.gitexp("hooks", "install", "pre-run")
    support.write(project / "train.py", "print('edited')\n")
    support.process(project, "run", "--no-verify", "--", "python", "train.py")
    (ref,) = support.run_refs(project)
    assert support.record(project, ref)["code"]["dirty"] is True
    assert support.record(project, ref)["verified"] is False


def test_a_clean_run_passes_the_hook(project: Path) -> None:
    support.gitexp("hooks", "install", "pre-run")
    with support.untouched(project):
        support.process(project, "run", "--", "python", "train.py")
        with gitexp.start_run():
            pass
    assert len(support.run_refs(project)) == 2


def test_the_commands_tell_what_they_did(project: Path) -> None:
    support.write(project / ".git/hooks/pre-push", "#!/bin/sh\n").chmod(0o755)
    installed = support.gitexp("hooks", "install")
    assert f"pre-push: installed: {project}/.git/hooks/pre-push (runs pre-push.before-gitexp first)" in installed.stderr
    assert "pre-run; it refuses runs in a dirty tree" in installed.stderr
    listed = support.gitexp("hooks", "ls", "--json").json["hooks"]
    assert [hook["state"] for hook in listed] == ["absent", *["installed"] * 4, "absent"]
    assert "pre-push" in support.gitexp("hooks", "ls").stdout
    removed = support.gitexp("hooks", "uninstall")
    assert "the hook that was there before is back" in removed.stderr
    assert "no hooks of gitexp" in support.gitexp("hooks", "uninstall").stderr


def test_a_server_gets_its_hook_by_path(project: Path, bare: Path) -> None:
    support.gitexp("hooks", "install", "--server", str(bare))
    assert (bare / "hooks/pre-receive").exists()
    support.gitexp("hooks", "uninstall", "--server", str(bare))
    assert not (bare / "hooks/pre-receive").exists()


def test_a_commit_is_offered_the_newest_run_and_held_to_a_clean_one(project: Path) -> None:
    install(project)
    run = make_run(opened(project), "lr0.1")
    support.write(project / "report.md", "results\n")
    support.git(project, "add", "report.md")
    editor = "sed -i '1s/.*/report/'"
    assert git(project, "commit", env={"GIT_EDITOR": editor})[0]
    message = support.git(project, "log", "-1", "--format=%B")
    assert message == f"report\n\nRun: {str(run.ref).removeprefix('refs/experiments/')}"
    support.commit(project, "more", train__py="print(2)\n")
    support.write(project / "train.py", "print(3)\n")
    assert git(project, "commit", "--quiet", "-a", env={"GIT_EDITOR": editor})[0]
    assert support.git(project, "log", "-1", "--format=%B") == "report", "the comment is gone"
    taken, said = git(project, "commit", "--allow-empty", "-m", "report\n\nRun: nothing")
    assert not taken and "'Run: nothing'" in said and "gitexp log" in said


def test_a_commit_of_records_or_models_is_refused_and_no_verify_lets_it_pass(project: Path) -> None:
    install(project)
    support.write(project / "model.pt", "weights")
    support.git(project, "add", "model.pt")
    taken, said = git(project, "commit", "-m", "model")
    assert not taken and "model.pt" in said and "run.log_artifact" in said
    assert git(project, "commit", "--no-verify", "-m", "model")[0]
    support.write(project / ".gitexp/run.json", "{}")
    support.git(project, "add", ".gitexp")
    taken, said = git(project, "commit", "-m", "record")
    assert not taken and ".gitexp/run.json" in said


def test_hooks_work_in_a_linked_worktree_and_from_a_sub_directory(project: Path, tmp_path: Path) -> None:
    install(project)
    linked = tmp_path / "linked"
    support.git(project, "worktree", "add", "--quiet", str(linked))
    (linked / "sub").mkdir()
    support.write(linked / "sub/model.pt", "weights")
    support.git(linked, "add", ".")
    taken, said = git(linked / "sub", "commit", "-m", "model")
    assert not taken and "sub/model.pt" in said


def test_a_push_of_dirty_runs_by_plain_git_is_refused_where_that_is_the_rule(project: Path, bare: Path) -> None:
    install(project)
    support.git(project, "config", "gitexp.pushDirty", "refuse")
    clean, dirty = make_run(opened(project), "clean"), make_run(opened(project), "dirty", dirty=True)
    taken, said = git(project, "push", "origin", "refs/experiments/*:refs/experiments/*")
    assert not taken and str(dirty.ref) in said and str(clean.ref) not in said
    assert support.run_refs(bare) == {}
    assert git(project, "push", "origin", str(clean.ref))[0]


def test_experiments_go_along_with_a_branch_once_agreed_to(project: Path, bare: Path) -> None:
    install(project)
    support.git(project, "config", "gitexp.pushWithGit", "true")
    run = make_run(opened(project))
    support.commit(project, "more")
    taken, said = git(project, "push", "origin", "main")
    assert taken and "gitexp push origin" in said
    assert support.run_refs(bare) == {}, "nobody has agreed yet"
    support.git(project, "config", "gitexp.push.origin", "approved")
    support.commit(project, "still more")
    assert git(project, "push", "--dry-run", "origin", "main")[0]
    assert support.run_refs(bare) == {}, "a dry run sends nothing"
    taken, said = git(project, "push", "origin", "main")
    assert taken and "pushed along: 1 run" in said
    assert support.run_refs(bare) == {run.ref: run.commit}


def test_a_push_along_that_fails_never_fails_the_users_push(project: Path, bare: Path) -> None:
    install(project)
    hooks.install(opened(bare), hooks.SERVER)
    support.git(project, "config", "gitexp.pushWithGit", "true")
    support.git(project, "config", "gitexp.push.origin", "approved")
    support.git(bare, "config", "gitexp.pushDirty", "refuse")
    make_run(opened(project), dirty=True)
    support.commit(project, "more")
    taken, said = git(project, "push", "origin", "main")
    assert taken and "no runs were pushed along" in said
    assert support.git(bare, "rev-parse", "main") == support.git(project, "rev-parse", "main")


def test_gitexps_own_push_does_not_start_itself_again(project: Path, bare: Path) -> None:
    install(project)
    support.git(project, "config", "gitexp.pushWithGit", "true")
    run = make_run(opened(project))
    support.gitexp("push", "--yes", "origin")
    assert support.run_refs(bare) == {run.ref: run.commit}


# The framework: gitexp's own manifest, from a repository on this disk, and nothing from the network.


@pytest.fixture
def framework(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the project, set up to run gitexp's hooks by pre-commit."""
    support.needs("pre-commit")
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "pre-commit"))
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    shutil.copy(support.ROOT / ".pre-commit-hooks.yaml", shipped)
    support.git(shipped, "init", "--quiet")
    commit = support.commit(shipped, "hooks")
    ids = ("gitexp-clean-tree", "gitexp-run-trailer", "gitexp-no-dirty-runs")
    rows = "".join(f"  - id: {name}\n" for name in ids)
    config = f"repos:\n- repo: {shipped}\n  rev: {commit}\n  hooks:\n{rows}"
    support.commit(project, "pre-commit", **{".pre-commit-config.yaml": config})
    return project


def needed(project: Path) -> list[str]:
    """Return the command that `gitexp hooks install` says is needed."""
    (line,) = [line for line in support.gitexp("hooks", "install").stderr.splitlines() if "pre-commit install" in line]
    assert "gitexp-run-trailer, gitexp-no-dirty-runs" in line
    return line.rpartition(": ")[2].split()


@pytest.mark.slow
def test_the_framework_checks_the_tree_by_hand_and_in_ci(framework: Path) -> None:
    check = ("pre-commit", "run", "gitexp-clean-tree", "--hook-stage", "manual", "--all-files")
    support.execute(framework, *check)
    support.write(framework / "train.py", "edited")
    done = support.execute(framework, *check, check=False)
    assert done.returncode == 1 and "train.py" in done.stdout


@pytest.mark.slow
def test_the_framework_checks_trailers_and_pushes(framework: Path, bare: Path) -> None:
    assert needed(framework) == ["pre-commit", "install", "-t", "commit-msg", "-t", "pre-push"]
    support.execute(framework, "pre-commit", "install", "-t", "commit-msg", "-t", "pre-push")
    taken, said = git(framework, "commit", "--allow-empty", "-m", "report\n\nRun: nothing")
    assert not taken and "'Run: nothing'" in said
    clean, dirty = make_run(opened(framework), "clean"), make_run(opened(framework), "dirty", dirty=True)
    assert git(framework, "commit", "--allow-empty", "-m", f"report\n\nRun: {clean.id}")[0]
    assert git(framework, "push", "origin", "main")[0]
    taken, said = git(framework, "push", "origin", "refs/experiments/*:refs/experiments/*")
    assert not taken and str(dirty.ref) in said
    assert support.run_refs(bare) == {}


@pytest.mark.slow
@pytest.mark.parametrize("ours_first", [True, False])
def test_both_kinds_of_hooks_run_whichever_came_first(framework: Path, ours_first: bool) -> None:
    folder = framework / ".git/hooks"
    old = support.write(folder / "pre-commit", "#!/bin/sh\necho old >> ran\n")
    old.chmod(0o755)
    steps = [("pre-commit", "install"), ("gitexp", "hooks", "install", "pre-commit")]
    for step in reversed(steps) if ours_first else steps:
        support.execute(framework, *step)
    support.write(framework / "model.pt", "weights")
    support.git(framework, "add", "model.pt")
    taken, said = git(framework, "commit", "-m", "model")
    assert not taken and "model.pt" in said
    assert (framework / "ran").read_text() == "old\n"
    support.gitexp("hooks", "uninstall")
    assert git(framework, "commit", "-m", "model")[0]
    support.execute(framework, "pre-commit", "uninstall")
    assert old.read_text() == "#!/bin/sh\necho old >> ran\n"
    assert sorted(path.name for path in folder.iterdir()) == ["pre-commit"]


def test_an_offer_that_cannot_be_made_keeps_nobody_from_committing(project: Path) -> None:
    install(project, "prepare-commit-msg")
    run = make_run(opened(project))
    blob = support.git(project, "rev-parse", f"{run.commit}:.gitexp/run.json")
    (project / ".git/objects" / blob[:2] / blob[2:]).unlink()
    support.write(project / "report.md", "results\n")
    support.git(project, "add", "report.md")
    taken, said = git(project, "commit", env={"GIT_EDITOR": "sed -i '1s/.*/report/'"})
    assert taken and "no run is offered" in said
