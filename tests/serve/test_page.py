"""The page in headless Chromium, as a person uses it: typed into, read, switched, on a narrow screen, with texts that try to be markup."""

from __future__ import annotations

import json
import shutil
import warnings

import pytest

from tests.serve.conftest import serving
from waqia import Incident, Participant, Reading, Span

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install 'waqia[dev]'")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip("chromium and chromedriver are not installed: apt-get install chromium chromium-driver", allow_module_level=True)

HOSTILE = "😀 <img src=x onerror=alert(1)> قصف مدفعي على <script>alert(2)</script>"
HERE = {"name": "Aleppo", "name_ar": "حلب", "latitude": 36.2, "longitude": 37.15, "exact": True, "inferred": False}
THERE = {"name": "Ha<lab", "name_ar": "", "latitude": 33.5, "longitude": 36.3, "exact": False, "inferred": True}
PLACES = [{**at, "span": {"start": 0, "end": 1, "text": "x"}} for at in (HERE, THERE)]
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --disable-dev-shm-usage --host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
)


def span(text, part):
    start = text.index(part)
    return Span(start, start + len(part), part)


class Told:
    """A reader that says what the page is to show, facts and mentions too."""

    def __init__(self, labels):
        self.labels, self.model = labels, "told"

    def read(self, text):
        if "قصف" not in text:
            return Reading(label_set="incidents/1", model="told")
        trigger, mention = span(text, "قصف مدفعي"), span(text, "مدفعي")
        place = next((part for part in ("<img src=x onerror=alert(1)>", "حلب") if part in text), "قصف")
        where = span(text, place)
        participants = (Participant(where.start, where.end, where.text, "place", None, 0.5, (span(text, "قصف"),)),)
        counts = {"killed": {"min": 3, "max": 3}, "injured": {"min": 20, "max": None}}
        facts = {"counts": counts, "places": PLACES} if "حلب" in text else None
        incident = Incident("shelling", "actual", trigger, participants, 0.9, (mention,), "2026-01-02", 3, None, facts)
        return Reading((incident,), {"shelling": 0.9}, 1, False, "incidents/1", "told")

    def read_many(self, texts):
        return map(self.read, texts)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS.replace("--", "\n--").split("\n"):
        if flag.strip():
            options.add_argument(flag.strip())
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('browser')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of the driver's pipes
        driver = webdriver.Chrome(options, Service(DRIVER))
        driver.set_page_load_timeout(30)
        yield driver
        driver.quit()


@pytest.fixture(scope="module")
def told(labels):
    with serving(Told(labels)) as client:
        yield client


def open_page(browser, client, width=1200, theme="light"):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]})
    browser.get(f"http://127.0.0.1:{client.port}/")
    wait(browser, lambda b: b.find_element(By.ID, "secret").get_attribute("hidden") is not None)


def wait(browser, condition):
    return WebDriverWait(browser, 20).until(condition)


def read(browser, text):
    browser.execute_script("document.getElementById('text').value = arguments[0]", text)
    browser.find_element(By.ID, "go").click()
    wait(browser, lambda b: b.find_element(By.ID, "ask").get_attribute("aria-busy") == "false" and b.find_element(By.ID, "status").text)


def test_spans_are_marked_in_place_and_linked_with_their_card(browser, told):
    open_page(browser, told)
    read(browser, "😀 قصف مدفعي على حلب")
    assert browser.find_element(By.ID, "marked").text.replace("1", "").replace("\n", "") == "😀 قصف مدفعي على حلب"
    marks = [mark.text for mark in browser.find_elements(By.CSS_SELECTOR, "#marked mark")]
    assert marks == ["قصف", "مدفعي", "حلب"] or marks == ["قصف", " ", "مدفعي", "حلب"]
    assert browser.find_element(By.CSS_SELECTOR, "#marked a.number").get_attribute("href").endswith("#incident-1")
    card = browser.find_element(By.ID, "incident-1").text
    assert "2026-01-02" in card
    assert "القتلى: 3" in card
    assert browser.switch_to.active_element.get_attribute("id") == "result"


def test_markup_in_a_text_stays_text_and_the_policy_is_never_broken(browser, told):
    open_page(browser, told)
    browser.get_log("browser")
    read(browser, HOSTILE)
    assert browser.find_elements(By.CSS_SELECTOR, "#result img, #result script") == []
    assert "<script>alert(2)</script>" in browser.find_element(By.ID, "marked").text
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_the_page_asks_nobody_but_its_own_server(browser, told):
    open_page(browser, told)
    read(browser, "قصف مدفعي على حلب")
    names = browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert names
    assert all(name.startswith(f"http://127.0.0.1:{told.port}/") for name in names)


