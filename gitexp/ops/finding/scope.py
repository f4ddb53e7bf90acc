"""Which runs a command is about when it lists or ranks: those of one experiment and of the experiments below it."""

from __future__ import annotations

from gitexp import ids
from gitexp.index import database, names
from gitexp.index.database import Index
from gitexp.query import nodes
from gitexp.query.nodes import Node
from gitexp.store.workspace import Workspace


def current_experiment(workspace: Workspace) -> str:
    """Return the path of the experiment that reading commands mean when none is named.

    The one that is set; else that of the newest run recorded here; else, in a clone that has recorded none, that of
    the newest run. What is checked out does not count: a list is the same on every branch.
    """
    index = database.of(workspace)
    named = workspace.settings.text("experiment")
    if named:
        return _named(index, named) or _resolved(workspace, named, new=True)
    newest = next(iter(names.recent(index, 1)), None) or names.newest(index)
    return newest.path if newest is not None else ids.DEFAULT_EXPERIMENT


def path(workspace: Workspace, name: str) -> str:
    """Return the path that the name of an experiment, or of a group of them, means; raises NotFound or Ambiguous."""
    if not name:
        return current_experiment(workspace)
    index, group = database.of(workspace), name.strip("/")
    if names.is_path(index, group):
        return group
    return _named(index, name) or _resolved(workspace, name)


def _resolved(workspace: Workspace, name: str, *, new: bool = False) -> str:
    from gitexp.store import experiments  # it reads the facts; a name that runs have needs none of them

    return experiments.resolve(workspace, name, new=new).path


def at(path: str) -> Node:
    """Return the condition of the runs right in an experiment."""
    return nodes.Compare("=", nodes.Field("path"), nodes.Literal(path))


def below(path: str) -> Node:
    """Return the condition of the runs of an experiment and of those below it."""
    first, last = path + "/", path + "0"  # "0" follows "/"
    field = nodes.Field("path")
    inner = (nodes.Compare(">=", field, nodes.Literal(first)), nodes.Compare("<", field, nodes.Literal(last)))
    return nodes.Any((at(path), nodes.All(inner)))


def _named(index: Index, name: str) -> str:
    """Return the path of the only experiment with runs that is called so now, "" where there is not just one."""
    found = names.paths_called(index, name)
    return found[0] if len(found) == 1 else ""


def is_below(path: str, above: str) -> bool:
    """Say whether an experiment path is another one or below it; all are below ""."""
    return not above or path == above or path.startswith(above + "/")
