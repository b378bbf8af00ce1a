"""A web server of our own that serves weights: whole, cut off, changed or lying."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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


@contextmanager
def serving() -> Iterator[Site]:
    """A site at a port of its own for as long as the context lasts."""
    handler = type("OneSite", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.site = Site(f"http://127.0.0.1:{server.server_port}/official-weights.pth")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield handler.site
    server.shutdown()
    thread.join()
    server.server_close()
