"""The page of `gitexp importance`: the params by what they matter, on which runs that rests, and what was left out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import click

from gitexp import text
from gitexp.cli import tables
from gitexp.cli.tables import Column, Table
from gitexp.ops.comparing import importance
from gitexp.ops.comparing.importance import Importance

_BAR, _NAMED = 12, 6
_WIDTH = 100  # what lines are folded at in a pipe


def echo(found: Importance, width: int | None) -> None:
    """Print what matters."""
    for line in [_head(found), ""]:
        click.echo(line)
    heads = (Column("PARAM", keep=10), Column("SHARE", right=True), Column("", keep=3), Column("DIRECTION", keep=8))
    rows = [
        (text.safe(", ".join(param.names)), f"{100 * param.share:.0f} %", "█" * round(_BAR * param.share),
         text.safe(importance.hint(param, found.goal)))
        for param in found.params
    ]  # fmt: skip
    tables.echo(Table(heads, tuple(rows)), width)
    click.echo()
    for line in _below(found):
        for folded in textwrap.wrap(line, width or _WIDTH, break_long_words=False, break_on_hyphens=False):
            click.echo(folded)


def _head(found: Importance) -> str:
    metric = f"{text.safe(found.metric)}:{found.goal.aggregate}"
    direction = f" ({found.goal.words})" if found.goal.words else ""
    runs = f"{'the newest ' if found.cut else ''}{text.plural(len(found.runs), 'completed run')}"
    return f"{metric} over {runs} of {text.safe(found.title)}{direction}"


def _below(found: Importance) -> Iterator[str]:
    yield (
        f"Together they explain {100 * (found.explained or 0):.0f} % of the order of runs that were held out."
        f" {importance.CAVEAT}"
    )
    for param in found.params:
        if len(param.names) > 1:
            yield f"{_listed(param.names)} always change together: one line stands for them."
    for one, other in found.close:
        yield f"{text.safe(one)} and {text.safe(other)} hardly change apart: their shares may belong to either."
    left_out = []
    if found.constant:
        left_out.append(f"{text.plural(len(found.constant), 'param')} equal everywhere ({_listed(found.constant)})")
    if found.unique:
        left_out.append(f"{_listed(found.unique)}, another text in nearly every run")
    if found.without:
        left_out.append(f"{text.plural(found.without, 'completed run')} without a number for the metric")
    if left_out:
        yield f"Left out: {'; '.join(left_out)}."


def _listed(names: tuple[str, ...]) -> str:
    shown = [text.safe(name) for name in names[:_NAMED]]
    return ", ".join([*shown, f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else shown)
