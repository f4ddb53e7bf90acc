"""gitexp watch: the metrics of a live run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gitexp.ops.recording import lifecycle
from tests import stored, support

A = "kqzvmxrkqzvmxrkq"


def test_one_look_shows_latest_best_and_a_curve(project: Path) -> None:
    with stored.live(loss=[1.0, 0.25, 0.5], epoch=[0, 1, 2], bad=[float("nan")]):
        assert (
            support.gitexp("watch", "--once").stdout
            == """\
metric    last    best  step  curve
loss    0.5000  0.2500     2  █▁▃
epoch        2       -     2  ▁▅█
bad        nan       -     0
best: lower loss (guessed from the name)
"""
        )


def test_a_run_that_has_ended_shows_its_curves(project: Path) -> None:
    stored.make(None, "lr0.05", A, logged={"loss": [3.0, 2.0, 1.0]})
    assert support.gitexp("watch", "@").lines[1] == "loss     1.0   1.0     2  █▅▁"
    stored.make(None, "empty", "mzrokvumzrokvumz")
    assert support.gitexp("watch", "empty").stdout == "no metrics yet\n"


def test_nothing_to_watch_is_said(project: Path) -> None:
    assert support.gitexp("watch", expect=4).stderr == (
        "gitexp: nothing is running here\nshow the newest run with: gitexp show\n"
    )


def test_a_pipe_gets_a_line_for_what_is_new_until_the_run_ends(project: Path) -> None:
    with stored.live(loss=[1.0, 0.5]) as session:
        command = [sys.executable, "-m", "gitexp", "watch", "--interval", "0.1"]
        with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline().rstrip().endswith("  step 1  loss 0.5000")
            stored.log(session, loss=[0.25, 0.125, 0.0625])
            assert child.stdout.readline().rstrip().endswith("  step 2  loss 0.06250")
            lifecycle.finish(session, "completed")
            assert child.stdout.read().startswith(f"churn/live ({session.id[:7]}) completed in ")
            assert child.wait(30) == 0


def test_a_run_whose_process_was_lost_ends_the_watch(project: Path) -> None:
    with stored.running(project) as (child, run_id):
        child.kill()
        child.wait(30)
        # Every command closes it first: what is watched then is a run that has ended.
        assert support.gitexp("watch", expect=4).stderr.startswith("gitexp: closed live (")
    assert support.gitexp("show", run_id, "--json").json["status"] == "killed"
