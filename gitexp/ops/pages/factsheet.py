"""Where a run comes from, line by line: code, command, data, machine, people, and how to get it back."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from gitexp import text
from gitexp.errors import Damaged
from gitexp.ops.comparing import conform, difference
from gitexp.ops.finding import code
from gitexp.pages.parts import Cell, Column, Fact, Sheet, Table
from gitexp.record.facts import State
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

_LISTED = 12  # files, packages or words of one line
_PACKAGES = 600  # of the folded list


def sheet(workspace: Workspace, run: Run, place: int, state: State, *, lists: bool = True) -> Sheet:
    """Return the facts of one run, with its packages if `lists`; what cannot be read is said in their place."""
    facts = [*_identity(run, state), *_code(workspace, run)]
    if run.record.command:
        facts.append(Fact("command", shlex.join(run.record.command), code=True))
    packages: tuple[tuple[str, Table], ...] = ()
    try:
        facts += [*_data(run), *_machine(run)]
        packages = tuple(_packages(run.environment)) if lists else ()
    except Damaged as error:
        facts.append(Fact("not readable", error.message))
    return Sheet(place, (*facts, *_rest(run), *_again(run)), packages)


def when(run: Run) -> str:
    """Return when a run began, in the zone of the machine it ran on."""
    offset = run.record.user.get("offset_minutes", 0)
    known = isinstance(offset, int) and abs(offset) < 1440
    return f"{datetime.fromtimestamp(run.record.start_ms / 1000, _zone(offset if known else 0)):%Y-%m-%d %H:%M %z}"


def _zone(offset_minutes: int) -> timezone:
    return timezone(timedelta(minutes=offset_minutes)) if offset_minutes else UTC


def took(run: Run) -> str:
    """Return how long a run took; nothing of one that is running."""
    return text.duration(run.record.duration_seconds)


def edits(run: Run) -> str:
    """Say whether a run had uncommitted edits, and whether they are recorded."""
    said = run.record.code
    if not said.get("dirty"):
        return "no uncommitted edits"
    if said.get("snapshot"):
        whole = "" if said.get("complete", True) else ", not all of them recorded"
        return f"uncommitted edits, recorded as {str(said['snapshot'])[:7]}{whole}"
    return "uncommitted edits, not recorded"


def _identity(run: Run, state: State) -> Iterator[Fact]:
    record = run.record
    ended = "" if record.exit_code is None else f", exit {record.exit_code}"
    yield Fact("run", f"{run.id}", code=True)
    yield Fact("status", f"{run.status}{ended}" + ("" if record.end_ms is None else f", after {took(run)}"))
    for reason in record.reasons:
        yield Fact("reason", f"{reason.tag}: {reason.text}")
    for violation in record.violations:
        yield Fact("not kept", conform.line(violation))
    who = " ".join(part for part in (str(record.user.get("name") or ""), _address(record.user)) if part)
    yield Fact("when", ", ".join(part for part in (when(run), who, f"on {record.host}" if record.host else "") if part))
    tags = state.tags_over(record.tags)
    if tags:
        yield Fact("tags", "  ".join(f"{key}={value}" if value else key for key, value in sorted(tags.items())))
    if description := state.description or record.description:
        yield Fact("about", description)
    for name, posted in sorted(state.posts.items()):
        yield Fact("learned later", f"{name} = {text.number(posted)}")
    for name, verdict in sorted(state.verdicts.items()):
        yield Fact("verdict", f"{name}: {verdict}")


def _address(user: dict[str, Any]) -> str:
    return f"<{user['email']}>" if user.get("email") else ""


def _code(workspace: Workspace, run: Run) -> Iterator[Fact]:
    said = run.record.code
    if run.commit:
        yield Fact("run commit", f"{run.commit}", code=True)
    if run.ref:
        yield Fact("ref", run.ref, code=True)
    if not said:
        return
    commit = code.of(run).commit
    branch = f" on {said['branch']}" if said.get("branch") else ""
    yield Fact("code commit", (commit or "no commit yet") + branch)
    if subject := code.subject(workspace, commit):
        yield Fact("its subject", subject)
    yield Fact("edits", edits(run))
    paths = [*said.get("changed", ()), *(f"{path} (untracked)" for path in said.get("untracked", ()))]
    if paths:
        yield Fact("edited files", _some(paths))
    left_out = [item for item in said.get("left_out") or () if isinstance(item, dict)]
    if left_out:
        yield Fact("not recorded", _some([f"{item.get('path')} ({item.get('reason')})" for item in left_out]))
    if said.get("remote"):
        yield Fact("repository", str(said["remote"]))


def _some(items: list[Any]) -> str:
    return text.some([str(item) for item in items], _LISTED)


def _data(run: Run) -> Iterator[Fact]:
    for item in run.data:
        parts = [str(item[key]) for key in ("role", "name", "uri") if item.get(key)]
        parts += [f"sha256 {str(item['sha256'])[:12]}"] if item.get("sha256") else []
        parts += [text.plural(item["rows"], "row")] if isinstance(item.get("rows"), int) else []
        yield Fact("data", "  ".join(parts))


def _machine(run: Run) -> Iterator[Fact]:
    found = difference.surroundings(run, run.environment)
    found.pop("host", None)
    named = [f"{name} {_word(name, value)}" for name, value in found.items() if not name.startswith("$")]
    if named:
        yield Fact("machine", ", ".join(named))
    variables = [f"{name}={value}" for name, value in found.items() if name.startswith("$")]
    if variables:
        yield Fact("variables", _some(variables))
    if run.record.seeds:
        yield Fact("seeds", ", ".join(f"{name} {text.value(seed)}" for name, seed in sorted(run.record.seeds.items())))


def _word(name: str, value: Any) -> str:
    return text.size(value) if name == "memory" and isinstance(value, int) else str(value)


def _packages(environment: dict[str, Any]) -> Iterator[tuple[str, Table]]:
    found = sorted(difference.packages(environment).items())
    if not found:
        return
    rows = tuple((Cell(name), Cell(version, marks="code")) for name, version in found[:_PACKAGES])
    more = f", {_PACKAGES} shown" if len(found) > _PACKAGES else ""
    yield text.plural(len(found), "package") + more, Table((Column("package"), Column("version")), rows)


def _rest(run: Run) -> Iterator[Fact]:
    record = run.record
    if record.parent:
        yield Fact("parent run", record.parent, code=True)
    if record.forked_from:
        yield Fact("fork of", record.forked_from, code=True)
    if record.cost:
        yield Fact("cost", ", ".join(f"{key} {text.value(value)}" for key, value in record.cost.items()))
    if record.lost:
        yield Fact("lost", ", ".join(f"{count} {reason}" for reason, count in record.lost.items()))
    if record.error:
        said = f"{record.error.get('type', '')}: {record.error.get('message', '')}".strip(": ")
        yield Fact("error", said)


def _again(run: Run) -> Iterator[Fact]:
    """Say how to get the code of a run back, with plain Git."""
    if run.commit and run.ref and code.of(run).revision:
        yield Fact("the code again", f"git switch -c try {run.commit[:12]}^", code=True)
