"""Downloads from a server of our own: whole, cut off and taken up again, changed, lying."""

import hashlib
import json
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest
from server import CONTENT, SHA256

from selfhvd.errors import OutputError, WeightsError
from selfhvd.weights import download as downloading
from selfhvd.weights.download import download


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
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as silent:  # accepts, but nobody serves
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
