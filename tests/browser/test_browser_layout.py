"""The layout of the page in a browser, for every kind of answer: nothing overflows, and everybody can read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import stories
import studies
from accessibility import findings
from browser_window import open_page, run_script
from experiments import broken_experiment, experiment
from freezebench.report.page.page import page
from freezebench.report.plots import draw, draw_side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable

    from selenium.webdriver import Chrome

    from freezebench.report.experiment import Experiment

pytestmark = pytest.mark.slow

WIDTHS = (390, 768, 1280)
# The last one has every column: energy, memory, limits.
STORIES: dict[str, Callable[[], Experiment | list[Experiment]]] = {
    **stories.STORIES,
    "everything_measured": experiment,
    "several_experiments": studies.uneven,
    "every_answer": studies.mixed_answers,
    "invalid_baseline": broken_experiment,
    "strategies": studies.strategies,
    "long_names": lambda: studies.long_names(2),
}


@pytest.fixture(scope="module", params=list(STORIES))
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of one kind of answer, with its pictures."""
    made = STORIES[request.param]()
    shown = made if isinstance(made, list) else [made]
    common = draw_side_by_side(shown) if len(shown) > 1 else None
    # Their own pictures are shown by the pages of single experiments.
    drawn = [draw(shown[0]), *([] for _ in shown[1:])]
    path = tmp_path_factory.mktemp(request.param) / "index.html"
    path.write_text(page(shown, drawn, common), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(browser: Chrome, story: Path, width: int) -> None:
    """Neither the page nor anything in it but the tables' own boxes; the answer is on the first screen."""
    open_page(browser, story, (width, 900))
    assert run_script(browser, "return document.documentElement.scrollWidth") <= width
    outside = (
        "return [...document.querySelectorAll('body *')].filter((element) => !element.closest('.scroll table') && "
        "element.getBoundingClientRect().right > innerWidth + 0.5).map((element) => element.outerHTML.slice(0, 80))"
    )
    assert run_script(browser, outside) == []
    assert browser.find_element("css selector", ".headline").rect["y"] < 300


def test_the_table_of_figures_fits_a_desktop(browser: Chrome, story: Path) -> None:
    """With all of its columns, and without a hint to scroll."""
    open_page(browser, story, (1280, 900))
    boxes = "return [...document.querySelectorAll('.scroll')].map((box) => box.scrollWidth - box.clientWidth)"
    assert set(run_script(browser, boxes)) == {0}
    assert not [hint for hint in browser.find_elements("css selector", ".hint") if hint.is_displayed()]


def test_short_names_of_configurations_are_not_broken(browser: Chrome, story: Path) -> None:
    """The table scrolls instead; names are short up to those of the ladder of 100 layers."""
    open_page(browser, story, (768, 900))
    lines = """
        const names = [...document.querySelectorAll('.sortable tbody th code')];
        return names.filter((name) => name.textContent.length < 10).map((name) => {
          const text = document.createRange();
          text.selectNodeContents(name);
          return new Set([...text.getClientRects()].map((box) => box.top)).size;
        });
    """
    assert set(run_script(browser, lines)) <= {1}


def test_on_a_phone_the_table_scrolls_beside_its_first_column(browser: Chrome, story: Path) -> None:
    """The names of the configurations stay; a hint shows that there is more, and the keyboard scrolls, too."""
    open_page(browser, story, (390, 844))
    box = browser.find_element("css selector", ".scroll")
    if not run_script(browser, "return arguments[0].scrollWidth > arguments[0].clientWidth", box):
        pytest.skip("a table of invalid runs has few columns")
    assert browser.find_element("css selector", ".hint").is_displayed()
    assert box.get_attribute("tabindex") == "0"
    names = (
        "return [...arguments[0].querySelectorAll('tr > th:first-child')].map((h) => h.getBoundingClientRect().left)"
    )
    before = run_script(browser, names, box)
    run_script(browser, "arguments[0].scrollLeft = 300", box)
    assert run_script(browser, "return arguments[0].scrollLeft", box) == 300
    assert run_script(browser, names, box) == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(browser: Chrome, story: Path, width: int, scheme: str) -> None:
    """Level AA of WCAG 2.2, also in what opens on request."""
    open_page(browser, story, (width, 900), scheme)
    run_script(browser, "document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    # What several experiments repeat is looked at once.
    assert findings(browser, left_out="article ~ article") == []


def test_axe_finds_what_is_wrong(browser: Chrome, tmp_path: Path) -> None:
    """A picture without words and grey on white, which the test above would otherwise pass for want of a check."""
    path = tmp_path / "index.html"
    harm = "<main><h1>x</h1><img src='data:,'><p style='color: #999'>grey</p></main>"
    path.write_text(f"<!doctype html><html lang='en'><title>x</title>{harm}", encoding="utf-8")
    open_page(browser, path, (390, 844))
    assert [found.split()[:2] for found in findings(browser)] == [
        ["serious", "color-contrast"],
        ["critical", "image-alt"],
    ]


def test_the_page_works_without_scripts(browser: Chrome, story: Path) -> None:
    """Further figures open, and there are no buttons that do nothing."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        open_page(browser, story, (1280, 900))
        assert not [button for button in browser.find_elements("css selector", ".copy") if button.is_displayed()]
        details = browser.find_element("css selector", "details")
        details.find_element("css selector", "summary").click()
        assert details.find_element("css selector", "table").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_phone_shows_verdict_drop_and_speed_up_at_once(browser: Chrome, tmp_path: Path) -> None:
    """Whoever does not scroll sees what counts."""
    path = tmp_path / "index.html"
    path.write_text(page([stories.all_well()], "no pictures"), encoding="utf-8")
    open_page(browser, path, (390, 844))
    ends = run_script(
        browser,
        "const [box] = document.querySelectorAll('.scroll');"
        "return [...box.querySelectorAll('thead th')].map((head) => [head.textContent.split(/[ ,]/)[0],"
        "head.getBoundingClientRect().right <= box.getBoundingClientRect().right])",
    )
    assert [word for word, is_seen in ends if is_seen] == ["frozen", "verdict", "drop", "speed-up"]


def test_a_table_that_fits_has_no_hint(browser: Chrome, tmp_path: Path) -> None:
    """With scripts, the hint is shown only where the table is wider than its box."""
    shown = stories.all_invalid()
    path = tmp_path / "index.html"
    path.write_text(page([shown], "no pictures"), encoding="utf-8")
    open_page(browser, path, (390, 844))
    visible: Any = run_script(
        browser,
        "return [...document.querySelectorAll('.hint')].map((hint) => [hint.offsetParent !== null, "
        "hint.nextElementSibling.scrollWidth > hint.nextElementSibling.clientWidth])",
    )
    assert [shows for shows, overflows in visible if shows != overflows] == []
