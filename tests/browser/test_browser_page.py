"""The page of a real run in a browser: answer, sorting, pictures, and no script from the data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tiny
from browser_window import open_page, run_script

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.slow

PHONE, DESKTOP = (360, 740), (1280, 900)
HOSTILE_MODEL = Path("<script>alert('model')<", "script>")
HOSTILE_LABELS = ('"><img src=x onerror=alert(1)>', "<script>alert('label')</script>")
HOSTILE_ENDS = ("", " <script>alert('sentence')</script>", "", "")
TEST = """
import pytest

@pytest.mark.freeze(model={model!r}, data={data!r}, epochs=8, lr=1e-2, batch_size=8, precision="float32", device="cpu")
def test_it(freeze_run):
    freeze_run()
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a real grid on a tiny model whose name, labels and sentences are hostile."""
    folder = tmp_path_factory.mktemp("project")
    model = tiny.write_model(folder / HOSTILE_MODEL)
    data = folder / "data"
    data.mkdir()
    for seed, (split, num) in enumerate((("train", 48), ("validation", 24), ("test", 40))):
        lines = [
            json.dumps({"text": sentence + HOSTILE_ENDS[index % 4], "label": HOSTILE_LABELS[label]})
            for index, (sentence, label) in enumerate(tiny.sentences(num, 2, seed))
        ]
        (data / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "test_grid.py").write_text(TEST.format(model=str(model), data=str(data)), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "--freeze-num-seeds=2", "--freeze-report=report"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTEST_ADDOPTS": "-p no:randomly"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return folder / "report" / "index.html"


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_page_answers_and_shows_every_picture_without_an_error(
    browser: Chrome, page: Path, size: tuple[int, int]
) -> None:
    """The answer is on the first screen, only the table scrolls sideways, the console has no message."""
    open_page(browser, page, size)
    headline = browser.find_element("css selector", ".headline")
    assert headline.text.startswith(("Freeze emb", "No configuration is non-inferior"))
    assert headline.rect["y"] < size[1]
    images = browser.execute_async_script(
        "const done = arguments[0], images = [...document.images];"
        "Promise.all(images.map((image) => image.decode().catch(() => 0)))"
        ".then(() => done(images.map((image) => image.naturalWidth)))"
    )
    # Drop, time, memory, parameters, metrics, losses and memory over time, light and dark; energy as the machine can.
    assert len(images) >= 14
    assert all(width > 0 for width in images)
    assert run_script(browser, "return document.documentElement.scrollWidth <= window.innerWidth")
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_table_sorts_by_any_column_and_back(browser: Chrome, page: Path, size: tuple[int, int]) -> None:
    """Click and keyboard sort; screen readers get the direction; missing figures stay last."""
    open_page(browser, page, size)
    names = "return [...document.querySelector('table.sortable').tBodies[0].rows].map((r) => r.cells[0].textContent)"
    ladder = ["none", "emb", "emb+L0", "emb+L0-1"]
    assert run_script(browser, names) == ladder
    buttons = {button.text: button for button in browser.find_elements("css selector", "table.sortable thead button")}
    share = buttons["share"]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', inline: 'center'})", share)
    share.click()
    assert run_script(browser, names) == ladder[::-1]
    assert share.find_element("xpath", "..").get_attribute("aria-sort") == "ascending"
    share.send_keys("\ue007")
    assert run_script(browser, names) == ladder
    assert share.find_element("xpath", "..").get_attribute("aria-sort") == "descending"
    drop = next(button for heading, button in buttons.items() if heading.startswith("drop, points"))
    for _ in range(2):
        drop.send_keys("\ue007")
        assert run_script(browser, names)[-1] == "none"
    assert run_script(browser, "return document.querySelectorAll('[aria-sort$=ending]').length") == 1


def test_hostile_names_labels_and_sentences_are_text(browser: Chrome, page: Path) -> None:
    """They are shown unchanged; none of their scripts ran, and none of their elements exists."""
    open_page(browser, page, DESKTOP)
    text = browser.find_element("tag name", "body").text
    assert str(HOSTILE_MODEL) in text
    for label in HOSTILE_LABELS:
        assert label in text
    # An open dialog would have stopped the browser's answers before this one.
    assert run_script(browser, "return document.scripts.length") == 1
    assert run_script(browser, "return document.querySelectorAll('img:not([src^=\"data:\"]), [onerror]').length") == 0


def test_an_injected_script_does_not_run(browser: Chrome, page: Path, tmp_path: Path) -> None:
    """The content security policy allows only the page's own script."""
    harmed = tmp_path / "index.html"
    content = page.read_text(encoding="utf-8")
    harm = "<script>document.title = 'harmed'</script><img src=x onerror=\"document.title = 'harmed'\">"
    harmed.write_text(content.replace("<main>", f"<main>{harm}"), encoding="utf-8")
    open_page(browser, harmed, DESKTOP)
    assert browser.title.startswith("freezebench report")
    assert any("Content Security Policy" in line["message"] for line in browser.get_log("browser"))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_follow_the_colour_scheme(browser: Chrome, page: Path, scheme: str) -> None:
    """One picture of each pair is visible."""
    open_page(browser, page, DESKTOP, scheme)
    seen = "return [...document.images].filter((image) => image.offsetParent).map((image) => image.className)"
    classes = run_script(browser, seen)
    assert set(classes) == {scheme}
    assert len(classes) == run_script(browser, "return document.images.length") / 2


def test_the_page_prints_light_pictures_in_both_schemes(browser: Chrome, page: Path) -> None:
    """Dark pictures would be illegible on paper."""
    open_page(browser, page, DESKTOP, "dark")
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": features})
    seen = "return [...document.images].filter((image) => image.offsetParent).map((image) => image.className)"
    assert set(run_script(browser, seen)) == {"light"}
    assert run_script(browser, "return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
