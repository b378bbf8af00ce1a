"""The job of `selfhvd train`: both stages over a dataset, or over each of its clips alone (test-time training)."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch

from selfhvd.backbones import Backbone
from selfhvd.errors import InputError, OutputError, UsageError
from selfhvd.flow import FlowPredictor
from selfhvd.method.perceptual import Perceptual, find_perceptual
from selfhvd.restore.restorer import Restorer
from selfhvd.system.atomic import replacing
from selfhvd.system.device import pick_device, settle
from selfhvd.system.lock import locked
from selfhvd.system.progress import Progress, silent, stoppable
from selfhvd.system.versions import versions
from selfhvd.training.checkpoint import CheckpointConfig
from selfhvd.training.clip import TrainingClip
from selfhvd.training.config import Adaptation
from selfhvd.training.dataset_clips import find_clips, read_clips
from selfhvd.training.disk_space import check_room
from selfhvd.training.distributed import Processes, together
from selfhvd.training.log import JOURNAL, TrainingLog
from selfhvd.training.recipe import Recipe, as_toml, difference, read_recipe
from selfhvd.training.restored import write_restored
from selfhvd.training.two_stage import TwoStageTrainer
from selfhvd.weights import save_weights
from selfhvd.weights.choose_backbone import check_backbone, choose_backbone
from selfhvd.weights.choose_flow import choose_flow
from selfhvd.weights.give_flow import give_flow
from selfhvd.weights.settings import SettingError

RECIPE, WEIGHTS, STATE = "recipe.toml", "weights.safetensors", "state.ckpt"
RESTORED, CLIP_WEIGHTS = "restored", "weights"
"""Folders of the restored clips and their weights, where each trains a network of its own."""
CACHE, WORK = "cache", "work"
"""Folders of what was found in the clips, and of what the learning needs between steps."""


@dataclass(frozen=True)
class Trained:
    """What a training gave."""

    clips: int
    """Learned from."""
    faults: tuple[str, ...]
    """Of the clips that could not be."""
    result: Path
    """The weights; of a training per clip the folder of restored clips."""
    first: bool = True
    """Whether this is the first of the processes, which tells people."""


def train(
    recipe: Recipe,
    folder: Path,
    *,
    on_progress: Progress = silent,
    on_fault: Callable[[InputError], None] = lambda fault: None,
    stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train as the recipe says; a run that was cut off goes on where it was.

    `folder` gets the merged recipe, journal.jsonl, curves for TensorBoard, and weights.safetensors; of a training per
    clip restored/CLIP/########.png and weights/CLIP.safetensors. The last step's weights are kept: nothing looks at the
    truth to choose among them.

    Args:
        recipe: what is trained, on what, how.
        folder: a new folder, or one begun with the same recipe, or one in which another recipe came to no step.
        on_progress: told stage, done, total.
        on_fault: told of each clip that cannot be used; the others go on.
        stop: asked after each step; True saves the state.

    Raises:
        Stopped: `stop` said so.
        OutputError: the folder was begun with another recipe, is in use, or cannot be written, or there is less room on
            its disk than needed.
        InputError: the dataset cannot be used.
        UsageError, WeightsError, DeviceError: the recipe asks for what is not there.
    """
    if recipe.data.folder == Path():
        raise UsageError("The recipe names no dataset; say data.folder.")
    recipe = recipe.resolved()
    merged = as_toml(recipe)
    device = pick_device(recipe.device)
    processes = together(device)
    if recipe.method.batch.size % processes.count:
        raise UsageError(
            f"A batch of {recipe.method.batch.size} cannot be shared evenly by {processes.count} processes."
        )
    # What is not there is missed before the folder is claimed, and before the long reading of the clips.
    network = first_network(recipe)
    predictor = choose_flow(recipe.flow.name, recipe.flow.weights, device, recipe.flow.certainty)
    perceptual = _perceptual(recipe, processes.device)
    unusable: list[InputError] = []
    found = find_clips(recipe, unusable.append)
    with ExitStack() as held:
        if processes.rank == 0:
            if not (folder / WEIGHTS).exists():
                check_room(found, recipe, network, folder)
            _claim(recipe, merged, folder, held)
        processes.meet()
        told = on_progress if processes.rank == 0 else silent
        job = _Job(recipe, folder, predictor, perceptual, processes, told, stop)
        held.callback(job.close)
        faults: list[str] = []

        def note(fault: InputError) -> None:
            faults.append(str(fault))
            job.tell("fault", said=str(fault))
            if processes.rank == 0:
                on_fault(fault)

        for fault in unusable:
            note(fault)
        clips = read_clips(found, recipe, folder / CACHE, processes, job.on_progress, note)
        result = job.each(clips) if recipe.per_clip else job.all(clips)
        return Trained(len(clips), tuple(faults), result, processes.rank == 0)


def _claim(recipe: Recipe, merged: str, folder: Path, held: ExitStack) -> None:
    """Make the folder ours: by a lock for as long as we live, and by the recipe for good."""
    path = folder / RECIPE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        busy = OutputError(f"Another selfhvd is training in {folder}; wait for it, or give another --out.")
        held.enter_context(locked(folder / ".lock", busy))
        if path.exists():
            changed = difference(read_recipe(path), recipe)
            if changed and _has_learned(folder):
                said = ", ".join(changed[:5])
                raise OutputError(f"{folder} was begun with another recipe ({said}); give that, or another --out.")
            if not changed:
                return
            _give_back(folder)
        with replacing(path, owned=True) as part:
            part.write_text(merged, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error.strerror}); choose another --out.") from error


