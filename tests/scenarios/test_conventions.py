"""Conventions of runs with real processes: scripts, wrapped commands, scripts inside them, runs that go on, and CI."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import support

pytestmark = pytest.mark.usefixtures("project")
RULES = """\
[experiments."churn*"]
name = "lr*"
required_tags = ["owner"]
required_params = { lr = "between 1e-5 and 0.1", seed = true }
params_at_end = ["n_features"]
"""
REFUSE = RULES + 'on_violation = "refuse"\n'
GOOD = 'start_run("churn", name="lr0.1", tags={"owner": "ana"}, params={"lr": 0.1, "seed": 1})'


def ready(project: Path, rules: str, script: str = "") -> None:
    support.write(project / "gitexp.toml", rules)
    support.write(project / "train.py", script)
    support.commit(project, "rules")


def python(project: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return support.execute(project, sys.executable, "train.py", env=env, check=False)


def violations(project: Path) -> list[str]:
    run = support.record(project, str(support.gitexp("ref", "@").stdout.strip()))
    return [f"{item['what']} {item['text']}" for item in run.get("violations", [])]


def test_a_script_that_keeps_them_hears_nothing_of_them(project: Path) -> None:
    ready(project, REFUSE, f"import gitexp\nwith gitexp.{GOOD} as run:\n    run.log_params({{'n_features': 8}})\n")
    with support.untouched(project):
        done = python(project)
    assert done.returncode == 0
    assert "onvention" not in done.stderr
    assert violations(project) == []


def test_a_script_that_does_not_is_refused_before_it_trains(project: Path) -> None:
    ready(
        project,
        REFUSE,
        "import gitexp\nwith gitexp.start_run('churn', params={'lr': 5.0}) as run:\n    print('trained')\n",
    )
    with support.untouched(project):
        done = python(project)
    assert done.returncode == 1
    assert "trained" not in done.stdout
    assert 'does not keep the conventions of churn ([experiments."churn*"] in gitexp.toml)' in done.stderr
    for line in ("tag owner is missing", "param lr is 5.0, not between 1e-5 and 0.1", "param seed is missing"):
        assert f"  {line}\n" in done.stderr
    assert 'tags={"owner": "…"}, params={"lr": …, "seed": …})' in done.stderr
    assert 'params_at_end = ["seed"]' in done.stderr
    assert support.run_refs(project) == {}
    assert list((project / ".git/gitexp/live").glob("*")) == []


def test_a_wrapped_command_is_refused_with_exit_3_and_what_to_type(project: Path) -> None:
    ready(project, REFUSE)
    done = support.gitexp("run", "-e", "churn", "--", "touch", "ran", "--lr=0.01", expect=3)
    assert done.stderr == (
        'gitexp: run refused: churn/lr0.01 does not keep the conventions of churn ([experiments."churn*"] in'
        " gitexp.toml)\n  tag owner is missing\n  param seed is missing\n"
        "gitexp run … -t owner=VALUE --seed N -- touch ran --lr=0.01\n"
        'or, for what the script logs later, in gitexp.toml: [experiments."churn*"]  params_at_end = ["seed"]\n'
    )
    assert not (project / "ran").exists()
    support.gitexp("run", "-e", "churn", "--seed", "1", "-t", "owner=ana", "--", "true", "--lr=0.01")
    assert violations(project) == ["param n_features is missing"]


def test_with_warn_it_runs_and_what_is_still_missing_at_the_end_is_recorded(project: Path) -> None:
    script = (
        "import gitexp\nwith gitexp.start_run('churn', name='x') as run:\n"
        "    run.log_params({'lr': 0.1, 'n_features': 8})\n    run.tag(owner='ana')\n"
    )
    ready(project, RULES, script)
    done = python(project)
    assert done.returncode == 0
    head, *lines = done.stderr.splitlines()
    assert head.startswith("gitexp: warning: churn/x does not keep the conventions of churn")
    assert lines[:4] == [
        "  name is 'x', not like 'lr*'",
        "  tag owner is missing; it is looked for again at the end",
        "  param lr is missing (between 1e-5 and 0.1); it is looked for again at the end",
        "  param seed is missing; it is looked for again at the end",
    ]
    assert "Conventions not kept: name is 'x', not like 'lr*'; param seed is missing." in lines[-1]
    assert violations(project) == ["name is 'x', not like 'lr*'", "param seed is missing"]
    assert '  not kept  param seed is missing, [experiments."churn*"]\n' in support.gitexp("show", "@").stdout
    assert "not kept" not in python(project, GITEXP_QUIET="1").stderr


def test_a_script_inside_a_wrapped_run_is_held_to_the_experiment_that_it_names(project: Path) -> None:
    ready(project, REFUSE, "import gitexp\nwith gitexp.start_run('churn', name='x') as run:\n    print('trained')\n")
    done = support.process(project, "run", "--", sys.executable, "train.py", expect=1)
    assert "run refused: churn/x does not keep" in done.stderr
    assert "trained" not in done.stdout
    support.write(project / "train.py", f"import gitexp\nwith gitexp.{GOOD}:\n    print('trained')\n")
    done = support.process(project, "run", "--", sys.executable, "train.py")
    assert "trained" in done.stdout
    assert violations(project) == ["param n_features is missing"]


def test_a_run_that_goes_on_has_the_tags_and_params_that_it_had(project: Path) -> None:
    ready(project, REFUSE)
    given = ("--name", "lr1", "-e", "churn", "--seed", "1")
    support.gitexp("run", *given, "-t", "owner=ana", "--", "true", "--lr=0.01")
    support.gitexp("run", "--resume", "@", "--", "true", "--n_features=3")
    assert violations(project) == []
    support.write(project / "gitexp.toml", REFUSE.replace('["owner"]', '["owner", "ticket"]'))
    support.gitexp("run", "--resume", "@", "--", "true", expect=3)
    support.gitexp("tag", "@", "ticket=ML-7")
    support.gitexp("run", "--resume", "@", "--", "true")


def test_a_fork_and_a_child_are_runs_like_others(project: Path) -> None:
    script = (
        f"import gitexp\nwith gitexp.{GOOD} as run:\n    with gitexp.start_run('churn', name='child'):\n        pass\n"
    )
    ready(project, REFUSE, script)
    done = python(project)
    assert "run refused: churn/child" in done.stderr
    assert list(support.run_refs(project)) == [support.gitexp("ref", "@").stdout.strip()]


def test_the_user_may_weaken_what_the_project_has_not_locked(project: Path) -> None:
    ready(project, REFUSE)
    support.git(project, "config", "gitexp.conventions", "warn")
    assert "warning" in support.gitexp("run", "-e", "churn", "--", "true").stderr
    support.git(project, "config", "gitexp.conventions", "off")
    assert "onvention" not in support.gitexp("run", "-e", "churn", "--", "true").stderr
    assert violations(project) == []
    ready(project, 'conventions = "refuse"\nlocked = ["conventions"]\n' + REFUSE)
    support.gitexp("run", "-e", "churn", "--", "true", expect=3)


def test_ci_checks_a_run_against_them(project: Path) -> None:
    ready(project, RULES)
    support.gitexp("run", "-e", "churn", "--name", "lr1", "--seed", "1", "--", "true", "--lr=0.01")
    failed = support.gitexp("check", "@", "--conventions", expect=12)
    assert failed.stdout.splitlines()[1:] == [
        "status                         completed  completed  pass",
        "name like 'lr*'                     kept  is kept    pass",
        "tag owner                        missing  is kept    FAIL",
        "param lr between 1e-5 and 0.1       kept  is kept    pass",
        "param seed                          kept  is kept    pass",
        "param n_features                 missing  is kept    FAIL",
    ]
    support.gitexp("tag", "@", "owner=ana")
    told = support.gitexp("check", "@", "--conventions", "--json", expect=12).json["checks"]
    assert [(item["condition"], item["value"]) for item in told if not item["passed"]] == [
        ("param n_features", "missing")
    ]
    assert {item["kind"] for item in told} == {"status", "convention"}


def test_tags_that_are_added_while_a_run_runs_count_at_its_end(project: Path) -> None:
    ready(project, '[experiments."churn"]\nrequired_tags = ["owner"]\n')
    command = 'gitexp tag "$GITEXP_RUN_ID" owner=ana'
    support.process(project, "run", "-e", "churn", "--", "sh", "-c", command)
    assert violations(project) == []
