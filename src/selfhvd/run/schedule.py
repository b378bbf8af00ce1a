"""Schedule: which task when, so that all that a frame needs is there before it, and little lies about at a time."""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass, field
from pathlib import Path

from selfhvd.errors import DeviceError
from selfhvd.restore.restorer import Restorer
from selfhvd.run.tasks import Task

_CHUNK = 4
"""Frames that are finished together: each chunk aligns its border frames once more."""
_WAITING = 2
"""Tasks beyond those at work that are handed out, so that nobody waits."""
_LOSSES = 6
"""Tasks lost in a row, for each worker, after which the run gives up."""
_LOST = "Processes that restore frames are killed again and again; free some memory, or say --workers 1."

Submit = Callable[[Task], "Future[None]"]


def finished_frames(
    restorer: Restorer, scene: int, first: int, workers: int, submit: Submit, shelf: Path
) -> Iterator[int]:
    """The numbers of a scene's frames in order, from `first` on, each when it is on disk.

    Args:
        restorer: of the scene; it tells what each frame needs, and restores nothing.
        scene: its number.
        first: the first frame that is not there yet, counted within the scene.
        workers: how many work at a time.
        submit: hands a task to one of them.
        shelf: what tasks leave to one another; what nobody needs any more is removed.

    Raises:
        DeviceError: processes are killed again and again.
        OutputError: there is no room for what a task leaves.
    """
    course = _Course(restorer, scene, first, workers)
    at_work: dict[Future[None], Task] = {}
    lost = 0
    while course.emitted < len(restorer.frames):
        for task in course.ready(workers + _WAITING - len(at_work)):
            at_work[submit(task)] = task
        # Nobody is waited for while there is a frame to hand on: what is done with it takes time, too.
        done, _ = wait(at_work, timeout=0 if course.at_hand() else None, return_when=FIRST_COMPLETED)
        for future in done:
            task = at_work.pop(future)
            try:
                future.result()
            except BrokenExecutor as error:
                course.again(task)
                lost += 1
                if lost > _LOSSES * workers:
                    raise DeviceError(_LOST) from error
            else:
                course.finish(task)
                lost = 0
        if course.at_hand():
            yield course.emitted
            if course.emit():
                course.tidy(shelf)


@dataclass
class _Course:
    """How far a scene has come."""

    restorer: Restorer
    scene: int
    emitted: int
    """Frames handed on."""
    workers: int
    asked: set[Task] = field(default_factory=set[Task])
    guides: set[int] = field(default_factory=set[int])
    alone: set[int] = field(default_factory=set[int])
    chunks: dict[int, Task] = field(default_factory=dict[int, Task])
    """Finished, by their first frame."""

    def __post_init__(self) -> None:
        self._begun = self.emitted  # of the chunk that is handed on

    def ready(self, count: int) -> list[Task]:
        """Up to `count` tasks of which all that they need is there, those of the earliest frames first."""
        found: list[Task] = []
        if count < 1:
            return found
        frames, ahead = len(self.restorer.frames), _CHUNK * (self.workers // 2 + 2)
        for start in range(self._begun, min(frames, self._begun + ahead), _CHUNK):
            end = min(frames, start + _CHUNK)
            reach = self.restorer.steadied_over
            wanted = [i for i in range(max(0, start - reach), min(frames, end + reach)) if self.restorer.is_worked(i)]
            for task in (*self._for(wanted), *self._last(start, end, wanted)):
                if task not in self.asked:
                    self.asked.add(task)
                    found.append(task)
                    if len(found) == count:
                        return found
        return found

    def _for(self, wanted: list[int]) -> Iterator[Task]:
        for index in wanted:
            needed, relays = self.restorer.guides_of(index), self.restorer.relays_to(index)
            yield from self._for([number for number in relays if number not in self.alone])
            yield from (Task("guide", self.scene, guide, guide + 1) for guide in needed)
            if self.guides.issuperset(needed) and self.alone.issuperset(relays):
                yield Task("alone", self.scene, index, index + 1)

    def _last(self, start: int, end: int, wanted: list[int]) -> Iterator[Task]:
        if self.alone.issuperset(wanted):
            yield Task("finish", self.scene, start, end)

    def again(self, task: Task) -> None:
        """A task was lost with its process."""
        self.asked.discard(task)

    def finish(self, task: Task) -> None:
        """A task is done."""
        if task.kind == "guide":
            self.guides.add(task.first)
        elif task.kind == "alone":
            self.alone.add(task.first)
        else:
            self.chunks[task.first] = task

    def at_hand(self) -> bool:
        """Whether the next frame is finished."""
        return self._begun in self.chunks

    def emit(self) -> bool:
        """The next frame was handed on; whether it was the last of its chunk."""
        self.emitted += 1
        if self.emitted < self.chunks[self._begun].end:
            return False
        self._begun = self.chunks.pop(self._begun).end
        return True

    def tidy(self, shelf: Path) -> None:
        """Remove what no frame to come needs."""
        frames, reach = len(self.restorer.frames), self.restorer.steadied_over
        begin = self.emitted - reach
        ahead = range(max(0, begin), min(frames, self.emitted + 2 * self.restorer.selection.reach))
        needed = {
            guide for index in ahead if self.restorer.is_worked(index) for guide in self.restorer.guides_of(index)
        }
        for path in shelf.iterdir():
            kind, *numbers = path.name.split("-")
            if not all(number.isdigit() for number in numbers):
                continue  # it is being written
            places = [int(number) for number in numbers]
            over = {
                "alone": places[0] < begin,
                "guide": places[0] not in needed,
                "pair": all(place in self.guides or not self.restorer.is_worked(place) for place in places),
                "hop": max(places) < begin - 2 * self.restorer.selection.reach,
            }
            if over[kind]:
                path.unlink(missing_ok=True)
