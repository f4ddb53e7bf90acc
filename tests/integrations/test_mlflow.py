"""The MLflow plugin under the oldest MLflow that it supports and the newest that can be installed.

Each has an environment of its own below this one's, made by whoever comes first: pytest, gitexp and what it needs come
from here, MLflow and the frameworks that its scripts train with are installed on top. A group of files of tests runs
there in one process, since an import of MLflow takes seconds.
"""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

from gitexp import locks
from tests import support

HERE = Path(__file__).parent / "mlflow"
ENVIRONMENTS = {
    "oldest": ("mlflow==3.10.1",),
    "newest": ("mlflow>=3.17.2", "torch==2.13.0", "lightgbm>=4.6"),
}
NEWEST_ONLY = frozenset({"test_scripts.py", "test_browser.py"})  # they need the frameworks, or test MLflow's pages
GROUPS = {
    "scripts": NEWEST_ONLY,
    "processes": frozenset({"test_hold.py", "test_plugin.py"}),
}
FILES = frozenset(path.name for path in HERE.glob("test_*.py"))
GROUPS["calls"] = FILES.difference(*GROUPS.values())
CASES = [(name, group) for group in GROUPS for name in ENVIRONMENTS if name == "newest" or group != "scripts"]
SECONDS = 900  # at most, of one group of tests or one environment


def environment(name: str) -> Path:
    """Return the interpreter of an environment, which is made where it is not there or is another one."""
    folder, wanted = (
        Path(sys.prefix) / f"mlflow-{name}",
        "\n".join([sys.version, str(support.ROOT), *ENVIRONMENTS[name]]),
    )
    with locks.hold(Path(sys.prefix) / f"mlflow-{name}.lock", timeout_seconds=SECONDS):
        stamp = folder / "made"
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            make(folder, ENVIRONMENTS[name])
            stamp.write_text(wanted)
    return folder / "bin/python"


def make(folder: Path, packages: tuple[str, ...]) -> None:
    """Make an environment that sees the packages of this one, and has others on top."""
    run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    (inner,) = folder.glob("lib/python*/site-packages")
    (inner / "below.pth").write_text("\n".join([str(support.ROOT), *site.getsitepackages()]) + "\n")
    pip = (sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "install", "--quiet", "--no-compile")
    run(*pip, *packages)


def run(*command: str) -> None:
    """Run a command outside of the seal around tests: pip wants the user's configuration."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=OUTSIDE, cwd=support.ROOT)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-8000:]}{done.stderr[-8000:]}"


OUTSIDE = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # before the seal


@pytest.mark.slow
@pytest.mark.parametrize(("name", "group"), CASES)
def test_plugin(name: str, group: str, tmp_path: Path) -> None:
    files = sorted(str(HERE / file) for file in GROUPS[group])
    # A folder of its own: at its end pytest tidies the usual one, which earlier runs have filled.
    own = ("-p", "no:cacheprovider", "--basetemp", str(tmp_path / "inner"))
    run(str(environment(name)), "-m", "pytest", "-q", *own, *files)
