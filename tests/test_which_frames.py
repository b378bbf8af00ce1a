"""A person says which frames are restored and which are sharp; what is left comes back to the bit."""

import pytest

from clips_for_tests import MIXED, film, quick, seen, unmoved, views
from selfhvd.cli.frame_numbers import frame_numbers
from selfhvd.errors import UsageError
from selfhvd.run.job import deblur

pytestmark = pytest.mark.unchecked


@pytest.fixture
def run(run, quickly):
    """The base weights as they come."""
    quickly(steps=0)
    return run


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    return film(tmp_path_factory.mktemp("mixed") / "clip.mp4", views())


def untouched(clip, result, tmp_path) -> list[int]:
    came, left = seen(clip, tmp_path / "came"), seen(result, tmp_path / "left")
    return [i for i in range(len(came)) if (came.frame(i) == left.frame(i)).all()]


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ((), ()),
        pytest.param(("--restore", "auto"), (), marks=pytest.mark.slow),
        pytest.param(("--restore", "blurry"), MIXED, marks=pytest.mark.slow),
        (("--keep-sharp",), MIXED),
        (("--keep-sharp", "--sharp-frames", "0,3-4"), (0, 3, 4)),
    ],
)
def test_which_frames_come_back_as_they_came(run, mixed, tmp_path, words, left):
    done = run(mixed, "-o", tmp_path / "out", *words, "-q", "--no-report")
    assert done.code == 0 and untouched(mixed, tmp_path / "out", tmp_path) == list(left)


@pytest.mark.slow
def test_a_clip_without_blur_is_restored_all_the_same_where_that_is_asked(run, tmp_path):
    clip = film(tmp_path / "sharp.mp4", views(6, 96, 64, unmoved))
    assert run(clip, "-o", tmp_path / "copied.mp4", "-q").code == 0
    assert (tmp_path / "copied.mp4").read_bytes() == clip.read_bytes()
    assert run(clip, "-o", tmp_path / "out", "--restore", "all", "-q", "--no-report").code == 0
    assert untouched(clip, tmp_path / "out", tmp_path) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--keep-sharp", "--restore", "all"), "--keep-sharp means --restore blurry"),
        (("--sharp-frames", "3,x"), "neither numbers"),
        (("--sharp-frames", "9-4"), "9-4 is no range"),
        (("--sharp-frames", "3,99"), "There is no frame 99"),
        (("--seed", "-1"), "--seed -1 must be"),
        (("--seed", "99999999999999999999999"), "must be at least 0"),
        (("--max-minutes", "nan"), "--max-minutes nan"),
    ],
)
def test_what_makes_no_sense_is_refused(run, mixed, tmp_path, words, said):
    refused = run(mixed, "-o", tmp_path / "out.mp4", *words, "-q")
    assert refused.code == 2 and said in refused.err and not (tmp_path / "out.mp4").exists()


def test_frame_numbers(tmp_path):
    assert frame_numbers("17, 3,40-42") == (3, 17, 40, 41, 42)
    listed = tmp_path / "numbers"
    listed.write_text("3\n5-6\n")
    assert frame_numbers(str(listed)) == (3, 5, 6)
    listed.write_text("three")
    with pytest.raises(UsageError, match="something else than numbers"):
        frame_numbers(str(listed))


def test_inspect_says_how_blurred_each_frame_is_and_why_it_was_chosen(run, mixed):
    shown = run("inspect", mixed, "-q")
    assert shown.code == 0 and "not blurred" in shown.out and "restores it" in shown.out


@pytest.mark.slow
def test_the_api_takes_the_same_wishes(mixed, tmp_path):
    facts = deblur(mixed, tmp_path / "out", config=quick(steps=0), restore="blurry", sharp_frames=[0, 5], report=False)
    assert facts.left == 2 and facts.selection.sharp == (0, 5)
    assert untouched(mixed, tmp_path / "out", tmp_path) == [0, 5]
