"""Progress in its forms: bars, lines, JSON, nothing; and what is said beside it."""

import io
import json
import re
import tempfile

import pytest

from clips_for_tests import film, unmoved, views
from selfhvd.cli.progress import shown_progress

pytestmark = pytest.mark.unchecked


class Stream(io.TextIOWrapper):
    def __init__(self):
        super().__init__(tempfile.TemporaryFile(), encoding="utf-8")  # noqa: SIM115 - closed by `getvalue`
        self.mode = "w"

    def getvalue(self):
        with self:
            self.seek(0)
            return self.read()


class Terminal(Stream):
    def isatty(self):
        return True


def told(stream, **named):
    with shown_progress(stream=stream, **named) as progress:
        for done in range(1001):
            progress("restore", done, 1000)
        progress("read", 1, 0)
    return stream.getvalue()


def test_json_lines():
    lines = [json.loads(line) for line in told(Stream(), style="json", facts={"clip": "a.mp4"}).splitlines()]
    assert all(list(line) == ["clip", "stage", "done", "total", "seconds", "eta_s"] for line in lines)
    assert [line["done"] for line in lines if line["stage"] == "restore"][:: len(lines)] == [0]
    assert lines[-2]["done"] == lines[-2]["total"] == 1000 and lines[-2]["eta_s"] == 0
    assert lines[-1]["total"] is None and lines[-1]["eta_s"] is None
    assert len(lines) < 20


def test_json_is_json_on_a_terminal_too():
    assert all(line.startswith("{") for line in told(Terminal(), style="json").splitlines())


def test_silence():
    assert told(Stream(), style="none") == told(Stream(), quiet=True, style="json") == ""


def test_lines_where_they_are_asked_for():
    assert told(Terminal(), style="lines").splitlines() == ["restore: 0/1000", "restore: 1000/1000", "read: 1"]


def test_no_color(monkeypatch):
    """SGR 30 to 49 and 90 to 107 are colours; moving the cursor is not."""
    colour = re.compile(r"\x1b\[[0-9;]*\b(3|4|9|10)[0-9][0-9;]*m")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert colour.search(told(Terminal()))
    monkeypatch.setenv("NO_COLOR", "1")
    plain = told(Terminal())
    assert "restore" in plain and not colour.search(plain)


@pytest.fixture
def run(run, quickly):
    quickly(steps=1)
    return run


def test_everything_on_stderr_is_json(run, tmp_path):
    clip = film(tmp_path / "a.mp4", views(4, sharp=unmoved))
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"")
    done = run(clip, bad, "-o", tmp_path / "out", "--progress", "json")
    lines = [json.loads(line) for line in done.err.splitlines()]
    assert done.code == 7 and lines[-1] == {"error": "1 of 2 clips could not be deblurred.", "exit_code": 7}
    stages = [line for line in lines if "stage" in line]
    assert {line["stage"] for line in stages} >= {"read", "select", "restore"}
    assert all((line["clip"], line["number"], line["clips"]) == (str(clip), 1, 2) for line in stages)
    said = [line["message"] for line in lines if "message" in line]
    assert any("is an empty file" in text for text in said) and any("There is nothing to do" in text for text in said)
    again = run(tmp_path / "nowhere.mp4", "--progress=json", "-q")
    assert json.loads(again.err)["exit_code"] == 3


def commands(app, words=()):
    """Every command that does something, as its words."""
    for name in app:
        if name.startswith("-"):
            continue
        inner = app[name]
        yield from (
            commands(inner, (*words, name)) if list(inner) and inner.default_command is None else [(*words, name)]
        )


def test_every_command_can_be_quiet_and_verbose(run):
    from selfhvd.cli import app

    found = list(commands(app))
    assert {("deblur",), ("doctor",), ("train",), ("weights", "fetch"), ("synthesize", "handheld")} <= set(found)
    for words in found:
        shown = run(*words, "--help").out
        assert "--quiet" in shown and "-q" in shown and "--verbose" in shown and "-v" in shown, words
