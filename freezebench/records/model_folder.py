"""The folder of a saved model: written beside its place, then swapped in as a whole, and never over foreign files.

::

    models/.model.freezebench-x7/new   written file by file; a kill leaves it here, outside the folder
    models/model                       the earlier model until the swap, which is one operation of the kernel
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError, SettingsError
from freezebench.records.files import read_bounded, write_whole
from freezebench.records.locks import Lock
from freezebench.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Iterator

# Lists what freezebench wrote, so that it replaces that and nothing else.
MANIFEST = "freezebench.json"
_SCHEMA = 1
_MAX_MANIFEST_BYTES = 2**20
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


class ModelFolder:
    """A folder that a model is saved to.

    Attributes:
        path: Its absolute path.
    """

    def __init__(self, root: Path, name: str | None = None) -> None:
        """Take where the folder is.

        Args:
            root: The folder that the option names.
            name: Subfolder of the model, where several experiments save one each; ``None``: the folder itself.
        """
        self._root = Path(os.path.realpath(root))  # a loop of symbolic links is no error here
        self._option = f"--freeze-save={root}"
        self.path = self._root if name is None else self._root / name

    def check(self, num_bytes: int | None = None) -> None:
        """Check before training that a model can be saved later.

        Args:
            num_bytes: About how many bytes the model takes; ``None``: unknown.

        Raises:
            SettingsError: If the folder holds something else than an earlier model, or cannot be written.
        """
        problem = self._problem()
        if problem is not None:
            raise SettingsError(f"{self._option}: {problem}")
        staging = self._root.parent
        try:
            staging.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=staging, prefix=self._prefix):
                free_bytes = shutil.disk_usage(staging).free
        except OSError as error:
            raise SettingsError(
                f"{self._option}: cannot write in {staging} ({error.strerror or error}), where the model is prepared. "
                "Name another folder."
            ) from error
        if num_bytes is not None and free_bytes < num_bytes:
            raise SettingsError(
                f"{self._option}: the model takes about {bytes_text(num_bytes)}, and {bytes_text(free_bytes)} are free "
                f"in {staging}. Free space, or name another folder."
            )

    @contextmanager
    def replaced(self) -> Iterator[Path]:
        """Yield an empty folder; at the end of the block its files become the content of this folder.

        If the block raises, or the process is killed, this folder is as it was.

        Raises:
            OSError: If something cannot be written.
            FreezebenchError: If the folder has got other content since it was checked.
        """
        self._remove_leftovers()
        self._root.parent.mkdir(parents=True, exist_ok=True)
        container = Path(tempfile.mkdtemp(dir=self._root.parent, prefix=self._prefix))
        lock = Lock(container / "lock")
        try:
            # Where the file system has no locks, nothing is taken for a leftover, either.
            with suppress(OSError):
                lock.try_acquire()
            new = container / "new"
            new.mkdir()
            yield new
            _write_manifest(new)
            problem = self._problem()
            if problem is not None:
                raise FreezebenchError(f"the model was not saved to {self.path}: {problem}")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _swap(new, self.path, container / "old")
        finally:
            shutil.rmtree(container, ignore_errors=True)
            lock.release()

    @property
    def _prefix(self) -> str:
        return f".{self._root.name}.freezebench-"

    def _remove_leftovers(self) -> None:
        """Remove what killed sessions left beside the folder; what a living session writes is locked."""
        with suppress(OSError):
            for container in self._root.parent.iterdir():
                lock = Lock(container / "lock")
                is_ours = container.name.startswith(self._prefix) and (container / "lock").exists()
                if is_ours and lock.try_acquire():
                    shutil.rmtree(container, ignore_errors=True)
                    lock.release()

    def _problem(self) -> str | None:
        """Return why nothing may be saved here, and what to do; ``None`` if it may."""
        try:
            if self._root.is_mount():
                return (
                    "the folder is a mount point, which cannot be replaced as a whole. Name a folder inside it: "
                    f"{self._root / 'model'}."
                )
            content = _foreign_content(self.path)
            if content is None and self.path != self._root:
                content = self._foreign_neighbour()
        except OSError as error:
            return f"the folder cannot be read ({error.strerror or error}). Name another folder."
        return None if content is None else f"{content}. Move or delete it, or name another folder."

    def _foreign_neighbour(self) -> str | None:
        """Return what besides models of experiments is in the folder of several experiments; ``None`` if nothing.

        Raises:
            OSError: If it cannot be read.
        """
        if not self._root.exists():
            return None
        if (self._root / MANIFEST).exists():
            return f"{self._root} holds one saved model, and this session has several experiments, a subfolder each"
        for path in sorted(self._root.iterdir()):
            if not (path / MANIFEST).is_file() and any(path.iterdir() if path.is_dir() else [path]):
                return f"{path} was not saved by freezebench"
        return None


def _foreign_content(folder: Path) -> str | None:
    """Return what a folder holds besides a model that freezebench saved, in words; ``None`` if nothing.

    Raises:
        OSError: If it cannot be read.
    """
    if not os.path.lexists(folder):
        return None
    if not folder.is_dir():
        return f"{folder} is no folder"
    several = next((path for path in sorted(folder.glob(f"*/{MANIFEST}"))), None)
    if several is not None:
        return f"{folder} holds the models of several experiments, such as {several.parent.name}, and this is one"
    saved = _read_manifest(folder / MANIFEST)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name == MANIFEST or (path.is_dir() and not path.is_symlink()):
            continue
        if name not in saved:
            return f"{path} was not saved by freezebench"
        if not path.is_file() or _sha256(path) != saved[name]:
            return f"{path} was changed after freezebench had saved it"
    return None


def _write_manifest(folder: Path) -> None:
    files = {
        path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(folder.rglob("*")) if not path.is_dir()
    }
    write_whole(folder / MANIFEST, json.dumps({"schema": _SCHEMA, "files": files}, indent=1) + "\n")


def _read_manifest(path: Path) -> dict[str, str]:
    """Return the hashes of the files that freezebench wrote, by name; none if there is no readable list of them."""
    try:
        content: object = json.loads(read_bounded(path, _MAX_MANIFEST_BYTES))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    files = content.get("files") if isinstance(content, dict) and content.get("schema") == _SCHEMA else None
    return files if isinstance(files, dict) else {}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _swap(new: Path, place: Path, old: Path) -> None:
    """Move a folder to a place; what is there goes to ``old``.

    Raises:
        OSError: If that cannot be done; the place is then as it was.
    """
    if not place.exists():
        new.rename(place)
        return
    if _exchange(new, place):
        return
    # Without the kernel's help there is a moment without a folder.
    place.rename(old)
    try:
        new.rename(place)
    except OSError:
        old.rename(place)
        raise


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two paths atomically, where system and file system can; return whether it was done."""
    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError):
        return False
    return bool(renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)
