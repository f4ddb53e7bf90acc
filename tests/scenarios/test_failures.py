"""Why runs failed, from real processes: exceptions, signals, outputs, kills of the kernel, losses while they train."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitexp.capture import oom
from gitexp.store import live
from gitexp.store import workspace as workspaces
from tests import support

pytestmark = pytest.mark.usefixtures("project")


def train(project: Path, body: str, name: str = "train.py") -> Path:
    support.write(project / name, body)
    support.commit(project, "a script")
    return project / name


def training(project: Path) -> subprocess.Popen[str]:
    """Start what `train` wrote; it may wait for a line of its stdin."""
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "train.py"], cwd=project, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def tags(project: Path) -> dict[str, str]:
    found = support.gitexp("log", "--all", "-n", "1", "--json").json
    run = found["runs"][0] if isinstance(found, dict) else found[0]
    return dict(run["tags"])


SDK = """\
import sys, gitexp
with gitexp.start_run("churn") as run:
    run.log({"loss": 0.5})
    %s
"""


@pytest.mark.parametrize(
    ("line", "tag", "status"),
    [
        ("raise MemoryError('host')", "oom", "failed oom"),
        ("import pandas as pd; pd.DataFrame({'a': [1]})['b']", "data-schema", "failed data-schema"),
        ("open('none.csv')", "missing-file", "failed missing-file"),
        ("raise KeyboardInterrupt", "interrupted", "killed"),
        ("sys.exit('Loss is nan, stopping training')", "nan", "failed nan"),
        ("run.log({'loss': float('nan')})", "nan", "completed nan"),
        ("raise ValueError('lr')", None, "failed ValueError"),
    ],
)
def test_a_script_that_ends_so_gets_this_tag(project: Path, line: str, tag: str | None, status: str) -> None:
    train(project, SDK % line)
    with support.untouched(project):
        done = subprocess.run([sys.executable, "train.py"], cwd=project, capture_output=True, text=True)
        assert tags(project) == ({tag: ""} if tag else {})
        assert f"  {status}  " in support.gitexp("log", "--all").stdout
    assert (f"Tagged {tag}: " in done.stderr) == (tag is not None)
    wrapped = support.process(project, "run", "--", sys.executable, "train.py", expect=None)
    assert tags(project) == ({tag: ""} if tag else {}), wrapped.stderr


@pytest.mark.parametrize(
    ("command", "tag"),
    [
        ("timeout 0.1 sleep 9", "timeout"),
        ("kill -SEGV $$", "crash"),
        ("echo 'RuntimeError: CUDA out of memory' >&2; exit 1", "oom"),
        ("echo no space left on device >&2; exit 1", "disk"),
        ("kill -TERM $$", "interrupted"),
        ("kill -KILL $$", None),
        ("echo out of memory; exit 0", None),
        ("exit 3", None),
    ],
)
def test_a_command_that_knows_nothing_of_gitexp_gets_this_tag(project: Path, command: str, tag: str | None) -> None:
    support.process(project, "run", "--", "sh", "-c", command, expect=None)
    assert tags(project) == ({tag: ""} if tag else {})


def test_a_command_whose_output_is_not_kept_is_judged_by_its_code(project: Path) -> None:
    env = {"GITEXP_PRIVACY": "output"}
    support.process(project, "run", "--", "sh", "-c", "echo no space left on device >&2; exit 1", env=env, expect=1)
    assert tags(project) == {}
    support.process(project, "run", "--", "sh", "-c", "kill -SEGV $$", env=env, expect=139)
    assert tags(project) == {"crash": ""}


def test_a_kill_that_the_kernel_counted_is_one_for_want_of_memory(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = support.write(tmp_path / "root/proc/vmstat", "oom_kill 7\n")
    monkeypatch.setattr(oom, "ROOT", tmp_path / "root")
    support.gitexp("run", "--", "sh", "-c", f"sleep 0.3; echo oom_kill 8 > {counter}; kill -KILL $$", expect=137)
    assert tags(project) == {"oom": ""}
    assert "  killed oom  " in support.gitexp("log", "--all").stdout
    shown = support.gitexp("show", "@").stdout
    assert "oom: exit 137 (SIGKILL); the kernel killed 1 process for want of memory" in shown


def test_a_loss_that_is_no_number_is_told_while_the_run_goes_on(project: Path) -> None:
    body = "run.log({'loss': float('nan')})\n    print('logged', flush=True)\n    input()\n    run.log({'loss': 0.4})"
    train(project, SDK % body)
    with training(project) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "logged\n"
        workspace = workspaces.open(project)
        deadline = time.monotonic() + 30
        while not (found := [run.record.tags for run in live.listing(workspace)])[0] and time.monotonic() < deadline:
            time.sleep(0.05)
        assert found == [{"nan": ""}]
        assert "  running nan  " in support.gitexp("log", "--all").stdout
        _, said = child.communicate("\n", timeout=60)
    assert said.count("warning") == 1
    assert "gitexp: warning: loss is NaN at step 1; the run is tagged nan; training goes on\n" in said
    assert child.returncode == 0
    assert tags(project) == {"nan": ""}


def test_a_run_that_is_killed_keeps_the_reason_that_was_seen(project: Path) -> None:
    train(project, SDK % "run.log({'loss': float('inf')})\n    print('logged', flush=True)\n    input()")
    with training(project) as child:
        assert child.stderr is not None
        assert "loss is infinite at step 1" in child.stderr.readline()
        os.kill(child.pid, signal.SIGKILL)
    assert "  killed nan  " in support.gitexp("log", "--all").stdout


def test_sigterm_is_an_interruption_with_the_signals_name(project: Path) -> None:
    train(project, SDK % "print('logged', flush=True)\n    input()")
    with training(project) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.terminate()
        _, said = child.communicate(timeout=60)
    assert "Tagged interrupted: SIGTERM." in said
    assert tags(project) == {"interrupted": ""}


def test_a_run_that_goes_on_and_completes_has_the_tag_no_more(project: Path) -> None:
    train(project, SDK % "raise MemoryError")
    subprocess.run([sys.executable, "train.py"], cwd=project, capture_output=True)
    assert tags(project) == {"oom": ""}
    support.gitexp("tag", "@", "reviewed")
    support.process(project, "run", "--resume", "@", "--", "true")
    assert tags(project) == {"reviewed": ""}
    assert "reasons" not in support.record(project, next(iter(support.run_refs(project))))


def test_a_tag_that_was_wrong_can_be_taken_away_and_runs_are_found_by_it(project: Path) -> None:
    support.process(project, "run", "--", "sh", "-c", "kill -SEGV $$", expect=139)
    assert support.gitexp("log", "--all", "--where", "tags.crash is not null", "--format", "{status}").lines == [
        "failed"
    ]
    support.gitexp("tag", "-d", "@", "crash")
    assert "  failed exit 139  " in support.gitexp("log", "--all").stdout
    assert support.gitexp("log", "--all", "--where", "tag = 'crash'", "--format", "{status}").lines == []
