"""A promotion as a branch to review: one small file on top of the branch of the rules, and nothing else touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gitexp import clock, ids, text
from gitexp.errors import Conflict, Refused, RemoteError
from gitexp.git import branches, objects, refs, transport, trees
from gitexp.git.objects import Commit, Signature
from gitexp.ops.registry import gates, promote, proposals
from gitexp.ops.registry.gates import Gate
from gitexp.ops.registry.promote import Plan
from gitexp.ops.registry.proposals import Proposal
from gitexp.record.model import Model, Version
from gitexp.store import remotes, rulebook, signers
from gitexp.store import workspace as workspaces
from gitexp.store.rulebook import Rulebook
from gitexp.store.workspace import Workspace

_HARD = ("stage", "version", "artifact")  # gates that no review changes


@dataclass(frozen=True, slots=True)
class Proposed:
    """A branch that was made: its file, its commit, the branch of the rules below it, and what is still missing."""

    branch: str
    path: str
    commit: str
    base: str  # as people write it: origin/main
    shared: bool  # the base is a remote's
    content: str
    unmet: tuple[Gate, ...]


def create(
    workspace: Workspace, model: Model, version: Version, stage: str, *, note: str = "", branch: str = ""
) -> Proposed:
    """Make a branch that proposes a version for a stage; HEAD, the index and the files stay as they are.

    Raises Refused where no review could make it right, or there is no branch of the rules, Conflict where the name
    of the branch is taken.
    """
    book, plan = rulebook.now(workspace), promote.plan(workspace, model, version, stage)
    _check(plan, book)
    name = branches.check(workspace.repo, branch or _name(plan))
    if branches.exists(workspace.repo, name):
        raise Conflict(f"a branch {name!r} exists already", hint=f"git branch -D {name}   or: --branch NAME")
    path = proposals.path_of(model, version, plan.stage)
    content = proposals.encode(_proposal(plan, note), _remarks(plan, book))
    commit = _commit(workspace, book, path, content, f"Promote {plan.typed} to {plan.stage}")
    refs.update(workspace.repo, branches.PREFIX + name, commit, old=None)
    missing = tuple(gate for gate in plan.unmet if gate.name != "merged")
    shared = str(book.branch).startswith("refs/remotes/")
    return Proposed(name, path, commit, book.label, shared, content.decode(), missing)


def _check(plan: Plan, book: Rulebook) -> None:
    if book.commit is None:
        raise Refused("there is no branch that could take a proposal", hint="git config gitexp.rulesBranch main")
    if plan.done:
        raise Refused(f"{text.safe(plan.typed)} is in {plan.stage} already", hint=f"gitexp model show {plan.typed}")
    hard = next((gate for gate in plan.unmet if gate.name in _HARD), None)
    if hard is not None:
        raise Refused(f"{text.safe(plan.typed)}: {hard.detail}", hint=hard.fix or f"gitexp model show {plan.typed}")


def _name(plan: Plan) -> str:
    slug = ids.model_ref(plan.model.first).removeprefix(ids.MODELS)
    return f"promote/{slug}-{plan.version.number}-{plan.stage}"


def _proposal(plan: Plan, note: str) -> Proposal:
    version, rival = plan.version, plan.rival
    return Proposal(
        plan.model.first,
        version.id,
        version.sha256,
        plan.stage,
        rival.id if rival else None,
        note,
        clock.now_ms(),
    )


def _remarks(plan: Plan, book: Rulebook) -> list[str]:
    """Return what those who review should know; only the keys below it count."""
    version = plan.version
    run = f", {version.artifact} of run {ids.short(version.run)}" if version.run else ""
    lines = [f"Promote {plan.typed} to {plan.stage}: it is in {version.stage}{run}.", ""]
    if plan.rival is not None:
        lines.insert(1, f"It takes the place of version {plan.rival.number}, or has to beat it.")
    lines += [
        f"  {'met' if gate.met else 'NOT'}  {gate.name}: {gate.detail}" for gate in plan.gates if gate.name != "merged"
    ]
    rules = str(book.commit)[:7]
    lines += [f"  by the rules of {rules}", "", "Once it is merged: gitexp model accept", ""]
    return lines


def _commit(workspace: Workspace, book: Rulebook, path: str, content: bytes, subject: str) -> str:
    repo, base = workspace.repo, str(book.commit)
    who, seconds = workspaces.user(workspace), clock.now_ms() // 1000
    person = Signature(who["name"], who["email"], seconds)
    tree = trees.put(repo, objects.tree_of(repo, base), path, objects.write_blob(repo, content))
    return signers.write(workspace, Commit(tree, (base,), person, person, f"{subject}\n"))


def send(workspace: Workspace, made: Proposed, name: str) -> None:
    """Push the branch to a remote; raises RemoteError where that does not take it."""
    remote, ref = remotes.choose(workspace, name), branches.PREFIX + made.branch
    results = transport.push(workspace.repo, remote.name, [f"{made.commit}:{ref}"], options=transport.interactive())
    refused = next((item for item in results if item.status == transport.REJECTED), None)
    if refused is not None:
        raise RemoteError(
            f"{remote.label} refused {made.branch}: {text.safe(refused.reason)}",
            hint=f"git push {remote.name} {made.branch}",
        )


def describe(made: Proposed) -> dict[str, Any]:
    """Return the JSON of a proposal (docs/scripting.md)."""
    return {
        "branch": made.branch,
        "base": made.base,
        "commit": made.commit,
        "path": made.path,
        "content": made.content,
        "unmet": [gate.to_json() for gate in made.unmet],
    }


def next_step(made: Proposed) -> str:
    """Return what to do with the branch, for people: a remote's branch takes pull requests, one of here is merged."""
    name, _, into = made.base.partition("/") if made.shared else ("", "", made.base)
    if not name:
        return f"merge it into {text.safe(into)}, as your project does, then: gitexp model accept"
    return f"send it: git push {name} {made.branch}   then open a pull request into {text.safe(into)}"


def missing(made: Proposed) -> str:
    """Return what is still missing beside the merge, on one line; "" for nothing."""
    return "; ".join(f"{gate.name}: {gate.detail}" for gate in gates.unmet(made.unmet))
