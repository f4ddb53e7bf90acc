"""What makes a work tree dirty, and what a snapshot of it holds, in every kind of repository."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gitexp.errors import Unsupported
from gitexp.git import command, discover, fingerprint, index, snapshot, untracked, worktree
from gitexp.git.snapshot import Snapshot
from gitexp.git.worktree import Rules, Status
from tests import support

TOKEN = "ghp_" + "a1B2c3D4e5" * 4


def status(path: Path | None = None, **rules: object) -> Status:
    return worktree.status(discover.find(path), Rules(**rules))  # type: ignore[arg-type]  # named by the tests


def take(path: Path | None = None, **rules: object) -> Snapshot:
    repo = discover.find(path)
    chosen = Rules(**rules)  # type: ignore[arg-type]  # named by the tests
    return snapshot.take(repo, repo.head().commit, worktree.status(repo, chosen), chosen)


def names(path: Path, tree: str | None) -> list[str]:
    return support.git(path, "ls-tree", "-r", "-z", "--name-only", str(tree)).rstrip("\0").split("\0")


def left_out(item: Snapshot | Status) -> dict[str, str]:
    return {entry.path: entry.reason for entry in item.left_out}


def settle(path: Path) -> None:
    """Wait until the times of the files would tell of another change: before that the cache does not trust them."""
    for _ in range(100):
        if fingerprint.of(discover.find(path), None, Rules(), [(" M", "train.py"), ("?", "new.py")]):
            return
        time.sleep(0.01)
    raise AssertionError("the file times never settle")


def notebook(source: str, *, output: str = "", count: int | None = None) -> str:
    cell = {"cell_type": "code", "execution_count": count, "metadata": {}, "source": [source], "outputs": [output]}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def test_a_fresh_commit_is_clean(project: Path) -> None:
    assert status() == Status()


def test_every_kind_of_tracked_change_is_dirt(project: Path) -> None:
    support.commit(project, a__py="1", b__py="2", c__py="3")
    support.write(project / "a.py", "changed")
    (project / "b.py").unlink()
    support.git(project, "rm", "--quiet", "c.py")
    support.write(project / "new.txt", "staged")
    support.git(project, "add", "new.txt")
    assert {path: code for code, path in status().paths} == {
        "a.py": " M",
        "b.py": " D",
        "c.py": "D ",
        "new.txt": "A ",
    }


def test_only_source_like_untracked_files_are_dirt(project: Path) -> None:
    for name in ("model.pt", "data/train.csv", "notes.txt"):
        support.write(project / name, "x")
    assert not status().dirty
    for name in ("loss.py", "Makefile", "conf/deep/LR.YAML"):
        support.write(project / name, "x")
    assert status().untracked == ("Makefile", "conf/deep/LR.YAML", "loss.py")
    assert status(suffixes=(".csv",)).untracked == ("data/train.csv",)


def test_environments_caches_and_ignored_folders_are_not_searched(project: Path) -> None:
    for name in ("env/pyvenv.cfg", "env/lib/x.py", "web/node_modules/a.js", "pkg/__pycache__/m.py", "pkg/tmp/gen.py"):
        support.write(project / name, "x")
    support.write(project / "pkg/new.py", "x")
    support.write(project / ".git/info/exclude", "tmp/\n")
    assert status().untracked == ("pkg/new.py",)


def test_paths_to_ignore_have_the_meaning_of_git_pathspecs(project: Path) -> None:
    support.commit(project, a__md="1")
    for name in ("train.py", "a.md", "out/one.json", "deep/out/two.json", "[odd].py"):
        support.write(project / name, "changed")
    found = status(ignore=("*.md", "out/", ":(glob)deep/**/two.json", ":(literal)[odd].py"))
    assert found.paths == ((" M", "train.py"),)
    assert [item.path for item in found.kept] == ["a.md"]
    assert not status(ignore=(".",)).dirty


def test_a_pathspec_that_git_refuses_names_the_setting(project: Path) -> None:
    support.write(project / "train.py", "changed")
    with pytest.raises(worktree.UsageError, match="dirtyIgnore"):
        status(ignore=(":(nonsense)x",))


def test_the_outputs_of_the_last_run_are_neither_dirt_nor_taken(project: Path) -> None:
    support.write(project / "metrics.json", "{}")
    support.write(project / "results/a/curve.json", "{}")
    outputs = frozenset({"metrics.json", "results"})
    assert not status(outputs=outputs).dirty
    support.write(project / "new.py", "x")
    assert take(outputs=outputs).untracked == ("new.py",)


def test_outputs_of_a_notebook_alone_are_not_dirt(project: Path) -> None:
    support.commit(project, study__ipynb=notebook("a = 1"))
    support.write(project / "study.ipynb", notebook("a = 1", output="plot", count=7))
    assert not status().dirty
    support.write(project / "study.ipynb", notebook("a = 2", output="plot", count=7))
    assert status().paths == ((" M", "study.ipynb"),)
    support.write(project / "study.ipynb", "not JSON")
    assert status().dirty


def test_a_snapshot_keeps_the_committed_notebook_where_only_its_outputs_changed(project: Path) -> None:
    support.commit(project, study__ipynb=notebook("a = 1"))
    support.write(project / "study.ipynb", notebook("a = 1", output="plot", count=7))
    support.git(project, "add", "study.ipynb")
    support.write(project / "train.py", "changed")
    assert support.git(project, "diff", "--name-only", "HEAD", take().tree) == "train.py"


def test_the_record_of_a_checked_out_run_is_not_dirt_and_stays_as_committed(project: Path) -> None:
    support.write(project / ".gitexp/run.json", "{}")
    support.commit(project)
    support.write(project / ".gitexp/run.json", "changed")
    support.write(project / ".gitexp/new.json", "{}")
    support.git(project, "add", ".gitexp")
    assert not status().dirty
    support.write(project / "train.py", "changed")
    assert support.git(project, "diff", "--name-only", "HEAD", take().tree) == "train.py"


def test_a_snapshot_is_a_child_of_head_that_holds_the_edits_and_nothing_else(project: Path) -> None:
    support.write(project / "train.py", "changed")
    support.write(project / "new.py", "new")
    support.write(project / "model.pt", "weights")
    with support.untouched(project):
        mtime = (project / ".git/index").stat().st_mtime_ns
        taken = take()
        assert (project / ".git/index").stat().st_mtime_ns == mtime
    commit = str(taken.commit)
    assert support.git(project, "rev-parse", f"{commit}^") == support.git(project, "rev-parse", "HEAD")
    assert support.git(project, "diff", "--name-status", "HEAD", commit).split() == ["A", "new.py", "M", "train.py"]
    assert support.git(project, "show", f"{commit}:new.py") == "new"
    assert support.git(project, "log", "-1", "--format=%an %ae %cn %at %ct", commit) == (
        "gitexp gitexp@localhost gitexp 1795183200 1795183200"
    )
    assert list((project / ".git/gitexp/tmp").iterdir()) == []


def test_equal_edits_are_one_commit(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project, tmp_path / "copy")
    for path in (project, tmp_path / "copy"):
        support.write(path / "train.py", "changed")
    support.git(project, "add", "train.py")
    assert take(project).commit == take(tmp_path / "copy").commit
    support.write(project / "train.py", "changed again")
    assert take(project).commit != take(tmp_path / "copy").commit


def test_executables_links_and_odd_names_are_kept_as_they_are(project: Path) -> None:
    odd = ("with space.py", "línea\n.py", 'tab\t"quote".py', "日本.py", ":(top)x.py", "[a-z]*.py")
    for name in odd:
        support.write(project / name, name)
    support.write(project / os.fsdecode(b"latin-\xe9.py"), "x")
    support.write(project / "go.sh", "#!/bin/sh").chmod(0o755)
    (project / "link.py").symlink_to("train.py")
    taken = take()
    assert {*odd, "go.sh", "link.py", os.fsdecode(b"latin-\xe9.py")} == set(taken.untracked)
    assert {*odd, "go.sh", "link.py"} < set(names(project, taken.tree))
    assert support.git(project, "ls-tree", taken.tree, "go.sh", "link.py").split()[::4] == ["100755", "120000"]


@pytest.mark.parametrize(
    "name", [".env", ".env.local", "server.pem", "deploy.key", "id_rsa", "credentials.json", ".netrc"]
)
def test_untracked_secrets_are_never_taken_and_always_listed(project: Path, name: str) -> None:
    support.write(project / "conf" / name, "harmless")
    assert left_out(status()) == {f"conf/{name}": "secret by its name"}
    assert not status().dirty
    support.write(project / "train.py", "changed")
    taken = take(take="all", suffixes=("." + name.rpartition(".")[2],))
    assert left_out(taken) == {f"conf/{name}": "secret by its name"}
    assert support.git(project, "diff", "--name-only", "HEAD", taken.tree) == "train.py"


def test_an_untracked_file_with_a_token_is_left_out_and_the_snapshot_incomplete(project: Path) -> None:
    support.write(project / "upload.py", f"KEY = '{TOKEN}'\n")
    support.write(project / "new.py", "x")
    taken = take()
    assert (taken.untracked, left_out(taken), taken.complete) == (("new.py",), {"upload.py": "holds a secret"}, False)


def test_an_edit_that_adds_a_token_is_left_out_and_the_committed_version_kept(project: Path) -> None:
    support.commit(project, old__py=f"OLD = '{TOKEN}'\n", gone__py=f"OLD = '{TOKEN}'\n")
    support.write(project / "old.py", f"OLD = '{TOKEN}'\nnew = 1\n")
    support.write(project / "train.py", f"KEY = '{TOKEN}'\n")
    support.write(project / "staged.py", f"KEY = '{TOKEN}'\n")
    (project / "gone.py").unlink()
    support.git(project, "add", "staged.py", "train.py")
    taken = take()
    assert left_out(taken) == {"train.py": "the edit adds a secret", "staged.py": "the edit adds a secret"}
    assert not taken.complete
    assert support.git(project, "diff", "--name-status", "HEAD", taken.tree).split() == ["D", "gone.py", "M", "old.py"]


def test_a_token_in_a_large_tracked_file_is_found_wherever_it_is(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "_LINEWISE_BYTES", 50_000)
    monkeypatch.setattr(snapshot, "_BLOCK_BYTES", 40_000)
    support.write(project / "train.py", "#" * 60_000)
    assert take().complete
    support.write(project / "train.py", "#" * 39_980 + f" '{TOKEN}' " + "#" * 20_000)
    assert left_out(take()) == {"train.py": "holds a secret"}


def test_a_folder_too_large_to_search_makes_the_record_incomplete(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(untracked, "MAX_ENTRIES", 10)
    for number in range(20):
        support.write(project / f"images/{number}.png", "x")
    found = status()
    assert (found.complete, left_out(found)) == (False, {"images/": "folder with too many files to search"})


def test_an_edit_of_a_tracked_secret_is_left_out(project: Path) -> None:
    support.write(project / ".env", "PASSWORD=a")
    support.commit(project)
    support.write(project / ".env", "PASSWORD=b")
    taken = take()
    assert (taken.commit, taken.complete, left_out(taken)) == (None, False, {".env": "secret by its name"})


def test_untracking_a_secret_file_leaves_nothing_out(project: Path) -> None:
    support.write(project / ".env", "PASSWORD=a")
    support.commit(project)
    support.git(project, "rm", "--quiet", "--cached", ".env")
    assert ".env" not in names(project, take().tree)


def test_the_limits_of_a_snapshot(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MAX_FILES", 2)
    support.write(project / "big.py", "x" * ((1 << 20) + 1))
    for name in "abc":
        support.write(project / f"{name}.py", name)
    taken = take()
    assert (taken.untracked, taken.complete) == (("a.py", "b.py"), False)
    assert left_out(taken) == {
        "big.py": "untracked and 1.0 MB: more than 1 MiB",
        "c.py": "more than 2 untracked files",
    }


def test_the_limit_of_all_untracked_bytes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MAX_BYTES", 1 << 20)
    support.write(project / "a.py", "x" * 900_000)
    support.write(project / "b.py", "x" * 900_000)
    support.write(project / "c.py", "x")
    taken = take()
    assert (taken.untracked, left_out(taken)) == (("a.py", "c.py"), {"b.py": "more than 1 MiB of untracked files"})


@pytest.mark.parametrize(
    ("mode", "untracked", "complete"),
    [("tracked", (), False), ("source", ("new.py",), True), ("all", ("new.py", "data.csv"), True)],
)
def test_what_the_setting_takes(project: Path, mode: str, untracked: tuple[str, ...], complete: bool) -> None:
    for name in ("train.py", "new.py", "data.csv"):
        support.write(project / name, "x")
    taken = take(take=mode)
    assert (taken.untracked, taken.complete) == (untracked, complete)
    assert names(project, taken.tree) == sorted(["README.md", "train.py", *untracked])


def test_an_edit_as_old_as_the_index_is_seen(project: Path) -> None:
    """Same size, same second: only the content tells, and only while the copy of the index keeps its time."""
    support.write(project / "train.py", "aaaa")
    support.git(project, "add", "train.py")
    before = (project / "train.py").stat()
    support.write(project / "train.py", "bbbb")
    for path in (project / "train.py", project / ".git/index"):
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    support.write(project / "new.py", "x")
    assert support.git(project, "cat-file", "blob", f"{take().tree}:train.py") == "bbbb"


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
@pytest.mark.parametrize("version", ["2", "4"])
def test_an_edit_that_the_index_hides_is_code_all_the_same(project: Path, mark: str, version: str) -> None:
    support.git(project, "update-index", "--index-version", version)
    support.git(project, "update-index", mark, "train.py")
    assert not status().dirty
    support.write(project / "train.py", "changed")
    with support.untouched(project):
        assert support.git(project, "status", "--porcelain", env={"GIT_OPTIONAL_LOCKS": "0"}) == ""
        assert status().paths == ((" M", "train.py"),)
        assert support.git(project, "cat-file", "blob", f"{take().tree}:train.py") == "changed"


def test_an_unchanged_dirty_tree_is_examined_and_snapshotted_once(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    support.write(project / "train.py", "changed")
    support.write(project / "new.py", "x")
    settle(project)
    first = take()
    broken = support.write(tmp_path / "bin/git", "#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(broken.parent))  # whoever asks git now fails
        assert [take() for _ in range(3)] == [first] * 3
    support.write(project / "new.py", "y")
    assert take().commit != first.commit
    support.git(project, "prune", "--expire=now")
    support.write(project / "new.py", "x")
    assert take().commit == first.commit
    assert support.git(project, "cat-file", "-t", str(first.commit)) == "commit"


def test_a_pruned_snapshot_is_taken_again(project: Path) -> None:
    support.write(project / "train.py", "changed")
    settle(project)
    first = take()
    support.git(project, "prune", "--expire=now")
    assert take() == first
    assert support.git(project, "show", f"{first.commit}:train.py") == "changed"


def test_what_was_seen_depends_on_the_rules_and_on_the_rules_of_git(project: Path) -> None:
    support.write(project / "new.py", "x")
    support.write(project / "out.json", "x")
    settle(project)
    assert status().untracked == ("new.py", "out.json")
    assert status(ignore=("*.json",)).untracked == ("new.py",)
    support.write(project / ".git/info/exclude", "new.py\n")
    assert status().untracked == ("out.json",)


def test_the_cache_stays_small(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "KEPT", 4)
    repo = discover.find()
    for number in range(20):
        fingerprint.remember(repo, "status", str(number), {})
    assert len(list((project / ".git/gitexp/seen").iterdir())) <= 5


def test_a_lock_of_the_user_is_no_obstacle_and_stays(project: Path) -> None:
    support.write(project / "train.py", "changed")
    support.write(project / ".git/index.lock", "")
    with support.untouched(project):
        assert take().commit
    assert (project / ".git/index.lock").read_bytes() == b""


def test_hooks_and_a_split_index_of_the_user_are_left_alone(project: Path) -> None:
    support.git(project, "config", "core.splitIndex", "true")
    support.git(project, "update-index", "--split-index")
    support.write(project / ".git/hooks/post-index-change", "#!/bin/sh\ntouch hooked\n").chmod(0o755)
    assert not status().dirty
    support.write(project / "train.py", "changed")
    with support.untouched(project):
        shared = sorted((project / ".git").glob("sharedindex.*"))
        assert support.git(project, "diff", "--name-only", "HEAD", take().tree) == "train.py"
        assert sorted((project / ".git").glob("sharedindex.*")) == shared
    assert not (project / "hooked").exists()


def test_an_index_that_a_hook_works_on_is_not_the_index(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_INDEX_FILE", str(project / "elsewhere"))
    assert not status().dirty
    support.write(project / "train.py", "changed")
    assert status().paths == ((" M", "train.py"),)
    assert take().commit
    assert not (project / "elsewhere").exists()


def test_leftovers_of_killed_processes_are_removed_after_a_day(project: Path) -> None:
    repo = discover.find()
    old = support.write(index.temporary(repo) / "index-1-a", "x")
    young = support.write(index.temporary(repo) / "index-1-b", "x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "_STALE_SECONDS", -10)
        with index.private(repo):
            pass
    assert not old.exists() and not young.exists()
    support.write(old, "x")
    with index.private(repo):
        assert old.exists()


def clean_and_dirty(path: Path, edit: Path | None = None) -> Snapshot:
    """Check that a tree is clean, edit `train.py`, check what a snapshot of it holds, and return it."""
    assert status(path) == Status()
    support.write(edit or path / "train.py", "changed")
    support.write(path / "new.py", "new")
    with support.untouched(path):
        taken = take(path)
    assert taken.untracked == ("new.py",)
    assert support.git(path, "cat-file", "blob", f"{taken.tree}:train.py") == "changed"
    assert support.git(path, "cat-file", "blob", f"{taken.tree}:new.py") == "new"
    return taken


def test_in_a_linked_worktree(project: Path, tmp_path: Path) -> None:
    support.git(project, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    assert clean_and_dirty(tmp_path / "linked").complete
    assert not status(project).dirty
    assert not (project / ".git/worktrees/linked/gitexp").exists()


def test_a_worktree_inside_the_work_tree_is_no_part_of_it(project: Path) -> None:
    support.git(project, "worktree", "add", "--quiet", "trees/try")
    assert status() == Status()


def test_in_a_bare_repository(bare: Path) -> None:
    assert status(bare) == Status()
    assert not (bare / "gitexp").exists()


def test_in_a_shallow_clone(project: Path, tmp_path: Path) -> None:
    support.commit(project, "second", a__py="1")
    support.git(tmp_path, "clone", "--quiet", "--depth=1", project.as_uri(), "shallow")
    clean_and_dirty(tmp_path / "shallow")


@pytest.mark.parametrize("index_kind", ["--no-sparse-index", "--sparse-index"])
def test_in_a_sparse_checkout(project: Path, index_kind: str) -> None:
    support.write(project / "inside/a.py", "a")
    support.write(project / "outside/deep/b.py", "b")
    support.commit(project)
    support.git(project, "sparse-checkout", "set", "--cone", index_kind, "inside")
    taken = clean_and_dirty(project)
    assert "outside/deep/b.py" in names(project, taken.tree)
    support.write(project / "outside/c.py", "c")
    assert "outside/c.py" in names(project, take(project).tree)


def test_in_a_partial_clone_nothing_is_fetched(project: Path, tmp_path: Path) -> None:
    support.git(project, "config", "uploadpack.allowFilter", "true")
    support.write(project / "outside/b.py", "b")
    support.commit(project)
    support.git(tmp_path, "clone", "--quiet", "--filter=blob:none", "--sparse", project.as_uri(), "partial")
    path = tmp_path / "partial"
    missing = ("rev-list", "--objects", "--all", "--missing=print")
    before = support.git(path, *missing)
    assert "?" in before
    assert status(path) == Status()
    support.write(path / "train.py", "changed")
    taken = take(path)
    assert support.git(path, "cat-file", "blob", f"{taken.tree}:train.py") == "changed"
    assert "outside/b.py" in names(path, taken.tree)
    assert support.git(path, *missing) == before


def test_on_a_detached_head(project: Path) -> None:
    support.git(project, "checkout", "--quiet", "--detach")
    clean_and_dirty(project)


def test_before_the_first_commit(tmp_path: Path) -> None:
    support.git(tmp_path, "init", "--quiet", "unborn")
    path = tmp_path / "unborn"
    assert status(path) == Status()
    support.write(path / "new.py", "new")
    support.write(path / "staged.txt", "staged")
    support.git(path, "add", "staged.txt")
    taken = take(path)
    assert names(path, taken.tree) == ["new.py", "staged.txt"]
    assert support.git(path, "log", "--format=%P %ct", str(taken.commit)).strip() == "0"


def test_from_a_sub_directory(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    support.write(project / "sub/dir/a.py", "a")
    support.commit(project)
    monkeypatch.chdir(project / "sub/dir")
    support.write(project / "sub/dir/a.py", "changed")
    support.write(project / "above.py", "x")
    assert status().paths == ((" M", "sub/dir/a.py"), ("??", "above.py"))
    assert names(project, take().tree) == ["README.md", "above.py", "sub/dir/a.py", "train.py"]


def test_with_git_dir_and_work_tree_elsewhere(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".git").rename(tmp_path / "store.git")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "store.git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(project))
    monkeypatch.chdir(tmp_path)
    assert status() == Status()
    support.write(project / "train.py", "changed")
    assert support.git(tmp_path, "cat-file", "blob", f"{take().tree}:train.py") == "changed"


def test_in_a_folder_with_spaces_and_unicode(project: Path, tmp_path: Path) -> None:
    path = tmp_path / "mi proyecto ñ 日本"
    project.rename(path)
    clean_and_dirty(path)


@pytest.fixture
def with_module(project: Path, tmp_path: Path) -> Path:
    """Return `project` with a submodule `lib`."""
    support.git(tmp_path, "clone", "--quiet", str(project), "library")
    support.git(project, "submodule", "--quiet", "add", str(tmp_path / "library"), "lib")
    support.commit(project)
    return project


def test_with_a_submodule(with_module: Path) -> None:
    assert clean_and_dirty(with_module).complete


def test_a_submodule_at_another_commit_is_dirt_and_taken(with_module: Path) -> None:
    commit = support.commit(with_module / "lib", "more")
    assert status().paths == ((" M", "lib"),)
    taken = take()
    assert taken.complete
    assert support.git(with_module, "rev-parse", f"{taken.tree}:lib") == commit


def test_a_submodule_that_says_it_may_be_ignored_is_not(with_module: Path) -> None:
    support.git(with_module, "config", "-f", ".gitmodules", "submodule.lib.ignore", "all")
    support.commit(with_module)
    support.commit(with_module / "lib", "more")
    assert status().paths == ((" M", "lib"),)


@pytest.mark.parametrize("name", ["train.py", "untracked.py"])
def test_a_submodule_with_edits_of_its_own_makes_a_snapshot_incomplete(with_module: Path, name: str) -> None:
    support.write(with_module / "lib" / name, "changed")
    taken = take()
    assert (taken.commit, taken.complete) == (None, False)
    assert left_out(taken) == {"lib": "submodule with edits of its own"}


def test_a_stray_file_in_a_submodule_is_no_edit(with_module: Path) -> None:
    support.write(with_module / "lib/__pycache__/train.pyc", "x")
    support.write(with_module / "lib/model.pt", "x")
    assert not status().dirty


def test_an_embedded_repository_makes_the_record_incomplete(project: Path) -> None:
    support.git(project, "init", "--quiet", "vendor/other")
    support.write(project / "vendor/other/code.py", "x")
    found = status()
    assert (found.dirty, found.complete, left_out(found)) == (False, False, {"vendor/other/": "repository of its own"})
    support.write(project / "train.py", "changed")
    assert not take().complete


def test_a_merge_with_conflicts_is_taken_as_it_is_in_the_work_tree(project: Path) -> None:
    support.git(project, "switch", "--quiet", "-c", "other")
    support.commit(project, train__py="theirs\n", README__md="theirs\n")
    support.git(project, "switch", "--quiet", "main")
    support.commit(project, train__py="ours\n")
    (project / "README.md").unlink()
    support.commit(project)
    support.git(project, "merge", "other", check=False)
    support.write(project / "train.py", "half resolved\n")
    assert {path: code for code, path in status().paths} == {"README.md": "DU", "train.py": "UU"}
    with support.untouched(project):
        taken = take()
    assert support.git(project, "cat-file", "blob", f"{taken.tree}:train.py") == "half resolved"
    assert support.git(project, "cat-file", "blob", f"{taken.tree}:README.md") == "theirs"
    (project / "README.md").unlink()
    assert names(project, take().tree) == ["train.py"]


def test_a_conflict_in_what_is_ignored_is_kept_as_ours(project: Path) -> None:
    support.git(project, "switch", "--quiet", "-c", "other")
    support.commit(project, train__py="theirs\n")
    support.git(project, "switch", "--quiet", "main")
    support.commit(project, train__py="ours\n")
    support.git(project, "merge", "other", check=False)
    support.write(project / "new.py", "x")
    assert support.git(project, "cat-file", "blob", f"{take(ignore=('train.py',)).tree}:train.py") == "ours"


def test_line_ends_are_those_that_git_would_commit(project: Path) -> None:
    support.write(project / ".gitattributes", "* text=auto eol=crlf\n")
    support.write(project / "lines.py", b"a\r\nb\r\n")
    support.commit(project)
    (project / "lines.py").touch()
    assert not status().dirty
    support.write(project / "lines.py", b"a\r\nb\r\nc\r\n")
    support.write(project / "new.py", b"x\r\n")
    taken = take()
    blob = ("cat-file", "blob")
    assert support.git(project, *blob, f"{taken.tree}:lines.py").split("\n") == ["a", "b", "c"]
    assert "\r" not in support.git(project, *blob, f"{taken.tree}:new.py") + "."
    support.git(project, "add", "--all")
    assert support.git(project, "write-tree") == taken.tree


def test_large_files_of_the_project_stay_pointers(project: Path) -> None:
    support.needs("git-lfs")
    support.git(project, "lfs", "install", "--local")
    support.write(project / ".gitattributes", "*.csv filter=lfs diff=lfs merge=lfs -text\n")
    support.write(project / "data.csv", "a,b\n1,2\n")
    support.commit(project)
    (project / "data.csv").touch()
    assert not status().dirty
    support.write(project / "data.csv", "a,b\n1,3\n")
    assert status().paths == ((" M", "data.csv"),)
    assert support.git(project, "cat-file", "blob", f"{take().tree}:data.csv").startswith("version https://git-lfs")


def test_a_file_whose_filter_fails_is_left_out_and_the_others_are_taken(project: Path) -> None:
    support.write(project / ".gitattributes", "*.json filter=broken\n")
    support.commit(project)
    support.git(project, "config", "filter.broken.clean", "false")
    support.git(project, "config", "filter.broken.required", "true")
    for name in ("a.py", "b.json", "train.py"):
        support.write(project / name, "x")
    taken = take()
    assert (taken.untracked, taken.complete, list(left_out(taken))) == (("a.py",), False, ["b.json"])
    assert names(project, taken.tree) == [".gitattributes", "README.md", "a.py", "train.py"]


@pytest.fixture
def without_git(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function that hides the git command for the rest of the test."""

    def hide() -> None:
        monkeypatch.setattr(command, "available", lambda: False)

    return hide


