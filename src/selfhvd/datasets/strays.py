"""Clips of other layouts in a folder that is taken for one."""

from pathlib import Path
from typing import NoReturn

from selfhvd.datasets.layouts import LAYOUTS, Layout
from selfhvd.datasets.places import Place, places, shows
from selfhvd.errors import InputError


def by_layout(root: Path) -> list[tuple[Layout, list[Place]]]:
    """The clips under `root`, each with the layout of lowest rank that it fits; without those of lists.

    What shares a name or a folder with a clip of an earlier layout is another view of it, as GoPro's `blur_gamma` is.
    """
    found: list[tuple[Layout, list[Place]]] = []
    names: set[str] = set()
    folders: set[Path] = set()
    for layout in sorted((known for known in LAYOUTS.values() if known.kind != "lists"), key=lambda known: known.rank):
        there = places(layout, root)
        shown = [place for place in there if shows(layout, place)]
        own = [place for place in shown if place.name not in names and not folders & _folders(place)]
        if own:
            found.append((layout, own))
        names |= {place.name for place in there if any(folder.is_dir() for folder in _folders(place))}
        folders |= {folder for place in shown for folder in _folders(place)}
    return found


def most_frequent(root: Path) -> list[Layout]:
    """The layouts that most clips have; several if as many have each."""
    found = by_layout(root)
    most = max(len(own) for _, own in found)
    return [layout for layout, own in found if len(own) == most]


def strays(root: Path, chosen: Layout) -> list[tuple[Layout, Place]]:
    """The clips that have another layout than the chosen one, without those it counts as broken ones."""
    mine = {place.name for place in places(chosen, root)} if chosen.kind != "lists" else set[str]()
    others = [(layout, place) for layout, own in by_layout(root) if layout is not chosen for place in own]
    return [(layout, place) for layout, place in others if place.name not in mine]


def refuse(layout: Layout, place: Place, chosen: Layout) -> NoReturn:
    """`InputError` that names a stray."""
    raise InputError(
        f"Clip {place.name} has another layout than the rest: expected {chosen.name}, found {layout.name} in "
        f"{place.blur}; take such clips with the layout {layout.name}."
    )


def _folders(place: Place) -> set[Path]:
    return {place.blur} if place.truth is None else {place.blur, place.truth}
