"""The code of a run: RUN^ is exactly what runs, the policies, and what the record says of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitexp.capture import code
from gitexp.capture.code import CodeState
from gitexp.errors import DirtyTree, Unsupported, UsageError, WriteFailed
from gitexp.git import discover
from gitexp.git.worktree import LeftOut, Rules
from tests import support


def capture(path: Path | None = None, **options: object) -> CodeState:
    return code.capture(discover.find(path), **options)  # type: ignore[arg-type]  # named by the tests


def test_a_clean_tree_is_head_and_nothing_is_written(project: Path) -> None:
    with support.untouched(project):
        state = capture()
    head = support.git(project, "rev-parse", "HEAD")
    assert state.to_json() == {
        "commit": head,
        "branch": "main",
        "dirty": False,
        "policy": "snapshot",
        "complete": True,
        "snapshot": None,
        "changed": [],
        "untracked": [],
        "left_out": [],
        "remote": None,
        "directory": "",
        "edited": [],
        "tree": support.git(project, "rev-parse", "HEAD^{tree}"),
    }
    assert state.parent == head
    assert not (project / ".git/gitexp").exists()


def test_a_dirty_tree_is_a_snapshot_that_is_what_runs(project: Path) -> None:
    support.write(project / "train.py", "changed")
    support.write(project / "src/loss.py", "new")
    support.write(project / ".env", "SECRET=1")
    with support.untouched(project):
        state = capture()
    assert (state.dirty, state.complete, state.parent) == (True, True, state.snapshot)
    assert (state.changed, state.untracked) == (("train.py",), ("src/loss.py",))
    assert state.left_out == (LeftOut(".env", "secret by its name"),)
    assert support.git(project, "rev-parse", f"{state.parent}^{{tree}}") == state.tree
    assert support.git(project, "rev-parse", f"{state.parent}^") == state.commit
    for name in ("train.py", "src/loss.py"):
        assert support.git(project, "cat-file", "blob", f"{state.tree}:{name}") == (project / name).read_text()


def test_refuse_starts_nothing_and_lists_the_paths(project: Path) -> None:
    support.write(project / "train.py", "changed")
    support.write(project / "new.py", "new")
    with support.untouched(project), pytest.raises(DirtyTree) as caught:
        capture(policy="refuse", origin="gitexp.toml")
    assert caught.value.message == 'run refused: uncommitted changes (policy "refuse", from gitexp.toml)'
    assert caught.value.paths == ((" M", "train.py"), ("??", "new.py"))
    assert "--dirty=snapshot" in caught.value.hint
    assert caught.value.exit_code == 3
    support.commit(project)
    assert capture(policy="refuse").complete


def test_allow_records_the_edits_without_taking_them(project: Path) -> None:
    support.write(project / "train.py", "changed")
    support.write(project / "new.py", "new")
    state = capture(policy="allow")
    assert (state.dirty, state.complete, state.snapshot, state.untracked) == (True, False, None, ())
    assert state.parent == state.commit
    assert state.changed == ("train.py",)
    assert [item.path for item in state.left_out] == ["train.py", "new.py"]
    assert not list((project / ".git/objects").glob("??/*.tmp"))


def test_a_policy_nobody_knows_is_refused(project: Path) -> None:
    with pytest.raises(UsageError, match="'never'"):
        capture(policy="never")


def test_on_an_unborn_branch(tmp_path: Path) -> None:
    support.git(tmp_path, "init", "--quiet", "unborn")
    path = tmp_path / "unborn"
    state = capture(path)
    assert (state.commit, state.branch, state.dirty, state.parent, state.tree) == (None, "main", False, None, None)
    support.write(path / "train.py", "x")
    state = capture(path)
    assert (state.commit, state.dirty, state.untracked) == (None, True, ("train.py",))
    assert support.git(path, "rev-list", "--count", str(state.parent)) == "1"


def test_on_a_detached_head_and_in_a_sub_directory(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    support.write(project / "jobs/gpu/run.py", "x")
    commit = support.commit(project)
    support.git(project, "checkout", "--quiet", "--detach")
    monkeypatch.chdir(project / "jobs/gpu")
    state = capture()
    assert (state.commit, state.branch, state.directory) == (commit, None, "jobs/gpu")


def test_in_a_bare_repository(bare: Path) -> None:
    state = capture(bare, policy="refuse")
    assert (state.dirty, state.parent, state.complete) == (False, support.git(bare, "rev-parse", "main"), True)


@pytest.mark.parametrize(
    ("remotes", "expected"),
    [
        ({}, None),
        ({"origin": "https://ana:hunter2@git.example.com/acme/churn.git"}, "https://git.example.com/acme/churn.git"),
        ({"origin": "git@git.example.com:acme/churn.git"}, "git@git.example.com:acme/churn.git"),
        ({"backup": "/srv/a.git"}, "/srv/a.git"),
        ({"backup": "/srv/a.git", "other": "/srv/b.git"}, None),
        ({"origin": "/srv/a.git", "up": "/srv/b.git"}, "/srv/a.git"),
    ],
)
def test_the_remote_is_named_without_credentials(project: Path, remotes: dict[str, str], expected: str | None) -> None:
    for name, url in remotes.items():
        support.git(project, "remote", "add", name, url)
    assert capture().remote == expected


def test_the_remote_of_the_branch_comes_first(project: Path) -> None:
    for name in ("origin", "fork"):
        support.git(project, "remote", "add", name, f"/srv/{name}.git")
    support.git(project, "config", "branch.main.remote", "fork")
    assert capture().remote == "/srv/fork.git"


def test_the_record_of_a_checked_out_run_is_no_dirt_but_something_else_there_is_refused(project: Path) -> None:
    support.write(project / ".gitexp/run.json", "{}")
    support.commit(project)
    support.write(project / ".gitexp/run.json", "changed")
    assert not capture(policy="refuse").dirty
    support.git(project, "rm", "-rqf", ".gitexp")
    support.write(project / ".gitexp/mine.toml", "x")
    support.commit(project)
    with pytest.raises(Unsupported, match="something of its own"):
        capture()


def test_a_record_lists_a_bounded_number_of_paths(project: Path) -> None:
    for number in range(1100):
        support.write(project / f"gen/f{number:04}.py", "x")
    support.git(project, "add", "--all")
    state = capture()
    listed = state.to_json()["changed"]
    assert (len(state.changed), len(listed), listed[-1]) == (1100, 1001, "… and 100 more")


def test_rules_reach_the_tree(project: Path) -> None:
    support.write(project / "out.json", "x")
    support.write(project / "notes.txt", "x")
    rules = Rules(suffixes=(".txt",), ignore=("*.json",), take="tracked")
    state = capture(rules=rules)
    assert (state.dirty, state.complete, state.snapshot) == (True, False, None)
    assert state.left_out == (LeftOut("notes.txt", "untracked (gitexp.snapshot = tracked)"),)


def test_a_repository_that_cannot_be_written_says_so(project: Path) -> None:
    support.write(project / "train.py", "changed")
    support.write(project / ".git/gitexp", "a file where the folder goes")
    with pytest.raises(WriteFailed, match="gitexp"):
        capture()


def test_every_snapshot_of_a_changing_tree_is_exactly_one_of_its_states(project: Path) -> None:
    for number in range(20):
        support.write(project / "train.py", f"{number:02}")
        assert support.git(project, "cat-file", "blob", f"{capture().tree}:train.py") == f"{number:02}"


EDITED = """
import json, os, sys, time
sys.path.insert(0, os.getcwd())
import steady, moved
time.sleep(0.05)
exec(sys.argv[1])
from gitexp.capture import code
from gitexp.git import discover
print(json.dumps(code.capture(discover.find(), imported=True).to_json()))
"""


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ("pass", []),
        ("open('moved.py', 'a').write('x = 2')", ["moved.py"]),
        ("open('moved.py', 'a').close(); open('other.py', 'w').write('1')", []),
        ("open('new.py', 'w').write('1'); os.utime('new.py', (1, 1)); os.replace('new.py', 'moved.py')", ["moved.py"]),
        ("os.unlink('moved.py')", ["moved.py"]),
    ],
)
def test_imported_files_that_changed_since_the_process_began_are_named(
    project: Path, edit: str, expected: list[str]
) -> None:
    support.commit(project, steady__py="", moved__py="x = 1")
    support.write(project / "job.py", EDITED)
    wait_for_a_tick()
    done = support.python(project, Path("job.py"), edit, env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert json.loads(done.stdout)["edited"] == expected


def wait_for_a_tick() -> None:
    """Wait until a process that begins now began after the files were written, in the 10 ms steps of its start time."""
    time.sleep(0.05)


def test_the_modules_of_the_project_are_only_looked_at_when_asked(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    support.commit(project, helper__py="x = 1")
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.setitem(sys.modules, "helper", type(sys)("helper"))
    sys.modules["helper"].__file__ = str(project / "helper.py")
    (project / "helper.py").touch()
    assert capture().edited == ()
    assert capture(imported=True).edited == ("helper.py",)


def test_a_commit_made_meanwhile_does_not_part_head_from_its_tree(project: Path) -> None:
    """Commits race with captures: whatever commit is named, its tree is the one that is recorded."""
    script = "import subprocess\nfor n in range(15):\n    open('train.py', 'w').write(str(n))\n"
    script += "    subprocess.run(['git', 'commit', '-qam', str(n)], check=True)\n"
    with subprocess.Popen([sys.executable, "-c", script], cwd=project, env=os.environ) as other:
        while other.poll() is None:
            state = capture()
            assert support.git(project, "rev-parse", f"{state.parent}^{{tree}}") == state.tree
    assert other.returncode == 0
    assert not capture().dirty


def test_processes_that_start_at_once_share_one_snapshot(project: Path) -> None:
    support.write(project / "train.py", "changed")
    script = "from gitexp.capture import code\nfrom gitexp.git import discover\n"
    script += "print(code.capture(discover.find()).snapshot)"
    env = {**os.environ, "PYTHONPATH": str(support.ROOT)}
    with support.untouched(project):
        started = [
            subprocess.Popen([sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, text=True)
            for _ in range(6)
        ]
        said = {process.communicate(timeout=60)[0].strip() for process in started}
    assert said == {capture().snapshot}
    assert list((project / ".git/gitexp/tmp").iterdir()) == []
