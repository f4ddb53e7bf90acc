"""Params from a command line and from a file, and the name that a command's params give a run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gitexp import redact
from gitexp.errors import UsageError
from gitexp.record import params as record_params
from gitexp.record import values

MAX_FILE_BYTES = 10 << 20
MAX_VALUES = 200_000  # of one params file, aliases followed
MAX_NAME = 60

_INT = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_OVERRIDE = re.compile(r"\+{0,2}([A-Za-z_][\w./@-]*)=(.*)", re.DOTALL)  # Hydra: key=value, +key=value, ++key=value
_OPTION = re.compile(r"--?([A-Za-z_][\w.:/-]*)(?:=(.*))?", re.DOTALL)
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=")
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}

_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*t?(?:\.exe)?", re.IGNORECASE)
_PYTHON_VALUED = ("-X", "-W", "--check-hash-based-pycs")
_SHELLS = ("bash", "sh", "zsh", "dash", "fish", "rscript", "julia", "node", "ruby", "perl", "java", "make", "ipython")
_SCRIPT = re.compile(r".+\.(?:py|sh|ipynb|r|jl|js|pl|rb)", re.IGNORECASE)
# Programs that start the training, whose own options are no params; with the word after which the command stands.
_RUNNERS = {
    **dict.fromkeys(("uv", "poetry", "pdm", "pixi", "pipenv", "hatch", "rye", "conda", "mamba", "micromamba"), "run"),
    **dict.fromkeys(("env", "nice", "ionice", "nohup", "time", "stdbuf", "numactl", "taskset", "xvfb-run", "sudo"), ""),
    **dict.fromkeys(("timeout", "strace", "nsys", "ncu", "py-spy", "coverage", "cgexec", "gdb"), ""),
}
# These have so many options with values that the command is looked for: a Python, a script, a launcher.
_LAUNCHERS = dict.fromkeys(("torchrun", "deepspeed", "horovodrun", "mpirun", "mpiexec", "orterun", "srun", "jsrun"), "")
_LAUNCHERS |= {"accelerate": "launch", "colossalai": "run", "singularity": "exec", "apptainer": "exec"}
_LAUNCHER_MODULES = frozenset(
    b"torch.distributed.run torch.distributed.launch accelerate.commands.launch coverage cProfile pdb".decode().split()
)
# Options of runners that take the next word.
_RUNNER_VALUED = frozenset(
    b"-p -n -c -N -u -k -s -i -o -m -C --python --with --extra --group --project --directory --env-file --package"
    b" --name --prefix --index".decode().split()
)

_SHORT = {"learning_rate": "lr", "batch_size": "bs", "weight_decay": "wd", "hidden_size": "hidden", "dropout": "drop"}
_PREFIXES = ("num_", "n_", "max_", "min_", "use_", "enable_", "model_", "scale_")
_NOT_NAMING = frozenset(
    b"out output outdir save logdir dir path data input config cfg config_name verbose v debug quiet q device gpu gpus"
    b" workers num_workers n_jobs jobs cache checkpoint ckpt resume name run_name experiment project entity host port"
    b" local_rank rank".decode().split()
)


def params(argv: Sequence[str]) -> dict[str, Any]:
    """Return the params of a command line, nested by their dots: options, flags, and key=value words.

    The interpreter, launchers with their options, the script and other plain words are no params; `--` ends them all.
    Secrets are replaced. An option that comes several times, or with several numbers, gives a list.
    """
    words = redact.command(argv)
    flat: dict[str, Any] = {}
    for key, value in _pairs(words[_arguments_at(words) :]):
        if key in flat:
            old = flat[key]
            flat[key] = [*(old if isinstance(old, list) else [old]), *(value if isinstance(value, list) else [value])]
        else:
            flat[key] = value
    return record_params.unflatten(flat)


def value(text: str) -> Any:
    """Return a word as the scalar it stands for: int, float, bool, None; a list of them in brackets; else itself.

    007 and 1.2.3 stay text, as do numbers that a float cannot hold.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text == redact.MARK:
        return text
    if len(text) < 400 and _INT.fullmatch(text):
        return int(text)
    if len(text) < 400 and _FLOAT.fullmatch(text):
        number = float(text)
        return text if number in (float("inf"), float("-inf")) else number
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    if text.startswith("[") and text.endswith("]") and "[" not in text[1:] and "{" not in text:
        return [value(item.strip()) for item in text[1:-1].split(",") if item.strip()]
    return text


