"""What counts as source code: by name, and for notebooks by what is left without their outputs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

# A word that begins with a dot is a suffix, any other is a whole file name; case does not matter.
_DEFAULT = """
    .py .pyi .pyx .pxd .ipynb .yaml .yml .toml .json .jsonc .json5 .jsonnet .libsonnet .ini .cfg .conf .gin
    .properties .sh .bash .zsh .fish .ps1 .bat .sql .r .rmd .qmd .jl .m .lua .pl .rb .js .jsx .ts .tsx .mjs
    .go .rs .java .kt .scala .swift .c .cc .cpp .cxx .h .hh .hpp .cu .cuh .hip .cl .metal .f90 .proto .j2
    .jinja .jinja2 .smk .nf .wdl .cwl .mk .cmake .tf .hcl .dockerfile .gitattributes .gitignore .gitmodules
    Makefile Dockerfile Containerfile Snakefile Justfile Procfile MLproject Pipfile Pipfile.lock poetry.lock
    uv.lock requirements.txt constraints.txt environment.yml setup.py
"""
SUFFIXES = tuple(_DEFAULT.split())
_CELL_METADATA = ("execution", "ExecuteTime", "collapsed", "scrolled")


@lru_cache(maxsize=8)
def _lookup(suffixes: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word.lower() for word in suffixes)


def is_source(path: str, suffixes: tuple[str, ...] = SUFFIXES) -> bool:
    """Say whether a file is source-like by its name."""
    name = path.rpartition("/")[2].lower()
    known = _lookup(suffixes)
    dot = name.rfind(".")
    return name in known or (dot >= 0 and name[dot:] in known)


def is_same_notebook(old: bytes, new: bytes) -> bool:
    """Say whether two notebooks differ in nothing but outputs, execution counts and execution times."""
    try:
        before, after = json.loads(old), json.loads(new)
    except (ValueError, RecursionError):
        return False
    return isinstance(before, dict) and isinstance(after, dict) and _bare(before) == _bare(after)


def _bare(notebook: dict[str, Any]) -> dict[str, Any]:
    cells = notebook.get("cells")
    bare = {key: value for key, value in notebook.items() if key != "cells"}
    if isinstance(bare.get("metadata"), dict):
        bare["metadata"] = _without(bare["metadata"], ("widgets",))
    bare["cells"] = [_bare_cell(cell) for cell in cells] if isinstance(cells, list) else cells
    return bare


def _bare_cell(cell: Any) -> Any:
    if not isinstance(cell, dict):
        return cell
    bare = _without(cell, ("outputs", "execution_count"))
    if isinstance(bare.get("metadata"), dict):
        bare["metadata"] = _without(bare["metadata"], _CELL_METADATA)
    if isinstance(bare.get("source"), list):
        bare["source"] = "".join(map(str, bare["source"]))
    return bare


def _without(mapping: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in keys}
