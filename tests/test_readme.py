"""What README.md and the pages say can be done is done: its commands on small clips, its links, its extras."""

import importlib.util
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from clips_for_tests import film, views

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
LINES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.strip() and not line.startswith("#")
]
COMMANDS = [words for words in (shlex.split(line, comments=True) for line in LINES) if words[0] == "selfhvd"]
OTHERS = [words for words in (shlex.split(line, comments=True) for line in LINES) if words[0] != "selfhvd"]


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    return film(tmp_path_factory.mktemp("filmed") / "clip.mp4", views(5)).read_bytes()


@pytest.fixture
def clips(tmp_path, monkeypatch, filmed):
    """A folder with the files that README.md names, to run in."""
    (tmp_path / "holiday").mkdir()
    for name in ("clip.mp4", "a.mp4", "b.mp4", "holiday/beach.mp4"):
        (tmp_path / name).write_bytes(filmed)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_names_commands():
    assert len(COMMANDS) == 8 and ["selfhvd", "clip.mp4"] in COMMANDS


@pytest.mark.slow
@pytest.mark.unchecked
@pytest.mark.parametrize("words", [words for words in COMMANDS if words[1] != "serve"], ids=" ".join)
def test_command_runs(words, clips, run):
    before = made(clips)
    done = run(*words[1:])
    assert done.code == 0, done.err
    results = {name for name in made(clips) - before if name.endswith((".mp4", ".png"))}
    if "--dry-run" in words or "doctor" in words:
        assert not results
    elif "sharp/" in words:
        assert results == {f"sharp/{stem}_deblurred.mp4" for stem in ("a", "b", "beach")}
    elif "-o" in words or "--plot" in words:
        assert results == {words[words.index("-o" if "-o" in words else "--plot") + 1]}
    else:
        assert results == {"clip_deblurred.mp4"} and "clip_deblurred.report.html" in made(clips)


@pytest.mark.slow
@pytest.mark.unchecked
def test_python_runs(clips):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(code, {})
    assert (clips / "out.mp4").is_file()


def test_other_commands_install_or_make():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert OTHERS
    for words in OTHERS:
        assert words == ["pip", "install", "."] or (words[0] == "make" and set(words[1:]) <= targets), words


def test_extras_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = set(re.findall(r"'\.\[([\w-]+)\]'", README))
    assert named and named <= set(extras)


def test_citation_names_the_same_paper():
    citation = (ROOT / "CITATION.cff").read_text()
    title = "SelfHVD: Self-Supervised Handheld Video Deblurring"
    assert f"title     = {{{title}}}" in README and title in citation
    assert "arxiv.org/abs/2508.08605" in README and "2508.08605" in citation


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub and mkdocs make them, and those that are written out."""
    text = page.read_text()
    heads = re.findall(r"^#+ (.*)", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


def test_links_lead_somewhere():
    lost: list[str] = []
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if link.startswith("https://"):
                continue
            if not target.exists() or (anchor and anchor not in anchors(target)):
                lost.append(f"{page.relative_to(ROOT)}: {link}")
    assert not lost


def test_docstrings_name_pages_and_rows_that_exist():
    lost: list[str] = []
    kinds = ("src/**/*.py", "src/**/*.md", "src/**/*.toml", "bench/*.py", "recipes/**/*.toml")
    files = [file for kind in kinds for file in ROOT.glob(kind)]
    for file in files:
        for name, anchor in re.findall(r"docs/(\w+\.md)(?:#([\w.]*\w))?", file.read_text()):
            page = ROOT / "docs" / name
            if not page.exists() or (anchor and anchor not in anchors(page)):
                lost.append(f"{file.relative_to(ROOT)}: {name}#{anchor}")
    assert not lost


def test_tables_are_no_wider_than_200_characters():
    wide = [f"{page.name}: {line[:40]}" for page in PAGES for line in page.read_text().splitlines() if _wide(line)]
    assert not wide


def _wide(line: str) -> bool:
    return line.startswith("|") and len(line) > 200


class TestResults:
    """bench/results.py makes the tables of docs/results.md."""

    @pytest.fixture
    def results(self):
        spec = importlib.util.spec_from_file_location("results", ROOT / "bench" / "results.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def test_page_is_short_and_of_its_rows(self, results):
        page = (ROOT / "docs" / "results.md").read_text()
        assert len(page.splitlines()) <= 120
        assert results.rendered(page, ROOT / "docs" / "data") == page, "run python bench/results.py"

    def test_means_of_two_clips(self, results):
        measured = {"sharp_input": 30.0, "sharp_result": 31.0, "worst_blurry": 1.0}
        rows = [
            self.row("plain", blurry_input=20.0, blurry_result=24.0, **measured),
            self.row("plain", blurry_input=22.0, blurry_result=30.0, sharp_gain=3.0, worst_blurry=-0.5),
        ]
        line = results.quality_table(rows).splitlines()[2]
        assert line == "| plain | 2 | 21.00 | 27.00 | +6.00 | - | -0.50 | +2.00 | - | - |"

    def test_what_quality_writes_of_a_sharp_clip(self, results):
        row = json.loads(json.dumps(self.row("sharp", blurry_input=float("nan"), blurry_result=float("nan"))))
        row |= {"sharp_input": 40.0, "sharp_result": 40.0, "worst_blurry": 0.0, "drift": 0.01, "input_drift": 0.01}
        row |= {"flicker": 1.0, "input_flicker": 1.0}
        line = results.quality_table([row]).splitlines()[2]
        assert line == "| sharp | 1 | - | - | - | - | - | +0.00 | 0.010 (0.010) | 1.00 (1.00) |"

    def test_new_rows_replace_a_whole_kind(self, results, tmp_path):
        old = [self.row("plain", clip="x"), self.row("plain", clip="y"), self.row("night", clip="x")]
        results.write(tmp_path / "quality.jsonl", old)
        results.add_quality(tmp_path, [self.row("plain", clip="z")], {"date": "2026-12-01", "commit": "abc"})
        rows = results.read(tmp_path / "quality.jsonl")
        assert [(row["kind"], row["clip"]) for row in rows] == [("night", "x"), ("plain", "z")]
        assert rows[1]["commit"] == "abc"

    def test_real_frames_become_a_row(self, results, tmp_path):
        results.write(tmp_path / "real.jsonl", [{"clip": "one", "frames": 9}, {"clip": "two", "frames": 9}])
        frames = [{"before": 0.2, "result": 0.7}, {"before": 0.4, "result": 0.9}, {"before": 0.9, "result": 1.1}]
        results.add_real(tmp_path, "one", frames, {"date": "2026-12-01"})
        first = results.read(tmp_path / "real.jsonl")[0]
        assert first == {"clip": "one", "date": "2026-12-01", "frames": 3, "before": 0.4, "result": 0.9, "reach": 0.667}

    @staticmethod
    def row(kind: str, **values):
        return {"clip": "clip", "kind": kind, "preset": "fast", "date": "2026-01-01", **values}
