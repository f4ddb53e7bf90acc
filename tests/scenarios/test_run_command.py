"""`gitexp run` as a process: what it passes on, what it records, who wins where the script says something else."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests import support

SCRIPT = """\
import sys
import gitexp
with gitexp.start_run("sdk-experiment", name="sdk-name", params={"lr": 1.0, "depth": 3}) as run:
    run.log({"loss": 0.5}, step=0)
    print("joined", run.id)
with gitexp.start_run(name="child") as child:
    child.log({"loss": 0.25}, step=0)
"""


def run(project: Path, *arguments: str, expect: int | None = 0, **env: str) -> support.Result:
    """Run `gitexp run ARGUMENTS` in a process of its own."""
    return support.process(project, "run", *arguments, expect=expect, env=env)


def records(project: Path) -> dict[str, dict[str, Any]]:
    """Return the run.json of all runs by name."""
    found = [support.record(project, ref) for ref in support.run_refs(project)]
    return {record["name"]: record for record in found}


def only(project: Path) -> tuple[str, dict[str, Any]]:
    """Return the ref and run.json of the only run."""
    ((ref, _),) = support.run_refs(project).items()
    return ref, support.record(project, ref)


def test_params_come_from_arguments_the_file_over_them_and_the_script_over_both(project: Path, tmp_path: Path) -> None:
    support.commit(project, "a script", train__py=SCRIPT)
    for suffix, text in (
        ("yaml", "lr: 0.5\noptimizer:\n  name: adam\n"),
        ("toml", "lr = 0.5\n[optimizer]\nname='adam'"),
    ):
        file = support.write(tmp_path / f"params.{suffix}", text)
        command = ("python", "train.py", "--lr", "0.1", "--epochs=3", "optimizer.beta=0.9", "--amp")
        with support.untouched(project):
            run(project, "--name", suffix, "--params", str(file), "--", *command)
        ref = next(ref for ref in support.run_refs(project) if f"/{suffix}-" in ref)
        assert support.record(project, ref, "params.json") == {
            "amp": True,
            "depth": 3,
            "epochs": 3,
            "lr": 1.0,
            "optimizer": {"beta": 0.9, "name": "adam"},
        }
        assert support.record(project, ref)["command"] == list(command)
    refused = run(project, "--params", str(tmp_path / "none.json"), "--", "true", expect=2)
    assert "none.json" in refused.stderr


def test_the_first_start_run_joins_and_the_next_is_a_child(project: Path) -> None:
    support.commit(project, "a script", train__py=SCRIPT)
    with support.untouched(project):
        run(project, "--", "python", "train.py")
    found = records(project)
    assert set(found) == {"sdk-name", "child"}
    assert found["child"]["parent"] == found["sdk-name"]["id"]
    assert "parent" not in found["sdk-name"]
    assert found["sdk-name"]["experiment"]["name"] == "sdk-experiment"
    ref = next(ref for ref in support.run_refs(project) if "sdk-name" in ref)
    assert ref.startswith("refs/experiments/sdk-experiment/sdk-name-")
    log = support.git(project, "show", f"{ref}:.gitexp/output.log").splitlines()
    assert log[0] == f"joined {found['sdk-name']['id']}"
    assert found["child"]["experiment"] == found["sdk-name"]["experiment"]
    assert support.record(project, ref, "summary.json")["loss"]["last"] == 0.5


def test_experiment_and_name_of_the_command_line_win_over_those_of_the_script(project: Path) -> None:
    support.commit(project, "a script", train__py=SCRIPT)
    run(project, "-e", "mine", "--name", "my-name", "--", "python", "train.py")
    run(project, "-e", "half", "--", "python", "train.py")
    found = {(item["experiment"]["name"], item["name"]) for item in map(_record(project), support.run_refs(project))}
    assert found == {("mine", "my-name"), ("mine", "child"), ("half", "sdk-name"), ("half", "child")}


def _record(project: Path) -> Any:
    return lambda ref: support.record(project, ref)


@pytest.mark.parametrize(
    "script, code, status",
    [
        ("exit 0", 0, "completed"),
        ("exit 3", 3, "failed"),
        ("kill -TERM $$", 128 + signal.SIGTERM, "killed"),
        ("kill -KILL $$", 128 + signal.SIGKILL, "killed"),
        ("kill -SEGV $$", 128 + signal.SIGSEGV, "failed"),
    ],
)
def test_the_exit_code_is_the_commands_own(project: Path, script: str, code: int, status: str) -> None:
    with support.untouched(project):
        run(project, "--", "sh", "-c", script, expect=code)
    _, record = only(project)
    assert (record["exit_code"], record["status"]) == (code, status)


@pytest.mark.parametrize("command, code", [("no-such-program", 127), ("./README.md", 126)])
def test_a_command_that_cannot_start_records_nothing(project: Path, command: str, code: int) -> None:
    with support.untouched(project):
        refused = run(project, "--", command, expect=None)
        assert refused.code == code
        assert command in refused.stderr
        assert "Traceback" not in refused.stderr
    assert support.run_refs(project) == {}
    assert list((project / ".git/gitexp/live").glob("*")) == []


def test_a_script_that_crashes_records_its_error(project: Path) -> None:
    script = "import gitexp\nrun = gitexp.start_run()\nrun.log({'loss': 1.0})\nraise ValueError('no data')\n"
    support.commit(project, "a script", train__py=script)
    done = run(project, "--", "python", "train.py", expect=1)
    assert "ValueError: no data" in done.stderr
    _, record = only(project)
    assert (record["status"], record["exit_code"]) == ("failed", 1)
    assert record["error"]["type"] == "ValueError"
    assert record["error"]["message"] == "no data"
    assert "train.py" in record["error"]["traceback"]


TOKEN = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"


def test_the_output_is_passed_on_whole_and_kept_without_secrets(project: Path) -> None:
    script = f"echo out; echo token={TOKEN}; echo trouble >&2; printf 'no newline'"
    done = run(project, "--", "sh", "-c", script)
    assert done.stdout == f"out\ntoken={TOKEN}\nno newline"
    assert "trouble" in done.stderr
    ref, record = only(project)
    log = support.git(project, "show", f"{ref}:.gitexp/output.log")
    assert sorted(log.splitlines()) == ["no newline", "out", "token=[redacted]", "trouble"]
    assert TOKEN not in json.dumps(record)
    assert TOKEN not in support.git(project, "log", "-1", "--format=%B", ref)


def test_notes_tags_and_a_skipped_hook_are_recorded(project: Path) -> None:
    arguments = ("-m", "a first try", "--tag", "owner=ana", "-t", "baseline", "--no-verify", "--seed", "7")
    done = run(project, *arguments, "--", "sh", "-c", "echo $GITEXP_SEED")
    assert done.stdout == "7\n"
    ref, record = only(project)
    assert record["tags"] == {"owner": "ana", "baseline": ""}
    assert record["verified"] is False
    assert record["seeds"]["seed"] == 7
    shown = support.process(project, "show", "@", "--json").json
    assert [note["text"] for note in shown["notes"]] == ["a first try"]
    assert shown["ref"] == ref


def test_refuse_starts_nothing_and_lists_the_paths(project: Path) -> None:
    support.write(project / "train.py", "edited\n")
    support.write(project / "new.py", "x = 1\n")
    with support.untouched(project):
        refused = run(project, "--dirty=refuse", "--", "touch", "started", expect=3)
        assert " M train.py" in refused.stderr
        assert "?? new.py" in refused.stderr
        assert support.run_refs(project) == {}
    assert not (project / "started").exists()
    run(project, "--dirty=allow", "--", "true")
    _, record = only(project)
    assert record["code"]["dirty"]
    assert "snapshot" not in {key for key, value in record["code"].items() if value}


def test_resume_fork_and_parent_name_their_run(project: Path) -> None:
    run(project, "--name", "base", "--", "sh", "-c", "echo one", "--lr", "0.1")
    first = records(project)["base"]
    run(project, "--fork", "base", "--name", "forked", "--", "true")
    run(project, "--parent", first["id"][:7], "--name", "part", "--", "true")
    with support.untouched(project):
        run(project, "--resume", "base", "--", "sh", "-c", "exit 4", expect=4)
    found = records(project)
    assert set(found) == {"base", "forked", "part"}
    assert found["forked"]["forked_from"] == found["part"]["parent"] == first["id"]
    assert (found["base"]["id"], found["base"]["status"]) == (first["id"], "failed")
    assert len(found["base"]["sessions"]) == 2
    assert [parent["role"] for parent in found["base"]["parents"]] == ["code", "previous"]
    assert run(project, "--resume", "nobody", "--", "true", expect=4).stderr.startswith("gitexp: no run 'nobody'")


def test_what_is_private_is_left_out(project: Path) -> None:
    support.git(project, "config", "gitexp.privacy", "host,user,output")
    done = run(project, "--", "echo", "my words")
    assert done.stdout == "my words\n"
    ref, record = only(project)
    whole = support.git(project, "show", "--format=%an %ae %cn %ce %B", ref)
    assert "host" not in record
    assert set(record["user"]) <= {"offset_minutes"}
    assert "Ana" not in whole
    assert "acme" not in whole
    assert "output.log" not in whole


def test_names_come_from_the_template_then_the_arguments_then_two_words(project: Path) -> None:
    support.git(project, "config", "gitexp.nameTemplate", "{model}-lr{lr}")
    run(project, "--", "true", "--model", "resnet", "--lr", "0.05")
    run(project, "--", "true", "--lr", "0.3")
    run(project, "--", "true")
    run(project, "--", "true", "--text", "a\nb\x1b[2J")
    names = set(records(project))
    assert "resnet-lr0.05" in names
    assert "lr0.3" in names
    assert len(names) == 4
    assert all(name.isprintable() for name in names)


def test_an_hour_has_its_cost(project: Path) -> None:
    support.git(project, "config", "gitexp.costPerHour", "3600")
    run(project, "--", "sleep", "0.1")
    _, record = only(project)
    assert record["cost"]["per_hour"] == 3600
    assert record["cost"]["total"] == pytest.approx(record["duration"])


def test_a_run_says_two_lines_at_most_and_none_when_quiet(project: Path) -> None:
    support.commit(project, "a script", train__py="import gitexp\nwith gitexp.start_run() as run: run.log({'a': 1})\n")
    done = run(project, "--", "python", "train.py")
    assert 1 <= len(done.stderr.splitlines()) <= 2
    assert done.stderr.startswith("gitexp: ")
    assert len(support.python(project, project / "train.py").stderr.splitlines()) <= 2
    support.write(project / "edit.py", "x = 1\n")
    assert len(run(project, "--", "python", "train.py").stderr.splitlines()) <= 2
    assert run(project, "--", "python", "train.py", GITEXP_QUIET="1").stderr == ""
    assert support.python(project, project / "train.py", env={"GITEXP_QUIET": "1"}).stderr == ""


NOTEBOOK = """\
import sys, types
shell = types.ModuleType("IPython")
shell.get_ipython = lambda: object()
sys.modules["IPython"] = shell
import gitexp
for cell in range(3):
    run = gitexp.start_run("nb", name=f"cell{cell}")
    run.log({"loss": cell}, step=0)
    assert gitexp.active_run() is run
