"""Running a command: what passes through, what the log keeps, terminals, signals and ends of every kind."""

from __future__ import annotations

import os
import re
import select
import shlex
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from gitexp.capture import output
from gitexp.errors import UsageError
from tests import support

TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3
WRAPPER = """
import os, sys
from pathlib import Path
from gitexp.capture import output

log = None if sys.argv[1] == "-" else Path(sys.argv[1])
limit = int(os.environ.get("LIMIT", 100 << 20))
code = output.run(sys.argv[2:], log=log, environ=os.environ, limit_bytes=limit)
if "CODE" in os.environ:
    Path(os.environ["CODE"]).write_text(str(code))
sys.exit(code)
"""
# A new session whose terminal is the tty at stdin: what a terminal window does before it starts a shell.
LOGIN = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
# A signal that comes just before a call that waits would not wake that, so the pipe does.
COUNT_SIGNALS = """
import os, select, signal, sys
bell, ring = os.pipe()
os.set_blocking(ring, False)
signal.set_wakeup_fd(ring)
def count(number, frame):
    print("got", signal.Signals(number).name, flush=True)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
    signal.signal(number, count)
print("ready", flush=True)
while True:
    ready = select.select([0, bell], [], [])[0]
    if bell in ready:
        os.read(bell, 100)
    if 0 in ready:
        sys.exit(int(sys.stdin.readline() or 0))
"""


def wrapper(log: Path | str, *command: str) -> list[str]:
    return [sys.executable, "-c", WRAPPER, str(log), *command]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(support.ROOT), **more}


def wrapped(log: Path | str, *command: str, input: bytes = b"", **more: str) -> tuple[int, bytes, bytes]:
    """Run a command under the wrapper with pipes, and return its exit code and what came out of the two."""
    done = subprocess.run(
        wrapper(log, *command),
        input=input,
        capture_output=True,
        env=environment(**more),
        timeout=support.TIMEOUT_SECONDS,
    )
    return done.returncode, done.stdout, done.stderr


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def all_stopped(shell: subprocess.Popen[bytes]) -> bool:
    states = {child.status() for child in psutil.Process(shell.pid).children(recursive=True)}
    return states == {psutil.STATUS_STOPPED}


@contextmanager
def started(command: list[str], **options: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process in a group of its own; whatever happens, nothing of the group is left."""
    stdio = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **options}
    with subprocess.Popen(command, env=environment(), start_new_session=True, **stdio) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class Terminal:
    """A terminal window: what is typed into it, and what stands in it."""

    def __init__(self, rows: int = 30, columns: int = 91) -> None:
        self.keyboard, self.tty = os.openpty()
        termios.tcsetwinsize(self.tty, (rows, columns))
        self.seen = b""

    def type(self, keys: bytes) -> None:
        os.write(self.keyboard, keys)

    def read(self, seconds: float) -> bool:
        if not select.select([self.keyboard], [], [], seconds)[0]:
            return False
        self.seen += os.read(self.keyboard, 65536)
        return True

    def wait_for(self, pattern: bytes, count: int = 1) -> None:
        end = time.monotonic() + 30
        while len(re.findall(pattern, self.seen)) < count:
            assert time.monotonic() < end, self.seen
            self.read(0.1)

    def wait(self, process: subprocess.Popen[bytes]) -> int:
        end = time.monotonic() + 30
        while process.poll() is None:
            assert time.monotonic() < end, self.seen
            self.read(0.02)
        while self.read(0):
            pass
        return process.returncode

    @contextmanager
    def running(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command that has this terminal as its own."""
        login = [sys.executable, "-c", LOGIN, *command]
        process = subprocess.Popen(login, stdin=self.tty, stdout=self.tty, stderr=self.tty, env=environment())
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def close(self) -> None:
        os.close(self.tty)
        os.close(self.keyboard)


@pytest.fixture
def window() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "output.log"


def test_stdout_and_stderr_stay_apart_and_both_are_in_the_log(log: Path) -> None:
    kept = f"until grep -qs %s {log}; do sleep 0.02; done"
    script = f"echo one; {kept % 'one'}; echo two >&2; {kept % 'two'}; echo three"
    assert wrapped(log, "sh", "-c", script) == (
        0,
        b"one\nthree\n",
        b"two\n",
    )
    assert log.read_text() == "one\ntwo\nthree\n"


def test_the_order_is_kept_where_stdout_and_stderr_are_the_same(log: Path) -> None:
    code = "import os\nfor n in range(500): os.write(1 + n % 2, b'%d\\n' % n)"
    done = subprocess.run(
        wrapper(log, sys.executable, "-c", code),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
        timeout=support.TIMEOUT_SECONDS,
    )
    assert done.stdout == log.read_bytes() == b"".join(b"%d\n" % n for n in range(500))


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
)
@pytest.mark.parametrize("with_log", [True, False])
def test_the_exit_code_is_that_of_the_command(log: Path, script: str, code: int, with_log: bool) -> None:
    assert wrapped(log if with_log else "-", "sh", "-c", script)[0] == code


