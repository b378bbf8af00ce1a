"""`selfhvd evaluate`: how good a result is, in numbers that say how they were made."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.console import Console

from selfhvd.errors import PartialError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from selfhvd.datasets import Part
    from selfhvd.research.evaluation import EvaluationConfig, Outputs
    from selfhvd.system.progress import Progress

Flow = Literal["dis", "sea-raft-s", "sea-raft-m", "raft", "flowformer++"]


def evaluate(
    result: Path | None = None,
    *,
    truth: Path | None = None,
    source: Annotated[Path | None, Parameter(name="--input")] = None,
    dataset: Path | None = None,
    layout: str | None = None,
    part: Literal["train", "valid", "test"] | None = None,
    weights: Path | None = None,
    baseline: Literal["input", "composite"] | None = None,
    hand_through: Annotated[bool, Parameter(negative="")] = False,
    align_flow: Flow | None = None,
    align_flow_weights: Path | None = None,
    save_frames: Path | None = None,
    out: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    sharp_labels: Path | None = None,
    segment: int = 20,
    iqa: Annotated[bool, Parameter(negative="")] = False,
    flow: Flow = "dis",
    flow_weights: Path | None = None,
    device: str = "auto",
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="")] = False,
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")] = False,
) -> None:
    """Measure a result against the truth, against its input, or on its own; or a network over a dataset.

    The clips are videos or folders of images, alike in size and number of frames. Every form of the result carries each
    metric's definition, version, colour space, borders and averaging.

    With --dataset every clip of it is restored by the network with its weights as they are (nothing is learnt), and
    measured against its truth where it has one, else its input. Broken clips are named, the rest goes on, and the exit
    code is 7.

    Args:
        result: the clip to measure; with --dataset, results made already: a folder with one called as each clip.
        truth: what it should be, frame by frame; PSNR, SSIM and LPIPS (extra `lpips`) need it.
        source: the input it was made from; its blurry and sharp frames are then told apart.
        dataset: measure over the clips of this folder; see `selfhvd datasets`.
        layout: of the dataset; see `selfhvd datasets`.
        part: only the clips of this part.
        weights: of any network, instead of the base weights that come with selfhvd.
        baseline: instead of a network: the input itself, or the training-free composite.
        hand_through: give the sharpest frames as they are, as `selfhvd deblur --keep-sharp` does.
        align_flow: the flow that aligns sharp frames for the network or the composite; default: dis.
        align_flow_weights: weights of that flow network, instead of what was fetched.
        save_frames: keep what the network made in this folder, as CLIP/00000000.png and so on.
        out: write the tables (CSV, JSON, Markdown) into this folder.
        as_json: print everything as JSON.
        sharp_labels: a file with 0 or 1 for each frame of the input (1 = sharp), one a line or a JSON list.
        segment: frames a segment of the paper's selection, which `sharp_accuracy` compares with the labels.
        iqa: MUSIQ and MANIQA too (extra `iqa`: its licence forbids commercial use).
        flow: the optical flow behind drift and flicker; numbers by different flows do not compare.
        flow_weights: weights of the flow network, instead of what was fetched.
        device: auto, cpu, cuda, cuda:N or mps.
        overwrite: replace an earlier evaluation in --out, and frames in --save-frames.
        quiet: print nothing but the result.
        verbose: say more, and show tracebacks.
    """
    from selfhvd.research.evaluation import EvaluationConfig

    of_a_clip: dict[str, object] = {"--truth": truth, "--input": source, "--sharp-labels": sharp_labels}
    of_aligning: dict[str, object] = {"--align-flow": align_flow, "--align-flow-weights": align_flow_weights}
    of_a_network: dict[str, object] = {"--weights": weights, "--hand-through": hand_through}
    of_making: dict[str, object] = {"--baseline": baseline, "--save-frames": save_frames, **of_a_network, **of_aligning}
    if segment < 1:
        raise UsageError(f"--segment {segment} must be at least 1.")
    config = EvaluationConfig(flow=flow, flow_weights=flow_weights, iqa=iqa, device=device, segment=segment)
    shown = _Shown(out, as_json=as_json, overwrite=overwrite, quiet=quiet)
    if dataset is None:
        _refuse({"--layout": layout, "--part": part, **of_making}, "goes together with --dataset only")
        if result is None:
            raise UsageError("Give a RESULT to measure, or --dataset FOLDER.")
        _one_clip(result, truth, source, sharp_labels, config, shown)
        return
    _refuse(of_a_clip, "is for a single RESULT: a dataset brings its own")
    if result is not None:
        _refuse(of_making, "is for outputs that are yet to be made; leave RESULT out")
    if baseline is not None:
        _refuse({**of_a_network, **(of_aligning if baseline == "input" else {})}, f"is not for --baseline {baseline}")
    outputs = _outputs(result, baseline, weights, hand_through, align_flow or "dis", align_flow_weights, device)
    _dataset(dataset, outputs, layout or "auto", part, config, save_frames, shown)


@dataclass(frozen=True)
class _Shown:
    """How the numbers are given."""

    out: Path | None
    as_json: bool
    overwrite: bool
    quiet: bool

    def prepare(self, files: Sequence[str]) -> None:
        """Refuse at once what could not be written after the long measuring."""
        from selfhvd.research.evaluation.folder import prepare_folder

        if self.out is not None:
            prepare_folder(self.out, files, overwrite=self.overwrite)

    def progress(self) -> AbstractContextManager["Progress"]:
        from selfhvd.cli.progress import shown_progress

        return shown_progress(self.quiet or self.as_json)

    def give(self, texts: dict[str, str], pictures: Sequence["Table"], notes: Sequence[str]) -> None:
        """Write the files; print JSON, or tables and notes."""
        from selfhvd.research.evaluation.folder import write_tables

        if self.out is not None:
            write_tables(self.out, texts)
        if self.as_json:
            _out(texts["evaluation.json"])
            return
        for picture in pictures:
            Console().print(picture)
        for line in notes:
            _out(line)
        if self.out is not None:
            _out(str(self.out))
        elif not self.quiet:
            sys.stderr.write("How each number is made stands in what --out FOLDER and --json give.\n")


def _one_clip(
    result: Path,
    truth: Path | None,
    source: Path | None,
    sharp_labels: Path | None,
    config: "EvaluationConfig",
    shown: _Shown,
) -> None:
    from selfhvd.research.evaluation import evaluate as run
    from selfhvd.research.evaluation.clip_tables import FILES, as_table, tables

    shown.prepare(FILES)
    with shown.progress() as progress:
        found = run(result, truth=truth, source=source, sharp_labels=sharp_labels, config=config, on_progress=progress)
    shown.give(tables(found), [as_table(found)], found.notes)


def _outputs(
    result: Path | None,
    baseline: str | None,
    weights: Path | None,
    hand_through: bool,
    flow: Flow,
    flow_weights: Path | None,
    device: str,
) -> "Outputs":
    """Where the outputs come from."""
    from selfhvd.research.evaluation import Composited, Given, Restored, Untouched

    if result is not None:
        return Given(result)
    if baseline == "input":
        return Untouched()
    if baseline == "composite":
        return Composited(flow, flow_weights, device)
    return Restored(weights, hand_through=hand_through, flow=flow, flow_weights=flow_weights, device=device)


def _dataset(
    folder: Path,
    outputs: "Outputs",
    layout: str,
    part: "Part | None",
    config: "EvaluationConfig",
    save_frames: Path | None,
    shown: _Shown,
) -> None:
    from selfhvd.research.evaluation import evaluate_dataset
    from selfhvd.research.evaluation.dataset_tables import FILES, clip_table, mean_table, tables

    shown.prepare(FILES)
    with shown.progress() as progress:
        found = evaluate_dataset(
            folder,
            outputs,
            layout=layout,
            part=part,
            config=config,
            save_frames=save_frames,
            overwrite=shown.overwrite,
            on_fault=lambda fault: _tell(str(fault)),
            on_progress=progress,
        )
    shown.give(tables(found), [clip_table(found), mean_table(found)], found.notes)
    if found.faults:
        count = len(found.faults)
        raise PartialError(f"{count} of {count + len(found.clips)} clips in {folder} could not be measured.")


def _refuse(options: dict[str, object], why: str) -> None:
    """`UsageError` if one of these options was given."""
    given = next((name for name, value in options.items() if value not in (None, False)), None)
    if given is not None:
        raise UsageError(f"{given} {why}.")


def _tell(sentence: str) -> None:
    sys.stderr.write(f"selfhvd: {sentence}\n")


def _out(text: str) -> None:
    sys.stdout.write(text + "\n")
