"""Frames are written one behind: each is reported when it lies there; a write that fails is told, also the last one."""

import time

import numpy as np
import pytest

from selfhvd.errors import OutputError
from selfhvd.video.footage import FRAMES, frame_path
from selfhvd.video.frame_file import read_frame, write_frame
from selfhvd.video.limits import Limits
from selfhvd.video.read import keep
from selfhvd.video.read.keep import Keeper

PICTURES = [np.full((4, 6, 3), 10 * n, np.uint8) for n in range(3)]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / FRAMES).mkdir()
    return tmp_path


def test_each_is_reported_when_it_lies_there(folder, monkeypatch):
    def slowly(path, image):
        time.sleep(0.05)
        write_frame(path, image)

    def report(frame, total):
        told.append((frame, total, [frame_path(folder, n).exists() for n in range(frame)]))

    told = []
    monkeypatch.setattr(keep, "write_frame", slowly)
    with Keeper(folder, Limits(), report) as keeper:
        keeper.total = 4
        for picture in PICTURES:
            keeper.keep(picture)
        keeper.repeat()
    assert told == [(n, 4, [True] * n) for n in (1, 2, 3, 4)]
    kept = [read_frame(frame_path(folder, n)) for n in range(4)]
    assert all(np.array_equal(a, b) for a, b in zip(kept, [*PICTURES, PICTURES[-1]], strict=True))


@pytest.mark.parametrize("failing", [0, 2])
def test_a_write_that_fails_is_told(folder, monkeypatch, failing):
    def full(path, image):
        if path == frame_path(folder, failing):
            raise OutputError("there is no room")
        write_frame(path, image)

    told = []
    monkeypatch.setattr(keep, "write_frame", full)
    with (
        pytest.raises(OutputError, match="no room"),
        Keeper(folder, Limits(), lambda **said: told.append(said)) as keeper,
    ):
        for picture in PICTURES:
            keeper.keep(picture)
    assert len(told) == failing, "what failed is not reported as done"
