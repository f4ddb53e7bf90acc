"""The software of a run: interpreter, packages with their origin, platform, chosen variables, requirements.txt."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gitexp import redact
from gitexp.capture import machine, probe, scheduler

# Only variables that are named here, or by the setting gitexp.env, are ever stored. All change what a training does.
# fmt: off
VARIABLES = (
    "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER", "CUDA_DEVICE_MAX_CONNECTIONS", "CUDA_LAUNCH_BLOCKING", "CUDA_HOME",
    "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE", "NCCL_*", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF", "PYTORCH_ENABLE_MPS_FALLBACK", "TORCHDYNAMO_DISABLE",
    "TORCH_COMPILE_DISABLE", "TORCHINDUCTOR_MAX_AUTOTUNE", "TF_DETERMINISTIC_OPS", "TF_CUDNN_DETERMINISTIC",
    "TF_ENABLE_ONEDNN_OPTS", "TF_XLA_FLAGS", "TF_FORCE_GPU_ALLOW_GROWTH", "XLA_FLAGS",
    "XLA_PYTHON_CLIENT_PREALLOCATE", "XLA_PYTHON_CLIENT_MEM_FRACTION", "JAX_PLATFORMS", "JAX_ENABLE_X64",
    "JAX_DEFAULT_MATMUL_PRECISION", "OMP_NUM_THREADS", "OMP_PROC_BIND", "OMP_PLACES", "KMP_AFFINITY",
    "MKL_NUM_THREADS", "MKL_CBWR", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS", "TOKENIZERS_PARALLELISM",
    "MALLOC_ARENA_MAX", "LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONHASHSEED", "PYTHONPATH", "PYTHONOPTIMIZE",
    "PYTHONNOUSERSITE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "RANK", "LOCAL_RANK", "WORLD_SIZE",
    "LOCAL_WORLD_SIZE", "NODE_RANK", "VIRTUAL_ENV", "CONDA_DEFAULT_ENV", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL",
    "UV_INDEX_URL", "UV_DEFAULT_INDEX", "LANG", "LC_ALL", "TZ",
)
# fmt: on
PROBE_TIMEOUT_SECONDS = 10.0
MAX_PROBE_BYTES = 16 << 20
_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*t?(?:\.exe)?", re.IGNORECASE)
# Programs that only start another one, and their options that take a value.
_STARTERS = {"env": "-u -C", "nice": "-n", "nohup": "", "time": "-o -f", "stdbuf": "-i -o -e", "ionice": "-c -n"}
_PROJECT_RUNNERS = ("uv", "poetry", "pdm", "pixi", "pipenv", "hatch", "rye")


def capture(*, variables: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return environment.json for this process, without the GPUs: their driver may take a second to answer.

    `variables` are the names to store beside VARIABLES; `gpu.capture()` gives the rest.
    """
    return _document(probe.probe(), dict(os.environ if environ is None else environ), variables)


def capture_for(
    argv: Sequence[str],
    environ: Mapping[str, str] | None = None,
    *,
    cwd: Path | None = None,
    variables: Sequence[str] = (),
    timeout_seconds: float = PROBE_TIMEOUT_SECONDS,
) -> dict[str, Any]:
    """Return environment.json for a command: that of the Python it runs, where that is not the one gitexp runs in.

    Another interpreter is asked by a small program; one that does not answer in time gives no packages, and
    `python` then holds only the path. For what is no Python at all, the first python on its PATH is `assumed`.
    """
    environ = dict(os.environ if environ is None else environ)  # its look-ups are ten times as fast
    found, assumed = interpreter(argv, environ, cwd or Path.cwd())
    if found is None or _is_ours(found):
        document = _document(probe.probe(), environ, variables)
    else:
        document = _document(_ask(found, environ, timeout_seconds), environ, variables)
    if assumed:
        document["python"] = {**document["python"], "assumed": True}
    return document


def interpreter(argv: Sequence[str], environ: Mapping[str, str], cwd: Path) -> tuple[str | None, bool]:
    """Return the path of the Python that a command runs, and whether that is an assumption; None if there is none."""
    words = _without_starters(list(argv))
    program = _which(words[0], environ, cwd) if words else None
    if words and Path(words[0]).name in _PROJECT_RUNNERS:
        found = _project_python(environ, cwd)
    elif program and _PYTHON.fullmatch(Path(program).name):
        return program, False
    else:
        found = _shebang(program, environ, cwd) if program else None
    return (found, False) if found else (_which("python", environ, cwd) or _which("python3", environ, cwd), True)


def requirements(environment: Mapping[str, Any]) -> bytes:
    """Return requirements.txt: the exact packages, to be installed with pip, or with conda where conda made them."""
    packages: dict[str, Any] = environment.get("packages", {})
    python = environment.get("python", {})
    lines = [f"# Python {python.get('version', '')}".rstrip()]
    explicit = sorted(
        package["url"] for package in packages.values() if package["origin"] == "conda" and "url" in package
    )
    wanted = [(name, package) for name, package in sorted(packages.items()) if package["origin"] != "conda"]
    if explicit:
        lines += ["# conda create --name NAME --file requirements.txt", "@EXPLICIT", *explicit]
        # An explicit list can hold nothing but URLs, so what pip installed is told in comments.
        lines += ["# pip install " + line for line in map(_requirement, *zip(*wanted, strict=True))] if wanted else []
    else:
        lines += [_requirement(name, package) for name, package in wanted]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _requirement(name: str, package: Mapping[str, Any]) -> str:
    """Return one line that pip installs exactly (PEP 508, and PEP 610 for what came by URL)."""
    origin, version = package["origin"], package["version"]
    below = f"#subdirectory={package['subdirectory']}" if package.get("subdirectory") else ""
    url = str(package.get("url") or "file://" + quote(str(package.get("path", ""))))
    if origin == "editable":
        return f"-e {package['path']}  # {name} {version}"
    if origin == "vcs":
        return f"{name} @ {package['vcs']}+{url}@{package['commit']}{below}"
    if origin in ("url", "wheel", "folder"):
        digest = f"#sha256={package['sha256']}" if package.get("sha256") else below
        return f"{name} @ {url}{digest}"
    return f"{name}=={version}"