def test_without_the_git_command_the_tree_is_the_same(project: Path, without_git: Callable[[], None]) -> None:
    support.write(project / ".gitattributes", "* text=auto\n")
    support.write(project / "pkg/a.py", "a")
    support.write(project / "pkg/b.py", "b")
    support.write(project / "only/c.py", "c")
    support.commit(project)
    support.write(project / "train.py", b"x\r\ny\r\n")
    support.write(project / "pkg/new/deep.py", "x")
    support.write(project / "go.sh", "x").chmod(0o755)
    support.write(project / "pkg/b.py", "staged")
    support.write(project / "ignored.md.py", "x")
    support.git(project, "add", "pkg/b.py")
    (project / "only/c.py").unlink()
    rules = {"ignore": ("ignored*",)}
    expected = take(**rules)
    shutil.rmtree(project / ".git/gitexp")
    without_git()
    assert take(**rules) == expected
    assert set(status(**rules).paths) == {
        ("M ", "pkg/b.py"),
        (" D", "only/c.py"),
        (" M", "train.py"),
        ("??", "go.sh"),
        ("??", "pkg/new/deep.py"),
    }


def test_without_the_git_command_what_needs_a_filter_is_left_out(
    project: Path, without_git: Callable[[], None]
) -> None:
    support.write(project / ".gitattributes", "*.json filter=lfs\n")
    support.commit(project)
    without_git()
    assert not status().dirty
    support.write(project / "a.json", "{}")
    support.write(project / "b.py", "x")
    taken = take()
    assert (taken.untracked, taken.complete) == (("b.py",), False)
    assert left_out(taken) == {"a.json": "needs the git command for its filter lfs"}


def test_without_the_git_command_an_index_that_libgit2_cannot_read_is_a_clear_error(
    project: Path, without_git: Callable[[], None]
) -> None:
    support.git(project, "update-index", "--split-index")
    without_git()
    with pytest.raises(Unsupported, match="only the git command"):
        status()
