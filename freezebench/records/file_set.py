"""Files that belong together, replaced as a whole: at no time is the main file next to files of another set.

Renaming a new folder over the old one would be simpler. It would also lose files of other origin, fail where the folder
is a mount point, and leave a server or a shell that works in the folder with a removed one. So the folder stays, and
the files inside are replaced in steps that can be finished or undone:

    stage     FOLDER/.freezebench-staged/new    the new files, flushed to disk
                                        /old    the present files, as second links
    commit    rename .freezebench-staged to .freezebench-pending
    install   remove the main file; rename the new files over the old ones, the main file last
    clean up  remove .freezebench-pending

A crash before the commit leaves the old set. After it, the next writer finishes the installation; until then there is
no main file, so that nobody reads a mixture. An error puts the old set back: ``.freezebench-pending`` becomes
``.freezebench-undo``, which the next writer would finish, too.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from freezebench.records.files import read_bounded, refuse_link
from freezebench.records.locks import Lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

_STAGED, _PENDING, _UNDO = ".freezebench-staged", ".freezebench-pending", ".freezebench-undo"
_LOCK = ".freezebench-lock"
_PLAN = "plan.json"
_MAX_PLAN_BYTES = 2**20


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What an installation changes, kept next to the staged files.

    Attributes:
        main_file: The file that people open; it is removed first and put in place last.
        new: Names of the new files, relative to the folder.
        old: Names of the files that they replace, and of those that are removed.
    """

    main_file: str
    new: list[str]
    old: list[str]


def replace_files(
    folder: Path,
    contents: Mapping[str, bytes],
    *,
    main_file: str,
    outdated: Callable[[Path], Iterable[str]],
    check: Callable[[], None] = lambda: None,
) -> None:
    """Replace a set of files as a whole; files of other names stay. Writers of one folder wait for each other.

    Args:
        folder: An existing folder.
        contents: The new files by name relative to the folder, ``pictures/drop.svg``.
        main_file: The file that people open; it exists only while all others belong to it.
        outdated: Returns the names of present files of the set, of which those without new content are removed.
        check: Called before anything is changed; what it raises ends the replacement.

    Raises:
        OSError: If a file cannot be written; the old ones are then unchanged.
    """
    with _locked(folder):
        _finish(folder)
        check()
        names = {*contents, *outdated(folder)}
        _check_no_links(folder, names)
        plan = _Plan(
            main_file=main_file,
            new=sorted(contents),
            old=sorted(name for name in names if os.path.lexists(folder / name)),
        )
        try:
            _stage(folder, contents, plan)
            (folder / _STAGED).replace(folder / _PENDING)
        except BaseException:
            _remove(folder / _STAGED)
            raise
        try:
            _install(folder, plan)
        except BaseException:
            (folder / _PENDING).replace(folder / _UNDO)
            _undo(folder, plan)
            raise


def finish_replacement(folder: Path) -> None:
    """Finish, or undo, the replacement of a writer that was killed.

    Raises:
        OSError: If a file cannot be written.
    """
    with _locked(folder):
        _finish(folder)


def _finish(folder: Path) -> None:
    """Finish what a killed writer left; the folder's lock is held.

    Raises:
        OSError: If it cannot be finished, or if what is there was not left by freezebench.
    """
    _remove(folder / _STAGED)
    for name, complete in ((_PENDING, _install), (_UNDO, _undo)):
        path = folder / name / _PLAN
        if path.exists() and not path.parent.is_symlink():
            plan = _read_plan(path)
            _check_no_links(folder, [*plan.new, *plan.old])
            complete(folder, plan)
        # Without a plan only the removal of what was staged is left.
        _remove(folder / name)


def _remove(path: Path) -> None:
    """Remove a folder; of a symbolic link in its place only the link."""
    if path.is_symlink():
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)


def _read_plan(path: Path) -> _Plan:
    """Return the plan of an installation; a folder from elsewhere may hold anything under its name.

    Raises:
        OSError: If it cannot be read, or would change files outside the folder.
    """
    try:
        plan = _Plan(**json.loads(read_bounded(path, _MAX_PLAN_BYTES)))
        is_plan = all(_is_inside(name) for name in (plan.main_file, *plan.new, *plan.old))
    except (ValueError, TypeError, RecursionError):
        is_plan = False
    if not is_plan:
        raise OSError(errno.EINVAL, f"{path} is no plan of freezebench: remove {path.parent}")
    return plan


def _is_inside(name: object) -> bool:
    """Return whether a name is that of a file in the folder, or in a folder inside it."""
    # A name that is not UTF-8 raises a ValueError.
    parts = os.fsencode(name).decode("utf-8").split("/") if isinstance(name, str) else []
    return 1 <= len(parts) <= 2 and not any(part in ("", ".", "..") or "\0" in part for part in parts)  # noqa: PLR2004


def _check_no_links(folder: Path, names: Iterable[str]) -> None:
    """Make sure that no file would be written or removed through a symbolic link to a folder elsewhere.

    Raises:
        OSError: If one would.
    """
    for parent in sorted({(folder / name).parent for name in names} - {folder}):
        refuse_link(parent)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, where there can be one."""
    lock = Lock(folder / _LOCK)
    try:
        lock.acquire()
    except OSError:
        # Some file systems have no locks. Writers of such a folder do not wait for each other, and do write.
        with contextlib.suppress(OSError):
            (folder / _LOCK).unlink(missing_ok=True)
    try:
        yield
    finally:
        # A lock whose file cannot be removed is released all the same: this process would wait for itself otherwise.
        with contextlib.suppress(OSError):
            lock.release(remove=True)
        lock.release()


def _stage(folder: Path, contents: Mapping[str, bytes], plan: _Plan) -> None:
    """Write the new files and the plan into the folder of staged files, and link the old files there."""
    files = {f"new/{name}": content for name, content in contents.items()}
    for name, content in {**files, _PLAN: json.dumps(asdict(plan)).encode()}.items():
        path = folder / _STAGED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    for name in plan.old:
        path = folder / _STAGED / "old" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.hardlink_to(folder / name)
        except OSError:
            # Some file systems have no hard links.
            shutil.copy2(folder / name, path, follow_symlinks=False)


def _install(folder: Path, plan: _Plan) -> None:
    """Put the new files in place; those that an earlier call has put there are no longer staged."""
    _exchange(folder, folder / _PENDING, source="new", names=plan.new, others=plan.old, main_file=plan.main_file)


def _undo(folder: Path, plan: _Plan) -> None:
    """Put the old files back."""
    _exchange(folder, folder / _UNDO, source="old", names=plan.old, others=plan.new, main_file=plan.main_file)


def _exchange(
    folder: Path, staged: Path, *, source: str, names: Iterable[str], others: Iterable[str], main_file: str
) -> None:
    """Move staged files of one kind into the folder, remove those of the other kind, and remove what was staged."""
    names = sorted(names, key=lambda name: name == main_file)
    is_left = [name for name in names if os.path.lexists(staged / source / name)]
    # Once the main file was moved, everything else is in place.
    if main_file in is_left or main_file not in names:
        (folder / main_file).unlink(missing_ok=True)
    for name in others:
        if name not in names:
            (folder / name).unlink(missing_ok=True)
    for name in is_left:
        (folder / name).parent.mkdir(exist_ok=True)
        (staged / source / name).replace(folder / name)
    shutil.rmtree(staged)
