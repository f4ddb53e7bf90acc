"""gitexp completion: the script with which a shell completes gitexp and git exp."""

from __future__ import annotations

import click

# `git exp` is completed by Git's own script, which asks _git_exp; the words are then those of `git`.
_BASH = r"""
_git_exp() {
    local at
    for ((at = 1; at < COMP_CWORD; at++)); do
        [[ ${COMP_WORDS[at]} == exp ]] && break
    done
    COMP_WORDS=(gitexp "${COMP_WORDS[@]:at + 1}")
    COMP_CWORD=$((COMP_CWORD - at))
    _gitexp_completion gitexp
}
"""
_ZSH = r"""
zstyle ':completion:*:*:git:*' user-commands exp:'record and compare experiments'
_git-exp() {
    words[1]=gitexp
    _gitexp_completion
}
"""


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes gitexp in a shell.

    Commands and options, names and ids of runs, experiments; for git exp too.

    bash: put `eval "$(gitexp completion bash)"` into ~/.bashrc; zsh: the same with zsh into ~/.zshrc, after compinit;
    fish: gitexp completion fish > ~/.config/fish/completions/gitexp.fish
    """
    from click.shell_completion import get_completion_class

    from gitexp.cli import main

    kind = get_completion_class(shell)
    assert kind is not None  # the choices are those that click has
    more = {"bash": _BASH, "zsh": _ZSH}.get(shell, "")
    click.echo(kind(main.cli, {}, "gitexp", "_GITEXP_COMPLETE").source().rstrip() + "\n" + more, nl=False)
