"""Kill the server again and again under a full queue: does every job end once, is none lost, none done twice?

    python bench/page_queue.py [JOBS] [KILLS]

The clips are tiny, the runs are real (`selfhvd deblur`), two at a time. Prints what became of the jobs, how often each
ended by its own history, and whether each result is the file that a run by itself writes, frame for frame.
"""

import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path += [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests" / "web")]

from page_for_tests import Site, runners

from clips_for_tests import film, views


def main(jobs: int, kills: int) -> None:
    draw, began = random.Random(7), time.monotonic()
    with tempfile.TemporaryDirectory() as work:
        clip = film(Path(work) / "clip.mp4", views(6, 96, 64))
        site = Site(Path(work) / "store", "--at-once", "2", real=True).start()
        try:
            numbers = [site.send(clip, f"{index}.mp4") for index in range(jobs)]
            for _ in range(kills):
                time.sleep(draw.uniform(0.2, 30))
                site.kill()
                time.sleep(draw.uniform(0, 2))
                site.start()
            for number in numbers:
                site.until(number, "done", "failed", seconds=3600)
            told(site, numbers)
        finally:
            site.end()
        print(f"processes left: {len(runners(site.folder))}; {time.monotonic() - began:.0f} s")


def told(site: Site, numbers: list[str]) -> None:
    states = Counter(site.job(number)["state"] for number in numbers)
    folders = [site.folder / "jobs" / number for number in numbers]
    events = [[json.loads(line)["event"] for line in (f / "history.jsonl").read_text().splitlines()] for f in folders]
    ends, starts = Counter(e.count("end") for e in events), Counter(e.count("start") for e in events)
    results = {site.ask("GET", f"/api/jobs/{number}/result")[1] for number in numbers}
    print("states:", dict(states))
    print("listed:", len(site.ask("GET", "/api/jobs")[1]), "of", len(numbers))
    print("ends of a job -> jobs:", dict(ends), " starts -> jobs:", dict(starts))
    print("different results:", len(results))


if __name__ == "__main__":
    main(*map(int, [*sys.argv[1:], "50", "10"][:2]))
