"""What people say of runs at any time: tags, notes, titles, numbers learned later, removal; one commit each time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gitexp import canonical, ids, text
from gitexp.errors import NotFound, Refused, UsageError
from gitexp.git import command
from gitexp.ops.finding import find
from gitexp.record.author import MAX_KEY, MAX_TEXT
from gitexp.record.facts import Fact
from gitexp.store import annotations as said
from gitexp.store.annotations import Change
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

Runs = Sequence[Run]


def tag(workspace: Workspace, runs: Runs, tags: Mapping[str, str]) -> tuple[Fact, ...]:
    """Set tags; a bare tag has the value ""."""
    for key, value in tags.items():
        check_tag(key, value)
    return _say(workspace, runs, lambda run: [_of(run, "tag", key=key, value=tags[key]) for key in tags])


def untag(workspace: Workspace, runs: Runs, keys: Iterable[str]) -> tuple[Fact, ...]:
    """Take tags away, those of the record too."""
    keys = [check_tag(key, "") for key in keys]
    return _say(workspace, runs, lambda run: [_of(run, "untag", key=key) for key in keys])


def note(workspace: Workspace, runs: Runs, words: str) -> tuple[Fact, ...]:
    """Add a note."""
    checked = check_text(words, "note")
    return _say(workspace, runs, lambda run: [_of(run, "note", text=checked)])


def title(workspace: Workspace, runs: Runs, words: str) -> tuple[Fact, ...]:
    """Give a title that stands before the name; an empty one takes it away."""
    checked = ids.check_name(words, "title") if words else ""
    return _say(workspace, runs, lambda run: [_of(run, "title", text=checked)])


def describe(workspace: Workspace, runs: Runs, words: str) -> tuple[Fact, ...]:
    """Replace the description; an empty one gives the record's back."""
    checked = check_text(words, "description") if words else ""
    return _say(workspace, runs, lambda run: [_of(run, "description", text=checked)])


def archive(workspace: Workspace, runs: Runs, *, on: bool = True) -> tuple[Fact, ...]:
    """Put runs into the archive, or take them out of it."""
    return _say(workspace, runs, lambda run: [_of(run, "archive" if on else "unarchive")])


def favourite(workspace: Workspace, runs: Runs, *, on: bool = True) -> tuple[Fact, ...]:
    """Mark runs as favourites, or no longer."""
    return _say(workspace, runs, lambda run: [_of(run, "favourite" if on else "unfavourite")])


def post(workspace: Workspace, runs: Runs, numbers: Mapping[str, float]) -> tuple[Fact, ...]:
    """Add numbers learned after the run, for example of an A/B test."""
    for name, value in numbers.items():
        _check_key(name, "number's name")
        try:
            canonical.number(value)
        except ValueError:
            raise UsageError(f"{name} is {value!r}, not a number", hint="give an int or a float") from None
    return _say(workspace, runs, lambda run: [_of(run, "post", values=dict(numbers))])


def verdict(workspace: Workspace, runs: Runs, key: str, value: str) -> tuple[Fact, ...]:
    """Say what came of checking a run, for example whether it could be reproduced."""
    _check_key(key, "verdict")
    return _say(workspace, runs, lambda run: [_of(run, "verdict", key=key, value=check_text(value, "verdict"))])


def remove(workspace: Workspace, runs: Runs, reason: str = "") -> tuple[Fact, ...]:
    """Hide runs from lists; nothing is deleted, and `undelete` brings them back. Raises Refused for running ones."""
    refuse_live(runs, "removed")
    return _say(workspace, runs, lambda run: [_of(run, "remove", reason=reason)])


def undelete(workspace: Workspace, runs: Runs, reason: str = "") -> tuple[Fact, ...]:
    """Bring removed runs back; those that are not removed stay as they are."""
    removed = [run for run in runs if said.state(workspace, run).removal is not None]
    return _say(workspace, removed, lambda run: [_of(run, "undelete", reason=reason)])


def parse_tags(words: Iterable[str]) -> dict[str, str]:
    """Return the tags that words like owner=ana and production mean."""
    return {key: value for key, _, value in (word.partition("=") for word in words)}


