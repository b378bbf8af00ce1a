"""The command line: exit codes, one sentence on stderr, nothing left behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from clips_for_tests import MIXED, film, names, never, seen, sound_only, unmoved, views
from selfhvd.backbones.backbone import Needs
from selfhvd.errors import DeviceError, SelfHVDError, WeightsError
from selfhvd.forecast.pace import Pace
from selfhvd.run.config import preset_config
from selfhvd.weights import BASE_WEIGHTS

pytestmark = pytest.mark.unchecked

COMMAND = [sys.executable, "-m", "selfhvd"]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(__file__).resolve().parents[1] / "src"),
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture
def run(run, quickly):
    """A step for each stage."""
    quickly(steps=1)
    return run


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Clips that are only read."""
    folder = tmp_path_factory.mktemp("shelf")
    film(folder / "mixed.mp4", views())
    film(folder / "sharp.mp4", views(4, 64, 48, unmoved))
    return folder


@pytest.fixture
def clip(tmp_path, shelf):
    path = tmp_path / "clip.mp4"
    path.write_bytes((shelf / "mixed.mp4").read_bytes())
    return path


def assert_one_sentence(err):
    assert len(err.splitlines()) == 1, err
    assert err.startswith("selfhvd: ") and err.rstrip().endswith((".", ")", "written"))
    assert "Traceback" not in err


RESULTS = ["clip.mp4", "clip_deblurred.mp4", "clip_deblurred.report.html", "clip_deblurred.run.json"]


def test_bare_call_is_deblur(run, clip):
    bare = run(clip)
    assert bare.code == 0, bare.err
    assert names(clip.parent) == RESULTS
    assert bare.out == f"{clip.parent / 'clip_deblurred.mp4'}\n"
    assert "33% of the frames are sharp." in bare.err and "stage 2: 1/1" in bare.err
    first = (clip.parent / "clip_deblurred.mp4").read_bytes()
    named = run("deblur", clip, "--quiet", "--no-report", "--output", clip.parent / "again.mp4")
    assert (named.code, named.err, named.out) == (0, "", f"{clip.parent / 'again.mp4'}\n")
    assert (clip.parent / "again.mp4").read_bytes() == first
    assert names(clip.parent) == ["again.mp4", *RESULTS]


def test_options_arrive(run, clip, monkeypatch):
    given = []

    def deblur(source, output, **named):
        given.append((source, output, named))
        raise SelfHVDError("enough.")

    monkeypatch.setattr("selfhvd.cli.clip_runs.deblur", deblur)
    words = "--preset balanced --seed 7 --segment 5 --max-minutes 1.5 --device cpu --from-scratch --overwrite"
    assert run(clip, "-o", "x.mkv", *words.split(), "--no-report", "--backbone", "estrnn").code == 1
    source, output, named = given[0]
    config = named["config"]
    assert (source, output, named["overwrite"], named["report"]) == (clip, Path("x.mkv"), True, False)
    assert (config.preset, config.seed, config.max_minutes, config.device) == ("balanced", 7, 1.5, "cpu")
    assert config.from_scratch and config.backbone == "estrnn" and config.adapt.stage_one.rate == 5e-4
    assert config.sharp.segment == config.resolved().adapt.batch.segment == 5
    words = "--flow raft --flow-weights r.safetensors --flow-resolution 0.25"
    assert run(clip, "--weights", BASE_WEIGHTS, *words.split()).code == 1
    config = given[1][2]["config"]
    assert (config.backbone, config.weights, config.flow) == ("lite", BASE_WEIGHTS, "raft")
    assert (config.flow_weights, config.align.resolution) == (Path("r.safetensors"), 0.25)


def test_only_who_asks_learns(run, clip, monkeypatch):
    """`run` makes presets quick, so that these are met without it."""
    monkeypatch.setattr("selfhvd.run.config.preset_config", preset_config)
    monkeypatch.setattr("selfhvd.forecast.pace.measure_pace", lambda config: Pace(2e-6, 1e-6, Needs(), "dis", "cpu"))
    told = {
        "": "uses the weights as they are",
        f"--weights {BASE_WEIGHTS}": "uses the weights as they are",
        "--adapt": "learns for at most 450 steps",
        f"--adapt --weights {BASE_WEIGHTS} --preset balanced": "learns for at most 900 steps",
        "--from-scratch": "learns for at most 450 steps",
        "--adapt --max-minutes 0": "uses the weights as they are",
    }
    for words, said in told.items():
        assert said in run(clip, "--dry-run", *words.split()).out, words


