"""The store of finished runs: one file per run.

Several sessions may use one folder at the same time, and a machine may lose power while it writes. So every file is
written under a temporary name and linked to its own name when it is complete. A file that exists is never changed, only
replaced as a whole where a session trains all anew, and it is used only if its checksum and its name, which both follow
from its content, are right.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, NoReturn

from freezebench.errors import RecordError
from freezebench.records.consistency import read_record
from freezebench.records.files import new_file, read_bounded, refuse_link, remove_unfinished
from freezebench.records.locks import Lock
from freezebench.specs.fields import brief

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from freezebench.records.run_record import RunRecord
    from freezebench.specs.json_types import Json
    from freezebench.specs.run import Protocol, RunSpec

STORE_SCHEMA = 1

# Fields of the protocol that version 0.1 did not have; None is what it did.
_LATER_FIELDS = {"batch_order"}
_SET_ASIDE = "set-aside"
_THREADS = "torch_num_threads"
# Parts of an environment that are recorded for information, or belong to the device.
_NO_VERSIONS = {"platform", _THREADS}
LARGEST_FILE = 256 * 10**6  # no record is that large, and a file that is must not fill the memory


def run_key(
    spec: RunSpec,
    *,
    model_sha256: str,
    files_sha256: str,
    data_sha256: Sequence[str],
    device: str,
    device_name: str,
    precision: str,
    environment: Mapping[str, str],
) -> str:
    """Return the key of a run: a hash of everything that determines its outcome, a dash, and a hash of its device.

    Apart from rounding, only time, memory and energy depend on the device. With a hash of its own, the outcome can be
    reused on another device. A CPU with another number of threads is another device: its sums round differently, and
    its times differ. The operating system is in neither half, so that nodes which differ in their kernel share runs.

    Args:
        spec: The run's spec.
        model_sha256: Content hash of the pretrained weights.
        files_sha256: Content hash of the model's configuration and tokenizer.
        data_sha256: Content hashes of the data, as ``DataFacts.content_hashes`` has them.
        device: ``cpu`` or ``cuda:N``; the number does not count.
        device_name: Model of the GPU or CPU.
        precision: Number format, resolved.
        environment: Versions, and the hash of freezebench's own source.
    """
    # The requested device may be "auto"; the hash of the actual one is the key's second half.
    spec_json = {**spec.to_json(), "device": None, "protocol": _protocol_key(spec.protocol)}
    parts: list[Json] = [spec_json, model_sha256, files_sha256, list(data_sha256), precision, _versions(environment)]
    described = _described_device(device, device_name, environment)
    return f"{hashlib.sha256(_canonical(parts)).hexdigest()[:32]}-{hashlib.sha256(described.encode()).hexdigest()[:8]}"


def _protocol_key(protocol: Protocol) -> dict[str, Json]:
    """Return the fields of a protocol by name; files of versions without one of them keep their names."""
    return {name: value for name, value in asdict(protocol).items() if value is not None or name not in _LATER_FIELDS}


def _versions(environment: Mapping[str, str]) -> dict[str, Json]:
    """Return the part of an environment on which outcomes depend: all but operating system, threads, patch level."""
    versions: dict[str, Json] = {name: version for name, version in environment.items() if name not in _NO_VERSIONS}
    if "python" in environment:
        # Releases that only fix errors (3.12.4 after 3.12.3) compute the same; torch brings the arithmetic.
        versions["python"] = ".".join(environment["python"].split(".")[:2])
    return versions


def _described_device(device: str, device_name: str, environment: Mapping[str, str]) -> str:
    """Return the model of a device, and of a CPU how many threads computed on it."""
    threads = environment.get(_THREADS)
    return device_name if device.startswith("cuda") or threads is None else f"{device_name}, {threads} threads"


def record_key(record: RunRecord) -> str | None:
    """Return the key of a finished run; ``None`` if it is invalid or its model has no content hashes (a factory)."""
    if not record.is_valid or record.data is None or record.model_sha256 is None or record.files_sha256 is None:
        return None
    return run_key(
        record.spec,
        model_sha256=record.model_sha256,
        files_sha256=record.files_sha256,
        data_sha256=tuple(record.data.content_hashes.values()),
        device=record.device,
        device_name=record.device_name,
        precision=record.precision,
        environment=record.environment,
    )


class Store:
    """Finished runs in one folder.

    No method raises ``OSError``: a session with a full disk goes on and reports the problem in its summary. Any thread
    may call any method.

    Attributes:
        folder: The folder of the files.
    """

    def __init__(self, folder: Path) -> None:
        """Set the folder, which is created when the first run is saved."""
        self.folder = folder
        self._problems: dict[str, None] = {}
        self._is_tidy = False

    @property
    def problems(self) -> list[str]:
        """Problems with files, as sentences, each once."""
        return list(self._problems)

    def load(self, key: str) -> RunRecord | None:
        """Return a finished run; ``None`` if there is none, or if its file is damaged and was set aside."""
        path = self.folder / f"{key}.json"
        try:
            record = read_run(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._report(f"{path} cannot be read ({error.strerror or error}): the run is trained again and not saved.")
            return None
        except RecordError as error:
            self._set_aside(path, str(error))
            return None
        return record

    def load_of_other_device(self, key: str) -> RunRecord | None:
        """Return the same run of another device, without its time, memory and energy; ``None`` if there is none."""
        # The first half of a key is the hash of everything that determines the outcome.
        outcome = key.partition("-")[0]
        for path in sorted(self.folder.glob(f"{outcome}-*.json")):
            record = None if path.stem == key else self.load(path.stem)
            if record is not None:
                described = _described_device(record.device, record.device_name, record.environment)
                return record.without_costs(f"trained on another device ({described}) in an earlier session")
        return None

    def save(self, record: RunRecord, *, replaces: bool = False) -> bool:
        """Save a finished run unless it is saved already; return whether the store has it now.

        A run with measured times takes the place of the same run without them, and never the other way round.

        Args:
            record: The run.
            replaces: Whether it takes the place of the same run that was saved earlier.
        """
        key = record_key(record)
        if key is None:
            return False
        saved = self.load(key)
        if saved is not None:
            replaces = record.has_times > saved.has_times or (replaces and record.has_times == saved.has_times)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._is_tidy:
                self._is_tidy = True
                remove_unfinished(self.folder)
            _write_whole(self.folder / f"{key}.json", encode(record), replaces=replaces)
        except OSError as error:
            self._report(
                f"runs could not be saved to {self.folder} ({error.strerror or error}): this session's summary and "
                "report are complete, but a later session trains these runs again. Free space, or name another "
                "folder with --freeze-store."
            )
            return False
        return True

    def claim(self, key: str) -> Lock:
        """Return the lock that a session holds while it trains a run, so that another session waits for the result."""
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
        return Lock(self.folder / f".{key}.claim")

    def _set_aside(self, path: Path, reason: str) -> None:
        """Move a damaged file to a subfolder, so that it is neither used nor lost."""
        try:
            folder = self.folder / _SET_ASIDE
            folder.mkdir(exist_ok=True)
            refuse_link(folder)
            # A folder of its own for each file: two damaged files may have the same name.
            target = folder / f"{path.stem}-{secrets.token_hex(4)}" / path.name
            target.parent.mkdir()
            path.rename(target)
        except FileNotFoundError:
            return  # another session has moved it already
        except OSError as error:
            self._report(
                f"{path} is not used: {reason}. It could not be moved ({error.strerror or error}): the run is trained "
                "again and not saved."
            )
        else:
            self._report(f"{path} is not used: {reason}. It was moved to {target}, and the run is trained again.")

    def _report(self, problem: str) -> None:
        self._problems.setdefault(problem)


def encode(record: RunRecord) -> bytes:
    """Return the content of a record's file."""
    # Files of version 0.1 have the hash of the model's files beside the record, and not in it.
    body: dict[str, Json] = {"record": record.to_json(), "files_sha256": record.files_sha256}
    sha256 = hashlib.sha256(_canonical(body)).hexdigest()
    return json.dumps({"schema": STORE_SCHEMA, "sha256": sha256, **body}, allow_nan=False).encode()


