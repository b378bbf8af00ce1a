"""Each layout, tiny, as it lies on disk: names, pairs, order, gaps; and one sentence for each that is wrong."""

import shutil

import cv2
import numpy as np
import pytest
import torch
from trees import TREES, draw, image, lists, tree

import clips_for_tests
from selfhvd.datasets import LAYOUTS, SharpLabel, open_dataset
from selfhvd.errors import InputError, UsageError
from selfhvd.synthesis import ClipLabel
from selfhvd.video import ingest
from selfhvd.video.frame_source import Frames


@pytest.mark.parametrize("layout", TREES)
def test_layout_is_recognised(tmp_path, layout):
    """In natural order, gaps and all; every truth is that of its frame, since its colour says so."""
    clips = tree(tmp_path, layout)
    dataset = open_dataset(tmp_path)
    assert dataset.layout == layout and [clip.name for clip in dataset.clips] == clips
    for clip in dataset.clips:
        assert isinstance(clip.frames, Frames) and clip.has_truth == bool(LAYOUTS[layout].truth)
        assert [value(clip.frames, i) for i in range(len(clip.frames))] == [2, 9, 10]
        if clip.has_truth:
            assert [value(clip.truth, i) for i in range(len(clip.truth))] == [102, 109, 110]
            assert [path.stem.replace("gt", "blur") for path in clip.truth_paths] == [p.stem for p in clip.frame_paths]


def value(frames, index):
    """The grey of a frame, which is its number (truth: 100 more)."""
    return round(float(frames.tensor(index)[0, 0, 0]) * 255)


def test_every_layout_of_frames_is_tried():
    assert set(TREES) | {"videos", "video-pairs", "gopro-gamma"} == set(LAYOUTS)


@pytest.mark.parametrize("layout", [name for name in TREES if name not in ("pairs", "frames")])
@pytest.mark.parametrize("part", ["train", "test"])
def test_part(tmp_path, layout, part):
    clips = tree(tmp_path, layout)
    found = [clip.name for clip in open_dataset(tmp_path, part=part).clips]
    assert found and found == [name for name in clips if part in name.split("/")]
    assert {clip.part for clip in open_dataset(tmp_path, part=part).clips} == {part}


@pytest.mark.parametrize(
    ("layout", "inner", "names", "part"),
    [
        ("gopro", "test", ["GOPR0_11_2", "GOPR0_11_10"], "test"),
        ("gopro", "test/GOPR0_11_10", ["GOPR0_11_10"], "test"),
        ("gopro-240", "train", ["GOPR0_11_2", "GOPR0_11_10"], "train"),
        ("gopro-repacked", "test", ["GOPR0_11_2", "GOPR0_11_10"], "test"),
        ("bsd", "BSD_3ms24ms", ["test/000", "test/003", "train/000", "train/003"], None),
        ("bsd", "BSD_3ms24ms/test", ["000", "003"], "test"),
        ("bsd", "BSD_3ms24ms/test/003", ["003"], "test"),
        ("frames", "walk10", ["walk10"], None),
    ],
)
def test_part_of_a_tree(tmp_path, layout, inner, names, part):
    tree(tmp_path, layout)
    dataset = open_dataset(tmp_path / inner)
    assert dataset.layout == layout and [clip.name for clip in dataset.clips] == names
    assert dataset.name == inner.split("/")[-1]
    assert part is None or {clip.part for clip in dataset.clips} == {part}


def test_part_asked_of_a_part(tmp_path):
    tree(tmp_path, "bsd")
    assert len(open_dataset(tmp_path / "BSD_3ms24ms" / "test", part="test").clips) == 2
    assert_fails(tmp_path / "BSD_3ms24ms" / "test", "has no part train", "train|valid|test", part="train")
    assert_fails(tmp_path, "has no part valid", "found BSD_1ms8ms, BSD_3ms24ms.", part="valid")


def test_gamma_is_a_choice(tmp_path):
    tree(tmp_path, "gopro")
    for clip in tmp_path.glob("*/*"):
        draw(clip / "blur_gamma", (2, 9, 10))
    assert open_dataset(tmp_path).layout == "gopro"
    clip = open_dataset(tmp_path, "gopro-gamma").clips[0]
    assert clip.frame_paths[0].parent.name == "blur_gamma" and clip.truth_paths[0].parent.name == "sharp"
    for clip in tmp_path.glob("*/*"):
        shutil.rmtree(clip / "blur")
    assert open_dataset(tmp_path).layout == "gopro-gamma"


