"""What is stored of a run, and its bytes (docs/format.md)."""
