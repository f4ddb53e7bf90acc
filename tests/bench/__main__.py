"""`make bench`: gitexp against its limits, the floor and the peers, everything in one run on this machine.

python -m tests.bench [-q] [ROW …]     -q: once each; ROW: import help log short many scalar long ten
                                       search page index history plot files transfer mlflow registry (default: all)

A peer takes part where its venv is: $BENCH_HOME/venvs/NAME (default ~/.cache/tracker-bench).
Machines differ and so do moments: read the ratios, not the times. A limit that is missed only as far as the floor is
above what it was where the limit was set counts as reached "N x slower here".
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import files, lists, plugin, recording, registry, transfer
from tests.bench.bench import Bench, Row, present

MEASUREMENTS: dict[str, Callable[[Bench], list[Row]]] = {
    "import": recording.start_up,
    "help": recording.help_page,
    "log": recording.log_page,
    "short": recording.short,
    "many": recording.many,
    "scalar": recording.curve("100,000 x log of one metric", 100_000, 1, ((1.2, 1.2), (0.35, 0.16), recording.NONE)),
    "long": recording.curve("10 million points", 10_000_000, 1, ((1.8, 1.5), recording.NONE, (150, None))),
    "ten": recording.curve("20,000 x log of ten metrics", 20_000, 10, (recording.NONE, (0.45, 0.30), recording.NONE)),
    "search": lists.search,
    "page": lists.page,
    "index": lists.index,
    "history": lists.history,
    "plot": lists.plot,
    "files": files.artifacts,
    "transfer": transfer.transfer,
    "mlflow": plugin.plugin,
    "registry": registry.registry,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=str(__doc__).split("\n")[0])
    parser.add_argument("rows", nargs="*", choices=[*MEASUREMENTS, []], metavar="ROW", help=", ".join(MEASUREMENTS))
    parser.add_argument("-q", "--quick", action="store_true", help="measure once instead of three times")
    chosen = parser.parse_args()
    trackers = present()
    print(f"measuring {', '.join(trackers)}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("work | gitexp | to reach | | against the floor | against the best peer\n--- | --- | --- | --- | --- | ---")
    with tempfile.TemporaryDirectory(prefix="gitexp-bench-", dir=os.environ.get("BENCH_WORK")) as folder:
        bench = Bench(Path(folder), 1 if chosen.quick else 3, trackers)
        for name in chosen.rows or MEASUREMENTS:
            for row in MEASUREMENTS[name](bench):
                print(row.line(), flush=True)


if __name__ == "__main__":
    main()
