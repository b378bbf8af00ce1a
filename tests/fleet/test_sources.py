"""Sources: which clips files, folders, lists and addresses stand for."""

import pytest

from selfhvd.errors import InputError, UsageError
from selfhvd.fleet.shard import parse_shard, shard_of
from selfhvd.fleet.sources import check_output, wanted
from selfhvd.run.batch import Clip


def touch(folder, *words):
    folder.mkdir(exist_ok=True, parents=True)
    for word in words:
        (folder / word).write_bytes(b"x" * len(word))
    return folder


def test_files_folders_and_lists(tmp_path):
    folder = touch(tmp_path / "films", "b.mp4", "a10.mov", "a2.mov", "a2_deblurred.mov")
    touch(tmp_path, "one.mp4")
    (tmp_path / "more.txt").write_text(f"# a list\n\n{tmp_path / 'one.mp4'}\n{folder}\n")
    found = wanted([str(tmp_path / "one.mp4"), str(tmp_path / "more.txt")], str(tmp_path / "out"))
    assert [clip.source for clip in found] == [
        str(tmp_path / "one.mp4"),
        *(str(folder / name) for name in ("a2.mov", "a10.mov", "b.mp4")),
    ]
    assert [clip.result for clip in found][:2] == [
        str(tmp_path / "out" / "one_deblurred.mp4"),
        str(tmp_path / "out" / "a2_deblurred.mov"),
    ]
    assert [clip.size for clip in found] == [7, 6, 7, 5]


def test_results_of_one_name_are_told_apart(tmp_path):
    for name in ("x", "y"):
        touch(tmp_path / name, "clip.mp4")
    found = wanted([str(tmp_path / "x"), str(tmp_path / "y")], str(tmp_path / "out"))
    assert [clip.result.rpartition("/")[2] for clip in found] == ["x_clip_deblurred.mp4", "y_clip_deblurred.mp4"]


def test_one_file_by_two_names_is_one_clip(tmp_path):
    touch(tmp_path / "x" / "deep", "clip.mp4")
    (tmp_path / "link").symlink_to(tmp_path / "x" / "deep")
    spelled = [f"{tmp_path}/{name}" for name in ("x/deep/clip.mp4", "x/../x/deep/clip.mp4", "link")]
    assert [clip.source for clip in wanted(spelled, f"{tmp_path}/out")] == spelled[:1]
    assert [clip.source for clip in wanted(spelled[1:], f"{tmp_path}/out")] == spelled[:1]
    (after_link,) = wanted([f"{tmp_path}/link/../deep/clip.mp4"], f"{tmp_path}/out")
    assert after_link.source == spelled[0]


def test_results_keep_their_names_and_new_ones_share_none(tmp_path):
    for name in ("a/x.mp4", "b/x.mov"):
        touch(tmp_path / name[0], name[2:])
    (first,) = wanted([str(tmp_path / "a")], str(tmp_path / "out"))
    both = wanted([str(tmp_path / "b"), str(tmp_path / "a")], str(tmp_path / "out"), known={first.source: first.result})
    assert [clip.result.rpartition("/")[2] for clip in both] == ["x_mov_deblurred.mov", "x_deblurred.mp4"]
    assert both[1] == first


def test_addresses_are_named_and_taken_as_they_are(tmp_path):
    found = wanted(["s3://bucket/deep/clip.mp4", "gs://other/clip.mp4"], "s3://bucket/out/")
    assert [clip.result for clip in found] == [
        "s3://bucket/out/deep_clip_deblurred.mp4",
        "s3://bucket/out/other_clip_deblurred.mp4",
    ]


def test_what_cannot_be_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"gone\.txt cannot be read"):
        wanted([str(tmp_path / "gone.txt")], str(tmp_path))
    with pytest.raises(UsageError, match="quack://x/y cannot be spoken to: Protocol not known: quack"):
        wanted(["quack://x/y"], str(tmp_path))
    with pytest.raises(InputError, match="memory://nothing cannot be read"):
        wanted(["memory://nothing"], str(tmp_path))
    (tmp_path / "a.mp4").touch()
    with pytest.raises(UsageError, match="is no folder; a fleet needs one"):
        check_output(str(tmp_path / "a.mp4"))


def test_shards_are_the_whole_list_and_share_nothing(tmp_path):
    clips = [Clip(tmp_path / f"{n}.mp4", tmp_path / f"{n}_deblurred.mp4") for n in (3, 1, 2, 5, 4)]
    parts = [shard_of(clips, number, 3) for number in range(3)]
    assert [[clip.source.stem for clip in part] for part in parts] == [["1", "4"], ["2", "5"], ["3"]]
    assert parts == [shard_of(clips[::-1], number, 3) for number in range(3)]


@pytest.mark.parametrize("text", ["3/3", "1", "-1/3", "a/b", "0/0", "1/2/3", ""])
def test_a_shard_that_is_none(text):
    with pytest.raises(UsageError, match="must be I/N with I from 0 to N - 1"):
        parse_shard(text)
