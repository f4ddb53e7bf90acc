"""The seal around every test, and repositories to work in."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psutil
import pygit2
import pytest
from pygit2.enums import ConfigLevel

from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace
from tests import s3server, signing, support

PREFIXES = ("GIT_", "GITEXP_", "SLURM_", "OMPI_", "PMI_", "PMIX_", "TORCHELASTIC_", "CI_", "GITHUB_", "GITLAB_",
            "JENKINS_", "BUILDKITE_", "KUBERNETES_", "AIRFLOW_", "KFP_", "CONDA_", "MLFLOW_", "WANDB_", "LC_", "CUDA_",
            "SSH_", "XDG_", "HUSKY", "PRE_COMMIT", "COV_")  # fmt: skip
NAMES = ("CI", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "EMAIL",
         "CLICOLOR_FORCE", "PAGER", "EDITOR", "VISUAL", "LANG", "LANGUAGE", "PYTHONHASHSEED", "HOSTNAME", "PYTHONPATH",
         "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "no_proxy", "NO_PROXY",
         "GNUPGHOME", "VIRTUAL_ENV", "PYTEST_ADDOPTS",
         "PYTHONDONTWRITEBYTECODE")  # fmt: skip  # hundreds of child processes would compile gitexp anew

CONFIG = """\
[user]
	name = Ana Ruiz
	email = ana@acme.io
[init]
	defaultBranch = main
[protocol "file"]
	allow = always
[advice]
	detachedHead = false
"""
TRAIN = """\
import sys

print("training with", *sys.argv[1:])
"""


MEMORY = Path("/dev/shm")
ROOM_BYTES = 8 << 30


def _has_room() -> bool:
    """Say whether the files of the tests fit into memory: there all of them take an eighth less time."""
    try:
        stat = os.statvfs(MEMORY)
    except OSError:
        return False
    free = min(stat.f_bavail * stat.f_frsize, psutil.virtual_memory().available)
    return free >= ROOM_BYTES and not stat.f_flag & os.ST_NOEXEC and os.access(MEMORY, os.W_OK)


if _has_room():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))  # where pytest makes its temporary folders

# No example, and no making of one, is too slow on a busy machine; in CI the same ones are tried each time.
hypothesis.settings.register_profile(
    "gitexp", deadline=None, derandomize=support.IN_CI, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("gitexp")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let each worker begin with slow tests, so that small ones are left to be shared out at the end.

    With `--dist worksteal` a worker is given one stretch of the list, and those who are done take from its end.
    """
    count = getattr(config, "workerinput", {}).get("workercount", 0)
    slow = [item for item in items if item.get_closest_marker("slow")]
    quick = [item for item in items if not item.get_closest_marker("slow")]
    if count:
        items.clear()
    for workers in range(count, 0, -1):
        length = (len(slow) + len(quick)) // workers
        first = min(length, -(-len(slow) // workers))
        items += slow[:first] + quick[: length - first]
        del slow[:first], quick[: length - first]


@pytest.fixture(autouse=True)
def seal(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give each test a home, a Git configuration and an environment of its own, whatever the user's are."""
    home = tmp_path_factory.mktemp("home")
    support.write(home / ".gitconfig", CONFIG)
    for name in [name for name in os.environ if name.startswith(PREFIXES) or name in NAMES]:
        monkeypatch.delenv(name)
    for name, value in environment(home).items():
        monkeypatch.setenv(name, value)
    seal_libgit2(home)
    monkeypatch.chdir(home)
    yield home
    assert support.zombies() == [], "a child process was not waited for"


def environment(home: Path) -> dict[str, str]:
    """Return the variables that hold in a test: no configuration but ours, UTC, English, 100 columns."""
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_EDITOR": "true",
        "GIT_TERMINAL_PROMPT": "0",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "100",
        "TERM": "xterm-256color",
        # `git exp`, and hooks that call gitexp, find the one that is tested.
        "PATH": str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"],
    }


def seal_libgit2(home: Path) -> None:
    """Tell libgit2, which looks at HOME only once in a process and never at GIT_CONFIG_*, where to look."""
    levels = (ConfigLevel.PROGRAMDATA, ConfigLevel.SYSTEM, ConfigLevel.XDG)
    for level in levels:
        pygit2.settings.search_path[level] = str(home / ".none")
    pygit2.settings.search_path[ConfigLevel.GLOBAL] = str(home)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with one commit, to be copied: that takes a tenth of the time of making it."""
    home = tmp_path_factory.mktemp("template-home")
    path = tmp_path_factory.mktemp("template") / "project"
    support.write(home / ".gitconfig", CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("GIT_")]:
            patch.delenv(name)
        for name, value in environment(home).items():
            patch.setenv(name, value)
        support.write(path / "train.py", TRAIN)
        support.write(path / "README.md", "# churn\n")
        support.git(path, "init", "--quiet", "--template=")
        support.git(path, "add", "--all")
        date = "2026-11-20T14:00:00+00:00"
        support.git(
            path,
            "commit",
            "--quiet",
            "-m",
            "train a model",
            env={"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date},
        )
    (path / ".git/hooks").mkdir()
    (path / ".git/info").mkdir()
    return path


@pytest.fixture
def project(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a fresh repository with one commit (train.py, README.md); it is the current directory."""
    path = tmp_path / "project"
    shutil.copytree(template, path, symlinks=True)
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def workspace(project: Path) -> Workspace:
    """Return the workspace of `project`."""
    return workspaces.open(project)


@pytest.fixture
def bare(project: Path, tmp_path: Path) -> Path:
    """Return a bare repository that is the remote `origin` of `project` and has its branch."""
    path = tmp_path / "origin.git"
    support.git(tmp_path, "clone", "--quiet", "--bare", str(project), str(path))
    support.git(path, "remote", "remove", "origin")
    support.git(project, "remote", "add", "origin", str(path))
    support.git(project, "fetch", "--quiet", "origin")
    support.git(project, "branch", "--quiet", "--set-upstream-to=origin/main")
    return path


@pytest.fixture
def ours(project: Path, bare: Path) -> Workspace:
    """Return the workspace of `project`, opened when it has `bare` for its remote."""
    return workspaces.open(project)


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Path]:
    """Return the keys of Ana, Bob and Eve."""
    people = (signing.ANA, signing.BOB, signing.EVE)
    return {email: signing.make(tmp_path / "keys", email.partition("@")[0]) for email in people}


@pytest.fixture(scope="session")
def s3_process() -> Iterator[int]:
    """Run a server that speaks S3 and return its port."""
    with s3server.process() as port:
        yield port


@pytest.fixture
def s3(s3_process: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[s3server.Server]:
    """Return a proxy before that server, with an empty bucket, that the environment names with its keys."""
    with s3server.proxied(s3_process) as found:
        for name, value in {**s3server.KEYS, "AWS_ENDPOINT_URL": found.url}.items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.fixture
def untouched(project: Path) -> Iterator[None]:
    """Check at the end of the test that `project` is as it was at the start, and that `git fsck` is content.

    A test that changes files itself puts `with support.untouched(path):` around the part that must not.
    """
    with support.untouched(project):
        yield
