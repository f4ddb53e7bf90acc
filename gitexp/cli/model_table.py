"""The tables of `gitexp model ls`: models, and versions with the metrics that matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gitexp import clock, ids, text
from gitexp.cli import tables
from gitexp.cli.tables import Cell, Column, Table
from gitexp.ops.finding import goals
from gitexp.ops.registry import models as named
from gitexp.ops.registry.models import Known
from gitexp.record import headline
from gitexp.record import rules as ruling

if TYPE_CHECKING:
    from gitexp.record.model import Version
    from gitexp.store.workspace import Workspace

_METRICS = 2
_LISTED = 3  # versions of one stage that the list of models names
Row = tuple[Known, "Version"]


def models(found: Sequence[Known], width: int | None) -> None:
    """Print a list of models."""
    total = sum(len(named.versions(item.model)) for item in found)
    click.echo(f"{text.plural(len(found), 'model')}, {text.plural(total, 'version')}")
    if not found:
        click.echo("register one with: gitexp model register RUN NAME")
        return
    click.echo()
    dropped = tables.echo(_models(found), width)
    said = [_MAY_MOVE] if any(item.loose for item in found) else []
    _footer([*said, *_dropped(dropped)], width)


_MAY_MOVE = "? may still move until it is pushed."


def _models(found: Sequence[Known]) -> Table:
    now = clock.now_ms()
    columns = (
        Column("MODEL", keep=10, style="title"), Column("VERSIONS", right=True, keep=6), Column("LATEST", right=True),
        Column("STAGES", keep=8), Column("ALIASES", keep=5), Column("CHANGED", right=True, keep=7),
        Column("DESCRIPTION", keep=4),
    )  # fmt: skip
    rows = []
    for item in found:
        model, latest = item.model, item.model.latest()
        aliases = ", ".join(
            f"{text.safe(name)} {item.number(model.versions[id])}" for name, id in sorted(model.aliases.items())
        )
        rows.append(
            (
                named.safe(model) + ("  (removed)" if model.removed else ""),
                f"{len(named.versions(model)):,}",
                item.number(latest) if latest else "-",
                _stages(item) or "-",
                aliases or "-",
                text.age(model.changed_ms, now),
                text.shorten(text.safe(model.description.split("\n")[0]), 60),
            )
        )
    return without_empty(Table(columns, tuple(rows)))


def _stages(found: Known) -> str:
    """Return which versions are in which stage: `production 3, staging 7 6`; the archive is no news."""
    held: dict[str, list[str]] = {}
    for item in named.versions(found.model):
        if item.stage not in (ruling.NONE, ruling.ARCHIVED):
            held.setdefault(item.stage, []).append(found.number(item))
    return ", ".join(
        f"{stage} {' '.join(numbers[:_LISTED])}" + (f" and {len(numbers) - _LISTED} more" if numbers[_LISTED:] else "")
        for stage, numbers in sorted(held.items())
    )


def versions(
    workspace: Workspace, rows: Sequence[Row], total: int, *, title: Known | None, stage: str, width: int | None
) -> None:
    """Print versions; `title` is the model where only one is asked for, `total` how many there are."""
    click.echo(_header(title, stage) if title is not None else f"{stage}: {text.plural(total, 'version')}")
    if not rows:
        return
    click.echo()
    shown = _metrics(workspace, [row for _, row in rows])
    best = {metric: _best(workspace, metric, [row for _, row in rows]) for metric in shown}
    dropped = tables.echo(_versions(rows, best, with_model=title is None), width)
    said = [f"{len(rows)} of {total:,} (-n 50, --all)."] if len(rows) < total else []
    if any(row.id in item.loose for item, row in rows):
        said.append(_MAY_MOVE)
    marked = [metric for metric, value in best.items() if value is not None]
    if better := goals.sentence(workspace, marked):
        said.append(f"* best: {better}.")
    _footer([*said, *_dropped(dropped)], width)


def _header(found: Known, stage: str) -> str:
    """Return the line above: churn: 12 versions, production 3, staging 5; 2 not pushed, 1 event refused."""
    model = found.model
    kept = named.versions(model, stage=stage)
    parts = [text.plural(len(kept), "version"), *([_stages(found)] if _stages(found) and not stage else [])]
    line = f"{named.safe(model)}{' (removed)' if model.removed else ''}: {', '.join(parts)}"
    open_words = sum(_is_asked(item) for item in kept)
    more = [f"{len(found.loose)} not pushed"] if found.loose else []
    more += [f"{text.plural(open_words, 'approval')} asked for"] if open_words else []
    refused = len(model.refused)
    more += [f"{text.plural(refused, 'event')} refused (gitexp model log {named.safe(model)})"] if refused else []
    if not kept and not stage:
        more.append(f"add one with: gitexp model register RUN {named.safe(model)}")
    return line + (f"; {', '.join(more)}" if more else "")


def _is_asked(item: Version) -> bool:
    """Say whether somebody asked for an approval that nobody has answered since."""
    asked = max((request.time_ms for request in item.requests), default=0)
    return asked > max((word.time_ms for word in item.words), default=0) and asked > item.stage_ms


def _versions(rows: Sequence[Row], best: dict[str, float | None], *, with_model: bool) -> Table:
    now = clock.now_ms()
    several = len({row.person for _, row in rows}) > 1
    heads = (
        *([Column("MODEL", keep=10, style="title")] if with_model else []),
        Column("VERSION", right=True, keep=10, style="id"), Column("STAGE", keep=9), Column("ALIASES", keep=6),
        Column("AGE", right=True, keep=6), *([Column("WHO", keep=3)] if several else []), Column("RUN", keep=5),
        *(Column(text.safe(metric), right=True, keep=8 - at) for at, metric in enumerate(best)),
        Column("FRAMEWORK", keep=2), Column("SIZE", right=True, keep=3),
    )  # fmt: skip
    cells = []
    for item, row in rows:
        framework = row.details.get("framework")
        cells.append((
            *([named.safe(item.model)] if with_model else []),
            item.number(row),
            stage(row),
            ", ".join(map(text.safe, item.model.aliases_of(row))) or "-",
            text.age(row.time_ms, now),
            *([text.safe(row.name or row.person or "-")] if several else []),
            ids.short(text.safe(row.run)) or "-",
            *(_number(row, metric, top) for metric, top in best.items()),
            text.shorten(text.safe(framework), 24) if isinstance(framework, str) and framework else "-",
            text.size(row.size),
        ))  # fmt: skip
    return without_empty(Table(heads, tuple(cells)))


def stage(item: Version) -> Cell:
    """Return the stage of a version, and what keeps it from others."""
    if item.removed is not None:
        return Cell("removed", "failed")
    if item.deprecated is not None:
        return Cell("deprecated" if item.stage == ruling.NONE else f"{item.stage} deprecated", "killed")
    if item.stage in (ruling.NONE, ruling.ARCHIVED):
        return Cell("-" if item.stage == ruling.NONE else item.stage, "dim")
    return Cell(item.stage, "completed")


def _metrics(workspace: Workspace, found: Sequence[Version]) -> list[str]:
    """Return the metrics that matter: the project's own, else those of a headline that most versions have."""
    known = named.metrics(found)
    main = workspace.settings.text("metric")
    if main and main in known:
        return [main]
    return headline.metrics(known)[:_METRICS]


def _best(workspace: Workspace, metric: str, found: Sequence[Version]) -> float | None:
    values = [value for value in named.metrics(found)[metric] if value == value]
    goal = goals.of(workspace, metric).best
    if not goal or len(values) < 2:
        return None
    return max(values) if goal == "max" else min(values)


def _number(item: Version, metric: str, best: float | None) -> str | Cell:
    value = named.numbers(item).get(metric)
    if value is None:
        return "-"
    return Cell("*" + text.number(value), "best") if best is not None and value == best else text.number(value)


def without_empty(table: Table) -> Table:
    """Leave columns out that say nothing of any row."""
    kept = [
        at
        for at in range(len(table.columns))
        if at == 0 or any(tables.cell_text(row[at]) not in ("-", "") for row in table.rows)
    ]
    return Table(tuple(table.columns[at] for at in kept), tuple(tuple(row[at] for at in kept) for row in table.rows))


def _dropped(dropped: Sequence[str]) -> list[str]:
    return [f"Too narrow for {', '.join(dropped)}."] if dropped else []


def _footer(said: Sequence[str], width: int | None) -> None:
    if said:
        click.echo()
        tables.echo_words("  ".join(said), width)