with gitexp.start_run("nb", name="outer") as outer:
    inner = gitexp.start_run("nb", name="inner", parent=outer)
    assert not outer.is_finished
    inner.finish()
"""


def test_a_cell_that_is_run_again_finishes_the_run_before(project: Path) -> None:
    support.python(project, NOTEBOOK)
    found = records(project)
    assert set(found) == {"cell0", "cell1", "cell2", "outer", "inner"}
    assert {record["status"] for record in found.values()} == {"completed"}
    assert all("parent" not in found[f"cell{number}"] for number in range(3))
    assert found["inner"]["parent"] == found["outer"]["id"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("run",), "COMMAND"),
        (("run", "--name", "a\nb", "--", "true"), "control characters"),
        (("run", "-e", "a/../b", "--", "true"), "'..'"),
        (("run", "--name", "x" * 300, "--", "true"), "300 characters"),
        (("run", "--parent", "nobody", "--", "true"), "nobody"),
        (("run", "--dirty", "perhaps", "--", "true"), "perhaps"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_the_command_starts(
    project: Path, arguments: tuple[str, ...], words: str
) -> None:
    refused = support.gitexp(*arguments, expect=None)
    assert refused.code in (2, 4)
    assert words in refused.stderr
    assert support.run_refs(project) == {}


def test_a_note_without_text_opens_the_editor_that_git_would(project: Path, tmp_path: Path) -> None:
    run(project, "--name", "a", "--", "true")
    editor = support.write(tmp_path / "editor", '#!/bin/sh\necho "written by $0" > "$1"\n')
    editor.chmod(0o755)
    support.process(project, "note", "a", env={"GIT_EDITOR": str(editor), "VISUAL": "false", "EDITOR": "false"})
    assert support.process(project, "note", "a", "--list").stdout.strip().endswith(f"written by {editor}")
