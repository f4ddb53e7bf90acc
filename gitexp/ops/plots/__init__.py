"""Figures of runs, as the data that `gitexp.plots` draws."""
