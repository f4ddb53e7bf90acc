"""The layers of gitexp, read from its imports, and the limits on files and functions."""

from __future__ import annotations

import ast
import os
import pwd
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import support

# From the bottom up; a line imports from the lines above it. Names on one line do not know each other,
# but for those of the first: they are small, single modules, and only have no cycles.
LAYERS = (
    ("errors", "ids", "canonical", "files", "locks", "clock", "text", "redact", "dates", "version"),
    ("record", "query"),
    ("git",),
    ("store", "capture"),
    ("index", "pages", "plots"),
    ("ops",),
    ("sdk",),
    ("integrations", "web"),
    ("cli", "__main__", "gitexp"),
)
# Of the packages of ops, from the bottom up: each imports from those before it, and from single modules of ops.
OPS = (
    "finding", "comparing", "storage", "sharing", "recording", "files", "registry", "showing", "plots", "pages",
    "purging", "vetting",
)  # fmt: skip
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
GIT_ONLY = {"pygit2", "dulwich"}
HEAVY = {
    "jinja2", "PIL", "pandas", "matplotlib", "numpy", "rich", "psutil", "pynvml", "yaml", "scipy", "sklearn", "torch",
}  # fmt: skip
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 79


class Import(NamedTuple):
    """One import statement: what it names, where, and whether it runs when the module is imported."""

    target: str
    line: int
    at_top: bool


