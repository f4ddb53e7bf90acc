"""The index: a SQLite cache of what lists, searches and comparisons need of all runs (docs/architecture.md)."""
