"""The queue: jobs outlive the server, end once, and do what a person wants of them. The long work is a stand-in."""

import json
import signal
import time

import pytest
from page_for_tests import runners

from selfhvd.web import runner
from selfhvd.web.command import Fate
from selfhvd.web.folder import JobFolder
from selfhvd.web.record import Job, Outcome, Settings, Wanted
from selfhvd.web.store import JobStore

pytestmark = [pytest.mark.unchecked, pytest.mark.subprocess]


def history(site, number):
    path = site.folder / "jobs" / number / "history.jsonl"
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]


def idle(site):
    """Whether nobody works for the site any more; a runner takes a moment to end."""
    deadline = time.monotonic() + 5
    while runners(site.folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def finished(site):
    return site.finished.read_text().split() if site.finished.exists() else []


def test_a_clip_is_looked_at_then_restored_and_what_is_fetched_is_the_file(site, clip):
    number = site.send(clip, 'holiday "am Meer".mp4', start=False)
    job = site.until(number, "ready")
    assert job["facts"]["frames"] == 6 and len(job["curve"]["blur"]) == 6
    assert set(job["forecasts"]) == {"fast", "balanced", "best"} and job["forecasts"]["fast"]["seconds"] > 0
    assert site.ask("GET", f"/api/jobs/{number}/poster.jpg")[1][:2] == b"\xff\xd8"
    assert site.ask("GET", f"/api/jobs/{number}/result")[0] == 404
    site.ask("POST", f"/api/jobs/{number}/start", {"strength": 0.5})
    job = site.until(number, "done")
    assert job["name"] == 'holiday "am Meer".mp4' and job["warnings"] == ["A warning of the run."]
    body = site.ask("GET", f"/api/jobs/{number}/result")[1]
    files = list((site.folder / "jobs" / number / "output").glob("*.mp4"))
    assert [body] == [file.read_bytes() for file in files] and body.endswith(b"strength 0.5")
    assert job["result"]["copy"]["times"][1] == pytest.approx(1 / 30, abs=1e-4)
    assert site.ask("GET", f"/api/jobs/{number}/report")[1].startswith(b"<!doctype")
    record = site.ask("GET", f"/api/jobs/{number}/record")[1]
    assert (record["source"], record["destination"]) == (
        next((files[0].parents[1] / "input").iterdir()).name,
        files[0].name,
    )
    assert str(site.folder).encode() not in site.ask("GET", f"/api/jobs/{number}/report")[1]


def test_another_strength_only_writes_again(site, clip):
    number = site.send(clip)
    kept = site.until(number, "done")["result"]["kept"]
    assert kept > 0
    status, job = site.ask("POST", f"/api/jobs/{number}/start", {"preset": "best"})
    assert status == 409 and "strength" in job["error"]
    site.ask("POST", f"/api/jobs/{number}/start", {"strength": 0.5})
    site.ask("POST", f"/api/jobs/{number}/cancel")
    assert site.until(number, "done")["result"]["kept"] == kept
    site.ask("POST", f"/api/jobs/{number}/start", {"strength": 0.25})
    assert site.ask("GET", f"/api/jobs/{number}/result")[1].endswith(b"strength 1.0")
    job = site.until(number, "done")
    assert site.ask("GET", f"/api/jobs/{number}/result")[1].endswith(b"strength 0.25")
    status, other = site.ask("POST", f"/api/jobs/{number}/again")
    assert status == 201 and other["id"] != number and other["facts"] == job["facts"]
    assert site.ask("POST", f"/api/jobs/{other['id']}/start", {"preset": "best"})[0] == 200
    site.until(other["id"], "done")
    assert site.ask("POST", f"/api/jobs/{number}/tidy")[1]["result"]["kept"] == 0
    assert site.ask("GET", f"/api/jobs/{number}/result")[0] == 200


def test_what_does_not_come_to_its_end_leaves_the_file_of_the_run_before(tmp_path):
    folder = JobFolder(tmp_path)
    first = Job(id="a", owner="local", name="a.mp4", source=tmp_path / "a.mp4", made=0.0)
    folder.output.mkdir()
    (folder.output / "a_deblurred.mp4").write_bytes(b"kept")
    folder.end(first, Outcome(run=1, state="done", result="a_deblurred.mp4"))
    second, third, fourth = (first.model_copy(update={"run": number}) for number in (2, 3, 4))
    folder.end(second, Outcome(run=2, state="cancelled"))
    assert folder.outcome(second) == Outcome(run=2, state="done", result="a_deblurred.mp4")
    assert (folder.output / "a_deblurred.mp4").read_bytes() == b"kept"
    folder.end(third, Outcome(run=3, state="failed", exit_code=4, sentence="The disk is full."))
    ended = folder.outcome(third)
    assert ended.state == "done" and ended.warnings == ("It could not be written again: The disk is full.",)
    (folder.output / "a_deblurred.mp4").unlink()
    folder.end(fourth, Outcome(run=4, state="cancelled"))
    assert folder.outcome(fourth).state == "cancelled" and not folder.output.exists()


def test_record_that_cannot_be_read_is_not_one_that_was_removed(tmp_path):
    tmp_path.chmod(0o755)
    store = JobStore(tmp_path)
    store.make()
    assert [path.stat().st_mode & 0o777 for path in (tmp_path, store.jobs)] == [0o755, 0o700]
    with store.new() as folder:
        entry = store.submit(folder, "local", "a.mp4", tmp_path / "a.mp4", Settings(), start=True)
    job, record = entry.job, entry.folder.record
    whole = record.read_text()
    record.write_text(whole.replace('"strength"', '"of_another_version":1,"strength"'))
    assert entry.folder.job() == job
    record.write_text("{")
    assert entry.folder.wanted(job) == Wanted.RUN
    store.sweep()
    assert record.exists()
    record.write_text("")
    store.sweep()
    assert not entry.folder.path.exists() and entry.folder.wanted(job) == Wanted.GONE


@pytest.mark.parametrize(("cut_off", "ended"), [(True, None), (False, "done")])
def test_a_run_that_is_stopped_at_its_last_stage_has_that_still_before_it(tmp_path, monkeypatch, cut_off, ended):
    """A copy that only fails is none that the job waits for."""
    folder = JobFolder(tmp_path)
    job = Job(id="a", owner="local", name="a.mp4", source=tmp_path / "a.mp4", wanted=Wanted.RUN, made=0.0)
    folder.record.write_text(job.model_dump_json())
    folder.poster.touch()
    fates = [Fate(0, stopped=False, sentence="", warnings=()), Fate(1, cut_off, "", (), cut_off)]
    monkeypatch.setattr(runner._Run, "_following", lambda run, words: fates.pop(0))
    outcome = runner._Run(folder, job, ()).done()
    assert (outcome and outcome.state) == ended and not fates


def test_a_second_click_starts_nothing(sites, clip):
    site = sites(seconds=0.1)
    number = site.send(clip)
    for _ in range(5):
        assert site.ask("POST", f"/api/jobs/{number}/start")[0] == 200
    site.until(number, "done")
    assert finished(site) == [number] and history(site, number) == ["start", "end"]


@pytest.mark.slow
def test_two_run_at_once_and_others_wait(sites, clip):
    site = sites("--at-once", 2, seconds=0.2)
    numbers = [site.send(clip) for _ in range(3)]
    most = 0
    while (states := [site.job(number)["state"] for number in numbers]) != ["done"] * 3:
        most = max(most, states.count("running"))
        assert "failed" not in states
        time.sleep(0.05)
    assert most == 2


def test_cancel_ends_a_run_and_clears_it(sites, clip):
    site = sites(seconds=3)
    number = site.send(clip)
    site.until(number, "running")
    time.sleep(1.0)
    began = time.monotonic()
    assert site.ask("POST", f"/api/jobs/{number}/cancel")[0] == 200
    site.until(number, "cancelled", seconds=10)
    assert time.monotonic() - began < 10
    assert not (site.folder / "jobs" / number / "output").exists() and idle(site)
    assert site.job(number)["state"] == "cancelled" and finished(site) == []
    waiting = [site.send(clip), site.send(clip)]
    site.ask("POST", f"/api/jobs/{waiting[1]}/cancel")
    site.until(waiting[1], "cancelled", seconds=3)


def test_pause_keeps_what_is_done_and_goes_on_there(sites, clip):
    site = sites(seconds=0.4)
    number = site.send(clip)
    while (site.job(number)["progress"] or {}).get("done", 0) < 3:
        time.sleep(0.05)
    site.ask("POST", f"/api/jobs/{number}/pause")
    site.until(number, "paused", seconds=10)
    kept = list((site.folder / "jobs" / number / "output").glob(".*.selfhvd/restored/*"))
    assert 3 <= len(kept) < 6
    before = {path: path.stat().st_mtime_ns for path in kept}
    site.ask("POST", f"/api/jobs/{number}/start")
    site.until(number, "done")
    assert {path: path.stat().st_mtime_ns for path in kept} == before
    assert history(site, number) == ["start", "start", "end"]


def test_a_run_goes_on_without_the_server_and_what_waits_starts_with_it(sites, clip):
    site = sites(seconds=0.2)
    first, second = site.send(clip), site.send(clip)
    site.until(first, "running")
    site.kill(signal.SIGINT)
    assert "1 clip goes on" in site.log.read_text() and "1 clip waits" in site.log.read_text()
    deadline = time.monotonic() + 20
    while finished(site) != [first]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    site.start()
    site.until(first, "done")
    site.until(second, "done")
    assert finished(site) == [first, second]


@pytest.mark.slow
def test_killed_runner_and_all_the_job_starts_again_where_it_was(sites, clip):
    site = sites(seconds=0.3)
    number = site.send(clip)
    while (site.job(number)["progress"] or {}).get("done", 0) < 2:
        time.sleep(0.05)
    for process in runners(site.folder):
        process.kill()
    site.until(number, "done")
    assert history(site, number) == ["start", "start", "end"] and finished(site) == [number]


@pytest.mark.slow
def test_server_killed_again_and_again_loses_no_job_and_does_none_twice(sites, clip):
    site = sites("--at-once", 2, seconds=0.01)
    numbers = [site.send(clip) for _ in range(4)]
    for pause in (0.1, 0.9, 0.3, 1.3):
        time.sleep(pause)
        site.kill()
        site.start()
    for number in numbers:
        site.until(number, "done", seconds=60)
    assert sorted(finished(site)) == sorted(numbers)
    assert all(history(site, number).count("end") == 1 for number in numbers)


def test_what_fails_says_why_and_does_not_stop_the_rest(site, clip):
    poison, crash, good = (site.send(clip, name) for name in ("poison.mp4", "crash.mp4", "good.mp4"))
    job = site.until(poison, "failed")
    assert (job["sentence"], job["exit_code"]) == ("This clip is poison; take another.", 3)
    assert "SIGSEGV" in site.until(crash, "failed")["sentence"]
    site.until(good, "done")
    status, again = site.ask("POST", f"/api/jobs/{poison}/start")
    assert status == 200 and again["state"] == "queued"


def test_removed_is_gone_with_its_files(sites, clip):
    site = sites(seconds=2)
    number = site.send(clip)
    site.until(number, "running")
    assert site.ask("DELETE", f"/api/jobs/{number}")[0] == 204
    assert site.ask("GET", f"/api/jobs/{number}")[0] == 404 and site.ask("GET", "/api/jobs")[1] == []
    deadline = time.monotonic() + 10
    while list((site.folder / "jobs").iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_stop_pauses_all(sites, clip, run):
    site = sites(seconds=1)
    numbers = [site.send(clip), site.send(clip)]
    site.until(numbers[0], "running")
    site.kill(signal.SIGTERM)
    done = run("serve", "--folder", site.folder, "--stop")
    assert done.code == 0 and "2 clips are paused" in done.err and idle(site)
    site.start()
    assert [site.job(number)["state"] for number in numbers] == ["paused", "paused"]


def test_a_folder_has_one_server(site, run):
    done = run("serve", "--folder", site.folder, "--port", 0)
    assert done.code == 4 and site.address in done.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--port", "99999"], 2),
        (["--at-once", "0"], 2),
        (["--max-upload", "0"], 2),
        (["--allow", "/nowhere/at/all"], 2),
        (["--tokens", "/nowhere/at/all"], 2),
        (["--folder", "/proc/nowhere"], 4),
        (["--stop", "--folder", "/nowhere/at/all"], 2),
    ],
)
def test_options_that_make_no_sense(run, tmp_path, words, code):
    folder = [] if "--folder" in words else ["--folder", tmp_path]
    done = run("serve", *words, *folder)
    assert done.code == code and done.err.count("\n") == 1, done.err


def test_port_that_is_taken(site, run, tmp_path):
    done = run("serve", "--folder", tmp_path / "other", "--port", site.port)
    assert done.code == 2 and "--port" in done.err


def test_without_the_extra(run, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fastapi", None)
    done = run("serve", "--folder", tmp_path)
    assert done.code == 2 and "pip install '.[web]'" in done.err
