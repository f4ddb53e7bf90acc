"""gitexp config, init and completion: settings, optional set-up, shells."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gitexp.store.config import SETTINGS
from tests import stored, support


def test_all_settings_are_listed_with_value_and_origin(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    support.write(project / "gitexp.toml", 'dirty = "refuse"\n')
    monkeypatch.setenv("GITEXP_METRIC", "val_auc\x1b")
    shown = support.gitexp("config", "--show-origin").lines
    rows = {line.split()[0]: " ".join(line.split()) for line in shown}
    assert len(shown) == len(SETTINGS) + 1
    assert rows["gitexp.dirty"].startswith("gitexp.dirty refuse gitexp.toml ")
    assert rows["gitexp.metric"].startswith("gitexp.metric val_auc\\x1b environment GITEXP_METRIC ")
    assert rows["gitexp.experiment"].startswith("gitexp.experiment - default ")


def test_settings_as_json(project: Path) -> None:
    found = {item["name"]: item for item in support.gitexp("config", "--json").json}
    assert found["gitexp.dirty"] == support.gitexp("config", "dirty", "--json").json
    assert found["gitexp.dirty"]["choices"] == ["snapshot", "refuse", "allow"]
    assert set(found) == {setting.name for setting in SETTINGS.values()}


def test_a_setting_is_set_read_and_unset_in_git_config(project: Path) -> None:
    assert support.gitexp("config", "gitexp.dirty", "refuse").stdout == ""
    assert support.git(project, "config", "gitexp.dirty") == "refuse"
    assert support.gitexp("config", "DIRTY").stdout == "refuse\n"
    assert support.gitexp("config", "dirty", "--show-origin").stdout == "refuse  (git config)\n"
    support.gitexp("config", "--unset", "dirty")
    assert support.gitexp("config", "dirty").stdout == "snapshot\n"
    shown = support.gitexp("config", "--unset", "dirty", expect=4).stderr
    assert shown.startswith("gitexp: gitexp.dirty is not set in the repository's git config\n")


def test_a_setting_for_all_repositories(project: Path) -> None:
    support.gitexp("config", "--global", "gitexp.sign", "true")
    assert support.git(project, "config", "--global", "gitexp.sign") == "true"
    assert support.gitexp("config", "sign", "--show-origin").stdout == "true  (git config --global)\n"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("dirty", "maybe", "gitexp.dirty is 'maybe', not snapshot | refuse | allow"),
        ("sign", "perhaps", "gitexp.sign is 'perhaps', not true or false"),
        ("inlineLimit", "big", "gitexp.inlineLimit is 'big', not a size such as 100k or 1m"),
        ("deadAfter", "soon", "gitexp.deadAfter is 'soon', not a duration such as 15s or 10m"),
        ("costPerHour", "much", "gitexp.costPerHour is 'much', not a number"),
        ("nothing", "1", "no setting 'nothing'"),
    ],
)
def test_a_value_of_another_kind_is_refused(project: Path, name: str, value: str, message: str) -> None:
    assert support.gitexp("config", name, value, expect=2).stderr.startswith(f"gitexp: {message}\n")
    assert "gitexp" not in (project / ".git/config").read_text()


def test_a_locked_setting_cannot_be_changed(project: Path) -> None:
    support.write(project / "gitexp.toml", 'dirty = "refuse"\nlocked = ["dirty"]\n')
    for words in (["dirty", "allow"], ["--unset", "dirty"]):
        shown = support.gitexp("config", *words, expect=3).stderr
        assert shown == "gitexp: gitexp.dirty is locked by the project\nchange it in gitexp.toml\n"


def test_a_stronger_place_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEXP_DIRTY", "allow")
    shown = support.gitexp("config", "dirty", "refuse").stderr
    assert shown == "gitexp: gitexp.dirty stays 'allow': environment GITEXP_DIRTY is stronger\n"
    assert support.gitexp("config", "--unset", expect=2).stderr.startswith("gitexp: --unset needs a NAME\n")


def test_init_keeps_curves_out_of_diffs_and_is_the_same_again(project: Path) -> None:
    path = support.write(project / ".git/info/attributes", "*.bin binary")
    with support.untouched(project):
        assert support.gitexp("init", "--yes").stdout == f"curves in git diff: hidden by {path}\n"
        before = path.read_text()
        assert support.gitexp("init").stdout == f"curves in git diff: hidden by {path} (as before)\n"
    assert path.read_text() == before and before.startswith("*.bin binary\n# gitexp: ")
    one = stored.make(None, "a", "kqzvmxrkqzvmxrkq", logged={"loss": [1.0, 2.0]}).ref
    two = stored.make(None, "b", "mzrokvumzrokvumz", logged={"loss": [1.0, 3.0]}).ref
    shown = support.git(project, "diff", str(one), str(two))
    assert "metrics.csv differ" in shown and "loss,1" not in shown and '"max": 3.0' in shown


def test_init_writes_the_policy_and_installs_hooks_when_asked(project: Path) -> None:
    shown = support.gitexp("init", "--dirty", "refuse", "--hooks", "--json").json
    assert [item["what"] for item in shown][:2] == ["curves in git diff", "gitexp.dirty"]
    assert support.git(project, "config", "gitexp.dirty") == "refuse"
    assert (project / ".git/hooks/commit-msg").exists()
    again = support.gitexp("init", "--dirty", "refuse", "--hooks", "--json").json
    assert [item["changed"] for item in again] == [False] * len(again)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    script = support.gitexp("completion", shell).stdout
    assert f"_GITEXP_COMPLETE={shell}_complete" in script
    assert support.gitexp("completion", "csh", expect=2).stdout == ""


TRY = """
eval "$(gitexp completion bash)"
complete_words() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    if [[ $1 == git ]]; then _git_exp; else _gitexp_completion gitexp; fi
    echo "${COMPREPLY[*]}"
}
"""


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("gitexp st", "stop status"),
        ("gitexp log --one", "--oneline"),
        ("gitexp show lr0.0", "lr0.05"),
        ("gitexp show kq", "kqzvmxr"),
        ("gitexp show churn/", "churn/lr0.05"),
        ("gitexp log -e ch", "churn"),
        ("gitexp config gitexp.dirtyI", "gitexp.dirtyIgnore"),
        ("git exp show churn/l", "churn/lr0.05"),
        ("git -C . exp sho", "show"),
        ("gitexp -C sub -C .. show lr", "lr0.05"),
        ("gitexp --repo . show lr", "lr0.05"),
        ("gitexp -C /nowhere show lr", ""),
    ],
)
def test_bash_completes_commands_settings_and_runs(project: Path, words: str, offered: str) -> None:
    (project / "sub").mkdir()
    stored.make(None, "lr0.05", "kqzvmxrkqzvmxrkq")
    done = subprocess.run(
        ["bash", "-c", f"{TRY}complete_words {words}"], cwd=project, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == offered, done.stderr