def test_english_turns_the_page_around_and_the_text_stays_right_to_left(browser, told):
    open_page(browser, told)
    read(browser, "قصف مدفعي على حلب")
    browser.find_element(By.ID, "language").click()
    assert browser.find_element(By.TAG_NAME, "html").get_attribute("dir") == "ltr"
    assert "killed: 3" in browser.find_element(By.ID, "incident-1").text
    direction = browser.execute_script("return getComputedStyle(document.getElementById('marked')).direction")
    assert direction == "rtl"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_nothing_is_wider_than_the_screen(browser, told, width, theme):
    open_page(browser, told, width, theme)
    read(browser, "قصف مدفعي على حلب " * 30)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_every_control_has_a_name_and_the_keyboard_reaches_it(browser, told):
    open_page(browser, told)
    unnamed = browser.execute_script(
        "return [...document.querySelectorAll('input, textarea, button, a')].filter((node) => "
        "!(node.textContent.trim() || node.getAttribute('aria-label') || (node.labels && node.labels.length))).length"
    )
    assert unnamed == 0
    browser.execute_script("document.getElementById('text').value = 'قصف مدفعي على حلب'; document.getElementById('text').focus()")
    browser.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyDown", "key": "Enter", "windowsVirtualKeyCode": 13, "modifiers": 2})
    wait(browser, lambda b: b.find_elements(By.ID, "incident-1"))


def test_csv_has_a_row_a_span_and_no_formula(browser, told):
    open_page(browser, told)
    rows = browser.execute_script(
        "return csv({incidents: [{type: 'shelling', status: 'actual', trigger: {start: 0, end: 4, text: '=1+1'}, participants: "
        "[{role: 'place', sector: null, start: 5, end: 9, text: 'a\"b'}]}]})"
    ).splitlines()
    assert rows[0].startswith('"incident","type","status"')
    assert rows[1].endswith('"\'=1+1","",""')
    assert rows[2].endswith('"5","9","a""b","",""')


def test_a_service_with_a_token_asks_for_it(browser, labels):
    with serving(Told(labels), token="s3cret") as client:
        browser.get(f"http://127.0.0.1:{client.port}/")
        wait(browser, lambda b: b.find_element(By.ID, "token").is_displayed())
        read(browser, "قصف مدفعي على حلب")
        assert "Bearer" in browser.find_element(By.ID, "status").text
        browser.find_element(By.ID, "token").send_keys("s3cret")
        read(browser, "قصف مدفعي على حلب")
        wait(browser, lambda b: b.find_elements(By.ID, "incident-1"))


def test_no_incidents_is_said(browser, told):
    open_page(browser, told)
    read(browser, "سلام")
    assert "لا وقائع" in browser.find_element(By.ID, "cards").text
    assert json.loads(told.ask("GET", "/v1/labels")[2])["token"] is False


def test_places_are_points_of_a_map_that_nobody_else_draws(browser, told):
    open_page(browser, told)
    read(browser, "قصف مدفعي على حلب")
    assert browser.find_element(By.ID, "places").is_displayed()
    circles = browser.find_elements(By.CSS_SELECTOR, "#map circle")
    points = [[float(circle.get_attribute(name)) for name in ("cx", "cy")] for circle in circles]
    assert points[0][0] > points[1][0]  # further east
    assert points[0][1] < points[1][1]  # further north
    assert len(browser.find_elements(By.CSS_SELECTOR, "#map circle.rough")) == 1
    assert browser.execute_script("return document.querySelector('#map a').getAttribute('href')") == "#incident-1"
    words = [text.text for text in browser.find_elements(By.CSS_SELECTOR, "#map a text")]
    assert [word.strip("\u2068").replace("\u2069", "") for word in words] == ["حلب (1)", "Ha<lab (1)"]
    card = browser.find_element(By.ID, "incident-1").text
    assert "36.2, 37.15" in card
    assert "20+" in card


def test_without_places_there_is_no_map(browser, told):
    open_page(browser, told)
    read(browser, "قصف مدفعي على إدلب")
    assert not browser.find_element(By.ID, "places").is_displayed()
