"""Run by tests: train in children that die in the middle of things. Words: recipe, folder, and moments as STAGE:N.

A moment is when N is told of a stage, or, for the stage `save`, the N-th time that a state is about to be renamed into
place, or, for `finish`, before the weights are written.
"""

import os
import signal
import sys
from pathlib import Path

import torch

import selfhvd.training.job as job
from selfhvd.training.recipe import read_recipe


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def train_until(recipe: Path, run: Path, stage: str, count: int) -> None:
    saves = []

    def replace(aside, target):
        if Path(aside).name == ".state.ckpt.part":
            saves.append(aside)
        if len(saves) == count:
            aside.write_bytes(aside.read_bytes()[:500])
            die()
        os.rename(aside, target)

    if stage == "save":
        os.replace = replace
    if stage == "finish":
        job.save_weights = lambda *words: die()
    job.train(
        read_recipe(recipe),
        run,
        on_progress=lambda name, done, total: die() if (name, done) == (stage, count) else None,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for moment in sys.argv[3:]:
        stage, count = moment.split(":")
        if (child := os.fork()) == 0:
            train_until(Path(sys.argv[1]), Path(sys.argv[2]) / moment, stage, int(count))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, moment
