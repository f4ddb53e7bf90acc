"""One file per command: parse, call ops, print."""
