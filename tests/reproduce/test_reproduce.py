"""`selfhvd reproduce`: every table by its rows, on tiny trees; what is finished is looked up, what lacks is named."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from clips_for_tests import views
from datasets_for_training import draw
from selfhvd.errors import Stopped, UsageError
from selfhvd.extensions.selection import Selection
from selfhvd.research.reproduce import TABLES, Findings, Site, Size, as_markdown, labelled, on_made_clips, run_table
from selfhvd.research.reproduce import run as running
from selfhvd.research.reproduce.extent import Extent
from selfhvd.research.reproduce.jobs import job_of, missing
from selfhvd.research.reproduce.plan import as_text, plan, store_bytes
from selfhvd.research.reproduce.report import columns_of, orders_of
from selfhvd.research.reproduce.rows import Place, Setup
from selfhvd.research.reproduce.run import datasets_of
from selfhvd.system.progress import silent
from selfhvd.training.recipe import difference
from selfhvd.weights.choose_flow import choose_flow

pytestmark = pytest.mark.unchecked

TINY = Size(train=1, test=1, frames=12, width=64, height=48, steps=2, crop=32, window=3)
QUICK = ("method.align_every=0", "method.probes=1", "method.checks=1", 'device="cpu"', "method.frames=6")
SETTINGS = {
    "basicvsrpp": (
        "network.settings.mid_channels=8",
        "network.settings.num_blocks=1",
        "network.settings.deform_groups=2",
    ),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Every dataset, in the layout of made clips; HVD too has a truth."""
    root = tmp_path_factory.mktemp("data")
    for name in sorted({name for table in TABLES.values() for name in datasets_of(table)}):
        for part in ("train", "test"):
            draw(root / name / f"{part}_blur" / "a", views(12, width=64, height=48, sharp=[0, 4, 9]))
            draw(root / name / f"{part}_gt" / "a", views(12, width=64, height=48, sharp=lambda index: True))
            labels = root / "labels" / name / part
            labels.mkdir(parents=True)
            (labels / "a.txt").write_text("\n".join("1" if i in (0, 4, 9) else "0" for i in range(12)))
    return root


@pytest.fixture
def tiny(data, monkeypatch):
    """Tables on those trees instead of filmed ones."""
    monkeypatch.setattr(running, "make_data", lambda *given: data)
    return lambda out, *more: Site(data, out, (*QUICK, *more), small=TINY)


def made(number: str, site: Site, **more) -> Findings:
    return run_table(on_made_clips(TABLES[number]), site, **more)


def finite(found: Findings, table) -> bool:
    return all(
        "psnr" in found.values[row.name, number, 0]
        for row in table.rows
        for number, result in enumerate(row.results)
        if result.setup.method != "select"
    )


NAMES = {
    "1": ["IFIRNN, supervised", "RVRT, supervised", "BasicVSR++, supervised", "Ren et al.", "DaDeblur",
          "SelfHVD, IFIRNN", "SelfHVD, RVRT", "SelfHVD, BasicVSR++"],
    "2": ["none", "SCSCM only", "SEVD only", "both"],
    "3": ["ESTRNN", "ESTRNN + DaDeblur", "ESTRNN + SelfHVD"],
    "6": ["random removal", "RSCR without SIS", "RSCR + SIS"],
    "A": ["HVD", "GoProShake", "GoPro", "BSD/BSD_1ms8ms", "BSD/BSD_2ms16ms", "BSD/BSD_3ms24ms", "RealBlur", "RBVD"],
    "B": ["none", "occlusion", "uncertainty", "both"],
    "C": ["1", "2", "3"],
    "D": ["RAFT", "FlowFormer++", "SEA-RAFT"],
    "E": ["5", "10", "20", "30"],
    "F": ["from scratch", *(f"{name}, {how}" for name in ("RealBlur", "BSD2-16", "GoPro", "GoProShake")
                            for how in ("not adapted", "adapted"))],
}  # fmt: skip


