"""Who may ask for what: hosts, pages, tokens, paths, names."""

import subprocess
import sys
import time

import pytest

from selfhvd.errors import UsageError
from selfhvd.web.access import Owners, kept_secret, read_owners
from selfhvd.web.hosts import hosts_of, is_loopback, without_port
from selfhvd.web.names import file_name, shown_name

pytestmark = [pytest.mark.unchecked, pytest.mark.subprocess]

ANNA, BEN = "anna-has-a-long-token", "ben-has-another-token"


@pytest.mark.parametrize(
    ("host", "bare"),
    [("localhost:8000", "localhost"), ("[::1]:80", "::1"), ("::1", "::1"), ("A.example", "a.example"), ("", "")],
)
def test_host_without_port(host, bare):
    assert without_port(host) == bare


def test_hosts_that_are_known():
    hosts = hosts_of("127.0.0.1", ["Lab.example"])
    assert hosts.knows("127.0.0.1:8765") and hosts.knows("localhost") and hosts.knows("lab.example:443")
    assert not hosts.knows("evil.example") and not hosts.knows("127.0.0.1.evil.example") and not hosts.knows("")
    assert hosts.is_own("http://localhost:8765", "localhost:8765")
    assert not hosts.is_own("http://localhost:9", "localhost:8765") and not hosts.is_own("null", "localhost")
    assert [is_loopback(h) for h in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "10.0.0.2", "lab")] == [True] * 3 + [
        False
    ] * 3


def test_cookie_is_of_a_token_for_a_while(monkeypatch):
    owners = Owners({**Owners({}, b"").names, **read_names()}, b"secret")
    cookie = owners.cookie(ANNA)
    assert owners.of_cookie(cookie) == "anna" and ANNA not in cookie
    until, key, signature = cookie.split(".")
    assert owners.of_cookie(f"{until}..{owners._signed(int(until), '')}") is None, "it is of nobody's token"
    for forged in (
        f"{'9' * 5000}.{key}.{signature}",
        f"{int(until) + 1}.{key}.{signature}",
        f"{until}.{key}.{'0' * 64}",
        "",
        "a.b",
        "1.2.3.4",
        "é.x.y",
    ):
        assert owners.of_cookie(forged) is None
    assert Owners(owners.names, b"another").of_cookie(cookie) is None
    assert Owners({}, b"secret").of_cookie(cookie) is None, "the token was taken away"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 31 * 86400)
    assert owners.of_cookie(cookie) is None


def read_names():
    import hashlib

    return {hashlib.sha256(token.encode()).hexdigest(): name for name, token in (("anna", ANNA), ("ben", BEN))}


def test_file_of_tokens(tmp_path):
    file = tmp_path / "tokens"
    file.write_text(f"# ours\nanna {ANNA}\n\n{BEN}\n")
    owners = read_owners(file, tmp_path)
    assert owners.of_token(ANNA) == "anna" and owners.of_token(BEN).startswith("token-") and not owners.of_token("x")
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
    for text in ("", "anna short\n", f"a/b {ANNA}\n"):
        file.write_text(text)
        with pytest.raises(UsageError):
            read_owners(file, tmp_path)


@pytest.mark.parametrize("left", ["", "\n", "short", "\0" * 32])
def test_half_written_secret_is_made_anew(tmp_path, left):
    path = tmp_path / "token"
    path.write_text(left)
    made = kept_secret(path)
    assert len(made) == 32 and kept_secret(path) == made == path.read_text() and path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("given", "shown", "kept"),
    [
        ("clip.mp4", "clip.mp4", "clip.mp4"),
        ("../../etc/passwd", "passwd", "passwd"),
        ("C:\\x\\clip.mp4", "clip.mp4", "clip.mp4"),
        ("<script>alert(1)</script>.mp4", "script>.mp4", "script_.mp4"),
        ("a\u202e4pm.exe", "a4pm.exe", "a4pm.exe"),
        ("a\nb\0.mp4", "ab.mp4", "ab.mp4"),
        ("..", "..", "clip"),
        ("", "clip", "clip"),
        ("-rf.mp4", "-rf.mp4", "rf.mp4"),
        (".hidden", ".hidden", "hidden"),
        ("CON.mp4", "CON.mp4", "_CON.mp4"),
        ("Strand, früh.MOV", "Strand, früh.MOV", "Strand_ früh.MOV"),
    ],
)
def test_names(given, shown, kept):
    assert (shown_name(given), file_name(given)) == (shown, kept)


