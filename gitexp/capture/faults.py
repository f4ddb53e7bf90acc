"""What an exception, the last lines that a command printed, and its exit code tell of a failure; imports no library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from gitexp.record.reasons import Fault

_CHAIN = 10  # exceptions of one chain that are looked at
_TAIL_BYTES = 64 << 10
_LINES = 20  # the last ones, where no traceback was printed
_AFTER = 10  # lines behind a traceback, of whoever started the process
_TRACEBACK = "Traceback (most recent call last):"
_PRINTED = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?:: (?P<text>.*))?", re.DOTALL)
_FILE = re.compile(r'^\s*(?:[|+ ]*)File "(?P<path>[^"]+)", line \d+', re.MULTILINE)
_PACKAGE = re.compile(r"(?:^|[/\\])(?:site|dist)-packages[/\\](?P<name>.+?)\.pyx?$")


def of_exception(error: BaseException) -> Iterator[Fault]:
    """Yield an exception, then what it was raised from or while handling; of a group all members of it first."""
    left: list[BaseException] = [error]
    for _ in range(_CHAIN):
        if not left:
            return
        now = left.pop(0)
        text = _text(now)
        yield Fault(_types(type(now)), text, _raised_in(now.__traceback__))
        if _TRACEBACK in text:  # of a process that did the work: multiprocessing, joblib, torch
            yield from of_output(text)
        if isinstance(now, BaseExceptionGroup):
            left += now.exceptions
        behind = now.__cause__ or (None if now.__suppress_context__ else now.__context__)
        left += [] if behind is None else [behind]


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # a class of the user's own whose __str__ fails; its name is still known
        return f"<{type(broken).__name__} in __str__>"


def _types(kind: type[BaseException]) -> tuple[str, ...]:
    """Return the dotted names of a class and of those it derives from, as tracebacks spell them."""
    classes = [base for base in kind.__mro__ if base not in (object, BaseException, Exception)] or [kind]
    return tuple(
        base.__qualname__ if base.__module__ in ("builtins", "__main__") else f"{base.__module__}.{base.__qualname__}"
        for base in classes
    )


def _raised_in(trace: TracebackType | None) -> str:
    """Return the module in which an exception was raised."""
    name = ""
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        trace = trace.tb_next
    return name


def tail(path: Path) -> str:
    """Return the end of a file as text, "" where there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def of_output(text: str) -> Iterator[Fault]:
    """Yield what the end of an output tells: the exception of the last traceback, what it came from, the last lines."""
    head, found, rest = text.rpartition(_TRACEBACK)
    if not found:
        yield from _lines(text.splitlines()[-_LINES:])
        return
    fault, after = _printed(rest)
    if fault is not None:
        yield fault
    yield from _lines(after[:_AFTER] + after[_AFTER:][-_AFTER:])
    earlier = head.rpartition(_TRACEBACK)[2]
    if "\nDuring handling of the above" in earlier or "\nThe above exception was the direct" in earlier:
        fault, _ = _printed(earlier)
        if fault is not None:
            yield fault


def _printed(rest: str) -> tuple[Fault | None, list[str]]:
    """Return the exception that follows a traceback's head, and the lines behind it."""
    lines = rest.splitlines()
    for at, line in enumerate(lines):
        bare = line.lstrip("| ") if line.startswith(("  |", "|")) else line
        if bare and not bare[0].isspace() and (match := _PRINTED.fullmatch(bare)) is not None:
            files = _FILE.findall("\n".join(lines[:at]))
            return Fault((match["type"],), match["text"] or "", _module(files[-1]) if files else ""), lines[at + 1 :]
    return None, []


def _module(path: str) -> str:
    """Return the module of a file of an installed package; a compiled one's path is given from its package on."""
    match = _PACKAGE.search(path)
    name = match["name"] if match else path.rpartition(".")[0] if not path.startswith(("/", "<")) else ""
    return re.sub(r"[/\\]", ".", name)


def _lines(lines: list[str]) -> Iterator[Fault]:
    """Yield the lines of an output, the last first."""
    yield from (Fault(text=line.strip()) for line in reversed(lines) if line.strip())
