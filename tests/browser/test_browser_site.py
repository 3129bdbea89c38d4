"""The documentation as a site: everybody can read and operate it, on a phone and at a desk, in both schemes."""

from __future__ import annotations

import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from accessibility import findings
from browser_window import open_page, run_script

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome

pytestmark = pytest.mark.slow

SITE = Path(__file__).resolve().parents[2] / "build" / "site"
# One page of each kind: start, tutorial, guide with code and tables, generated lists, docstrings, pictures.
PAGES = (
    "",
    "tutorial/first-hour/",
    "how-to/strategies/",
    "reference/options/",
    "reference/api/",
    "explanation/several-experiments/",
)
PHONE, DESK = 390, 1280


class _Quiet(SimpleHTTPRequestHandler):
    """A handler that writes no log."""

    def log_message(self, *_: object) -> None:
        """Leave it out."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of the site that `tox run -e docs` has built."""
    if not (SITE / "index.html").exists():
        reason = "the site is not built: tox run -e docs"
        if os.environ.get("FREEZEBENCH_SITE") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    # From files, the theme has no search.
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(SITE))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing(browser: Chrome, site: str, page: str, width: int, scheme: str) -> None:
    """Level AA of WCAG 2.2; the scheme is that of the system."""
    open_page(browser, site + page, (width, 900), scheme)
    assert (
        run_script(browser, "return document.body.dataset.mdColorScheme")
        == {"light": "default", "dark": "slate"}[scheme]
    )
    # All documented names look like the first one.
    assert findings(browser, left_out=".doc-object ~ .doc-object") == []


def test_no_page_scrolls_sideways_on_a_phone(browser: Chrome, site: str) -> None:
    """Wide tables and code scroll in their own boxes."""
    wide = []
    for path in sorted(SITE.rglob("index.html")):
        page = path.parent.relative_to(SITE).as_posix()
        open_page(browser, f"{site}{page}/", (PHONE, 844))
        if run_script(browser, "return document.documentElement.scrollWidth") > PHONE:
            wide.append(page)
    assert wide == []


def test_the_menu_of_a_phone_opens_by_keyboard(browser: Chrome, site: str) -> None:
    """Its links are out of the way of the Tab key until then."""
    open_page(browser, site, (PHONE, 844))
    seen = "return getComputedStyle(document.querySelector('.md-sidebar--primary')).visibility"
    assert run_script(browser, seen) == "hidden"
    button = browser.find_element("css selector", ".md-header [role=button][for=__drawer]")
    button.send_keys("\ue007")
    assert run_script(browser, seen) == "visible"
    assert button.get_attribute("aria-expanded") == "true"