def test_sixteen_bits(tmp_path):
    deep = np.zeros((4, 6, 3), np.uint16)
    deep[..., 2] = 65535 // 5
    (tmp_path / "walk").mkdir()
    cv2.imwrite(str(tmp_path / "walk" / "0.png"), deep)
    frame = open_dataset(tmp_path).clips[0].frames.tensor(0)
    assert frame.shape == (3, 4, 6) and frame.dtype == torch.float32
    assert frame[:, 0, 0].tolist() == pytest.approx([0.2, 0, 0], abs=1e-7), "channel 0 is red"


def test_nothing_is_read_before_it_is_asked_for(tmp_path):
    tree(tmp_path, "frames")
    (tmp_path / "walk2" / "10.png").write_bytes(b"no picture")
    frames = open_dataset(tmp_path).clips[0].frames
    assert value(frames, 1) == 9
    with pytest.raises(InputError, match=r"10\.png cannot be read as an image"):
        frames.tensor(2)


def test_hidden_things_and_litter_are_no_clips(tmp_path):
    clips = tree(tmp_path, "frames")
    for name in (".thumbnails", "__MACOSX"):
        draw(tmp_path / name, (1, 2))
    (tmp_path / "walk2" / "._2.png").write_bytes(b"")
    assert [clip.name for clip in open_dataset(tmp_path).clips] == clips


class TestVideos:
    """Paths are kept; the caller lays a video out."""

    def test_folder(self, tmp_path):
        for name in ("clip10.mp4", "clip2.MOV"):
            film(tmp_path / name)
        (tmp_path / "notes.txt").write_text("shaky")
        dataset = open_dataset(tmp_path)
        assert dataset.layout == "videos" and [clip.name for clip in dataset.clips] == ["clip2.MOV", "clip10.mp4"]
        clip = dataset.clips[0]
        assert clip.video == tmp_path / "clip2.MOV" and not clip.has_truth and clip.truth is None
        with pytest.raises(InputError, match=r"lay it out with selfhvd\.video\.ingest"):
            _ = clip.frames
        assert len(ingest(clip.video, tmp_path / "cache")) == 3

    def test_one_file(self, tmp_path):
        film(tmp_path / "a.mp4")
        clips = open_dataset(tmp_path / "a.mp4").clips
        assert [(clip.name, clip.video) for clip in clips] == [("a.mp4", tmp_path / "a.mp4")]

    def test_truth_may_be_of_another_kind(self, tmp_path):
        for folder, suffix in (("blur", "mp4"), ("sharp", "mov")):
            (tmp_path / "test" / folder).mkdir(parents=True)
            film(tmp_path / "test" / folder / f"a.{suffix}")
        dataset = open_dataset(tmp_path)
        (clip,) = dataset.clips
        assert dataset.layout == "video-pairs" and clip.name == "test/a" and clip.part == "test" and clip.has_truth
        assert clip.video == tmp_path / "test/blur/a.mp4" and clip.truth_video == tmp_path / "test/sharp/a.mov"
        film(tmp_path / "test" / "sharp" / "b.mp4")
        assert_fails(tmp_path, "Clip test/b is incomplete", f"a video called b in {tmp_path / 'test/blur'}")
        (tmp_path / "test" / "blur" / "a.mkv").write_bytes(b"another")
        assert_fails(tmp_path, "one name for two videos")

    def test_no_video(self, tmp_path):
        film(tmp_path / "a.mp4")
        (tmp_path / "b.mp4").write_bytes(b"")
        assert_fails(tmp_path, "b.mp4 is an empty file")


def film(path):
    clips_for_tests.film(path, clips_for_tests.views(3))


