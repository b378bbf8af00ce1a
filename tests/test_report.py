"""The report is whole, safe and self-contained; the record comes back; the plot shows what it should."""

import base64
import hashlib
import re
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from selfhvd.errors import InputError, OutputError
from selfhvd.extensions.selection import Selection, select_sharp
from selfhvd.method.scscm import ProbeScores
from selfhvd.report.facts import RunFacts
from selfhvd.report.page import Comparison, write_report
from selfhvd.report.plot import DARK, LIGHT, sharpness_plot
from selfhvd.report.record import read_run, write_run
from selfhvd.report.scale import choose_scale, round_steps, tick_text
from selfhvd.report.words import adaptation, duration, headline, percent, verdict
from selfhvd.training.config import Adaptation

EVIL = "<script>alert(1)</script>\"'&$style.mov"


def pick(values, sharp, by_segment=(), threshold=50.0, verdict="mixed"):
    return Selection(tuple(values), tuple(values), threshold, tuple(sharp), tuple(by_segment), verdict)


MIXED = pick([20.0, 30.0, 100.0, 25.0, 40.0, 30.0], sharp=(2, 4), by_segment=(4,))
ADAPTED = Adaptation(300, 150.0, ProbeScores(0.3, 90.0, 900.0), ProbeScores(0.2, 130.0, 900.0), 2, True)


def facts(**changed):
    given = RunFacts(
        source="/clips/a.mov", output="/clips/a.deblurred.mp4", frames=6, width=64, height=48, seconds=0.2,
        codec="h264", depth=8, selection=MIXED, sharpness_after=(90.0, 95.0, 100.0, 92.0, 91.0, 99.0),
        adaptation=ADAPTED, network="estrnn", weights="base", flow="raft", device="cpu",
        preset="fast", seed=7,
        settings={"adapt": {"stage": {"steps": 9}, "loss": {"on": True}}, "crf": None, "side": [1, 2]},
        timings={"read": 1.0, "adapt": 150.0}, warnings=(), versions={"selfhvd": "0.1.0"},
    )  # fmt: skip
    return replace(given, **changed)


def comparison(caption="The blurriest"):
    ramp = np.tile(np.arange(64, dtype=np.uint8)[None, :, None], (48, 1, 3))
    return Comparison(0, ramp, ramp[:, ::-1], caption)


