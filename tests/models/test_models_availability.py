"""What this machine can reach."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.constants
import pynvml
import pytest
import torch

from fake_hub import COMMIT, FakeHub, serving
from freezebench.models.availability import cuda_visible, data_is_cached, hub_state


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_DATASETS_CACHE", raising=False)
    return tmp_path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A Hub that answers."""
    with serving(FakeHub()) as running:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", running.url)
        yield running


def put_in_cache(cache: Path, repository: str, files: Path) -> None:
    """Write files into the Hub's cache in its own layout."""
    folder = cache / "hub" / repository
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    (folder / "snapshots").mkdir()
    (folder / "snapshots" / COMMIT).symlink_to(files, target_is_directory=True)


def test_cached_assets_need_no_request(cache: Path, server: FakeHub, tiny_model: Path, tiny_data: Path) -> None:
    """With model and data in the caches, the Hub is not used."""
    put_in_cache(cache, "models--me--tiny", tiny_model)
    put_in_cache(cache, "datasets--me--data", tiny_data)
    state = hub_state("me/tiny", "me/data")
    assert state.available
    assert state.reachable is None
    assert state.reason == "me/tiny and me/data are in the local cache"
    assert server.requests == []


def test_missing_assets_can_come_from_a_hub_that_answers(cache: Path, server: FakeHub) -> None:
    """One small request shows that the Hub answers."""
    assert not (cache / "hub").exists()
    state = hub_state("me/tiny", "me/data")
    assert state.available
    assert (state.reachable, state.model_cached, state.data_cached) == (True, False, False)
    assert server.requests == ["HEAD /"]


def test_a_hub_that_fails_makes_missing_assets_unavailable(cache: Path, server: FakeHub, tiny_model: Path) -> None:
    """The reason names the Hub and the missing asset."""
    put_in_cache(cache, "models--me--tiny", tiny_model)
    server.status = 502
    state = hub_state("me/tiny", "me/data:config")
    assert not state.available
    assert state.reason == f"the Hub ({server.url}) cannot be reached and me/data:config is not in the local cache"


def test_a_forbidden_hub_gets_no_request(cache: Path, server: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason names ``HF_HUB_OFFLINE``."""
    assert cache.is_dir()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    state = hub_state("me/tiny", "me/data")
    assert (state.available, state.reachable) == (False, None)
    assert state.reason == "HF_HUB_OFFLINE is set and me/tiny and me/data are not in the local cache"
    assert server.requests == []


@pytest.mark.parametrize("folder", ["SetFit___sst2", "SetFit___s_s_t2"])
def test_a_data_set_that_was_prepared_before_is_cached(
    cache: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache of `datasets` is searched at its configured location, with its spelling of names."""
    assert not data_is_cached("SetFit/sst2")
    prepared = cache / "elsewhere" / folder / "default" / "0.0.0" / "abc"
    prepared.mkdir(parents=True)
    (prepared / "dataset_info.json").touch()
    monkeypatch.setenv("HF_DATASETS_CACHE", str(cache / "elsewhere"))
    assert data_is_cached("SetFit/sst2")
    assert not data_is_cached("SetFit/sst5")


def pretend_nvml(monkeypatch: pytest.MonkeyPatch, count: int | Exception) -> None:
    """Replace NVML by one that reports a number of devices, or fails."""

    def number() -> int:
        if isinstance(count, Exception):
            raise count
        return count

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", number)


@pytest.mark.parametrize(
    ("count", "usable", "visible"),
    [(0, True, False), (pynvml.NVMLError(1), True, False), (2, True, True), (2, False, False)],
)
def test_a_gpu_counts_if_nvml_and_torch_see_it(
    monkeypatch: pytest.MonkeyPatch, count: int | Exception, usable: bool, visible: bool
) -> None:
    """NVML reports GPUs that ``CUDA_VISIBLE_DEVICES`` excludes; torch does not."""
    pretend_nvml(monkeypatch, count)
    monkeypatch.setattr(torch, "cuda", SimpleNamespace(is_available=lambda: usable))
    assert cuda_visible() is visible


def test_a_machine_without_gpu_needs_no_torch() -> None:
    """If NVML reports no GPU, torch is not imported."""
    code = (
        "import sys, pynvml\n"
        "pynvml.nvmlInit = lambda: (_ for _ in ()).throw(pynvml.NVMLError(12))\n"
        "from freezebench.models.availability import cuda_visible, hub_state\n"
        "assert not cuda_visible()\n"
        "hub_state('me/none', 'me/none')\n"
        "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
