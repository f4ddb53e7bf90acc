"""Runs beside each other, and against what the project wants of them."""
