"""The page of `gitexp check`: a line a rule on stdout, what was held against what on stderr; or all as Markdown."""

from __future__ import annotations

from gitexp import ids, text
from gitexp.cli import context, tables
from gitexp.cli.tables import Cell, Column, Table
from gitexp.ops.comparing import check
from gitexp.ops.comparing.check import Rule, Verdict
from gitexp.ops.finding import terms
from gitexp.store.runs import Run


def echo(verdict: Verdict, width: int | None) -> None:
    """Print the rules to stdout, and the talk to stderr."""
    context.say(f"gitexp: {_against(verdict)}")
    tables.echo(_table(verdict), width)
    for line in verdict.warnings:
        context.say(f"gitexp: {line}")


def echo_markdown(verdict: Verdict) -> None:
    """Print all of it as Markdown: for a comment on a pull request."""
    mark = "passed" if verdict.passed else "failed"
    context.out(f"### Check {mark}: {tables.markdown_text(_name(verdict.run))}")
    context.out()
    for line in tables.markdown(_table(verdict)):
        context.out(line)
    context.out()
    for line in (_against(verdict), *verdict.warnings):
        context.out(tables.markdown_text(line))


def _against(verdict: Verdict) -> str:
    """Return what was held against what, and the code of each."""
    line, base = f"{_name(verdict.run)}, {_code(verdict.run)}", verdict.baseline
    if base is not None:
        line += f", against {_name(base.run)}, {text.safe(base.how) or _code(base.run)}"
        line += "" if base.run.status == check.COMPLETED else f", {base.run.status}"
    return f"{line}; {text.safe(verdict.missing)}" if verdict.missing else line


def _name(run: Run) -> str:
    return f"{ids.short(run.id)} {text.safe(run.experiment)}/{text.safe(run.name)}"


def _code(run: Run) -> str:
    code = run.record.code
    commit = text.safe(str(code.get("commit") or ""))[:7] or "no commit yet"
    return f"code {commit}" + (" + uncommitted edits" if code.get("dirty") else "")


def _table(verdict: Verdict) -> Table:
    heads: tuple[Column, ...] = (
        Column("CHECK", keep=10), Column("RUN", right=True, keep=9), Column("BASELINE", right=True, keep=5),
        Column("CHANGE", right=True, keep=4), Column("ALLOWED", keep=6), Column("RESULT", keep=10),
    )  # fmt: skip
    if verdict.baseline is None:
        heads = tuple(column for column in heads if column.title not in ("BASELINE", "CHANGE"))
    return Table(heads, tuple(_row(rule, verdict.baseline is not None) for rule in verdict.rules))


def _row(rule: Rule, compared: bool) -> tuple[str | Cell, ...]:
    base = ("-" if rule.baseline is None else text.number(rule.baseline), _change(rule)) if compared else ()
    result = Cell("pass", "better") if rule.passed else Cell("FAIL", "worse")
    return (check.title(rule), _value(rule), *base, _allowed(rule), result)


def _value(rule: Rule) -> str:
    if rule.kind == check.STATUS:
        return str(rule.value)
    if rule.kind == check.CONVENTION:
        return text.safe(rule.value or "kept")
    if rule.kind != check.REQUIRE:
        return "-" if rule.value is None else text.number(rule.value)
    shown = {name: terms.shown(name, value) for name, value in rule.value.items()}
    alone = len(shown) == 1
    return text.safe(", ".join(value if alone else f"{name} {value}" for name, value in shown.items())) or "-"


def _change(rule: Rule) -> str:
    """Return the change with as many decimals as the values are shown with."""
    if rule.change is None or rule.baseline is None:
        return "-"
    if rule.kind == check.PERCENT and rule.change_percent is not None:
        return f"{rule.change_percent:+.2f} %"
    places = max(len(text.number(value).partition(".")[2]) for value in (rule.value, rule.baseline))
    fixed = f"{rule.change:+.{places}f}"
    return fixed if fixed.strip("+-0.") or not rule.change else f"{rule.change:+.4g}"


def _allowed(rule: Rule) -> str:
    """Return what the rule allows, with the direction and where that is from."""
    goal = rule.metric.goal if rule.metric else None
    limit = "" if rule.limit is None else f"{rule.limit:.10g}"
    if rule.kind in (check.DROP, check.PERCENT) and goal is not None:
        word = "drop" if goal.best == "max" else "rise"
        amount = f"{limit} %" if rule.kind == check.PERCENT else limit
        return f"{word} of {amount} ({goal.words})" if rule.limit else f"no {word} ({goal.words})"
    return {check.STATUS: check.COMPLETED, check.NUMBER: "a number", check.LEAST: f">= {limit}",
            check.MOST: f"<= {limit}", check.REQUIRE: "is true", check.CONVENTION: "is kept"}[rule.kind]  # fmt: skip
