"""What the SDK takes, refuses, and records."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest

import gitexp
from gitexp.errors import UsageError
from tests import support


def read(run: gitexp.Run, name: str = "run.json") -> Any:
    return support.record(".", run.ref, name)


def test_a_run_is_one_commit_whose_parent_is_the_code(project: Path, untouched: None) -> None:
    with gitexp.start_run("churn", name="first", params={"lr": 0.1}) as run:
        run.log({"loss": 0.5}, step=3)
    head = support.git(project, "rev-parse", "HEAD")
    assert support.run_refs(project) == {run.ref: run.commit}
    assert run.ref == f"refs/experiments/churn/first-{run.id[:7]}"
    assert support.git(project, "rev-parse", f"{run.ref}^") == head
    changed = support.git(project, "diff", "--name-only", f"{run.ref}^", run.ref).splitlines()
    assert changed and all(path.startswith(".gitexp/") for path in changed)
    assert read(run, "params.json") == {"lr": 0.1}
    assert read(run, "summary.json")["loss"]["last"] == 0.5


def test_every_point_comes_back_as_it_was_logged(project: Path) -> None:
    points = [
        ("loss", 0, 1.5, 1.0),
        ("a,b", -3, 1.25, math.nan),
        ('say "x"\nnew line', 10**20, 2.0, math.inf),
        ("loss", 0, 1.5, -math.inf),
        ("größe µ 損失", 5, 0.001, 7),
        ("late", 9, 12.0, 10**30),
        ("flag", 1, 3.0, True),
        ("tiny", 2, 3.0, 5e-324),
    ]
    with gitexp.start_run() as run:
        for name, step, time, value in points:
            run.log_metric(name, value, step=step, time=time)
    back = [(p.metric, p.step, p.time_ms / 1000, p.value) for p in gitexp.get_run(run.id)._run.points()]
    assert repr(back) == repr([(name, step, time, int(v) if v is True else v) for name, step, time, v in points])


def test_steps_count_up_by_themselves(project: Path) -> None:
    with gitexp.start_run() as run:
        run.log({"loss": 3.0, "acc": 0.1})
        run.log({"loss": 2.0})
        run.log({"loss": 1.0, "acc": 0.2})
        run.log({"loss": 0.5}, step=10)
        run.log_metric("loss", 0.25)
        run.log_metric("other", 1.0)
    assert list(gitexp.get_run(run.id).metric("loss").steps) == [0, 1, 2, 10, 11]
    assert list(gitexp.get_run(run.id).metric("acc").steps) == [0, 2]
    assert list(gitexp.get_run(run.id).metric("other").steps) == [0]


def test_a_dict_or_array_that_is_changed_after_the_call_is_recorded_as_it_was(project: Path) -> None:
    import numpy as np

    metrics, array = {"loss": 1.0}, np.array([2.0])
    with gitexp.start_run() as run:
        run.log(metrics)
        run.log({"array": array})
        metrics["loss"], array[0] = 9.0, 9.0
    assert list(gitexp.get_run(run.id).metric("loss").values) == [1.0]
    assert list(gitexp.get_run(run.id).metric("array").values) == [2.0]


def test_bad_values_and_steps_warn_once_and_are_counted(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with gitexp.start_run() as run:
        run.log_metric("loss", "high", step=0)
        run.log_metric("loss", [1.0, 2.0], step=0)
        run.log_metric("loss", None, step=0)
        run.log_metric("loss", 1.0, step=0.5)
        run.log_metric("loss", 1.0, step=2.0)
        run.log_metric("loss", 2.0, step=-1)
        run.log_metric("", 2.0, step=-1)
    assert read(run)["lost"] == {"names": 1, "values": 4}
    assert list(gitexp.get_run(run.id).metric("loss").steps) == [2, -1]
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith("gitexp: warning: 'loss' at step 0: not a number: 'high'")
    assert said[1].endswith("5 values could not be recorded.")


def test_last_is_the_value_of_the_highest_step(project: Path) -> None:
    with gitexp.start_run() as run:
        for step, value in ((5, 0.5), (9, 0.1), (2, 0.9)):
            run.log_metric("loss", value, step=step)
    summary = read(run, "summary.json")["loss"]
    assert summary == {
        "count": 3, "first": 0.5, "first_step": 5, "last": 0.1, "last_step": 9,
        "max": 0.9, "max_step": 2, "mean": 0.5, "min": 0.1, "min_step": 9,
    }  # fmt: skip


def test_what_the_user_sets_in_the_summary_overrides(project: Path) -> None:
    with gitexp.start_run() as run:
        run.log({"loss": 0.5})
        run.summary["loss"] = 0.25
        run.summary["auc"] = 0.9
        assert run.summary["loss"].last == 0.5
    summary = gitexp.get_run(run.id).summary
    assert (summary["loss"].value, summary["loss"].last, summary["auc"].value) == (0.25, 0.5, 0.9)


def test_params_are_converted_and_what_cannot_be_is_its_repr(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import enum
    from dataclasses import dataclass

    import numpy as np

    class Mode(enum.Enum):
        FAST = "fast"

    @dataclass
    class Opt:
        lr: float
        betas: tuple[float, float]

    class Odd:
        def __repr__(self) -> str:
            return "<odd>"

    params = {
        "np": np.float32(0.5), "int": np.int64(3), "array": np.array([1, 2]), "mode": Mode.FAST, "path": Path("a/b"),
        "opt": Opt(0.1, (0.9, 0.99)), "none": None, "flag": True, "nested": {"a.b": {"c": [1, "x"]}}, "odd": Odd(),
        "nan": math.nan, "set": {3, 1, 2},
    }  # fmt: skip
    with gitexp.start_run(params=params) as run:
        pass
    assert read(run, "params.json") == {
        "np": 0.5, "int": 3, "array": [1, 2], "mode": "fast", "path": "a/b", "opt": {"lr": 0.1, "betas": [0.9, 0.99]},
        "none": None, "flag": True, "nested": {"a.b": {"c": [1, "x"]}}, "odd": "<odd>", "nan": "NaN", "set": [1, 2, 3],
    }  # fmt: skip
    assert "as their repr" in capfd.readouterr().err


def test_the_same_param_with_another_value_is_an_error_that_names_both(project: Path) -> None:
    with gitexp.start_run(params={"lr": 0.1, "opt": {"name": "adam"}}) as run:
        run.log_param("lr", 0.1)
        with pytest.raises(UsageError, match=r"param 'lr' is 0\.1 already, not 0\.2"):
            run.log_params({"lr": 0.2})
        with pytest.raises(UsageError, match=r"'opt\.name' is 'adam' already, not 'sgd'"):
            run.log_params({"opt": {"name": "sgd"}})
    assert read(run, "params.json") == {"lr": 0.1, "opt": {"name": "adam"}}


def test_an_exception_makes_the_run_failed_and_goes_on(project: Path) -> None:
    with pytest.raises(ZeroDivisionError), gitexp.start_run() as run:
        run.log({"loss": 1.0})
        print(1 / 0)
    record = read(run)
    assert record["status"] == "failed"
    assert record["error"]["type"] == "ZeroDivisionError"
    assert "print(1 / 0)" in record["error"]["traceback"]


@pytest.mark.parametrize(
    ("code", "status"), [(0, "completed"), (None, "completed"), (3, "failed"), ("no data", "failed")]
)
def test_system_exit_says_how_the_run_ended(project: Path, code: Any, status: str) -> None:
    with pytest.raises(SystemExit), gitexp.start_run() as run:
        raise SystemExit(code)
    assert read(run)["status"] == status


def test_a_keyboard_interrupt_kills_the_run(project: Path) -> None:
    with pytest.raises(KeyboardInterrupt), gitexp.start_run() as run:
        raise KeyboardInterrupt
    assert read(run)["status"] == "killed"


def test_resuming_adds_one_commit_with_the_old_tip_as_parent(project: Path, untouched: None) -> None:
    with gitexp.start_run("churn", name="long", params={"lr": 0.1}, tags={"owner": "ana"}) as run:
        run.log({"loss": 0.5})
    (project / "model.bin").write_bytes(b"weights")
    try:
        with gitexp.start_run(resume=run.id[:7], params={"extra": 1}) as again:
            again.log({"loss": 0.25})
            again.log_artifact("model.bin")
    finally:
        (project / "model.bin").unlink()
    assert (again.id, again.ref) == (run.id, run.ref)
    parents = support.git(project, "log", "-1", "--format=%P", run.ref).split()
    assert parents == [support.git(project, "rev-parse", "HEAD"), run.commit]
    found = gitexp.get_run(run.id)
    assert [p.value for p in found._run.points()] == [0.5, 0.25]
    assert list(found.metric("loss").steps) == [0, 1]
    assert found.params == {"lr": 0.1, "extra": 1} and found.tags == {"owner": "ana"}
    assert found.summary["loss"].count == 2
    assert [item["role"] for item in read(again)["parents"]] == ["code", "previous"]
    assert len(read(again)["sessions"]) == 2


def test_resuming_keeps_what_the_new_session_does_not_write(project: Path) -> None:
    support.write(project / "out/plot.png", b"png")
    with gitexp.start_run() as run:
        run.log_artifact("out")
    with gitexp.start_run(resume=run.id) as again:
        pass
    assert support.git(project, "show", f"{again.ref}:.gitexp/artifacts/out/plot.png") == "png"


def test_nested_runs_name_their_parent(project: Path) -> None:
    with gitexp.start_run("churn", name="sweep") as sweep:
        with gitexp.start_run("churn", name="trial", parent=sweep) as trial:
            assert gitexp.active_run() is trial
            with gitexp.start_run("churn", name="fold", parent=trial.id) as fold:
                gitexp.log({"loss": 1.0})
        assert gitexp.active_run() is sweep
    assert read(fold)["parent"] == trial.id
    assert read(trial)["parent"] == sweep.id
    assert gitexp.get_run(fold.id).summary["loss"].last == 1.0


def test_a_finished_run_says_so(project: Path) -> None:
    run = gitexp.start_run(name="done")
    run.finish()
    run.finish()
    with pytest.raises(UsageError, match="the run 'done' has finished"):
        run.log_params({"lr": 1})
    with pytest.raises(UsageError, match="no run is active"):
        gitexp.log({"loss": 1.0})


def test_artifacts_are_blobs_and_pointers_and_keep_their_mode(project: Path) -> None:
    big = os.urandom(200_000)
    support.write(project / "out/model.bin", big)
    support.write(project / "out/sub/run.sh", "#!/bin/sh\n").chmod(0o755)
    with gitexp.start_run() as run:
        run.log_artifact("out", name="kept", wait=True)
        (project / "out/model.bin").write_bytes(b"overwritten later")
    found = {item.name: item for item in gitexp.get_run(run.id)._run.artifacts}
    assert list(found) == ["kept/model.bin", "kept/sub/run.sh"]
    assert found["kept/model.bin"].size_bytes == 200_000
    assert found["kept/sub/run.sh"].mode == 0o100755
    pointer = support.git(project, "show", f"{run.ref}:.gitexp/artifacts/kept/model.bin")
    assert pointer.startswith("version https://git-lfs.github.com/spec/v1\noid sha256:")
    sha256 = found["kept/model.bin"].sha256 or ""
    assert (project / ".git/gitexp/objects" / sha256[:2] / sha256[2:4] / sha256).read_bytes() == big


@pytest.mark.parametrize("name", ["../up", "/abs", "a//b", "a/../b", ""])
def test_artifact_names_that_would_leave_the_record_are_refused(project: Path, name: str) -> None:
    with gitexp.start_run() as run, pytest.raises(UsageError):
        run.log_artifact("train.py", name=name or "x/")


def test_a_missing_artifact_is_an_error_that_names_it(project: Path) -> None:
    with gitexp.start_run() as run, pytest.raises(UsageError, match=r"no file 'gone\.bin'"):
        run.log_artifact("gone.bin")


@pytest.mark.parametrize("name", ["..", "a/../b", "a\x00b", "tab\tname", "x" * 300, " / ", "a\nb", "\ud800"])
def test_experiment_names_that_cannot_be_are_refused(project: Path, name: str) -> None:
    with pytest.raises(UsageError):
        gitexp.start_run(name)
    assert not support.run_refs(project)


@pytest.mark.parametrize("name", ["CON", "a.lock", "Größe 1/2", "-x", "...", "a" * 250, "aux.txt", "x~1^2:3"])
def test_any_display_name_gets_a_ref_that_git_takes(project: Path, name: str) -> None:
    with gitexp.start_run("Über/Test", name=name) as run:
        pass
    support.git(project, "check-ref-format", run.ref)
    assert gitexp.get_run(run.id).name == name


def test_names_that_differ_in_case_are_kept_apart(project: Path) -> None:
    with gitexp.start_run("churn") as low, gitexp.start_run("Churn") as high:
        pass
    folders = {Path(run.ref).parent.name.casefold() for run in (low, high)}
    assert len(folders) == 2


def test_without_a_user_the_login_is_recorded_and_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = support.write(project.parent / "empty.gitconfig", "")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(empty))
    done = support.python(
        project,
        "import gitexp\nwith gitexp.start_run(name='x') as run: pass\nprint(run.ref)",
        env={"HOME": "/nonexistent"},
    )
    user = support.record(project, done.stdout.strip())["user"]
    assert user["source"] == "fallback" and "@" in user["email"]


def test_a_decorated_function_is_a_run_with_its_arguments_as_params(project: Path) -> None:
    @gitexp.track(experiment="churn")
    def train(lr: float, depth: int = 3) -> dict[str, float]:
        gitexp.log({"loss": lr})
        return {"auc": 0.9}

    assert train(0.5) == {"auc": 0.9}
    run = gitexp.runs("churn")[0]
    assert run.params == {"lr": 0.5, "depth": 3}
    assert run.summary["auc"].value == 0.9


def test_numbers_learned_later_and_notes_are_facts(project: Path, untouched: None) -> None:
    with gitexp.start_run(name="x") as run:
        run.note("while it runs")
    gitexp.get_run("x").post({"uplift": 0.02})
    gitexp.get_run("x").tag("baseline", owner="ana")
    found = gitexp.get_run("x")
    assert found.tags == {"baseline": "", "owner": "ana"}
    assert found.record["posts"] == {"uplift": 0.02}
    assert [note["text"] for note in found.record["notes"]] == ["while it runs"]
    assert len(support.run_refs(project)) == 1
    assert support.git(project, "rev-parse", run.ref) == run.commit


def test_quiet_says_nothing(project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GITEXP_QUIET", "1")
    with gitexp.start_run() as run:
        run.log({"loss": "bad"})
    assert capfd.readouterr().err == ""


def test_metrics_come_back_as_data_frames(project: Path) -> None:
    with gitexp.start_run() as run:
        for step in range(3):
            run.log({"loss": 1.0 / (step + 1), "acc": step / 3}, step=step)
    long = gitexp.get_run(run.id).metrics()
    assert list(long.columns) == ["metric", "step", "time", "value"] and len(long) == 6
    wide = gitexp.get_run(run.id).metrics(wide=True)
    assert list(wide.columns) == ["acc", "loss"] and list(wide.index) == [0, 1, 2]
