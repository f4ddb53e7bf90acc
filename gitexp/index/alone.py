"""An index of one run alone, in memory: what a condition says of a run exactly as one commit has it.

The index of a repository knows runs by the tips of their refs; who judges a commit that was registered must not be
told of what came later, and a server must not build an index of all runs to look at one.
"""

from __future__ import annotations

from gitexp import ids
from gitexp.errors import Damaged
from gitexp.index import database, rows, schema, tables
from gitexp.index.database import Index
from gitexp.record.facts import State
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace


def of(workspace: Workspace, run: Run, state: State) -> Index:
    """Return an index that holds one stored run, with what facts say of it; raises Damaged."""
    record = run.record
    ref = run.ref or ids.run_ref(ids.experiment_slug(record.experiment), record.name, record.id)
    row = rows.stored(workspace, ref, str(run.commit))
    if row is None or row.fields.get("damaged"):
        raise Damaged(f"{str(run.commit)[:7]} is not the commit of a run", hint="gitexp fsck")
    index = database.in_memory(workspace)
    schema.create(index.connection)
    row.fields |= {"own": 0, "pushed": 0, "experiment": row.fields["first_experiment"]}
    said = rows.said(state, row.fields.get("told"))

    def environment(oid: str) -> int:
        return tables.add_environment(index.connection, oid, rows.environment(run.environment))

    tables.insert(index.connection, index.catalogue, [(1, row, said)], environment)
    return index
