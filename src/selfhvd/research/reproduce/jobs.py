"""From a row's setup to the job that it is on this machine: the merged recipe, its folder, and what it waits for."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from selfhvd.errors import UsageError
from selfhvd.method.perceptual import vgg_path
from selfhvd.method.stages import LossConfig
from selfhvd.research.reproduce.rows import Method, Place, Setup
from selfhvd.research.reproduce.size import Size
from selfhvd.training.config import AdaptConfig
from selfhvd.training.job import WEIGHTS
from selfhvd.training.recipe import Recipe, as_json, read_recipe
from selfhvd.training.shipped import shipped_recipes
from selfhvd.weights import cached

MADE_LAYOUT = "goproshake"
"""Of the clips that are made for `--small`, whatever they stand for."""
_FLOW_ENDINGS = (".safetensors", ".ckpt")


@dataclass(frozen=True)
class Site:
    """Where a table is made, and by what."""

    data: Path
    """Folder of datasets and weights."""
    out: Path
    changes: tuple[str, ...] = ()
    """KEY=VALUE of the user, which win over everything."""
    seed: int = 0
    small: Size | None = None

    def folder(self, place: Place) -> Path:
        """Where a dataset is looked for."""
        return self.data / place.folder

    def layout(self, place: Place) -> str:
        """How it lies there."""
        return place.layout if self.small is None else MADE_LAYOUT


@dataclass(frozen=True)
class Job:
    """A setup on this machine."""

    setup: Setup
    recipe: Recipe
    folder: Path
    first: "Job | None" = None
    """The training whose weights it begins with: its own first stage, or that of `setup.start`."""

    @property
    def method(self) -> Method:
        """See `Setup`."""
        return self.setup.method

    @property
    def learns(self) -> bool:
        """Whether anything is trained."""
        return self.method not in ("as-it-comes", "select")

    @property
    def second_half(self) -> bool:
        """Whether `first` is the first stage of the same setup."""
        return self.first is not None and self.first.setup == self.setup

    @property
    def alone(self) -> bool:
        """Whether each clip trains a network of its own."""
        return self.recipe.per_clip or self.method in ("ren", "dadeblur")

    @property
    def result(self) -> Path:
        """What the training leaves: weights, or a folder of restored clips."""
        return self.folder / ("restored" if self.alone else WEIGHTS)


def job_of(setup: Setup, site: Site) -> Job:
    """The job of a setup; two setups that come to the same recipe are one job.

    Raises:
        UsageError: a key is unknown, or a value does not fit.
    """
    path = shipped_recipes()[setup.recipe]
    row = (*setup.changes, *site.changes)
    plain = read_recipe(path, row)
    small = [] if site.small is None else site.small.changes(plain.network.backbone, _scratch(plain, setup))
    recipe = read_recipe(path, [*small, *row])
    found, first = _weights(setup, site)
    data = recipe.data
    layout = data.layout if site.small is None else MADE_LAYOUT
    recipe = replace(
        recipe,
        data=replace(data, folder=site.data / data.folder, layout=layout),
        network=_network(recipe, site, found),
        flow=_flow(recipe, site),
        method=_method(recipe, site),
        seed=recipe.seed + site.seed,
    )
    if not _in_two(setup, recipe):
        return Job(setup, recipe, site.out / "runs" / _name(setup, recipe), first)
    begun = _stage_one(recipe)
    first = Job(setup, begun, site.out / "runs" / _name(setup, begun), first)
    recipe = _stage_two(recipe, first)
    return Job(setup, recipe, site.out / "runs" / _name(setup, recipe), first)


def _in_two(setup: Setup, recipe: Recipe) -> bool:
    """Whether the stages are trainings of their own, so that rows which differ in the second alone share the first."""
    method = recipe.method
    learns = setup.method == "train" and method.teach == "sharp-frames" and not recipe.per_clip
    return learns and method.stage_one.steps > 0 and method.stage_two.steps > 0


def _stage_one(recipe: Recipe) -> Recipe:
    """The first stage alone; what only the second asks for is as it is by itself, so that alike stages are one job."""
    method, plain, loss = recipe.method, AdaptConfig(), LossConfig()
    kept = replace(loss, perceptual=method.loss.perceptual, perceptual_weights=method.loss.perceptual_weights)
    return replace(
        recipe,
        method=replace(
            method,
            stage_two=replace(plain.stage_two, steps=0),
            loss=kept,
            updates=plain.updates,
            least_gain=plain.least_gain,
            checks=plain.checks,
        ),
    )


def _stage_two(recipe: Recipe, first: Job) -> Recipe:
    """The second stage, from what the first has left."""
    network = replace(recipe.network, weights=str(first.result), settings={}, flow_weights=None)
    method = replace(recipe.method, stage_one=replace(recipe.method.stage_one, steps=0))
    return replace(recipe, network=network, method=method)


def _scratch(plain: Recipe, setup: Setup) -> bool:
    return setup.start is None and plain.network.weights == "scratch"


def _weights(setup: Setup, site: Site) -> tuple[str | None, Job | None]:
    """What the row's start is: a file that is there, or the result of a training yet to be made."""
    if setup.start is None:
        return None, None
    if path := find_weights(setup.start.name, site):
        return str(path), None
    first = job_of(setup.start.taught, site)
    return str(first.result), first


