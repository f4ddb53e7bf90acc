"""The real removal of runs, or of a part of them."""
