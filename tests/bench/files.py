"""The rows of `make bench` about artifacts: a large file, the same again, many small ones, the time of a call."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.bench.bench import Bench, Row
from tests.bench.lists import python

LARGE_MB, SMALL, SMALL_BYTES, CALLS = 512, 1000, 10_000, 50

# Run in a process of their own, in the repository: what they print are seconds or milliseconds. A run goes before what
# is measured, so that the libraries are there.
_BEGIN = """
import gitexp, os, statistics, sys, time
os.environ["GITEXP_QUIET"] = "1"
def seconds(work, *given, **more):
    begin = time.perf_counter()
    work(*given, **more)
    return time.perf_counter() - begin
with gitexp.start_run("bench") as run:
    run.log_artifact(b"x" * 200_000, "warm.bin", wait=True)
run = gitexp.start_run("bench")
"""
_MAKE = f"""
import os, sys
with open("large.bin", "wb") as file:
    for _ in range({LARGE_MB}):
        file.write(os.urandom(1 << 20))
os.mkdir("small")
for number in range({SMALL}):
    with open(f"small/{{number}}.bin", "wb") as file:
        file.write(os.urandom({SMALL_BYTES}))
os.sync()
"""
_LARGE = _BEGIN + 'print(seconds(run.log_artifact, "large.bin", wait=True))\nrun.finish()\n'
_AGAIN = (
    _BEGIN
    + """
run.log_artifact("large.bin", wait=True)
print(seconds(run.log_artifact, "large.bin", "again.bin", wait=True) * 1e3)
run.finish()
"""
)
_SMALL = _BEGIN + 'print(seconds(lambda: (run.log_artifact("small"), run.finish())))\n'
_CALL = (
    _BEGIN
    + f"""
calls = []
for number in range({CALLS}):
    with open(f"file{{number}}.bin", "wb") as file:
        file.write(os.urandom(1 << 20))
    calls.append(seconds(run.log_artifact, f"file{{number}}.bin") * 1e3)
print(max(calls) if sys.argv[1] == "most" else statistics.median(calls))
run.finish()
"""
)
_FLOOR = """
import hashlib, os, time
begin = time.perf_counter()
digest = hashlib.sha256()
with open("large.bin", "rb", buffering=0) as source, open("copy.bin", "wb", buffering=0) as target:
    while block := source.read(1 << 20):
        digest.update(block)
        target.write(block)
    os.fsync(target.fileno())
print(time.perf_counter() - begin)
os.unlink("copy.bin")
"""
_FLOOR_SMALL = """
import os, time
begin = time.perf_counter()
os.mkdir("copies")
for name in os.listdir("small"):
    with open(f"small/{name}", "rb") as source, open(f"copies/{name}", "wb") as target:
        target.write(source.read())
print(time.perf_counter() - begin)
import shutil
shutil.rmtree("copies")
"""


def artifacts(bench: Bench) -> list[Row]:
    """Keep a large file, the same file again, many small ones; and what the training waits for."""
    where = bench.repository("artifacts", files=1)
    (where / ".gitignore").write_text("*.bin\nsmall/\n")
    python(bench, where, _MAKE)
    floor = min(python(bench, where, _FLOOR) for _ in range(bench.repeats))
    large = Row(f"a file of {LARGE_MB} MB; floor: read, sha256 and copy in one pass", "s", round(1.25 * floor, 3))
    again = Row("  the same file again, unchanged", "ms", 20)
    small = Row(f"a folder of {SMALL:,} files of {SMALL_BYTES // 1000} KB, with the end of the run", "s", 0.6)
    call, most = Row("log_artifact of 1 MB, the call", "ms", 1), Row("  the longest of them", "ms", None)
    large.figures["floor"] = floor
    large.figures["gitexp"] = min(_large(bench, where) for _ in range(bench.repeats))
    again.figures["gitexp"] = min(python(bench, where, _AGAIN) for _ in range(bench.repeats))
    small.figures["gitexp"] = min(python(bench, where, _SMALL) for _ in range(bench.repeats))
    small.figures["floor"] = min(python(bench, where, _FLOOR_SMALL) for _ in range(bench.repeats))
    call.figures["gitexp"] = python(bench, where, _CALL, "median")
    most.figures["gitexp"] = python(bench, where, _CALL, "most")
    return [large, again, small, call, most]


def _large(bench: Bench, where: Path) -> float:
    """Keep the large file as if for the first time."""
    for known in ("hashes.sqlite", "objects"):
        path = where / ".git/gitexp" / known
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return python(bench, where, _LARGE)
