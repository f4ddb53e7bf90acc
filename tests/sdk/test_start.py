"""How runs begin: in every kind of repository, in another one, in none, in jobs of several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import gitexp
from gitexp.errors import DirtyTree, NoRepository, Unsupported
from gitexp.ops.recording import spool
from gitexp.store import workspace
from tests import support

DIRTY = "print('edited')\n"
RECORD = """
import gitexp
with gitexp.start_run('churn', name='x', params={'lr': 0.1}) as run: run.log({'loss': 0.5})
print(run.ref)
"""


def head(path: Path) -> str:
    return support.git(path, "rev-parse", "HEAD")


def linked_worktree(project: Path, base: Path) -> Path:
    support.git(project, "worktree", "add", "--quiet", "-b", "side", str(base / "linked"))
    return base / "linked"


def submodule(project: Path, base: Path) -> Path:
    other = base / "super"
    support.git(base, "init", "--quiet", str(other))
    support.git(other, "submodule", "--quiet", "add", str(project), "sub")
    support.git(other, "commit", "--quiet", "-m", "with a submodule")
    return other / "sub"


def shallow(project: Path, base: Path) -> Path:
    support.commit(project, "second", second__py="print(2)\n")
    support.git(base, "clone", "--quiet", "--depth=1", f"file://{project}", str(base / "shallow"))
    return base / "shallow"


def sparse(project: Path, base: Path) -> Path:
    support.write(project / "big/data.py", "print('data')\n")
    support.commit(project, "more")
    support.git(base, "clone", "--quiet", "--sparse", f"file://{project}", str(base / "sparse"))
    assert not (base / "sparse/big").exists()
    return base / "sparse"


def partial(project: Path, base: Path) -> Path:
    support.write(project / "big/data.py", "print('data')\n")
    support.commit(project, "more")
    support.git(project, "config", "uploadpack.allowFilter", "true")
    support.git(base, "clone", "--quiet", "--sparse", "--filter=blob:none", f"file://{project}", str(base / "partial"))
    return base / "partial"


def detached(project: Path, base: Path) -> Path:
    support.git(project, "checkout", "--quiet", "--detach")
    return project


def unborn(project: Path, base: Path) -> Path:
    support.git(base, "init", "--quiet", str(base / "unborn"))
    return base / "unborn"


def spaces(project: Path, base: Path) -> Path:
    path = base / "ein Pfad mit Größe 損失"
    support.git(base, "clone", "--quiet", str(project), str(path))
    return path


def plain(project: Path, base: Path) -> Path:
    return project


KINDS = [plain, linked_worktree, submodule, shallow, sparse, partial, detached, unborn, spaces]


@pytest.mark.parametrize("dirty", [False, True], ids=["clean", "dirty"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_run_is_recorded_in_every_kind_of_repository(
    project: Path, tmp_path: Path, kind: object, dirty: bool
) -> None:
    path: Path = kind(project, tmp_path)  # type: ignore[operator]  # one of the functions above
    if dirty:
        support.write(path / "train.py", DIRTY)
    with support.untouched(path):
        ref = support.python(path, RECORD).stdout.strip()
    code = support.git(path, "rev-parse", "--verify", "--quiet", f"{ref}^", check=False)
    if dirty:
        assert support.git(path, "show", f"{ref}^:train.py") == DIRTY.strip()
    elif kind is unborn:
        assert code == ""
    else:
        assert code == head(path)
    record = support.record(path, ref)
    assert record["code"]["dirty"] is dirty
    if code:
        base, run = (support.git(path, "ls-tree", rev).splitlines() for rev in (code, ref))
        assert [line for line in run if not line.endswith("\t.gitexp")] == base


def test_a_bare_repository_records_what_head_is(project: Path, bare: Path) -> None:
    ref = support.python(bare, RECORD).stdout.strip()
    assert support.git(bare, "rev-parse", f"{ref}^") == head(project)
    assert support.record(bare, ref)["code"]["dirty"] is False


def test_a_sub_directory_is_told(project: Path, untouched: None) -> None:
    (project / "sub/dir").mkdir(parents=True)
    try:
        ref = support.python(project / "sub/dir", RECORD).stdout.strip()
        assert support.record(project, ref)["code"]["directory"] == "sub/dir"
    finally:
        (project / "sub/dir").rmdir()
        (project / "sub").rmdir()


def test_git_dir_and_work_tree_are_honoured(project: Path, tmp_path: Path, untouched: None) -> None:
    env = {"GIT_DIR": str(project / ".git"), "GIT_WORK_TREE": str(project)}
    ref = support.python(tmp_path, RECORD, env=env).stdout.strip()
    assert support.git(project, "rev-parse", f"{ref}^") == head(project)


@pytest.mark.parametrize("how", ["argument", "variable"])
def test_another_repository_can_be_recorded_into(project: Path, tmp_path: Path, how: str) -> None:
    other = tmp_path / "runs.git"
    support.git(tmp_path, "init", "--quiet", "--bare", str(other))
    code = RECORD.replace("name='x'", f"name='x', repo={str(other)!r}") if how == "argument" else RECORD
    env = {} if how == "argument" else {"GITEXP_REPO": str(other)}
    with support.untouched(project):
        ref = support.python(project, code, env=env).stdout.strip()
    assert list(support.run_refs(other)) == [ref]
    assert not support.run_refs(project)


def test_without_a_repository_there_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(NoRepository, match="is not in a Git repository"):
        gitexp.start_run()


@pytest.mark.parametrize(
    ("extension", "said"), [("refStorage = reftable", "reftable"), ("objectFormat = sha256", "sha256")]
)
def test_repositories_that_libraries_misread_are_refused(project: Path, extension: str, said: str) -> None:
    config = project / ".git/config"
    config.write_text(
        config.read_text().replace("repositoryformatversion = 0", "repositoryformatversion = 1")
        + f"[extensions]\n\t{extension}\n"
    )
    with pytest.raises(Unsupported, match=said):
        gitexp.start_run()


def test_a_spooled_run_is_imported_once_with_its_code(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untouched: None
) -> None:
    pod, folder = tmp_path / "pod", tmp_path / "spool"
    pod.mkdir()
    folder.mkdir()
    (pod / "model.bin").write_bytes(os.urandom(150_000))
    code = RECORD.replace("run.log({'loss': 0.5})", "run.log({'loss': 0.5}); run.log_artifact('model.bin')")
    env = {"GITEXP_SPOOL": str(folder), "GITEXP_COMMIT": head(project), "GIT_CEILING_DIRECTORIES": str(tmp_path)}
    support.python(pod, code, env=env)
    assert not support.run_refs(project)
    first = spool.bring_in(workspace.open(project), folder)
    again = spool.bring_in(workspace.open(project), folder)
    assert (len(first.runs), again.runs, len(again.known)) == (1, [], 1)
    (ref,) = support.run_refs(project)
    assert support.git(project, "rev-parse", f"{ref}^") == head(project)
    found = gitexp.get_run("x")
    assert found.summary["loss"].last == 0.5
    sha256 = found._run.artifacts[0].sha256 or ""
    assert (project / ".git/gitexp/objects" / sha256[:2] / sha256[2:4] / sha256).read_bytes() == (
        pod / "model.bin"
    ).read_bytes()


def test_refusing_a_dirty_tree_starts_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEXP_DIRTY", "refuse")
    support.write(project / "train.py", DIRTY)
    support.write(project / "new_loss.py", DIRTY)
    with pytest.raises(DirtyTree) as caught:
        gitexp.start_run()
    assert sorted(caught.value.paths) == [(" M", "train.py"), ("??", "new_loss.py")]
    assert not (project / ".git/gitexp/live").exists()


def test_data_that_the_last_run_wrote_is_no_dirt(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEXP_DIRTY", "refuse")
    with gitexp.start_run():
        support.write(project / "results.json", "{}")
    with gitexp.start_run() as second:
        pass
    assert support.record(project, second.ref)["code"]["dirty"] is False
    support.write(project / "by_hand.py", DIRTY)
    with pytest.raises(DirtyTree):
        gitexp.start_run()


def test_a_sweep_over_one_dirty_tree_is_one_snapshot(project: Path) -> None:
    support.write(project / "train.py", DIRTY)
    snapshots = set()
    for number in range(5):
        with gitexp.start_run(name=f"trial{number}") as run:
            pass
        snapshots.add(support.git(project, "rev-parse", f"{run.ref}^"))
    assert len(snapshots) == 1


def ranks(project: Path, code: str, count: int, **env: str) -> list[str]:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(support.ROOT), "RANK": str(rank), "WORLD_SIZE": str(count), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * count, outputs
    return [out.strip() for out, _ in outputs]


def test_only_rank_0_logs_by_default(project: Path, untouched: None) -> None:
    code = "import gitexp\nwith gitexp.start_run('ddp') as run: run.log({'loss': 0.5})\nprint(run.id)"
    told = ranks(project, code, 3)
    assert [bool(item) for item in told] == [True, False, False]
    assert len(support.run_refs(project)) == 1


def test_all_ranks_log_into_one_run_when_asked(project: Path, untouched: None) -> None:
    code = (
        "import gitexp\nwith gitexp.start_run('ddp', log_all_ranks=True) as run: run.log({'loss': 0.5})\nprint(run.id)"
    )
    told = ranks(project, code, 3, MASTER_ADDR="127.0.0.1", MASTER_PORT="29500", TORCHELASTIC_RUN_ID="job7")
    assert len(set(told)) == 1
    support.gitexp("log")
    assert len(support.run_refs(project)) == 1
    found = gitexp.get_run(told[0])
    assert sorted(found.summary) == ["loss", "rank1/loss", "rank2/loss"]


def test_processes_that_share_an_id_log_into_one_run(project: Path, untouched: None) -> None:
    code = """