class TestTables:
    def test_rows_are_called_as_in_the_paper(self):
        assert {number: [row.name for row in table.rows] for number, table in TABLES.items()} == NAMES

    def test_orders_name_rows_that_there_are(self):
        for table in TABLES.values():
            names = {row.name for row in table.rows}
            assert {name for order in table.orders for name in order} <= names

    def test_recipes_read_and_rows_differ_as_they_should(self, tmp_path):
        site = Site(tmp_path, tmp_path / "run")
        both, none = (job_of(TABLES["B"].rows[n].results[0].setup, site) for n in (3, 0))
        assert difference(both.recipe, none.recipe) == [
            "align.use_in_frame", "align.use_occlusion", "align.use_uncertainty", "network.weights",
        ]  # fmt: skip
        short = job_of(TABLES["E"].rows[0].results[1].setup, site)
        assert difference(both.recipe, short.recipe) == ["method.batch.segment", "network.weights", "sharp.segment"]
        none = job_of(TABLES["2"].rows[0].results[0].setup, site)
        assert difference(both.recipe, none.recipe) == [
            "method.loss.consistency",
            "method.loss.rscr",
            "method.loss.sis",
        ]

    def test_beyond_the_border_all_is_trusted_without_any_mask_alone(self):
        setups = [(t.number, row.name, r.setup) for t in TABLES.values() for row in t.rows for r in row.results]
        off = [(number, name) for number, name, setup in setups if "align.use_in_frame=false" in setup.changes]
        assert off == [("B", "none")]

    def test_alike_rows_are_one_training(self, tmp_path):
        site = Site(tmp_path, tmp_path / "run")
        full = [TABLES["2"].rows[3], TABLES["6"].rows[2], TABLES["B"].rows[3], TABLES["C"].rows[1], TABLES["D"].rows[2]]
        assert len({job_of(row.results[0].setup, site).folder for row in full}) == 1
        bound = TABLES["1"].rows[2].results[0].setup
        start = TABLES["F"].rows[7].results[0].setup.start
        assert start is not None and job_of(start.taught, site).folder == job_of(bound, site).folder

    def test_rows_that_differ_in_the_second_stage_share_the_first(self, tmp_path):
        site = Site(tmp_path, tmp_path / "run")
        setups = [row.results[0].setup for number in "26C" for row in TABLES[number].rows]
        firsts = [job_of(setup, site).first for setup in setups]
        assert len({first and first.folder for first in firsts}) == 1
        begun = firsts[0]
        assert begun is not None and begun.recipe.method.stage_two.steps == 0
        after = job_of(setups[0], site).recipe
        assert (after.method.stage_one.steps, after.network.weights) == (0, str(begun.result))
        masks = [job_of(row.results[0].setup, site).first for row in TABLES["B"].rows]
        assert len({first.folder for first in masks if first}) == 4

    def test_what_is_set_wins_over_every_row(self, tmp_path):
        site = Site(tmp_path, tmp_path, ("method.updates=7",))
        setups = [row.results[0].setup for row in TABLES["C"].rows]
        assert {job_of(setup, site).recipe.method.updates for setup in setups} == {7}
        with pytest.raises(UsageError, match=r"no key method\.nothing"):
            job_of(setups[0], Site(tmp_path, tmp_path, ("method.nothing=7",)))


class TestRuns:
    @pytest.mark.parametrize("number", ["6", "A"])
    def test_quick_tables(self, number, tiny, tmp_path):
        found = made(number, tiny(tmp_path, *SETTINGS["basicvsrpp"]))
        assert not found.missing and not found.faults and {name for name, _, _ in found.values} == set(NAMES[number])
        if number == "A":
            assert all(0 < values["share"] <= 100 for values in found.values.values())
        else:
            assert finite(found, TABLES[number]) and len(list((tmp_path / "runs").iterdir())) == 4

    @pytest.mark.slow
    @pytest.mark.parametrize("number", ["2", "B", "C", "E", "F"])
    def test_tables_of_basicvsrpp(self, number, tiny, tmp_path):
        found = made(number, tiny(tmp_path))
        assert not found.missing and not found.faults and finite(found, TABLES[number])
        if number == "E":
            chosen = [found.values[row.name, 0, 0] for row in TABLES["E"].rows]
            assert all({"chosen", "agreement", "share"} <= set(values) for values in chosen)

    @pytest.mark.slow
    @pytest.mark.parametrize("number", ["1", "3"])
    def test_tables_of_several_methods(self, number, tiny, tmp_path):
        found = made(number, tiny(tmp_path, "method.batch.window=4"))
        assert not found.missing and not found.faults and finite(found, TABLES[number])

    @pytest.mark.slow
    def test_table_of_flows_where_they_are_there(self, tiny, tmp_path, monkeypatch):
        """Their weights are not at hand here: DIS stands for each."""
        asked = []

        def chosen(name, *given, **named):
            asked.append(name)
            return choose_flow("dis")

        monkeypatch.setattr("selfhvd.training.job.choose_flow", chosen)
        monkeypatch.setattr("selfhvd.research.reproduce.jobs._missing_flow", lambda job: [])
        found = made("D", tiny(tmp_path, *SETTINGS["basicvsrpp"]))
        assert (
            not found.missing
            and finite(found, TABLES["D"])
            and asked
            == [
                name
                for flow in ("raft", "flowformer++", "sea-raft-m")
                for name in (flow, flow)  # a stage each
            ]
        )

    def test_flows_that_are_not_there_are_named(self, tiny, tmp_path, monkeypatch):
        monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path / "cache"))
        told = []
        found = made("D", tiny(tmp_path), tell=told.append)
        assert not found.values and len(found.missing) == len(told) == 3
        assert "`selfhvd weights fetch raft` fetches them" in told[0] and "ptlflow" in told[1]

    def test_finished_rows_are_looked_up_and_a_cut_training_goes_on(self, tiny, tmp_path, monkeypatch):
        table = replace(TABLES["6"], rows=TABLES["6"].rows[:2])
        site = tiny(tmp_path, *SETTINGS["basicvsrpp"], "save_every=1", "method.stage_two.steps=3")
        asked = []

        def on_progress(stage, done, total):
            if stage == "stage 2" and done == 2 and len(list((tmp_path / "results").glob("*.json"))) == 1:
                asked.append(1)

        with pytest.raises(Stopped):
            run_table(table, site, on_progress=on_progress, stop=lambda: bool(asked))
        (kept,) = (tmp_path / "results").iterdir()
        facts = json.loads(kept.read_text())
        kept.write_text(json.dumps({**facts, "values": {"psnr": 12.5, "ssim": 0.5}}))
        began = []
        found = run_table(table, site, on_progress=lambda stage, done, total: began.append((stage, done)))
        assert found.values["random removal", 0, 0]["psnr"] == 12.5
        steps = [step for step in began if step[0].startswith("stage")]
        assert steps == [("stage 2", 3)]


