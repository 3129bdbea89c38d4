"""The search for a saved run by name: the newest file that holds freeze results, and what else is saved where."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from freezebench.errors import RecordError
from freezebench.records.saved_files import NO_FIGURES, NoFiguresError, read_saved_run

if TYPE_CHECKING:
    from freezebench.records.saved import SavedRun

HOW_TO_SAVE = "Save one with: pytest TESTS --benchmark-save=NAME, then: pytest TESTS --benchmark-compare"
# A person who sees this cannot save a run where the session is.
_HOW_TO_SAVE_IN_CI = (
    "Run the job of the default branch first, which saves one with --benchmark-save=NAME, and then this job again "
    "(GitHub deletes a cache that was not used for a week)."
)
_NUMBERED = "[0-9][0-9][0-9][0-9]_"  # how pytest-benchmark begins the name of every file that it saves
_MOST_LISTED = 3
_MOST_READ = 20  # files of other benchmarks may be many


class Storage(Protocol):
    """The part of pytest-benchmark's storage of files that is used."""

    @property
    def path(self) -> Path:
        """The folder."""

    @property
    def default_machine_id(self) -> str | None:
        """The folder of this kind of machine, to which names without a folder refer."""

    def query(self, *globs_or_files: str) -> list[Path]:
        """Return the files that names or patterns select, those of the highest numbers last."""


@dataclass(frozen=True, kw_only=True)
class RequestedRun:
    """A saved run that a session is to be compared with.

    Attributes:
        option: The option that requests it, with its value.
        saved: The saved run; ``None``: there is none.
        is_required: Whether a session must not start where nothing could be compared with it.
        notes: Sentences to show before training.
        elsewhere: Where runs are saved, and how to name them: the end of a message; may be empty.
    """

    option: str
    saved: SavedRun | None
    is_required: bool = False
    notes: tuple[str, ...] = ()
    elsewhere: str = ""


def find_run(storage: Storage, name: str | None, *, option: str, is_required: bool) -> RequestedRun:
    """Return the newest saved run that a name selects.

    Files that hold ordinary benchmarks only are passed over.

    Args:
        storage: Where pytest-benchmark saves.
        name: A number, the beginning of a file's name, or a path; ``None``: any run of this kind of machine.
        option: The option without a value, or the command that takes names as arguments.
        is_required: Whether it is an error if there is none.

    Raises:
        RecordError: If the newest one is damaged or of an unknown schema, if all hold ordinary benchmarks only, or if
            there is none and one is required.
    """
    request = option if name is None else _named(option, name)
    files = _query(storage, _NUMBERED if name is None else name)
    elsewhere = listing(storage, option)
    # Without a name, a saved run is required in continuous integration only.
    remedy = elsewhere or (_HOW_TO_SAVE_IN_CI if name is None and is_required else f"{HOW_TO_SAVE}.")
    if not files and is_required:
        raise RecordError(f"{request}: {_absence(storage, name, option)}. {remedy}{_hint(name, option)}")
    if not files:
        note = f"{request} found no saved run: nothing is compared. {remedy}"
        return RequestedRun(option=request, saved=None, notes=(note,))
    passed_over: list[str] = []
    for file in reversed(files):
        try:
            saved = read_saved_run(file)
        except NoFiguresError:
            passed_over.append(_name(storage, file))
            continue
        except RecordError as error:
            if file.suffix == ".json" or not (hint := _hint(name, option)):
                raise
            raise RecordError(f"{request}: {file} is no saved run.{hint}") from error
        note = f"{request}: passed over {', '.join(passed_over)}, ordinary benchmarks only. It takes {saved.source}."
        return RequestedRun(
            option=request,
            saved=saved,
            is_required=is_required,
            notes=(note,) if passed_over else (),
            elsewhere=listing(storage, option, taken=file),
        )
    raise RecordError(f"{request}: {files[-1]}: {NO_FIGURES}. {elsewhere}".rstrip())


def find_anchor(storage: Storage | None, name: str, *, option: str) -> RequestedRun:
    """Return the saved run at a path, or that of a name as ``find_run`` finds it.

    Raises:
        RecordError: If there is none, or it cannot be read.
    """
    # These functions raise nothing: a user who does not exist, or a name that no file can have, may be a run's name.
    path = Path(os.path.expanduser(name))  # noqa: PTH111
    if os.path.exists(path):  # noqa: PTH110
        try:
            return RequestedRun(option=f"{option}={name}", saved=read_saved_run(path), is_required=True)
        except RecordError as error:
            raise RecordError(f"{option}={name}: {error}") from error
    if storage is None:
        raise RecordError(
            f"{option}={name}: there is no such file or folder (seen from {Path.cwd()}). Give the path "
            "of a report or of a file of pytest-benchmark."
        )
    return find_run(storage, name, option=option, is_required=True)


def listing(storage: Storage, option: str, taken: Path | None = None) -> str:
    """Return where the newest runs with freeze results are, and how to name one; empty if there are none.

    Args:
        storage: Where pytest-benchmark saves.
        option: The option, or the command that takes names as arguments.
        taken: The run that was tried, which is not offered.
    """
    files = [file for file in _query(storage, "*/*") if file.is_file() and file != taken]  # no links that lead nowhere
    files.sort(key=lambda file: (file.stat().st_mtime, file.name), reverse=True)
    with_figures = (_name(storage, file) for file in files[:_MOST_READ] if _has_figures(file))
    named = list(islice(with_figures, _MOST_LISTED))
    if not named:
        return ""
    runs = "Saved runs" if taken is None else "Other saved runs"
    return f"{runs} in {storage.path}, newest first: {', '.join(named)}. Take one with {_named(option, named[0])}."


def _named(option: str, name: str) -> str:
    """Return how a name is given: as the value of an option, or as an argument of a command."""
    return f"{option}={name}" if option.startswith("--") else f"{option} {name}"


def _has_figures(file: Path) -> bool:
    try:
        read_saved_run(file)
    except RecordError:
        return False
    return True


def _query(storage: Storage, name: str) -> list[Path]:
    """Return the files that a name selects; none if it is neither a file nor a pattern that the storage accepts."""
    try:
        return storage.query(name)
    except (ValueError, OSError, RecursionError, NotImplementedError):  # the last one for patterns from the root
        return []


def _absence(storage: Storage, name: str | None, option: str) -> str:
    """Return what is not there."""
    if name is not None:
        # A command takes paths as well.
        path = "" if option.startswith("--") else f"there is no such file or folder (seen from {Path.cwd()}), and "
        return f"{path}no saved run in {storage.path} has a name that begins so"
    # Each kind of machine has its own folder, and without a name only that of this one is searched.
    return f"no run is saved in {storage.path / (storage.default_machine_id or '')}"


def _hint(name: str | None, option: str) -> str:
    """Return what was probably meant, where the name of a saved run is that of a folder."""
    path = None if name is None else Path(name.partition("::")[0])
    if path is None or not os.path.exists(path):  # noqa: PTH110 - False for a name that no file can have
        return ""
    return (
        f" There is {path}: if it holds tests, write it before {option}; if it is a report, give it as "
        f"--freeze-anchor={path}."
    )


def _name(storage: Storage, file: Path) -> str:
    """Return the name by which a file is taken from any machine: its path in the storage without the ending."""
    relative = file.relative_to(storage.path) if file.is_relative_to(storage.path) else file
    if relative.parent.name == storage.default_machine_id:
        relative = Path(relative.name)
    return str(relative.with_suffix(""))
