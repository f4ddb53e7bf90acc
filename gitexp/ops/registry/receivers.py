"""Those who are told of events: addresses, by a signed POST, and commands, by their environment and stdin."""

from __future__ import annotations

import hashlib
import hmac
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from gitexp import text
from gitexp.errors import UsageError
from gitexp.git import post
from gitexp.ops.registry.notices import Notice
from gitexp.record import webhooks
from gitexp.record.webhooks import Webhook
from gitexp.store.workspace import Workspace

SIGNATURE = "X-Gitexp-Signature-256"
_END_SECONDS = 5.0  # that a command gets to end by itself


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one try: done (taken, or never to be), in a word; else whether and when to try again."""

    done: bool
    word: str
    good: bool = True
    after: float | None = None


class Receiver(Protocol):
    """Somebody who is told."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def identity(self) -> str:
        """What makes it another one when it changes."""

    def wants(self, notice: Notice) -> bool:
        """Say whether it is to be told of an event."""

    def tell(self, workspace: Workspace, notice: Notice) -> Outcome:
        """Tell it, once."""


@dataclass(frozen=True, slots=True)
class Address:
    """A webhook. What it answers with 4xx is not sent again; without an answer, or with 5xx, it is."""

    hook: Webhook

    @property
    def name(self) -> str:
        return self.hook.name

    @property
    def identity(self) -> str:
        return self.hook.url

    def wants(self, notice: Notice) -> bool:
        return self.hook.wants(notice.op, notice.names)

    def tell(self, workspace: Workspace, notice: Notice) -> Outcome:
        body = notice.body()
        digest = hmac.new(_secret(workspace, self.hook), body, hashlib.sha256).hexdigest()
        headers = {SIGNATURE: f"sha256={digest}", "X-Gitexp-Event": notice.op, "X-Gitexp-Delivery": notice.id}
        answer = post.send(workspace.repo, self.hook.url, body, headers, timeout_seconds=self.hook.timeout_seconds)
        return Outcome(not answer.again, answer.why, answer.ok, answer.after)


def _secret(workspace: Workspace, hook: Webhook) -> bytes:
    """Return what a webhook's bodies are signed with; raises UsageError where it is not set here."""
    found = os.environ.get(hook.secret_env) if hook.secret_env else workspace.repo.config(hook.secret_config)
    if not found:
        where = f"the variable {hook.secret_env}" if hook.secret_env else f"git config {hook.secret_config}"
        raise UsageError(
            f"webhook {hook.name}: its secret, {where}, is not set here",
            hint=f"export {hook.secret_env}=…" if hook.secret_env else f"git config {hook.secret_config} …",
        )
    return found.encode("utf-8", "surrogateescape")


def check(workspace: Workspace, hook: Webhook) -> None:
    """Raise UsageError where a webhook cannot be told for want of its secret."""
    _secret(workspace, hook)


@dataclass(frozen=True, slots=True)
class Command:
    """A command line of the user's own, for their shell.

    Nothing of an event ever stands in it: what it has to know is in its environment and, as JSON, on its stdin, so a
    model's name is data, whatever it looks like.
    """

    line: str
    events: tuple[str, ...] = webhooks.USUAL
    models: tuple[str, ...] = ("*",)
    timeout_seconds: float | None = None
    called: str = ""

    @property
    def name(self) -> str:
        return self.called or self.line.split()[0]

    @property
    def identity(self) -> str:
        return self.called or self.line

    def wants(self, notice: Notice) -> bool:
        return notice.op in self.events and any(
            fnmatchcase(name, glob) for glob in self.models for name in notice.names
        )

    def tell(self, workspace: Workspace, notice: Notice) -> Outcome:
        folder = workspace.repo.work_tree or workspace.repo.git_dir
        process = subprocess.Popen(
            ["/bin/sh", "-c", self.line],
            cwd=folder,
            env={**os.environ, **environment(notice)},
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            process.communicate(notice.body(), timeout=self.timeout_seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            return Outcome(False, f"took more than {text.duration(self.timeout_seconds)}", good=False)
        except BaseException:
            _end(process)
            raise
        code = process.returncode
        return Outcome(code == 0, "ended well" if code == 0 else f"ended with {code}", good=code == 0)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command with all that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
            return


def environment(notice: Notice) -> Mapping[str, str]:
    """Return the variables that a command finds."""
    release = notice.data["release"] or {}
    values = {
        "GITEXP_EVENT_ID": notice.id,
        "GITEXP_EVENT_OP": notice.op,
        "GITEXP_EVENT_MODEL": notice.names[1],
        "GITEXP_EVENT_VERSION": "" if notice.version is None else str(notice.version),
        "GITEXP_EVENT_STAGE": notice.stage,
        "GITEXP_EVENT_FROM_STAGE": notice.left,
        "GITEXP_EVENT_PERSON": str(notice.data["author"]["email"]),
        "GITEXP_EVENT_RUN": str(release.get("run") or ""),
        "GITEXP_EVENT_SHA256": str(release.get("sha256") or ""),
    }
    return {name: value.replace("\0", "") for name, value in values.items()}  # no variable holds a zero byte
