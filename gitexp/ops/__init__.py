"""One module per verb; the command line and the SDK are fronts of these."""
