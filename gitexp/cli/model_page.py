"""The page of `gitexp model show`: what a version is, how it stands, and what was done to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from gitexp import clock, ids, text
from gitexp.cli import model_table, tables
from gitexp.cli.tables import Cell, Column, Table
from gitexp.ops.finding import goals
from gitexp.ops.registry import card as cards
from gitexp.ops.registry import models as named
from gitexp.ops.registry.card import Card
from gitexp.ops.registry.chronicle import Item
from gitexp.ops.registry.models import Known
from gitexp.record import event as recorded
from gitexp.record import rules as ruling
from gitexp.record.model import Remark, Version, Word
from gitexp.record.rules import StageRules
from gitexp.store.workspace import Workspace

_PIPE_WIDTH = 100
_EVENTS = 20  # of the history that a page shows
_COLUMNS = 8  # of a signature that a page names
_SIGNATURES = {
    recorded.GOOD: "signed",
    recorded.UNSIGNED: "",
    recorded.UNCHECKED: "signed, not checked",
    recorded.BAD: "BAD signature",
    recorded.UNKNOWN: "signed, key not listed",
    recorded.EXPIRED: "signed, key expired",
    recorded.REVOKED: "signed, key revoked",
}


def echo(workspace: Workspace, found: Card, width: int | None) -> None:
    """Print the page of a model or a version."""
    title, status = _model_title(found) if found.version is None else _version_title(found, found.version)
    facts = list(_model(found) if found.version is None else _version(workspace, found, found.version))
    blocks = [] if found.version is None else _metrics(workspace, found.version)
    history = [item for item in found.history if item.id != found.known.model.tip or item.op != recorded.JOIN]
    room = (width or _PIPE_WIDTH) - tables.cell_width(title) - tables.cell_width(status)
    click.echo(click.style(title, bold=True) + (" " * room if room >= 3 else "\n  ") + status)
    wide = max(tables.cell_width(label) for label, _ in facts)
    for label, line in facts:
        click.echo(f"  {label}{' ' * (wide - tables.cell_width(label))}  {line}".rstrip())
    for line in blocks:
        click.echo(line)
    _history(found, history, width)


def _model_title(found: Card) -> tuple[str, str]:
    model = found.known.model
    status = "removed" if model.removed else text.plural(len(named.versions(model)), "version")
    return f"model {named.safe(model)}", status


def _version_title(found: Card, version: Version) -> tuple[str, str]:
    title = f"{named.safe(found.known.model)}:{found.known.number(version)}"
    stage = model_table.stage(version).text
    since = f" since {_when(version.stage_ms)}" if version.stage_ms and stage not in ("-", "removed") else ""
    return title, ("in no stage" if stage == "-" else stage) + since


def _when(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000).astimezone():%Y-%m-%d %H:%M}"


def _model(found: Card) -> Iterator[tuple[str, str]]:
    model = found.known.model
    if model.description:
        yield from tables.fact_lines("about", model.description)
    yield "changed", f"{_when(model.changed_ms)}, created {_when(model.created_ms)}"
    yield "git", f"{model.tip[:7]} {ids.model_ref(model.first)}, {text.plural(model.count, 'event')}"
    for stage in dict.fromkeys([*found.rules.names(model.first), *_stages(found)]):
        held = model.holders(stage)
        which = ", ".join(f"{found.known.number(item)} since {_when(item.stage_ms)}" for item in held[:3])
        more = f" and {len(held) - 3} more" if len(held) > 3 else ""
        asked = _asked(found.rules.stage(model.first, stage))
        yield text.safe(stage), (which + more or "nobody") + (f"   (asks for {asked})" if asked else "")
    if model.aliases:
        named_ones, number = sorted(model.aliases.items()), found.known.number
        yield (
            "aliases",
            ", ".join(f"{text.safe(key)} {number(model.versions[id])}" for key, id in named_ones),
        )
    if model.tags:
        yield "tags", _tags(model.tags)
    for note in model.notes:
        yield from _remark("note", note)
    if model.removed:
        yield from _remark("removed", model.removed)
    if found.rules.stages or found.rules.models:
        yield "rules", f"gitexp.toml of {text.safe(found.branch)}"


def _stages(found: Card) -> list[str]:
    used = {item.stage for item in named.versions(found.known.model)}
    return sorted(used - {ruling.NONE, ruling.ARCHIVED})


def _asked(rule: StageRules) -> str:
    """Return what a stage asks for, in short."""
    parts = [text.plural(rule.approvals, "approval")] if rule.approvals else []
    parts += [f"run: {text.safe(rule.require)}"] if rule.require else []
    if rule.better_than is not None:
        parts.append(f"better {text.safe(rule.better_than.metric or 'main metric')} than {rule.better_than.stage}")
    parts += [f"tags {', '.join(map(text.safe, rule.tags))}"] if rule.tags else []
    parts += ["signatures"] if rule.signed else []
    parts += [f"coming from {' or '.join(rule.after)}"] if rule.after else []
    parts += [f"promoters {', '.join(map(text.safe, rule.promoters))}"] if rule.promoters else []
    return "; ".join(parts)


def _version(workspace: Workspace, found: Card, version: Version) -> Iterator[tuple[str, str]]:
    details = version.details
    if version.description:
        yield from tables.fact_lines("about", version.description)
    signed = ", signed" if version.signed else ""
    yield "registered", f"{_when(version.time_ms)} by {_person(version.name, version.person)}{signed}"
    if version.run:
        yield "run", _run(version)
    if version.artifact or version.size:
        where = {cards.HERE: "", cards.ELSEWHERE: "  bytes not here: gitexp model get"}.get(found.where, "")
        count = details.get("files")
        files = f", {count} files" if isinstance(count, int) and count > 1 else ""
        yield "artifact", f"{text.safe(version.artifact)}  {text.size(version.size)}{files}{where}"
    if version.sha256:
        yield "sha256", text.safe(version.sha256)
    if isinstance(details.get("framework"), str):
        yield "made with", text.safe(details["framework"])
    yield from _signature(details.get("signature"))
    if aliases := found.known.model.aliases_of(version):
        yield "aliases", ", ".join(map(text.safe, aliases))
    if version.tags:
        yield "tags", _tags(version.tags)
    yield from _said(found, version)
    loose = "; the number may still move until it is pushed" if version.id in found.known.loose else ""
    yield "event", f"{version.id[:7]} in {ids.model_ref(found.known.model.first)}{loose}"


def _run(version: Version) -> str:
    details = version.details
    name = "/".join(text.safe(str(details[key])) for key in ("experiment", "run_name") if details.get(key))
    code = details.get("code")
    said = ""
    if isinstance(code, dict) and isinstance(code.get("commit"), str):
        said = f", code {text.safe(code['commit'])[:7]}" + (" with uncommitted edits" if code.get("dirty") else "")
    who = f", by {text.safe(str(details['run_author']))}" if details.get("run_author") else ""
    return f"{ids.short(text.safe(version.run))} {name}{who}{said}"


def _signature(said: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(said, dict):
        return
    for key in ("inputs", "outputs"):
        columns = said.get(key)
        if isinstance(columns, list) and columns:
            shown = ", ".join(_column(item) for item in columns[:_COLUMNS])
            yield key, shown + (f" and {len(columns) - _COLUMNS} more (--json)" if len(columns) > _COLUMNS else "")


def _column(item: Any) -> str:
    if not isinstance(item, dict):
        return text.shorten(text.safe(str(item)), 40)
    kind = item.get("type") or item.get("dtype") or ""
    tensor = item.get("tensor-spec")
    if isinstance(tensor, dict):
        kind = f"{tensor.get('dtype', '')} {tensor.get('shape', '')}".strip()
    return text.shorten(text.safe(f"{item.get('name', '')} {kind}".strip()), 40)


def _said(found: Card, version: Version) -> Iterator[tuple[str, str]]:
    words = [("approved" if word.yes else "rejected", word) for word in version.words]
    words += [("asked", request) for request in version.requests]
    for label, word in sorted(words, key=lambda pair: pair[1].time_ms):
        yield from _word(label, word)
    for stage, standing in found.standings.items():
        needed = found.rules.stage(found.known.model.first, stage).approvals
        parts = [f"{len(standing.approved)} of {text.plural(needed, 'approval')}"]
        parts += [f"rejected by {', '.join(map(text.safe, standing.rejected))}"] if standing.rejected else []
        parts += [f"{text.safe(who)} {why}" for who, why in standing.ignored.items()]
        yield f"for {stage}", "; ".join(parts)
    for note in version.notes:
        yield from _remark("note", note)
    if version.deprecated:
        yield from _remark("deprecated", version.deprecated)
    if version.removed:
        yield from _remark("removed", version.removed)


def _word(label: str, said: Word) -> Iterator[tuple[str, str]]:
    stage = f" for {text.safe(said.stage)}" if said.stage else ""
    note = f": {said.note}" if said.note else ""
    signed = ", signed" if said.signed else ""
    yield from tables.fact_lines(label, f"{_person(said.name, said.person)} {_when(said.time_ms)}{stage}{signed}{note}")


def _remark(label: str, said: Remark) -> Iterator[tuple[str, str]]:
    words = f": {said.text}" if said.text else ""
    yield from tables.fact_lines(label, f"{_person(said.name, said.person)} {_when(said.time_ms)}{words}")


def notes(found: Sequence[Remark]) -> Iterator[str]:
    """Yield notes as lines: who, when, what; further lines of a note are indented."""
    for note in found:
        for label, line in _remark("note", note):
            yield line if label else f"    {line}"


def _person(name: str, address: str) -> str:
    return text.safe(f"{name} <{address}>" if name and address else name or address or "somebody")


def _tags(tags: Mapping[str, str]) -> str:
    return "  ".join(text.safe(f"{key}={value}" if value else key) for key, value in sorted(tags.items()))


def _metrics(workspace: Workspace, version: Version) -> list[str]:
    numbers = named.numbers(version)
    if not numbers:
        return []
    rows = tuple(
        (text.safe(name), text.number(value), goals.of(workspace, name).aggregate) for name, value in numbers.items()
    )
    lines = tables.plain(Table((Column(""), Column("", right=True), Column("")), rows))
    return ["", f"metrics ({len(rows)}) when it was registered", *(f"  {line}" for line in lines)]


def _history(found: Card, history: Sequence[Item], width: int | None) -> None:
    shown = history[-_EVENTS:]
    more = f", the last {len(shown)} (gitexp model log)" if len(shown) < len(history) else ""
    click.echo()
    click.echo(f"history ({len(history)}{more})")
    tables.echo(model_table.without_empty(rows(shown)), width)


def rows(history: Sequence[Item]) -> Table:
    """Return events as a table without a head: when, who, what, and why it was refused."""
    now = clock.now_ms()
    cells = tuple((Cell("  " + item.id[:7], "id"), text.age(item.time_ms, now), *_event(item)) for item in history)
    heads = (
        Column("", keep=3),
        Column("", right=True),
        Column("", keep=8),
        Column("", keep=4),
        Column("", keep=10, fold=24),
    )
    return Table(heads, cells)


def events(found: Sequence[tuple[Known, Item]], *, with_model: bool) -> Table:
    """Return events as a table: which, when, of which model, who, how it is signed, what."""
    now = clock.now_ms()
    cells = tuple(
        (
            item.id[:7],
            text.age(item.time_ms, now),
            *([named.safe(known.model)] if with_model else []),
            *_event(item),
        )
        for known, item in found
    )
    heads = (
        Column("EVENT", keep=5, style="id"), Column("AGE", right=True, keep=7),
        *([Column("MODEL", keep=9, style="title")] if with_model else []), Column("WHO", keep=8),
        Column("SIGNATURE", keep=4), Column("WHAT", keep=10, fold=24),
    )  # fmt: skip
    return model_table.without_empty(Table(heads, cells))


def _event(item: Item) -> tuple[str | Cell, ...]:
    what = item.what + (f": {_first(item.said)}" if item.said else "")
    return (
        text.safe(item.name or item.person),
        Cell(*_mark(item)),
        Cell(f"REFUSED: {what}: {text.safe(item.refused)}", "failed") if item.refused else what,
    )


def _first(said: str) -> str:
    first, *more = said.strip().split("\n")
    return text.shorten(text.safe(first), 60) + (" …" if more else "")


_COLOURS = {recorded.GOOD: "completed", recorded.UNSIGNED: "dim", recorded.BAD: "failed", recorded.REVOKED: "failed"}


def _mark(item: Item) -> tuple[str, str]:
    said = _SIGNATURES.get(item.signer.status, item.signer.status)
    return said, _COLOURS.get(item.signer.status, "killed")