class TestSelection:
    def test_how_far_a_person_agrees_by_hand(self, tmp_path, monkeypatch):
        """Of clip a three of twelve are chosen, two of them rightly, one is overlooked; of clip b nobody has told."""
        chosen = iter(((0, 4, 9), (1, 2, 3)))
        found = Selection((1.0,) * 12, (1.0,) * 12, 0.5, (), (), "mixed")
        monkeypatch.setattr(labelled, "find_sharp", lambda *given: replace(found, sharp=next(chosen)))
        for name in "ab":
            draw(tmp_path / "HVD" / "test_blur" / name, views(12, width=64, height=48))
        labels = tmp_path / "labels" / "HVD" / "test" / "a.txt"
        labels.parent.mkdir(parents=True)
        labels.write_text("\n".join("1" if i in (0, 4, 7) else "0" for i in range(12)))
        site = Site(tmp_path, tmp_path / "run")
        job = job_of(Setup("hvd-basicvsrpp", method="select"), site)
        faults = []
        values = labelled.measure_selection(job, Place("HVD", "hvd"), site, silent, faults.append)
        assert values == pytest.approx({"share": 100 * 6 / 24, "chosen": 100 * 2 / 3, "agreement": 100 * 10 / 12})
        assert not faults


class TestMissing:
    def test_datasets_and_weights_are_named(self, tmp_path, monkeypatch):
        monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path / "cache"))
        site = Site(tmp_path, tmp_path / "run")
        said = " ".join(missing(job_of(TABLES["3"].rows[2].results[0].setup, site), site))
        for part in ("weights/estrnn-gopro.safetensors", f"{tmp_path}/GoPro", "BSD/BSD_1ms8ms", "fetch sea-raft-m",
                     "fetch vgg19"):  # fmt: skip
            assert part in said
        told = []
        found = run_table(TABLES["A"], site, tell=told.append)
        assert len(found.missing) == 8 and not found.values and f"there is no {tmp_path}/HVD" in told[0]

    def test_weights_that_are_there_are_taken(self, tmp_path):
        path = tmp_path / "weights" / "estrnn-gopro.safetensors"
        path.parent.mkdir()
        path.write_bytes(b"")
        job = job_of(TABLES["3"].rows[2].results[0].setup, Site(tmp_path, tmp_path / "run"))
        assert job.recipe.network.weights == str(path) and job.first is None


class TestPlan:
    def test_real_sizes_need_no_data(self, tmp_path, monkeypatch):
        from selfhvd.research.reproduce import plan as planning

        monkeypatch.setattr(planning, "step_seconds", lambda recipe: 2.0)
        monkeypatch.setenv("SELFHVD_CACHE", str(tmp_path / "cache"))
        found = plan(TABLES["6"], Site(tmp_path, tmp_path / "run"))
        assert [p.steps for p in found] == [100_000] + [200_000] * 3
        assert [p.seconds for p in found] == pytest.approx([2 * 100e3] + [2 * 5 / 3 * 200e3] * 3)
        assert found[0].disk == 2 * 16 * 22 * 96 * 1280 * 720  # 2103 frames of 22 clips, rounded up
        text = as_text(TABLES["6"], found, 1)
        assert "| train goproshake-basicvsrpp, GoProShake | random removal | 200000 | 200000 |" in text
        assert "there is no" in text and not (tmp_path / "run").exists()

    def test_the_pace_is_measured(self, tiny, tmp_path):
        site = replace(tiny(tmp_path, *SETTINGS["basicvsrpp"]), data=tmp_path / "yet to be filmed")
        (first, *_) = plan(on_made_clips(TABLES["6"]), site)
        assert not first.missing and first.extent == Extent(1, 12, 64, 48, counted=True)
        assert first.seconds is not None and 0 < first.seconds < 60

    def test_bytes_of_a_training_frame(self, tmp_path):
        site = Site(tmp_path, tmp_path, ("method.align_every=0",))
        job = job_of(TABLES["6"].rows[0].results[0].setup, site)
        assert store_bytes(job, Extent(1, 10, 20, 30)) == 16 * 10 * 600
        lite = job_of(
            TABLES["6"].rows[0].results[0].setup, replace(site, changes=(*site.changes, 'network.backbone="lite"'))
        )
        assert store_bytes(lite, Extent(1, 10, 20, 30)) == 26 * 10 * 600
        taught = job_of(TABLES["1"].rows[0].results[0].setup, site)
        assert store_bytes(taught, Extent(1, 10, 20, 30)) == 6 * 10 * 600


