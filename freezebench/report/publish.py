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

    from freezebench.report.experiment import Experiment
    from freezebench.report.picture import Picture

PAGE_FILE = "index.html"
PICTURE_FOLDER = "pictures"


def publish(folder: Path, experiments: Sequence[Experiment]) -> list[Path]:
    """Write ``index.html`` and, where matplotlib is installed, ``pictures/*.svg`` and ``*.png``; return their paths.

    Args:
        folder: An existing folder.
        experiments: At least one experiment.

    Raises:
        OSError: If a file cannot be written.
    """
    drawn = together = None
    written: list[Path] = []
    # Drawing is an extra: without it the page says how to get the pictures.
    if importlib.util.find_spec("matplotlib") is not None:
        from freezebench.report.plots import draw, draw_side_by_side

        drawn = [draw(experiment) for experiment in experiments]
        together = draw_side_by_side(experiments) if len(experiments) > 1 else []
        for place, some in enumerate([*drawn, together]):
            prefix = f"{place + 1}_" if len(experiments) > 1 and place < len(experiments) else ""
            written += _write_pictures(folder / PICTURE_FOLDER, prefix, some)
    path = folder / PAGE_FILE
    write_whole(path, page(experiments, drawn, together))
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
