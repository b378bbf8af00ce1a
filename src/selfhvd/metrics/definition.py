"""What a metric is, said so exactly that its number can be compared."""

from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

Better = Literal["higher", "lower", "nearest 1", "for comparison"]


@dataclass(frozen=True)
class Definition:
    """One metric: its column, and everything that a reader must know to compare its number with another.

    "The reference" in its words is the truth, the input where there is no truth, and the result itself where there is
    neither.
    """

    name: str
    """Of the column, and in JSON."""
    title: str
    """For people, with the unit."""
    better: Better
    formula: str
    colour: str
    borders: str
    averaging: str
    libraries: tuple[str, ...]
    """The distributions that compute it."""
    decimals: int = 2
    """Worth showing; files hold all."""

    @property
    def version(self) -> str:
        """The libraries as installed here: `scikit-image 0.26.0`."""
        return ", ".join(f"{name} {_installed(name)}" for name in self.libraries)

    def against(self, reference: str) -> "Definition":
        """The same with "the reference" named: `the truth`, say."""
        title, formula = (text.replace("the reference", reference) for text in (self.title, self.formula))
        return replace(self, title=title, formula=formula)


MEAN_OF_FRAMES = "mean over the clip's frames, or its blurry or sharp ones; clips are not pooled"


def first_line(error: Exception) -> str:
    """What another package says went wrong, fit to stand in a sentence."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(version unknown)"
