"""Events told to webhooks and commands: real servers, real processes, restarts in between."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gitexp.errors import Conflict, RemoteError, UsageError
from gitexp.ops.registry import promote, tell, watchers
from gitexp.ops.registry.receivers import Receiver
from gitexp.ops.registry.tell import Pace, Teller, Told
from gitexp.ops.registry.watchers import Choice
from gitexp.record import event as events
from gitexp.record.model import Version
from gitexp.store import models
from gitexp.store.workspace import Workspace
from tests import registry, support
from tests.support import git, gitexp

PACE = Pace(interval_seconds=0.05, pause_seconds=0.01, longest_pause_seconds=0.05)
SECRET = "s3cret"


@dataclass
class Server:
    """What a server was sent, and what it answers next (then 200): a status, or seconds of silence as a float."""

    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def told(self) -> list[str]:
        return [json.loads(body)["what"] for _, body in self.got]


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    with serving(found):
        yield found


@contextmanager
def serving(found: Server) -> Iterator[None]:
    done = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            found.got.append((dict(self.headers), body))
            answer = found.answers.pop(0) if found.answers else 200
            if isinstance(answer, float):
                drip(self, answer)
                return
            self.send_response(answer)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    def drip(handler: Handler, seconds: float) -> None:
        """Answer a byte now and then, faster than a socket's timeout and never whole."""
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline and not done.wait(0.05):
                handler.wfile.write(b"H")
                handler.wfile.flush()
        except OSError:
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    found.url = f"http://127.0.0.1:{httpd.server_port}/hook?token=x"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def hook(project: Path, url: str, more: str = "") -> None:
    registry.rule(project, f'[[registry.webhooks]]\nname = "deploy"\nurl = "{url}"\nsecret_env = "HOOK"\n{more}')
    os.environ["HOOK"] = SECRET


@pytest.fixture(autouse=True)
def no_secret_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "")


def once(project: Path, choice: Choice | None = None, *, everything: bool = False, tries: int = 3) -> list[Told]:
    """Tell what is new as a process of its own would: all is read anew."""
    workspace = registry.open(project)
    told: list[Told] = []
    with Teller(workspace, watchers.choose(workspace, choice or Choice()), PACE, everything=everything) as teller:
        tell.once(workspace, teller, told.append, tries=tries)
    return told


def stage(project: Path, version: Version, where: str = "production", name: str = "churn") -> None:
    workspace = registry.open(project)
    model = models.get(workspace, name)
    promote.promote(workspace, model, model.versions[version.id], where)


def test_a_webhook_is_told_in_order_and_signed(project: Path, server: Server) -> None:
    hook(project, server.url)
    assert once(project) == []
    version = registry.register(project, registry.run(project))
    registry.say(project, version, events.APPROVE, note="good")
    registry.say(project, version, events.NOTE, text="not told")
    stage(project, version)
    assert [item.outcome.word for item in once(project)] == ["answered 200"] * 3
    assert [json.loads(body)["op"] for _, body in server.got] == ["register", "approve", "transition"]
    headers, body = server.got[-1]
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Gitexp-Signature-256"] == f"sha256={digest}"
    assert headers["X-Gitexp-Event"] == "transition" and headers["User-Agent"].startswith("gitexp/")
    said = json.loads(body)
    assert said["id"] == headers["X-Gitexp-Delivery"] == git(project, "rev-parse", "refs/models/churn")
    assert (said["model"], said["version"], said["stage"], said["from_stage"]) == ("churn", 1, "production", "none")
    assert said["release"]["run"] == version.run and said["release"]["sha256"] == version.sha256
    assert said["author"] == {"name": "Ana Ruiz", "email": "ana@acme.io"}


def test_nothing_is_told_twice_and_nothing_of_before_the_first_start(project: Path, server: Server) -> None:
    hook(project, server.url)
    version = registry.register(project, registry.run(project))
    assert once(project) == [] and server.got == []
    stage(project, version)
    assert len(once(project)) == 1
    assert once(project) == [] and len(server.got) == 1


