"""Clips restored one after the other, or foretold: what the command line says, prints and lists at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from selfhvd.cli.progress import Style, shown_progress
from selfhvd.cli.signals import stopping
from selfhvd.cli.words import in_words, out, say
from selfhvd.errors import OutputError, PartialError
from selfhvd.forecast.forecast import Forecast, forecast
from selfhvd.forecast.pace import measure_pace
from selfhvd.forecast.words import as_text, in_all
from selfhvd.run.batch import Clip, Failure, make_folder, run_batch
from selfhvd.run.config import DeblurConfig
from selfhvd.run.deblurrer import Deblurrer
from selfhvd.run.disk_space import refuse_without_room
from selfhvd.run.job import deblur
from selfhvd.run.options import RunOptions
from selfhvd.run.up_to_date import is_finished
from selfhvd.run.work_folder import WorkFolder
from selfhvd.system.disk import in_bytes
from selfhvd.video import check_destination, check_source
from selfhvd.video.destination import check_length, reports_of
from selfhvd.video.part import part_of
from selfhvd.video.probe import check_part
from selfhvd.video.read.images import rate_of


@dataclass(frozen=True)
class ClipRuns:
    """How each clip is restored."""

    config: DeblurConfig
    options: RunOptions
    skip: bool
    """Pass over clips whose result is there."""
    style: Style
    quiet: bool

    def say(self, text: str, level: str = "info") -> None:
        """Say something beside the result."""
        say(text, self.quiet, self.style, level)

    def one(self, clip: Clip, facts: dict[str, object] | None = None) -> None:
        """Restore a clip, say how it went, print where the result is; `facts` go into each line of progress."""
        if self.is_finished(clip):
            self.say(f"{clip.destination} is there already.")
            out(str(clip.destination))
            return
        with stopping() as stop, shown_progress(self.quiet, style=self.style, facts=facts) as progress:
            found = deblur(
                clip.source,
                clip.destination,
                config=self.config,
                **vars(self.options),
                on_progress=progress,
                stop=stop,
            )
        for warning in found.warnings:
            self.say(warning, level="warning")
        if found.left == found.frames:
            kept = "the part is only cut out" if found.part else "the clip stays as it is"
            self.say(f"There is nothing to do: no frame is blurred by more than about a pixel, {kept}.")
        else:
            self.say(in_words(found.selection.verdict, found.selection.ratio))
        self.tell_kept(clip)
        out(found.output)

    def tell_kept(self, clip: Clip) -> None:
        """Say what is left on the disk, if it is."""
        if self.options.keep_work:
            work = WorkFolder(clip.destination)
            self.say(f"{in_bytes(work.held())} are kept in {work.path} until a run without --keep-work.")

    def is_finished(self, clip: Clip) -> bool:
        """Whether this clip is to be passed over."""
        if not self.skip:
            return False
        check_source(clip.source)
        try:
            rate = rate_of(clip.source, self.options.fps)
            return is_finished(
                clip.source,
                clip.destination,
                self.config,
                self.options.strength,
                rate,
                self.options.coding,
                self.options.part,
                self.options.preview,
            )
        except OutputError:
            if self.options.overwrite:
                return False
            raise

    def all(self, clips: Sequence[Clip], output: Path | None, fail_fast: bool) -> None:
        """Clip after clip; those that failed are listed at the end."""
        Deblurrer(self.config)  # what no clip could do without is missed before the first
        if output is not None:
            make_folder(output)
        number = 0

        def announce(n: int, clip: Clip) -> None:
            nonlocal number
            number = n
            self.say(f"[{n}/{len(clips)}] {clip.source}")

        outcome = run_batch(
            clips,
            lambda clip: self.one(clip, {"clip": str(clip.source), "number": number, "clips": len(clips)}),
            fail_fast=fail_fast,
            on_clip=announce,
            on_failure=lambda failure: self.say(f"{failure.source} failed: {failure.sentence}", level="error"),
        )
        _tell_failures(outcome.failures, len(clips), self, "deblurred")

    def foretell(self, clips: Sequence[Clip], fail_fast: bool) -> None:
        """Print the plan of each clip and what it will take; nothing is written."""
        pace = measure_pace(self.config)
        seen: list[Forecast] = []

        def look(clip: Clip) -> None:
            if self.is_finished(clip):
                out(f"{clip.source}: {clip.destination} is there already.\n")
                return
            if clip.destination.absolute().parent.exists() or len(clips) == 1:
                check_destination(clip.source, clip.destination, overwrite=self.options.overwrite or self.skip)
            if self.options.report:
                check_length(*reports_of(clip.destination))
            rate = rate_of(clip.source, self.options.fps)
            check_part(clip.source, self.options.part, rate)
            found = forecast(
                clip.source,
                clip.destination,
                self.config,
                pace,
                strength=self.options.strength,
                coding=self.options.coding,
                keep_work=self.options.keep_work,
                strip_location=self.options.strip_location,
                part=part_of(None, self.options.preview) or self.options.part,
                extent=self.options.extent,
                rate=rate,
                workers=self.options.workers,
            )
            out(as_text(found) + "\n")
            kept = sum(other.stays for other in seen)
            seen.append(found)
            held = WorkFolder(clip.destination).held()  # by a run that was cut off
            refuse_without_room(kept + found.room.total - held, clip.destination)

        if len(clips) == 1:
            look(clips[0])
        else:
            outcome = run_batch(
                clips,
                look,
                fail_fast=fail_fast,
                on_failure=lambda failure: self.say(f"{failure.source}: {failure.sentence}", level="error"),
            )
            out(in_all(seen))
            _tell_failures(outcome.failures, len(clips), self, "deblurred so")


def _tell_failures(failures: Sequence[Failure], count: int, run: ClipRuns, what: str) -> None:
    """The list at the end, and exit code 7; one that would have been this sentence anyway is not repeated."""
    if not failures:
        return
    for failure in failures:
        say(f"failed: {failure.source}: {failure.sentence}", style=run.style, level="error")
    raise PartialError(f"{len(failures)} of {count} clips could not be {what}.")
