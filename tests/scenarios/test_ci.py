"""The sample workflows of docs/ci/, run: the shell of each step on real repositories, hosts' own tools set aside."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import registry, signing, support

CI = support.ROOT / "docs/ci"
SAMPLES = sorted(CI.glob("*.yml"))
MODEL = """\
import os, gitexp
with gitexp.start_run(params={"lr": 0.1}) as run:
    run.log({"val_auc": AUC})
"""
# What only a host has: `gh` hands out the file that the other workflow left, and keeps the comments; so does curl.
GH = """\
#!/bin/sh
echo "$@" >> "$HOST/calls"
case "$1 $2" in
"run download") mkdir -p incoming; cp "$HOST/runs.zip" incoming/ ;;
"pr list") echo 12 ;;
"pr comment") cat comment.md >> "$HOST/comments" ;;
esac
"""
CURL = """\
#!/bin/sh
case "$*" in
*artifacts/runs.zip*) cp "$HOST/runs.zip" runs.zip ;;
*notes*) cat comment.md >> "$HOST/comments" ;;
esac
"""


GITLAB = {"CI_DEFAULT_BRANCH": "main", "GITEXP_TOKEN": "secret", "CI_API_V4_URL": "x", "CI_PROJECT_ID": "1"}


class Runner:
    """A machine of a CI system: a clone, variables that go from step to step, and the tools of the host."""

    def __init__(self, folder: Path, host: Path, **variables: str) -> None:
        self.folder = folder
        self.kept = support.write(host / "env", "")
        tools = host / "bin"
        for name, text in (("gh", GH), ("curl", CURL), ("pip", "#!/bin/sh\n")):
            support.write(tools / name, text).chmod(0o755)
        self.env = {
            **os.environ,
            **variables,
            "HOST": str(host),
            "GITHUB_ENV": str(self.kept),
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        }

    def step(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run one step as the CI systems do: bash that stops at the first error."""
        known = dict(line.split("=", 1) for line in self.kept.read_text().splitlines())
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=self.folder,
            env={**self.env, **known},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=support.TIMEOUT_SECONDS,
        )


def load(name: str) -> Any:
    return yaml.safe_load((CI / name).read_text())


def github_steps(name: str) -> Iterator[tuple[str, str]]:
    """Yield (name, script) of the steps of a workflow that are shell."""
    jobs = load(name)["jobs"]
    for job in jobs.values():
        for step in job["steps"]:
            if "run" in step:
                yield step["name"], step["run"]


