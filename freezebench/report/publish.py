"""Writing a report: all of its files are replaced as a whole, so that page and figures are of one experiment."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.records.file_set import finish_replacement, replace_files
from freezebench.records.saved_files import REPORT_FILE, report_file
from freezebench.report.experiment import Experiment, read_experiments
from freezebench.report.files import OVERVIEW_FILE, report_files
from freezebench.report.page.page import NO_MATPLOTLIB, page
from freezebench.report.picture import PICTURE_NAMES, Picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from freezebench.config.session_settings import SessionSettings
    from freezebench.config.settings import Settings
    from freezebench.report.summary import Summary

PAGE_FILE = "index.html"
PICTURE_FOLDER = "pictures"
# While tests run, the page has no pictures: drawing takes seconds.
NOT_DRAWN_YET = (
    "The pictures are drawn when the last test has ended. If the session was interrupted, make them with: "
    "python -m freezebench report DIR"
)
_OWN_PICTURE = re.compile(rf"(\d+_)?({'|'.join(PICTURE_NAMES)})\.(svg|png)")


def write_report(
    folder: Path,
    experiments: Sequence[tuple[Settings, Summary]],
    session_settings: SessionSettings,
    *,
    tests: Mapping[Settings, Sequence[str]] = MappingProxyType({}),
    with_page: bool = True,
    with_pictures: bool = False,
) -> list[Path]:
    """Write the report of a session and return the paths of its files; an earlier report is replaced as a whole.

    Args:
        folder: An existing folder; files of other names in it stay.
        experiments: Settings and summary of each experiment.
        session_settings: The options that all experiments share.
        tests: Node ids of the tests behind each experiment.
        with_page: Whether ``index.html`` is written.
        with_pictures: Whether its pictures are drawn, too, where matplotlib is installed.

    Raises:
        OSError: If a file cannot be written; the earlier report is then unchanged.
    """
    contents = report_files(experiments, session_settings, tests)
    if with_page and experiments:
        shown = [Experiment.of(settings, summary, tests.get(settings, ())) for settings, summary in experiments]
        contents |= _page_files(shown, with_pictures=with_pictures)
    replace_files(folder, contents, main_file=PAGE_FILE, outdated=lambda root: [*_own_pictures(root), OVERVIEW_FILE])
    return [folder / name for name in contents]


def publish_saved(folder: Path, paths: Sequence[Path]) -> list[Path]:
    """Write the page of saved reports, with pictures where matplotlib is installed, and return its path and theirs.

    Args:
        folder: An existing folder.
        paths: Folders of reports, or their ``report.json``; at least one.

    Raises:
        RecordError: If a report cannot be read.
        SettingsError: If the folder holds the figures of another report, which would then be next to this page.
        OSError: If a file cannot be written; the earlier page is then unchanged.
    """
    own = folder / REPORT_FILE
    sources = [report_file(path) for path in paths]
    if own.exists() and [source.resolve() for source in sources] != [own.resolve()]:
        raise SettingsError(
            f"{folder} holds another report ({REPORT_FILE}), and page and figures would differ: name another folder "
            "with --output=DIR."
        )
    if own.exists():
        finish_replacement(folder)
    before = _identity(own)
    experiments = [experiment for path in paths for experiment in read_experiments(path)]
    if len(paths) == 1:
        # The only report of a page needs no name.
        experiments = [replace(experiment, source="") for experiment in experiments]

    def check() -> None:
        if _identity(own) != before:
            raise SettingsError(f"{own} was replaced while its page was made: run the command again.")

    contents = _page_files(experiments, with_pictures=True)
    replace_files(folder, contents, main_file=PAGE_FILE, outdated=_own_pictures, check=check)
    return [folder / name for name in contents]


def saved_files(path: Path) -> dict[str, Path]:
    """Return the files of a report by their names in its folder.

    Args:
        path: The folder of a report, or its ``report.json``.
    """
    folder = report_file(path).parent
    names = ["report.md", "report.csv", REPORT_FILE, OVERVIEW_FILE, *_own_pictures(folder)]
    return {name: folder / name for name in names if (folder / name).is_file()}


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what differs between a file and another one of its name; ``None`` if there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _page_files(experiments: Sequence[Experiment], *, with_pictures: bool) -> dict[str, bytes]:
    """Return the content of the page, and of its pictures as SVG and PNG, by name relative to the report's folder."""
    # matplotlib is an extra; without it the page shows how to install it.
    if importlib.util.find_spec("matplotlib") is None:
        return {PAGE_FILE: page(experiments, NO_MATPLOTLIB).encode()}
    if not with_pictures:
        return {PAGE_FILE: page(experiments, NOT_DRAWN_YET).encode()}
    from freezebench.report.plots import draw, draw_side_by_side

    drawn = [draw(experiment) for experiment in experiments]
    common = draw_side_by_side(experiments) if len(experiments) > 1 else []
    contents = {PAGE_FILE: page(experiments, drawn, common).encode()}
    for index, pictures in enumerate([*drawn, common]):
        prefix = f"{index + 1}_" if len(experiments) > 1 and index < len(experiments) else ""
        for picture in pictures:
            if isinstance(picture, Picture):
                name = f"{PICTURE_FOLDER}/{prefix}{picture.name}"
                contents |= {f"{name}.svg": picture.svg.encode(), f"{name}.png": picture.png}
    return contents


def _own_pictures(folder: Path) -> Iterable[str]:
    """Return the names of the pictures of an earlier report; files of other names are not the report's."""
    names = (path.name for path in (folder / PICTURE_FOLDER).glob("*"))
    return [PAGE_FILE, *(f"{PICTURE_FOLDER}/{name}" for name in names if _OWN_PICTURE.fullmatch(name))]