class Page(HTMLParser):
    """What a browser would see of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.scripts, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [v for k, v in attrs if k in ("src", "srcset", "href", "action", "data", "poster")]
        assert not [k for k, _ in attrs if k.startswith("on")]
        if tag not in ("meta", "link", "img", "input", "source"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.scripts += [data] if self.open[-1:] == ["script"] else []


@pytest.fixture
def page_of(tmp_path):
    def write(facts, comparisons=()):
        write_report(tmp_path / "report.html", facts, list(comparisons))
        assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
        return (tmp_path / "report.html").read_text("utf-8")

    return write


class TestPage:
    def test_needs_nothing_else(self, page_of):
        text = page_of(facts(warnings=("One.",)), [comparison(), comparison()])
        page = Page(text)
        assert "http://" not in text and "https://" not in text and "@import" not in text and "url(" not in text
        assert all(a.startswith("data:") or a == "#found" for a in page.addresses)
        assert page.tags.count("input") == 2 and page.open == []

    def test_allows_its_own_script_only(self, page_of):
        text = page_of(facts())
        digest = base64.b64encode(hashlib.sha256("".join(Page(text).scripts).encode()).digest()).decode()
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
        assert policy is not None and f"script-src 'sha256-{digest}'" in policy[1]
        assert "default-src 'none'" in policy[1]

    def test_escapes_every_string(self, page_of):
        names = ("source", "output", "codec", "network", "weights", "flow", "device", "preset")
        evil = facts(
            **dict.fromkeys(names, EVIL), warnings=(EVIL,), settings={EVIL: {EVIL: EVIL}},
            timings={EVIL: 1.0}, versions={EVIL: EVIL},
        )  # fmt: skip
        text = page_of(evil, [comparison(EVIL)])
        page = Page(text)
        assert page.tags.count("script") == 1 and "<script>alert" not in text
        assert text.count("&lt;script&gt;alert(1)") >= len(names) + 8
        assert "$style.mov" in text  # never taken for a place of the template

    @pytest.mark.parametrize(
        "odd",
        [
            {"adaptation": None, "sharpness_after": (), "timings": {}, "settings": {}, "versions": {}},
            {"frames": 1, "selection": pick([5.0], (0,), verdict="all-sharp"), "sharpness_after": (5.0,), "left": 1},
            {"selection": pick([0.0] * 6, (3,), (3,), 0.0, "none-sharp"), "sharpness_after": (0.0,) * 6},
            {"timings": {"read": 0.0}},
        ],
    )
    def test_odd_runs(self, page_of, odd):
        assert Page(page_of(facts(source="/x/no utf-8 \udcff.mov", **odd))).open == []

    def test_settings_are_flattened(self, page_of):
        text = page_of(facts())
        for name, value in (
            ("adapt.stage.steps", "9"),
            ("adapt.loss.on", "true"),
            ("crf", "none"),
        ):
            assert f"<tr><th>{name}</th><td>{value}</td></tr>" in text
        assert "Settings (4)" in text

    def test_unwritable(self, tmp_path):
        with pytest.raises(OutputError, match=r"cannot be written \(No such file"):
            write_report(tmp_path / "no" / "report.html", facts(), [])
        with pytest.raises(OutputError, match="cannot be written"):
            write_run(tmp_path, facts())  # a folder
        assert not list(tmp_path.iterdir())


class TestRecord:
    def test_round_trip(self, tmp_path):
        write_run(tmp_path / "run.json", facts())
        run = read_run(tmp_path / "run.json")
        assert list(run) == list(RunFacts.__dataclass_fields__)
        assert run["selection"]["sharp"] == [2, 4] and run["adaptation"]["after"]["drift"] == 0.2
        assert run["settings"] == facts().settings and list(run["timings"]) == ["read", "adapt"]

    def test_what_json_has_no_form_for(self, tmp_path):
        odd = {
            "nan": np.nan,
            "inf": -np.inf,
            "rate": Fraction(30000, 1001),
            "path": Path("a/b"),
            "n": np.int64(3),
        }
        write_run(tmp_path / "run.json", facts(settings={**odd, "x": np.ones(2)}, source="é\udcff.mov"))
        run = read_run(tmp_path / "run.json")
        plain_odd = {"nan": None, "inf": None, "rate": "30000/1001", "path": "a/b", "n": 3, "x": [1.0, 1.0]}
        assert run["settings"] == plain_odd and run["source"] == "é\udcff.mov"

    @pytest.mark.parametrize("content", [None, b"", b"[1]", b"\xff"])
    def test_no_record(self, tmp_path, content):
        if content is not None:
            (tmp_path / "run.json").write_bytes(content)
        with pytest.raises(InputError, match="record of a run"):
            read_run(tmp_path / "run.json")


def has(image, colour):  # rows and columns
    return np.argwhere((np.asarray(image) == colour).all(-1))


class TestPlot:
    def test_size_and_theme(self):
        assert sharpness_plot(pick([np.nan, np.inf, 3.0], (2,)), [1.0, np.nan, 2.0]).size == (1200, 420)
        dark = sharpness_plot(MIXED, width=800, height=680, theme=DARK, zoom=2.0)
        assert dark.size == (800, 680) and dark.getpixel((0, 0)) == DARK.ground

    def test_mark_stands_at_its_frame(self):
        image = sharpness_plot(pick([10.0, 10.0, 90.0, 10.0], sharp=(2,)))
        marks = np.array([at for at in has(image, LIGHT.mark) if at[0] > 90])  # below the legend
        x = 62 + 2.5 / 4 * (1200 - 18 - 62)
        assert abs(marks[:, 1].mean() - x) < 1 and marks[:, 0].mean() < 200

    def test_segment_pick_is_hollow(self):
        filled = sharpness_plot(pick([10.0, 90.0, 10.0], sharp=(1,)))
        hollow = sharpness_plot(pick([10.0, 90.0, 10.0], sharp=(1,), by_segment=(1,)))
        assert 0 < len(has(hollow, LIGHT.mark)) < len(has(filled, LIGHT.mark))

    def test_second_curve_only_when_given(self):
        assert len(has(sharpness_plot(MIXED), LIGHT.after)) == 0
        low, high = (np.median(has(sharpness_plot(MIXED, [v] * 6), LIGHT.after)[:, 0]) for v in (10.0, 80.0))
        assert high < low

    @pytest.mark.parametrize(
        ("count", "law"),
        [
            (1, "wild"),
            (30, "zeros"),
            (700, "equal"),
            (700, "wild"),
            pytest.param(100_000, "wild", marks=pytest.mark.slow),
        ],
    )
    def test_any_length_and_values(self, count, law):
        rng = np.random.default_rng(count)
        values = {
            "zeros": np.zeros(count),
            "equal": np.full(count, 7.5),
            "wild": 10 ** rng.uniform(-9, 5, count),
        }[law]
        chosen = select_sharp(values.tolist(), [False] * count, [3.0] * count)
        image = sharpness_plot(chosen, values.tolist(), 400, 300)
        assert len(has(image, LIGHT.mark)) and len(has(image, LIGHT.after))


class TestScale:
    def test_ticks(self):
        assert round_steps(100.0, 5) == (0, 20, 40, 60, 80, 100)
        assert round_steps(2.0, 10, 1.0) == (0, 1, 2) and round_steps(0.0, 5, 1.0) == (0,)
        assert [tick_text(v) for v in (0.0, 0.05, 2.5, 40.0, 1e5)] == ["0", "0.05", "2.5", "40", "100,000"]
        near, far = choose_scale(np.array([10.0, 100.0]), 5), choose_scale(np.array([0.0, 1.0, 1000.0]), 5)
        assert not near.is_log and near.low == 0 and far.is_log
        assert far.share(np.array([0.0, 1e9])).tolist() == [0, 1]
        assert all(far.low <= t <= far.high for t in far.ticks) and len(far.ticks) >= 3


class TestWords:
    def test_headline(self):
        said = "5 of 6 frames of a.mov were blurry; they were deblurred in 2 min 31 s, and the median sharpness"
        assert headline(facts()) == f"{said} rose from 30 to 94."
        assert headline(facts(sharpness_after=(30.0,) * 6)).endswith("stayed at 30.")
        assert headline(facts(sharpness_after=())).endswith("in 2 min 31 s.")

    @pytest.mark.parametrize("done", [None, replace(ADAPTED, kept=False)])
    def test_a_clip_that_nothing_was_learned_from_was_not_deblurred(self, done):
        said = "Nothing was learned that does better than a.mov itself, so it was left as it came."
        assert headline(facts(adaptation=done, weights="none")) == said
        assert "deblurred" in headline(facts(adaptation=done)) and "deblurred" in headline(facts(weights="none"))

    def test_verdicts(self):
        none = facts(selection=replace(MIXED, sharp=(4,), verdict="none-sharp"))
        assert "from the general model, not from the clip" in verdict(none)
        done = facts(
            selection=replace(MIXED, sharp=tuple(range(6)), by_segment=(), verdict="all-sharp"),
            adaptation=None,
            left=6,
        )
        assert headline(done) == "a.mov was already sharp and has been copied." and "copied" in verdict(done)
        assert "1 more stood in" in verdict(facts()) and "noisy" not in verdict(facts())
        kept, restored = (verdict(facts(settings={"restore": {"which": which}})) for which in ("blurry", "auto"))
        assert "--keep-sharp" in restored and kept == verdict(facts()) == restored.split(" Its sharp frames")[0]
        assert verdict(facts(left=2)) == f"{kept} 2 frames came back as they came."
        assert adaptation(facts(adaptation=None)).startswith("The network was used as it came")
        nothing = "Nothing was learned, so the clip was left as it came."
        assert adaptation(facts(adaptation=None, weights="none")) == nothing
        assert "did worse" in adaptation(facts(adaptation=replace(ADAPTED, kept=False)))

    def test_numbers(self):
        spans = [duration(s) for s in (0.0, 0.01, 0.84, 9.97, 59.6, 3840.0)]
        assert spans == ["0.0 s", "under 0.1 s", "0.8 s", "10 s", "1 min 00 s", "1 h 04 min"]
        shares = [percent(s).replace("\N{NO-BREAK SPACE}", " ") for s in (0.0, 0.001, 0.5, 0.999, 1.0)]
        assert shares == ["0 %", "under 1 %", "50 %", "over 99 %", "100 %"]