def test_long_names_are_cut():
    assert len(file_name("ü" * 3000 + ".mp4").encode()) <= 100 and file_name("ü" * 3000 + ".mp4").endswith(".mp4")
    assert len(shown_name("x" * 3000)) == 200 and shown_name("x" * 3000 + ".mp4").endswith("….mp4"[1:])


def test_the_server_does_without_torch():
    code = "import sys, selfhvd.web.app, selfhvd.web.keeper, selfhvd.web.runner; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code]).strip() == b"False"


class TestAlone:
    """A server of this machine alone: no token, but no other name and no other page."""

    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.nip.io", "evil.example:8765", "0.0.0.0"])
    def test_other_names_are_refused(self, site, host):
        assert site.ask("GET", "/api/jobs", Host=host)[0] == 421
        assert site.ask("GET", "/", Host=host)[0] == 421

    def test_other_pages_are_refused(self, site, clip):
        for origin in ("http://evil.example", "null", f"http://127.0.0.1:{site.port + 1}", f"https://x:{site.port}"):
            status, told = site.ask("POST", "/api/jobs?name=a.mp4", clip.read_bytes(), Origin=origin)
            assert status == 403 and "Another page" in told["error"]
            assert site.ask("GET", "/api/jobs", Origin=origin)[0] == 403
        assert site.ask("GET", "/api/jobs", Sec_Fetch_Site="cross-site")[0] == 403
        assert site.ask("GET", "/", Sec_Fetch_Site="cross-site")[0] == 200, "a link to the page is fine"
        assert site.ask("GET", "/api/jobs", Origin=site.address)[0] == 200
        assert site.ask("GET", "/api/jobs")[1] == []

    def test_headers_forbid_frames_and_foreign_scripts(self, site):
        import urllib.request

        for path in ("/", "/api/jobs", "/nothing", "/static/main.js", "/openapi.json"):
            try:
                answer = urllib.request.urlopen(site.address + path)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "frame-ancestors 'none'" in policy and "unsafe" not in policy and "http" not in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff" and "server" not in answer.headers

    def test_documentation_that_loads_from_elsewhere_is_not_there(self, site):
        assert [site.ask("GET", path)[0] for path in ("/docs", "/redoc", "/openapi.json")] == [404, 404, 200]

    def test_no_address_becomes_a_path(self, site):
        none = "0" * 32
        paths = "/static/..%2f..%2fapp.py /static/../app.py /jobs/../../etc/passwd /api/jobs/..%2f.. /static/%2fetc%2fx"
        for path in (*paths.split(), "/api/jobs/%2e%2e/result", f"/api/jobs/{none}/result"):
            status, told = site.ask("GET", path)
            assert status == 404 or b"<title>selfhvd</title>" in told, path


class TestPaths:
    def test_only_under_folders_that_were_allowed(self, sites, clip, tmp_path):
        films = tmp_path / "films"
        films.mkdir()
        (films / "one.mp4").write_bytes(clip.read_bytes())
        (films / "out.mp4").symlink_to(clip)
        (films / "note.txt").write_text("no clip")
        site = sites("--allow", films)
        assert site.ask("GET", "/api/paths")[1] == [str(films / "one.mp4")]
        outside = [
            clip,
            films / ".." / "films2" / "x.mp4",
            films / "out.mp4",
            "/etc/passwd",
            "films/one.mp4",
            "~",
            "~nosuchuser/x",
            "a\0b",
        ]
        answers = [site.ask("POST", "/api/paths", {"path": str(path)}) for path in outside]
        assert {status for status, _ in answers} == {403} and len({told["error"] for _, told in answers}) == 1
        note = site.ask("POST", "/api/paths", {"path": str(films / "note.txt")})[1]
        assert site.until(note["id"], "failed")["exit_code"] == 3
        status, job = site.ask("POST", "/api/paths", {"path": str(films / "one.mp4")})
        assert status == 201 and job["name"] == "one.mp4"
        site.ask("DELETE", f"/api/jobs/{job['id']}")
        time.sleep(1)
        assert (films / "one.mp4").exists()

    def test_none_is_allowed_by_default(self, site, clip):
        assert site.ask("POST", "/api/paths", {"path": str(clip)})[0] == 403


