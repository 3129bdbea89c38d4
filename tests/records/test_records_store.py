"""The store of finished runs."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import made_up
from freezebench.errors import RecordError
from freezebench.records.store import Store, decode, encode, record_key


def _saved(folder: Path) -> tuple[Store, str, Path]:
    record = made_up.record()
    store = Store(folder / "runs")
    assert store.save(record)
    key = record_key(record)
    assert key is not None
    return store, key, store.folder / f"{key}.json"


def test_a_saved_run_is_loaded(tmp_path: Path) -> None:
    """The loaded record equals the saved one, and the folder holds no other file."""
    store, key, path = _saved(tmp_path)
    assert store.load(key) == made_up.record()
    assert list(store.folder.iterdir()) == [path]
    assert store.problems == []


def test_a_file_is_not_replaced_unless_requested(tmp_path: Path) -> None:
    """The first result is kept; a second session that saves the same run gets no error."""
    store, key, path = _saved(tmp_path)
    first = path.read_bytes()
    assert store.save(made_up.record(started_at="2030-01-01T00:00:00+00:00"))
    assert path.read_bytes() == first
    assert store.load(key) == made_up.record()


def test_a_run_that_was_requested_anew_replaces_the_saved_one(tmp_path: Path) -> None:
    """Otherwise a run beside other work would be reused for ever; no other file is left."""
    store, key, path = _saved(tmp_path)
    anew = made_up.record(started_at="2030-01-01T00:00:00+00:00")
    assert store.save(anew, replaces=True)
    assert store.load(key) == anew
    assert list(store.folder.iterdir()) == [path]


def test_a_new_session_removes_what_a_killed_one_left_unfinished(tmp_path: Path) -> None:
    """Its temporary file would remain for ever."""
    unfinished = tmp_path / ".tmp-0123456789abcdef"
    unfinished.write_text("{", encoding="utf-8")
    os.utime(unfinished, (0, 0))
    assert Store(tmp_path).save(made_up.record())
    assert not unfinished.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 43},
        {"freeze": "emb"},
        {"model_sha256": "cd" * 32},
        {"precision": "bf16"},
        {"device_name": "another CPU"},
        {"environment": {"torch": "2.14.0"}},
        {"environment": {"torch": "2.13.0", "isolation": "none"}},
        {"environment": {"torch": "2.13.0", "torch_num_threads": "4"}},
        {"environment": {"torch": "2.13.0", "python": "3.13.0"}},
    ],
    ids=str,
)
def test_everything_that_determines_a_run_changes_its_key(changes: dict[str, Any]) -> None:
    """Seed, freeze spec, weights, precision, device, versions, and the model's other files."""
    assert record_key(made_up.record(files_sha256="0" * 64)) != record_key(made_up.record())
    assert record_key(made_up.record(**changes)) != record_key(made_up.record())


def _on_node(device: str, *, threads: int, kernel: str = "6.1", python: str = "3.12.3") -> str:
    """Return the key of a run on some node."""
    environment = {"platform": f"Linux-{kernel}", "torch_num_threads": str(threads), "python": python}
    key = record_key(made_up.record(device=device, device_name=f"a {device}", environment=environment))
    assert key
    return key


def test_equal_nodes_share_runs() -> None:
    """Kernel and patch level of Python change nothing, on a GPU neither its number nor the threads of the host."""
    assert _on_node("cpu", threads=4) == _on_node("cpu", threads=4, kernel="6.8", python="3.12.9")
    gpus = {record_key(made_up.record(device=device, device_name="a GPU")) for device in ("cuda:0", "cuda:1")}
    assert len(gpus) == 1
    assert _on_node("cuda", threads=4) == _on_node("cuda", threads=64)


def test_a_cpu_with_another_number_of_threads_is_another_device(tmp_path: Path) -> None:
    """Outcomes are reused, times are not, and the reason names the threads."""
    four, eight = _on_node("cpu", threads=4), _on_node("cpu", threads=8)
    assert four != eight
    assert four.partition("-")[0] == eight.partition("-")[0]
    store, environment = Store(tmp_path), {**made_up.record().environment, "torch_num_threads": "4"}
    assert store.save(made_up.record(environment=environment))
    key = record_key(made_up.record(environment={**environment, "torch_num_threads": "8"}))
    assert key
    record = store.load_of_other_device(key)
    assert record
    assert "another device (a CPU, 4 threads)" in str(record.readings["train_s"].reason)


def test_measured_times_replace_missing_ones(tmp_path: Path) -> None:
    """A run that trained beside others on a processor keeps no later one from being saved, and replaces none."""
    timed = made_up.record()
    untimed = timed.without_costs("other runs trained on this processor")
    store, key = Store(tmp_path), record_key(timed)
    assert key
    for record, replaces, kept in [
        (untimed, False, untimed),
        (replace(untimed, started_at="2030-01-01T00:00:00+00:00"), False, untimed),
        (timed, False, timed),
        (untimed, True, timed),
    ]:
        assert store.save(record, replaces=replaces)
        assert store.load(key) == kept


