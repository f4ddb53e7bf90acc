"""A machine that has no git command: runs, facts and files are recorded, pushed and fetched by what Python brings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import lfsserver, nogit, servers, sharing, support
from tests.lfsserver import Server
from tests.support import Result

TRAIN = """\
import sys, gitexp
from pathlib import Path
with gitexp.start_run("churn", name=sys.argv[1]) as run:
    run.log_params({"lr": 0.1})
    for step in range(20):
        run.log_metric("loss", 1 / (step + 1), step=step)
    Path("model.bin").write_bytes(sys.argv[1].encode() * 600_000)
    run.log_artifact("model.bin")
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A clone on a machine whose PATH has no git; what is checked afterwards is checked by Git itself."""

    path: Path
    bin: str

    def gitexp(self, *args: str, expect: int | None = 0, **env: str) -> Result:
        return support.process(self.path, *args, env={"PATH": self.bin, **env}, expect=expect)

    def train(self, name: str) -> None:
        support.python(self.path, TRAIN, name, env={"PATH": self.bin})

    def runs(self) -> dict[str, str]:
        return support.run_refs(self.path)

    def git(self, *args: str) -> str:
        return support.git(self.path, *args)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Server]:
    with lfsserver.running(tmp_path / "store") as started:
        yield started


@pytest.fixture
def address(bare: Path) -> Iterator[str]:
    support.git(bare, "config", "http.receivepack", "true")
    with servers.http_process(bare.parent) as base:
        yield f"{base}/{bare.name}"


def machine(path: Path, address: str, store: Server, tmp_path: Path) -> Machine:
    support.git(path, "remote", "set-url", "origin", address)
    support.git(path, "config", "lfs.url", store.url)
    support.git(path, "config", "gitexp.inlineLimit", "100kB")
    return Machine(path, nogit.path(tmp_path / "bin"))


@pytest.fixture
def ours(project: Path, address: str, store: Server, tmp_path: Path) -> Iterator[Machine]:
    support.write(project / ".gitignore", "model.bin\nasked\n")
    support.commit(project, "ignore what is made")
    support.git(project, "push", "--quiet", "origin", "main")
    found = machine(project, address, store, tmp_path)
    yield found
    found.git("fsck", "--strict")


@pytest.fixture
def theirs(ours: Machine, address: str, store: Server, tmp_path: Path) -> Iterator[Machine]:
    support.git(tmp_path, "clone", "--quiet", address, "theirs")
    support.git(tmp_path / "theirs", "config", "user.email", "bo@acme.io")
    found = machine(tmp_path / "theirs", address, store, tmp_path)
    yield found
    found.git("fsck", "--strict")


def test_runs_facts_and_files_go_there_and_come_back_over_http(ours: Machine, theirs: Machine) -> None:
    before = support.state(ours.path)
    ours.train("first")
    ours.gitexp("run", "--name", "wrapped", "--", "python", "train.py", "0.1")
    ours.gitexp("tag", "@", "candidate")
    ours.gitexp("note", "@", "as good as it gets")
    ours.gitexp("model", "register", "first:model.bin", "churn")
    (ours.path / "model.bin").unlink()
    pushed = ours.gitexp("push", "--yes")
    assert pushed.stdout == "origin: 2 runs sent with 1 large file (3.0 MB), facts sent, 1 model sent (churn)\n"
    assert ours.gitexp("push", "--yes").stdout == "origin: everything is there already\n"
    assert support.state(ours.path) == before
    fetched = theirs.gitexp("fetch").stdout
    assert fetched.startswith("origin: 2 new runs (churn 1, default 1), 2 new facts")
    assert theirs.runs() == ours.runs()
    assert theirs.gitexp("model", "ls", "--json").json == ours.gitexp("model", "ls", "--json").json
    shown = theirs.gitexp("show", "wrapped").stdout
    assert "candidate" in shown
    assert "as good as it gets" in shown
    assert theirs.gitexp("log", "--all", "--json").json[0]["name"] == "wrapped"
    theirs.gitexp("get", "first:model.bin")
    assert (theirs.path / "model.bin").read_bytes() == b"first" * 600_000
    assert theirs.gitexp("artifact", "verify", "first").stdout == "1 file right (3.0 MB)\n"
    assert theirs.gitexp("fsck").code == 0


def test_files_are_brought_along_where_that_is_asked_for(ours: Machine, theirs: Machine) -> None:
    ours.train("first")
    ours.gitexp("push", "--yes")
    theirs.gitexp("fetch", "--artifacts")
    theirs.git("config", "lfs.url", "http://127.0.0.1:9/nobody")
    theirs.gitexp("get", "first:model.bin")
    assert (theirs.path / "model.bin").stat().st_size == 3_000_000


@pytest.mark.slow
def test_two_that_say_something_at_once_both_get_through(ours: Machine, theirs: Machine) -> None:
    ours.train("first")
    ours.gitexp("push", "--yes")
    theirs.gitexp("fetch")
    theirs.gitexp("tag", "first", "theirs")
    theirs.gitexp("push", "--yes")
    ours.gitexp("tag", "first", "ours")
    assert "facts sent" in ours.gitexp("push", "--yes").stdout
    theirs.gitexp("fetch")
    for side in (ours, theirs):
        (row,) = side.gitexp("log", "--all", "--json").json
        assert sorted(row["tags"]) == ["ours", "theirs"]


@pytest.mark.slow
def test_a_run_that_went_on_in_two_clones_stays_two(ours: Machine, theirs: Machine) -> None:
    ours.train("first")
    ours.gitexp("push", "--yes")
    theirs.gitexp("fetch")
    on = "import gitexp\nwith gitexp.start_run(resume='first') as run:\n    run.log_metric('loss', 0.01, step=99)\n"
    for side in (theirs, ours):
        support.python(side.path, on, env={"PATH": side.bin})
    theirs.gitexp("push", "--yes", "first")
    said = ours.gitexp("push", "--yes").stdout
    assert "went on in two clones" in said
    theirs.gitexp("fetch")
    assert len(ours.runs()) == len(theirs.runs()) == 2
    assert set(ours.runs()) == set(theirs.runs())


def test_a_dirty_tree_is_kept_as_git_would_keep_it(ours: Machine) -> None:
    support.write(ours.path / "train.py", "print('edited')\n")
    support.write(ours.path / "new/feature.py", "x = 1\n")
    support.write(ours.path / "tool.sh", "#!/bin/sh\n").chmod(0o755)
    (ours.path / "README.md").unlink()
    ours.gitexp("run", "--name", "without", "--", "python", "train.py")
    support.process(ours.path, "run", "--name", "with", "--", "python", "train.py")
    codes = {
        name: support.record(ours.path, ref)["code"]
        for ref in ours.runs()
        for name in ("without", "with")
        if name in ref
    }
    trees = [ours.git("rev-parse", f"{code['snapshot']}^{{tree}}") for code in codes.values()]
    assert len(trees) == 2
    assert trees[0] == trees[1]
    assert support.record(ours.path, next(ref for ref in ours.runs() if "without" in ref))["code"]["dirty"] is True


def test_credentials_come_from_netrc_and_are_never_shown(ours: Machine, bare: Path, seal: Path) -> None:
    ours.train("first")
    with servers.http_process(bare.parent, "s3cret") as base:
        ours.git("remote", "set-url", "origin", f"{base}/{bare.name}")
        refused = ours.gitexp("push", "--yes", expect=10)
        assert "wants credentials (401)" in refused.stderr
        assert "netrc" in refused.stderr
        support.write(seal / ".netrc", "machine 127.0.0.1 login ana password wrong\n").chmod(0o600)
        refused = ours.gitexp("push", "--yes", expect=10)
        assert "does not take the credentials" in refused.stderr
        support.write(seal / ".netrc", "machine 127.0.0.1 login ana password s3cret\n").chmod(0o600)
        assert ours.gitexp("push", "--yes").stdout == "origin: 1 run sent with 1 large file (3.0 MB)\n"
    kept = [path.read_bytes() for path in (ours.path / ".git/gitexp").rglob("*") if path.is_file()]
    assert not any(b"s3cret" in data for data in kept)
    assert "s3cret" not in refused.stderr


@pytest.mark.slow
def test_a_running_run_is_shown_to_others(ours: Machine, theirs: Machine, bare: Path) -> None:
    ours.git("config", "gitexp.push.origin", "approved")
    ours.git("config", "gitexp.publishEvery", "1s")
    code = "import pathlib, time\nwhile not pathlib.Path('asked').exists():\n    time.sleep(0.05)\n"
    support.write(ours.path / "wait.py", code)
    running = sharing.start_gitexp(ours.path, "run", "--publish", "python", "wait.py", env={"PATH": ours.bin})
    try:
        sharing.wait_for(lambda: bool(support.git(bare, "for-each-ref", "refs/experiments-live/")), 60)
        assert "1 running there" in theirs.gitexp("fetch").stdout
    finally:
        support.write(ours.path / "asked", "")
        running.communicate(timeout=support.TIMEOUT_SECONDS)
    assert "1 run sent" in ours.gitexp("push", "--yes").stdout
    sharing.wait_for(lambda: not support.git(bare, "for-each-ref", "refs/experiments-live/"), 60)


def test_a_file_of_runs_is_written_and_taken_in(ours: Machine, theirs: Machine, tmp_path: Path) -> None:
    ours.train("first")
    ours.gitexp("tag", "@", "candidate")
    ours.gitexp("bundle", str(tmp_path / "runs.zip"))
    assert theirs.gitexp("unbundle", str(tmp_path / "runs.zip")).stdout.startswith("1 new run")
    assert theirs.runs() == ours.runs()
    support.process(theirs.path, "unbundle", str(tmp_path / "runs.zip"))  # Git reads what was written without it


@pytest.mark.slow
def test_a_host_that_takes_branches_only_holds_the_runs_in_one(ours: Machine, theirs: Machine, bare: Path) -> None:
    for side in (ours, theirs):
        side.git("config", "gitexp.runsBranch", "gitexp/runs")
    ours.train("first")
    ours.gitexp("push", "--yes")
    theirs.gitexp("fetch")
    theirs.train("second")
    theirs.gitexp("push", "--yes")
    ours.train("third")
    ours.gitexp("push", "--yes")
    theirs.gitexp("fetch")
    assert theirs.runs().items() >= ours.runs().items()
    assert len(theirs.runs()) == 3
    assert support.git(bare, "for-each-ref", "--format=%(refname)", "refs/experiments/") == ""


@pytest.mark.parametrize(
    ("args", "needs"),
    [
        (("branch", "@", "try"), "git check-ref-format"),
        (("log", "main..HEAD"), "git rev-parse"),
    ],
)
def test_what_only_git_can_do_says_so_and_what_to_install(ours: Machine, args: tuple[str, ...], needs: str) -> None:
    ours.train("first")
    said = ours.gitexp(*args, expect=6).stderr
    assert f"this needs `{needs}`, and there is no git command on the PATH" in said
    assert "apt-get install git" in said


COMMANDS = (
    "status", "log", "show @", "show @ --json", "diff", "diff --code @~1 @", "diff --stat @~1 @", "du", "du --by run",
    "fsck", "recover", "tag @ good", "title @ fine", "note @ words", "rm @~1", "undelete second", "artifact ls @",
    "artifact add @ train.py", "artifact diff @~1 @", "lineage @", "data ls @", "check @ --metric loss --max 1",
    "config", "config gitexp.inlineLimit 1MB", "config --unset gitexp.inlineLimit", "init", "hooks install", "hooks ls",
    "report @ --out page.html", "plot @ --out curve.png", "experiment ls", "model ls",
    "model register @:model.bin churn", "model show churn", "push --dry-run", "push --yes", "fetch", "keys ls",
    "purge second --yes --message gone",
)  # fmt: skip


EACH = """\
import json, sys
from pathlib import Path
from gitexp.cli.main import main
ended = {}
for line in sys.argv[2:]:
    try:
        ended[line] = main(line.split()) or 0
    except SystemExit as exit:
        ended[line] = exit.code
Path(sys.argv[1]).write_text(json.dumps(ended))
"""


@pytest.mark.slow
def test_no_command_ends_in_a_crash(ours: Machine, tmp_path: Path) -> None:
    ours.train("second")
    support.write(ours.path / "train.py", "print('edited')\n")
    ours.train("third")
    support.python(ours.path, EACH, str(tmp_path / "ended.json"), *COMMANDS, env={"PATH": ours.bin})
    ended = json.loads((tmp_path / "ended.json").read_text())
    assert set(ended) == set(COMMANDS)
    assert {line: code for line, code in ended.items() if code in (1, 70)} == {}
    assert {line for line, code in ended.items() if code == 6} == set()
    assert not (ours.path / ".git/gitexp/crash.log").exists()
