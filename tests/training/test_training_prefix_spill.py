"""Hidden states beyond the memory limit are spilled to disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cached_runs import PROTOCOL, cached_run
from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run


def test_spilling_to_disk_changes_no_result(tiny_model: Path, tiny_data: Path) -> None:
    """A limit of 0 bytes gives the same losses and predictions, in float32 and in bf16."""
    for precision in ("float32", "bf16"):
        protocol = replace(PROTOCOL, precision=precision)
        spec = replace(cached_run(tiny_model, tiny_data, freeze="emb+L0"), protocol=protocol)
        kept, spilled = run(spec), run(spec, data_cache=DataCache(cache_bytes=0))
        assert kept.step_losses == spilled.step_losses
        assert kept.test == spilled.test
        assert kept.readings["prefix_bytes"].source == "memory"
        assert spilled.readings["prefix_bytes"].source == "memory-mapped file"


def _refusing(code: int) -> Callable[..., None]:
    """Return a function that fails with an error code of the operating system, in place of a reservation."""

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return refuse


def test_a_full_disk_ends_no_run(tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The frozen layers run in every step, and a warning gives the reason; a write to the map would end the process."""
    spec = cached_run(tiny_model, tiny_data, freeze="emb+L0")
    expected = run(spec)
    monkeypatch.setattr(os, "posix_fallocate", _refusing(errno.ENOSPC))
    data_cache = DataCache(cache_bytes=0)
    record = run(spec, data_cache=data_cache)
    assert data_cache.prefixes.num_passes == 0
    (warning,) = (text for text in record.warnings if "nothing is cached" in text)
    assert "for emb+L0: " in warning
    assert "No space left on device" in warning
    assert "set TMPDIR to another folder, or raise --freeze-cache-memory" in warning
    assert record.step_losses == pytest.approx(expected.step_losses, abs=1e-4)


def test_one_depth_is_cached_if_not_all_fit(tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that a failed pass allocated is free again."""
    data_cache = DataCache()
    run(cached_run(tiny_model, tiny_data, freeze="emb"), data_cache=data_cache)
    (tokenized,) = data_cache._tokenized.values()
    monkeypatch.setattr(os, "posix_fallocate", _refusing(errno.ENOSPC))
    data_cache = DataCache(cache_bytes=len(tokenized.packed["train"].fields["input_ids"]) * 16 * 4)
    data_cache.expect(["emb", "emb+L0-1"])
    head, emb = (
        run(cached_run(tiny_model, tiny_data, freeze=freeze), data_cache=data_cache) for freeze in ("emb+L0-1", "emb")
    )
    assert head.readings["prefix_bytes"].source == "memory"
    assert not head.warnings
    assert any("nothing is cached for emb: " in text for text in emb.warnings)
    assert data_cache.prefixes.num_passes == 1


def test_file_systems_without_reservations_are_used(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that cannot reserve space is written to without a reservation."""
    monkeypatch.setattr(os, "posix_fallocate", _refusing(errno.EOPNOTSUPP))
    record = run(cached_run(tiny_model, tiny_data, freeze="emb+L0"), data_cache=DataCache(cache_bytes=0))
    assert record.readings["prefix_bytes"].source == "memory-mapped file"
