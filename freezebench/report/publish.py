"""Writing the page and its pictures into the report's folder."""

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
    drawn = common = None
    written: list[Path] = []
    # matplotlib is an extra; without it the page shows how to install it.
    if importlib.util.find_spec("matplotlib") is not None:
        from freezebench.report.plots import draw, draw_side_by_side

        drawn = [draw(experiment) for experiment in experiments]
        common = draw_side_by_side(experiments) if len(experiments) > 1 else []
        for index, pictures in enumerate([*drawn, common]):
            prefix = f"{index + 1}_" if len(experiments) > 1 and index < len(experiments) else ""
            written += _write_pictures(folder / PICTURE_FOLDER, prefix, pictures)
    path = folder / PAGE_FILE
    write_whole(path, page(experiments, drawn, common))
    return [path, *written]


def _write_pictures(folder: Path, prefix: str, pictures: Sequence[Picture | Missing]) -> list[Path]:
    """Write pictures as SVG and PNG; files of an earlier report are removed if a picture can no longer be drawn."""
    folder.mkdir(exist_ok=True)
    written = []
    for picture in pictures:
        svg, png = (folder / f"{prefix}{picture.name}.{kind}" for kind in ("svg", "png"))
        if isinstance(picture, Missing):
            svg.unlink(missing_ok=True)
            png.unlink(missing_ok=True)
            continue
        write_whole(svg, picture.svg)
        write_whole(png, picture.png)
        written += [svg, png]
    return written
