"""The folder to which pytest-benchmark saves, searched as it does itself, without pytest.

pytest-benchmark's own class makes the folder where there is none, and imports pytest.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from freezebench.errors import SettingsError

DEFAULT_STORAGE = "file://./.benchmarks"  # as pytest-benchmark's option --benchmark-storage
_MOST_PARTS = 2  # a folder of one kind of machine, and the beginning of a file's name


def machine_id() -> str:
    """Return the name of the folder in which this kind of machine saves: ``Linux-CPython-3.12-64bit``."""
    version = ".".join(platform.python_version_tuple()[:2])
    return f"{platform.system()}-{platform.python_implementation()}-{version}-{platform.architecture()[0]}"


@dataclass(frozen=True, kw_only=True)
class BenchmarkStorage:
    """A folder of saved runs.

    Attributes:
        path: The folder, which has one folder per kind of machine.
        default_machine_id: The folder that names without one refer to.
    """

    path: Path
    default_machine_id: str | None

    @classmethod
    def open(cls, uri: str) -> BenchmarkStorage:
        """Return the storage of a URI, or of a path, which is short for ``file://`` and the path.

        Raises:
            SettingsError: If it is no folder's, or there is no such folder.
        """
        scheme, separator, rest = uri.partition("://")
        if separator and scheme != "file":
            raise SettingsError(
                f"--benchmark-storage={uri}: freezebench reads saved runs from files. Give file://FOLDER, or compare "
                "files and report folders by their paths."
            )
        text = rest if separator else uri
        # These functions raise nothing: a user who does not exist, or a name that no file can have, is no folder.
        path = os.path.realpath(text if os.path.isdir(text) else os.path.expanduser(text))  # noqa: PTH111, PTH112
        if not text or not os.path.isdir(path):  # noqa: PTH112
            raise SettingsError(
                f"--benchmark-storage={uri}: there is no such folder (seen from {Path.cwd()}). Save runs with: pytest "
                "benchmarks --benchmark-save=NAME, or name the folder to which they were saved."
            )
        return cls(path=Path(path), default_machine_id=machine_id())

    def query(self, *globs_or_files: str) -> list[Path]:
        """Return the files that names or patterns select, those of the highest numbers last.

        A name is the beginning of a file's name: ``0001``, ``0001_main``, or ``FOLDER/0001`` of another kind of
        machine. A name without a folder selects the files of this kind of machine, and those of no folder; one with
        more parts, or from the root, selects nothing.
        """
        files: list[Path] = []
        for name in globs_or_files:
            if os.path.isfile(name):  # noqa: PTH113 - False for a name that no file can have
                files.append(Path(name))
                continue
            parts = Path(name).parts
            if not 1 <= len(parts) <= _MOST_PARTS or Path(name).is_absolute():
                continue
            folder = parts[0] if len(parts) == _MOST_PARTS else self.default_machine_id or "*"
            pattern = parts[-1].rstrip("*") + "*.json"
            files += [file for path in self.path.glob(folder) for file in path.glob(pattern)]
            files += self.path.glob(pattern)
        return sorted(files, key=lambda file: (file.name, file.parent))


def is_name(text: str) -> bool:
    """Return whether a text may be the name of a saved run, and not only a path: ``0001``, ``Linux*/0001_main``."""
    is_path = text.startswith(("/", "~", ".")) or text.endswith((".json", "/"))
    return bool(text) and not is_path and len(Path(text).parts) <= _MOST_PARTS