def test_all_that_ever_happened_is_told_where_that_is_asked_for(project: Path, server: Server) -> None:
    hook(project, server.url)
    registry.register(project, registry.run(project))
    assert len(once(project, everything=True)) == 1
    assert once(project, everything=True) == []


def test_what_a_server_cannot_take_now_is_tried_again_after_a_restart_too(project: Path, server: Server) -> None:
    hook(project, server.url)
    once(project)
    registry.register(project, registry.run(project))
    registry.register(project, registry.run(project, "second"))
    server.answers = [503, 500, 429]
    with pytest.raises(RemoteError, match="2 not told yet"):
        once(project)
    assert len(server.got) == 3 and len({body for _, body in server.got}) == 1
    assert [item.outcome.word for item in once(project)] == ["answered 200"] * 2
    assert [json.loads(body)["version"] for _, body in server.got[3:]] == [1, 2]


def test_what_a_server_refuses_is_given_up_and_does_not_hold_the_rest(project: Path, server: Server) -> None:
    hook(project, server.url)
    once(project)
    for name in ("one", "two"):
        registry.register(project, registry.run(project, name))
    server.answers = [400]
    assert [(item.outcome.done, item.outcome.good) for item in once(project)] == [(True, False), (True, True)]
    assert once(project) == []


def test_a_redirect_is_not_followed(project: Path, server: Server) -> None:
    hook(project, server.url)
    once(project)
    registry.register(project, registry.run(project))
    server.answers, server.headers = [307], {"Location": server.url.replace("/hook", "/elsewhere")}
    assert [item.outcome.word for item in once(project)] == ["answered 307"]
    assert len(server.got) == 1


@pytest.mark.slow
def test_a_server_that_drips_or_is_away_does_not_hold_us(project: Path, server: Server) -> None:
    hook(project, server.url, 'timeout = "0.3s"\n')
    once(project)
    registry.register(project, registry.run(project))
    server.answers = [30.0]
    with pytest.raises(RemoteError):
        once(project, tries=1)
    assert len(once(project)) == 1
    gone = Server()
    with serving(gone):
        pass
    hook(project, gone.url)
    once(project)
    registry.register(project, registry.run(project, "second"))
    with pytest.raises(RemoteError, match="1 not told yet"):
        once(project)


def test_a_token_for_the_host_of_the_code_is_not_sent_along(project: Path, server: Server) -> None:
    git(project, "config", "http.extraHeader", "Authorization: Bearer code-host")
    hook(project, server.url)
    once(project)
    registry.register(project, registry.run(project))
    once(project)
    assert "Authorization" not in server.got[0][0]


def test_only_what_a_webhook_wants_is_told(project: Path, server: Server) -> None:
    hook(project, server.url, 'events = ["transition"]\nmodels = ["churn*"]\n')
    once(project)
    version = registry.register(project, registry.run(project))
    other = registry.register(project, registry.run(project, "other"), "other")
    stage(project, version)
    stage(project, other, name="other")
    once(project)
    assert server.told == ["moved 1 to production"]
    hook(project, server.url, 'events = ["register", "transition"]\n')
    assert once(project) == []


def test_refused_events_are_told_to_nobody(project: Path, server: Server, tmp_path: Path) -> None:
    hook(project, server.url)
    registry.rule(project, (project / "gitexp.toml").read_text() + "[registry.stages.production]\nexclusive = true\n")
    one, two = (registry.register(project, registry.run(project, name)) for name in ("one", "two"))
    shutil.copytree(project, tmp_path / "other", symlinks=True)
    once(project)
    stage(project, one)
    stage(tmp_path / "other", two)
    git(tmp_path / "other", "fetch", "--quiet", str(project), "refs/models/churn")
    head = git(tmp_path / "other", "rev-parse", "FETCH_HEAD")
    joined = models.join(registry.open(tmp_path / "other"), "refs/models/churn", head)
    assert list(joined.refused.values()) == ["decided when production held nothing; it held version 1 by then"]
    git(project, "fetch", "--quiet", str(tmp_path / "other"), "refs/models/churn:refs/models/churn")
    once(project)
    assert server.told == ["moved 1 to production"]


