"""A project's own rules of failure, and what becomes of exit codes, outputs and the kernel's kills."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitexp.capture import oom
from gitexp.errors import UsageError
from gitexp.ops.recording import failures
from gitexp.record.reasons import ERROR, EXIT, OUTPUT, Reason
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace
from tests import recording, support


def configured(project: Path, toml: str, name: str = "gitexp.toml") -> Workspace:
    support.write(project / name, toml)
    return workspaces.open(project)


def test_rules_of_the_project_come_before_those_of_gitexp(project: Path) -> None:
    workspace = configured(project, '[failures]\ngpu-lost = "fallen off|CUDA out"\nquota = { type = "mylib.*" }\n')
    error = RuntimeError("CUDA out of memory")
    assert failures.of_error(workspace, error) == (Reason("gpu-lost", ERROR, "RuntimeError: CUDA out of memory"),)
    assert [reason.tag for reason in failures.of_error(workspace, MemoryError("host"))] == ["oom"]
    assert failures.of_error(workspace, None) == failures.of_error(workspace, ValueError("lr")) == ()


def test_pyproject_has_them_too_and_what_gitexp_knows_can_be_switched_off(project: Path) -> None:
    workspace = configured(project, "[tool.gitexp.failures]\noom = false\n", "pyproject.toml")
    assert failures.of_error(workspace, MemoryError()) == ()
    assert failures.of_command(workspace, 137, None, 1) == ()
    assert not failures.is_given(workspace, "oom")
    assert failures.is_given(workspace, "nan")


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('failures = "oom"', "failures is to be a table"),
        ('[failures]\nq = "("', "failures.q.text is no regular expression"),
        ("[failures]\nq = 7", "failures.q is to be a regular expression, false, or a table"),
        ('[failures]\nq = { typ = "x" }', "has no key 'typ'"),
        ('[failures]\nq = { exit = "75" }', "failures.q.exit is to be an exit code"),
        ("[failures]\nq = { exit = [] }", "failures.q.exit is to be an exit code"),
        ('[failures]\n"a=b" = "x"', "tag 'a=b' has '='"),
        ("[failures]\nq = {}", "failures.q is to be"),
    ],
)
def test_a_rule_that_is_not_understood_stops_a_run_before_it_begins(project: Path, toml: str, said: str) -> None:
    support.write(project / "gitexp.toml", toml)
    done = support.gitexp("run", "--", "true", expect=2)
    assert said in done.stderr
    assert support.run_refs(project) == {}
    with pytest.raises(UsageError):
        failures.rules(workspaces.open(project))


def log(project: Path, text: str) -> Path:
    return support.write(project / ".git/output.log", text)


def test_a_command_is_judged_by_its_code_then_by_its_last_words(project: Path) -> None:
    workspace = configured(project, "[failures]\nquota = { exit = [75, 76] }\nodd = { text = 'odd', exit = 9 }\n")

    def tags(code: int, text: str = "", kills: int = 0) -> list[tuple[str, str]]:
        return [(item.tag, item.source) for item in failures.of_command(workspace, code, log(project, text), kills)]

    assert tags(0, "MemoryError\n", 1) == []
    assert tags(1) == tags(1, "lr is wrong\n") == []
    assert tags(1, "OSError: [Errno 28] No space left on device\n") == [("disk", OUTPUT)]
    assert tags(75, "No space left on device\n") == [("quota", EXIT)]
    assert tags(9, "odd\n") == [("odd", OUTPUT)]
    assert tags(8, "odd\n") == []
    assert tags(143, "MemoryError\n") == [("interrupted", EXIT)]
    assert tags(124, "MemoryError\n") == [("timeout", EXIT)]
    assert tags(134, "terminate called after throwing an instance of 'std::bad_alloc'\n") == [("oom", OUTPUT)]
    assert tags(134, "Aborted\n") == [("crash", EXIT)]
    assert tags(137, "RuntimeError: CUDA error\n") == []  # killed: its last words are not why
    assert tags(137, "", 1) == tags(1, "worker died\n", 2) == [("oom", EXIT)]
    assert tags(1, "No space left on device\n", 1) == [("disk", OUTPUT)]
    assert failures.of_command(workspace, 139, None, 0) == (Reason("crash", EXIT, "exit 139 (SIGSEGV)"),)
    assert failures.of_command(workspace, 137, None, 2)[0].text == (
        "exit 137 (SIGKILL); the kernel killed 2 processes for want of memory"
    )


def test_a_run_whose_process_is_gone_is_out_of_memory_where_the_kernel_counted_it(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oom, "ROOT", tmp_path / "root")
    counter = tmp_path / "root/sys/fs/cgroup/job/memory.events"
    support.write(tmp_path / f"root/proc/{os.getpid()}/cgroup", "0::/job\n")
    found = []
    for after in (3, 2):
        support.write(counter, "oom_kill 2\n")
        recording.start(project, "lost").writer.close()  # as the kernel does it: without a word
        support.write(counter, f"oom_kill {after}\n")
        support.gitexp("recover")
        found.append(support.gitexp("show", "@", "--json").json)
    assert [(run["status"], run["tags"]) for run in found] == [("killed", {"oom": ""}), ("killed", {})]
    assert found[0]["reasons"][0]["text"] == (
        "its process is gone, and the kernel has killed 1 process of its control group for want of memory meanwhile"
    )