def from_file(path: Path) -> dict[str, Any]:
    """Return the params of a YAML, JSON or TOML file; raises UsageError for what is none, or is no mapping."""
    kind = path.suffix.lower()
    if kind not in _READERS:
        raise UsageError(f"params file {path}: unknown kind {kind!r}", hint="give a .yaml, .yml, .json or .toml file")
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"params file {path}: {error.strerror or error}", hint="check the path after --params"
        ) from error
    if len(data) > MAX_FILE_BYTES:
        raise UsageError(f"params file {path} is over {MAX_FILE_BYTES >> 20} MB", hint="give params, not data")
    try:
        found = _READERS[kind](data.decode("utf-8-sig"))
        if found is None:
            return {}
        if isinstance(found, dict) and _count(found) <= MAX_VALUES:
            plain: dict[str, Any] = values.plain(found)[0]
            return {key: _redacted(item, key) for key, item in plain.items()}
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            f"params file {path} does not parse: {reason}", hint="correct it, or leave out --params"
        ) from error
    problem = (
        f"holds more than {MAX_VALUES:,} values" if isinstance(found, dict) else "is no mapping of names to values"
    )
    raise UsageError(f"params file {path} {problem}", hint="for example: lr: 0.05")


def name(params: Mapping[str, Any]) -> str | None:
    """Return a short name for a run with these params, as lr0.05-leaves32-adam; None where none of them says much."""
    parts: list[str] = []
    for path, item in record_params.flatten(params).items():
        part = _part(record_params.split(path)[-1], item)
        if part and len("-".join([*parts, part])) <= MAX_NAME:
            parts.append(part)
    return "-".join(parts[:4]) or None


def _part(key: str, item: Any) -> str:
    key = key.lower().replace("-", "_")
    if key in _NOT_NAMING or key.endswith(("_dir", "_path", "_file")):
        return ""
    short = _SHORT.get(key) or next((key[len(p) :] for p in _PREFIXES if key.startswith(p) and key != p), key)
    if isinstance(item, bool):
        return short if item else f"no-{short}"
    if isinstance(item, int | float):
        return f"{short}{item:g}" if isinstance(item, float) else f"{short}{item}"
    if isinstance(item, str) and re.fullmatch(r"[A-Za-z0-9][\w.+-]{0,19}", item):
        return item
    return ""


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, value) of each option, flag and key=value word."""
    at = 0
    while at < len(words) and words[at] != "--":
        word = words[at]
        at += 1
        option = None if _is_number(word) else _OPTION.fullmatch(word)
        override = None if option else _OVERRIDE.fullmatch(word)
        if override:
            yield override[1], value(override[2])
        elif option and option[2] is not None:
            yield _key(option[1]), value(option[2])
        elif option:
            given = _values_after(words, at)
            negated = re.fullmatch(r"no[-_](.+)", option[1]) if word.startswith("--no") else None
            if negated and not (given and _is_number(given[0])):
                yield _key(negated[1]), False
                continue
            at += len(given)
            typed = [value(text) for text in given]
            yield _key(option[1]), typed if len(typed) > 1 else typed[0] if typed else True


def _values_after(words: Sequence[str], at: int) -> list[str]:
    """Return the words that are an option's values: the next one, and all further ones where they are all numbers."""
    found: list[str] = []
    for word in words[at:]:
        if word == "--" or (word.startswith("-") and len(word) > 1 and not _is_number(word)):
            break
        if found and not (_is_number(word) and _is_number(found[0])):
            break
        if _OVERRIDE.fullmatch(word):
            break
        found.append(word)
    return found


