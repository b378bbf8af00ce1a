"""How long work tells how far it is, whoever listens."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Told the name of the stage, how much of it is done, and how much there is."""


def silent(stage: str, done: int, total: int) -> None:
    """A `Progress` that says nothing."""
