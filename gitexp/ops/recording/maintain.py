"""Folding the loose objects and refs of many runs into packs, beside, before Git's own gc makes the user wait.

Git packs when it counts about 6,700 loose objects (gc.auto): at six a run that is somebody's next `git commit`, for
seconds. A pack a run would be a trap: thousands of small packs make every lookup slow.
"""

from __future__ import annotations

import subprocess

from gitexp import files
from gitexp.git import command
from gitexp.store.workspace import Workspace

LOG_BYTES = 200 * 130  # refs.log grows so much in about 200 runs
_STATE = "folded"  # its size is that of refs.log when the last folding began: one stat tells
_SCRIPT = """
(nice git maintenance run --quiet --task=loose-objects --task=incremental-repack --task=pack-refs
git prune-packed --quiet) </dev/null >/dev/null 2>&1 &
"""


def after_run(workspace: Workspace) -> bool:
    """Begin the folding when it is due, in processes that nobody waits for; says whether it began."""
    path = workspace.home / _STATE
    size = files.size(workspace.home / "refs.log")
    if size < files.size(path) + LOG_BYTES or not workspace.settings.flag("maintenance") or not command.available():
        return False
    with open(path, "ab") as state:
        state.truncate(size)
    repo = workspace.repo
    env = command.environment(repo, {"GIT_DIR": str(repo.common_dir)})
    subprocess.run(["sh", "-c", _SCRIPT], cwd=repo.common_dir, env=env, start_new_session=True, check=False)
    return True
