"""Credentials on a machine without a git command: helpers, files, programs that are asked, in Git's order."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.git import command, credentials, discover
from gitexp.git.exchange import Options, quiet
from gitexp.git.repo import Repo
from tests import nogit, support

URL = "https://git.acme.io/churn.git"
ANSWERS = '#!/bin/sh\ncase "$1" in Username*) echo ana;; "Password for \'https://ana@"*) echo s3cret;; esac\n'


@pytest.fixture
def repo(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    monkeypatch.setenv("PATH", nogit.path(tmp_path / "bin"))
    assert not command.available()
    return discover.find(project)


def configure(repo: Repo, key: str, value: str) -> None:
    section, _, rest = key.partition(".")
    where, _, name = rest.rpartition(".")
    head = f'[{section} "{where}"]' if where else f"[{section}]"
    with (repo.common_dir / "config").open("a") as file:
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        file.write(f'{head}\n\t{name} = "{quoted}"\n')


def asked(repo: Repo, url: str = URL, username: str = "", **env: str) -> tuple[str, str] | None:
    found = credentials.fill(repo, url, username, {"GIT_TERMINAL_PROMPT": "0", **env})
    return (found.username, found.password) if found else None


def test_where_nobody_knows_there_are_no_credentials(repo: Repo) -> None:
    assert asked(repo) is None
    assert "netrc" in credentials.advice(URL)


def test_a_helper_is_a_command_a_path_or_a_program_of_that_name(repo: Repo, tmp_path: Path) -> None:
    script = "#!/bin/sh\ncat >{log}\necho username=ana\necho password={word}\n"
    program = support.write(tmp_path / "bin/git-credential-mine", script.format(log=tmp_path / "log", word="named"))
    program.chmod(0o755)
    configure(repo, "credential.helper", "mine --quiet")
    assert asked(repo) == ("ana", "named")
    assert (tmp_path / "log").read_text() == "protocol=https\nhost=git.acme.io\n\n"
    configure(repo, "credential.helper", "")  # what was before counts no more
    at = support.write(tmp_path / "elsewhere/helper", script.format(log="/dev/null", word="path"))
    at.chmod(0o755)
    configure(repo, "credential.helper", str(at))
    configure(repo, "credential.helper", '!f() { test "$1" = get && echo username=bo && echo password=late; }; f')
    assert asked(repo) == ("ana", "path")
    configure(repo, "credential.helper", "")
    configure(repo, "credential.helper", '!f() { test "$1" = get && echo username=bo && echo password=late; }; f')
    assert asked(repo) == ("bo", "late")


def test_a_helper_of_another_host_is_not_asked(repo: Repo) -> None:
    configure(repo, "credential.https://other.io.helper", "!echo username=ana; echo password=wrong #")
    assert asked(repo) is None
    configure(repo, "credential.https://git.acme.io.helper", "!echo username=ana; echo password=right #")
    assert asked(repo) == ("ana", "right")


def test_what_git_stored_is_read(repo: Repo, seal: Path) -> None:
    configure(repo, "credential.helper", "store")
    lines = ["https://bo:no@other.io", "broken", "https://ana:p%40ss@git.acme.io", "https://bo:two@git.acme.io"]
    support.write(seal / ".git-credentials", "\n".join(lines))
    assert asked(repo) == ("ana", "p@ss")
    assert asked(repo, username="bo") == ("bo", "two")
    assert asked(repo, "http://git.acme.io/x.git") is None


def test_the_program_of_git_askpass_is_asked_unless_nobody_is_to_be(repo: Repo, tmp_path: Path) -> None:
    program = support.write(tmp_path / "ask pass.sh", ANSWERS)
    program.chmod(0o755)
    assert asked(repo, GIT_ASKPASS=str(program)) == ("ana", "s3cret")
    assert asked(repo, SSH_ASKPASS=str(program)) == ("ana", "s3cret")
    assert asked(repo, **{"GIT_ASKPASS": str(program), **quiet(Options(auto=True))}) is None


def test_helpers_hear_whether_credentials_were_good(repo: Repo, tmp_path: Path) -> None:
    helper = f"!f() {{ echo $1 >>{tmp_path}/log; test $1 = get && echo username=ana && echo password=x; true; }}; f"
    configure(repo, "credential.helper", helper)
    found = credentials.fill(repo, URL, "", {})
    assert found is not None
    credentials.approve(repo, found)
    credentials.reject(repo, found)
    assert (tmp_path / "log").read_text().split() == ["get", "store", "erase"]
