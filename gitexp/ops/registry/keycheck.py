"""Whether the user's signatures would count: the key, a trial, whom it signs for, and what is wrong with the lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gitexp import clock, text
from gitexp.errors import CheckFailed
from gitexp.git import command, objects, signing
from gitexp.ops.registry import keys
from gitexp.record import event, roster
from gitexp.record.rules import Rules
from gitexp.store import rulebook, signers
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace

_ADVICE = "gitexp keys setup"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is well, what was found, and what can be typed where it is not."""

    what: str
    good: bool
    detail: str
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp keys check --json` prints of it."""
        return {"what": self.what, "good": self.good, "detail": self.detail, "fix": self.fix or None}


def look(workspace: Workspace) -> list[Finding]:
    """Look at the user's key (a trial signature is made), at whom it signs for, and at the lists."""
    found = [_key_check(workspace)]
    if found[0].good:
        found.append(_trial(workspace))
        found.append(_counts(workspace))
    now = signers.lists(workspace)
    found += _list_checks(now)
    return found + _people_check(now, rulebook.now(workspace).rules)


def refuse(found: list[Finding]) -> None:
    """Raise CheckFailed where something is wrong."""
    wrong = [item for item in found if not item.good]
    if wrong:
        more = f", and {text.plural(len(wrong) - 1, 'thing')} more" if len(wrong) > 1 else ""
        raise CheckFailed(f"to be mended: {wrong[0].what}{more}", hint=wrong[0].fix)


def _key_check(workspace: Workspace) -> Finding:
    ready = signing.ready(workspace.repo)
    if ready.why:
        return Finding("signing key", False, ready.why, ready.hint)
    if not signers.wanted(workspace):
        return Finding("signing key", False, f"{ready.key} could sign, but user.signingKey does not name it", _ADVICE)
    return Finding("signing key", True, f"{ready.format} {ready.key}")


def _trial(workspace: Workspace) -> Finding:
    user = workspaces.user(workspace)
    person = objects.Signature(user["name"], user["email"], clock.now_ms() // 1000)
    try:
        signing.try_out(workspace.repo, objects.Commit(objects.EMPTY_TREE, (), person, person, "a trial\n"))
    except command.GitFailed as error:
        return Finding("trial signature", False, error.message.removeprefix("cannot sign: "), "ssh-add KEYFILE")
    return Finding("trial signature", True, "made")


def _counts(workspace: Workspace) -> Finding:
    signer, own = signers.expected(workspace, clock.now_ms() // 1000), keys.own_address(workspace)
    if signer.status == event.GOOD and signer.person.lower() == own.lower():
        return Finding("what it counts as", True, signer.person)
    if signer.status == event.GOOD:
        said = f"{signer.person}, not {own}, whom your commits name"
        return Finding("what it counts as", False, said, f"git config user.email {signer.person}")
    if signer.status == event.UNKNOWN:
        setup = keys.plan(workspace)
        return Finding(
            "what it counts as", False, f"nobody: no list names it for {own}",
            f"gitexp keys setup --write   ({setup.where}, then have it merged)" if setup.format == "ssh"
            else f"{setup.where}: {setup.line}",
        )  # fmt: skip
    return Finding("what it counts as", False, f"nobody: it is {signer.status}", f"{_ADVICE} --new")


def _list_checks(now: signers.Lists) -> Iterator[Finding]:
    if not now.allowed and not now.gpg:
        yield Finding("allowed signers", False, "there is no list: no signature counts", f"{_ADVICE} --write")
    for source in (*now.allowed, *now.revoked):
        if source.text is None:
            yield Finding(source.where, False, "is configured and not there", f"ls -l {source.where}")
    for source in now.allowed:
        for number, why in roster.parse(source.text or "").faults:
            yield Finding(f"{source.where}, line {number}", False, f"counts for nothing: {why}", "ssh-keygen -Y verify")


def _people_check(now: signers.Lists, rules: Rules) -> list[Finding]:
    """Return who is to approve or promote under signatures and has no key."""
    stages = {name: stage for every in (rules.stages, *rules.models.values()) for name, stage in every.items()}
    wanted: dict[str, set[str]] = {}
    for name, stage in stages.items():
        if stage.signed:
            for person in rules.people((*stage.approvers, *stage.promoters)):
                wanted.setdefault(person, set()).add(name)
    first = {key.fingerprint: key.people[0].lower() for key in reversed(now.roster.keys)}  # one key, one person
    have = {person for mark, person in first.items() if mark not in now.gone}
    have |= {person.lower() for person in now.gpg}
    return [
        Finding(
            person, False, f"is named for {', '.join(sorted(names))} and has no key", f"gitexp keys add {person} KEY"
        )
        for person, names in sorted(wanted.items())
        if person not in have
    ]