def _perceptual(recipe: Recipe, device: torch.device) -> Perceptual | None:
    loss = recipe.method.loss
    if not loss.perceptual or recipe.method.teach == "truth":
        return None
    return find_perceptual(device, required=loss.perceptual_weights == "required")


def _has_learned(folder: Path) -> bool:
    """Whether a run there made a step that was told or kept."""
    if any((folder / name).exists() for name in (WEIGHTS, RESTORED, CLIP_WEIGHTS)):
        return True
    journal = folder / JOURNAL
    told = journal.exists() and b'"event": "step"' in journal.read_bytes()
    return told or any((folder / WORK).rglob(STATE))


def _give_back(folder: Path) -> None:
    """Clear away what a recipe left that came to no step; it was found by settings that have changed."""
    for name in (CACHE, WORK, "tensorboard"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / JOURNAL).unlink(missing_ok=True)


def first_network(recipe: Recipe) -> Backbone:
    """The network as the recipe starts it, on the CPU."""
    name, weights, settings = recipe.network.backbone, recipe.network.weights, recipe.network.settings
    check_backbone(name)
    if weights == "scratch":
        torch.manual_seed(recipe.seed)
        try:
            made = choose_backbone(name, untrained=True, settings=settings)
        except SettingError as error:
            raise UsageError(f"network.settings: {error}.") from error
        if recipe.network.flow_weights is not None:
            give_flow(made, name, recipe.network.flow_weights)
        return made
    if settings:
        raise UsageError('network.settings are for weights = "scratch"; a weights file has its own.')
    return choose_backbone(name, None if weights == "at-hand" else Path(weights))


class _Job:
    """What every clip's training shares."""

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        predictor: FlowPredictor,
        perceptual: Perceptual | None,
        processes: Processes,
        on_progress: Progress,
        stop: Callable[[], bool],
    ) -> None:
        self.recipe, self.folder, self.processes, self.stop = recipe, folder, processes, stop
        self.predictor, self.perceptual = predictor, perceptual
        self.on_progress = stoppable(on_progress, stop)
        self.journal = TrainingLog(folder, recipe.tell_every) if processes.rank == 0 else None

    def network(self) -> Backbone:
        return settle(first_network(self.recipe), self.processes.device)

    def adapter(self, network: Backbone, clips: list[TrainingClip], folder: Path) -> TwoStageTrainer:
        journal = self.journal
        return TwoStageTrainer(
            network,
            clips,
            self.predictor,
            folder,
            align=self.recipe.align,
            config=self.recipe.method,
            perceptual=self.perceptual,
            seed=self.recipe.seed,
            untrained=self.recipe.network.weights == "scratch",
            processes=self.processes,
            keeping=CheckpointConfig(folder / STATE, self.recipe.save_every),
            on_step=lambda stage, step: None if journal is None else journal.step(stage, step),
            stop=self.stop,
        )

    def tell(self, event: str, **facts: object) -> None:
        if self.journal is not None:
            self.journal.event(event, **facts)

    def close(self) -> None:
        """Nothing is told any more."""
        if self.journal is not None:
            self.journal.close()

    def all(self, clips: list[TrainingClip]) -> Path:
        """One network from all clips."""
        target = self.folder / WEIGHTS
        if not target.exists():
            network = self.network()
            self.tell("begin", clips=len(clips), processes=self.processes.count, versions=versions())
            done = self.adapter(network, clips, self.folder / WORK).run(self.on_progress)
            if self.processes.rank == 0:
                self._save(target, network, f"{len(clips)} clips of {self.recipe.data.folder}", done)
                self.tell("end", **asdict(done))
                self._tidy(Path())
        self.processes.meet()
        return target

    def each(self, clips: list[TrainingClip]) -> Path:
        """A network of its own for each clip, and the clip restored with it; finished clips are passed over."""
        for number, clip in enumerate(clips):
            target = self.folder / RESTORED / clip.name
            if not target.exists():
                self.tell("begin", clip=clip.name, processes=self.processes.count, versions=versions())
                network = self.network()
                work = self.folder / WORK / clip.name
                done = self.adapter(network, [clip], work).run(partial(self._of_clip, number, len(clips)))
                if self.processes.rank == 0:
                    self._save(self.folder / CLIP_WEIGHTS / f"{clip.name}.safetensors", network, clip.name, done)
                    self._restore(network, clip, target)
                    self.tell("end", clip=clip.name, **asdict(done))
                    self._tidy(Path(clip.name))
            self.processes.meet()
        return self.folder / RESTORED

    def _tidy(self, done: Path) -> None:
        """Remove the state and the material of what is done, and the folders that this leaves empty."""
        shutil.rmtree(self.folder / WORK / done, ignore_errors=True)
        for folder in done.parents:
            with suppress(OSError):
                (self.folder / WORK / folder).rmdir()

    def _of_clip(self, number: int, count: int, stage: str, done: int, total: int) -> None:
        self.on_progress(stage if count == 1 else f"{stage}, clip {number + 1} of {count}", done, total)

    def _save(self, path: Path, network: Backbone, data: str, done: Adaptation) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        used = "on" if done.perceptual else "off"
        notes = {"trained_on": data, "steps": str(done.steps), "perceptual": used, "recipe": as_toml(self.recipe)}
        save_weights(path, network, self.recipe.network.backbone, notes)

    def _restore(self, network: Backbone, clip: TrainingClip, target: Path) -> None:
        restorer = Restorer(
            network, clip.frames, clip.selection, self.predictor, self.recipe.align, self.recipe.restore
        )
        write_restored(restorer, len(clip.frames), target, self.on_progress)
