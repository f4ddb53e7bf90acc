"""The rows of `make bench` about sharing: large files over loopback, and many runs with small ones."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from tests.bench.bench import Bench, Row
from tests.bench.lists import python

LARGE_MB, MB_PER_SECOND, RUNS, SMALL = 512, 400, 1000, 5

# Run in the repository, in a process of their own; what they print are seconds.
_MAKE = f"""
import os
from gitexp.store import objects, workspace
place = workspace.open(".")
with open(".git/large", "wb") as file:
    for _ in range({LARGE_MB}):
        file.write(os.urandom(1000) * 1000)
item = objects.put_file(place, __import__("pathlib").Path(".git/large"))
open(".git/item", "w").write(f"{{item.sha256}} {{item.size_bytes}}")
os.sync()
print(0)
"""
_BEGIN = """
import shutil, subprocess, time
from pathlib import Path
from gitexp.git import lfs
from gitexp.git.transport import Options
from gitexp.record.pointer import Pointer
from gitexp.store import objects, workspace
from tests import lfsserver
place = workspace.open(".")
sha256, size = open(".git/item").read().split()
item = Pointer(sha256, int(size))
source = objects.place(place, sha256)
server = lfsserver.running(Path(".git/server").absolute())
started = server.__enter__()
shutil.rmtree(".git/server"), Path(".git/server").mkdir()
subprocess.run(["git", "config", "lfs.url", started.url], check=True)
depot = lfs.open(place.repo, "origin", Options(), "download")
depot.lacks([item])  # a connection and the libraries are there
"""
_UPLOAD = (
    _BEGIN
    + """
begin = time.perf_counter()
assert depot.send([item], lambda item: source, lambda count: None) == []
print(time.perf_counter() - begin)
server.__exit__(None, None, None)
"""
)
_DOWNLOAD = (
    _BEGIN
    + """
shutil.copyfile(source, Path(".git/server", sha256))
begin = time.perf_counter()
assert depot.bring([item], lambda item, path: path.unlink(), Path(".git/parts"), lambda count: None) == []
print(time.perf_counter() - begin)
server.__exit__(None, None, None)
"""
)
_FLOOR = """
import hashlib, time
begin = time.perf_counter()
digest = hashlib.sha256()
with open(".git/large", "rb", buffering=0) as source, open(".git/copy", "wb", buffering=0) as target:
    while block := source.read(1 << 20):
        digest.update(block)
        target.write(block)
print(time.perf_counter() - begin)
"""
_RUNS = f"""
import os
from tests import sharing
place = sharing.opened(".")
for number in range({RUNS}):
    files = {{f"artifacts/{{name}}.bin": os.urandom(300) for name in range({SMALL})}}
    sharing.make_run(place, f"run {{number}}", files=files, email="bench@localhost")
print(0)
"""


def transfer(bench: Bench) -> list[Row]:
    """Send and bring one large file, and send many runs with small ones."""
    where = bench.repository("transfer", files=1)
    python(bench, where, _MAKE)
    floor = min(python(bench, where, _FLOOR) for _ in range(bench.repeats))
    rows = []
    for what, code in (("upload", _UPLOAD), ("download", _DOWNLOAD)):
        row = Row(f"{what} of {LARGE_MB} MB over loopback; floor: sha256 and copy", "s", LARGE_MB / MB_PER_SECOND)
        row.figures["floor"] = floor
        row.figures["gitexp"] = min(python(bench, where, code) for _ in range(bench.repeats))
        rows.append(row)
    return [*rows, _many(bench)]


def _many(bench: Bench) -> Row:
    where = bench.repository("sharing", files=1)
    python(bench, where, _RUNS)
    subprocess.run(["gitexp", "log"], cwd=where, env=bench.environment(), check=True, capture_output=True)  # the index
    plain = min(_push(bench, where, ["git", "push", "-q", "there", "refs/experiments/*"]) for _ in range(bench.repeats))
    row = Row(f"push of {RUNS:,} runs with {SMALL} small artifacts; floor: git push", "s", round(1.3 * plain, 3))
    row.figures["floor"] = plain
    row.figures["gitexp"] = min(_push(bench, where, ["gitexp", "push", "there"]) for _ in range(bench.repeats))
    return row


def _push(bench: Bench, where: Path, command: list[str]) -> float:
    """Return how long a push to a new and empty remote takes that everything was agreed to for."""
    there, env = where.with_name("there.git"), bench.environment()
    shutil.rmtree(there, ignore_errors=True)
    shutil.rmtree(where / ".git/gitexp/remotes", ignore_errors=True)
    for words in (
        ["init", "-q", "--bare", str(there)],
        ["config", "remote.there.url", str(there)],
        ["config", "gitexp.push.there", "approved"],
        ["push", "-q", "there", "HEAD"],
    ):
        subprocess.run(["git", *words], cwd=where, env=env, check=True)
    begin = time.perf_counter()
    subprocess.run(command, cwd=where, env=env, check=True, capture_output=True)
    return time.perf_counter() - begin
