"""The page in a real browser: every act by keyboard, by mouse and by touch; hostile names; nothing from elsewhere."""

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from PIL import Image

from detect.reviewing.doorkeeper import Doorkeeper
from detect.reviewing.grad_cam import GradCam, GradCams
from detect.reviewing.listening import listen
from detect.reviewing.opening import opener
from detect.reviewing.session import ReviewSession
from tests.reviewing.browser import CHROMIUM, Browser, browser
from tests.reviewing.conftest import CLASSES, HOSTILE, ONE, acts_of

WITHOUT = "the review page is not tested without Chromium or Chrome (apt-get install chromium)"
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=WITHOUT)

SCREEN = """(() => {
  const item = OpenSeadragon.getViewer(document.getElementById('viewer')).world.getItemAt(0);
  const point = item.imageToWindowCoordinates(new OpenSeadragon.Point(%s, %s));
  return [point.x, point.y];
})()"""


class Page:
    """The page of a session, as a person uses it."""

    def __init__(self, chromium: Browser, address: str, folder: Path) -> None:
        self.browser, self.address, self.folder = chromium, address, folder
        chromium.open(address)
        self.shows("place", "Window 1 of 3")
        chromium.wait("document.querySelector('#classes tr:nth-child(2) td:nth-child(3)').textContent === '1'")
        self.settle()

    def shows(self, place: str, text: str) -> None:
        """Wait until an element's text holds another."""
        self.browser.wait(f"document.getElementById({place!r})?.textContent.includes({text!r})")

    def settle(self) -> None:
        """Wait until the view moves no more."""
        self.browser.value("new Promise((done) => setTimeout(done, 600))")

    def acted(self, number: int) -> dict:
        """Wait until a number of acts are on the disk; the last one."""
        for _ in range(2400):
            if len(acts_of(self.folder)) >= number:
                break
            self.browser.value("new Promise((done) => setTimeout(done, 50))")
        kept = acts_of(self.folder)
        assert len(kept) == number, kept
        self.browser.value("new Promise((done) => setTimeout(done, 150))")
        return kept[-1]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of the photograph is in the window."""
        left, top = self.browser.value(SCREEN % (x, y))
        return left, top

    def press(self, selector: str) -> None:
        self.browser.value(f"document.querySelector({selector!r}).click()")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as made:
        yield made


@pytest.fixture
def page(chromium, server, folder) -> Iterator[Page]:
    port = listen(0)
    config = uvicorn.Config(
        Doorkeeper(server.app(), "secret"), http="h11", ws="none", log_config=None, timeout_graceful_shutdown=1
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [port]}, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{port.getsockname()[1]}/secret/"
    chromium.errors.clear()
    chromium.addresses.clear()
    yield Page(chromium, address, folder)
    assert chromium.errors == []
    assert [each for each in chromium.addresses if not each.startswith((address, "data:", "blob:"))] == []
    chromium.open("about:blank")
    running.should_exit = True
    thread.join(10)


def place(found: dict) -> tuple[float, float, str, str]:
    return found["x"], found["y"], found["label"], found["status"]


def test_every_act_by_keyboard(page):
    """The first window holds x from 400 to 800: objects at 400 (0.35, not counted), 500, 600 and 700 (counted)."""
    cow, sheep = CLASSES
    keys = page.browser.key
    keys("j")
    page.shows("said", "1 of 3")
    keys("a")
    assert place(page.acted(1)["after"]) == (500, 150, cow, "accepted")
    keys("j")
    page.shows("said", "2 of 3")
    keys("x")
    assert place(page.acted(2)["after"]) == (600, 150, sheep, "rejected")
    keys("j")
    page.shows("said", "3 of 3")
    keys("2")
    assert place(page.acted(3)["after"]) == (700, 150, sheep, "relabelled")
    for key, shift in (("m", False), ("ArrowLeft", True), ("ArrowDown", False), ("Enter", False)):
        keys(key, shift=shift)
    assert place(page.acted(4)["after"]) == (690, 151, sheep, "moved")
    keys("Escape")
    for key, shift in (("p", False), ("ArrowUp", True), ("Enter", False)):
        keys(key, shift=shift)
    assert place(page.acted(5)["after"]) == (600, 140, cow, "added")
    keys("ArrowLeft", shift=True)
    keys("Enter")
    assert place(page.acted(6)["after"]) == (590, 140, cow, "added")
    keys("z")
    assert page.acted(7)["of"] == 6
    keys("Escape")
    keys("d")
    done = page.acted(8)
    assert done["window"] == [0, 400, 300, 400]
    assert sorted((each["x"], each["label"]) for each in done["objects"]) == [(500, cow), (600, cow), (690, sheep)]
    page.shows("place", f"Window 2 of 3 · {HOSTILE}")
    keys("n")
    page.shows("place", "Window 3 of 3")
    keys("n", shift=True)
    page.shows("place", "Window 2 of 3")


def test_every_act_by_mouse(page):
    page.browser.click(*page.at(500, 150))
    page.shows("object", "score 0.55, not looked at")
    page.press("[data-do=accept]")
    assert page.acted(1)["act"] == "accept"
    page.browser.drag(page.at(500, 150), page.at(520, 180))
    moved = page.acted(2)["after"]
    assert moved["status"] == "moved" and abs(moved["x"] - 520) < 2 and abs(moved["y"] - 180) < 2
    page.press("[data-do=reject]")
    assert page.acted(3)["act"] == "reject"
    page.browser.click(*page.at(600, 150))
    page.shows("object", "score 0.65")
    page.browser.value(
        "(() => { relabel.value = '0'; relabel.dispatchEvent(new Event('change', { bubbles: true })); })()"
    )
    assert page.acted(4)["after"]["label"] == CLASSES[0]
    page.press("#classes tr:nth-child(2) button")
    page.press("[data-mode=point]")
    page.browser.click(*page.at(450, 50))
    added = page.acted(5)["after"]
    assert added["status"] == "added" and abs(added["x"] - 450) < 2 and added["label"] == CLASSES[1]
    page.press("[data-mode=select]")
    page.press("[data-do=undo]")
    assert page.acted(6)["of"] == 5
    page.press("[data-do=done]")
    done = page.acted(7)
    assert sorted((round(each["x"]), each["label"]) for each in done["objects"]) == [
        (600, CLASSES[0]),
        (700, CLASSES[0]),
    ]
    page.shows("windows", "✓")
    page.shows("estimate-more", "too few windows for an interval")
    page.shows("place", "Window 2")
    page.press("[data-do=done]")
    page.acted(8)
    page.shows("interval", "5 to 9.4 (95 % interval)")
    page.shows("estimate-more", "It found about 100 % of what is there.")


@pytest.mark.parametrize("boxes", [True])
def test_boxes_are_drawn_and_stretched_by_mouse_and_by_keyboard(page, boxes):
    """A box found at 500, 150 is 40 x 30: its corner at 520, 165 drawn to 540, 185 makes it 60 x 50 around 510, 160."""

    def sizes(found: dict) -> list[int]:
        return [round(found[name]) for name in ("x", "y", "w", "h")]

    page.browser.click(*page.at(500, 150))
    page.shows("object", "score 0.55")
    page.browser.drag(page.at(520, 165), page.at(540, 185))
    assert np.abs(np.subtract(sizes(page.acted(1)["after"]), (510, 160, 60, 50))).max() <= 1
    page.press("[data-mode=box]")
    page.browser.drag(page.at(700, 220), page.at(740, 260))
    assert np.abs(np.subtract(sizes(page.acted(2)["after"]), (720, 240, 40, 40))).max() <= 1
    keys = page.browser.key
    for key, shift in (("b", False), ("Enter", False), ("ArrowRight", True), ("ArrowDown", True), ("Enter", False)):
        keys(key, shift=shift)
    assert sizes(page.acted(3)["after"]) == [605, 155, 10, 10]
    keys("Escape")
    keys("m")
    keys("ArrowRight", alt=True)
    keys("Enter")
    assert sizes(page.acted(4)["after"]) == [605, 155, 11, 10]


def test_undo_goes_back_to_the_window_of_the_act(page):
    page.browser.key("d")
    page.acted(1)
    page.shows("place", "Window 2 of 3")
    page.browser.key("z")
    assert page.acted(2)["of"] == 1
    page.shows("place", "Window 1 of 3")
    page.shows("progress", "0 of 3")


def test_a_file_leads_to_the_page(page, tmp_path):
    with opener(tmp_path / "review") as browser:
        path = browser._made(page.address)
        page.browser.open(path.as_uri())
        page.browser.wait(f"location.href === {page.address!r}")
        page.shows("place", "Window 1 of 3")
    page.browser.addresses[:] = [each for each in page.browser.addresses if each != path.as_uri()]


def test_a_photograph_that_was_changed_since_the_count_is_told(page, session):
    assert page.browser.value("document.getElementById('changed').hidden")
    Image.new("RGB", (800, 600)).save(session.images[0].path)
    page.press("#windows li:nth-child(2) button")
    page.press("#windows li:nth-child(1) button")
    page.shows("changed", "was changed since it was counted")
    assert not page.browser.value("document.getElementById('changed').hidden")


def test_the_page_says_that_one_must_not_stop_when_the_interval_looks_good(page):
    assert "as soon as the interval looks good" in page.browser.value(
        "document.getElementById('estimate-section').innerText"
    )


def test_undo_leaves_alone_what_another_page_did_and_says_so(page, folder):
    other = ReviewSession(folder)
    page.browser.key("j")
    page.browser.key("x")
    assert page.acted(1)["act"] == "reject"
    other.act({"act": "add", "image": ONE, "x": 410, "y": 20, "label": CLASSES[0]})
    page.browser.key("z")
    page.shows("trouble", "another page did something in")
    assert len(acts_of(folder)) == 2
    other.act({"act": "undo", "image": ONE, "of": 2})
    page.browser.key("z")
    assert page.acted(4)["of"] == 1
    page.browser.errors.clear()  # the browser's own words of the answer 400


def test_undo_ends_at_what_another_page_did_since_this_one_was_loaded(page, folder):
    """The other page adds first, this one rejects, and undo is pressed twice; loaded anew, it undoes the other."""
    other = ReviewSession(folder)
    other.act({"act": "add", "image": ONE, "x": 410, "y": 20, "label": CLASSES[0]})
    page.browser.key("j")
    page.browser.key("x")
    assert page.acted(2)["act"] == "reject"
    page.browser.key("z")
    assert page.acted(3)["of"] == 2
    page.browser.key("z")
    page.shows("trouble", "done on another page")
    assert len(acts_of(folder)) == 3
    page.browser.open(page.address)
    page.shows("place", "Window 1 of 3")
    page.settle()
    page.browser.key("z")
    assert page.acted(4)["of"] == 1


def test_the_threshold_changes_what_is_counted_and_drawn_and_is_kept(page):
    """By scores 0.05 to 0.75: three of seven at 0.5, five at 0.25 and more, one at 0.7; a candidate is then a find."""
    slide = "(() => { threshold.value = '%s'; threshold.dispatchEvent(new Event('input')); })()"
    for value, photo, window in (("0.25", 5, 4), ("0.7", 1, 1), ("0.5", 3, 3)):
        page.browser.value(slide % value)
        page.browser.wait(f"document.getElementById('photo-total').textContent === '{photo}'")
        assert page.browser.value("document.getElementById('here-total').textContent") == str(window)
    page.browser.value(slide % "0.3")
    page.press("#keep-threshold")
    page.shows("said", "Counted anew with the threshold 0.3: 3 objects.")


def test_a_window_with_hidden_classes_is_not_done_and_a_done_one_can_be_changed_and_opened(page):
    page.press("#classes tr:nth-child(2) input")
    page.browser.key("d")
    page.shows("trouble", "show all of them")
    assert acts_of(page.folder) == []
    page.press("#classes tr:nth-child(2) input")
    page.browser.key("d")
    assert page.acted(1)["act"] == "done"
    page.shows("place", "Window 2 of 3")
    page.press("#windows li:first-child button")
    page.shows("place", "Window 1 of 3")
    page.browser.key("j")
    page.browser.key("x")
    assert page.acted(2)["act"] == "reject"
    page.shows("progress", "1 of 3")
    page.browser.key("o")
    assert page.acted(3)["act"] == "reopen"
    page.shows("progress", "0 of 3")


def test_what_the_server_refuses_is_said_and_not_drawn(page, session, monkeypatch):
    def refuse(act):
        raise ValueError("that cannot be")

    monkeypatch.setattr(session, "act", refuse)
    page.browser.key("j")
    page.browser.key("x")
    page.shows("trouble", "that cannot be")
    assert page.browser.value("document.getElementById('here-total').textContent") == "3"
    page.browser.errors.clear()


def test_names_are_shown_as_text(page):
    page.press("#images-section summary")
    page.press("#images li:nth-child(2) button")
    page.shows("place", HOSTILE)
    assert page.browser.value("document.querySelector('nav img, main b, main script') === null")
    assert page.browser.value("document.querySelector('#classes tr:nth-child(2) span').textContent") == CLASSES[1]


def test_any_photograph_is_corrected_without_a_survey(page):
    page.press("#images-section summary")
    page.press("#images li:first-child button")
    page.shows("done-words", "Nothing more in this view")
    page.settle()
    page.browser.key("d")
    done = page.acted(1)
    row, col, height, width = done["window"]
    assert (row, col) == (0, 0) and height == 600 and width == 800
    assert len(done["objects"]) == 3


def test_a_finger_selects_and_adds_on_a_narrow_screen(page):
    metrics = {"width": 800, "height": 1100, "deviceScaleFactor": 2, "mobile": True}
    page.browser.ask("Emulation.setDeviceMetricsOverride", **metrics)
    page.browser.ask("Emulation.setTouchEmulationEnabled", enabled=True)
    try:
        page.settle()
        page.press("[data-do=fit]")
        page.settle()
        page.browser.tap(*page.at(600, 150))
        page.shows("object", "score 0.65")
        page.press("[data-mode=point]")
        page.browser.tap(*page.at(640, 200))
        added = page.acted(1)["after"]
        assert abs(added["x"] - 640) < 3 and abs(added["y"] - 200) < 3
    finally:
        page.browser.ask("Emulation.clearDeviceMetricsOverride")
        page.browser.ask("Emulation.setTouchEmulationEnabled", enabled=False)


MARKED = """(() => {
  const canvas = document.querySelector('canvas.marks');
  const ratio = canvas.width / canvas.clientWidth;
  const box = canvas.getBoundingClientRect();
  return [...canvas.getContext('2d').getImageData((%s - box.left) * ratio, (%s - box.top) * ratio, 1, 1).data];
})()"""


class Reds:
    """Explains every detection by a red square of 80 pixels about it, half transparent, when it may."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, str]] = []
        self.go = threading.Event()
        self.wrong = ""

    def __call__(self, image, found, score) -> GradCam:
        self.asked.append((found.x, score))
        assert self.go.wait(10)
        if self.wrong:
            raise ValueError(self.wrong)
        picture = io.BytesIO()
        Image.new("RGBA", (8, 8), (255, 0, 0, 128)).save(picture, "PNG")
        return GradCam(picture.getvalue(), (found.x - 40, found.y - 40, 80, 80), f"Red of {found.label}.")


