"""Runs, facts and models to remotes and from them."""
