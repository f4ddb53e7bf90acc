"""Many refs changed at once, by the git command and without it: one contract."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gitexp.errors import Conflict, GitexpError
from gitexp.git import discover, refs, transaction
from gitexp.git.refs import Update
from gitexp.git.repo import Repo
from tests import support

RUNS = "refs/experiments/"
Change = Callable[[Repo, Sequence[Update]], None]


def without_git(repo: Repo, updates: Sequence[Update]) -> None:
    transaction.run(repo, {item.ref: (item.old, item.new) for item in updates})


@pytest.fixture(params=[refs.update_many, without_git], ids=["git", "plain"])
def change(request: pytest.FixtureRequest) -> Change:
    made: Change = request.param
    return made


@pytest.fixture
def oids(project: Path) -> tuple[str, str]:
    return support.git(project, "rev-parse", "HEAD"), support.commit(project, "second")


def listed(project: Path) -> dict[str, str]:
    return support.run_refs(project)


class TestBoth:
    """What holds with the git command and without it."""

    def test_all_is_changed(self, change: Change, project: Path, oids: tuple[str, str]) -> None:
        repo, (first, second) = discover.find(project), oids
        change(repo, [Update(f"{RUNS}a/{name}", first, None) for name in "xyz"])
        support.git(project, "pack-refs", "--all")
        change(repo, [Update(f"{RUNS}a/x", second, first), Update(f"{RUNS}b/new", first, None)])
        change(repo, [Update(f"{RUNS}a/y", None, first)])
        assert listed(project) == {f"{RUNS}a/x": second, f"{RUNS}a/z": first, f"{RUNS}b/new": first}
        assert refs.listing(repo, RUNS) == listed(project)

    @pytest.mark.parametrize("wrong", [Update(RUNS + "a/x", None, "1" * 40), Update(RUNS + "a/x/below", "", None)])
    def test_nothing_is_changed_where_one_may_not_be(
        self, change: Change, wrong: Update, project: Path, oids: tuple[str, str]
    ) -> None:
        repo, (first, second) = discover.find(project), oids
        change(repo, [Update(RUNS + "a/x", first, None)])
        before = listed(project)
        wrong = Update(wrong.ref, second if wrong.new == "" else wrong.new, wrong.old)
        with pytest.raises(GitexpError):
            change(repo, [Update(RUNS + "b/y", second, None), wrong])
        with pytest.raises(Conflict):
            change(repo, [Update(RUNS + "a/x", second, None), Update(RUNS + "b/z", second, None)])
        assert listed(project) == before
        assert not list((project / ".git").rglob("*.lock"))

    def test_a_ref_that_somebody_else_is_changing_is_left_alone(
        self, change: Change, project: Path, oids: tuple[str, str]
    ) -> None:
        repo, (first, _) = discover.find(project), oids
        lock = support.write(project / ".git" / RUNS / "a/x.lock", "")
        with pytest.raises(Conflict):
            change(repo, [Update(RUNS + "a/x", first, None), Update(RUNS + "a/y", first, None)])
        assert listed(project) == {}
        lock.unlink()

    def test_names_that_git_would_not_take_are_refused(
        self, change: Change, project: Path, oids: tuple[str, str]
    ) -> None:
        for name in ("refs/experiments/a b", "refs/experiments/../x", "refs/experiments/a.lock"):
            with pytest.raises(GitexpError):
                change(discover.find(project), [Update(name, oids[0], None)])
        assert listed(project) == {}


def test_what_tags_lead_to_is_kept_and_git_reads_all_of_it(project: Path, oids: tuple[str, str]) -> None:
    repo, (first, _) = discover.find(project), oids
    support.git(project, "tag", "-a", "v1", "-m", "one", first)
    support.git(project, "update-ref", "refs/other/tag", support.git(project, "rev-parse", "v1"))
    transaction.pack(repo)
    assert not (project / ".git/refs/tags/v1").exists()
    assert support.git(project, "rev-parse", "v1^{}", "refs/other/tag^{}") == f"{first}\n{first}"
    packed = project / ".git/packed-refs"
    lines = [line for line in packed.read_text().splitlines(keepends=True) if line[0] not in "#^"]
    packed.write_text("".join(lines))
    transaction.run(repo, {RUNS + "a/x": (None, first)})
    assert support.git(project, "rev-parse", "v1^{}", "refs/other/tag^{}") == f"{first}\n{first}"
    assert support.git(project, "for-each-ref", "--format=%(*objectname)", "refs/tags") == first
    support.git(project, "fsck", "--strict")


def test_two_thousand_refs_need_no_more_files_open_than_one(project: Path, oids: tuple[str, str]) -> None:
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "from gitexp.git import discover, transaction\n"
        "made = {f'refs/experiments/a/r{n}': (None, sys.argv[1]) for n in range(2000)}\n"
        "transaction.run(discover.find('.'), made)\n"
    )
    support.python(project, code, oids[0])
    assert len(listed(project)) == 2000
    folder = project / ".git/refs/experiments"
    assert not folder.exists() or not list(folder.iterdir())


def test_processes_that_write_at_once_lose_nothing(project: Path, oids: tuple[str, str]) -> None:
    code = (
        "import sys, time\n"
        "from gitexp.errors import Conflict\n"
        "from gitexp.git import discover, transaction\n"
        "for n in range(20):\n"
        "    for _ in range(200):\n"
        "        try:\n"
        "            ref = f'refs/experiments/{sys.argv[2]}/r{n}'\n"
        "            transaction.run(discover.find('.'), {ref: (None, sys.argv[1])})\n"
        "            break\n"
        "        except Conflict:\n"
        "            time.sleep(0.005)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(support.ROOT)}
    words = [sys.executable, "-c", code, oids[0]]
    started = [subprocess.Popen([*words, name], cwd=project, env=env) for name in ("a", "b", "c")]
    assert [process.wait(timeout=support.TIMEOUT_SECONDS) for process in started] == [0, 0, 0]
    assert len(listed(project)) == 60
