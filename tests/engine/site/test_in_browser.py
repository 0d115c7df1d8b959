"""The leaderboard in a real browser, from file://, at the widths of a desk and of a telephone."""

from __future__ import annotations

import pytest
from browsing import Tab, chromium

from iiszoo.engine.site.writing import write

pytestmark = pytest.mark.slow

_SHOWN = "[...document.querySelectorAll('#lines tbody tr')].filter((row) => !row.hidden)"


@pytest.fixture(scope="module")
def index(repo, tmp_path_factory):
    out = tmp_path_factory.mktemp("pages")
    write(repo, out, (), None, "Our leaderboard")
    return f"file://{out}/index.html"


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(params=[1280, 390])
def tab(browser, index, request):
    tab = Tab(browser, index, viewport={"width": request.param, "height": 844})
    yield tab
    assert tab.errors == []
    tab.close()


def cells(tab, column):
    return tab.page.evaluate(f"{_SHOWN}.map((row) => row.querySelector('[data-key=\"{column}\"]').textContent)")


def test_it_opens_with_the_data_that_has_most_runs_best_first(tab):
    assert tab.page.evaluate(f"{_SHOWN}.length") == 2
    assert set(cells(tab, "robot")) == {"ritm"}
    numbers = [float(text) for text in cells(tab, "noc90")]
    assert numbers == sorted(numbers)


def test_choices_filter_sort_and_can_be_linked(tab, index):
    page = tab.page
    page.select_option("#dataset", "grabcut")
    page.select_option("#robot", "")
    page.select_option("#metric", "noc85")
    numbers = [float(text) for text in cells(tab, "noc85") if text != "–"]
    assert len(numbers) > 10
    assert numbers == sorted(numbers)
    page.fill("#search", "simpleclick")
    few = page.evaluate(f"{_SHOWN}.length")
    assert 0 < few < len(numbers)
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    assert page.evaluate(f"{_SHOWN}.length") == few
    page.uncheck("[name=tier][value=published]")
    assert page.evaluate(f"{_SHOWN}.length") == 0
    page.click("#reset")
    assert page.evaluate(f"{_SHOWN}.length") == 2


def test_a_title_sorts_and_sorts_the_other_way(tab):
    page = tab.page
    page.select_option("#robot", "")
    sorted_by = []
    for _ in range(2):
        page.click("#lines th[data-key=ms_click] button")
        sorted_by.append([float(text) for text in cells(tab, "ms_click")])
    assert len(sorted_by[0]) == 4
    assert sorted_by[0] == sorted(sorted_by[1])
    assert sorted_by[0] == sorted_by[1][::-1]


def test_the_chart_has_a_mark_for_every_line_with_both_figures(tab):
    page = tab.page
    assert page.locator("#chart .mark").count() == 2
    page.select_option("#dataset", "grabcut")
    page.click("[data-x=parameters]")
    drawn = page.locator("#chart .mark").count()
    assert drawn > 10
    lacking = page.evaluate(f"{_SHOWN}.length") - drawn
    said = f"Not drawn, for lack of a number of parameters: {lacking}." in page.inner_text("#cost")
    assert said == (lacking > 0)


def test_other_robots_stand_beside_each_other(tab):
    titles = tab.page.locator("#robots thead th").all_inner_texts()
    assert set(titles) == {"model", "ritm", "center-largest", "worst less best"}
    assert tab.page.locator("#robots tbody tr").count() == 2
    assert tab.page.locator("#robots tbody td").nth(1).inner_text() == f"{cells(tab, 'noc90')[0]} ○"


def test_no_page_is_wider_than_the_screen(tab):
    page = tab.page
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(wide)
    page.select_option("#robot", "")
    page.select_option("#dataset", "")
    assert page.evaluate(wide)
    page.click("text=classic/geocut")
    page.wait_for_url("**/models/classic-geocut.html")
    assert page.evaluate(wide)
