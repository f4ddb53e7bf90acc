"""The software of a run: packages and where they come from, other interpreters, requirements.txt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from gitexp import canonical
from gitexp.capture import environment, probe
from tests import support

SITE = Path(sysconfig.get_paths()["purelib"])


def install(
    site: Path, name: str, version: str = "1.0", *, direct: Any = None, installer: str = "pip", title: str = ""
) -> Path:
    """Put a distribution's metadata into a folder, as pip does."""
    folder = site / f"{name}-{version}.dist-info"
    support.write(
        folder / "METADATA", f"Metadata-Version: 2.1\nName: {title or name}\nVersion: {version}\n\nName: no\n"
    )
    support.write(folder / "INSTALLER", installer + "\n")
    if direct is not None:
        support.write(folder / "direct_url.json", json.dumps(direct))
    return folder


def packages(*path: Path, prefix: Path = Path("/nowhere")) -> dict[str, Any]:
    return probe.packages([str(entry) for entry in path], str(prefix))


def requirement(name: str, package: dict[str, Any]) -> str:
    document = {"packages": {name: package}, "python": {"version": "3.11.7"}}
    return environment.requirements(document).decode().splitlines()[1]


def test_the_packages_are_those_that_python_itself_finds() -> None:
    told = {(probe.normalise(d.metadata["Name"]), d.version) for d in metadata.distributions(path=[str(SITE)])}
    found = probe.packages([str(SITE)], sys.prefix)
    assert {(name, package["version"]) for name, package in found.items()} == told


def test_an_environment_is_canonical_json_and_names_python_and_platform() -> None:
    document = environment.capture()
    assert document["python"]["version"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
    assert document["python"]["executable"] == sys.executable
    assert document["platform"]["system"] == os.uname().sysname
    assert document["packages"]["numpy"] == {"origin": "index", "version": metadata.version("numpy")}
    assert canonical.loads(canonical.dumps(document)) == document


ORIGINS: list[tuple[Any, dict[str, Any], str]] = [
    (None, {"origin": "index"}, "a-b==1.0"),
    (
        {"url": "https://u:pw@host/x.git", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}, "subdirectory": "py"},
        {"origin": "vcs", "vcs": "git", "url": "https://host/x.git", "commit": "c0ffee", "subdirectory": "py"},
        "a-b @ git+https://host/x.git@c0ffee#subdirectory=py",
    ),
    (
        {"url": "https://host/a.whl", "archive_info": {"hash": "sha256=abc"}},
        {"origin": "url", "url": "https://host/a.whl", "sha256": "abc"},
        "a-b @ https://host/a.whl#sha256=abc",
    ),
    (
        {"url": "file:///w%20h/a.whl", "archive_info": {"hashes": {"sha256": "abc"}}},
        {"origin": "wheel", "path": "/w h/a.whl", "sha256": "abc"},
        "a-b @ file:///w%20h/a.whl#sha256=abc",
    ),
    (
        {"url": "file:///src", "dir_info": {"editable": True}},
        {"origin": "editable", "path": "/src"},
        "-e /src  # a-b 1.0",
    ),
    ({"url": "file:///src", "dir_info": {}}, {"origin": "folder", "path": "/src"}, "a-b @ file:///src"),
    ({"url": 7}, {"origin": "unknown"}, "a-b==1.0"),
    ([], {"origin": "unknown"}, "a-b==1.0"),
]  # fmt: skip


@pytest.mark.parametrize(("direct", "expected", "line"), ORIGINS)
def test_a_package_tells_its_origin_and_can_be_installed_again(
    tmp_path: Path, direct: Any, expected: dict[str, Any], line: str
) -> None:
    install(tmp_path, "a_b", direct=direct, title="A.b")
    package = environment._public(packages(tmp_path)["a-b"])
    assert package == {**expected, "version": "1.0"}
    assert requirement("a-b", package) == line


