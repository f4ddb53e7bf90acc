"""Every error gitexp raises on purpose.

GitexpError            1
├── UsageError         2   a name, option or value that cannot be meant
│   └── BadQuery           a query that does not parse, or asks for what does not exist
├── Refused            3   a rule of the project says no
│   └── DirtyTree          uncommitted changes where the policy is "refuse"
├── NotFound           4   no such run, experiment, artifact, remote
├── Ambiguous          5   a name that means several things; lists them
├── Unsupported        6   no repository, or one of a kind gitexp cannot use yet
│   └── NoRepository
├── Conflict           7   somebody else changed the same ref or file first
├── Damaged            8   a record, journal or object that does not parse or verify
├── WriteFailed        9   disk full, read-only, no permission
├── RemoteError       10   a remote refused, or could not be reached
│   └── NoStore            a remote has no place for large files
├── Unconfirmed       11   something would leave this machine and nobody said yes
└── CheckFailed       12   a run is not good enough: `gitexp check`

Exit 70 is a bug in gitexp. `git exp run` passes the script's own exit code on.
"""

from __future__ import annotations

from collections.abc import Sequence


class GitexpError(Exception):
    """Base of all: a message in lower case that names the object, and a hint that can be typed."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(hint)  # from Python a traceback is all that is seen


class UsageError(GitexpError, ValueError):
    """A name, option or value that cannot be meant."""

    exit_code = 2


class BadQuery(UsageError):
    """A query that does not parse, or asks for what does not exist; `column` counts from 1, 0 where it has none.

    `query` is the text, where it is known; the hint then shows the place with a caret.
    """

    def __init__(self, message: str, *, column: int = 0, query: str = "", hint: str = "") -> None:
        said = f"column {column}: {message}" if column else message
        shown = _pointed(query, column) if query and column else ""
        super().__init__(said, hint="\n".join(filter(None, (shown, hint))))
        self.reason, self.column, self.query, self.advice = message, column, query, hint

    def within(self, query: str) -> BadQuery:
        """Return this error with the query that it is about."""
        return self if self.query else BadQuery(self.reason, column=self.column, query=query, hint=self.advice)


class Refused(GitexpError):
    """A rule of the project says no."""

    exit_code = 3


class DirtyTree(Refused):
    """Uncommitted changes where the policy is "refuse"; `paths` are (XY status, path) pairs."""

    def __init__(self, message: str, *, hint: str = "", paths: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message, hint=hint)
        self.paths = tuple(paths)

    def __str__(self) -> str:
        """Return the message and the paths."""
        lines = [f"  {code} {path}" for code, path in self.paths[:20]]
        more = [f"  and {len(self.paths) - 20} more"] if len(self.paths) > 20 else []
        return "\n".join([self.message, *lines, *more])


class NotFound(GitexpError, LookupError):
    """No such run, experiment, artifact, or remote."""

    exit_code = 4


class Ambiguous(GitexpError, LookupError):
    """A name that means several things; `candidates` are what it could mean."""

    exit_code = 5

    def __init__(self, message: str, *, hint: str = "", candidates: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.candidates = tuple(candidates)


class Unsupported(GitexpError):
    """A repository of a kind that gitexp cannot use yet."""

    exit_code = 6


class NoRepository(Unsupported):
    """There is no Git repository here."""


class Conflict(GitexpError):
    """Somebody else changed the same ref or file first."""

    exit_code = 7


class Damaged(GitexpError):
    """A record, journal or object that does not parse or verify."""

    exit_code = 8


class WriteFailed(GitexpError, OSError):
    """The disk is full, the repository is read-only, or a permission is missing."""

    exit_code = 9


class RemoteError(GitexpError):
    """A remote refused, or could not be reached."""

    exit_code = 10


class NoStore(RemoteError):
    """A remote has no place for large files, which no other try changes; its runs can be shared all the same."""


class Unconfirmed(GitexpError):
    """Something would leave this machine and nobody has said yes; `plan` is what would be sent, line by line."""

    exit_code = 11

    def __init__(self, message: str, *, hint: str = "", plan: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.plan = tuple(plan)


class CheckFailed(GitexpError):
    """A run is not good enough: a rule that it was held against is not kept."""

    exit_code = 12


_SHOWN = 72  # characters of a query around the place of an error


def _pointed(query: str, column: int) -> str:
    """Return the part of a query around a column, and a caret below it."""
    line = "".join(c if c.isprintable() else " " for c in query)
    first = max(0, min(column - 1 - _SHOWN // 2, len(line) - _SHOWN))
    return f"  {line[first : first + _SHOWN]}\n  {' ' * (column - 1 - first)}^"