@pytest.fixture
def reds(server) -> Reds:
    made = Reds()
    server.grad_cams = GradCams(made)
    return made


def is_red(page: Page, x: float, y: float) -> bool:
    """Whether Grad-CAM lies at a place of the photograph."""
    red, green, _, alpha = page.browser.value(MARKED % page.at(x, y))
    return red > 200 and green < 50 and 100 < alpha < 160


def test_grad_cam_lies_on_the_photograph_at_any_zoom_until_the_key_is_pressed_again(reds, page):
    """The square about the object at 500, 150 spans 460 to 540 and 110 to 190; the page goes on while it is made."""
    page.browser.key("j")
    page.shows("said", "1 of 3")
    page.browser.key("g")
    page.shows("said", "Grad-CAM is being computed")
    page.browser.key("j")
    page.shows("said", "2 of 3")
    reds.go.set()
    page.browser.key("k")
    page.shows("object", "1 of 3")
    pressed = "document.querySelector('[data-do=gradcam]').getAttribute('aria-pressed') === '%s'"
    page.browser.wait(pressed % "true")
    for _ in range(2):
        page.settle()
        assert is_red(page, 465, 115) and is_red(page, 535, 185)
        assert not is_red(page, 455, 115) and not is_red(page, 535, 195)
        page.browser.key("+")
    page.browser.key("g")
    page.browser.wait(pressed % "false")
    page.settle()
    assert not is_red(page, 465, 115)
    page.browser.key("G", shift=True)
    page.shows("said", f"Red of {CLASSES[0]}. G or Esc removes it.")
    page.browser.key("Escape")
    page.browser.wait(pressed % "false")
    page.shows("object", "score 0.55")
    page.browser.key("Escape")
    page.shows("object", "None selected")
    assert reds.asked == [(500, "object"), (500, "class")]


def test_grad_cam_is_of_the_object_at_the_pointer_where_none_is_selected(reds, page):
    reds.go.set()
    x, y = page.at(690, 175)
    page.browser.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    page.browser.key("g")
    page.shows("object", "score 0.75")
    page.browser.wait("document.getElementById('said').textContent.startsWith('Red of')")
    assert reds.asked == [(700, "object")]
    page.press("[data-do=gradcam]")
    page.browser.wait("!document.getElementById('said').textContent")


def test_why_there_is_no_grad_cam_is_said(reds, page):
    reds.go.set()
    reds.wrong = "the model of this run is gone"
    page.browser.key("j")
    page.browser.key("g")
    page.shows("trouble", "the model of this run is gone")
    assert not page.browser.value("document.getElementById('trouble').hidden")
    page.browser.errors.clear()  # the browser's own words of the answer 422
