"""Frame files: lossless, whole or known not to be, smaller than PNG."""

import errno
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from selfhvd.errors import OutputError
from selfhvd.video.frame_file import is_whole_frame, link_frame, packed, read_frame, write_frame
from selfhvd.video.png import packed_png

TYPES = (np.uint8, np.uint16)


def assert_comes_back(folder, image):
    path = folder / "a.frame"
    write_frame(path, image)
    found = read_frame(path)
    assert is_whole_frame(path)
    assert found is not None and found.dtype == image.dtype and np.array_equal(found, image)
    assert found.flags.writeable and found.flags.c_contiguous


def deep(photo):
    """16 bits, of which the low ones are noise, as after a change of colours."""
    noise = np.random.default_rng(7).integers(0, 256, photo.shape, np.uint16)
    return photo.astype(np.uint16) << 8 | noise


class TestRoundTrip:
    @pytest.mark.parametrize("kind", TYPES)
    @pytest.mark.parametrize("size", [(1, 1), (3, 2), (2, 3), (1, 700), (700, 1), (301, 433), (2, 100_000)])
    def test_noise_of_any_size(self, tmp_path, rng, kind, size):
        top = np.iinfo(kind).max
        assert_comes_back(tmp_path, rng.integers(0, top, (*size, 3), kind, endpoint=True))

    @pytest.mark.parametrize("kind", TYPES)
    @pytest.mark.parametrize("share", [0, 0.5, 1])
    def test_one_colour(self, tmp_path, kind, share):
        image = np.full((333, 257, 3), int(share * np.iinfo(kind).max), kind)
        assert_comes_back(tmp_path, image)
        assert len(packed(image)) < 1000

    def test_a_photo(self, tmp_path, photo):
        assert_comes_back(tmp_path, photo)
        assert_comes_back(tmp_path, deep(photo))

    def test_turned_and_mirrored(self, tmp_path, photo):
        for image in (photo[::-1, :300], photo.transpose(1, 0, 2), photo[..., ::-1]):
            assert_comes_back(tmp_path, image)

    @given(
        st.sampled_from(TYPES).flatmap(
            lambda kind: arrays(kind, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))
        )
    )
    def test_whatever_is_in_it(self, tmp_path_factory, image):
        assert_comes_back(tmp_path_factory.getbasetemp(), image)


class TestDamage:
    @pytest.mark.parametrize("kind", TYPES)
    def test_is_found(self, tmp_path, rng, kind):
        path = tmp_path / "a.frame"
        write_frame(path, rng.integers(0, np.iinfo(kind).max, (9, 7, 3), kind))
        whole = path.read_bytes()
        for place in range(len(whole)):
            for data in (whole[:place], whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :]):
                path.write_bytes(data)
                assert not is_whole_frame(path) and read_frame(path) is None
        path.write_bytes(whole + b"more")
        assert not is_whole_frame(path) and read_frame(path) is None

    def test_what_is_no_frame_file(self, tmp_path, photo):
        assert read_frame(tmp_path / "none.frame") is None and not is_whole_frame(tmp_path / "none.frame")
        assert read_frame(tmp_path) is None
        (tmp_path / "a.frame").write_bytes(packed_png(photo) or b"")
        assert read_frame(tmp_path / "a.frame") is None

    def test_a_full_disk_is_told(self, tmp_path, photo, monkeypatch):
        def full(*given, **named):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match=r"a\.frame cannot be written \(No space left on device\); make room"):
            write_frame(tmp_path / "a.frame", photo)


class TestSize:
    def test_is_smaller_than_png(self, photo):
        soft = cv2.GaussianBlur(photo, (0, 0), 1.5)
        for image in (photo, soft, deep(photo), deep(soft)):
            assert len(packed(image)) < len(packed_png(image))

    def test_noise_takes_hardly_more_than_its_own_bytes(self, rng):
        image = rng.integers(0, 256, (200, 300, 3), np.uint8)
        assert len(packed(image)) < 1.001 * image.nbytes + 100


class TestLink:
    def test_stores_no_byte_twice(self, tmp_path, photo):
        one, other = tmp_path / "1.frame", tmp_path / "2.frame"
        write_frame(one, photo)
        other.write_bytes(b"what lay there")
        link_frame(one, other)
        assert one.samefile(other) and np.array_equal(read_frame(other), photo)

    def test_is_a_copy_where_the_disk_knows_no_links(self, tmp_path, photo, monkeypatch):
        def refuse(*given):
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
        one, other = tmp_path / "1.frame", tmp_path / "2.frame"
        write_frame(one, photo)
        link_frame(one, other)
        assert not one.samefile(other) and one.read_bytes() == other.read_bytes()

    def test_a_lost_file_is_told(self, tmp_path):
        with pytest.raises(OutputError, match=r"2\.frame cannot be written"):
            link_frame(tmp_path / "1.frame", tmp_path / "2.frame")
