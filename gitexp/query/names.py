"""What the names in a query mean: a field of every run, or what a run may have under a name of its own."""

from __future__ import annotations

from gitexp.errors import BadQuery
from gitexp.query import nodes

NAMESPACES = {
    **dict.fromkeys(("param", "params", "parameter", "parameters"), "param"),
    **dict.fromkeys(("metric", "metrics"), "metric"),
    **dict.fromkeys(("tag", "tags"), "tag"),
    **dict.fromkeys(("post", "posts"), "post"),
    **dict.fromkeys(("verdict", "verdicts"), "verdict"),
    **dict.fromkeys(("seed", "seeds"), "seed"),
    "data": "data",
}
_ATTRIBUTES = frozenset({"attribute", "attributes", "attr", "run"})
_DATASETS = frozenset({"dataset", "datasets"})
FIELDS = (
    "id", "name", "title", "experiment", "path", "status", "start", "end", "duration", "user", "host", "exit_code",
    "error", "description", "command", "parent", "forked_from", "note", "tag", "archived", "favourite", "removed",
    "pushed", "own", "live", "cost", "ref", "commit", "artifact", "artifact.size", "used", "used.run",
    "used.sha256", "model", "model.version",
    "code.commit", "code.dirty", "code.branch", "code.tree", "code.remote", "code.snapshot",
    "env.python", "env.platform", "env.cuda", "env.gpu",
    "dataset.name", "dataset.digest", "dataset.context",
)  # fmt: skip
# Fields that many projects have a param called so: which is meant is looked up, `run.model` is the field for sure.
SHARED = frozenset({"model"})
# MLflow's words for the same things: https://mlflow.org/docs/latest/ml/search/search-runs
ALIASES = {
    "run_id": "id", "run_name": "name", "run name": "name", "Run name": "name", "Run Name": "name", "user_id": "user",
    "start_time": "start", "end_time": "end", "created": "start", "Created": "start",
    "dataset.role": "dataset.context", "dataset.sha256": "dataset.digest",
}  # fmt: skip
_FOLDERS = frozenset({"code", "env", "artifact", "used", "model"})


def read(query: str, parts: tuple[str, ...], column: int, aggregate: str = "") -> nodes.Field | nodes.Name:
    """Return what a dotted name means, as far as its own text tells; raises BadQuery."""
    first, rest = parts[0], ".".join(parts[1:])
    kind = NAMESPACES.get(first) if rest else None
    if aggregate and kind not in ("metric", None):
        hint = f"only metrics have {', '.join(nodes.AGGREGATES)}"
        raise BadQuery(f"{first} is not a metric", column=column, query=query, hint=hint)
    if aggregate and kind is None:
        return nodes.Name("", ".".join(parts), aggregate, column)
    if kind == "data":
        return _dataset(query, rest, column)
    if kind is not None:
        return nodes.Name(kind, rest, aggregate, column)
    if first == "env" and len(parts) > 2 and parts[1] == "packages":
        return nodes.Name("package", ".".join(parts[2:]), column=column)
    return _field(query, parts, column)


def _dataset(query: str, rest: str, column: int) -> nodes.Name:
    name, _, fact = rest.rpartition(".")
    if not name or fact not in nodes.FACTS:
        forms = "  ".join(f"data.{name or rest}.{each}" for each in nodes.FACTS)
        raise BadQuery(f"what of the dataset '{name or rest}'?", column=column, query=query, hint=f"write: {forms}")
    return nodes.Name("data", name, fact, column)


def _field(query: str, parts: tuple[str, ...], column: int) -> nodes.Field | nodes.Name:
    first, name = parts[0], ".".join(parts)
    said = name
    if first in _ATTRIBUTES and len(parts) > 1:
        said = name = ".".join(parts[1:])
    elif first in _DATASETS and len(parts) > 1:
        name = "dataset." + ".".join(parts[1:])
    name = ALIASES.get(name, name)
    if name in FIELDS and (name not in SHARED or said != ".".join(parts)):
        return nodes.Field(name, column)
    if first in _ATTRIBUTES | _DATASETS | _FOLDERS and len(parts) > 1:
        raise BadQuery(f"no field is called '{said}'", column=column, query=query, hint=_near(name))
    return nodes.Name("", name, column=column)


def _near(name: str) -> str:
    import difflib  # only an error needs it

    found = difflib.get_close_matches(name, FIELDS, n=3, cutoff=0.5)
    folder = name.split(".")[0] + "."
    return f"did you mean: {', '.join(found or [field for field in FIELDS if field.startswith(folder)] or FIELDS)}"