def _document(probed: Mapping[str, Any], environ: Mapping[str, str], variables: Sequence[str]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "python": dict(probed.get("python", {})),
        "packages": {name: _public(package) for name, package in probed.get("packages", {}).items()},
        "platform": machine.platform(),
        "machine": machine.capture(),
        "variables": redact.environment(environ, (*VARIABLES, *variables)),
    }
    container, jobs = machine.container(environ), scheduler.capture(environ)
    if container:
        document["container"] = container
    if jobs:
        document["jobs"] = jobs
    return document


def _public(package: Mapping[str, Any]) -> dict[str, Any]:
    """Return a package with no credentials in its URL, and for an editable one in a Git checkout its commit."""
    package = dict(package)
    if package["origin"] == "index":
        return package
    if "url" in package:
        package["url"] = redact.url(package["url"])
    if package["origin"] == "editable":
        commit = _checked_out(Path(package.get("path") or ""))
        if commit:
            package["commit"] = commit
    return package


def _checked_out(folder: Path) -> str | None:
    """Return the commit that the Git work tree around `folder` stands at, read from its files alone."""
    for place in (folder, *folder.parents):
        git = place / ".git"
        try:
            if git.is_file():
                git = place / git.read_text().removeprefix("gitdir:").strip()
            if git.is_dir():
                return _head(git)
        except (OSError, ValueError):
            return None
    return None


def _head(git: Path) -> str | None:
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref: "):
        return head if re.fullmatch("[0-9a-f]{40,64}", head) else None
    common = git / "commondir"
    top = git / common.read_text().strip() if common.is_file() else git
    name = head[len("ref: ") :]
    loose = top / name
    if loose.is_file():
        return loose.read_text().strip()
    packed = top / "packed-refs"
    found = re.search(rf"^([0-9a-f]{{40,64}}) {re.escape(name)}$", packed.read_text(), re.MULTILINE)
    return found[1] if found else None


def _ask(executable: str, environ: Mapping[str, str], timeout_seconds: float) -> dict[str, Any]:
    """Run the probe in another interpreter; what it cannot tell in time is left out."""
    unknown = {"python": {"executable": executable}, "packages": {}}
    try:
        done = subprocess.run(
            [executable, "-I", "-B", "-"],
            input=Path(probe.__file__).read_bytes(),
            env=dict(environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout_seconds,
            start_new_session=True,  # Ctrl-C is for the training
        )
        answer = json.loads(done.stdout[:MAX_PROBE_BYTES])
        if isinstance(answer["python"], dict) and isinstance(answer["packages"], dict):
            return dict(answer)
    except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError):
        pass  # the interpreter's path is recorded all the same, and that it told no packages shows
    return unknown


def _is_ours(executable: str) -> bool:
    """Say whether an interpreter is this one: the same file, in the same virtual environment."""
    try:
        same = Path(executable).samefile(sys.executable)
    except OSError:
        return False
    return same and _home(executable) == _home(sys.executable)


def _home(executable: str) -> Path:
    """Return the virtual environment's folder, or that of the real interpreter."""
    place = Path(executable).absolute()
    for folder in (place.parent, place.parent.parent):
        if (folder / "pyvenv.cfg").is_file():
            return folder.resolve()
    return place.resolve().parent


def _without_starters(words: list[str]) -> list[str]:
    """Return a command without `env A=1`, `nice -n 5` and the like before it."""
    while words and Path(words[0]).name in _STARTERS:
        valued = _STARTERS[Path(words.pop(0)).name].split()
        while words and (words[0].startswith("-") or re.match(r"[A-Za-z_]\w*=", words[0])):
            del words[: 2 if words[0] in valued else 1]
    return words


def _which(name: str, environ: Mapping[str, str], cwd: Path) -> str | None:
    if os.sep in name:
        path = cwd / name
        return str(path) if path.is_file() and os.access(path, os.X_OK) else None
    return shutil.which(name, path=environ.get("PATH", os.defpath))


def _shebang(program: str, environ: Mapping[str, str], cwd: Path) -> str | None:
    """Return the Python in the first line of a script, or in the second, where installers put a long path."""
    try:
        with open(program, "rb") as file:
            head = file.read(1024).decode("utf-8", "replace")
    except OSError:
        return None
    first, _, rest = head.partition("\n")
    if not first.startswith("#!"):
        return None
    words = _without_starters(first[2:].split())
    if words and Path(words[0]).name in ("sh", "bash"):
        found = re.match(r"'''exec' \"?([^\"\s]+(?:[^\"\n]*(?=\"))?)", rest)
        words = [found[1]] if found else []
    name = words[0] if words else ""
    return _which(name, environ, cwd) if _PYTHON.fullmatch(Path(name).name) else None


def _project_python(environ: Mapping[str, str], cwd: Path) -> str | None:
    """Return the Python of the project's own environment, which `uv run` and its like use."""
    named = environ.get("UV_PROJECT_ENVIRONMENT") or environ.get("VIRTUAL_ENV") or ""
    places = [cwd / named] if named else []
    for place in (*places, *(folder / ".venv" for folder in (cwd, *cwd.parents))):
        for name in ("bin/python", "Scripts/python.exe"):
            if (place / name).is_file():
                return str(place / name)
    return None