def test_what_was_not_pushed_is_not_told(project: Path, server: Server, bare: Path) -> None:
    hook(project, server.url)
    git(project, "push", "--quiet", "origin", "main")
    git(project, "fetch", "--quiet")
    once(project)
    registry.register(project, registry.run(project))
    assert once(project) == []
    gitexp("push", "--yes")
    assert len(once(project)) == 1
    assert json.loads(server.got[0][1])["repository"] == str(bare)


@pytest.mark.slow
def test_a_server_tells_from_its_post_receive_hook(project: Path, server: Server, bare: Path) -> None:
    hook(project, server.url)
    git(project, "push", "--quiet", "origin", "main")
    gitexp("--repo", str(bare), "model", "watch", "--once")
    command = f"'{sys.executable}' -m gitexp -q model watch --once"
    support.write(bare / "hooks/post-receive", f"#!/bin/sh\nPYTHONPATH='{support.ROOT}' exec {command}\n").chmod(0o755)
    version = registry.register(project, registry.run(project))
    gitexp("push", "--yes")
    stage(project, version)
    gitexp("push", "--yes")
    assert [json.loads(body)["op"] for _, body in server.got] == ["register", "transition"]


def test_a_secret_that_is_not_set_ends_it_before_anything_is_sent(project: Path, server: Server) -> None:
    hook(project, server.url)
    os.environ["HOOK"] = ""
    with pytest.raises(UsageError, match="HOOK, is not set here"):
        once(project)
    hook(project, server.url)
    text = (project / "gitexp.toml").read_text().replace('secret_env = "HOOK"', 'secret_config = "gitexp.hook"')
    registry.rule(project, text, "from git config")
    git(project, "config", "gitexp.hook", "other")
    once(project)
    registry.register(project, registry.run(project))
    once(project)
    headers, body = server.got[0]
    assert headers["X-Gitexp-Signature-256"].endswith(hmac.new(b"other", body, hashlib.sha256).hexdigest())


HOSTILE = [
    'a"; touch pwned; "',
    "$(touch pwned)",
    "`touch pwned`",
    "-rf --no-preserve-root",
    "größe ☃/x",
    "'; touch pwned #",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_models_name_is_data_for_a_command_whatever_it_looks_like(project: Path, name: str, tmp_path: Path) -> None:
    variables = '"$GITEXP_EVENT_MODEL" "$GITEXP_EVENT_VERSION" "$GITEXP_EVENT_OP"'
    line = f"printf '%s|%s|%s' {variables} > '{tmp_path}/env'; cat > '{tmp_path}/stdin'"
    choice = Choice(lines=(line,))
    once(project, choice)
    version = registry.register(project, registry.run(project), name)
    assert [item.outcome.word for item in once(project, choice)] == ["ended well"]
    assert (tmp_path / "env").read_text() == f"{name}|1|register"
    assert json.loads((tmp_path / "stdin").read_bytes())["release"]["run"] == version.run
    assert not list(project.rglob("pwned"))


def test_a_command_that_fails_is_tried_again_and_one_that_hangs_is_ended(project: Path, tmp_path: Path) -> None:
    line = f"echo x >> '{tmp_path}/tries'; test $(wc -l < '{tmp_path}/tries') -ge 3"
    once(project, Choice(lines=(line,)))
    registry.register(project, registry.run(project))
    assert [item.outcome.word for item in once(project, Choice(lines=(line,)))] == ["ended with 1"] * 2 + ["ended well"]
    hang = Choice(lines=(f"sleep 60 & echo $! > '{tmp_path}/pid'; wait",), timeout_seconds=0.3)
    with pytest.raises(RemoteError):
        once(project, hang, everything=True, tries=1)
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}/stat").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.02)
    else:
        assert not Path(f"/proc/{pid}").exists()


def test_one_receiver_that_is_away_does_not_hold_another(project: Path, tmp_path: Path) -> None:
    choice = Choice(lines=("exit 1", f"echo told >> '{tmp_path}/told'"))
    once(project, choice)
    registry.register(project, registry.run(project))
    with pytest.raises(RemoteError, match="1 not told yet"):
        once(project, choice)
    assert (tmp_path / "told").read_text() == "told\n"


