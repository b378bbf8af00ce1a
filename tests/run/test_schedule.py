"""The schedule of a scene: what a task needs is there before it, frames come in order, nothing that is needed goes."""

from concurrent.futures import BrokenExecutor, Future
from pathlib import Path
from types import SimpleNamespace

import pytest

from selfhvd.errors import DeviceError
from selfhvd.run.schedule import finished_frames
from selfhvd.run.tasks import Task

pytestmark = pytest.mark.unchecked

FRAMES, SHARP = 23, (0, 4, 9, 13, 20)


class Scene:
    """What the schedule asks of a restorer: the two sharp frames before and after guide each; frames 15 to 17 stay.

    Frames two and more from any sharp one are also guided by the neighbour that is nearer to one.
    """

    steadied_over = 1
    frames = range(FRAMES)
    selection = SimpleNamespace(reach=6)

    def is_worked(self, index):
        return not 15 <= index <= 17

    def guides_of(self, index):
        before = [j for j in SHARP if j < index][-2:]
        return tuple([j for j in (index,) if j in SHARP] + before + [j for j in SHARP if j > index][:2])

    def relays_to(self, index):
        def order(number):
            return min(abs(number - j) for j in SHARP), number

        beside = [j for j in (index - 1, index + 1) if j < FRAMES and self.is_worked(j) and order(j) < order(index)]
        return tuple(beside) if order(index)[0] > 1 else ()


class Site:
    """Tasks are done at once, or when `wait` says so; each checks that what it needs is on the shelf."""

    def __init__(self, shelf: Path, lose: int = 0) -> None:
        self.shelf, self.lose, self.done, self.most = shelf, lose, list[Task](), 0
        self.scene = Scene()

    def needs(self, task: Task) -> list[str]:
        if task.kind == "guide":
            return []
        if task.kind == "alone":
            relays = [f"alone-{j:08d}" for j in self.scene.relays_to(task.first)]
            return [f"guide-{j:08d}" for j in self.scene.guides_of(task.first)] + relays
        around = range(max(0, task.first - 1), min(FRAMES, task.end + 1))
        return [f"alone-{i:08d}" for i in around if self.scene.is_worked(i)]

    def submit(self, task: Task) -> "Future[None]":
        result: Future[None] = Future()
        if self.lose:
            self.lose -= 1
            result.set_exception(BrokenExecutor())
            return result
        assert all((self.shelf / name).exists() for name in self.needs(task)), task
        if task.kind != "finish":
            (self.shelf / f"{task.kind}-{task.first:08d}").touch()
        self.done.append(task)
        self.most = max(self.most, len(list(self.shelf.iterdir())))
        result.set_result(None)
        return result


@pytest.mark.parametrize("first", [0, 7, 22])
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_frames_come_in_order_and_all_that_they_need_is_there(tmp_path, first, workers):
    site = Site(tmp_path)
    assert list(finished_frames(site.scene, 0, first, workers, site.submit, tmp_path)) == list(range(first, FRAMES))
    assert len(set(site.done)) == len(site.done)
    assert all(site.scene.is_worked(task.first) for task in site.done if task.kind == "alone")


def test_what_nobody_needs_is_removed(tmp_path):
    """Of 60 files that are made for 23 frames few lie about at a time, and hardly any in the end."""
    site = Site(tmp_path)
    (tmp_path / "pair-00000000-00000004").touch()
    (tmp_path / "pair-00000000-00000004.part").touch()
    for index in finished_frames(site.scene, 0, 0, 2, site.submit, tmp_path):
        if index == 12:
            assert not (tmp_path / "pair-00000000-00000004").exists()
    assert site.most < 22 and len(list(tmp_path.iterdir())) < 10
    assert (tmp_path / "pair-00000000-00000004.part").exists()  # somebody writes it


def test_tasks_that_are_lost_are_done_again(tmp_path):
    site = Site(tmp_path, lose=9)
    assert list(finished_frames(site.scene, 0, 0, 2, site.submit, tmp_path)) == list(range(FRAMES))


def test_those_that_are_lost_for_ever_end_the_run(tmp_path):
    site = Site(tmp_path, lose=10**6)
    with pytest.raises(DeviceError, match="killed again and again"):
        list(finished_frames(site.scene, 0, 0, 2, site.submit, tmp_path))


def test_what_a_task_raises_ends_the_run(tmp_path):
    def submit(task):
        result: Future[None] = Future()
        result.set_exception(DeviceError("no memory"))
        return result

    with pytest.raises(DeviceError, match="no memory"):
        list(finished_frames(Scene(), 0, 0, 2, submit, tmp_path))
