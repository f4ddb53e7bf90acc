"""`python -m gitexp` is `gitexp`."""

from __future__ import annotations

from gitexp.cli.main import main

main()
