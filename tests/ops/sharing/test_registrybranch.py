"""The registry inside one protected branch: pushed, fetched, joined and looked at between two of its commits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitexp.errors import Damaged, Refused
from gitexp.ops.sharing import registrybranch
from gitexp.record import event as events
from gitexp.store import models
from tests import registry, support
from tests.support import git, gitexp

BRANCH = "refs/heads/gitexp/registry"


@pytest.fixture
def host(bare: Path, project: Path) -> Path:
    """Return a bare repository that takes branches only, and whose branch of the registry is protected."""
    git(bare, "config", "receive.denyNonFastForwards", "true")
    git(bare, "config", "receive.denyDeletes", "true")
    script = "#!/bin/sh\nwhile read old new ref; do case $ref in refs/heads/*) ;; *) exit 1 ;; esac; done\n"
    support.write(bare / "hooks/pre-receive", script).chmod(0o755)
    branches(project)
    return bare


def branches(path: Path) -> None:
    git(path, "config", "gitexp.runsBranch", "gitexp/runs")
    git(path, "config", "gitexp.registryRef", BRANCH)


def clone(host: Path, name: str) -> Path:
    path = host.parent / name
    git(host.parent, "clone", "--quiet", str(host), str(path))
    registry.be(path, f"{name}@acme.io")
    branches(path)
    gitexp("-C", str(path), "fetch")
    return path


def numbers(path: Path, name: str = "churn") -> dict[str, int]:
    model = models.get(registry.open(path), name)
    return {item.sha256[:6]: item.number for item in model.versions.values()}


def test_models_travel_in_the_branch_and_nowhere_else(project: Path, host: Path) -> None:
    version = registry.register(project, registry.run(project))
    registry.register(project, registry.run(project, "other"), "vision/resnet")
    gitexp("push", "--yes")
    refs = git(host, "for-each-ref", "--format=%(refname)").splitlines()
    assert refs == [BRANCH, "refs/heads/gitexp/runs", "refs/heads/main"]
    assert git(host, "show", f"{BRANCH}:models/churn") == git(project, "rev-parse", "refs/models/churn")
    assert git(host, "cat-file", "-t", version.id) == "commit"
    assert "models" not in git(host, "ls-tree", "--name-only", "refs/heads/gitexp/runs").splitlines()
    bob = clone(host, "bob")
    assert [item.name for item in models.every(registry.open(bob))] == ["churn", "vision/resnet"]
    assert gitexp("-C", str(bob), "model", "ls", "churn", "--json").json[0]["fixed"] is True
    git(bob, "fsck", "--strict")


@pytest.mark.slow
def test_two_who_register_at_once_both_stand_in_one_order(project: Path, host: Path) -> None:
    registry.register(project, registry.run(project))
    gitexp("push", "--yes")
    bob = clone(host, "bob")
    registry.register(bob, registry.run(bob, "bobs"))
    registry.register(project, registry.run(project, "anas"))
    gitexp("push", "--yes")
    said = gitexp("-C", str(bob), "push", "--yes").stdout
    assert "version 2 is 3 now" in said
    gitexp("fetch")
    assert numbers(project) == numbers(bob) and len(numbers(bob)) == 3
    subjects = git(host, "log", "--first-parent", "--format=%s", BRANCH).splitlines()
    registered = ["churn: register model.txt"] * 2
    assert subjects == ["churn: join two heads of churn", *registered, "Begin the model registry"]


@pytest.mark.slow
def test_many_who_push_at_the_same_time_all_arrive(project: Path, host: Path) -> None:
    registry.register(project, registry.run(project))
    gitexp("push", "--yes")
    people = [clone(host, f"p{number}") for number in range(4)]
    for path in people:
        for name in ("x", "y"):
            registry.register(path, registry.run(path, f"{path.name}-{name}"))
    command = [sys.executable, "-m", "gitexp", "push", "--yes"]
    env = {**os.environ, "PYTHONPATH": str(support.ROOT)}
    pushes = [subprocess.Popen(command, cwd=path, env=env, stdout=subprocess.DEVNULL) for path in people]
    assert [process.wait(120) for process in pushes] == [0, 0, 0, 0]
    gitexp("fetch")
    assert sorted(numbers(project).values()) == list(range(1, 10))
    for path in people:
        gitexp("-C", str(path), "fetch")
        assert numbers(path) == numbers(project)


def test_what_changed_between_two_commits_of_the_branch_is_told(project: Path, host: Path) -> None:
    version = registry.register(project, registry.run(project))
    gitexp("push", "--yes")
    old = git(host, "rev-parse", BRANCH)
    before = git(project, "rev-parse", "refs/models/churn")
    registry.say(project, version, events.NOTE, text="x")
    registry.register(project, registry.run(project, "other"), "other")
    gitexp("push", "--yes")
    new = git(host, "rev-parse", BRANCH)
    workspace = registry.open(project)
    now = {name: git(project, "rev-parse", f"refs/models/{name}") for name in ("churn", "other")}
    assert registrybranch.moved(workspace, old, new) == [
        ("refs/models/churn", before, now["churn"]),
        ("refs/models/other", None, now["other"]),
    ]
    assert registrybranch.moved(workspace, new, new) == []
    with pytest.raises(Refused, match="went back"):
        registrybranch.moved(workspace, new, old)


def test_a_model_that_the_branch_has_lost_is_found(project: Path, host: Path) -> None:
    registry.register(project, registry.run(project))
    registry.register(project, registry.run(project, "other"), "other")
    gitexp("push", "--yes")
    git(project, "fetch", "--quiet")
    git(project, "switch", "--quiet", "gitexp/registry")
    git(project, "rm", "--quiet", "models/other")
    git(project, "commit", "--quiet", "-m", "drop it")
    workspace = registry.open(project)
    with pytest.raises(Refused, match="has lost refs/models/other"):
        registrybranch.moved(workspace, git(project, "rev-parse", "HEAD^"), git(project, "rev-parse", "HEAD"))


def test_a_squashed_branch_is_said_to_be_one(project: Path, host: Path) -> None:
    version = registry.register(project, registry.run(project))
    gitexp("push", "--yes")
    bob = clone(host, "bob")
    old = git(host, "rev-parse", BRANCH)
    registry.say(project, version, events.NOTE, text="x")
    gitexp("push", "--yes")
    new = git(host, "rev-parse", BRANCH)
    squashed = git(host, "commit-tree", f"{new}^{{tree}}", "-p", old, "-m", "squash")
    git(host, "update-ref", BRANCH, squashed)
    git(host, "prune", "--expire=now")
    assert "was its branch squashed?" in gitexp("-C", str(bob), "fetch", expect=10).stderr
    git(bob, "fetch", "--quiet", "origin")
    with pytest.raises(Damaged, match="was it squashed"):
        registrybranch.moved(registry.open(bob), old, squashed)


def test_a_branch_of_something_else_is_not_written_over(project: Path, host: Path) -> None:
    git(project, "config", "gitexp.registryRef", "main")
    registry.register(project, registry.run(project))
    assert "holds no models" in gitexp("push", "--yes", expect=3).stderr


@pytest.mark.slow
def test_a_purge_of_runs_leaves_the_registry_as_it_is(project: Path, host: Path) -> None:
    registry.register(project, registry.run(project))
    other = registry.run(project, "secret")
    gitexp("push", "--yes")
    before = git(host, "rev-parse", BRANCH)
    git(host, "config", "receive.denyNonFastForwards", "false")  # the branch of runs is written anew
    gitexp("purge", other.id, "--reason", "a key", "--remote", "origin", "--yes")
    assert git(host, "rev-parse", BRANCH) == before
    assert gitexp("fetch", "--json").json["models"]["skipped"] == []
