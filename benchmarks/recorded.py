"""Put recorded output and pictures of a real session into the documentation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezebench.report.picture import DARK, LIGHT, Picture

if TYPE_CHECKING:
    from pathlib import Path


def write_pictures(drawn: Picture, folder: Path, name: str) -> None:
    """Write a picture for light and for dark pages, as ``NAME-light.svg`` and ``NAME-dark.svg``."""
    folder.mkdir(parents=True, exist_ok=True)
    # Paths with hundredths of a point look the same, and their files are much smaller.
    svg = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), drawn.svg)
    dark = svg
    for light, other in zip(LIGHT, DARK, strict=True):
        dark = dark.replace(light, other)
    (folder / f"{name}-light.svg").write_text(svg, encoding="utf-8")
    (folder / f"{name}-dark.svg").write_text(dark, encoding="utf-8")


def show_picture(page: Path, drawn: Picture, folder: Path) -> None:
    """Write a picture for both themes, and put its alternative text into the page that shows it.

    Raises:
        SystemExit: If the page does not show the picture in both themes.
    """
    write_pictures(drawn, folder, drawn.name)
    content = page.read_text(encoding="utf-8")
    pattern = rf"!\[[^\]]*\](?=\([^)]*/{re.escape(drawn.name)}-(?:light|dark)\.svg#)"
    changed, count = re.subn(pattern, lambda _: f"![{drawn.alt}]", content)
    if count != 2:  # noqa: PLR2004 - light and dark
        raise SystemExit(f"{page} shows {drawn.name} {count} times: show it once for light and once for dark pages.")
    page.write_text(changed, encoding="utf-8")


def replace_block(page: Path, label: str, title: str, text: str) -> None:
    """Put a text into the place of the block of a page whose title begins with a label.

    Args:
        page: The page.
        label: Beginning of the title, such as ``Recorded output``.
        title: The new title.
        text: The new text.

    Raises:
        SystemExit: If the page has no such block.
    """
    content = page.read_text(encoding="utf-8")
    pattern = rf"```text title=\"{re.escape(label)}.*?```"
    changed, count = re.subn(
        pattern, lambda _: f'```text title="{title}"\n{text}\n```', content, count=1, flags=re.DOTALL
    )
    if not count:
        raise SystemExit(f'{page} has no block of text with a title that begins with "{label}": add one.')
    page.write_text(changed, encoding="utf-8")
