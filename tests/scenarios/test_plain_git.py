"""Plain Git on runs: what docs/howto-plain-git.md promises, with nothing but the git command."""

from __future__ import annotations

from pathlib import Path

import pytest

import gitexp
from tests import support

DIRTY = 'print("edited")\n'


@pytest.fixture
def runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Return the refs of a run of committed code and of one with an edit and a new file."""
    monkeypatch.setenv("GITEXP_QUIET", "1")
    refs = []
    for lr, dirty in ((0.1, False), (0.2, True)):
        if dirty:
            support.write(project / "train.py", DIRTY)
            support.write(project / "feature.py", "x = 1\n")
        with support.untouched(project), gitexp.start_run("churn", name=f"lr{lr}", params={"lr": lr}) as run:
            run.log({"loss": lr}, step=0)
        refs.append(run.ref)
    support.git(project, "checkout", "--quiet", "train.py")
    (project / "feature.py").unlink()
    monkeypatch.delenv("GITEXP_QUIET")
    return refs[0], refs[1]


def names(path: Path, *args: str) -> list[str]:
    return support.git(path, "diff", "--name-only", *args).splitlines()


def test_the_run_adds_nothing_but_its_record(project: Path, runs: tuple[str, str]) -> None:
    for run in runs:
        changed = support.git(project, "show", "--name-only", "--format=", run).splitlines()
        assert {".gitexp/run.json", ".gitexp/params.json", ".gitexp/metrics.csv"} < set(changed)
        assert all(name.startswith(".gitexp/") for name in changed)


def test_diff_tells_the_code_the_params_or_everything(project: Path, runs: tuple[str, str]) -> None:
    clean, dirty = runs
    assert names(project, f"{clean}^", f"{dirty}^") == ["feature.py", "train.py"]
    assert names(project, clean, dirty, "--", ".gitexp/params.json") == [".gitexp/params.json"]
    assert {"feature.py", "train.py", ".gitexp/params.json", ".gitexp/metrics.csv"} < set(names(project, clean, dirty))


def test_a_branch_at_the_parent_has_the_exact_code(project: Path, runs: tuple[str, str]) -> None:
    support.git(project, "switch", "--quiet", "-c", "try", f"{runs[1]}^")
    assert (project / "train.py").read_text() == DIRTY
    assert (project / "feature.py").exists()
    assert not (project / ".gitexp").exists()
    assert support.git(project, "status", "--porcelain") == ""


def test_cherry_pick_takes_the_edits_of_a_dirty_run(project: Path, runs: tuple[str, str]) -> None:
    support.commit(project, "go on", README__md="# later\n")
    support.git(project, "cherry-pick", f"{runs[1]}^")
    assert (project / "train.py").read_text() == DIRTY
    assert (project / "README.md").read_text() == "# later\n"


def test_a_clean_run_hangs_on_head_and_a_dirty_one_on_its_edits(project: Path, runs: tuple[str, str]) -> None:
    head = support.git(project, "rev-parse", "HEAD")
    assert support.git(project, "rev-parse", f"{runs[0]}^") == head
    assert support.git(project, "rev-parse", f"{runs[1]}^^") == head
    found = support.git(project, "log", "--format=%H", "-S", DIRTY.strip(), runs[1])
    assert found == support.git(project, "rev-parse", f"{runs[1]}^")


def test_branches_default_clones_and_an_excluding_log_do_not_show_runs(
    project: Path, runs: tuple[str, str], tmp_path: Path
) -> None:
    assert support.git(project, "branch", "--all", "--format=%(refname)") == "refs/heads/main"
    log = ("log", "--format=%s", "--exclude=refs/experiments/*", "--exclude=refs/notes/*", "--all")
    assert support.git(project, *log) == "train a model"
    support.git(tmp_path, "clone", "--quiet", str(project), "clone")
    assert support.run_refs(tmp_path / "clone") == {}


def test_a_bundle_carries_them(project: Path, runs: tuple[str, str], tmp_path: Path) -> None:
    file = str(tmp_path / "runs.bundle")
    support.git(project, "bundle", "create", file, "--glob=refs/experiments/*")
    support.git(tmp_path, "init", "--quiet", "other")
    support.git(tmp_path / "other", "fetch", "--quiet", file, "refs/experiments/*:refs/experiments/*")
    assert support.run_refs(tmp_path / "other") == support.run_refs(project)


def test_push_and_fetch_without_gitexp(project: Path, bare: Path, runs: tuple[str, str], tmp_path: Path) -> None:
    support.git(project, "push", "--quiet", "origin", "refs/experiments/*", "refs/notes/experiments*")
    support.git(tmp_path, "clone", "--quiet", str(bare), "clone")
    clone = tmp_path / "clone"
    support.git(clone, "fetch", "--quiet", "--no-prune", "origin", "refs/experiments/*:refs/experiments/*")
    assert support.run_refs(clone) == support.run_refs(project)
    assert [run["name"] for run in support.gitexp("-C", str(clone), "log", "--json").json] == ["lr0.2", "lr0.1"]
    support.git(clone, "fsck", "--strict")


def test_a_pruning_fetch_deletes_refs_and_the_next_command_puts_them_back(
    project: Path, bare: Path, runs: tuple[str, str]
) -> None:
    before = support.run_refs(project)
    support.git(project, "config", "--add", "remote.origin.fetch", "refs/experiments/*:refs/experiments/*")
    support.git(project, "config", "fetch.prune", "true")
    support.git(project, "fetch", "--quiet")
    assert support.run_refs(project) == {}
    told = support.gitexp("log")
    assert "put back 2 lost refs" in told.stderr
    assert support.run_refs(project) == before


def test_gc_and_pack_refs_lose_nothing(project: Path, runs: tuple[str, str]) -> None:
    before = support.run_refs(project)
    support.git(project, "gc", "--quiet", "--prune=now")
    support.git(project, "pack-refs", "--all")
    assert support.run_refs(project) == before
    assert support.gitexp("show", "lr0.2", "--json").json["params"] == {"lr": 0.2}
    assert support.gitexp("fsck").code == 0
