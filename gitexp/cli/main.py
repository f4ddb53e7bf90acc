"""The `gitexp` command: a table of verbs whose modules are imported only when used, and one place for errors."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

import click

from gitexp import errors
from gitexp.cli.context import Options
from gitexp.cli.verbs import Verbs

# (verb, module in gitexp.cli, its one-line help). Printed by --help without importing any of the modules;
# a test holds each line against the command's own.
COMMANDS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Record": (
        ("run", "run", "Run a command and record it as a run."),
        ("stop", "stop", "Ask a running run to stop, with SIGTERM; it is recorded as killed."),
    ),
    "Look": (
        ("log", "log", "List runs, newest first."),
        ("show", "show", "Show a run in full: @, the newest recorded here, if none is named."),
        ("status", "status", "Show what is running, what needs help, and what each remote lacks."),
        ("watch", "watch", "Watch a running run: its latest metrics, and a small curve of each."),
        ("get", "get", "Write a file or folder of a run here, as cp would."),
        ("artifact", "artifact", "Look after the files that runs kept."),
        ("ref", "ref", "Print the ref of a run, for plain Git: git show $(gitexp ref @)."),
    ),
    "Compare and go back": (
        ("leaderboard", "leaderboard", "Rank runs as the project's gitexp.toml defines it."),
        ("check", "check", "Say by the exit code whether a run is good enough."),
        ("diff", "diff", "Compare runs: metrics, params, code, data, environment."),
        ("data", "data", "See which data runs read, compare it, and check it."),
        ("plot", "plot", "Plot runs: curves, params against results, ROC and more."),
        ("report", "report", "Put runs on one page: curves, what differs, images, notes."),
        ("site", "site", "Write a static site of all runs of an experiment."),
        ("lineage", "lineage", "Show what made and what read a run, a file or its sha256."),
        ("importance", "importance", "Tell which params matter for a metric."),
        ("branch", "branch", "Create a branch at the exact code of a run."),
        ("apply", "apply", "Merge the uncommitted edits of a run into the files here."),
    ),
    "Release": (
        ("model", "model", "Release artifacts of runs as versions of models, with approvals."),
    ),
    "Describe": (
        ("tag", "tag", "Tag runs."),
        ("note", "note", "Add a note to runs."),
        ("title", "title", "Give a run a title."),
        ("rm", "rm", "Hide runs from lists."),
        ("undelete", "undelete", "Bring removed runs back."),
        ("purge", "purge", "Delete runs for good."),
        ("experiment", "experiment", "Look after experiments as a whole."),
    ),
    "Share": (
        ("push", "push", "Send runs to a remote."),
        ("fetch", "fetch", "Bring runs from a remote."),
        ("bundle", "bundle", "Put runs, facts and large files into one file."),
        ("unbundle", "unbundle", "Take in the runs of such a file."),
    ),
    "Set up and look after": (
        ("du", "du", "Show what takes the space: by experiment, run or artifact."),
        ("recover", "recover", "Complete runs whose process was lost."),
        ("import-spool", "import_spool", "Commit runs that were recorded where there was no repository."),
        ("hooks", "hooks", "Install, list and remove Git hooks that look after runs."),
        ("keys", "keys", "Get to a signing key, and see whose signatures count."),
        ("init", "init", "Set this repository up; recording needs none of it."),
        ("config", "config", "Show or change settings."),
        ("completion", "completion", "Print the script that completes gitexp in a shell."),
        ("fsck", "fsck", "Check runs, large files, facts, models, journals and refs."),
        ("help", "help", "Show the help of gitexp or of one command."),
    ),
}  # fmt: skip
ALIASES = {"pull": "fetch", "ls": "log"}
_BUG, _INTERRUPTED, _CLOSED_PIPE = 70, 130, 141


class ClosedPipe(Exception):
    """Whoever read our output has gone (`gitexp log | head`)."""


class Commands(Verbs):
    """The group of all verbs."""

    table, aliases = COMMANDS, ALIASES

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ClosedPipe from error  # click would make it exit 1


def _print_version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"gitexp {version('gitexp')}")
        ctx.exit()


@click.command(
    "gitexp",
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    epilog="gitexp help COMMAND tells more. Works as `git exp` too.",
)
@click.option("-C", "paths", multiple=True, metavar="PATH", help="Run as if started in PATH; several add up.")
@click.option("--repo", metavar="PATH", help="The Git repository to use, instead of the one around here.")
@click.option("-q", "--quiet", is_flag=True, help="Print no talk on stderr, only errors.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print it.")
@click.pass_context
def cli(ctx: click.Context, paths: tuple[str, ...], repo: str | None, quiet: bool) -> None:
    """Experiment tracking inside the Git repository you already have."""
    for path in paths:
        enter(ctx, path)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
    ctx.obj = Options(repo=repo, quiet=quiet or os.environ.get("GITEXP_QUIET", "") not in ("", "0"))


def enter(ctx: click.Context, path: str) -> None:
    """Make `path` the current folder until the command ends, as `git -C` does."""
    before = os.getcwd()  # noqa: PTH109 - pathlib is not imported for --help
    try:
        os.chdir(path or ".")
    except OSError as error:
        raise errors.UsageError(f"cannot enter {path!r}: {error.strerror}", hint="give -C a folder") from error
    ctx.call_on_close(lambda: os.chdir(before))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: the entry of `gitexp` and of `git exp`."""
    gc.set_threshold(50_000)  # a short life makes little garbage: looking for it every 700 objects is 5 % of a list
    code = run(sys.argv[1:] if arguments is None else arguments)
    if code == _INTERRUPTED and arguments is None:
        _die_of_interrupt()
    sys.exit(code)


