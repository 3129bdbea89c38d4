"""Folders of finished runs: those of a store, as commands read them without changing anything."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from freezebench.errors import RecordError
from freezebench.records.files import read_bounded
from freezebench.records.store import LARGEST_FILE, read_run

if TYPE_CHECKING:
    from pathlib import Path

    from freezebench.records.run_record import RunRecord

# The key of a run, see ``store.run_key``; other files of the folder are not the store's.
_RUN_FILE = re.compile(r"[0-9a-f]{32}-[0-9a-f]{8}\.json")
_MOST_READ = 500


def stored_runs(folder: Path) -> list[RunRecord]:
    """Return the finished runs of a store's folder; none if it has none, or is no folder.

    Raises:
        RecordError: If a file is damaged or cannot be read.
    """
    files = sorted(file for file in folder.glob("*.json") if _RUN_FILE.fullmatch(file.name)) if folder.is_dir() else []
    return [_run(file) for file in files]


def at_other_rates(record: RunRecord, folder: Path) -> list[RunRecord]:
    """Return finished runs of a store that differ from a run in learning rate and seed alone, the latest first.

    Only the latest files are read. Those that cannot be read are passed over: nothing depends on them but advice.

    Args:
        record: The run.
        folder: The store's folder.
    """
    freeze = json.dumps({"freeze": record.spec.freeze})[1:-1].encode()
    files = [file for file in folder.glob("*.json") if _RUN_FILE.fullmatch(file.name)] if folder.is_dir() else []
    runs = []
    for file in sorted(files, key=_changed_at, reverse=True)[:_MOST_READ]:
        with suppress(OSError, RecordError):
            # To find a text is faster than to read a record.
            if freeze in read_bounded(file, LARGEST_FILE):
                runs.append(read_run(file))
    return [run for run in runs if _differs_in_rate_alone(run, record)]


def _changed_at(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:  # another session may remove it
        return 0.0


def _differs_in_rate_alone(run: RunRecord, record: RunRecord) -> bool:
    own, other = (
        (
            item.spec.experiment_id,
            item.spec.freeze,
            item.model_sha256,
            item.data and item.data.content_hashes,
            item.precision,
        )
        for item in (run, record)
    )
    return own == other and run.spec.protocol.learning_rate != record.spec.protocol.learning_rate


def _run(file: Path) -> RunRecord:
    try:
        return read_run(file)
    except OSError as error:
        raise RecordError(f"{file} cannot be read ({error.strerror or error}). Give a folder that can be.") from error
    except RecordError as error:
        raise RecordError(f"{file}: {str(error).rstrip('.')}. Remove the file, and train its run again.") from error
