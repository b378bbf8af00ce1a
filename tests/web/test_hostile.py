"""What hostile clips and crowds do: clear answers, nothing outside the folder, the server still there."""

import json
import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import av
import pytest
from page_for_tests import Site

from selfhvd.errors import UsageError
from selfhvd.web.client import Client

pytestmark = [pytest.mark.unchecked, pytest.mark.subprocess]

NAMES = [
    "../../../escape.mp4", "..\\..\\escape.mp4", "/etc/cron.d/escape", "a'b\"c;rm -rf $HOME.mp4", "`id`.mp4",
    "<script>alert(1)</script>.mp4", "<img src=x onerror=alert(1)>.mp4", "%2e%2e%2fescape.mp4", "\u202e4pm.mp4",
    "x" * 900 + ".mp4", "NUL.mp4", "a\r\nSet-Cookie: x=1.mp4", "job.json", ".hidden.mp4", "-o.mp4",
]  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("hostile") / "store", "--max-upload", "0.001").start()
    yield made
    made.end()


def files(folder):
    return {path for path in folder.rglob("*") if path.is_file()}


def streams(path, count):
    """A clip with many tracks."""
    with av.open(str(path), "w", format="matroska") as out:
        tracks = [out.add_stream("mpeg4", rate=30) for _ in range(count)]
        for track in tracks:
            track.width, track.height, track.pix_fmt = 16, 16, "yuv420p"
        for track in tracks:
            out.mux(track.encode(av.VideoFrame(16, 16, "yuv420p")))
            out.mux(track.encode(None))
    return path


def test_names_stay_names(site, clip):
    around = files(site.folder.parent) - files(site.folder)
    for name in NAMES:
        status, job = site.ask("POST", f"/api/jobs?name={quote(name)}", clip.read_bytes())
        assert status == 201, (name, job)
        source = json.loads((site.folder / "jobs" / job["id"] / "job.json").read_text())["source"]
        assert source.startswith(str(site.folder / "jobs" / job["id"] / "input") + "/") and "/" not in job["name"]
        assert len(source.rpartition("/")[2]) <= 110 and not source.rpartition("/")[2].startswith((".", "-"))
        site.ask("DELETE", f"/api/jobs/{job['id']}")
    assert files(site.folder.parent) - files(site.folder) == around


def test_what_is_no_clip_is_refused_at_once(site, clip, tmp_path):
    whole = clip.read_bytes()
    for body, code in ((b"", 3), (b"just a text\n" * 99, 3), (b"\x89PNG\r\n\x1a\n" + bytes(99), 3), (bytes(999), 3)):
        status, told = site.ask("POST", "/api/jobs?name=a.mp4", body)
        assert status in (422, 201) and told.get("exit_code", 0) in (0, code), told
        if status == 201:
            assert site.until(told["id"], "failed")["exit_code"] == 3
    for body in (
        whole[:700],
        bytes(random.Random(1).sample(whole, len(whole))),
        streams(tmp_path / "b.mkv", 200).read_bytes(),
    ):
        status, told = site.ask("POST", "/api/jobs?name=b.mp4", body)
        failed = told if status == 422 else site.until(told["id"], "failed")
        assert failed["exit_code"] == 3, failed
    assert not list((site.folder / "jobs").glob(".new-*"))


