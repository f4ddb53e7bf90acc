"""Figures from plain data: series, tables, evaluations. Nothing here knows a repository."""
