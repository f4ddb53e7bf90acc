"""The command line as a whole: help, options before the verb, errors and exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from gitexp import errors
from gitexp.cli import context, main
from tests import support

VERBS = [(name, module, line) for rows in main.COMMANDS.values() for name, module, line in rows]


@pytest.mark.parametrize(("name", "module", "line"), VERBS, ids=[row[0] for row in VERBS])
def test_the_table_says_what_each_command_says_of_itself(name: str, module: str, line: str) -> None:
    command = main.cli.get_command(click.Context(main.cli), name)
    assert command is not None
    assert (command.name, command.get_short_help_str(limit=1000)) == (name, line)
    assert Path(sys.modules[f"gitexp.cli.{module}"].__file__ or "").exists()


def commands(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    found = [(path, command)]
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            assert inner is not None
            found += commands(inner, (*path, name))
    return found


@pytest.mark.parametrize(
    ("path", "command"), commands(main.cli), ids=lambda item: " ".join(item) if isinstance(item, tuple) else ""
)
def test_every_command_and_option_has_help(path: tuple[str, ...], command: click.Command) -> None:
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, parameter.name
    shown = support.gitexp(*path, "-h")
    assert shown.stdout.startswith("Usage: gitexp")
    assert max(map(len, shown.lines)) <= 100


def test_help_is_shown_in_all_ways(project: Path) -> None:
    shown = support.gitexp("-h")
    assert shown == support.gitexp("--help") == support.gitexp("help") == support.gitexp()
    assert support.gitexp("help", "log") == support.gitexp("log", "--help")
    assert support.gitexp("help", "nothing", expect=2).stderr.startswith("gitexp: no command 'nothing'\n")
    assert "\nLook:\n" in shown.stdout
    assert support.gitexp("model") == support.gitexp("model", "-h") == support.gitexp("help", "model")
    keys = support.gitexp("keys")
    assert keys == support.gitexp("keys", "-h") == support.gitexp("help", "keys")
    assert "..." not in keys.stdout.partition("Commands:")[2]
    assert support.git(project, "exp", "-h") == shown.stdout.rstrip()


def test_help_imports_no_command_and_nothing_heavy() -> None:
    code = "import sys\nfrom gitexp.cli import main\nmain.run(['--help'])\nprint(*sys.modules)"
    loaded = set(support.python(Path.cwd(), code).stdout.splitlines()[-1].split())
    own = {name for name in loaded if name.startswith("gitexp")}
    assert own == {"gitexp", "gitexp.version", "gitexp.errors", "gitexp.cli", "gitexp.cli.context", "gitexp.cli.main",
                   "gitexp.cli.verbs"}  # fmt: skip
    assert not loaded & {"pygit2", "rich", "pandas", "asyncio", "importlib.metadata"}


def test_the_version_is_printed() -> None:
    assert support.gitexp("--version").stdout.startswith("gitexp 0.")


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["lgo"], "no command 'lgo'", "did you mean: gitexp log"),
        (["statsu"], "no command 'statsu'", "did you mean: gitexp status"),
        (["keys", "sutup"], "no command 'keys sutup'", "did you mean: gitexp keys setup"),
        (["help", "model", "rolback"], "no command 'model rolback'", "did you mean: gitexp model rollback"),
        (["\x1b[2J"], "no command '\\\\x1b[2J'", "list the commands: gitexp -h"),
        (["log", "--onelin"], "No such option '--onelin'.", "gitexp log -h"),
        (["log", "-n", "x"], "Invalid value for '-n' / '--limit': 'x' is not a valid integer range.", "gitexp log -h"),
        (["-C"], "Option '-C' requires an argument.", "gitexp -h"),
        (["-C", "/nowhere", "log"], "cannot enter '/nowhere': No such file or directory", "give -C a folder"),
    ],
)
def test_what_cannot_be_meant_ends_with_2_and_what_to_type(words: list[str], message: str, hint: str) -> None:
    shown = support.gitexp(*words, expect=2)
    first, *rest = shown.stderr.splitlines()
    assert (shown.stdout, first.startswith(f"gitexp: {message}"), rest) == ("", True, [hint]), shown.stderr


def test_a_folder_is_entered_as_git_does_and_left_again(project: Path) -> None:
    (project / "a" / "b").mkdir(parents=True)
    os.chdir("/")
    for words in (["-C", str(project)], ["-C", str(project / "a"), "-C", "b"], ["-C", str(project), "-C", ""]):
        assert support.gitexp(*words, "log").stdout.startswith("default: 0 runs\n")
    assert Path.cwd() == Path("/")
    assert support.gitexp("log", expect=6).stderr.startswith("gitexp: / is not in a Git repository\n")
    assert support.gitexp("--repo", str(project), "log").stdout.startswith("default: 0 runs\n")


def _with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let the verb `help` end with an error: what any command could do."""

    @click.command("help")
    def command() -> None:
        raise error

    monkeypatch.setattr("gitexp.cli.help.command", command)


