"""The changelog of a model, in Markdown, from its events: what each version is, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from gitexp import ids, text
from gitexp.ops.finding import goals
from gitexp.ops.registry import chronicle
from gitexp.ops.registry import models as named
from gitexp.ops.registry.chronicle import Item
from gitexp.ops.registry.models import Known
from gitexp.pages import markdown as pages
from gitexp.record import event as events
from gitexp.record import headline
from gitexp.record import rules as ruling
from gitexp.record.model import Version
from gitexp.store.workspace import Workspace

_TOLD = frozenset(
    {events.APPROVE, events.REJECT, events.TRANSITION, events.ALIAS, events.DEPRECATE, events.REMOVE, events.UNDELETE,
     events.NOTE}
)  # fmt: skip


def markdown(workspace: Workspace, found: Known) -> str:
    """Return the changelog, the newest version first; events that were refused are not told."""
    model = found.model
    lines = [f"# {pages.plain(model.name)}", ""]
    lines += [*_paragraphs(model.description), ""] if model.description else []
    every = list(model.versions.values())
    told = chronicle.by_version(found, (item for item in chronicle.of(workspace, found) if not item.refused))
    for at in reversed(range(len(every))):
        before = next((every[i] for i in range(at - 1, -1, -1) if every[i].removed is None), None)
        lines += [*_section(workspace, found, every[at], before, told.get(every[at].id, [])), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(
    workspace: Workspace, found: Known, version: Version, before: Version | None, history: Sequence[Item]
) -> Iterator[str]:
    yield f"## {found.number(version)}{_state(found, version)}"
    yield ""
    yield _headline(version)
    if version.removed is None:
        yield from _described(version)
        yield from _metrics(workspace, version, before)
    told = [item for item in history if item.op in _TOLD]
    if told:
        yield ""
    for item in told:
        said = f": {pages.plain(' '.join(item.said.split()))}" if item.said else ""
        yield f"- {_day(item.time_ms)} {pages.plain(item.what)}, by {pages.plain(item.name)}{said}"


def _state(found: Known, version: Version) -> str:
    """Return where a version is, beside its number: ` (production, champion)`."""
    words = [version.stage] if version.stage != ruling.NONE else []
    words += found.model.aliases_of(version)
    words += ["deprecated"] if version.deprecated is not None else []
    words += ["removed"] if version.removed is not None else []
    return f" ({', '.join(map(pages.plain, words))})" if words else ""


def _headline(version: Version) -> str:
    details = version.details
    parts = [f"{_day(version.time_ms)}, by {pages.plain(version.name or version.person)}"]
    if version.artifact:
        parts.append(f"{pages.code(version.artifact)} ({text.size(version.size)}, {pages.plain(version.sha256[:12])})")
    if version.run:
        name = "/".join(str(details[key]) for key in ("experiment", "run_name") if details.get(key))
        parts.append(f"run {pages.code(ids.short(version.run))} {pages.plain(name)}".rstrip())
    code = details.get("code")
    if isinstance(code, dict) and isinstance(code.get("commit"), str):
        edits = " with uncommitted edits" if code.get("dirty") else ""
        parts.append(f"code {pages.code(code['commit'][:7])}{edits}")
    framework = details.get("framework")
    parts += [pages.plain(framework)] if isinstance(framework, str) and framework else []
    return "; ".join(parts) + "."


def _described(version: Version) -> Iterator[str]:
    if version.description:
        yield ""
        yield from _paragraphs(version.description)


def _paragraphs(words: str) -> list[str]:
    return [pages.plain(line) for line in words.strip().split("\n")]


def _metrics(workspace: Workspace, version: Version, before: Version | None) -> Iterator[str]:
    """Yield the main metrics, and what they changed by since the version before."""
    numbers = named.numbers(version)
    old = named.numbers(before) if before is not None else {}
    shown = []
    for name in headline.metrics(numbers):
        change = ""
        if before is not None and name in old and old[name] != numbers[name]:
            goal = goals.of(workspace, name)
            verdict = ", better" if goal.better(numbers[name], old[name]) else ", worse" if goal.best else ""
            sign = "+" if numbers[name] > old[name] else ""
            change = f" ({sign}{text.number(numbers[name] - old[name])} over {before.number}{verdict})"
        shown.append(f"{pages.plain(name)} {text.number(numbers[name])}{change}")
    if shown:
        yield ""
        yield ", ".join(shown) + "."


def _day(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d}"