def decode(content: bytes) -> RunRecord:
    """Return the record from the content that ``encode`` returned.

    Raises:
        RecordError: If it is any other content.
    """
    try:
        data = json.loads(content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"it is damaged or not JSON ({error})") from error
    if not isinstance(data, dict) or not isinstance(data.get("record"), dict):
        raise RecordError("it was not written by freezebench")
    if data.get("schema") != STORE_SCHEMA:
        raise RecordError(f"it has schema {brief(data.get('schema'))}, and {STORE_SCHEMA} is read")
    try:
        body = {name: data.get(name) for name in ("record", "files_sha256")}
        sha256 = hashlib.sha256(_canonical(body)).hexdigest()
    except (ValueError, RecursionError) as error:
        raise RecordError(f"it was not written by freezebench ({error})") from error
    if data.get("sha256") != sha256:
        raise RecordError("its checksum does not match its content")
    return read_record({**data["record"], "files_sha256": data.get("files_sha256")})


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object; of equal keys, the checksum would cover only the last one."""
    value = dict(pairs)
    if len(value) < len(pairs):
        raise RecordError("a key occurs twice")
    return value


def _refuse_constant(word: str) -> NoReturn:
    raise RecordError(f"it holds {word}, which is no figure")


def read_run(path: Path) -> RunRecord:
    """Return the record of a file.

    Raises:
        OSError: If the file cannot be read.
        RecordError: If its content is damaged or does not match its name.
    """
    try:
        content = read_bounded(path, LARGEST_FILE)
    except OSError as error:
        if path.is_symlink() and not path.exists():
            raise RecordError("it is a symbolic link that leads nowhere") from error
        raise
    record = decode(content)
    if record_key(record) != path.stem:
        raise RecordError("it holds another run than its name indicates")
    return record


def _canonical(value: Json) -> bytes:
    """Return the one JSON text of a value, whatever the order of its keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _write_whole(path: Path, content: bytes, *, replaces: bool) -> None:
    """Write a file completely or not at all, even if the machine loses power.

    Args:
        path: The file.
        content: Its content.
        replaces: Whether it replaces an existing file, which is kept otherwise.
    """
    with new_file(path.parent, content) as temporary:
        try:
            if replaces:
                temporary.replace(path)
            else:
                # A rename would replace a file that another session has written meanwhile.
                os.link(temporary, path)
        except FileExistsError:
            return  # another session finished the same run first
    # The file's name is an entry of its folder, which has to reach the disk as well.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
