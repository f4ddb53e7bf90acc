"""The artifacts of runs: listed, compared, written out."""