def test_too_long_is_refused_whether_it_says_so_or_not(site):
    for head, status in ((b"Content-Length: 10000000000\r\n", b"413"), (b"Transfer-Encoding: chunked\r\n", b"413")):
        with socket.create_connection(("127.0.0.1", site.port), timeout=20) as line:
            host = f"Host: 127.0.0.1:{site.port}\r\n".encode()
            line.sendall(b"POST /api/jobs?name=a.mp4 HTTP/1.1\r\n" + host + head + b"\r\n")
            if b"chunked" in head:
                for _ in range(40):
                    try:
                        line.sendall(b"10000\r\n" + bytes(0x10000) + b"\r\n")
                    except OSError:
                        break
            answer = b""
            try:
                while piece := line.recv(4096):
                    answer += piece
            except OSError:
                pass
            assert answer.split(b" ")[1:2] == [status] or b"chunked" in head, answer
    assert site.ask("POST", "/api/paths", b"x" * 70000)[0] == 413
    deadline = time.monotonic() + 5
    while list((site.folder / "jobs").glob(".new-*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_who_sends_too_much_is_told_so(site, tmp_path):
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(30_000_000)
    with pytest.raises(UsageError, match="at most"):
        Client(site.address).submit(large)


def test_a_clip_that_breaks_off_leaves_nothing(site, clip):
    with socket.create_connection(("127.0.0.1", site.port)) as line:
        head = (
            f"POST /api/jobs?name=broken.mp4 HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nContent-Length: 90000\r\n\r\n"
        )
        line.sendall(head.encode())
        line.sendall(clip.read_bytes()[:500])
        time.sleep(0.3)
    deadline = time.monotonic() + 5
    while list((site.folder / "jobs").glob(".new-*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert all(job["name"] != "broken.mp4" for job in site.ask("GET", "/api/jobs")[1])


def test_nonsense_gets_one_sentence(site, rng):
    known = site.ask("GET", "/openapi.json")[1]["paths"]
    values = ["", "null", "[]", '{"a":', '{"path": 3}', '{"token": []}', '{"strength": "NaN"}', '{"strength": NaN}',
              '{"preset": "x"}', '{"start": 5, "end": 1}', '{"start": -1}', '{"extra": 1}', "\x00\xff"]  # fmt: skip
    for path, methods in known.items():
        for method in methods:
            for value in values:
                body = value.encode("latin-1") if method in ("post", "put") else None
                status, told = site.ask(method.upper(), path.replace("{number}", "0" * 32) + "?index=x&settings=%7B",
                                        body, Content_Type="application/json")  # fmt: skip
                assert status < 500 and status != 201, (method, path, value, status, told)
                if status >= 400:
                    assert "Traceback" not in told["error"] and told["error"].count("\n") == 0, told


def test_settings_are_checked_before_the_clip_is_taken(site, clip):
    for settings in ('{"strength": 2}', '{"quality": -1}', '{"start": 5, "end": 2}', '{"output": "/etc/x"}', "[]", "{"):
        status, told = site.ask("POST", f"/api/jobs?name=a.mp4&settings={quote(settings)}", clip.read_bytes())
        assert status == 422 and "settings" in told["error"], settings


@pytest.mark.slow
def test_two_hundred_at_once(site, clip):
    number = site.send(clip, start=False)
    paths = ["/", "/api/jobs", f"/api/jobs/{number}", "/static/main.js", "/api/limits"]
    with ThreadPoolExecutor(200) as crowd:
        answers = list(crowd.map(lambda n: site.ask("GET", paths[n % len(paths)])[0], range(200)))
    assert set(answers) == {200}
    with ThreadPoolExecutor(40) as crowd:
        sent = list(crowd.map(lambda n: site.ask("POST", f"/api/jobs?name={n}.mp4", clip.read_bytes())[0], range(40)))
    assert set(sent) <= {201, 429} and 201 in sent
    with ThreadPoolExecutor(40) as crowd:
        starts = list(crowd.map(lambda n: site.ask("POST", f"/api/jobs/{number}/start")[0], range(40)))
    assert set(starts) == {200}
    assert site.process.poll() is None and "Traceback" not in site.log.read_text()


def test_limits_of_number(sites, clip):
    site = sites("--max-jobs", 2)
    answers = [site.ask("POST", "/api/jobs?name=a.mp4", clip.read_bytes())[0] for _ in range(3)]
    assert answers == [201, 201, 429]


def test_no_url_is_fetched(sites, tmp_path):
    site = sites("--allow", tmp_path)
    for path in ("http://169.254.169.254/latest", "file:///etc/passwd", "concat:/etc/passwd", f"{tmp_path}/../etc"):
        assert site.ask("POST", "/api/paths", {"path": path})[0] == 403


def test_clip_that_is_a_list_of_others_reads_none(site):
    """HLS and concat lists name other files and hosts; they are no clips."""
    for text in (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", b"ffconcat version 1.0\nfile '/etc/passwd'\n"):
        status, told = site.ask("POST", "/api/jobs?name=a.m3u8", text)
        failed = told if status == 422 else site.until(told["id"], "failed")
        assert failed["exit_code"] == 3