def test_a_run_of_another_device_has_outcomes_but_no_costs(tmp_path: Path) -> None:
    """Predictions are reused; time, memory and energy of another device are not."""
    store = Store(tmp_path)
    other = made_up.record(device_name="a fast GPU")
    key = record_key(made_up.record())
    assert key
    assert store.save(other)
    assert store.load(key) is None
    record = store.load_of_other_device(key)
    assert record is not None
    assert record.test == other.test
    assert record.readings.keys() == other.readings.keys()
    assert all(record.value(name) is None for name in record.readings)
    assert "a fast GPU" in str(record.readings["train_s"].reason)
    in_another_format = record_key(made_up.record(precision="bf16"))
    assert in_another_format
    assert store.load_of_other_device(in_another_format) is None
    assert store.save(made_up.record())
    assert store.load_of_other_device(key) == record  # the run of this device is left out


def test_broken_runs_and_unknown_weights_are_not_saved(tmp_path: Path) -> None:
    """An invalid run may succeed next time; the weights of a factory have no hash that identifies them."""
    store = Store(tmp_path)
    assert not store.save(made_up.broken("emb"))
    assert not store.save(made_up.record(model_sha256=None))
    assert list(tmp_path.iterdir()) == []


def _edited(content: bytes, **changes: object) -> bytes:
    return json.dumps({**json.loads(content), **changes}).encode()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[: len(content) // 2], "damaged or not JSON"),
        (lambda _: b"", "damaged or not JSON"),
        (lambda _: b"\xff\x00", "damaged or not JSON"),
        (lambda _: b"[" * 100_000, "damaged or not JSON"),
        (lambda _: b"[]", "not written by freezebench"),
        (lambda content: content.replace(b'"accuracy": 0.', b'"accuracy": 1.', 1), "checksum"),
        (lambda content: _edited(content, schema=2), "schema 2"),
        (lambda _: encode(made_up.record(seed=7)), "another run than its name indicates"),
    ],
    ids=["truncated", "empty", "binary", "nested", "foreign", "edited", "newer", "misnamed"],
)
def test_damaged_files_are_set_aside(tmp_path: Path, damage: Callable[[bytes], bytes], reason: str) -> None:
    """They are neither used nor deleted, a problem names them, and the run can be saved again."""
    store, key, path = _saved(tmp_path)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    assert store.load(key) is None
    assert reason in store.problems[0]
    assert [aside.read_bytes() for aside in store.folder.glob("set-aside/*/*.json")] == [damaged]
    assert store.save(made_up.record())
    assert store.load(key) == made_up.record()


def test_a_directory_with_the_name_of_a_file_is_reported(tmp_path: Path) -> None:
    """The run is trained again."""
    store, key, path = _saved(tmp_path)
    path.unlink()
    path.mkdir()
    assert store.load(key) is None
    assert "cannot be read" in store.problems[0]


@pytest.mark.parametrize("failing", ["fsync", "link"])
def test_a_full_disk_loses_no_run_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """The session goes on with one warning, and no incomplete file is left."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    store = Store(tmp_path)
    assert not store.save(made_up.record())
    assert not store.save(made_up.record(seed=43))
    assert len(store.problems) == 1
    assert "No space left on device" in store.problems[0]
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    """Its path is a file."""
    (tmp_path / "runs").write_text("x")
    store = Store(tmp_path / "runs")
    assert store.load("0" * 32) is None
    assert not store.save(made_up.record())
    assert "could not be saved" in store.problems[-1]


_CONTENT = encode(made_up.record(num_test=4))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.integers(0, len(_CONTENT) - 1), st.integers(0, 255))
@hypothesis_settings(max_examples=int(os.environ.get("FREEZEBENCH_FUZZ_EXAMPLES", "200")))
def test_a_changed_byte_is_detected(position: int, byte: int) -> None:
    """A change is an error, unless it does not change the record, such as in white space."""
    changed = _CONTENT[:position] + bytes([byte]) + _CONTENT[position + 1 :]
    try:
        decoded = decode(changed)
    except RecordError:
        return
    assert decoded == decode(_CONTENT)


@given(st.binary() | _JSON.map(lambda value: json.dumps({"schema": 1, "record": value}).encode()))
@hypothesis_settings(max_examples=int(os.environ.get("FREEZEBENCH_FUZZ_EXAMPLES", "200")))
def test_made_up_files_are_refused(content: bytes) -> None:
    """The error is a RecordError, whatever the file holds."""
    with pytest.raises(RecordError):
        decode(content)