class TestWrongLayouts:
    """What was expected where, and what was found."""

    def test_missing_sharp_folder(self, tmp_path):
        tree(tmp_path, "gopro")
        clip = tmp_path / "test" / "GOPR0_11_2"
        shutil.rmtree(clip / "sharp")
        (clip / "blur_gamma").mkdir()
        expected = f"expected sharp frames in {clip / 'sharp'}"
        assert_fails(tmp_path, "Clip test/GOPR0_11_2 lacks", expected, f"found blur, blur_gamma in {clip}.")

    def test_missing_blurry_folder(self, tmp_path):
        tree(tmp_path, "gopro-repacked")
        shutil.rmtree(tmp_path / "test" / "blur" / "GOPR0_11_2")
        assert_fails(tmp_path, "Clip test/GOPR0_11_2 lacks", "expected blurry frames in", "found GOPR0_11_10 in")

    def test_missing_clip_of_the_truth(self, tmp_path):
        tree(tmp_path, "goproshake")
        shutil.rmtree(tmp_path / "test_gt" / "walk2")
        assert_fails(tmp_path, "Clip test/walk2 lacks", f"sharp frames in {tmp_path / 'test_gt' / 'walk2'}")

    def test_counts_differ(self, tmp_path):
        tree(tmp_path, "bsd")
        clip = tmp_path / "BSD_1ms8ms" / "test" / "003"
        (clip / "Sharp" / "RGB" / "9.png").unlink()
        said = ("Clip BSD_1ms8ms/test/003 is not paired", str(clip / "Blur" / "RGB"), "found 3 and 2 (9.png in one")
        assert_fails(tmp_path, *said)

    def test_names_differ(self, tmp_path):
        tree(tmp_path, "pairs")
        sharp = tmp_path / "sharp" / "walk2"
        (sharp / "9.png").rename(sharp / "11.png")
        assert_fails(tmp_path, "expected the same names in", "found 9.png in one and 11.png in the other")

    def test_empty_clip(self, tmp_path):
        tree(tmp_path, "frames")
        shutil.rmtree(tmp_path / "walk2")
        (tmp_path / "walk2").mkdir()
        assert_fails(tmp_path, "Clip walk2 is empty: expected frames as image files in", "found nothing")

    def test_sizes_differ(self, tmp_path):
        tree(tmp_path, "pairs")
        cv2.imwrite(str(tmp_path / "sharp" / "walk2" / "2.png"), image(102, width=8))
        assert_fails(tmp_path, "Clip walk2 has a truth of another size", "has 8x4", "6x4")

    def test_first_frame_is_no_image(self, tmp_path):
        tree(tmp_path, "frames")
        (tmp_path / "walk2" / "2.png").write_bytes(b"no picture")
        assert_fails(tmp_path, "2.png cannot be read as an image")

    def test_two_layouts(self, tmp_path):
        tree(tmp_path, "gopro")
        tree(tmp_path, "bsd")
        assert_fails(tmp_path, "holds several layouts", "found gopro and bsd", "choose the layout")
        assert open_dataset(tmp_path, "bsd").layout == "bsd"

    def test_a_clip_of_another_layout(self, tmp_path):
        tree(tmp_path, "gopro")
        draw(tmp_path / "test" / "walk", (1, 2))
        assert_fails(tmp_path, "Clip test/walk lacks", "found 1.png, 2.png in")

    def test_nothing_fits(self, tmp_path):
        (tmp_path / "papers").mkdir()
        assert_fails(tmp_path, "fits no layout", "found papers.")
        assert_fails(tmp_path, "expected train|valid|test/CLIP/blur and", "found papers.", layout="gopro")
        assert_fails(tmp_path / "none", "does not exist")
        (tmp_path / "notes.txt").write_text("shaky")
        assert_fails(tmp_path / "notes.txt", "is a file: expected a folder")

    def test_lmdb(self, tmp_path):
        (tmp_path / "rbvd_train.lmdb").mkdir()
        assert_fails(tmp_path, "holds an LMDB database (rbvd_train.lmdb), which is not read")
        assert_fails(tmp_path / "rbvd_train.lmdb", "LMDB database")
        (tmp_path / "rbvd_train.lmdb").rename(tmp_path / "rbvd_train")
        (tmp_path / "rbvd_train" / "data.mdb").write_bytes(b"")
        assert_fails(tmp_path, "LMDB database")

    def test_unknown_layout(self, tmp_path):
        with pytest.raises(UsageError, match="Layout dvd is not known; choose auto, gopro,"):
            open_dataset(tmp_path, "dvd")


class TestLists:
    """RealBlur is what its lists say."""

    def test_both_cameras(self, tmp_path):
        tree(tmp_path, "realblur-j")
        tree(tmp_path, "realblur-r")
        assert_fails(tmp_path, "found realblur-j and realblur-r")
        assert "RealBlur-R_BM3D" in str(open_dataset(tmp_path, "realblur-r").clips[0].frame_paths[0])

    def test_no_list(self, tmp_path):
        tree(tmp_path, "realblur-j")
        for path in lists(tmp_path):
            path.unlink()
        assert_fails(tmp_path, "has no part", "expected RealBlur_J_train|valid|test_list.txt")

    def test_files_that_are_not_there(self, tmp_path):
        tree(tmp_path, "realblur-j")
        next(tmp_path.glob("*/scene002/gt/gt_9.png")).unlink()
        assert_fails(tmp_path, "Clip test/scene002 lacks images of its list", "gt_9.png", "found gt_2.png, gt_10.png")

    @pytest.mark.parametrize("line", ["one_path.png", "../a/gt/1.png ../a/blur/1.png", "/a/gt/1.png b/blur/1.png"])
    def test_no_pair(self, tmp_path, line):
        tree(tmp_path, "realblur-j")
        path = lists(tmp_path)[0]
        path.write_text("\n" + line + "\n")
        assert_fails(tmp_path, f"{path} line 2 is no pair", line)

    def test_empty_list(self, tmp_path):
        tree(tmp_path, "realblur-j")
        path = lists(tmp_path)[0]
        path.write_text("\n")
        assert_fails(tmp_path, f"{path} is empty")