class TestReport:
    def test_means_spreads_and_orders(self, tmp_path):
        table = TABLES["B"]
        found = Findings()
        for seed, pair in enumerate(((30.0, 32.0), (31.0, 30.5))):
            for name, value in zip(("none", "occlusion"), pair, strict=True):
                found.values[name, 0, seed] = {"psnr": value, "ssim": 0.9}
        found.missing["both on GoProShake"] = "there are no weights."
        text = as_markdown(table, Site(tmp_path, tmp_path), 2, found, "selfhvd reproduce B", 90.0)
        assert "| none | 30.50 ± 0.71 | 36.13 | 0.9000 ± 0.0000 | .9157 |" in text
        assert "| both | missing | 37.44 | missing | .9359 |" in text and "## Missing" in text
        orders = list(orders_of(table, 2, found))
        assert orders[0] == "none < occlusion (GoProShake): holds for 1 of 2 seeds, by +0.75 ± 1.77 dB"
        assert orders[2].endswith("not measured")

    def test_scores_without_a_truth_say_what_they_need(self, tmp_path, monkeypatch):
        from selfhvd.research.reproduce import report

        monkeypatch.setattr(report, "iqa_at_hand", lambda: False)
        text = as_markdown(TABLES["F"], Site(tmp_path, tmp_path), 1, Findings(), "x", 1.0)
        assert "| from scratch | needs `iqa` | 31.64 | needs `iqa` | .4338 |" in text

    def test_made_clips_have_a_truth(self):
        assert [metric for _, metric in columns_of(on_made_clips(TABLES["F"]))][:2] == ["psnr", "ssim"]


class TestCommand:
    def test_wrong_words(self, run, tmp_path):
        out = ("--out", tmp_path / "run")
        for words, code in (
            (("7", "--small"), 2), (("6",), 2), (("6", "--small", "--data", tmp_path), 2),
            (("6", "--data", tmp_path, "--steps", 3), 2), (("6", "--small", "--seeds", 0), 2),
            (("6", "--small", "--set", "sead=1"), 2), (("6", "--data", tmp_path / "none"), 3),
        ):  # fmt: skip
            assert run("reproduce", *words, *out).code == code, words
        assert not (tmp_path / "run").exists()
        taken = tmp_path / "file"
        taken.write_text("x")
        assert run("reproduce", "A", "--data", tmp_path, "--out", taken).code == 4

    def test_a_table_is_written_and_what_is_missing_is_code_7(self, run, tmp_path):
        draw(tmp_path / "HVD" / "test_blur" / "a", views(12, width=64, height=48, sharp=[0, 4, 9]))
        done = run("reproduce", "a", "--data", tmp_path, "--out", tmp_path / "run")
        assert done.code == 7 and "7 results of table A are missing" in done.err
        text = (tmp_path / "run" / "table-A.md").read_text()
        assert done.out == text and "| HVD | " in text and "30 to 39" in text
        assert json.loads((tmp_path / "run" / "table-A.json").read_text())["table"] == "A"

    @pytest.mark.slow
    def test_small_films_its_own(self, run, tmp_path, monkeypatch):
        monkeypatch.setattr("selfhvd.research.reproduce.Size", lambda: TINY)
        words = [word for change in (*QUICK, *SETTINGS["basicvsrpp"]) for word in ("--set", change)]
        done = run("reproduce", "C", "--small", "--out", tmp_path, "--steps", 2, "--frames", 10, "--seeds", 2, *words)
        assert done.code == 0, done.err
        assert " ± " in done.out and "1 < 2 (GoProShake): holds for " in done.out
        assert Path(tmp_path / "table-C.md").is_file() and next((tmp_path / "clips").rglob("test_gt/*/00000000.png"))