@pytest.mark.parametrize(
    "kind",
    [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.GitexpError)],
)
def test_each_error_has_its_exit_code_message_and_hint(
    kind: type[errors.GitexpError], monkeypatch: pytest.MonkeyPatch
) -> None:
    _with(monkeypatch, kind("what is wrong\x1b", hint="type this"))
    shown = support.gitexp("help", expect=kind.exit_code)
    assert (shown.stdout, shown.stderr) == ("", "gitexp: what is wrong\\x1b\ntype this\n")


def test_the_details_of_an_error_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    _with(monkeypatch, errors.Ambiguous("two", hint="one", candidates=["a", "b\x1b"]))
    assert support.gitexp("help", expect=5).stderr == "gitexp: two\n  a\n  b\\x1b\none\n"
    _with(monkeypatch, errors.DirtyTree("dirty", hint="commit", paths=[(" M", "a.py"), ("??", "b.py")]))
    assert support.gitexp("help", expect=3).stderr == "gitexp: dirty\n   M a.py\n  ?? b.py\ncommit\n"
    _with(monkeypatch, errors.Unconfirmed("nothing sent", hint="--yes", plan=["12 runs", "  4 dirty"]))
    assert support.gitexp("help", expect=11).stderr == "12 runs\n  4 dirty\ngitexp: nothing sent\n--yes\n"


def test_a_full_or_closed_disk_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    _with(monkeypatch, OSError(28, "No space left on device", "/x/y"))
    assert support.gitexp("help", expect=9).stderr.startswith("gitexp: /x/y: No space left on device\n")


def test_a_bug_leaves_a_log_and_one_line(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _with(monkeypatch, KeyError("surprise\x1b"))
    shown = support.gitexp("help", expect=70)
    log = project / ".git/gitexp/crash.log"
    assert shown.stderr == f"gitexp: bug: KeyError: 'surprise\\x1b'; details in {log}\n"
    assert "KeyError: 'surprise" in log.read_text() and "command  gitexp help\n" in log.read_text()


def test_outside_of_a_repository_the_log_is_in_a_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _with(monkeypatch, KeyError("surprise"))
    assert support.gitexp("help", expect=70).stderr.endswith(f"details in {tmp_path}/gitexp-{os.getuid()}/crash.log\n")


def test_a_traceback_is_shown_when_asked_for(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEXP_DEBUG", "1")
    _with(monkeypatch, KeyError("surprise"))
    assert support.gitexp("help", expect=70).stderr.startswith("Traceback (most recent call last):\n")


def test_secrets_in_the_command_stay_out_of_the_log(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitexp.cli.help.verbs.unknown", KeyError)
    support.gitexp("help", "--", "--password=hunter2hunter2", expect=70)
    assert "hunter2" not in (project / ".git/gitexp/crash.log").read_text()


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    _with(monkeypatch, KeyboardInterrupt())
    assert support.gitexp("help", expect=130).stderr.strip() == ""


def test_a_closed_pipe_is_quiet(project: Path) -> None:
    line = f"{sys.executable} -m gitexp config | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=project,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(support.ROOT)},
    )
    assert (done.returncode, done.stderr) in ((0, ""), (128 + signal.SIGPIPE, ""))


def test_what_was_put_right_is_said_in_one_line_unless_quiet(project: Path) -> None:
    for words in ([], ["-q"]):
        with_dead_run(project)
        shown = support.gitexp(*words, "log")
        assert shown.lines[0].startswith("churn: ")
        said = shown.stderr.splitlines()
        assert len(said) == (0 if words else 1)
        assert all(line.startswith("gitexp: closed live (") for line in said)


def with_dead_run(project: Path) -> None:
    code = "import gitexp, os, signal\ngitexp.start_run('churn', name='live')\nos.kill(os.getpid(), signal.SIGKILL)"
    support.execute(project, sys.executable, "-c", code, check=False)


def test_both_programs_are_installed(project: Path) -> None:
    for words in (["gitexp"], ["git", "exp"], [sys.executable, "-m", "gitexp"]):
        assert support.execute(project, *words, "log").stdout.startswith("default: 0 runs\n")


def test_options_outside_of_a_command_are_the_defaults() -> None:
    with click.Context(main.cli):
        assert context.options() == context.Options()
