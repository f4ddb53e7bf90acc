"""Reports and sites of runs, as the parts that `gitexp.pages` writes."""
