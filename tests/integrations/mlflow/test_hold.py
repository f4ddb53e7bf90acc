"""Runs that several processes hold: begun, logged, killed, ended and reopened by whoever comes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest

from gitexp.integrations.mlflow import hold
from gitexp.store import live, runs
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Run
from tests import support


def script(code: str, *, env: dict[str, str] | None = None, cwd: Path | None = None, check: bool = True) -> str:
    """Run code in a process of its own, which tracks where this one does."""
    done = subprocess.run(
        [sys.executable, "-c", "import mlflow, os\nclient = mlflow.MlflowClient()\n" + code],
        env={**os.environ, "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(), **(env or {})},
        cwd=cwd, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


def stored(run_id: str) -> Run | None:
    return runs.by_id(workspaces.open(), run_id)


def commits(run_id: str) -> int:
    """Return how many commits a run has."""
    found, count = stored(run_id), 0
    while found is not None:
        count += 1
        before = next((item.commit for item in found.record.parents if item.role == "previous"), None)
        found = runs.load(found.workspace, before) if before else None
    return count


def until(what: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert what()


@pytest.fixture
def ended(client: Any) -> str:
    with mlflow.start_run(run_name="a run") as run:
        mlflow.log_param("lr", 0.1)
        mlflow.log_metric("loss", 0.5)
    return str(run.info.run_id)


def test_a_run_is_one_commit_with_code_and_environment_and_seen_at_once(project: Path, client: Any) -> None:
    with mlflow.start_run(run_name="seen", description="what it is for") as run:
        mlflow.log_metrics({"loss": 0.5, "auc": 0.9}, step=3)
        assert "seen" in support.gitexp("log").stdout
        assert commits(run.info.run_id) == 0
    assert commits(run.info.run_id) == 1
    found = stored(run.info.run_id)
    assert found is not None
    head = support.git(project, "rev-parse", "HEAD").strip()
    assert (found.record.code["commit"], found.record.status, found.record.description) == (
        head, "completed", "what it is for",
    )  # fmt: skip
    assert found.environment["packages"]["mlflow"]["version"] == mlflow.__version__
    assert found.summary["loss"].last_step == 3


def test_tags_after_the_end_are_facts_and_a_late_point_is_one_more_commit(client: Any, ended: str) -> None:
    client.set_tag(ended, "verdict", "good")
    client.set_tag(ended, "verdict", "good")
    client.update_run(ended, name="a better name")
    assert commits(ended) == 1
    for step in range(3):
        client.log_metric(ended, "late", 0.1 * step, step=step)
    assert client.get_run(ended).data.metrics["late"] == pytest.approx(0.2)
    assert len(client.get_metric_history(ended, "late")) == 3
    assert commits(ended) == 1
    listed = support.gitexp("log", "--columns", "all").stdout  # the next command
    assert commits(ended) == 2
    assert "a better name" in listed
    assert client.get_run(ended).data.tags["verdict"] == "good"
    assert client.search_runs(["0"], "metrics.late > 0.1")[0].info.run_id == ended
    assert live.folders(workspaces.open()) == []


def test_what_comes_late_is_committed_after_an_idle_minute(
    client: Any, ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold, "IDLE_SECONDS", 0.2)
    monkeypatch.setattr(hold, "_LOOK_SECONDS", 0.05)
    client.log_metric(ended, "late", 0.5)
    until(lambda: commits(ended) == 2)
    client.log_metric(ended, "later", 0.5)
    until(lambda: commits(ended) == 3)
    assert client.get_run(ended).data.metrics == {"loss": 0.5, "late": 0.5, "later": 0.5}


def test_what_comes_late_is_committed_when_the_process_ends(client: Any, ended: str) -> None:
    script(f"client.log_metric({ended!r}, 'late', 0.5); client.log_param({ended!r}, 'p', 1)")
    assert commits(ended) == 2


def test_one_process_creates_another_logs_a_third_ends(client: Any) -> None:
    run_id = script("print(client.create_run('0', run_name='relay').info.run_id)")
    assert client.get_run(run_id).info.status == "RUNNING"
    script(f"client.log_metric({run_id!r}, 'loss', 0.5); client.log_param({run_id!r}, 'lr', 1)")
    support.gitexp("log")
    assert client.get_run(run_id).info.status == "RUNNING"
    script(f"client.set_terminated({run_id!r})")
    assert commits(run_id) == 1
    found = client.get_run(run_id)
    assert (found.info.status, found.data.metrics, found.data.params) == ("FINISHED", {"loss": 0.5}, {"lr": "1"})


def test_a_script_that_is_killed_leaves_a_killed_run_with_all_it_had(client: Any) -> None:
    code = (
        "run = mlflow.start_run()\n"
        "for step in range(50): mlflow.log_metric('loss', 1 / (step + 1), step=step)\n"
        "print(run.info.run_id, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    run_id = script(code, check=False)
    assert run_id in support.gitexp("log", "--json").stdout
    assert client.get_run(run_id).info.status == "KILLED"
    assert len(client.get_metric_history(run_id, "loss")) == 50


def test_an_exception_that_fails_a_run_is_recorded_with_its_reason(client: Any) -> None:
    with pytest.raises(MemoryError), mlflow.start_run() as run:
        raise MemoryError("no room for 80 GB")
    found = stored(run.info.run_id)
    assert found is not None and found.record.error is not None
    assert (found.record.error["type"], found.record.error["message"]) == ("MemoryError", "no room for 80 GB")
    assert "oom" in found.record.tags
    assert client.get_run(run.info.run_id).info.status == "FAILED"


def test_a_script_that_forgets_to_end_its_run_is_ended_by_mlflow(client: Any) -> None:
    run_id = script("print(mlflow.start_run().info.run_id); mlflow.log_metric('a', 1)")
    assert client.get_run(run_id).info.status == "FINISHED"
    assert commits(run_id) == 1


def test_a_server_that_is_killed_kills_no_run(client: Any) -> None:
    code = "print(client.create_run('0').info.run_id, flush=True); os.kill(os.getpid(), 9)"
    run_id = script(code, env={"_MLFLOW_SERVER_FILE_STORE": mlflow.get_tracking_uri()}, check=False)
    support.gitexp("log")
    assert client.get_run(run_id).info.status == "RUNNING"
    client.log_metric(run_id, "loss", 0.5)
    client.set_terminated(run_id)
    assert client.get_run(run_id).info.status == "FINISHED"


@pytest.mark.parametrize("known", [True, False])
def test_a_server_records_the_code_that_its_client_names(project: Path, client: Any, known: bool) -> None:
    first = support.git(project, "rev-parse", "HEAD") if known else "12" * 20
    support.commit(project, "later", other="x")
    tags = {"mlflow.source.git.commit": first, "mlflow.source.name": "far.py"}
    code = f"print(client.create_run('0', tags={tags!r}).info.run_id, flush=True); os._exit(0)"
    run_id = script(code, env={"_MLFLOW_SERVER_FILE_STORE": mlflow.get_tracking_uri()})
    client.set_terminated(run_id)
    found = stored(run_id)
    assert found is not None
    assert (found.record.code["commit"], found.record.code["complete"]) == (first, False)
    assert found.record.command == ("far.py",)
    assert [parent.commit for parent in found.record.parents] == ([first] if known else [])
    assert "far.py" in support.gitexp("show", run_id).stdout
    support.git(project, "fsck", "--strict")


def test_two_processes_log_into_one_run(client: Any) -> None:
    run_id = client.create_run("0").info.run_id
    code = f"for step in range(200): client.log_metric({run_id!r}, f'm{{os.getpid()}}', step, step=step)"
    two = [threading.Thread(target=script, args=(code,)) for _ in range(2)]
    for thread in two:
        thread.start()
    for step in range(200):
        client.log_metric(run_id, "own", step, step=step)
    for thread in two:
        thread.join()
    client.set_terminated(run_id)
    names = client.get_run(run_id).data.metrics
    assert len(names) == 3
    assert {len(client.get_metric_history(run_id, name)) for name in names} == {200}
    assert commits(run_id) == 1


def test_another_process_ends_the_run_while_this_one_goes_on(client: Any) -> None:
    run = mlflow.start_run()
    mlflow.log_metric("loss", 0.5)
    script(f"client.set_terminated({run.info.run_id!r})")
    assert commits(run.info.run_id) == 1
    mlflow.log_metric("loss", 0.25, step=1)
    mlflow.log_param("late", "yes")
    mlflow.end_run()
    found = client.get_run(run.info.run_id)
    assert (found.data.metrics, found.data.params, found.info.status) == ({"loss": 0.25}, {"late": "yes"}, "FINISHED")
    assert len(client.get_metric_history(run.info.run_id, "loss")) == 2


def test_threads_log_asynchronously(client: Any) -> None:
    with mlflow.start_run() as run:

        def work(number: int) -> None:
            for step in range(100):
                mlflow.log_metric(f"m{number}", step, step=step, synchronous=False, run_id=run.info.run_id)

        four = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in four:
            thread.start()
        for thread in four:
            thread.join()
        mlflow.flush_async_logging()
    assert [len(client.get_metric_history(run.info.run_id, f"m{number}")) for number in range(4)] == [100] * 4
    assert commits(run.info.run_id) == 1


def test_a_forked_child_logs_too(client: Any) -> None:
    with mlflow.start_run() as run:
        mlflow.log_metric("parent", 1)
        child = os.fork()
        if not child:
            try:
                mlflow.MlflowClient().log_metric(run.info.run_id, "child", 2)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        mlflow.log_metric("parent", 3, step=1)
    assert client.get_run(run.info.run_id).data.metrics == {"parent": 3.0, "child": 2.0}
    assert client.get_run(run.info.run_id).info.status == "FINISHED"


def test_a_resumed_run_is_one_run_of_two_commits(client: Any, ended: str) -> None:
    with mlflow.start_run(run_id=ended):
        assert client.get_run(ended).info.status == "RUNNING"
        assert client.search_runs(["0"], "params.lr = '0.1' and status = 'RUNNING'")[0].info.run_id == ended
        mlflow.log_metric("loss", 0.25, step=1)
        with pytest.raises(mlflow.MlflowException, match="Changing param values"):
            mlflow.log_param("lr", 0.2)
        assert len(client.get_metric_history(ended, "loss")) == 2
    assert commits(ended) == 2
    found = client.get_run(ended)
    assert (found.data.metrics, found.data.params) == ({"loss": 0.25}, {"lr": "0.1"})


def test_a_run_of_gitexp_itself_takes_what_mlflow_logs(client: Any) -> None:
    import gitexp

    run = gitexp.start_run(name="own", params={"a": {"b": 1}})
    client.log_metric(run.id, "loss", 0.5)
    client.set_tag(run.id, "from", "mlflow")
    assert client.get_run(run.id).data.params == {"a.b": "1"}
    run.finish()
    hold.leave_all()
    found = client.get_run(run.id)
    assert (found.info.status, found.data.metrics, found.data.tags["from"]) == ("FINISHED", {"loss": 0.5}, "mlflow")
    assert client.search_runs(["0"], "params.`a.b` = '1'")[0].info.run_id == run.id


def test_a_rule_against_uncommitted_code_is_told_as_mlflow_tells(project: Path, client: Any) -> None:
    support.git(project, "config", "gitexp.dirty", "refuse")
    support.write(project / "train.py", "changed")
    with pytest.raises(mlflow.MlflowException, match="uncommitted changes") as caught:
        client.create_run("0")
    assert caught.value.error_code == "PERMISSION_DENIED"