import gitexp, subprocess, sys
with gitexp.start_run("shared", name="both") as run:
    run.log({"parent": 1.0})
    if len(sys.argv) == 1:
        subprocess.run([sys.executable, "-c", sys.orig_argv[2], "child"], check=True)
"""
    support.python(project, code, env={"GITEXP_RUN_ID": "job-17"})
    (ref,) = support.run_refs(project)
    assert gitexp.get_run(ref).summary["parent"].count == 2


def test_a_fork_begins_with_the_params_of_its_origin(project: Path) -> None:
    with gitexp.start_run("churn", name="origin", params={"lr": 0.1, "depth": 3}) as origin:
        pass
    with gitexp.get_run("origin").fork(name="forked", params={"lr": 0.2}) as fork:
        fork.log({"loss": 1.0})
    record = support.record(project, fork.ref)
    assert (record["forked_from"], record["experiment"]["name"]) == (origin.id, "churn")
    assert gitexp.get_run("forked").params == {"lr": 0.2, "depth": 3}


def test_a_read_only_repository_is_said_read_and_spooled(project: Path, tmp_path: Path) -> None:
    with gitexp.start_run("churn", name="before"):
        pass
    mounted, folder = tmp_path / "mounted", tmp_path / "spool"
    mounted.mkdir()
    folder.mkdir()
    if subprocess.run(["mount", "--bind", str(project), str(mounted)], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here: not root")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(mounted)], check=True)
        refused = support.python(mounted, RECORD, check=False)
        assert "WriteFailed" in refused.stderr and "GITEXP_SPOOL=DIR" in refused.stderr
        for command in (["log"], ["show", "before"], ["status"], ["config"]):
            support.process(mounted, *command)
        support.python(mounted, RECORD, env={"GITEXP_SPOOL": str(folder)})
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=True)
    done = spool.bring_in(workspace.open(project), folder)
    assert [run.name for run in done.runs] == ["x"] and not done.without_code