def test_weights_that_are_given_are_used_as_they_are(run, clip, monkeypatch):
    monkeypatch.setattr("selfhvd.run.config.preset_config", preset_config)
    done = run(clip, "--weights", BASE_WEIGHTS, "--device", "cpu", "--progress", "lines")
    assert done.code == 0 and "stage 1" not in done.err
    found = json.loads((clip.parent / RESULTS[3]).read_text())
    assert found["adaptation"] is None and found["weights"] == str(BASE_WEIGHTS)
    assert found["settings"]["adapt_first"] is False
    assert "it was not adapted to this clip" in (clip.parent / RESULTS[2]).read_text()


@pytest.mark.parametrize(
    "words", ["--from-scratch --weights w.safetensors", "--flow-resolution 0", "--flow-resolution 1.5"]
)
def test_options_that_make_no_sense(run, clip, words):
    refused = run(clip, *words.split())
    assert refused.code == 2
    assert_one_sentence(refused.err)


@pytest.mark.slow
def test_no_minutes_at_all_still_gives_a_clip(run, clip, tmp_path_factory):
    assert run(clip, "--max-minutes", "0", "-q").code == 0
    assert names(clip.parent) == RESULTS
    after = seen(clip.parent / RESULTS[1], tmp_path_factory.mktemp("cache") / "out")
    assert (len(after), after.width, after.height) == (12, 64, 48)
    found = json.loads((clip.parent / RESULTS[3]).read_text())
    assert found["settings"]["max_minutes"] == 0 and found["adaptation"] is None


def test_existing_output(run, shelf, tmp_path):
    target = tmp_path / "out.mp4"
    target.write_bytes(b"old")
    refused = run(shelf / "sharp.mp4", "-o", target)
    assert refused.code == 4 and "exists" in refused.err
    assert_one_sentence(refused.err)
    assert target.read_bytes() == b"old" and names(tmp_path) == ["out.mp4"]
    assert run(shelf / "sharp.mp4", "-o", target, "--overwrite").code == 0
    assert target.read_bytes() == (shelf / "sharp.mp4").read_bytes()


@pytest.mark.slow
def test_overwrite_replaces_a_folder(run, clip):
    folder = clip.parent / "shots"
    folder.mkdir()
    (folder / "old.png").write_bytes(b"old")
    refused = run(clip, "-o", folder, "--max-minutes", "0")
    assert refused.code == 4 and names(folder) == ["old.png"]
    assert run(clip, "-o", folder, "--max-minutes", "0", "--overwrite", "--no-report").code == 0
    assert names(folder) == [f"{i:08d}.png" for i in range(12)]
    assert names(clip.parent) == ["clip.mp4", "shots"]


def test_output_that_is_the_input(run, clip):
    before = clip.read_bytes()
    for output in (clip, clip.parent / "." / "clip.mp4"):
        refused = run(clip, "-o", output, "--overwrite")
        assert refused.code == 2 and "input itself" in refused.err
        assert_one_sentence(refused.err)
    assert clip.read_bytes() == before and names(clip.parent) == ["clip.mp4"]


@pytest.mark.parametrize(
    ("output", "code", "sentence"),
    [("nowhere/out.mp4", 4, "does not exist"), ("clip.mp4/out.mp4", 4, "no folder"), ("out.docx", 2, "cannot be")],
)
def test_outputs_that_cannot_be(run, clip, output, code, sentence):
    refused = run(clip, "-o", clip.parent / output)
    assert refused.code == code and sentence in refused.err
    assert_one_sentence(refused.err)
    assert names(clip.parent) == ["clip.mp4"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that even root cannot write to")
def test_output_folder_that_cannot_be_written(run, clip):
    refused = run(clip, "-o", "/proc/out.mp4")
    assert refused.code == 4 and "/proc cannot be written" in refused.err
    assert_one_sentence(refused.err)


BAD = {
    "does not exist": lambda path: None,
    "empty file": lambda path: path.write_bytes(b""),
    "is not a video": lambda path: path.write_text("Dear diary, this is no film.\n" * 50),
    "no moving picture": sound_only,
}


@pytest.mark.parametrize("command", ["deblur", "inspect"])
@pytest.mark.parametrize("sentence", BAD)
def test_inputs_that_are_no_video(run, tmp_path, sentence, command):
    source = tmp_path / "bad.mp4"
    BAD[sentence](source)
    before = names(tmp_path)
    refused = run(command, source)
    assert refused.code == 3 and sentence in refused.err and "bad.mp4" in refused.err
    assert_one_sentence(refused.err)
    assert refused.out == "" and names(tmp_path) == before


@pytest.mark.parametrize("share", [0.3, 0.95])
def test_cut_file(run, clip, share):
    data = clip.read_bytes()
    clip.write_bytes(data[: int(share * len(data))])
    done = run(clip, "--max-minutes", "0")
    assert "Traceback" not in done.err
    if done.code == 0:
        assert "warning: " in done.err and names(clip.parent) == RESULTS
    else:
        assert done.code == 3 and names(clip.parent) == ["clip.mp4"]
        assert_one_sentence(done.err)


def test_missing_input_in_a_missing_folder_is_an_input_error(run, tmp_path):
    refused = run(tmp_path / "holiday" / "clip.mp4")
    assert refused.code == 3 and "clip.mp4 does not exist" in refused.err
    assert_one_sentence(refused.err)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--device", "abacus"], 2),
        (["--segment", "0"], 2),
        (["--max-minutes", "-1"], 2),
        (["--weights", "/nowhere/w.safetensors"], 6),
    ],
)
def test_settings_that_make_no_sense(run, clip, words, code):
    refused = run(clip, *words, "-q")
    assert refused.code == code
    assert_one_sentence(refused.err)
    assert names(clip.parent) == ["clip.mp4"]