def find_weights(name: str, site: Site) -> Path | None:
    """FOLDER/weights/NAME.safetensors, or what was fetched under that name."""
    path = site.data / "weights" / f"{name}.safetensors"
    if path.is_file():
        return path
    if site.small is not None:
        return None
    try:
        return cached(name)
    except UsageError:
        return None


def _network(recipe: Recipe, site: Site, weights: str | None):  # noqa: ANN202 - the recipe's own type
    network = recipe.network
    if weights is not None:
        return replace(network, weights=weights, settings={}, flow_weights=None)
    return replace(network, flow_weights=_flow_inside(network.flow_weights, site))


def _flow_inside(wanted: Path | None, site: Site) -> Path | None:
    """SPyNet's weights: under --data, else as the recipe names them; small networks do without."""
    if wanted is None:
        return None
    under = site.data / "weights" / wanted
    if under.is_file():
        return under
    return None if site.small is not None and not wanted.is_file() else wanted


def _flow(recipe: Recipe, site: Site):  # noqa: ANN202 - the recipe's own type
    flow = recipe.flow
    if flow.weights is not None or flow.name == "dis":
        return flow
    paths = (site.data / "weights" / f"{flow.name}{ending}" for ending in _FLOW_ENDINGS)
    return replace(flow, weights=next((path for path in paths if path.is_file()), None))


def _method(recipe: Recipe, site: Site):  # noqa: ANN202 - the recipe's own type
    """A small training does without the perceptual term where VGG is not at hand."""
    method = recipe.method
    if site.small is None or vgg_path().is_file():
        return method
    return replace(method, loss=replace(method.loss, perceptual=0.0))


def _name(setup: Setup, recipe: Recipe) -> str:
    """Alike for alike jobs, and fit for a folder."""
    said = hashlib.sha256(f"{setup.method} {as_json(recipe)}".encode()).hexdigest()
    return f"{setup.method}-{setup.recipe}-{said[:10]}"


def missing(job: Job, site: Site) -> list[str]:
    """A sentence for everything without which the job cannot begin."""
    if job.second_half and job.first is not None and not job.first.result.exists():
        return missing(job.first, site)  # the first stage asks for all that the second does
    found = list(_missing_weights(job, site))
    if job.learns:
        found += [*_missing_data(job.recipe, site), *_missing_flow(job), *_missing_vgg(job)]
    return found


def _missing_data(recipe: Recipe, site: Site) -> Iterator[str]:
    if site.small is None and not recipe.data.folder.is_dir():  # small ones are filmed
        yield f"there is no {recipe.data.folder}; docs/datasets.md says how {recipe.data.layout} lies on disk"


def _missing_weights(job: Job, site: Site) -> Iterator[str]:
    if job.first is not None and not job.second_half:
        start = job.setup.start
        assert start is not None
        if not job.first.result.exists() and missing(job.first, site):
            name = f"{start.name}.safetensors"
            wanted = ", ".join(missing(job.first, site))
            yield (
                f"there is no {site.data / 'weights' / name} (`selfhvd weights list` says what can be fetched or "
                f"converted), and it cannot be taught here: {wanted}"
            )
    elif job.method != "select" and job.method != "ren":
        weights = job.recipe.network.weights
        if weights not in ("scratch", "at-hand") and not Path(weights).is_file():
            yield f"there are no weights {weights}"
    inside = job.recipe.network.flow_weights
    if job.learns and inside is not None and not inside.is_file():
        where = site.data / "weights" / inside.name
        yield f"there is no {where}; `selfhvd weights convert` makes it of the published SPyNet"


def _missing_flow(job: Job) -> Iterator[str]:
    flow = job.recipe.flow
    if flow.name in ("auto", "dis") or (job.method == "ren"):
        return
    if flow.name == "flowformer++":
        if find_spec("ptlflow") is None:
            yield "flowformer++ needs ptlflow: pip install '.[flow-zoo]'"
        if flow.weights is None:
            yield "there is no weights/flowformer++.ckpt under --data; ptlflow publishes it"
    elif flow.weights is None and cached(flow.name) is None:
        yield f"there are no weights of {flow.name}; `selfhvd weights fetch {flow.name}` fetches them"


def _missing_vgg(job: Job) -> Iterator[str]:
    loss = job.recipe.method.loss
    wanted = loss.perceptual > 0 and loss.perceptual_weights == "required" and job.recipe.method.teach != "truth"
    if wanted and job.method in ("train", "ren") and not vgg_path().is_file():
        yield "there are no weights of VGG19; `selfhvd weights fetch vgg19` fetches them"
