"""The store: what is saved comes back whole, and nothing else does."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import made_up
from freezebench.errors import RecordError
from freezebench.records.store import Store, decode, encode, record_key

FILES = "ef" * 32


def _saved(folder: Path) -> tuple[Store, str, Path]:
    record = made_up.record()
    store = Store(folder / "runs")
    assert store.save(record, FILES)
    key = record_key(record, FILES)
    assert key is not None
    return store, key, store.folder / f"{key}.json"


def test_a_saved_run_comes_back(tmp_path: Path) -> None:
    """Equal in everything, per-sentence outcomes included, and nothing else lies beside it."""
    store, key, path = _saved(tmp_path)
    assert store.load(key) == made_up.record()
    assert list(store.folder.iterdir()) == [path]
    assert store.problems == []


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    """The run that was finished first stays; a second session's result of it is no error."""
    store, key, path = _saved(tmp_path)
    first = path.read_bytes()
    assert store.save(made_up.record(started_at="2030-01-01T00:00:00+00:00"), FILES)
    assert path.read_bytes() == first
    assert store.load(key) == made_up.record()


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 43},
        {"freeze": "emb"},
        {"model_sha256": "cd" * 32},
        {"precision": "bf16"},
        {"device_name": "another CPU"},
        {"environment": {"torch": "2.14.0"}},
    ],
    ids=str,
)
def test_whatever_determines_a_run_changes_its_name(changes: dict[str, Any]) -> None:
    """Seed, configuration, weights, number format, device and versions; and the model's other files."""
    assert record_key(made_up.record(), "0" * 64) != record_key(made_up.record(), FILES)
    assert record_key(made_up.record(**changes), FILES) != record_key(made_up.record(), FILES)


def test_another_devices_run_gives_its_outcomes_alone(tmp_path: Path) -> None:
    """Every test sentence is as it was; no time, memory or energy of another device stands for one of this."""
    store = Store(tmp_path)
    there = made_up.record(device_name="a fast GPU")
    here = record_key(made_up.record(), FILES)
    assert here
    assert store.save(there, FILES)
    assert store.load(here) is None
    found = store.load_of_other_device(here)
    assert found is not None
    assert found.test == there.test
    assert found.readings.keys() == there.readings.keys()
    assert all(found.value(name) is None for name in found.readings)
    assert "a fast GPU" in str(found.readings["train_s"].reason)
    in_another_format = record_key(made_up.record(precision="bf16"), FILES)
    assert in_another_format
    assert store.load_of_other_device(in_another_format) is None
    assert store.save(made_up.record(), FILES)
    assert store.load_of_other_device(here) == found  # a run of this device is not another's


def test_broken_runs_and_unknown_weights_are_not_kept(tmp_path: Path) -> None:
    """An invalid run may succeed next time; a factory's weights have no hash to recognise them by."""
    store = Store(tmp_path)
    assert not store.save(made_up.broken("emb"), FILES)
    assert not store.save(made_up.record(model_sha256=None), FILES)
    assert list(tmp_path.iterdir()) == []


def _edited(content: bytes, **changes: Any) -> bytes:
    return json.dumps({**json.loads(content), **changes}).encode()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[: len(content) // 2], "no whole JSON file"),
        (lambda _: b"", "no whole JSON file"),
        (lambda _: b"\xff\x00", "no whole JSON file"),
        (lambda _: b"[" * 100_000, "no whole JSON file"),
        (lambda _: b"[]", "not written by freezebench"),
        (lambda content: content.replace(b'"accuracy": 0.', b'"accuracy": 1.', 1), "checksum"),
        (lambda content: _edited(content, schema=2), "schema 2"),
        (lambda _: encode(made_up.record(seed=7), FILES), "another run than its name says"),
    ],
    ids=["truncated", "empty", "binary", "nested", "foreign", "edited", "newer", "misnamed"],
)
def test_what_cannot_be_trusted_is_set_aside(tmp_path: Path, damage: Any, reason: str) -> None:
    """Not used, not deleted, named in a sentence; the run can be saved again."""
    store, key, path = _saved(tmp_path)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    assert store.load(key) is None
    assert reason in store.problems[0]
    assert [aside.read_bytes() for aside in store.folder.glob("set-aside/*/*.json")] == [damaged]
    assert store.save(made_up.record(), FILES)
    assert store.load(key) == made_up.record()


def test_a_directory_in_a_files_place_is_told(tmp_path: Path) -> None:
    """The run is done anew."""
    store, key, path = _saved(tmp_path)
    path.unlink()
    path.mkdir()
    assert store.load(key) is None
    assert "cannot be read" in store.problems[0]


@pytest.mark.parametrize("failing", ["fsync", "link"])
def test_a_full_disk_loses_no_run_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """The session goes on with a warning, told once; no half file stays."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    store = Store(tmp_path)
    assert not store.save(made_up.record(), FILES)
    assert not store.save(made_up.record(seed=43), FILES)
    assert len(store.problems) == 1
    assert "No space left on device" in store.problems[0]
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "runs").write_text("x")
    store = Store(tmp_path / "runs")
    assert store.load("0" * 32) is None
    assert not store.save(made_up.record(), FILES)
    assert "could not be saved" in store.problems[-1]


_CONTENT = encode(made_up.record(num_test=4), FILES)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.integers(0, len(_CONTENT) - 1), st.integers(0, 255))
@hypothesis_settings(max_examples=int(os.environ.get("FREEZEBENCH_FUZZ_EXAMPLES", "200")))
def test_one_changed_byte_is_never_believed(place: int, byte: int) -> None:
    """The same record comes back, where the change means nothing, or our own error."""
    changed = _CONTENT[:place] + bytes([byte]) + _CONTENT[place + 1 :]
    try:
        found = decode(changed)
    except RecordError:
        return
    assert found == decode(_CONTENT)


@given(st.binary() | _JSON.map(lambda value: json.dumps({"schema": 1, "record": value}).encode()))
@hypothesis_settings(max_examples=int(os.environ.get("FREEZEBENCH_FUZZ_EXAMPLES", "200")))
def test_made_up_files_are_refused(content: bytes) -> None:
    """With our own error, whatever they hold."""
    with pytest.raises(RecordError):
        decode(content)
