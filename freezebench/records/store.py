"""The store: one immutable file per finished run, whole or absent, trusted only if its name and checksum fit it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezebench.errors import RecordError
from freezebench.records.locks import Lock
from freezebench.records.run_record import RunRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freezebench.specs.run import RunSpec

STORE_SCHEMA = 1

_SET_ASIDE = "set-aside"
_LARGEST_FILE = 2**30


def run_key(
    spec: RunSpec,
    *,
    model_sha256: str,
    files_sha256: str,
    data_sha256: tuple[str, str, str],
    device_name: str,
    precision: str,
    environment: Mapping[str, str],
) -> str:
    """Return a run's name: a hash of everything that determines its outcome, a dash, and a hash of its device.

    Outcomes do not depend on the device but for rounding; time and energy do.

    Args:
        spec: What is asked.
        model_sha256: Content hash of the pretrained weights.
        files_sha256: Content hash of the model's configuration and tokenizer, which a record does not hold.
        data_sha256: Content hashes of the training, validation and test split.
        device_name: Model of the GPU or CPU.
        precision: Number format, resolved.
        environment: Versions, and the hash of freezebench's own source.
    """
    asked = {**spec.to_json(), "device": None}
    parts = [asked, model_sha256, files_sha256, list(data_sha256), precision, dict(environment)]
    return f"{hashlib.sha256(_canonical(parts)).hexdigest()[:32]}-{_device_hash(device_name)}"


def _device_hash(device_name: str) -> str:
    return hashlib.sha256(device_name.encode()).hexdigest()[:8]


def record_key(record: RunRecord, files_sha256: str) -> str | None:
    """Return the key of a finished run; ``None`` if it is invalid or its weights have no content hash (a factory's)."""
    if not record.is_valid or record.data is None or record.model_sha256 is None:
        return None
    return run_key(
        record.spec,
        model_sha256=record.model_sha256,
        files_sha256=files_sha256,
        data_sha256=(record.data.train_sha256, record.data.validation_sha256, record.data.test_sha256),
        device_name=record.device_name,
        precision=record.precision,
        environment=record.environment,
    )


class Store:
    """Finished runs in one folder; no method raises for what the disk does, for no run may be lost over it.

    Attributes:
        folder: Where the files are.
        problems: What went wrong, in sentences, each once.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder, which is made when the first run is saved."""
        self.folder = folder
        self.problems: list[str] = []

    def load(self, key: str) -> RunRecord | None:
        """Return a finished run; ``None`` if it is not there, or is not what it should be and was set aside."""
        path = self.folder / f"{key}.json"
        try:
            record = _read(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._tell(f"{path} cannot be read ({error.strerror or error}): the run is done anew and not saved.")
            return None
        except RecordError as error:
            self._set_aside(path, str(error))
            return None
        return record

    def load_of_other_device(self, key: str) -> RunRecord | None:
        """Return a run that is the same but for its device, without its time, memory and energy."""
        outcome = key.partition("-")[0]
        for path in sorted(self.folder.glob(f"{outcome}-*.json")):
            record = None if path.stem == key else self.load(path.stem)
            if record is not None:
                return record.without_costs(f"trained on another device ({record.device_name}) in an earlier session")
        return None

    def save(self, record: RunRecord, files_sha256: str) -> bool:
        """Save a finished run unless it is there already; return whether it is now there."""
        key = record_key(record, files_sha256)
        if key is None:
            return False
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _link_whole(self.folder / f"{key}.json", encode(record, files_sha256))
        except OSError as error:
            self._tell(
                f"runs could not be saved to {self.folder} ({error.strerror or error}): this session's summary and "
                "report are complete, but a later session trains these runs again. Free space, or name another "
                "folder with --freeze-store."
            )
            return False
        return True

    def claim(self, key: str) -> Lock:
        """Return the lock by which a session claims a run while it does it; the kernel drops it with its owner."""
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
        return Lock(self.folder / f".{key}.claim")

    def _set_aside(self, path: Path, reason: str) -> None:
        """Move a file that cannot be trusted out of the way, beside others of its name."""
        try:
            (self.folder / _SET_ASIDE).mkdir(exist_ok=True)
            place = Path(tempfile.mkdtemp(prefix=f"{path.stem}-", dir=self.folder / _SET_ASIDE)) / path.name
            path.rename(place)
        except FileNotFoundError:
            return  # another session was faster
        except OSError as error:
            self._tell(
                f"{path} is not trusted: {reason}. It could not be set aside ({error.strerror or error}): the run is "
                "done anew and not saved."
            )
        else:
            self._tell(f"{path} is not trusted: {reason}. It was moved to {place}, and the run is done anew.")

    def _tell(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def encode(record: RunRecord, files_sha256: str) -> bytes:
    """Return the content of a record's file."""
    body = {"record": record.to_json(), "files_sha256": files_sha256}
    sha256 = hashlib.sha256(_canonical(body)).hexdigest()
    return json.dumps({"schema": STORE_SCHEMA, "sha256": sha256, **body}, allow_nan=False).encode()


def decode(content: bytes) -> tuple[RunRecord, str]:
    """Return the record and the hash of the model's files that ``encode`` wrote.

    Raises:
        RecordError: If it is anything else.
    """
    try:
        found = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RecordError(f"it is no whole JSON file ({error})") from error
    if not isinstance(found, dict) or not isinstance(found.get("record"), dict):
        raise RecordError("it was not written by freezebench")
    if found.get("schema") != STORE_SCHEMA:
        raise RecordError(f"it has schema {found.get('schema')!r}, this version of freezebench reads {STORE_SCHEMA}")
    try:
        body = {name: found.get(name) for name in ("record", "files_sha256")}
        sha256 = hashlib.sha256(_canonical(body)).hexdigest()
    except (ValueError, RecursionError) as error:
        raise RecordError(f"it was not written by freezebench ({error})") from error
    if found.get("sha256") != sha256:
        raise RecordError("its checksum does not fit its content")
    try:
        return RunRecord.from_json(found["record"]), str(found["files_sha256"])
    except RecordError:
        raise
    except (ValueError, TypeError, AttributeError) as error:
        raise RecordError(f"it is not a run record ({error!r})") from error


def _read(path: Path) -> RunRecord:
    """Return the record of a file that is named for it.

    Raises:
        OSError: If it cannot be read.
        RecordError: If it is not what it should be.
    """
    if path.stat().st_size > _LARGEST_FILE:
        raise RecordError(f"it is larger than {_LARGEST_FILE} bytes")
    record, files_sha256 = decode(path.read_bytes())
    if record_key(record, files_sha256) != path.stem:
        raise RecordError("it holds another run than its name says")
    return record


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _link_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is whole or absent even after a power cut, and never replace one that is there."""
    handle, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return  # another session finished the same run first
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
