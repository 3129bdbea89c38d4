"""A headless browser for the tests of the page."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome

# Where .ci/run has installed a browser, its absence is a fault and no reason to skip.
_REQUIRED = os.environ.get("FREEZEBENCH_BROWSER") == "required"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A headless Chromium."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        reason = "no browser: apt-get install chromium chromium-driver"
        if _REQUIRED:
            pytest.fail(reason)
        pytest.skip(reason)
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    profile = tmp_path_factory.mktemp("profile")
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        # Chromium's sandbox refuses root, whom containers run as.
        options.add_argument("--no-sandbox")
    chrome = Chrome(options=options, service=ChromeService(driver))
    # A check of a long page takes most of the usual 30 seconds where other work has the processors.
    chrome.set_script_timeout(120)
    yield chrome
    chrome.quit()
