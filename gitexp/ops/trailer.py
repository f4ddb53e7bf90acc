"""The trailer `Run: NAME` of a commit: offered while its message is written, and held to a clean run that exists."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from gitexp import text
from gitexp.errors import GitexpError, Refused
from gitexp.git import command, source
from gitexp.ops.finding import find
from gitexp.store import runs
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

KEY = "Run"
_LOOKED_AT = 20  # the newest runs among which a clean one is looked for
_OWN_MESSAGE = ("", "template")  # sources for which an editor opens on a message that is still to be written
_UNDER_WAY = ("rebase-merge", "rebase-apply", "CHERRY_PICK_HEAD", "REVERT_HEAD", "sequencer")


def prepare(workspace: Workspace, path: Path, kind: str = "") -> None:
    """Offer the newest clean run in the message at `path`; `kind` is where Git has the message from.

    As a comment; as a trailer where gitexp.runTrailer is fill, or the staged code is that of the newest run.
    """
    wish = workspace.settings.choice("runTrailer")
    if wish == "off" or kind not in (*_OWN_MESSAGE, "message") or named(workspace, path):
        return
    newest = list(islice(find.recent(workspace), _LOOKED_AT))
    run = next((run for run in newest if _is_citable(run)), None)
    if run is None:
        return
    if kind == "message":  # -m, -F: nobody would see an offer
        if wish == "fill":
            _fill(workspace, path, run)
    elif wish == "fill" or (run is newest[0] and _is_staged(workspace, run)):
        _fill(workspace, path, run)
    else:
        _offer(workspace, path, run)


def _is_citable(run: Run) -> bool:
    return not run.live and run.ref is not None and not run.record.code.get("dirty")


def _is_staged(workspace: Workspace, run: Run) -> bool:
    """Say whether the source files of the commit in the making are those of a run."""
    code = run.record.code.get("commit")
    if not isinstance(code, str):
        return False
    output = command.run(workspace.repo, "diff-index", "--cached", "--name-only", "-z", code, "--", check=False)
    suffixes = (*source.SUFFIXES, *workspace.settings.items("sourceSuffixes"))
    names = output.stdout.decode("utf-8", "surrogateescape").split("\0")
    return output.code == 0 and not any(source.is_source(name, suffixes) for name in names if name)


def _fill(workspace: Workspace, path: Path, run: Run) -> None:
    trailer = f"{KEY}: {_name(run)}"
    command.run(workspace.repo, "interpret-trailers", "--in-place", "--trailer", trailer, str(path.absolute()))
    message = path.read_text("utf-8", "surrogateescape")
    if message.startswith(f"\n{trailer}"):  # still without a subject: leave a line for it and an empty one
        path.write_text("\n" + message, "utf-8", "surrogateescape")


def _name(run: Run) -> str:
    """Return what stays a run's name whatever else is recorded: experiment/name-id."""
    return str(run.ref).removeprefix(runs.REF_PREFIX)


def _offer(workspace: Workspace, path: Path, run: Run) -> None:
    mark = workspace.repo.config("core.commentChar") or "#"
    cleanup = workspace.repo.config("commit.cleanup") or "default"
    if os.environ.get("GIT_EDITOR") == ":" or cleanup not in ("default", "strip"):
        return  # nobody would see the comment, or Git would leave it in the message
    mark = "#" if mark == "auto" else mark
    head = runs.head(workspace, str(run.ref), str(run.commit))
    said = text.safe(head.message.split("\n", 1)[0]) if head is not None else ""
    lines = ["", f"{mark} The newest clean run, to be named by taking the {mark!r} away:", f"{mark} {said}"]
    lines.append(f"{mark} {KEY}: {_name(run)}")
    message = path.read_text("utf-8", "surrogateescape").split("\n")
    at = next((number for number, line in enumerate(message) if line.startswith(mark)), len(message))
    message[at:at] = [*lines, mark] if at < len(message) else lines
    path.write_text("\n".join(message), "utf-8", "surrogateescape")


def named(workspace: Workspace, path: Path) -> list[str]:
    """Return the values of the `Run:` trailers of the message at `path`; comments do not count."""
    output = command.run(workspace.repo, "interpret-trailers", "--parse", str(path.absolute()))
    pairs = (line.partition(":") for line in output.stdout.decode("utf-8", "replace").splitlines())
    return [value.strip() for key, _, value in pairs if key.strip().lower() == KEY.lower()]


def check(workspace: Workspace, path: Path) -> list[str]:
    """Raise Refused where a `Run:` trailer names no run that is here and was clean; return what else there is to say.

    While commits are replayed (rebase, cherry-pick) a run that is not here is said and not refused: a clone need not
    have the runs of everybody's commits.
    """
    values = named(workspace, path)
    if values and not _has_more(workspace, path):
        raise Refused("commit refused: the message is empty but for its trailer", hint="git commit")
    remarks = []
    for value in values:
        remark = _check_one(workspace, path, value)
        if remark:
            remarks.append(remark)
    return remarks


def _has_more(workspace: Workspace, path: Path) -> bool:
    output = command.run(workspace.repo, "stripspace", "--strip-comments", input=path.read_bytes())
    lines = output.stdout.decode("utf-8", "replace").splitlines()
    return any(line.strip() and not line.lower().startswith(KEY.lower() + ":") for line in lines)


def _check_one(workspace: Workspace, path: Path, value: str) -> str:
    where = _again(path)
    if value.startswith("@"):
        hint = f"write what it means now: gitexp ref '{value}'   then: {where}"
        raise Refused(f"commit refused: '{KEY}: {value}' means another run tomorrow", hint=hint)
    try:
        run = find.one(workspace, value)
    except GitexpError as error:
        if _replays(workspace):
            return f"the trailer '{KEY}: {text.safe(value)}' names a run that is not here: {error.message}"
        message = f"commit refused: '{KEY}: {value}': {error.message}"
        raise Refused(message, hint=f"look: gitexp log   fetch: gitexp fetch   then: {where}") from error
    if run.live or run.record.end_ms is None:
        raise Refused(
            f"commit refused: run {value!r} has not ended", hint=f"wait for it: gitexp status   then: {where}"
        )
    if run.record.code.get("dirty"):
        raise Refused(
            f"commit refused: run {value!r} had uncommitted edits, so no commit is its code",
            hint=f"run it again on a clean tree and name that run, or none: {where}",
        )
    return ""


def _again(path: Path) -> str:
    """Return how to go on with the message that Git keeps."""
    return f"git commit -e -F {path}"


def _replays(workspace: Workspace) -> bool:
    return any((workspace.repo.git_dir / name).exists() for name in _UNDER_WAY)