def test_faults_can_be_gathered(tmp_path):
    """A broken clip is told by name and the rest goes on."""
    tree(tmp_path, "gopro")
    shutil.rmtree(tmp_path / "test" / "GOPR0_11_2" / "sharp")
    (tmp_path / "train" / "GOPR0_11_10" / "blur" / "9.png").unlink()
    faults = []
    dataset = open_dataset(tmp_path, on_fault=faults.append)
    assert [clip.name for clip in dataset.clips] == ["test/GOPR0_11_10", "train/GOPR0_11_2"]
    assert [str(fault).split()[1] for fault in faults] == ["test/GOPR0_11_2", "train/GOPR0_11_10"]
    for clip in ("test/GOPR0_11_10", "train/GOPR0_11_2"):
        shutil.rmtree(tmp_path / clip / "sharp")
    with pytest.raises(InputError, match="no clip that can be used"):
        open_dataset(tmp_path, on_fault=faults.append)


def test_of_two_layouts_the_more_frequent_is_taken(tmp_path):
    """The others are told by name; alone, what is of several layouts is an error."""
    tree(tmp_path, "pairs")
    draw(tmp_path / "stray", (1, 2))
    draw(tmp_path / "single" / "blur", (1, 2))
    draw(tmp_path / "single" / "sharp", (1, 2))
    faults = []
    dataset = open_dataset(tmp_path, on_fault=faults.append)
    assert dataset.layout == "pairs" and [clip.name for clip in dataset.clips] == ["walk2", "walk10"]
    told = sorted(str(fault) for fault in faults)
    assert [sentence.split()[1] for sentence in told] == ["single", "stray"]
    assert (
        "expected pairs, found gopro in" in told[0] and "the layout gopro" in told[0] and "found frames in" in told[1]
    )
    faults.clear()
    assert len(open_dataset(tmp_path, "pairs", on_fault=faults.append).clips) == 2 and not faults


@pytest.mark.parametrize("layout", [name for name in TREES if not name.startswith("realblur")])
def test_other_views_of_a_clip_are_no_strays(tmp_path, layout):
    """GoPro's `blur_gamma`, a truth that other layouts take for clips, labels."""
    for name in tree(tmp_path, layout):
        if layout == "gopro":
            draw(tmp_path / name / "blur_gamma", (2, 9, 10))
            open_dataset(tmp_path / name)
    faults = []
    assert open_dataset(tmp_path, on_fault=faults.append).layout == layout and not faults


def test_a_stray_is_an_error_where_faults_are(tmp_path):
    tree(tmp_path, "pairs")
    draw(tmp_path / "stray", (1, 2))
    assert_fails(tmp_path, "Clip stray has another layout than the rest: expected pairs, found frames in")


class TestLabels:
    def label(self, path, counts=(1, 3, 1), keyframes=(0, 2)):
        path.parent.mkdir(parents=True, exist_ok=True)
        ClipLabel("plain", 4, 6, counts, (0,) * len(counts), ((),) * len(counts), keyframes).save(path)

    @pytest.mark.parametrize(("layer", "part"), [("", None), ("test", "test")])
    @pytest.mark.parametrize("inside", [False, True])
    def test_which_frames_are_sharp(self, tmp_path, layer, part, inside):
        tree(tmp_path / layer, "pairs")
        self.label(tmp_path / layer / "labels" / "walk10.json")
        first, second = open_dataset(tmp_path / layer if inside else tmp_path).clips
        assert first.part == part or inside
        assert first.label_path is None and first.label() is None
        assert second.label() == SharpLabel((True, False, True), (True, False, True))

    def test_of_another_clip(self, tmp_path):
        tree(tmp_path, "pairs")
        self.label(tmp_path / "labels" / "walk2.json", (1, 3))
        with pytest.raises(InputError, match=r"walk2.json is of 2 frames, but clip walk2 has 3"):
            open_dataset(tmp_path).clips[0].label()

    @pytest.mark.parametrize("text", ["{}", "no label", "[]"])
    def test_no_label(self, tmp_path, text):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(InputError, match=r"a.json is no label of a made clip"):
            SharpLabel.load(tmp_path / "a.json")

    def test_of_halves(self, tmp_path):
        self.label(tmp_path / "a.json")
        text = (tmp_path / "a.json").read_text()
        (tmp_path / "a.json").write_text(text.replace("[1, 3, 1]", "[1, 3.5, 1]"))
        with pytest.raises(InputError, match=r"a.json .*make the clip again"):
            SharpLabel.load(tmp_path / "a.json")


def assert_fails(path, *words, **options):
    with pytest.raises(InputError) as caught:
        open_dataset(path, **options)
    sentence = str(caught.value)
    assert all(word in sentence for word in words), sentence
    assert sentence.endswith(".") and "\n" not in sentence