@pytest.mark.parametrize("words", [["clip.mp4", "--overwritee"], ["inspectt", "clip.mp4"], ["deblur", "--preset", "x"]])
def test_wrong_words(run, words):
    refused = run(*words)
    assert refused.code == 2 and refused.err and "Traceback" not in refused.err


def test_a_suggestion(run):
    assert "Did you mean --overwrite" in run("clip.mp4", "--overwritee").err
    assert "Did you mean --max-minutes" in run("clip.mp4", "--max-minute", "3").err


def test_help_and_version(run):
    shown = run("--help")
    assert shown.code == 0 and shown.err == ""
    assert "--max-minutes" in shown.out and "inspect" in shown.out
    assert run("--version").out.strip()[0].isdigit()
    assert "--plot" in run("inspect", "--help").out


def test_help_says_that_from_scratch_is_not_the_papers(run):
    words = " ".join(run("deblur", "--help").out.replace("│", " ").split())
    said = words[words.index("--from-scratch ") :]
    said = said[: said.index("--max-minutes ")]
    for wanted in ("learn on this clip alone", "no row of the paper", "one network on a training set", "(Table 3)"):
        assert wanted in said


def test_help_gives_examples_and_exit_codes(run):
    words = " ".join(run("--help").out.split())
    for wanted in ("selfhvd clip.mp4", "selfhvd inspect clip.mp4", "selfhvd demo", "130 interrupted"):
        assert wanted in words


def test_inspect_table(run, clip):
    shown = run("inspect", clip)
    assert shown.code == 0 and names(clip.parent) == ["clip.mp4"]
    assert "12 frames, 64x48; 4 chosen as sharp" in shown.out and "33% of the frames are sharp." in shown.out
    rows = [line for line in shown.out.splitlines() if "│" in line]
    assert len(rows) == 12 and [i for i, row in enumerate(rows) if "not blurred" in row] == list(MIXED)


def test_inspect_json(run, clip):
    shown = run("inspect", clip, "--json")
    facts = json.loads(shown.out)
    assert (shown.code, shown.err) == (0, "")
    assert facts["sharp"] == list(MIXED) and facts["verdict"] == "mixed" and facts["frames"] == 12
    assert facts["noisy"] is False
    assert len(facts["sharpness"]) == len(facts["scores"]) == len(facts["seconds"]) == 12
    assert facts["seconds"][1] == pytest.approx(1 / 30) and facts["warnings"] == []


def test_inspect_plot(run, clip):
    assert run("inspect", clip, "-q", "--plot", clip.parent / "plot.png").code == 0
    assert cv2.imread(str(clip.parent / "plot.png")).shape[2] == 3
    refused = run("inspect", clip, "-q", "--plot", clip.parent / "no" / "plot.png")
    assert refused.code == 4
    assert_one_sentence(refused.err)


def test_inspect_plot_never_lands_on_the_clip(run, clip):
    before = clip.read_bytes()
    assert run("inspect", clip, "-q", "--plot", clip).code in (2, 4)
    assert clip.read_bytes() == before


