"""The page in a real browser: from a clip that is chosen to a file that is kept. The long work is a stand-in."""

import os
import re
import shutil
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.unchecked, pytest.mark.subprocess]

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
if not Path(CHROMIUM).exists():
    pytest.skip("no Chromium on this machine; name one in $CHROMIUM", allow_module_level=True)
NAMED = "(e => e.getAttribute('aria-label') || e.innerText || e.value || '')(document.activeElement)"
LONG = """async () => {
    const { curve } = await import("/static/curve.js");
    const times = Array.from({ length: 300000 }, (_, frame) => frame / 30);
    const lines = [{ values: times, kind: "before", words: "" }];
    const drawn = (log) => curve({ times, lines, unit: "", said: "", log });
    return [drawn(false), drawn(true)][1].element.tagName;
}"""
"""A curve over three hours."""
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Opens pages; whatever one of them asks of another host, or complains of, is a fault."""
    contexts, faults = [], []

    def opened(site, path="/", **named):
        context = browser.new_context(base_url=site.address, **named)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60000)
        page.on("request", lambda asked: asked.url.startswith((site.address, "blob:")) or faults.append(asked.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not faults


def file(name, clip):
    return {"name": name, "mimeType": "video/mp4", "buffer": clip.read_bytes()}


def number_of(page):
    page.wait_for_url(re.compile("/jobs/[0-9a-f]{32}"))
    return page.url.rpartition("/")[2]


def time_of(page):
    return page.evaluate("document.querySelector('video').currentTime")


def test_from_a_clip_to_its_file(sites, clip, open_page, tmp_path):
    site = sites(seconds=0.3)
    began = time.monotonic()
    page = open_page(site)
    page.get_by_text("Drop a clip here").wait_for()
    assert time.monotonic() - began < 2
    page.set_input_files("#files", file("<b>holiday</b> & 'co'.mp4", clip))
    number = number_of(page)
    page.get_by_role("heading", name="b> & 'co'.mp4").wait_for()
    page.get_by_role("img", name=re.compile("of the frames")).wait_for()
    page.get_by_label("First frame of the part").wait_for()
    page.get_by_role("button", name="Make it sharp").click()
    page.get_by_text(re.compile(r"Restoring frame \d of 6")).wait_for()
    page.reload()
    page.get_by_text(re.compile(r"Restoring frame \d of 6")).wait_for()
    assert page.get_by_role("button", name="Cancel").is_visible()
    stage = page.locator(".stage canvas")
    stage.wait_for()
    page.get_by_role("button", name="Play", exact=True).click()
    before = time_of(page)
    deadline = time.monotonic() + 10
    while time_of(page) == before:
        assert time.monotonic() < deadline, "it does not play"
    page.get_by_role("button", name="Pause", exact=True).click()
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    across, middle = box["width"], box["y"] + box["height"] / 2
    split = page.get_by_role("slider", name="How much is shown as it was before")
    page.mouse.move(box["x"] + across / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + across / 4, middle, steps=5)
    page.mouse.up()
    assert abs(int(split.get_attribute("aria-valuenow")) - 25) <= 2
    page.get_by_role("button", name="Larger").click()
    assert page.locator(".zoomed").inner_text() == "1.5×"
    with page.expect_download() as kept:
        page.get_by_role("link", name=re.compile("Download")).click()
    kept.value.save_as(tmp_path / "kept.mp4")
    written = next((site.folder / "jobs" / number / "output").glob("*_deblurred.mp4"))
    assert (
        tmp_path / "kept.mp4"
    ).read_bytes() == written.read_bytes() and kept.value.suggested_filename == written.name
    page.get_by_label("Strength").fill("0.5")
    page.get_by_role("button", name="Write the file with this strength").click()
    page.get_by_text("at strength 50 %").wait_for()
    assert written.read_bytes().endswith(b"strength 0.5")


@pytest.mark.slow
def test_server_is_killed_and_started_again_while_a_page_looks_on(sites, clip, open_page):
    site = sites(seconds=0.5)
    number = site.send(clip)
    page = open_page(site, f"/jobs/{number}")
    page.get_by_text(re.compile(r"Restoring frame \d of 6")).wait_for()
    site.kill()
    page.get_by_text("The server does not answer").wait_for()
    site.start()
    page.locator(".stage canvas").wait_for()
    assert page.locator("#banner").is_hidden()


@pytest.mark.slow
def test_cancel_and_two_clips_at_once(sites, clip, open_page):
    site = sites("--at-once", 2, seconds=0.6)
    page = open_page(site)
    page.set_input_files("#files", [file("a.mp4", clip), file("b.mp4", clip)])
    for name in "ab":
        page.get_by_role("button", name=f"Make it sharp: {name}.mp4").click()
    sync_api.expect(page.locator("[data-state=running]")).to_have_count(2, timeout=60000)
    began = time.monotonic()
    page.get_by_role("button", name="Cancel: a.mp4").click()
    page.locator("[data-state=cancelled]").wait_for()
    assert time.monotonic() - began < 10
    page.locator("[data-state=done]").wait_for()


@pytest.mark.slow
def test_by_keyboard_alone(site, clip, open_page, browser):
    number = site.send(clip, start=False, end=0.15, codec="hevc", quality=80, strip_location=True)
    site.until(number, "ready")
    page = open_page(site, reduced_motion="reduce")
    page.get_by_role("link", name="clip.mp4").wait_for()

    def reach(name):
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate(NAMED).startswith(name):
                return
        raise AssertionError(f"{name} cannot be reached")

    reach("clip.mp4")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/jobs/{number}")
    page.get_by_role("button", name="Make it sharp").wait_for()
    reach("First frame of the part")
    page.keyboard.press("ArrowRight")
    page.get_by_text("4 frames").wait_for()
    reach("Make it sharp")
    page.keyboard.press("Enter")
    page.locator(".stage canvas").wait_for()
    settings = site.job(number)["settings"]
    assert (settings["start"], settings["end"]) == pytest.approx((1 / 30, 5 / 30), abs=1e-3)
    assert (settings["codec"], settings["quality"], settings["strip_location"]) == ("hevc", 80, True)
    reach("How much is shown")
    page.keyboard.press("ArrowLeft")
    assert page.get_by_role("slider", name="How much").get_attribute("aria-valuenow") == "48"
    page.get_by_text("frame 6 of 6").wait_for()  # the most blurred
    reach("One frame back")
    page.keyboard.press("Enter")
    page.get_by_text("frame 5 of 6").wait_for()
    reach("Download")
    with page.expect_download():
        page.keyboard.press("Enter")


def test_sign_in(sites, clip, open_page, tmp_path):
    (tmp_path / "tokens").write_text("anna anna-has-a-long-token\n")
    site = sites("--tokens", tmp_path / "tokens")
    page = open_page(site)
    page.get_by_label("Token").fill("a-wrong-one-of-this-length")
    page.keyboard.press("Enter")
    page.get_by_text("That token is not known here").wait_for()
    page.get_by_label("Token").fill("anna-has-a-long-token")
    page.keyboard.press("Enter")
    page.get_by_text("Drop a clip here").wait_for()
    (cookie,) = page.context.cookies()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict" and "anna" not in page.url
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Token").wait_for()


@pytest.mark.slow
def test_nothing_is_wider_than_the_window(site, clip, open_page):
    done, failed = site.send(clip, "a-name-without-any-space-" * 8 + ".mp4"), site.send(clip, "poison.mp4")
    site.until(done, "done")
    site.until(failed, "failed")
    for width in (1280, 390):
        page = open_page(site, viewport={"width": width, "height": 800})
        for path in ("/", f"/jobs/{failed}", f"/jobs/{done}", "/jobs/" + "0" * 32):
            page.goto(path)
            page.wait_for_timeout(300)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert page.evaluate(LONG) == "FIGURE"


def test_a_clip_is_chosen_by_keyboard(site, clip, open_page):
    page = open_page(site)
    page.get_by_text("Drop a clip here").wait_for()
    with page.expect_file_chooser() as chosen:
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate(NAMED).startswith("Choose"):
                break
        page.keyboard.press("Enter")
    chosen.value.set_files(clip)
    page.get_by_role("button", name="Make it sharp").first.wait_for()
