"""Where things are kept: workspace, settings, journal, runs, annotations."""