def tags_line(tags: Mapping[str, str], between: str = "  ") -> str:
    """Return tags on one line, as they are typed."""
    return between.join(text.safe(f"{key}={value}" if value else key) for key, value in tags.items())


def tags_of(workspace: Workspace, run: Run) -> dict[str, str]:
    """Return the tags of a run: those of its record as facts leave them."""
    return dict(sorted(said.state(workspace, run).tags_over(run.record.tags).items()))


def title_of(workspace: Workspace, run: Run) -> str | None:
    """Return the title of a run."""
    return said.state(workspace, run).title


def notes_json(workspace: Workspace, run: Run) -> list[dict[str, Any]]:
    """Return the JSON of a run's notes, oldest first."""
    return [item.to_json() for item in said.state(workspace, run).notes]


def notes_lines(workspace: Workspace, run: Run) -> list[str]:
    """Return a run's notes as lines: when, who, what; further lines of a note are indented."""
    found = []
    for item in said.state(workspace, run).notes:
        first, *more = text.safe_lines(item.text).split("\n")
        found.append(f"{canonical.iso(item.time_ms)[:16].replace('T', ' ')} {text.safe(item.author.name)}: {first}")
        found += ["    " + line for line in more]
    return found


def removed(workspace: Workspace, names: Iterable[str]) -> list[Run]:
    """Return the removed runs that names and globs mean; raises NotFound where one means none that is removed."""
    found: dict[str, Run] = {}
    for name in names:
        runs = find.many(workspace, [name], removed=True)
        gone = {run.id: run for run in runs if said.state(workspace, run).removal is not None}
        if not gone:
            raise NotFound(f"no removed run {text.safe(name)!r}", hint="list them with: gitexp log --removed --all")
        found |= gone
    return list(found.values())


def refuse_live(runs: Runs, what: str) -> None:
    """Raise Refused for the first run that is still running."""
    for run in runs:
        if run.live:
            raise Refused(
                f"{run.label} is running: it cannot be {what}",
                hint=f"gitexp stop {ids.short(run.id)}",
            )


def check_tag(key: str, value: str) -> str:
    """Return a tag's key; raises UsageError where key or value cannot be a tag's."""
    _check_key(key, "tag")
    if "=" in key or key.startswith("-"):
        raise UsageError(f"tag {key!r} has '=' or begins with '-'", hint="for example: owner=ana")
    if value:
        check_text(value, f"tag {key!r}: value")
    return key


def check_text(words: str, what: str) -> str:
    """Return a text; raises UsageError for an empty one, or one beyond what a fact holds."""
    if not isinstance(words, str) or not words.strip():
        raise UsageError(f"{what} is empty", hint="give it some words")
    if len(words) > MAX_TEXT:
        raise UsageError(f"{what} of {len(words)} characters: at most {MAX_TEXT}", hint="log it as an artifact")
    return words


def _check_key(key: str, what: str) -> None:
    if not isinstance(key, str) or not key.strip() or len(key) > MAX_KEY or not key.isprintable():
        raise UsageError(f"{what} {key!r} is empty, too long or not printable", hint="for example: owner=ana")


def _of(run: Run, op: str, **arguments: object) -> Change:
    return said.about_run(run, op, **arguments)


def _say(workspace: Workspace, runs: Runs, changes: Callable[[Run], list[Change]]) -> tuple[Fact, ...]:
    return said.add(workspace, [change for run in runs for change in changes(run)])


def editor(workspace: Workspace) -> str | None:
    """Return the editor that Git would open (GIT_EDITOR, core.editor, VISUAL, EDITOR), None where there is none."""
    if not command.available():
        named = (os.environ.get("GIT_EDITOR"), workspace.repo.config("core.editor"))
        return next(filter(None, (*named, os.environ.get("VISUAL"), os.environ.get("EDITOR"))), None)
    done = command.run(workspace.repo, "var", "GIT_EDITOR", check=False)
    return done.stdout.decode().strip() or None if done.code == 0 else None
