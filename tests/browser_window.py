"""A window of a browser: its size, its colour scheme, its script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from selenium.webdriver import Chrome

# Widths up to this one are those of phones, whose browsers follow the page's own width.
_WIDEST_PHONE = 480


def open_page(browser: Chrome, page: Path | str, size: tuple[int, int], scheme: str = "light") -> None:
    """Open a page, a file or an address, in a window of this width and height, with this colour scheme."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width <= _WIDEST_PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(page if isinstance(page, str) else page.as_uri())


def run_script(browser: Chrome, script: str, *arguments: Any) -> Any:
    """Return what a script in the page returns."""
    return browser.execute_script(script, *arguments)