def test_two_watches_of_one_receiver_do_not_both_tell(project: Path) -> None:
    workspace = registry.open(project)
    found = watchers.choose(workspace, Choice(lines=("true",)))
    with (
        Teller(workspace, found, PACE, everything=False),
        pytest.raises(Conflict, match="another `gitexp model watch`"),
    ):
        Teller(workspace, found, PACE, everything=False)


def test_a_line_that_a_crash_tore_is_told_again(project: Path, server: Server) -> None:
    hook(project, server.url)
    once(project)
    registry.register(project, registry.run(project))
    once(project)
    (path,) = (project / ".git/gitexp/models/sent").glob("*.log")
    path.write_bytes(path.read_bytes()[:-10])
    assert len(once(project)) == 1 and once(project) == []
    assert server.got[0][1] == server.got[1][1]
    assert server.got[0][0]["X-Gitexp-Delivery"] == server.got[1][0]["X-Gitexp-Delivery"]


@pytest.mark.slow
def test_watch_goes_on_where_it_was_killed(project: Path, tmp_path: Path) -> None:
    line = f"cat >> '{tmp_path}/told'; echo \"$GITEXP_EVENT_VERSION\" >> '{tmp_path}/versions'"
    command = [sys.executable, "-m", "gitexp", "model", "watch", "--exec", line, "--as", "x", "--interval", "50ms"]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, cwd=project, env={**os.environ, "PYTHONPATH": str(support.ROOT)})

    def versions() -> list[str]:
        return (tmp_path / "versions").read_text().split() if (tmp_path / "versions").exists() else []

    def wait(count: int) -> None:
        deadline = time.monotonic() + 30
        while len(versions()) < count and time.monotonic() < deadline:
            time.sleep(0.02)

    once(project, Choice(lines=(line,), called="x"))
    process = start()
    try:
        registry.register(project, registry.run(project))
        wait(1)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        registry.register(project, registry.run(project, "second"))
        process = start()
        wait(2)
        registry.register(project, registry.run(project, "third"))
        wait(3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(30)
    assert versions() in (["1", "2", "3"], ["1", "1", "2", "3"])  # killed between the command's end and its line


def test_a_remote_that_is_away_and_rules_that_break_do_not_end_a_watch(project: Path, tmp_path: Path) -> None:
    choice = Choice(lines=(f"echo told >> '{tmp_path}/told'",))
    once(project, choice)
    registry.register(project, registry.run(project))
    stop, troubles, told = threading.Event(), list[str](), list[Told]()
    looks = iter([None, RemoteError("origin was not reached"), UsageError("no rule 'x'"), None])

    def renew() -> tuple[Workspace, Sequence[Receiver]]:
        if (trouble := next(looks, None)) is not None:
            raise trouble
        if len(troubles) == 2:
            registry.register(project, registry.run(project, "second"))
            troubles.append("")
        return watchers.renew(str(project), choice, None)

    def report(item: Told) -> None:
        told.append(item)
        if len(told) == 2:
            stop.set()

    tell.watch(renew, PACE, tell.Listener(report, lambda error: troubles.append(error.message)), stop)
    assert [item.notice.version for item in told] == [1, 2]
    assert troubles[:2] == ["origin was not reached", "no rule 'x'"]


def test_the_command_shows_what_it_would_tell_and_what_it_told(project: Path, server: Server) -> None:
    assert "there is nobody to tell" in gitexp("model", "watch", "--once", expect=2).stderr
    hook(project, server.url)
    gitexp("model", "watch", "--once")
    version = registry.register(project, registry.run(project))
    stage(project, version)
    shown = gitexp("model", "watch", "-n").lines
    assert shown[1] == "churn:1  moved 1 to production  -> deploy" and server.got == []
    done = gitexp("model", "watch", "--once").lines
    assert done[1] == "churn:1  moved 1 to production  -> deploy: answered 200"
    registry.say(project, version, events.APPROVE)
    found = json.loads(gitexp("model", "watch", "--once", "--json").stdout)
    assert (found["op"], found["receiver"], found["good"], found["tries"]) == ("approve", "deploy", True, 1)
