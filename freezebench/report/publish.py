"""Publish: the page and its pictures, written into the report's folder."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from freezebench.records.files import write_whole
from freezebench.report.page.page import page
from freezebench.report.picture import Missing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from freezebench.report.picture import Picture
    from freezebench.report.study import Study

PAGE_FILE = "index.html"
PICTURE_FOLDER = "pictures"


def publish(folder: Path, studies: Sequence[Study]) -> list[Path]:
    """Write ``index.html`` and, where matplotlib is installed, ``pictures/*.svg`` and ``*.png``; return their paths.

    Args:
        folder: An existing folder.
        studies: At least one experiment.

    Raises:
        OSError: If a file cannot be written.
    """
    drawn = together = None
    written: list[Path] = []
    # Drawing is an extra: without it the page says how to get the pictures.
    if importlib.util.find_spec("matplotlib") is not None:
        from freezebench.report.plots import draw, draw_together

        drawn = [draw(study) for study in studies]
        together = draw_together(studies) if len(studies) > 1 else []
        for place, some in enumerate([*drawn, together]):
            prefix = f"{place + 1}_" if len(studies) > 1 and place < len(studies) else ""
            written += _write_pictures(folder / PICTURE_FOLDER, prefix, some)
    path = folder / PAGE_FILE
    write_whole(path, page(studies, drawn, together))
    return [path, *written]


def _write_pictures(folder: Path, prefix: str, some: Sequence[Picture | Missing]) -> list[Path]:
    """Write pictures as SVG and PNG; what can no longer be drawn does not stay from an earlier report."""
    folder.mkdir(exist_ok=True)
    written = []
    for one in some:
        svg, png = (folder / f"{prefix}{one.name}.{kind}" for kind in ("svg", "png"))
        if isinstance(one, Missing):
            svg.unlink(missing_ok=True)
            png.unlink(missing_ok=True)
            continue
        write_whole(svg, one.svg)
        write_whole(png, one.png)
        written += [svg, png]
    return written
