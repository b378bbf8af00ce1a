"""Downloads from a server of our own: whole, cut off and taken up again, changed, lying; and two at once."""

import hashlib
import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field, replace
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest
import torch

from selfhvd.backbones import EstRnn, EstRnnConfig
from selfhvd.errors import OutputError, UsageError, WeightsError
from selfhvd.weights import cached, conversion, load_weights, unpickle
from selfhvd.weights import download as downloading
from selfhvd.weights import fetch as fetching
from selfhvd.weights.download import download
from selfhvd.weights.facts import read_facts
from selfhvd.weights.fetch import fetch
from selfhvd.weights.known import CHECKPOINTS, Checkpoint
from selfhvd.weights.lock import locked

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Site:
    """What the server serves at every address, how it behaves, and what it was asked."""

    url: str
    content: bytes = CONTENT
    etag: str | None = '"one"'
    ranges: bool = True
    says_length: bool = True
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next answers are cut off; 0 = before the first."""
    answers: list[int] = field(default_factory=list)
    """Codes of the next answers, before it serves."""
    kind: str = "application/octet-stream"
    redirect: str | None = None
    start_off: int = 0
    asked: list[dict[str, str]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    site: Site

    def log_message(self, *words):
        pass

    def do_GET(self):
        site = self.site
        site.asked.append(dict(self.headers))
        if site.answers:
            return self.empty(site.answers.pop(0))
        if site.redirect and not (self.path == "/end" and site.redirect.endswith("/end")):
            return self.empty(302, Location=site.redirect)
        start = self.start()
        if start >= len(site.content):
            return self.empty(416, **{"Content-Range": f"bytes */{len(site.content)}"})
        self.send_response(206 if start else 200)
        headers = {"Content-Type": site.kind, "ETag": site.etag}
        if site.says_length:
            headers["Content-Length"] = str(len(site.content) - start)
        if start:
            first, last = start + site.start_off, len(site.content) - 1
            headers["Content-Range"] = f"bytes {first}-{last}/{len(site.content)}"
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        cut = site.cuts.pop(0) if site.cuts else len(site.content)
        self.wfile.write(site.content[start : start + cut])
        self.close_connection = True

    def start(self) -> int:
        wanted, mark = self.headers.get("Range"), self.headers.get("If-Range")
        if not wanted or not self.site.ranges or (mark and mark != self.site.etag):
            return 0
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def empty(self, code, **headers):
        self.send_response(code)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture
def site():
    handler = type("OneSite", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.site = Site(f"http://127.0.0.1:{server.server_port}/official-weights.pth")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield handler.site
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "weights.pth"


def get(site, target, sha256=SHA256, on_bytes=lambda done, total: None):
    return download(site.url, target, sha256=sha256, timeout=5.0, pause=0.01, on_bytes=on_bytes)


def ranges(site) -> list[str | None]:
    return [asked.get("Range") for asked in site.asked]


def leave_part(target, site, content, **facts):
    target.with_name(target.name + ".part").write_bytes(content)
    target.with_name(target.name + ".part.json").write_text(json.dumps({"url": site.url, **facts}))


def test_whole(site, target):
    told = []
    assert get(site, target, on_bytes=lambda *now: told.append(now)) == SHA256
    assert target.read_bytes() == CONTENT and [p.name for p in target.parent.iterdir()] == [target.name]
    assert told[-1] == (len(CONTENT), len(CONTENT)) and told == sorted(told) and ranges(site) == [None]


@pytest.mark.parametrize("digits", [8, 64])
def test_the_hash_may_be_its_first_digits(site, target, digits):
    assert get(site, target, SHA256[:digits].upper()) == SHA256


def test_a_connection_cut_in_the_middle(site, target):
    site.cuts = [300_000, 1]
    assert get(site, target) == SHA256 and target.read_bytes() == CONTENT
    assert ranges(site) == [None, "bytes=300000-", "bytes=300001-"]
    assert [asked.get("If-Range") for asked in site.asked] == [None, '"one"', '"one"']


def test_a_server_without_ranges_starts_again(site, target):
    site.cuts, site.ranges = [300_000], False
    assert get(site, target) == SHA256 and target.read_bytes() == CONTENT


def test_a_later_call_goes_on(site, target):
    """What an interrupted call left is used by the next one."""
    calls = []

    def stop(done, total):
        calls.append(done)
        if done > 500_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(site, target, on_bytes=stop)
    assert not target.exists()
    have = target.with_name(target.name + ".part").stat().st_size
    assert 500_000 < have < len(CONTENT)
    assert get(site, target) == SHA256 and ranges(site) == [None, f"bytes={have}-"]


def test_a_part_that_is_whole_already(site, target):
    leave_part(target, site, CONTENT, mark='"one"')
    assert get(site, target) == SHA256 and ranges(site) == [f"bytes={len(CONTENT)}-"]


def test_a_stale_part_of_a_file_that_has_changed(site, target):
    """The server knows by the mark that it is no longer the same file, and sends it from the start."""
    leave_part(target, site, b"old" * 1000, mark='"zero"')
    assert get(site, target) == SHA256 and target.read_bytes() == CONTENT
    assert ranges(site) == ["bytes=3000-"]


def test_a_stale_part_that_only_the_hash_tells(site, target):
    site.etag = None
    leave_part(target, site, b"old" * 1000)
    assert get(site, target) == SHA256 and target.read_bytes() == CONTENT
    assert ranges(site) == ["bytes=3000-", None]


@pytest.mark.parametrize("facts", [{"url": "http://elsewhere/file"}, {}])
def test_a_stale_part_of_another_address(site, target, facts):
    leave_part(target, site, b"old" * 1000, mark='"one"')
    target.with_name(target.name + ".part.json").write_text(json.dumps(facts))
    assert get(site, target) == SHA256 and ranges(site) == [None]


def test_a_part_longer_than_the_file(site, target):
    leave_part(target, site, CONTENT + b"more", mark='"one"')
    assert get(site, target) == SHA256 and ranges(site) == [f"bytes={len(CONTENT) + 4}-", None]


def test_without_mark_or_hash_nothing_is_taken_up(site, target):
    site.etag = None
    leave_part(target, site, CONTENT[:1000])
    assert get(site, target, None) == SHA256 and ranges(site) == [None]


def refused(site, target, *words, sha256=SHA256):
    with pytest.raises(WeightsError) as caught:
        get(site, target, sha256)
    said = str(caught.value)
    assert caught.value.exit_code == 6 and all(word in said for word in words), said
    assert not target.exists() and len(said.splitlines()) == 1


def test_a_server_that_lies_about_the_hash(site, target):
    site.content = b"evil" * 1000
    found = hashlib.sha256(site.content).hexdigest()
    refused(site, target, site.url, f"SHA-256 {found}, but {SHA256} was expected", "deleted")
    assert list(target.parent.iterdir()) == [] and len(site.asked) == 1


def test_a_lie_after_a_resume_is_tried_once_more(site, target):
    site.content = b"evil" * 1000
    leave_part(target, site, b"evil", mark='"one"')
    refused(site, target, "was expected")
    assert ranges(site) == ["bytes=4-", None] and list(target.parent.iterdir()) == []


@pytest.mark.parametrize("code", [404, 403, 410])
def test_what_is_not_there(site, target, code):
    site.answers = [code]
    refused(site, target, site.url, f"it answered {code}", "fetch it by hand")
    assert len(site.asked) == 1


def test_a_busy_server_is_asked_again(site, target):
    site.answers = [503, 429]
    assert get(site, target) == SHA256 and len(site.asked) == 3


def test_a_server_that_stays_busy(site, target):
    site.answers = [503] * 20
    refused(site, target, "it answered 503")
    assert len(site.asked) == downloading._TRIES


def test_a_server_that_cuts_at_once_each_time(site, target):
    site.cuts = [0] * 20
    refused(site, target, "the connection was cut")
    assert len(site.asked) == downloading._TRIES


def test_a_server_that_is_not_there(target):
    with pytest.raises(WeightsError, match=r"http://127.0.0.1:9/x cannot be fetched \(.*refused"):
        download("http://127.0.0.1:9/x", target, sha256=None, pause=0.01, on_bytes=lambda *now: None)


def test_a_server_that_never_answers(target):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as silent:  # accepts, but nobody serves
        url = f"http://127.0.0.1:{silent.server_port}/x"
        with pytest.raises(WeightsError, match="timed out"):
            download(url, target, sha256=None, timeout=0.1, pause=0.01, on_bytes=lambda *now: None)


def test_a_web_page_instead_of_a_file(site, target):
    site.kind = "text/html; charset=utf-8"
    refused(site, target, "a web page instead of a file")


def test_a_wrong_piece(site, target):
    site.cuts, site.start_off = [300_000], 7
    refused(site, target, "starts at byte 300007 instead of 300000")


def test_a_file_without_end(site, target, monkeypatch):
    monkeypatch.setattr(downloading, "_MOST", 500_000)
    refused(site, target, "1024000 bytes long, more than any weights")
    site.says_length = False
    refused(site, target, "it sends more than it announced, or than any weights have")


def test_a_length_that_is_not_said(site, target):
    site.says_length = False
    assert get(site, target) == SHA256


def test_a_full_disk(site, target, monkeypatch):
    monkeypatch.setattr(downloading, "_SPARE", 2**60)
    with pytest.raises(OutputError, match="MB are needed; make room, or set SELFHVD_CACHE"):
        get(site, target)
    assert list(target.parent.iterdir()) == []


def test_a_folder_that_is_not_there(site, tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        get(site, tmp_path / "no" / "weights.pth")


def test_redirects(site, target):
    site.redirect = site.url.rsplit("/", 1)[0] + "/end"
    assert get(site, target) == SHA256 and len(site.asked) == 2


def test_redirects_without_end(site, target):
    site.redirect = site.url
    refused(site, target, "it answered 302")
    assert len(site.asked) <= downloading._REDIRECTS + 1


ELSEWHERE = {
    "file:///etc/passwd": "Redirection to url 'file:///etc/passwd'",
    "data:text/plain,hello": "Redirection to url 'data:",
    "ftp://127.0.0.1/x": "ftp://127.0.0.1/x is not fetched: only http and https addresses",
}


@pytest.mark.parametrize("address", ELSEWHERE)
def test_redirects_elsewhere(site, target, address):
    site.redirect = address
    refused(site, target, ELSEWHERE[address])


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/etc/passwd"])
def test_other_addresses(target, address):
    with pytest.raises(WeightsError, match="only http and https addresses"):
        download(address, target, sha256=None, on_bytes=lambda *now: None)


def test_never_out_of_https():
    request = downloading.urllib.request.Request("https://example.org/x")
    with pytest.raises(WeightsError, match="only https addresses"):
        downloading._Redirects().redirect_request(request, BytesIO(), 302, "Found", Message(), "http://example.org/x")


# The lock


def test_a_lock_held_by_another_process(tmp_path):
    path = tmp_path / "x.lock"
    script = (
        "import sys; from pathlib import Path; from selfhvd.weights.lock import locked\n"
        "with locked(Path(sys.argv[1]), 1.0, lambda: None): print('held', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        told = []
        holds = locked(path, 0.3, lambda: told.append(1))
        with pytest.raises(WeightsError, match=r"Another selfhvd still holds .*x\.lock after 0 s"), holds:
            raise AssertionError("taken from its holder")
        assert told == [1]
        holder.kill()  # a holder that dies leaves nothing to clean up
        holder.wait()
        with locked(path, 5.0, lambda: None):
            pass


# The whole way


@pytest.fixture
def shelf(site, tmp_path, monkeypatch):
    """A checkpoint on the server, named in the table; opened in this process, since another takes seconds."""
    torch.manual_seed(0)
    network = EstRnn(EstRnnConfig(features=4, blocks=1))
    torch.save({"state_dict": {f"module.model.{k}": v for k, v in network.state_dict().items()}}, tmp_path / "o.pth")
    site.content = (tmp_path / "o.pth").read_bytes()
    sha256 = hashlib.sha256(site.content).hexdigest()
    small = Checkpoint("small", "estrnn", "MIT", "clips", url=site.url, sha256=sha256[:8], options=(("colour", "rgb"),))
    free = replace(small, name="small-nc", licence="CC-BY-NC-4.0", non_commercial=True)
    monkeypatch.setattr("selfhvd.weights.known.CHECKPOINTS", (*CHECKPOINTS, small, free))
    monkeypatch.setattr(conversion, "_unpickle", lambda source, out: unpickle.extract(source, out, 2**30))
    monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path / "cache"))
    return network


def test_fetch(shelf, site, tmp_path):
    told = []
    path = fetch("small", on_progress=lambda *now: told.append(now))
    assert path == cached("small") == tmp_path / "cache" / "small.safetensors"
    loaded = load_weights(path, "estrnn")
    assert loaded.config == replace(shelf.config, colour="rgb")
    assert all(torch.equal(v, shelf.state_dict()[k]) for k, v in loaded.state_dict().items())
    assert {step for step, _, _ in told} == {"download", "convert"}
    facts = read_facts(path)
    assert facts.licence == "MIT" and facts.notes["source"] == site.url and facts.notes["checkpoint"] == "small"
    assert facts.notes["source_sha256"] == hashlib.sha256(site.content).hexdigest()
    assert sorted(p.name for p in path.parent.iterdir()) == ["small.lock", "small.safetensors"]
    assert fetch("small") == path and len(site.asked) == 1
    assert fetch("small", again=True) == path and len(site.asked) == 2


def test_a_licence_to_accept(shelf, site):
    with pytest.raises(UsageError, match=r"under CC-BY-NC-4.0, for non-commercial use only; .*--accept-license"):
        fetch("small-nc")
    assert site.asked == [] and cached("small-nc") is None
    assert read_facts(fetch("small-nc", accept_license=True)).licence == "CC-BY-NC-4.0"


def test_what_cannot_be_fetched():
    with pytest.raises(WeightsError, match=r"cannot fetch estrnn: open https://drive.google.com/\S+ in a browser"):
        fetch("estrnn")
    with pytest.raises(WeightsError, match="nobody has published weights of IFIRNN"):
        fetch("ifirnn")
    with pytest.raises(UsageError, match="no known weights called nix"):
        fetch("nix")


def test_a_file_that_is_not_what_it_should_be(shelf, site, tmp_path, monkeypatch):
    site.content = b"Dear diary"
    monkeypatch.setattr(conversion, "_unpickle", lambda source, out: conversion.read_header(source))
    small = replace(fetching.known("small"), sha256=None)
    monkeypatch.setattr("selfhvd.weights.known.CHECKPOINTS", (small,))
    with pytest.raises(WeightsError, match="is not a weights file"):
        fetch("small")
    assert cached("small") is None and [p.name for p in (tmp_path / "cache").iterdir()] == ["small.lock"]


def test_two_at_once(shelf, site):
    """The second waits, and finds the file of the first."""
    reached, go_on, waited, paths = threading.Event(), threading.Event(), threading.Event(), []

    def first(step, done, total):
        reached.set()
        assert go_on.wait(20)

    def second(step, done, total):
        assert step == "wait"
        waited.set()
        go_on.set()

    threads = [
        threading.Thread(target=lambda tell=tell: paths.append(fetch("small", on_progress=tell)))
        for tell in (first, second)
    ]
    threads[0].start()
    assert reached.wait(20)
    threads[1].start()
    for thread in threads:
        thread.join(30)
    assert waited.is_set() and len(site.asked) == 1 and len(set(paths)) == 1 and len(paths) == 2


def test_a_cache_that_cannot_be_made(shelf, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OutputError, match="set SELFHVD_CACHE to another folder"):
        fetch("small")
