"""Look at the page in a real browser: screens of every view, faults that axe finds, requests, the first view's time.

    python bench/page.py FOLDER [--axe axe.min.js] [--picture docs/page.jpg]

A made clip (a photo filmed by a virtual shaking phone) is sent, looked at, restored, compared; each view is pictured at
1280 and 390 pixels, light and dark, into FOLDER. `axe.min.js` is that of the npm package axe-core; it is not shipped.
Prints a table of the faults that axe calls serious or critical, the hosts that were asked, and the time until the first
view is there. `--picture` writes the one that README.md shows.
"""

import argparse
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import skimage.data
from playwright.sync_api import sync_playwright

sys.path += [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests" / "web")]

from page_for_tests import Site

from selfhvd.cli.demo import SHOT
from selfhvd.synthesis import shoot
from selfhvd.video import encode_clip

WIDTHS = {1280: 860, 390: 844}
SHOWN = "getComputedStyle(document.querySelector('.drop .main')).display"


def film(path: Path) -> Path:
    photo = np.ascontiguousarray(skimage.data.astronaut())
    shot = replace(SHOT, frames=48, width=432, height=288)
    encode_clip((exposure.frame for exposure in shoot(photo, shot)), path)
    return path


class Screens:
    """Pictures of views, and what axe finds in them."""

    def __init__(self, browser, site: Site, folder: Path, axe: str) -> None:
        self.browser, self.site, self.folder, self.axe = browser, site, folder, axe
        self.hosts: set[str] = set()
        self.faults: list[tuple[str, str, str]] = []

    def take(self, name: str, path: str, ready: str) -> None:
        for scheme in ("light", "dark"):
            for width, height in WIDTHS.items():
                with self.browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme=scheme
                ) as context:
                    page = context.new_page()
                    page.on("request", lambda asked: self.hosts.add(urlparse(asked.url).netloc))
                    page.goto(self.site.address + path)
                    page.wait_for_selector(ready)
                    page.wait_for_timeout(800)
                    page.screenshot(path=self.folder / f"{name}-{width}-{scheme}.png", full_page=True)
                    if self.axe:
                        self.check(page, f"{name} {width} {scheme}")

    def check(self, page, where: str) -> None:
        page.evaluate(self.axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        for fault in found["violations"]:
            nodes = "; ".join(node["html"][:90] for node in fault["nodes"][:2])
            self.faults.append((where, f"{fault['impact']}: {fault['id']}", nodes))


def first_view(browser, site: Site) -> list[float]:
    """Seconds until what is dropped on is there, with nothing kept by the browser."""
    spent = []
    for _ in range(5):
        with browser.new_context() as context:
            page = context.new_page()
            began = time.perf_counter()
            page.goto(site.address, wait_until="commit")
            page.get_by_text("Drop a clip here").wait_for()
            page.evaluate(SHOWN)
            spent.append(time.perf_counter() - began)
    return spent


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--axe", type=Path)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    store = given.folder / "store"
    shutil.rmtree(store, ignore_errors=True)
    site = Site(store, "--allow", given.folder, real=True).start()
    try:
        with sync_playwright() as player:
            browser = player.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            screens = Screens(browser, site, given.folder, given.axe.read_text() if given.axe else "")
            print("first view, s:", " ".join(f"{spent:.2f}" for spent in first_view(browser, site)))
            screens.take("empty", "/", ".how")
            clip = film(given.folder / "shaky.mp4")
            number = site.send(clip, start=False)
            site.until(number, "ready", seconds=120)
            screens.take("setup", f"/jobs/{number}", ".part-said")
            site.ask("POST", f"/api/jobs/{number}/start")
            while (site.job(number)["progress"] or {}).get("stage") != "restore":
                time.sleep(0.1)
            screens.take("way", f"/jobs/{number}", "progress")
            site.until(number, "done", seconds=300)
            screens.take("result", f"/jobs/{number}", ".stage canvas")
            bad = site.send(Path(__file__), "a file with a very long name that is no clip at all " * 4 + ".mp4")
            site.until(bad, "failed", seconds=60)
            screens.take("failed", f"/jobs/{bad}", ".alert")
            screens.take("list", "/", ".clip")
            if given.picture:
                picture(browser, site, number, given.picture)
            browser.close()
    finally:
        site.end()
    print("hosts asked:", *sorted(screens.hosts))
    print(f"faults found by axe: {len(screens.faults)}")
    for fault in screens.faults:
        print(*fault, sep=" | ")


def picture(browser, site: Site, number: str, path: Path) -> None:
    """A frame that was blurred, half before and half after, with the curve below it."""
    with browser.new_context(viewport={"width": 900, "height": 620}) as context:
        page = context.new_page()
        page.goto(f"{site.address}/jobs/{number}")
        page.locator(".stage canvas").wait_for()
        page.wait_for_timeout(800)
        size = {"x": 0, "y": 0, "width": 900, "height": 1040}
        page.screenshot(path=path, clip=size, full_page=True, type="jpeg", quality=88)


if __name__ == "__main__":
    main()