def test_stdin_reaches_the_command(log: Path) -> None:
    assert wrapped(log, "tr", "a-z", "A-Z", input=b"loss\n") == (0, b"LOSS\n", b"")


def test_without_a_log_the_command_writes_to_the_real_files(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        command = wrapper("-", "stat", "-L", "-c", "%i", "/dev/stdout")
        subprocess.run(command, stdout=out, env=environment(), check=True, timeout=support.TIMEOUT_SECONDS)
    assert int((tmp_path / "out").read_text()) == (tmp_path / "out").stat().st_ino


def test_ten_megabytes_pass_unchanged_and_are_logged(tmp_path: Path, log: Path) -> None:
    text = b"".join(b"epoch %d loss 0.%06d\n" % (n, n) for n in range(450_000))
    (tmp_path / "long").write_bytes(text)
    code, out, _ = wrapped(log, "cat", str(tmp_path / "long"))
    assert (code, out == text, log.read_bytes() == text) == (0, True, True)


def test_bytes_that_are_not_utf_8_pass_exactly_and_are_replaced_in_the_log(log: Path) -> None:
    code, out, _ = wrapped(log, "printf", r"a\377b\000\342\202\n")
    assert (code, out) == (0, b"a\xffb\x00\xe2\x82\n")
    assert log.read_text() == "a\ufffdb\x00\ufffd\n"


def test_a_reader_that_has_enough_ends_the_command_as_it_would_without_us(log: Path) -> None:
    process = subprocess.Popen(wrapper(log, "yes"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    assert process.stdout is not None
    assert process.stdout.readline() == b"y\n"
    process.stdout.close()
    assert process.communicate(timeout=30)[1] == b""
    assert process.returncode == 128 + signal.SIGPIPE
    assert log.read_bytes().startswith(b"y\ny\n")


def test_a_grandchild_that_keeps_the_output_open_does_not_hold_us(log: Path) -> None:
    begin = time.monotonic()
    code, out, _ = wrapped(log, "sh", "-c", "sleep 60 >&2 & echo $!; exit 4", LC_ALL="C")
    # `communicate` waits for stderr, which only the wrapper has: the grandchild has the wrapper's pipe.
    assert (code, time.monotonic() - begin < 30) == (4, True)
    os.kill(int(out), signal.SIGKILL)


def test_what_the_command_wrote_just_before_its_end_is_all_there_for_a_slow_reader(log: Path) -> None:
    script = "(sleep 60 & echo $! >&2); head -c 65000 /dev/zero"
    with subprocess.Popen(
        wrapper(log, "sh", "-c", script), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        sleeper = int(process.stderr.readline())
        time.sleep(0.4)
        assert len(process.stdout.read()) == 65000
    os.kill(sleeper, signal.SIGKILL)


@pytest.mark.parametrize(
    ("command", "code", "message", "hint"),
    [
        (["no-such-command"], 127, "cannot run 'no-such-command': there is no such command", "PATH"),
        (["./train.py"], 126, "cannot run './train.py': permission denied", "gitexp run -- python ./train.py"),
        (["./plain"], 126, "cannot run './plain': permission denied", "chmod +x ./plain"),
        (["./headless"], 126, "cannot run './headless': exec format error", "gitexp run -- sh ./headless"),
        (["./lost"], 126, "cannot run './lost': the interpreter in its first line is not there", ""),
        (["a\0b"], 126, "cannot run 'a\\x00b': embedded null byte", ""),
        ([], 127, "no command is given", "gitexp run -- python train.py"),
    ],
)
def test_a_command_that_cannot_start_is_an_error_with_the_code_of_shells(
    tmp_path: Path, log: Path, command: list[str], code: int, message: str, hint: str
) -> None:
    for name, mode, text in (
        ("train.py", 0o644, ""),
        ("plain", 0o644, ""),
        ("headless", 0o755, "echo hello\n"),
        ("lost", 0o755, "#!/no/such/interpreter\n"),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    with pytest.raises(UsageError) as caught:
        output.run(command, log=log, environ=os.environ, cwd=tmp_path)
    assert (caught.value.exit_code, caught.value.message) == (code, message)
    assert hint in caught.value.hint
    assert not log.exists()


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no directory"):
        output.run(["true"], log=None, environ=os.environ, cwd=tmp_path / "none")


def test_handlers_and_files_are_as_before_afterwards(log: Path) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGWINCH, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers], sorted(os.listdir("/proc/self/fd"))
    pids: list[int] = []
    assert output.run(["true"], log=log, environ=os.environ, on_start=pids.append) == 0
    with pytest.raises(UsageError):
        output.run(["no-such-command"], log=log, environ=os.environ)
    with pytest.raises(ZeroDivisionError):
        output.run(["sleep", "60"], log=log, environ=os.environ, on_start=lambda pid: pids.append(pid // 0))
    assert ([signal.getsignal(number) for number in numbers], sorted(os.listdir("/proc/self/fd"))) == before
    assert len(pids) == 1


def test_the_environment_is_the_one_given_and_the_path_in_it_is_searched(tmp_path: Path, log: Path) -> None:
    support.write(tmp_path / "bin/say", "#!/bin/sh\necho $WORD > said\n")
    (tmp_path / "bin/say").chmod(0o755)
    environ = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "WORD": "hello"}
    assert output.run(["say"], log=log, environ=environ, cwd=tmp_path) == 0
    assert (tmp_path / "said").read_text() == "hello\n"


def test_a_log_that_cannot_be_written_is_said_once_and_the_command_goes_on(tmp_path: Path) -> None:
    code, out, error = wrapped(tmp_path / "none/output.log", "echo", "hello")
    assert (code, out) == (0, b"hello\n")
    assert error == b"gitexp: output.log: No such file or directory; the output is not recorded\n"
    code, out, error = wrapped("/dev/full", "echo", "hello")
    assert (code, out) == (0, b"hello\n")
    assert error.count(b"not recorded") == 1


def test_a_wrapper_that_is_killed_leaves_the_log_up_to_there(log: Path) -> None:
    script = f"echo begin; printf 'half {TOKEN} a line'; exec sleep 60"
    with started(wrapper(log, "sh", "-c", script)) as process:
        wait_until(lambda: log.exists() and b"a line" in log.read_bytes())
        process.kill()
        process.wait()
        assert log.read_text() == "begin\nhalf [redacted] a line"


def test_a_stdout_that_does_not_block_gets_everything(log: Path) -> None:
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    process = subprocess.Popen(wrapper(log, "seq", "100000"), stdout=theirs, env=environment())
    os.close(theirs)
    time.sleep(0.2)  # the pipe is full
    with os.fdopen(ours, "rb") as out:
        assert out.read() == b"".join(b"%d\n" % number for number in range(1, 100_001))
    assert process.wait(30) == 0


def test_a_stdout_that_is_closed_is_closed_for_the_command(log: Path) -> None:
    command = ["sh", "-c", '"$@" >&-', "sh", *wrapper(log, "sh", "-c", "echo one || echo two >&2")]
    done = subprocess.run(command, capture_output=True, env=environment(), timeout=support.TIMEOUT_SECONDS)
    assert (done.returncode, done.stdout) == (0, b"")
    assert log.read_text().endswith("two\n")


def test_a_command_can_be_run_beside_the_main_thread(log: Path) -> None:
    codes: list[int] = []
    thread = threading.Thread(
        target=lambda: codes.append(output.run(["sh", "-c", "exit 3"], log=log, environ=os.environ))
    )
    thread.start()
    thread.join(30)
    assert codes == [3]


# Signals, without a terminal.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1])
def test_a_signal_goes_on_to_the_command_each_time(log: Path, number: signal.Signals) -> None:
    with started(wrapper(log, sys.executable, "-c", COUNT_SIGNALS)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        for _ in range(2):
            process.send_signal(number)
            assert process.stdout.readline() == f"got {number.name}\n".encode()
        process.stdin.write(b"5\n")
        process.stdin.close()
        assert (process.stdout.read(), process.wait(30)) == (b"", 5)
    assert log.read_text() == f"ready\ngot {number.name}\ngot {number.name}\n"


def test_a_command_that_a_signal_ends_is_told_by_its_number(log: Path) -> None:
    with started(wrapper(log, "sh", "-c", "echo ready; exec sleep 60")) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143


def test_a_signal_that_is_ignored_stays_ignored(log: Path) -> None:
    script = "echo ready; read line; echo $line"
    command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *wrapper(log, "sh", "-c", script)]
    with started(command) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        os.killpg(process.pid, signal.SIGHUP)
        process.stdin.write(b"still here\n")
        process.stdin.close()
        assert (process.stdout.read(), process.wait(30)) == (b"still here\n", 0)


# A terminal.


def test_a_terminal_stays_a_terminal_of_the_same_size(window: Terminal, log: Path) -> None:
    code = "import os; print([os.isatty(n) for n in range(3)], *os.get_terminal_size(), *os.get_terminal_size(2))"
    with window.running(*wrapper(log, sys.executable, "-c", code)) as process:
        assert window.wait(process) == 0
    assert window.seen == b"[True, True, True] 91 30 91 30\r\n"
    assert log.read_text() == "[True, True, True] 91 30 91 30\n"


def test_a_pipe_beside_a_terminal_stays_a_pipe(window: Terminal, log: Path) -> None:
    code = "import os; os.write(1, b'%r' % [os.isatty(n) for n in range(3)]); os.write(2, b'to the terminal')"
    command = ["/bin/sh", "-c", '"$@" | cat', "sh", *wrapper(log, sys.executable, "-c", code)]
    with window.running(*command) as process:
        assert window.wait(process) == 0
    assert b"[True, False, True]" in window.seen
    assert b"to the terminal" in window.seen


def test_the_window_can_be_resized(window: Terminal, log: Path) -> None:
    code = (
        "import os, select, signal, sys\n"
        "signal.signal(signal.SIGWINCH, lambda *_: print('now', *os.get_terminal_size(), flush=True))\n"
        "print('ready', flush=True)\n"
        "while not select.select([0], [], [], 0.05)[0]: pass\n"
        "sys.stdin.readline()"
    )
    with window.running(*wrapper(log, sys.executable, "-c", code)) as process:
        window.wait_for(b"ready\r\n")
        termios.tcsetwinsize(window.tty, (20, 55))
        window.wait_for(b"now 55 20")
        window.type(b"\n")
        assert window.wait(process) == 0


@pytest.mark.parametrize(("key", "name"), [(b"\x03", "SIGINT"), (b"\x1c", "SIGQUIT")])
def test_what_is_typed_to_interrupt_reaches_the_command_once(
    window: Terminal, log: Path, key: bytes, name: str
) -> None:
    with window.running(*wrapper(log, sys.executable, "-c", COUNT_SIGNALS)) as process:
        window.wait_for(b"ready\r\n")
        window.type(key)
        window.wait_for(f"got {name}\r\n".encode())
        window.type(key)
        window.wait_for(f"got {name}\r\n".encode(), 2)
        process.send_signal(signal.SIGTERM)
        window.wait_for(b"got SIGTERM\r\n")
        window.type(b"6\n")
        assert window.wait(process) == 6
    assert log.read_text() == f"ready\ngot {name}\ngot {name}\ngot SIGTERM\n"


def test_ctrl_z_gives_the_shell_back_and_fg_the_command(window: Terminal, log: Path) -> None:
    support.needs("bash")
    script = "echo ready; read line; echo got $line"
    program = log.with_name("wrapper.py")
    program.write_text(WRAPPER)
    with window.running("/bin/bash", "--norc", "--noprofile", "-i") as shell:
        window.type(shlex.join([sys.executable, str(program), str(log), "sh", "-c", script]).encode() + b"\n")
        window.wait_for(rb"[\r\n]ready\r\n")
        window.type(b"\x1a")
        window.wait_for(rb"Stopped[^\r\n]*\r\n(?s:.)*?[#$] ")  # what is typed before the prompt is lost
        wait_until(lambda: all_stopped(shell))  # one that still waits for its line takes a letter before it stops
        window.type(b"echo still $((40 + 2)); fg\n")
        window.wait_for(b"still 42")
        window.type(b"an answer\n")
        window.wait_for(b"got an answer")
        window.type(b"exit 3\n")
        assert window.wait(shell) == 3
    assert log.read_text() == "ready\ngot an answer\n"


def test_the_terminal_has_its_modes_afterwards_however_the_command_or_the_wrapper_ends(
    window: Terminal, log: Path
) -> None:
    before = termios.tcgetattr(window.tty)
    with window.running(*wrapper(log, "sh", "-c", "echo ready; kill -9 $$")) as process:
        assert window.wait(process) == 137
    assert termios.tcgetattr(window.tty) == before
    with window.running(*wrapper(log, "sh", "-c", "echo ready $$; exec sleep 60")) as process:
        window.wait_for(rb"ready \d+\r\n")
        process.kill()
        assert window.wait(process) == -signal.SIGKILL
    assert termios.tcgetattr(window.tty) == before


def test_a_prompt_is_seen_before_the_answer(window: Terminal, log: Path) -> None:
    with window.running(*wrapper(log, sys.executable, "-c", "print('hello', input('name? '))")) as process:
        window.wait_for(rb"name\? ")
        window.type(b"Ana\n")
        assert window.wait(process) == 0
    assert b"hello Ana\r\n" in window.seen


@pytest.mark.parametrize("shell", [[], ["/bin/sh", "-c", '"$@"; exit 1', "sh"]], ids=["alone", "in a shell"])
def test_a_window_that_is_closed_ends_the_command_and_the_wrapper_lives_to_see_it(log: Path, shell: list[str]) -> None:
    hung_up, ended = log.with_name("hung up"), log.with_name("ended")
    code = (
        "import os, signal, sys, time\n"
        f"signal.signal(signal.SIGHUP, lambda *_: open({str(hung_up)!r}, 'a').write('x'))\n"
        "print('ready', flush=True)\n"
        f"while not os.path.exists({str(hung_up)!r}): time.sleep(0.01)\n"
        "time.sleep(0.3)\n"
        "sys.exit(9)\n"
    )
    window = Terminal()
    command = [*shell, "/usr/bin/env", f"CODE={ended}", *wrapper(log, sys.executable, "-c", code)]
    with window.running(*command) as process:
        window.wait_for(b"ready\r\n")
        window.close()
        process.wait(30)
        wait_until(ended.exists)
        wait_until(lambda: ended.read_text() != "")
    assert (ended.read_text(), hung_up.read_text()) == ("9", "x")


def test_the_limit_holds_for_a_command(log: Path) -> None:
    code, out, _ = wrapped(log, "seq", "200000", LIMIT="50000")
    assert (code, out.count(b"\n")) == (0, 200_000)
    assert log.stat().st_size <= 50_000
    assert log.read_text().startswith("1\n2\n") and log.read_text().endswith("\n200000\n")
