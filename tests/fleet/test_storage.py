"""Storage: whole or not at all, on a disk and in an S3 store on the loopback."""

import pytest
from fleet_stores import s3_store

from selfhvd.errors import InputError, OutputError
from selfhvd.fleet.sources import wanted
from selfhvd.fleet.storage import clear_uploads, exists, fetch, put, read, shown, size_of

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def store():
    with pytest.MonkeyPatch.context() as patched, s3_store(patched) as system:
        yield system


def test_a_file_of_this_machine_is_itself(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"abc")
    assert fetch(str(tmp_path / "a.mp4"), tmp_path / "area") == tmp_path / "a.mp4"
    assert size_of(f"file://{tmp_path}/a.mp4") == 3 and not (tmp_path / "area").exists()


def test_what_is_put_into_a_folder_takes_its_name_when_it_is_whole(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "r.mp4").write_bytes(b"abc")
    (tmp_path / "out").mkdir()
    put([tmp_path / "work" / "r.mp4"], str(tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["r.mp4"]
    with pytest.raises(OutputError, match=r"r\.mp4 cannot be written"):
        put([tmp_path / "work" / "r.mp4"], str(tmp_path / "out"))


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("sftp://me:secret@host/films/a.mp4", "sftp://host/films/a.mp4"),
        ("https://host/a.mp4?X-Signature=secret", "https://host/a.mp4"),
        ("s3://films/a?.mp4", "s3://films/a?.mp4"),
        ("/in/me:you@host/a?.mp4", "/in/me:you@host/a?.mp4"),
    ],
)
def test_what_gives_access_is_not_shown(address, told):
    assert shown(address) == told


def test_there_and_back(store, tmp_path):
    store.pipe_file("films/in/clip.mp4", b"x" * 1000)
    store.pipe_file("films/in/note.txt", b"")
    store.pipe_file("films/in/clip_deblurred.mp4", b"x")
    (clip,) = wanted(["s3://films/in"], "s3://films/out")
    assert (clip.source, clip.result, clip.size) == (
        "s3://films/in/clip.mp4",
        "s3://films/out/clip_deblurred.mp4",
        1000,
    )
    assert [one.source for one in wanted(["s3://films/**/cl*.mp4"], "s3://films/out")] == [clip.source]
    there = fetch(clip.source, tmp_path / "area")
    assert there.read_bytes() == b"x" * 1000
    assert there.stat().st_mtime == store.info("films/in/clip.mp4")["LastModified"].timestamp()
    there.write_bytes(b"y" * 1000)
    assert fetch(clip.source, tmp_path / "area").read_bytes()[:1] == b"y"  # it is not fetched twice
    put([there], "s3://films/out")
    assert read("s3://films/out/clip.mp4") == b"y" * 1000 and not there.exists()
    assert read("s3://films/out/other") is None and not exists("s3://films/out/other")


def test_a_folder_of_pictures_goes_too(store, tmp_path):
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "1.png").write_bytes(b"p")
    put([tmp_path / "frames"], "s3://films/pictures")
    assert store.ls("films/pictures/frames") == ["films/pictures/frames/1.png"]


def test_an_interrupted_upload_leaves_nothing_half(store, tmp_path, monkeypatch):
    """Parts of one that was killed are cleared away by the next, and those of other files are not touched."""
    for key in ("cut/r.mp4", "cut/r.mp4.other"):
        store.call_s3("create_multipart_upload", Bucket="films", Key=key)
    big = tmp_path / "r.mp4"
    big.write_bytes(b"z" * (11 << 20))
    monkeypatch.setattr(store, "put_file", cut_off)
    with pytest.raises(OutputError, match=r"s3://films/cut/r\.mp4 cannot be written \(cut off\)"):
        put([big], "s3://films/cut")
    assert not store.exists("films/cut/r.mp4") and big.exists()
    assert [one["Key"] for one in uploads(store)] == ["cut/r.mp4.other"]
    monkeypatch.undo()
    put([big], "s3://films/cut")
    assert store.info("films/cut/r.mp4")["size"] == 11 << 20
    clear_uploads(store, "films/cut/r.mp4.other")
    assert not uploads(store)


def cut_off(*given):
    raise OSError("cut off")


def uploads(store):
    return store.call_s3("list_multipart_uploads", Bucket="films").get("Uploads") or []


def test_what_is_not_there_is_one_sentence(store, tmp_path):
    with pytest.raises(InputError, match=r"s3://films/gone\.mp4 cannot be read"):
        fetch("s3://films/gone.mp4", tmp_path)
    with pytest.raises(InputError, match="holds no video; name a video"):
        wanted(["s3://films/pictures"], "s3://films/out")
