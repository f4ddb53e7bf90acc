"""docs/ci/github-registry.yml, run: a pipeline with a key accepts what was merged, and looks at what came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitexp.ops.registry import propose
from gitexp.record import event as events
from gitexp.store import models, signers
from tests import registry, signing, support
from tests.scenarios.test_ci import Runner, finish, load
from tests.support import git, gitexp

BRANCH = "refs/heads/gitexp/registry"
RULES = '[registry.stages.production]\nmerged = true\nsigned = true\npromoters = ["registry@acme.io"]\nnotes = 1\n'


@pytest.fixture
def team(project: Path, bare: Path, tmp_path: Path) -> Path:
    """Return the folder of keys; rules and signers are on main, and Ana signs."""
    keys = {name: signing.make(tmp_path / "keys", name) for name in ("ana", "registry")}
    support.write(
        project / "gitexp/allowed_signers", signing.listed({f"{name}@acme.io": key for name, key in keys.items()})
    )
    registry.rule(project, RULES)
    signing.use(project, keys["ana"])
    git(project, "config", "gitexp.registryRef", BRANCH)
    git(project, "push", "--quiet", "origin", "main")
    git(project, "fetch", "--quiet")
    return tmp_path / "keys"


def job(name: str, bare: Path, folder: Path, **variables: str) -> tuple[Runner, dict[str, str]]:
    """Return a machine with a fresh clone for a job, and its steps."""
    found = load("github-registry.yml")["jobs"][name]
    git(bare, "clone", "--quiet", str(bare), str(folder))
    fixed = {key: value for key, value in found["env"].items() if "${{" not in value}
    steps = {step["name"]: step["run"] for step in found["steps"] if "run" in step}
    return Runner(
        folder, folder.parent / f"host-{folder.name}", RUNNER_TEMP=str(folder.parent), **fixed, **variables
    ), steps


@pytest.mark.slow
def test_the_workflow_of_the_registry(project: Path, bare: Path, team: Path, tmp_path: Path) -> None:
    version = registry.register(project, registry.run(project))
    gitexp("push", "--yes")
    before = git(bare, "rev-parse", BRANCH)
    workspace = registry.open(project)
    made = propose.create(workspace, models.get(workspace, "churn"), version, "production")
    git(project, "merge", "--quiet", "--no-ff", "-m", "merge", made.branch)
    git(project, "push", "--quiet", "origin", "main")
    key = (team / "registry").read_text()
    runner, steps = job("accept", bare, tmp_path / "first", SIGNING_KEY=key)
    assert "notes: 0 of 1" in finish(runner, steps, accept=12)["accept"]
    assert git(bare, "rev-parse", BRANCH) == before
    registry.say(project, version, events.NOTE, text="calibrated")
    gitexp("push", "--yes")
    finish(*job("accept", bare, tmp_path / "second", SIGNING_KEY=key))
    gitexp("fetch")
    last = models.history(registry.open(project), "refs/models/churn")[-1]
    assert (last.event.op, last.person, last.signer.status) == ("transition", "registry@acme.io", "good")
    after = git(bare, "rev-parse", BRANCH)
    finish(*job("verify", bare, tmp_path / "third", BEFORE=before, AFTER=after))
    finish(*job("verify", bare, tmp_path / "fourth", BEFORE="0" * 40, AFTER=after))


@pytest.mark.slow
def test_the_workflow_finds_what_was_forged(project: Path, bare: Path, team: Path, tmp_path: Path) -> None:
    version = registry.register(project, registry.run(project))
    gitexp("push", "--yes")
    before = git(bare, "rev-parse", BRANCH)
    git(project, "config", "user.signingKey", "")
    git(project, "config", "--unset", "user.signingKey")
    forged: dict[str, Any] = {
        "sha256": version.sha256,
        "stage": "production",
        "from": None,
        "checked": [],
        "proposal": {"path": "x"},
    }
    workspace = registry.open(project)
    tip = git(project, "rev-parse", "refs/models/churn")
    event = events.Event(
        events.TRANSITION, "churn", 1_795_300_000_000, registry.rules_commit(project), version.id, forged
    )
    oid = signers.write(workspace, models.commit_of(workspace, event, "promote it", [tip]))
    git(project, "update-ref", "refs/models/churn", oid)
    gitexp("push", "--yes")
    after = git(bare, "rev-parse", BRANCH)
    assert after != before
    runner, steps = job("verify", bare, tmp_path / "pipeline", BEFORE=before, AFTER=after)
    assert finish(runner, {"install": steps["install"]}) is not None
    done = runner.step(steps["verify"])
    assert done.returncode not in (0, 70), done.stdout + done.stderr
    assert "not among the promoters" in done.stdout + done.stderr