def clone(origin: Path, folder: Path, auc: float | None = None, *, is_fork: bool = False) -> Path:
    """Clone as a CI system does, with a detached HEAD; with `auc`, of a new commit whose training reaches that."""
    support.git(folder.parent, "clone", "--quiet", str(origin), str(folder))
    if auc is not None:
        support.write(folder / "train.py", MODEL.replace("AUC", str(auc)))
        support.commit(folder, f"reach {auc}")
        if not is_fork:
            support.git(folder, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    support.git(folder, "checkout", "--quiet", "--detach")
    return folder


def finish(runner: Runner, steps: Mapping[str, str], **expected: int) -> dict[str, str]:
    """Run all steps and return what each printed; they end with 0, or as `expected` says."""
    printed = {}
    for name, script in steps.items():
        done = runner.step(script)
        printed[name] = done.stdout + done.stderr
        assert done.returncode == expected.get(name, 0), f"{name}:\n{printed[name]}"
    return printed


@pytest.mark.parametrize("sample", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_a_sample_is_yaml_and_uses_only_commands_that_exist(sample: Path) -> None:
    text = sample.read_text()
    assert isinstance(yaml.safe_load(text), dict)
    from gitexp.cli import reference

    verbs = {entry.path.split()[1] for entry in reference.entries() if " " in entry.path}
    used = set(re.findall(r"\bgit exp ([a-z-]+)", text))
    assert used and used <= verbs


def test_the_docs_name_every_sample() -> None:
    page = (support.ROOT / "docs/howto-ci.md").read_text()
    assert [path.name for path in SAMPLES if f"(ci/{path.name})" not in page] == []


def test_a_workflow_that_runs_the_code_of_pull_requests_may_only_read() -> None:
    assert load("github.yml")["permissions"] == {"contents": "read"}
    publish = load("github-publish.yml")
    checkout = publish["jobs"]["publish"]["steps"][0]
    assert "ref" not in checkout["with"], "the default branch, not that of the pull request"
    assert "train.py" not in (CI / "github-publish.yml").read_text()


@pytest.mark.slow
def test_the_workflow_of_github(project: Path, bare: Path, tmp_path: Path) -> None:
    host = tmp_path / "host"
    train, publish = dict(github_steps("github.yml")), dict(github_steps("github-publish.yml"))
    # main has a run: the first one has nothing to be compared with
    runner = clone(bare, tmp_path / "first", 0.9)
    first = finish(Runner(runner, host), train)
    assert "no baseline" in first["check"] and re.search(r"val_auc:max +0.9000  a number +pass", first["check"])
    assert support.run_refs(bare) == {}, "training may only read"
    take_in(host, runner, bare, tmp_path / "publish-first", publish)
    assert [ref.rpartition("/")[0] for ref in support.run_refs(bare)] == ["refs/experiments/ci"]
    # a pull request, from a fork, is worse: its check fails, and what it recorded is published with that verdict
    worse = clone(bare, tmp_path / "worse", 0.8, is_fork=True)
    shown = finish(Runner(worse, host), train, check=12)["check"]
    assert "drop of 0.01 (higher: guessed from the name)  FAIL" in shown
    take_in(host, worse, bare, tmp_path / "publish-worse", publish)
    comments = (host / "comments").read_text()
    assert comments.count("### Check passed") == 1 and comments.count("### Check failed") == 1
    assert len(support.run_refs(bare)) == 2
    assert "pr comment 12 --body-file comment.md --edit-last --create-if-none" in (host / "calls").read_text()


def take_in(host: Path, runner: Path, origin: Path, folder: Path, steps: Mapping[str, str]) -> None:
    """Do what the workflow with the right to write does, in a clone of its own."""
    (host / "runs.zip").write_bytes((runner / "runs.zip").read_bytes())
    head = support.git(runner, "rev-parse", "HEAD")
    trusted = clone(origin, folder)
    finish(Runner(trusted, host, TRAIN_ID="1", HEAD_SHA=head, GH_TOKEN="none"), steps)


@pytest.mark.slow
def test_the_pipeline_of_gitlab(project: Path, bare: Path, tmp_path: Path) -> None:
    host, jobs = tmp_path / "host", load("gitlab.yml")
    first = clone(bare, tmp_path / "first", 0.9)
    ours = Runner(first, host, **GITLAB, CI_COMMIT_SHA=support.git(first, "rev-parse", "HEAD"))
    assert gitlab(jobs["train"], ours) == 0
    assert gitlab(jobs["publish"], ours) == 0, "in the folder of the other job, which a runner may keep"
    assert len(support.run_refs(bare)) == 1 and not (host / "comments").exists()
    # a merge request from a fork: its project hands out the file, a maintainer starts the job that takes it in
    fork = clone(bare, tmp_path / "fork", 0.8, is_fork=True)
    assert gitlab(jobs["train"], Runner(fork, host, **GITLAB)) == 12
    (host / "runs.zip").write_bytes((fork / "runs.zip").read_bytes())
    asked = {"FORK_SHA": support.git(fork, "rev-parse", "HEAD"), "CI_MERGE_REQUEST_IID": "4"}
    assert gitlab(jobs["publish-fork"], Runner(clone(bare, tmp_path / "trusted"), host, **GITLAB, **asked)) == 0
    assert len(support.run_refs(bare)) == 2
    assert (host / "comments").read_text().startswith("### Check failed: ")


@pytest.mark.slow
def test_a_file_without_a_run_of_the_commit_is_not_published(project: Path, bare: Path, tmp_path: Path) -> None:
    host, jobs = tmp_path / "host", load("gitlab.yml")
    fork = clone(bare, tmp_path / "fork", 0.8, is_fork=True)
    assert gitlab(jobs["train"], Runner(fork, host, **GITLAB)) == 0
    (host / "runs.zip").write_bytes((fork / "runs.zip").read_bytes())
    asked = {"FORK_SHA": support.git(bare, "rev-parse", "main")}
    assert gitlab(jobs["publish-fork"], Runner(clone(bare, tmp_path / "trusted"), host, **GITLAB, **asked)) == 1
    assert support.run_refs(bare) == {}


def gitlab(job: Mapping[str, Any], runner: Runner) -> int:
    """Run a job as GitLab does: all lines of before_script and script in one shell, after_script in another."""
    lines = [*job.get("before_script", ()), *job["script"]]
    done = runner.step("\n".join(line for line in lines if "remote set-url" not in line))
    for line in job.get("after_script", ()):
        after = runner.step(line)
        assert after.returncode == 0, after.stderr
    print(done.stdout, done.stderr)
    return done.returncode


@pytest.mark.slow
def test_the_nightly_look_at_the_registry(project: Path, bare: Path, tmp_path: Path) -> None:
    keys = {email: signing.make(tmp_path / "keys", email[:3]) for email in (signing.ANA, "registry@acme.io")}
    support.write(project / "gitexp/allowed_signers", signing.listed(keys))
    support.commit(project, "say who signs")
    support.git(project, "push", "--quiet", "origin", "main")
    signing.use(project, keys[signing.ANA])
    registry.register(project, registry.run(project))
    support.gitexp("push", "--yes")
    before = support.git(project, "rev-parse", "refs/models/churn")
    registry.register(project, registry.run(project, "other"))
    support.gitexp("push", "--yes")
    secret = keys["registry@acme.io"].read_text().strip()
    steps = dict(github_steps("github-nightly.yml"))
    first = Runner(clone(bare, tmp_path / "first"), tmp_path / "host", RUNNER_TEMP=str(tmp_path), SIGNING_KEY=secret)
    printed = finish(first, steps)
    assert re.search(r"churn +2 +2 good +2 +0", printed["verify"])
    (tag,) = support.git(bare, "tag", "--list", "gitexp-checkpoint-*").splitlines()
    support.git(bare, "update-ref", "refs/models/churn", before)
    second = Runner(clone(bare, tmp_path / "second"), tmp_path / "host", RUNNER_TEMP=str(tmp_path), SIGNING_KEY=secret)
    printed = finish(second, {name: steps[name] for name in ("bring the registry", "verify")}, verify=8)
    assert f"churn: it was cut: {tag} knew 1 more event" in printed["verify"]
