"""The query language of lists: text to nodes (docs/query.md). It knows no SQL and no run."""