class TestTokens:
    @pytest.fixture
    def ours(self, sites, tmp_path):
        file = tmp_path / "tokens"
        file.write_text(f"anna {ANNA}\nben {BEN}\n")
        return sites("--tokens", file)

    def test_each_sees_what_is_theirs(self, ours, clip):
        anna, ben = ({"Authorization": f"Bearer {token}"} for token in (ANNA, BEN))
        status, job = ours.ask("POST", "/api/jobs?name=a.mp4", clip.read_bytes(), **anna)
        assert status == 201
        path = f"/api/jobs/{job['id']}"
        assert ours.ask("GET", path, **anna)[0] == 200
        for method, end in (("GET", ""), ("GET", "/poster.jpg"), ("GET", "/result"), ("POST", "/start"),
                            ("POST", "/cancel"), ("DELETE", ""), ("POST", "/again")):  # fmt: skip
            assert ours.ask(method, path + end, **ben)[0] == 404, end
            assert ours.ask(method, path + end)[0] == 401, end
        send = "/api/jobs?name=b.mp4&start=true"
        ours.ask("POST", send, clip.read_bytes(), **anna)
        bens = ours.ask("POST", send, clip.read_bytes(), **ben)[1]
        bens = ours.ask("GET", f"/api/jobs/{bens['id']}", **ben)[1]
        assert bens["before"] == 1 or bens["state"] != "queued", "anna's comes first"
        assert ours.ask("DELETE", f"/api/jobs/{bens['id']}", **ben)[0] == 204
        assert ours.ask("GET", "/api/jobs", **ben)[1] == [] and len(ours.ask("GET", "/api/jobs", **anna)[1]) == 2

    def test_wrong_tokens_wear_patience_out(self, ours):
        wrong = [ours.ask("POST", "/api/session", {"token": f"a-wrong-token-{n}"})[0] for n in range(12)]
        assert wrong == [401] * 10 + [429] * 2
        assert ours.ask("POST", "/api/session", {"token": ANNA})[0] == 429
        assert ours.ask("GET", "/api/jobs", Authorization=f"Bearer {ANNA}")[0] == 429

    def test_cookie_is_found_among_those_of_other_tools(self, ours):
        cookie = read_owners(ours.words[1], ours.folder).cookie(ANNA)
        for jar in (f"selfhvd-{ours.port}={cookie}", f'odd=a"b,; {{}}=1; é; selfhvd-{ours.port}={cookie}'):
            assert ours.ask("GET", "/api/session", Cookie=jar.encode("utf-8"))[1]["owner"] == "anna", jar
        assert ours.ask("GET", "/api/jobs", Cookie=f"selfhvd={cookie}")[0] == 401

    def test_wrong_tokens_count_wherever_they_are_given(self, ours):
        for _ in range(12):
            ours.ask("GET", "/api/session", Authorization="Bearer a-wrong-token")
        assert ours.ask("GET", "/api/jobs", Authorization=f"Bearer {ANNA}")[0] == 429

    @pytest.mark.parametrize("words", [("--host", "0.0.0.0"), ("--also-known-as", "lab.example")])
    def test_server_for_others_makes_a_token_itself(self, sites, words):
        site = sites(*words)
        assert site.ask("GET", "/api/jobs")[0] == 401 and site.ask("GET", "/")[0] == 200
        token = (site.folder / "token").read_text()
        assert token in site.log.read_text() and (site.folder / "token").stat().st_mode & 0o077 == 0
        assert site.ask("GET", "/api/jobs", Authorization=f"Bearer {token}")[0] == 200
        assert site.ask("GET", "/api/session")[1] == {"owner": None, "asks": True, "local": False}
