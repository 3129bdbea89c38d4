"""Folders of finished runs: those of a store, as commands read them without changing anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezebench.errors import RecordError
from freezebench.records.store import read_run

if TYPE_CHECKING:
    from pathlib import Path

    from freezebench.records.run_record import RunRecord

# The key of a run, see ``store.run_key``; other files of the folder are not the store's.
_RUN_FILE = re.compile(r"[0-9a-f]{32}-[0-9a-f]{8}\.json")


def stored_runs(folder: Path) -> list[RunRecord]:
    """Return the finished runs of a store's folder; none if it has none, or is no folder.

    Raises:
        RecordError: If a file is damaged or cannot be read.
    """
    files = sorted(file for file in folder.glob("*.json") if _RUN_FILE.fullmatch(file.name)) if folder.is_dir() else []
    return [_run(file) for file in files]


def _run(file: Path) -> RunRecord:
    try:
        return read_run(file)
    except OSError as error:
        raise RecordError(f"{file} cannot be read ({error.strerror or error}). Give a folder that can be.") from error
    except RecordError as error:
        raise RecordError(f"{file}: {str(error).rstrip('.')}. Remove the file, and train its run again.") from error
