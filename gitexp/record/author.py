"""Who says something of a run, an experiment or a model, and how long it may be."""

from __future__ import annotations

from dataclasses import dataclass

MAX_KEY = 250  # characters of a tag's key, a posted number's name, a verdict's name
MAX_TEXT = 20_000  # characters of a text: below the limit of a fact's line at four bytes each


@dataclass(frozen=True, slots=True)
class Author:
    """Who said it."""

    name: str
    email: str