@pytest.mark.slow
def test_verdicts_in_words(run, shelf, tmp_path):
    assert "There is nothing to do" in run(shelf / "sharp.mp4", "-o", tmp_path / "a.mp4").err
    blurry = film(tmp_path / "blurry.mp4", views(4, 64, 48, never))
    assert "No frame is sharp" in run(blurry, "--no-report").err


@pytest.mark.slow
def test_interrupted_again_and_again(run, clip, breaking, monkeypatch):
    def stop(*given, **named):
        raise KeyboardInterrupt

    # Once the clip itself is whole it stays.
    for stage, made in (("stage 1", []), ("restore", []), ("report", ["clip_deblurred.mp4"])):
        with breaking(stage, KeyboardInterrupt), monkeypatch.context() as patch:
            if stage == "report":
                patch.setattr("selfhvd.run.job.write_report", stop)
            stopped = run(clip, "-q")
        assert stopped.code == 130
        left = names(clip.parent)
        assert left == [".clip_deblurred.mp4.selfhvd", "clip.mp4", *made]
        assert "Traceback" not in stopped.err and "the same command goes on" in stopped.err
        assert str(clip.parent / left[0]) in stopped.err.replace("\n", "")
    assert run(clip, "-q").code == 0 and names(clip.parent) == RESULTS


def test_an_interruption_is_said_in_words(run, clip, breaking):
    with breaking("read", KeyboardInterrupt):
        assert_one_sentence(run(clip, "-q").err)
        assert_one_sentence(run(clip).err.splitlines()[-1])


@pytest.mark.slow
def test_unexpected_fault(run, clip, breaking):
    for words in ([], ["-v"]):
        with breaking("stage 1", ZeroDivisionError("the universe")):
            failed = run(clip, *words)
        assert failed.code == 1 and names(clip.parent) == [".clip_deblurred.mp4.selfhvd", "clip.mp4"]
        last = failed.err.splitlines()[-1]
        assert_one_sentence(last)
        assert "ZeroDivisionError: the universe" in last
        assert ("Traceback" in failed.err) is bool(words)


def test_an_unexpected_fault_of_many_lines_is_one_line(run, clip, breaking):
    with breaking("read", RuntimeError("mat1 and mat2\n\nException raised from here\nand there")):
        failed = run(clip, "-q")
        assert run(clip).err.splitlines()[-1] == failed.err.strip()
    assert failed.code == 1 and "mat1 and mat2" in failed.err
    assert_one_sentence(failed.err)


@pytest.mark.parametrize(("error", "code"), [(DeviceError("no memory."), 5), (WeightsError("torn."), 6)])
def test_exit_codes_of_errors(run, clip, monkeypatch, error, code):
    def fail(*given, **named):
        raise error

    monkeypatch.setattr("selfhvd.run.job.Deblurrer", fail)
    failed = run(clip, "-q")
    assert (failed.code, failed.err) == (code, f"selfhvd: {error}\n")


def test_demo_command(run, tmp_path, monkeypatch):
    from selfhvd.cli.demo import DemoScores

    given = []

    def run_demo(folder, **named):
        given.append((folder, named))
        return DemoScores((20.0, 21.0, 23.5), (40.0, 40.0, 40.0))

    monkeypatch.setattr("selfhvd.cli.demo.run_demo", run_demo)
    shown = run("demo", "-o", tmp_path / "d", "--seed", "3", "-q")
    assert shown.code == 0 and "+3.50" in shown.out and shown.out.endswith(f"{tmp_path / 'd'}\n")
    assert given[0][0] == tmp_path / "d" and given[0][1]["seed"] == 3


@pytest.mark.slow
@pytest.mark.subprocess
def test_terminated(clip):
    words = [*COMMAND, str(clip), "--preset", "best", "--from-scratch", "--device", "cpu"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    for line in process.stderr:
        if line.startswith("align"):
            break
    assert len(names(clip.parent)) == 2  # the clip and the work folder
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 143 and "Traceback" not in rest
    assert "the same command goes on" in rest
    assert names(clip.parent) == [".clip_deblurred.mp4.selfhvd", "clip.mp4"]


@pytest.mark.slow
@pytest.mark.subprocess
def test_quiet_means_quiet_in_a_process_of_its_own(tmp_path):
    blurry = film(tmp_path / "blurry.mp4", views(2, 64, 48, never))
    words = [*COMMAND, "blurry.mp4", "-q", "--no-report", "--max-minutes", "0", "--device", "cpu"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env=ENVIRONMENT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "blurry_deblurred.mp4\n", "")
    assert names(tmp_path) == [blurry.name, "blurry_deblurred.mp4"]
