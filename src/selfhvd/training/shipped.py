"""The paper's recipes, which come with the package and are called by name."""

from pathlib import Path

from selfhvd.errors import InputError

FOLDER = Path(__file__).parents[1] / "data" / "recipes"


def shipped_recipes() -> dict[str, Path]:
    """Name to file, in alphabetical order."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}


def recipe_file(given: Path) -> Path:
    """`given` where there is such a file, else the shipped recipe of that name.

    Raises:
        InputError: there is neither.
    """
    shipped = shipped_recipes()
    if given.exists() and not given.is_dir():
        return given
    if len(given.parts) == 1 and given.name.removesuffix(".toml") in shipped:
        return shipped[given.name.removesuffix(".toml")]
    raise InputError(f"{given} is no file and no recipe that comes with selfhvd; those are {', '.join(shipped)}.")