def _die_of_interrupt() -> None:
    """End as an interrupted program does: a shell's loop goes on after a mere exit code."""
    import signal

    sys.stdout.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; every error ends here, as one message on stderr."""
    try:
        result = cli.main(
            args=list(arguments), prog_name="gitexp", complete_var="_GITEXP_COMPLETE", standalone_mode=False
        )
        sys.stdout.flush()
    except BaseException as error:
        return _failed(error, arguments)
    return result if isinstance(result, int) else 0


def _failed(error: BaseException, arguments: Sequence[str]) -> int:
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, ClosedPipe | BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the last flush at exit stays quiet too
        return _CLOSED_PIPE
    if isinstance(error, KeyboardInterrupt | click.Abort):
        click.echo(err=True)
        return _INTERRUPTED
    known = _known(error)
    if known is None:
        return _bug(error, arguments)
    _print_error(known)
    return known.exit_code


def _known(error: BaseException) -> errors.GitexpError | None:
    """Return an error that is the user's to mend as one of ours; None for a bug."""
    import errno

    if isinstance(error, errors.GitexpError):
        return error
    if isinstance(error, click.UsageError):
        where = error.ctx.command_path if error.ctx else "gitexp"
        return errors.UsageError(error.format_message(), hint=f"{where} -h")
    if isinstance(error, click.ClickException):
        return errors.UsageError(error.format_message())
    if isinstance(error, OSError) and error.errno in (
        errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM
    ):  # fmt: skip
        return errors.WriteFailed(f"{error.filename or 'a file'}: {error.strerror}", hint="df -h; ls -ld .git")
    return None


def _print_error(error: errors.GitexpError) -> None:
    from gitexp import text

    if isinstance(error, errors.Unconfirmed):
        for line in error.plan:
            click.echo(text.safe(line), err=True)
    click.echo(f"gitexp: {text.safe_lines(error.message)}", err=True)
    for line in _details(error):
        click.echo(f"  {text.safe(line)}", err=True)
    if error.hint:
        click.echo(text.safe_lines(error.hint), err=True)


def _details(error: errors.GitexpError) -> list[str]:
    if isinstance(error, errors.Ambiguous):
        return list(error.candidates)
    if isinstance(error, errors.DirtyTree):
        return [f"{code} {path}" for code, path in error.paths]
    return []


def _bug(error: BaseException, arguments: Sequence[str]) -> int:
    if os.environ.get("GITEXP_DEBUG", "") not in ("", "0"):
        import traceback

        traceback.print_exception(error)
    from gitexp.cli import crash

    click.echo(f"gitexp: bug: {crash.describe(error)}; details in {crash.write(error, arguments)}", err=True)
    return _BUG


if __name__ == "__main__":
    main()