def modules() -> dict[str, str]:
    """Return the source of every module of the package by its dotted name."""
    found = {}
    for path in sorted((support.ROOT / "gitexp").rglob("*.py")):
        parts = path.relative_to(support.ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


def imports(source: str) -> Iterator[Import]:
    """Yield the imports of a module, those inside functions and `if TYPE_CHECKING` too."""

    def visit(node: ast.AST, at_top: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, child.lineno, at_top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = "." * child.level + (child.module or "")
                yield from (Import(f"{base}.{alias.name}", child.lineno, at_top) for alias in child.names)
            else:
                inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or is_type_checking(child)
                yield from visit(child, at_top and not inside)

    return visit(ast.parse(source), True)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def unit(module: str) -> str:
    """Return the name under which a module stands in LAYERS."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def resolve(target: str, known: Iterable[str]) -> str | None:
    """Return the module of the package that an import names: `gitexp.git.refs.update` is in `gitexp.git.refs`."""
    while target.split(".")[0] == "gitexp":
        if target in known:
            return target
        target = target.rpartition(".")[0]
    return None


def layer_faults(sources: Mapping[str, str]) -> list[str]:
    """Return the imports that go up, or sideways to a sibling, and the modules in no layer."""
    faults = [f"{name} is in no layer" for name in sources if unit(name) not in RANK]
    for name, source in sources.items():
        for found in imports(source):
            target = resolve(found.target, sources)
            if target is None or unit(name) not in RANK or unit(target) not in RANK:
                continue
            here, there = RANK[unit(name)], RANK[unit(target)]
            same = unit(name) == unit(target) or here == there == 0
            if there >= here and not same and (unit(name), unit(target)) != ("__main__", "cli"):
                faults.append(f"{name}:{found.line} imports {target}")
    return faults


def ops_faults(sources: Mapping[str, str]) -> list[str]:
    """Return the imports between packages of ops that go up, and packages that have no place in their order."""
    faults = []
    packages = {name.split(".")[2] for name in sources if name.startswith("gitexp.ops.") and name.count(".") > 2}
    faults += [f"gitexp.ops.{name} is not in OPS" for name in packages - set(OPS)]
    for name, source in sources.items():
        here = name.split(".")[2] if name.startswith("gitexp.ops.") and name.count(".") > 2 else ""
        for found in imports(source) if here in OPS else ():
            target = (resolve(found.target, sources) or "").split(".")
            if target[:2] == ["gitexp", "ops"] and len(target) > 3 and OPS.index(target[2]) > OPS.index(here):
                faults.append(f"{name}:{found.line} imports {found.target}")
    return faults


def cycles(sources: Mapping[str, str]) -> list[str]:
    """Return one cycle of imports as a list of modules, or nothing."""
    edges = {name: {resolve(found.target, sources) for found in imports(text)} for name, text in sources.items()}
    done: set[str] = set()

    def follow(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for target in sorted(target for target in edges[name] if target is not None and target != name):
            if cycle := follow(target, [*path, name]):
                return cycle
        done.add(name)
        return []

    return next((cycle for name in sources if (cycle := follow(name, []))), [])


def library_faults(sources: Mapping[str, str]) -> list[str]:
    """Return the imports of Git libraries outside gitexp/git, and the heavy ones that every start would pay for."""
    faults = []
    for name, source in sources.items():
        for found in imports(source):
            library = found.target.split(".")[0]
            if library in GIT_ONLY and unit(name) != "git":
                faults.append(f"{name}:{found.line} imports {library}: only gitexp/git does")
            if found.at_top and (library in HEAVY or library == "dulwich"):
                faults.append(f"{name}:{found.line} imports {library} at its top")
            if found.target.startswith("."):
                faults.append(f"{name}:{found.line} has a relative import")
    return faults


def process_faults(sources: Mapping[str, str]) -> list[str]:
    """Return the calls outside gitexp/git that start the git command."""
    faults = []
    for name, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if unit(name) != "git" and isinstance(node, ast.Call) and node.args and starts_git(node):
                faults.append(f"{name}:{node.lineno} starts git itself")
    return faults


def starts_git(call: ast.Call) -> bool:
    first = call.args[0]
    if isinstance(first, ast.List | ast.Tuple):
        return bool(first.elts) and is_git(first.elts[0])
    return is_git(first) and ast.unparse(call.func).startswith(("subprocess.", "os.", "shutil."))


def is_git(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == "git"


def shape_faults(sources: Mapping[str, str]) -> list[str]:
    """Return the files and functions that are too long, names that say nothing, and errors that are swallowed."""
    faults = []
    for name, source in sources.items():
        if name.rpartition(".")[2] in BANNED_NAMES:
            faults.append(f"{name}: a module is named for what it holds")
        if (length := len(source.splitlines())) > MAX_FILE_LINES:
            faults.append(f"{name} has {length} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    faults.append(f"{name}:{node.lineno} {node.name} has {length} lines")
            if isinstance(node, ast.ExceptHandler) and swallows(node):
                faults.append(f"{name}:{node.lineno} swallows every error")
    return faults


def swallows(handler: ast.ExceptHandler) -> bool:
    broad = handler.type is None or ast.unparse(handler.type) in ("Exception", "BaseException")
    return broad and all(isinstance(part, ast.Pass | ast.Continue) for part in handler.body)


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    return modules()


def test_imports_go_down_only_and_siblings_do_not_know_each_other(sources: dict[str, str]) -> None:
    assert layer_faults(sources) == []


def test_the_packages_of_ops_know_only_those_below_them(sources: dict[str, str]) -> None:
    assert ops_faults(sources) == []
    up = {"gitexp.ops.files.restore": "from gitexp.ops.registry import serve", "gitexp.ops.registry.serve": ""}
    assert ops_faults(up) == ["gitexp.ops.files.restore:1 imports gitexp.ops.registry.serve"]


def test_there_is_no_cycle_of_imports(sources: dict[str, str]) -> None:
    assert cycles(sources) == []


def test_only_the_git_layer_knows_the_git_libraries_and_nothing_heavy_is_imported_early(
    sources: dict[str, str],
) -> None:
    assert library_faults(sources) == []


def test_only_the_git_layer_starts_the_git_command(sources: dict[str, str]) -> None:
    assert process_faults(sources) == []


def test_files_and_functions_are_short_and_errors_are_not_swallowed(sources: dict[str, str]) -> None:
    assert shape_faults(sources) == []


def test_every_package_is_importable_and_every_folder_of_tests_has_an_init() -> None:
    folders = {path.parent for top in ("gitexp", "tests") for path in (support.ROOT / top).rglob("*.py")}
    scripts = support.ROOT / "tests/bench"
    assert [
        str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists() and folder != scripts
    ] == []


@pytest.mark.parametrize("module", ["gitexp", "gitexp.cli.main"])
def test_a_start_imports_nothing_heavy(tmp_path: Path, module: str) -> None:
    code = f"import sys, {module}; print(*sorted(name for name in sys.modules if '.' not in name))"
    loaded = set(support.python(tmp_path, code).stdout.split())
    assert loaded & (HEAVY | GIT_ONLY | {"click", "asyncio"} - ({"click"} if "cli" in module else set())) == set()


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    own = {str(support.ROOT), sys.prefix, pwd.getpwuid(os.getuid()).pw_dir} - {"/", "/tmp"}
    pattern = re.compile(r"(?<![\w./$}-])(" + "|".join(map(re.escape, sorted(own))) + r")(?![\w-])")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=support.ROOT, capture_output=True, text=True).stdout
    found = []
    for name in filter(None, listed.split("\0")):
        path = support.ROOT / name
        if path.is_file():
            text = path.read_text(errors="replace")
            found += [f"{name}: {match[0]}" for match in pattern.finditer(text)]
    assert found == []


GOOD = {
    "gitexp": "def __getattr__(name):\n    from gitexp import sdk\n    return getattr(sdk, name)",
    "gitexp.errors": "",
    "gitexp.files": "from gitexp import errors",
    "gitexp.git": "",
    "gitexp.git.refs": "import pygit2\nfrom gitexp.errors import X\nimport subprocess\nsubprocess.run(['git', 'x'])",
    "gitexp.store.runs": "from gitexp.git import refs\nfrom gitexp import files",
    "gitexp.capture.code": "from gitexp.git.refs import update",
    "gitexp.ops.find": "from gitexp.store import runs\ndef f():\n    import pandas",
    "gitexp.sdk": "from gitexp.ops import find",
    "gitexp.cli.log": "import click\nfrom gitexp.ops import find",
}


def test_a_good_example_has_no_faults() -> None:
    checks = (layer_faults, cycles, library_faults, process_faults, shape_faults)
    assert [check(GOOD) for check in checks] == [[]] * len(checks)


@pytest.mark.parametrize(
    ("check", "module", "source"),
    [
        (layer_faults, "gitexp.git.refs", "from gitexp.store import runs"),
        (layer_faults, "gitexp.git.refs", "def f():\n    from gitexp.store.runs import Run"),
        (layer_faults, "gitexp.capture.code", "import gitexp.store.runs"),
        (layer_faults, "gitexp.store.runs", "from gitexp.capture.code import CodeState"),
        (layer_faults, "gitexp.errors", "import gitexp"),
        (layer_faults, "gitexp.ops.find", "from gitexp import sdk"),
        (layer_faults, "gitexp.elsewhere", ""),
        (cycles, "gitexp.errors", "from gitexp import files"),
        (cycles, "gitexp.store.runs", "def f():\n    from gitexp.store import other\n"),
        (library_faults, "gitexp.cli.log", "def f():\n    import pygit2"),
        (library_faults, "gitexp.store.runs", "from dulwich import lfs"),
        (library_faults, "gitexp.git.refs", "import dulwich.lfs"),
        (library_faults, "gitexp.ops.find", "from rich.table import Table"),
        (library_faults, "gitexp.ops.find", "class A:\n    import numpy as np"),
        (library_faults, "gitexp.ops.find", "from . import runs"),
        (process_faults, "gitexp.store.runs", "import subprocess\nsubprocess.run(['git', 'gc'])"),
        (process_faults, "gitexp.store.runs", "import os\nos.execvp('git', args)"),
        (shape_faults, "gitexp.store.utils", ""),
        (shape_faults, "gitexp.store.runs", "x = 1\n" * 501),
        (shape_faults, "gitexp.store.runs", "def f():\n" + "    x = 1\n" * 79),
        (shape_faults, "gitexp.store.runs", "try:\n    f()\nexcept Exception:\n    pass"),
        (shape_faults, "gitexp.store.runs", "try:\n    f()\nexcept:\n    pass"),
    ],
)
def test_a_bad_example_is_found(check, module: str, source: str) -> None:  # type: ignore[no-untyped-def]  # five checks
    other = {"gitexp.store.other": "from gitexp.store import runs"}
    assert check({**GOOD, **other, module: source}) != []
