"""The examples of the docs, run: what stands after `$ ` in a console block, and what it prints.

A Markdown file is one session in one folder, from top to bottom:

    ```console          the lines after "$ " run in bash ("> " continues one), the other lines are their output
    ```console fails    the last command of the block ends with an exit code other than 0
    <!-- run: … -->     runs unseen
    <!-- file: NAME --> the code block that follows is written to NAME

Outputs are compared after `normal`, which hides what differs each time (ids, commits, times, durations, widths).
In an expected output `...` stands for anything, on a line of its own for any lines.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 60
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>.*)$")
_HIDDEN = re.compile(r"^ *<!-- (?P<kind>run|file): (?P<text>.*?) -->\s*$", re.DOTALL | re.MULTILINE)

# (what, its stand-in): every number of digits, so that no width differs.
NORMALISATIONS = (
    (r"\x1b\[[0-9;]*[A-Za-z]", ""),
    (r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?( ?[+-]\d\d:?\d\d|Z)?", "DATE"),
    (r"\b\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4} [+-]\d{4}", "DATE"),
    (r"\b[k-z]{16}\b", "RUN-ID"),
    (r"(?<![\w.])[k-z]{7}\b", "RUN"),
    (r"-[k-z]{7}\b", "-RUN"),
    (r"\b[0-9a-f]{64}\b", "SHA256"),
    (r"\b(?=[a-f]*\d)[0-9a-f]{7,40}\b", "COMMIT"),
    (r"\b[0-9a-f]{40}\b", "COMMIT"),
    (r"\b\d+(:\d\d)+\b", "TIME"),
    (r"\b\d+(\.\d+)?(ms|s|m|h|d)\b( ago)?", "TIME"),
    (r"\bjust now\b|\bnow\b", "TIME"),
    (r"/(?:tmp|dev/shm)/[\w./-]+", "PATH"),
    (r"(?m)^( +machine +).*", r"\1MACHINE"),
    (r"(<ana@acme\.io>) on \S+", r"\1 on HOST"),
    (r"\b\d+ packages\b", "N packages"),
    (r"[ \t]+", " "),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a document, or one file it writes; `first` and `last` are the lines of the expected output."""

    command: str
    expected: tuple[str, ...]
    first: int
    last: int
    file: str = ""
    content: str = ""
    hidden: bool = False
    fails: bool = False


def steps(markdown: str) -> Iterator[Step]:
    """Yield what a document does, in order."""
    lines, number, file = markdown.split("\n"), 0, ""
    while number < len(lines):
        fence = _FENCE.match(lines[number])
        if fence is None:
            hidden, number = _comment(lines, number)
            if hidden and hidden["kind"] == "run":
                yield Step(hidden["text"], (), number, number, hidden=True)
            elif hidden:
                file = hidden["text"]
            continue
        end = next(i for i in range(number + 1, len(lines)) if lines[i].strip() == "```")
        words = fence["info"].split()
        if file:
            yield Step("", (), number, number, file, "\n".join(lines[number + 1 : end]) + "\n")
            file = ""
        elif words[:1] == ["console"]:
            yield from _session(lines, number + 1, end, "fails" in words)
        number = end + 1


def _comment(lines: list[str], number: int) -> tuple[re.Match[str] | None, int]:
    """Return the hidden comment that starts on a line, if one does, and the number of the line after it."""
    if not lines[number].lstrip().startswith("<!-- "):
        return None, number + 1
    end = next((i for i in range(number, len(lines)) if "-->" in lines[i]), number)
    return _HIDDEN.match("\n".join(lines[number : end + 1])), end + 1


def _session(lines: list[str], start: int, end: int, fails: bool) -> Iterator[Step]:
    starts = [i for i in range(start, end) if lines[i].startswith("$ ")]
    for index, first in enumerate(starts):
        stop = starts[index + 1] if index + 1 < len(starts) else end
        command = [lines[first][2:]]
        first += 1
        while first < stop and lines[first].startswith("> "):
            command.append(lines[first][2:])
            first += 1
        last = index + 1 == len(starts)
        yield Step("\n".join(command), tuple(lines[first:stop]), first, stop, fails=fails and last)


def normal(text: str) -> list[str]:
    """Return the lines of an output with all that differs from time to time replaced by its stand-in."""
    for pattern, stand_in in NORMALISATIONS:
        text = re.sub(pattern, stand_in, text)
    lines = [line.strip() for line in text.strip().split("\n")]
    return [] if lines == [""] else lines


def matches(expected: list[str], actual: list[str]) -> bool:
    """Compare two normalised outputs; `...` in the expected one stands for anything."""
    if not expected:
        return not actual
    if expected[0] == "...":
        return any(matches(expected[1:], actual[skipped:]) for skipped in range(len(actual) + 1))
    pattern = ".*".join(re.escape(part) for part in expected[0].split("..."))
    return bool(actual) and re.fullmatch(pattern, actual[0]) is not None and matches(expected[1:], actual[1:])


@dataclass(slots=True)
class Shell:
    """A bash that keeps its folder from one command to the next."""

    folder: Path
    notes: Path

    def run(self, command: str) -> tuple[str, int]:
        """Run a command and return what it printed, errors in their place, and its exit code."""
        script = f"{command}\n__code=$?; pwd > {self.notes}; exit $__code"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_SECONDS,
        )
        self.folder = Path(self.notes.read_text().rstrip("\n"))
        return done.stdout, done.returncode


def play(document: Path, shell: Shell, *, update: bool = False) -> list[str]:
    """Run a document and return where its outputs are not the real ones; with `update`, write the real ones into it."""
    text, faults, changes = document.read_text(), [], []
    for step in steps(text):
        if step.file:
            path = shell.folder / step.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.content)
            continue
        printed, code = shell.run(step.command)
        where = f"{document.name}:{step.first}: $ {step.command}"
        if (code != 0) != step.fails:
            faults.append(f"{where}\nended with {code}:\n{printed}")
        elif not step.hidden and not matches(normal("\n".join(step.expected)), normal(printed)):
            faults.append(f"{where}\nprinted:\n{printed}\ninstead of:\n" + "\n".join(step.expected))
            changes.append((step, printed))
    if update:
        lines = text.split("\n")
        for step, printed in reversed(changes):
            gap = [""] if step.expected and step.expected[-1] == "" else []
            lines[step.first : step.last] = [line.rstrip() for line in printed.rstrip("\n").split("\n")] + gap
        document.write_text("\n".join(lines))
    return faults
