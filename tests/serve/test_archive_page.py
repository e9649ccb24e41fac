"""The page of an archive in headless Chromium: opened from disk, filtered, its texts marked in place, on a narrow screen too."""

from __future__ import annotations

import pytest

from tests.light.test_archive import HOSTILE
from tests.light.test_table import TEXT, _event
from tests.serve.test_page import By, browser, wait  # noqa: F401  # the fixture and what it needs
from waqia.formats.archive import page
from waqia.frame import packaged_labels


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    protest = _event(id="p#0", type="protest", at=None, where=None, place=HOSTILE, start=None, end=None, told_by={})
    made = tmp_path_factory.mktemp("archive") / "page.html"
    made.write_text(page([_event(), protest], packaged_labels(), title=HOSTILE), "utf-8")
    return made


def open_page(browser, path, width=1200):  # noqa: F811
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    browser.get(path.as_uri())
    wait(browser, lambda b: b.find_elements(By.CSS_SELECTOR, "details.event"))


def test_an_event_opens_its_texts_with_their_spans_marked(browser, path):  # noqa: F811
    open_page(browser, path)
    browser.find_element(By.CSS_SELECTOR, "details.event summary").click()
    told = wait(browser, lambda b: b.find_elements(By.CSS_SELECTOR, ".source p"))[0]
    assert told.get_attribute("textContent") == TEXT
    marks = [(mark.get_attribute("class"), mark.text) for mark in told.find_elements(By.TAG_NAME, "mark")]
    assert marks == [("trigger", "قصفت"), ("role-1", "قوات النظام"), ("role-4", "بلدة قسطون"), ("role-2", "أربعة مدنيين")]


def test_type_dot_and_words_filter_and_what_has_no_place_or_day_is_counted(browser, path):  # noqa: F811
    open_page(browser, path)
    assert len(browser.find_elements(By.CSS_SELECTOR, "#dots circle")) == 1
    assert browser.find_element(By.ID, "unplaced").text.endswith(": 1")
    assert browser.find_element(By.ID, "undated").text.endswith(": 1")
    for press in (
        "document.querySelector('#types button').click()",
        "document.querySelector('#dots circle').dispatchEvent(new Event('click'))",
    ):
        browser.execute_script(press)
        assert len(browser.find_elements(By.CSS_SELECTOR, "details.event")) == 1
        browser.execute_script("document.getElementById('filter').reset()")
        wait(browser, lambda b: len(b.find_elements(By.CSS_SELECTOR, "details.event")) == 2)
    browser.find_element(By.ID, "query").send_keys("لا شيء كهذا")
    wait(browser, lambda b: not b.find_elements(By.CSS_SELECTOR, "details.event"))


def test_nothing_of_a_text_is_markup_and_nothing_overflows_390_pixels(browser, path):  # noqa: F811
    open_page(browser, path, 390)
    assert browser.find_element(By.TAG_NAME, "h1").text.startswith("</script><script>alert(1)</script>")
    assert browser.execute_script("return document.scripts.length") == 2
    assert browser.execute_script("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
