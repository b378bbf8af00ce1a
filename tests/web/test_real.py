"""The whole way with the command itself: sent by the client, restored, copied for the page, fetched."""

import av
import numpy as np
import pytest

from clips_for_tests import film, sound_packets, views
from selfhvd.errors import InputError, OutputError, UsageError
from selfhvd.report.record import read_run
from selfhvd.web.client import Client
from selfhvd.web.copy import Layout, make_copy
from selfhvd.web.folder import JobFolder, read_json
from selfhvd.web.record import Settings

pytestmark = [pytest.mark.unchecked, pytest.mark.subprocess]


def shown(path):
    """The frames of the page's copy, and the times at which it shows them."""
    with av.open(str(path)) as source:
        frames = list(source.decode(source.streams.video[0]))
        return [frame.to_ndarray(format="rgb24") for frame in frames], [frame.time for frame in frames]


@pytest.mark.slow
def test_client_sends_waits_and_fetches(sites, tmp_path):
    site = sites(real=True)
    given = film(tmp_path / "given.mp4", views(10, 96, 64), sound=True)
    looked = site.until(site.send(given, start=False), "ready")
    assert len(looked["curve"]["blur"]) == 10 and looked["forecasts"]["best"]["seconds"] > 0
    assert looked["forecasts"]["fast"]["seconds"] < looked["forecasts"]["best"]["seconds"]
    page, told = Client(site.address), []
    job = page.submit(given, end=0.2, quality=80)
    done = page.wait(job, on_progress=told.append)
    page.fetch(job, tmp_path / "kept.mp4")
    output = site.folder / "jobs" / job / "output"
    assert (tmp_path / "kept.mp4").read_bytes() == (output / "given_deblurred.mp4").read_bytes()
    record = read_run(output / "given_deblurred.run.json")
    assert (record["frames"], record["part"], record["written_quality"]) == (6, "0-0.2", 80)
    assert done["result"]["sharpness_after"] == record["sharpness_after"] and done["result"]["left"] == record["left"]
    assert told and all(line["stage"] for line in told), "which stages are seen is a matter of moments"
    frames, times = shown(site.folder / "jobs" / job / "play.mp4")
    copy = done["result"]["copy"]
    assert times == pytest.approx(copy["times"], abs=1e-3) and copy["sound"] is True
    before, after = frames[1][:64], frames[1][copy["offset"][1] :][:64]
    truth = list(views(10, 96, 64, lambda index: True))[1].astype(float)
    errors = [np.abs(half.astype(float) - truth).mean() for half in (before, after)]
    assert errors[1] < errors[0], "the second picture is the restored one"
    page.remove(job)
    with pytest.raises(UsageError):
        page.state(job)


def test_client_says_what_is_wrong(site, clip, tmp_path):
    page = Client(site.address)
    with pytest.raises(InputError, match="does not exist"):
        page.submit(tmp_path / "none.mp4")
    with pytest.raises(UsageError, match="strength"):
        page.submit(clip, strength=2)
    with pytest.raises(InputError, match="poison"):
        poison = tmp_path / "poison.mp4"
        poison.write_bytes(clip.read_bytes())
        page.wait(page.submit(poison))
    with pytest.raises(OutputError, match="start selfhvd serve"):
        Client("http://127.0.0.1:9").state("x")


@pytest.mark.parametrize(("size", "across", "offset"), [((100, 60), False, (0, 64)), ((60, 100), True, (64, 0))])
def test_two_pictures_in_one(size, across, offset, rng):
    wide, high = size
    layout = Layout(wide, high, across=across)
    before, after = (rng.integers(0, 256, (high, wide, 3), dtype=np.uint8) for _ in range(2))
    joined = layout.joined(before, (after.astype(np.uint16) * 257))
    x, y = offset
    assert layout.offset == offset and not joined.shape[0] % 16 and not joined.shape[1] % 16
    assert (joined[:high, :wide] == before).all() and (joined[y : y + high, x : x + wide] == after).all()


def test_copy_of_a_clip_with_uneven_times_and_late_sound(tmp_path):
    from clips_for_tests import VFR
    from selfhvd.run.places import FOOTAGE, work_path
    from selfhvd.video import ingest

    given = film(tmp_path / "a.mp4", views(12, 64, 96), times=VFR, sound=True)
    folder = JobFolder(tmp_path)
    ingest(given, work_path(given) / FOOTAGE)
    make_copy(given, folder)
    frames, times = shown(folder.copy)
    facts = read_json(folder.copy_facts)
    assert times == pytest.approx([tick / 90000 for tick in VFR], abs=1e-3) == facts["times"]
    assert facts["across"] and frames[0].shape == (96, 128, 3)
    assert [body for _, body in sound_packets(folder.copy)] == [body for _, body in sound_packets(given)]


def test_settings_become_words_of_the_command():
    assert Settings().words() == []
    settings = Settings(preset="best", strength=0.5, start=1.25, end=3, codec="hevc", strip_location=True)
    assert settings.words() == [
        "--strip-location", "--preset=best", "--strength=0.5", "--codec=hevc", "--start=1.25", "--end=3.0",
    ]  # fmt: skip
    for wrong in ({"strength": 1.1}, {"end": 0.0}, {"start": 2, "end": 1}, {"start": float("nan")}, {"x": 1}):
        with pytest.raises(ValueError, match="1 validation error"):
            Settings.model_validate(wrong)
