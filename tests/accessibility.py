"""Accessibility of the page that a browser shows, as axe-core finds it."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

# Rules of WCAG 2.2, levels A and AA, and axe-core's best practices.
_RUN = """
const [leftOut, done] = arguments, context = leftOut ? { exclude: [leftOut] } : document;
axe.run(context, {resultTypes: ["violations"], preload: false}).then((results) => done(results.violations));
"""


def findings(browser: Chrome, *, left_out: str | None = None) -> list[str]:
    """Return what axe-core finds in the open page, but for what it calls minor: impact, rule, number and first place.

    Args:
        browser: The browser.
        left_out: Selector of what is not looked at.
    """
    browser.execute_script(resources.files("selenium_axe_python").joinpath("axe-core/axe.min.js").read_text("utf-8"))
    return [
        f"{found['impact']} {found['id']} {len(found['nodes'])} times: {found['help']}: {found['nodes'][0]['html']}"
        for found in browser.execute_async_script(_RUN, left_out)
        if found["impact"] != "minor"
    ]
