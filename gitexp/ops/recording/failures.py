"""Why runs fail: the project's own rules before those of gitexp, and what they make of an exception or a command."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

from gitexp import text
from gitexp.capture import faults, oom
from gitexp.errors import UsageError
from gitexp.ops import annotate
from gitexp.ops.comparing import declared
from gitexp.ops.comparing.declared import Key, Table
from gitexp.record import reasons
from gitexp.record.reasons import ERROR, EXIT, OUTPUT, Fault, Reason, Rule
from gitexp.store import events, journal
from gitexp.store.journal import Start
from gitexp.store.workspace import Workspace

TABLE = "failures"
_EXAMPLE = '"fallen off the bus"'
_KEYS = {
    "type": Key(declared.names, "a class of exceptions or a list of them, globs allowed", '"mylib.QuotaError"'),
    "text": Key(declared.regex, "a regular expression", _EXAMPLE),
    "exit": Key(declared.numbers, "an exit code or a list of them", "75"),
}
_SIGKILL = 128 + signal.SIGKILL
OOM, NAN, CRASH = "oom", "nan", "crash"


def rules(workspace: Workspace) -> tuple[Rule, ...]:
    """Return the rules in the order in which they are asked; raises UsageError for one that is not understood."""
    table = _table(workspace)
    own = [_rule(table, name, value) for name, value in table.values.items() if value is not False]
    return (*own, *(rule for rule in reasons.BUILT_IN if is_given(workspace, rule.tag)))


def is_given(workspace: Workspace, tag: str) -> bool:
    """Say whether the project has not switched off what gitexp knows of a tag (`oom = false`)."""
    return _table(workspace).values.get(tag) is not False


def _table(workspace: Workspace) -> Table:
    said = workspace.settings.tree_file.get(TABLE, {})
    table = Table(workspace.settings.file, (TABLE,), said if isinstance(said, dict) else {})
    if not isinstance(said, dict):
        raise UsageError(
            f"{table.file}: {TABLE} is to be a table", hint=f"write: {table.header}  gpu-lost = {_EXAMPLE}"
        )
    return table


def _rule(table: Table, name: str, value: Any) -> Rule:
    annotate.check_tag(name, "")
    if isinstance(value, str):
        value = {"text": value}
    if not isinstance(value, dict) or not value:
        raise table.error(name, "is to be a regular expression, false, or a table with type, text or exit", _EXAMPLE)
    found = Table(table.file, (TABLE, name), value).read(_KEYS)
    return Rule(name, found.get("type", ()), found.get("text", ""), exits=frozenset(found.get("exit", ())))


def of_error(workspace: Workspace, error: BaseException | None) -> tuple[Reason, ...]:
    """Return why an exception ended a run, as far as a rule tells."""
    found = None if error is None else reasons.first(faults.of_exception(error), rules(workspace))
    return () if found is None else (Reason.of(found[0], ERROR, found[1].line),)


def of_signal(number: int) -> tuple[Reason, ...]:
    """Return why a signal that this process handles ends its runs."""
    return (Reason.of("interrupted", EXIT, signal.Signals(number).name),)


class Watched:
    """A command that runs: what the kernel had killed before, to know what it has killed since."""

    def __init__(self, pid: int) -> None:
        self._counter = oom.counter(pid)
        self._before = self._count()

    def _count(self) -> int:
        return (oom.read(self._counter) or 0) if self._counter is not None else 0

    @property
    def kills(self) -> int:
        """How many processes the kernel has killed since for want of memory."""
        return max(0, self._count() - self._before)


def of_command(workspace: Workspace, code: int, log: Path | None, kills: int) -> tuple[Reason, ...]:
    """Return why a command failed: by its exit code, the last lines of its output, and what the kernel killed.

    A code that says it is surer than words; a crash, or another code, may have its cause in what was printed.
    """
    if code == 0:
        return ()
    known = rules(workspace)
    ended = _ended(known, code)
    if kills and code == _SIGKILL and is_given(workspace, OOM):
        return (_killed(code, kills),)
    if ended is not None and ended.tag != CRASH:
        return (ended,)
    said = () if log is None or code == _SIGKILL else faults.of_output(faults.tail(log))
    printed = reasons.first((replace(fault, exit_code=code) for fault in said), [r for r in known if r.types or r.text])
    if printed is not None:
        return (Reason.of(printed[0], OUTPUT, printed[1].line),)
    if kills and is_given(workspace, OOM):
        return (_killed(code, kills),)
    return () if ended is None else (ended,)


def before_death() -> dict[str, Any]:
    """Return what a process's journal keeps for the case that the kernel kills it: the counter, and what it is now."""
    counter = oom.own(os.getpid())
    return {} if counter is None else {"counter": str(counter), "count": oom.read(counter) or 0}


def of_death(workspace: Workspace, folder: Path) -> tuple[Reason, ...]:
    """Return why the process of a dead journal is gone, as far as the kernel of this machine tells."""
    total = events.of(folder)
    if total.end is not None or total.kills is None or not journal.is_ours(Start.read(folder)):
        return ()
    counter, count = total.kills
    kills = (oom.read(Path(counter)) or 0) - count
    if kills <= 0 or not is_given(workspace, OOM):
        return ()
    what = text.plural(kills, "process", "processes")
    said = f"its process is gone, and the kernel has killed {what} of its control group for want of memory meanwhile"
    return (Reason.of(OOM, EXIT, said),)


def _ended(known: tuple[Rule, ...], code: int) -> Reason | None:
    """Return what an exit code tells alone."""
    found = reasons.first([Fault(exit_code=code)], [rule for rule in known if rule.exits and not rule.text])
    return None if found is None else Reason.of(found[0], EXIT, _exit_text(code))


def _killed(code: int, kills: int) -> Reason:
    what = text.plural(kills, "process", "processes")
    return Reason.of(OOM, EXIT, f"{_exit_text(code)}; the kernel killed {what} for want of memory")


def _exit_text(code: int) -> str:
    """Return an exit code with the name of the signal that it stands for: exit 137 (SIGKILL)."""
    names = {128 + number: number.name for number in signal.Signals}
    return f"exit {code} ({names[code]})" if code in names else f"exit {code}"
