"""The page of `gitexp show`: who, when, on which code and machine; params beside metrics and artifacts."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import click

from gitexp import clock, ids, text
from gitexp.cli import tables
from gitexp.cli.tables import Cell, Column, Table
from gitexp.ops.comparing import conform
from gitexp.ops.finding import goals
from gitexp.ops.sharing import elsewhere
from gitexp.ops.showing.show import Page
from gitexp.record.model import Model, Version
from gitexp.record.summary import Aggregate
from gitexp.store.live import LiveRun
from gitexp.store.runs import Artifact, Run
from gitexp.store.workspace import Workspace

_PIPE_WIDTH = 100  # what the layout goes by in a pipe; nothing is cut there
_LISTED = 10
_SHOWN = 50  # artifacts, and links, that the page names
_MAIN_PACKAGES = (
    "torch", "tensorflow", "jax", "lightgbm", "xgboost", "catboost", "transformers", "lightning",
    "scikit-learn", "numpy",
)  # fmt: skip


def echo(workspace: Workspace, found: Page, width: int | None) -> None:
    """Print the page of a run."""
    title, status = _title(found), _status(found.run)
    room = (width or _PIPE_WIDTH) - tables.cell_width(title) - tables.cell_width(status)
    gap = " " * room if room >= 3 else "\n  "
    facts = list(_facts(found))  # all is read before anything is printed
    if better := goals.sentence(workspace, found.run.summary):
        facts.append(("better", better))
    body = beside(_params(found.run), _results(workspace, found), width or _PIPE_WIDTH)
    click.echo(click.style(title, bold=True) + gap + click.style(status, fg=_COLOURS.get(found.run.status)))
    for label, line in facts:
        click.echo(f"  {label:<9} {line}")
    click.echo()
    for line in body:
        click.echo(line)


_COLOURS = {"completed": "green", "running": "cyan", "failed": "red", "killed": "yellow"}


def _title(found: Page) -> str:
    run = found.run
    name = found.state.title or run.name
    return f"run {ids.short(run.id)}   {text.safe(found.experiment)} / {text.safe(name)}"


def _status(run: Run) -> str:
    record = run.record
    if isinstance(run, LiveRun):
        sign = text.age(run.last_sign_ms, clock.now_ms())
        took = text.duration((clock.now_ms() - record.start_ms) / 1000)
        return f"running for {took}, last sign of life {sign} ago"
    if record.status == "running":
        sign_ms = elsewhere.sign_ms(run.workspace, run.commit or "")
        return f"running elsewhere, last sign of life {text.age(sign_ms, clock.now_ms())} ago"
    code = "" if record.exit_code is None else f" (exit {record.exit_code})"
    return f"{run.status}{code} in {text.duration(record.duration_seconds)}"


def _facts(found: Page) -> Iterator[tuple[str, str]]:
    run, state = found.run, found.state
    if state.title:
        yield "name", text.safe(run.name)
    yield "when", _when(run)
    if run.record.command:
        yield "command", text.safe(shlex.join(run.record.command))
    yield from _code(found)
    for dataset in run.data:
        yield "data", _dataset(dataset)
    if machine := _machine(run):
        yield "machine", machine
    yield "git", _git(found)
    yield from _relations(found)
    yield from _said(found)
    yield from _trouble(run)


def _when(run: Run) -> str:
    user = run.record.user
    offset = user.get("offset_minutes", 0)
    zone = timezone(timedelta(minutes=offset)) if isinstance(offset, int) and abs(offset) < 1440 else UTC
    moment = datetime.fromtimestamp(run.record.start_ms / 1000, zone)
    who = " ".join(text.safe(str(part)) for part in (user.get("name"), _address(user)) if part)
    where = f"on {text.safe(run.record.host)}" if run.record.host else ""
    return f"{moment:%Y-%m-%d %H:%M %z}" + (f", {who} {where}".rstrip() if who or where else "")


def _address(user: dict[str, Any]) -> str:
    return f"<{user['email']}>" if user.get("email") else ""


def _code(found: Page) -> Iterator[tuple[str, str]]:
    code = found.run.record.code
    if not code:
        return
    commit = text.safe(str(code.get("commit") or ""))[:7] or "no commit yet"
    subject = f' "{text.safe(found.subject)}"' if found.subject else ""
    branch = f" on {text.safe(str(code['branch']))}" if code.get("branch") else ""
    yield "code", f"{commit}{subject}{branch}, {_edits(code)}"
    paths = [*code.get("changed", ()), *(f"{path} (untracked)" for path in code.get("untracked", ()))]
    if paths:
        yield "edits", _some(paths)
    if code.get("left_out"):
        yield "left out", _some(f"{item.get('path')} ({item.get('reason')})" for item in code["left_out"])
    if code.get("edited"):
        yield (
            "changed",
            _some(code["edited"]) + ", since the process began: what ran may be older than what is recorded",
        )


def _edits(code: dict[str, Any]) -> str:
    if not code.get("dirty"):
        return "no uncommitted edits"
    if code.get("snapshot"):
        whole = "" if code.get("complete", True) else ", incomplete"
        return f"with uncommitted edits ({text.safe(str(code['snapshot']))[:7]}{whole})"
    return "with uncommitted edits, which are not recorded"


def _some(items: Iterable[Any]) -> str:
    listed = [text.safe(str(item)) for item in items]
    more = f" and {len(listed) - _LISTED} more (--json)" if len(listed) > _LISTED else ""
    return ", ".join(listed[:_LISTED]) + more


def _dataset(dataset: dict[str, Any]) -> str:
    parts = [str(dataset[key]) for key in ("role", "name", "uri") if dataset.get(key)]
    if dataset.get("sha256"):
        parts.append(f"sha256 {str(dataset['sha256'])[:8]}")
    if isinstance(dataset.get("rows"), int):
        parts.append(text.plural(dataset["rows"], "row"))
    return "  ".join(text.safe(part) for part in parts)


def _machine(run: Run) -> str:
    environment, parts = run.environment, []
    if version := _text(environment, "python", "version"):
        parts.append(f"Python {version}")
    packages = environment.get("packages")
    if isinstance(packages, dict) and packages:
        main = next((name for name in _MAIN_PACKAGES if name in packages), None)
        named = f"{main} {_text(packages, main, 'version')} (+{len(packages) - 1} packages)" if main else ""
        parts.append(named or text.plural(len(packages), "package"))
    gpus = environment.get("gpus")
    if isinstance(gpus, list) and gpus and isinstance(gpus[0], dict):
        parts.append(f"{len(gpus)} x {gpus[0].get('name', 'GPU')}")
    if environment.get("cuda"):
        parts.append(f"CUDA {environment['cuda']}")
    if seeds := sorted({str(seed) for seed in run.record.seeds.values() if seed != "random"}):
        parts.append(f"seed {', '.join(seeds)}")
    return text.safe(", ".join(parts))


def _text(value: Any, *keys: str) -> str:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return "" if value is None else str(value)


def _git(found: Page) -> str:
    run = found.run
    if not run.commit:
        return "not a commit until it ends"
    if found.held_by:
        pushed = f", on {', '.join(map(text.safe, found.held_by))}"
    else:
        pushed = ", not pushed" if found.has_remotes else ""
    return f"{run.commit[:7]} {text.safe(run.ref or '')}{pushed}"


def _relations(found: Page) -> Iterator[tuple[str, str]]:
    record = found.run.record
    if record.parent:
        yield "parent", text.safe(record.parent)[: ids.SHORT]
    if record.forked_from:
        yield "fork of", text.safe(record.forked_from)[: ids.SHORT]
    if found.versions:
        yield "models", _some(_version(model, version) for model, version in found.versions)
    if found.children:
        yield "children", _some(f"{ids.short(child.id)} {child.name}" for child in found.children)


def _version(model: Model, version: Version) -> str:
    return f"{model.name}:{version.number}" + (f" in {version.stage}" if version.stage != "none" else "")


def _said(found: Page) -> Iterator[tuple[str, str]]:
    run, state = found.run, found.state
    tags = state.tags_over(run.record.tags)
    if tags:
        yield "tags", "  ".join(text.safe(f"{key}={value}" if value else key) for key, value in sorted(tags.items()))
    if description := state.description or run.record.description:
        yield from tables.fact_lines("about", description)
    for note in state.notes:
        moment = datetime.fromtimestamp(note.time_ms / 1000).astimezone()
        name = text.safe(note.author.name or note.author.email)
        yield from tables.fact_lines("note", f"{name} {moment:%Y-%m-%d %H:%M}: {note.text}")
    for name, value in state.posts.items():
        yield "posted", f"{text.safe(name)} = {text.number(value)}"
    for name, verdict in state.verdicts.items():
        yield "verdict", f"{text.safe(name)}: {text.safe(verdict)}"
    marks = [
        word
        for word, holds in (("archived", state.archived), ("removed", state.removed), ("favourite", state.favourite))
        if holds
    ]
    if marks:
        yield "marks", ", ".join(marks)


def _trouble(run: Run) -> Iterator[tuple[str, str]]:
    record = run.record
    for reason in record.reasons:
        yield "reason", f"{text.safe(reason.tag)}: {text.safe(reason.text)}"
    for violation in record.violations:
        yield "not kept", f"{conform.line(violation)}, {text.safe(violation.get('table', ''))}"
    if record.lost:
        yield "lost", ", ".join(f"{count} {text.safe(reason)}" for reason, count in record.lost.items())
    if record.cost:
        yield "cost", ", ".join(f"{text.safe(key)} {text.value(value)}" for key, value in record.cost.items())
    error = record.error
    if error:
        yield "error", text.safe(f"{error.get('type', '')}: {error.get('message', '')}".strip(": "))
        for line in text.safe_lines(str(error.get("traceback") or "").rstrip()).split("\n")[-2 * _LISTED :]:
            if line:
                yield "", line


def _params(run: Run) -> list[str]:
    flat = run.flat_params
    if not flat:
        return ["params (0)"]
    rows = tuple((text.safe(name), text.value(value)) for name, value in flat.items())
    lines = tables.plain(Table((Column(""), Column("")), rows))
    return [f"params ({len(flat)})", *(f"  {line}" for line in lines)]


def _results(workspace: Workspace, found: Page) -> list[str]:
    run = found.run
    lines = _metrics(workspace, run)
    if run.artifacts or run.links:
        lines += _files(found)
    return lines


def _files(found: Page) -> list[str]:
    run = found.run
    total = text.size(sum(artifact.size_bytes for artifact in run.artifacts))
    rows = [_artifact(found, artifact) for artifact in run.artifacts[:_SHOWN]]
    rows += [_link(name, link) for name, link in sorted(run.links.items())[:_SHOWN]]
    listed = tables.plain(Table((Column(""), Column("", right=True), Column("")), tuple(rows)))
    more = len(run.artifacts) + len(run.links) - len(rows)
    listed += [f"and {more:,} more: gitexp artifact ls {ids.short(run.id)}"] if more else []
    return [f"artifacts ({len(run.artifacts) + len(run.links)}, {total})", *(f"  {line}" for line in listed)]


def _metrics(workspace: Workspace, run: Run) -> list[str]:
    if not run.summary:
        return ["metrics (0)"]
    heads = ("last", "best", "at step", "first")
    rows = tuple(_metric(workspace, name, aggregate) for name, aggregate in run.summary.items())
    title = f"metrics ({len(rows)})"
    wide = max(len(title) - 2, *(tables.cell_width(str(row[0])) for row in rows))
    table = Table((Column(" " * wide), *(Column(head, right=True) for head in heads)), rows)
    head, *body = tables.plain(table)
    return [title + "  " + head[len(title) :] if len(head) > len(title) else title, *(f"  {line}" for line in body)]


def _metric(workspace: Workspace, name: str, aggregate: Aggregate) -> tuple[str | Cell, ...]:
    goal = goals.of(workspace, name)
    last = text.number(aggregate.value) + (" (set)" if aggregate.set is not None else "")
    if not aggregate.count:
        return (text.safe(name), last, "-", "-", "-")
    if not goal.best:
        return (text.safe(name), last, "-", "-", text.number(aggregate.first))
    best = aggregate.max if goal.best == "max" else aggregate.min
    step = aggregate.max_step if goal.best == "max" else aggregate.min_step
    return (text.safe(name), last, text.number(best), str(step), text.number(aggregate.first))


def _artifact(found: Page, artifact: Artifact) -> tuple[str | Cell, ...]:
    said = (_about(found.run.facts_of(artifact.name)), _where(found, artifact))
    return (text.safe(artifact.name), text.size(artifact.size_bytes), "; ".join(filter(None, said)))


def _link(name: str, link: Mapping[str, Any]) -> tuple[str | Cell, ...]:
    size = link.get("size")
    said = (_about(link), f"stays at {text.safe(str(link.get('uri', '')))}")
    return (text.safe(name), text.size(size) if isinstance(size, int) else "-", "; ".join(filter(None, said)))


def _about(facts: Mapping[str, Any]) -> str:
    """Return what is said of an artifact, in short: `image, step 3`."""
    words = [str(facts[key]) for key in ("type", "role") if facts.get(key)]
    words += [f"step {facts['step']}"] if "step" in facts else []
    words += [f"{facts['metric']} {text.value(facts.get('value'))}"] if "metric" in facts else []
    words += ["changed while it was kept"] if facts.get("changed") else []
    return text.safe(", ".join(words))


def _where(found: Page, artifact: Artifact) -> str:
    """Say where the bytes of a large artifact are; small ones go wherever the commit goes."""
    if artifact.sha256 is None:
        return ""
    if not found.run.is_here(artifact):
        return "not here: gitexp fetch"
    if found.has_remotes and not found.held_by:
        return "here only"
    return ""


def beside(left: list[str], right: list[str], width: int) -> list[str]:
    """Return two blocks of lines side by side where they fit, else one below the other."""
    wide = max(map(tables.cell_width, left)) + 4
    if wide + max(map(tables.cell_width, right)) > width:
        return [*left, *right]
    rows = max(len(left), len(right))
    left, right = left + [""] * (rows - len(left)), right + [""] * (rows - len(right))
    return [(a + " " * (wide - tables.cell_width(a)) + b).rstrip() for a, b in zip(left, right, strict=True)]