def _key(option: str) -> str:
    return option.replace("-", "_")  # as argparse names them, so that what the script logs is the same param


def _is_number(word: str) -> bool:
    return len(word) < 400 and _FLOAT.fullmatch(word) is not None


def _arguments_at(words: Sequence[str]) -> int:
    """Return where the script's own arguments begin."""
    at = 0
    while at < len(words):
        program = Path(words[at]).name.lower()
        if _PYTHON.fullmatch(program):
            at = _after_python(words, at + 1)
            if words[at - 1] not in _LAUNCHER_MODULES:
                return at
            at = _searched(words, at)
        elif program in _LAUNCHERS:
            at = _searched(words, _after_verb(words, at + 1, _LAUNCHERS[program]))
        elif program in _RUNNERS:
            at = _plain(words, _after_verb(words, at + 1, _RUNNERS[program]))
        else:
            return (_plain(words, at + 1) if program in _SHELLS else at) + 1
    return len(words)


def _after_python(words: Sequence[str], at: int) -> int:
    """Return what follows Python's options and `script`, `-m module` or `-c code`."""
    while at < len(words):
        word = words[at]
        if word in ("-m", "-c"):
            return min(at + 2, len(words))
        if not word.startswith("-") or word == "-":
            return at + 1
        at += 2 if word in _PYTHON_VALUED else 1
    return at


def _after_verb(words: Sequence[str], at: int, verb: str) -> int:
    return words.index(verb, at) + 1 if verb and verb in words[at:] else at


def _searched(words: Sequence[str], at: int) -> int:
    """Return where a Python, a script, a module or another launcher stands."""
    for place in range(at, len(words)):
        program = Path(words[place]).name.lower()
        if words[place] in ("-m", "--module"):
            return place + 1
        if _PYTHON.fullmatch(program) or _SCRIPT.fullmatch(program) or program in _LAUNCHERS or program in _RUNNERS:
            return place
    return _plain(words, at)


def _plain(words: Sequence[str], at: int) -> int:
    """Return where the first word stands that is no option, no option's value, no number and no VARIABLE=value."""
    while at < len(words) and (words[at].startswith("-") or _ASSIGNED.match(words[at]) or _is_number(words[at])):
        at += 2 if words[at] in _RUNNER_VALUED else 1
    return at


def _yaml(text: str) -> Any:
    import yaml  # 15 ms that only --params pays

    class Loader(yaml.SafeLoader):
        pass

    # YAML 1.1 reads 1e-3 as text; everybody who writes a learning rate means the number.
    exponent = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", exponent, list("-+0123456789"))
    try:
        return yaml.load(text, Loader)  # a SafeLoader: it makes plain values only
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _json(text: str) -> Any:
    import json

    return json.loads(text)


def _toml(text: str) -> Any:
    import tomllib

    return tomllib.loads(text)


_READERS = {".yaml": _yaml, ".yml": _yaml, ".json": _json, ".toml": _toml}


def _count(item: Any) -> int:
    """Count the values as they would be written: an alias in YAML can stand for a tree a million times."""
    counts: dict[int, int] = {}

    def of(item: Any) -> int:
        if not isinstance(item, dict | list):
            return 1
        if id(item) in counts:
            return counts[id(item)]
        counts[id(item)] = MAX_VALUES + 1  # an alias to itself
        counts[id(item)] = 1 + sum(of(inner) for inner in (item.values() if isinstance(item, dict) else item))
        return counts[id(item)]

    return of(item)


def _redacted(item: Any, key: str) -> Any:
    if isinstance(item, dict):
        return {name: _redacted(inner, str(name)) for name, inner in item.items()}
    if isinstance(item, list):
        return [_redacted(inner, key) for inner in item]
    return redact.value(key, item) if isinstance(item, str) else item