def test_an_editable_package_tells_the_commit_of_its_checkout(project: Path, tmp_path: Path) -> None:
    install(tmp_path, "ours", direct={"url": f"file://{project}/sub", "dir_info": {"editable": True}})
    (project / "sub").mkdir()
    head = support.git(project, "rev-parse", "HEAD")
    assert environment._public(packages(tmp_path)["ours"])["commit"] == head
    support.git(project, "pack-refs", "--all")
    assert environment._public(packages(tmp_path)["ours"])["commit"] == head
    support.git(project, "checkout", "--quiet", "--detach")
    assert environment._public(packages(tmp_path)["ours"])["commit"] == head
    support.git(project, "worktree", "add", "--quiet", str(tmp_path / "tree"), "-b", "other")
    assert environment._checked_out(tmp_path / "tree") == head
    assert environment._checked_out(tmp_path / "nowhere") is None


def test_the_first_on_the_path_wins_and_what_is_no_package_is_passed_over(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    install(one, "twice", "1.0")
    install(two, "twice", "2.0")
    install(two, "~broken", "1.0")
    (two / "empty-1.0.dist-info").mkdir()
    support.write(two / "old-0.1.egg-info", "Name: old\nVersion: 0.1\n")
    support.write(two / "egg-3-py3.11.egg/EGG-INFO/PKG-INFO", "Name: egg\nVersion: 3\n")
    support.write(tmp_path / "dev/dev_tool.egg-info/PKG-INFO", "Name: dev-tool\nVersion: 4\n")
    support.write(two / "dev-tool.egg-link", f"{tmp_path}/dev\n.")
    install(two, "apt", "5", installer="debian")
    found = packages(one, tmp_path / "none", tmp_path / "file.zip", two)
    assert {name: (p["version"], p["origin"]) for name, p in found.items()} == {
        "twice": ("1.0", "index"),
        "empty": ("1.0", "index"),
        "old": ("0.1", "index"),
        "egg": ("3", "index"),
        "dev-tool": ("4", "editable"),
        "apt": ("5", "system"),
    }


def test_a_package_installed_later_is_seen(tmp_path: Path) -> None:
    install(tmp_path, "one")
    assert set(packages(tmp_path)) == {"one"}
    install(tmp_path, "two")
    os.utime(tmp_path, ns=(1, 1))  # clocks of file systems are coarse
    assert set(packages(tmp_path)) == {"one", "two"}


def test_a_conda_environment_gives_an_explicit_list(tmp_path: Path) -> None:
    site = tmp_path / "lib"
    install(site, "numpy", "2.0", installer="conda")
    install(site, "extra", "1.0")
    for name, version in (("numpy", "2.0"), ("libblas", "3.9")):
        meta = {"files": ["url"], "md5": "0" * 32, "name": name, "url": f"https://c/{name}.conda", "version": version}
        support.write(tmp_path / f"conda-meta/{name}.json", json.dumps(meta, indent=2))
    support.write(tmp_path / "conda-meta/history", "")
    support.write(tmp_path / "conda-meta/torn.json", "{")
    found = packages(site, prefix=tmp_path)
    assert found["libblas"] == {"origin": "conda", "version": "3.9", "url": f"https://c/libblas.conda#{'0' * 32}"}
    assert environment.requirements({"packages": found, "python": {"version": "3.11.7"}}).decode().splitlines() == [
        "# Python 3.11.7",
        "# conda create --name NAME --file requirements.txt",
        "@EXPLICIT",
        f"https://c/libblas.conda#{'0' * 32}",
        f"https://c/numpy.conda#{'0' * 32}",
        "# pip install extra==1.0",
    ]


def test_requirements_are_what_pip_accepts(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes(environment.requirements(environment.capture()))
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--no-index", "--quiet", "-r"]
    lines = (tmp_path / "requirements.txt").read_text().splitlines()
    kept = [line for line in lines if not line.startswith("-e ")]  # building one needs its build tools
    (tmp_path / "kept.txt").write_text("\n".join(kept))
    done = subprocess.run([*command, str(tmp_path / "kept.txt")], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_only_named_variables_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("OMP_NUM_THREADS", "4"), ("NCCL_DEBUG", "INFO"), ("MINE", "1"), ("OTHER", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_INDEX_URL", "https://u:pw@host/simple")
    stored = environment.capture(variables=["MINE"])["variables"]
    assert {"OMP_NUM_THREADS": "4", "NCCL_DEBUG": "INFO", "MINE": "1"}.items() <= stored.items()
    assert "pw" not in stored["PIP_INDEX_URL"]
    assert not {"OTHER", "HOME", "PATH"} & stored.keys()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a virtual environment with one package, `only-here`."""
    folder = tmp_path_factory.mktemp("other") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=100)
    install(next((folder / "lib").iterdir()) / "site-packages", "only_here", "7.0")
    return folder


def test_a_command_of_another_interpreter_gives_the_packages_of_that_one(other: Path) -> None:
    found = environment.capture_for([str(other / "bin/python"), "train.py"])
    assert found["packages"] == {"only-here": {"origin": "index", "version": "7.0"}}
    assert found["python"]["prefix"] == str(other)
    assert found["python"]["virtualenv"] is True
    assert "assumed" not in found["python"]


def test_what_pythonpath_adds_is_seen_in_another_interpreter(other: Path, tmp_path: Path) -> None:
    install(tmp_path, "added")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    assert set(environment.capture_for([str(other / "bin/python")], environ)["packages"]) == {"added", "only-here"}


def test_a_command_of_our_own_interpreter_is_not_asked() -> None:
    ours = environment.capture()
    assert environment.capture_for([sys.executable, "train.py"])["packages"] == ours["packages"]


def test_the_interpreter_is_found_behind_scripts_and_starters(other: Path, tmp_path: Path) -> None:
    python = other / "bin/python"
    scripts = {
        "tool": f"#!{python}\n",
        "by-env": "#!/usr/bin/env -S python -u\n",
        "long": f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n",
        "shell": "#!/bin/sh\npython train.py\n",
    }
    for name, text in scripts.items():
        support.write(tmp_path / name, text).chmod(0o755)
    environ = {"PATH": f"{other}/bin:/usr/bin:/bin"}
    expected = {
        "python train.py": False, "python3 -m x": False, "./tool --lr 1": False, f"{tmp_path}/by-env": False,
        "./long": False, "env -u X A=1 python x.py": False, "nice -n 5 python x.py": False, "./shell": True,
        "sh -c python": True, "./missing": True, "": True,
    }  # fmt: skip
    for line, assumed in expected.items():
        found = environment.interpreter(line.split(), environ, tmp_path)
        assert found[0] and Path(found[0]).parent == python.parent, line
        assert found[1] is assumed, line


def test_a_project_runner_uses_the_environment_of_the_project(other: Path, tmp_path: Path) -> None:
    (tmp_path / "project/sub").mkdir(parents=True)
    (tmp_path / "project/.venv").symlink_to(other)
    found = environment.interpreter(["uv", "run", "train.py"], {"PATH": "/usr/bin"}, tmp_path / "project/sub")
    assert found == (str(tmp_path / "project/.venv/bin/python"), False)


@pytest.mark.parametrize("body", ["exit 3", "echo '{}'", "echo '[1'", "exec sleep 60"])
def test_an_interpreter_that_does_not_answer_is_still_named(tmp_path: Path, body: str) -> None:
    python = support.write(tmp_path / "python3", f"#!/bin/sh\n{body}\n")
    python.chmod(0o755)
    found = environment.capture_for([str(python)], timeout_seconds=0.5)
    assert found["python"] == {"executable": str(python)}
    assert found["packages"] == {}
    assert environment.requirements(found) == b"# Python\n"
