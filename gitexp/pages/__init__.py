"""Pages of runs for people: HTML that works from a file without a network, and Markdown."""
