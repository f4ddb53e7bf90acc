"""What is said of a transfer, whoever makes it: how it should go, and what became of each ref."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

PUSHING = "GITEXP_PUSHING"  # set for gitexp's own pushes, so that a pre-push hook does not push along once more
NEW, UPDATED, CURRENT, REJECTED, DELETED = "new", "updated", "current", "rejected", "deleted"

_QUIET_AUTO = {"GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS_REQUIRE": "never", "GIT_ASKPASS": "true"}
_BEHIND = ("non-fast-forward", "fetch first", "already exists", "needs force", "stale info", "failed to update ref")
_RACES = ("cannot lock ref", "incorrect old value", "reference already exists")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one ref of a push."""

    ref: str  # the name at the remote
    status: str
    reason: str = ""

    @property
    def behind(self) -> bool:
        """Say whether somebody else's change came first: fetch, then try again."""
        return self.status == REJECTED and any(word in self.reason for word in (*_BEHIND, *_RACES))

    def explained(self, said: Sequence[str]) -> Result:
        """Return a refused ref with the server's own words."""
        words = " ".join(line.strip() for line in said if line.strip())[:300]
        if self.status != REJECTED or self.behind or not words:
            return self
        return Result(self.ref, REJECTED, f"{self.reason}: {words}")


@dataclass(frozen=True, slots=True)
class Options:
    """How to talk to a remote: `auto` asks nobody anything, `progress` shows what goes on on stderr.

    `skip_lfs` keeps a hook of git-lfs from refusing a push whose large bytes could not go.
    """

    auto: bool = False
    progress: bool = False
    skip_lfs: bool = False


def interactive() -> Options:
    """Return the options of a command that a person waits for."""
    return Options(progress=sys.stderr.isatty())


def quiet(options: Options) -> dict[str, str]:
    """Return the environment in which `auto` keeps Git, ssh and the helpers of credentials from asking anybody."""
    return dict(_QUIET_AUTO) if options.auto else {}
