"""What commands and the SDK tell of runs: one in full, live ones, lineage, data, tables for others."""
