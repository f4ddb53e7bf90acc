"""A comparison as Markdown, for comments on a change."""

from __future__ import annotations

from collections.abc import Iterator

from gitexp import ids, text
from gitexp.cli import diff_page, diff_parts, diff_table, tables
from gitexp.ops.comparing import diff
from gitexp.ops.comparing.diff import Comparison
from gitexp.ops.finding import code


def lines(found: Comparison, every: bool) -> Iterator[str]:
    """Yield the runs, the table of what differs, and how many causes that can have."""
    for label, run in zip(diff.labels(len(found.runs)), found.runs, strict=True):
        status = "" if run.status == "completed" else f", {run.status}"
        name = tables.markdown_text(text.safe(f"{run.experiment}/{run.name}"))
        yield f"- **{label}** `{ids.short(run.id)}` {name}, {diff_page.code_of(code.of(run))}{status}"
    table = diff_table.table(found, every)
    if table.rows:
        yield ""
        yield from tables.markdown(table)
    yield ""
    yield tables.markdown_text(diff_parts.verdict(found))
    yield from (tables.markdown_text(text.safe(line)) for line in found.unread)
