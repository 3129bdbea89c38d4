"""What this machine can reach: the Hub, models and data sets in its local caches, a CUDA GPU. Light imports only."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from freezebench import hub
from freezebench.models.source import model_is_cached

_DATA_SUFFIXES = {".jsonl", ".json", ".csv", ".tsv", ".parquet"}


@dataclass(frozen=True, kw_only=True)
class HubState:
    """Whether a model and a data set of the Hub can be had here.

    Attributes:
        reachable: Whether the Hub answered; ``None`` if it was not asked.
        model_cached: Whether the model lies in the local cache, whole.
        data_cached: Whether the data set lies in a local cache.
        reason: A clause that says what is true, to follow "since" or a comma.
    """

    reachable: bool | None
    model_cached: bool
    data_cached: bool
    reason: str

    @property
    def available(self) -> bool:
        """Whether both can be had: from the caches or from the Hub."""
        return bool(self.reachable) or (self.model_cached and self.data_cached)


def hub_state(model: str, data: str) -> HubState:
    """Return whether a model and a data set can be had; the Hub is asked only where a cache lacks one of them.

    Takes at most 3 s, one small request, and none when ``HF_HUB_OFFLINE`` is set.

    Args:
        model: Hub name of the model.
        data: Hub name of the data set, ``name`` or ``name:config``.
    """
    model_cached, data_cached = model_is_cached(model), data_is_cached(data)
    if model_cached and data_cached:
        return HubState(
            reachable=None,
            model_cached=True,
            data_cached=True,
            reason=f"{model} and {data} are in the local cache",
        )
    why = hub.why_out_of_reach()
    reachable = None if hub.is_offline() else why is None
    lost = [name for name, cached in ((model, model_cached), (data, data_cached)) if not cached]
    reason = f"{why} and {' and '.join(lost)} {'is' if len(lost) == 1 else 'are'} not in the local cache"
    return HubState(
        reachable=reachable,
        model_cached=model_cached,
        data_cached=data_cached,
        reason="the Hub can be reached" if reachable else reason,
    )


def data_is_cached(source: str) -> bool:
    """Return whether a Hub data set lies in the cache of `datasets` or among the files that ``hf download`` fetched.

    Args:
        source: ``name``, ``name:config`` or ``name@revision``.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    name = source.partition("@")[0].partition(":")[0]
    # As `datasets.config` reads it; importing that takes a second.
    prepared = Path(os.environ.get("HF_DATASETS_CACHE", str(Path(constants.HF_HOME) / "datasets"))).expanduser()
    wanted = _plain(name.replace("/", "___"))
    folders = [folder for folder in prepared.iterdir() if _plain(folder.name) == wanted] if prepared.is_dir() else []
    if any(any(folder.glob("**/dataset_info.json")) for folder in folders):
        return True
    try:
        fetched = Path(snapshot_download(name, repo_type="dataset", local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return False
    return any(path.suffix in _DATA_SUFFIXES for path in fetched.rglob("*"))


def _plain(name: str) -> str:
    """Return a folder name without what `datasets` changes in it: capitals become underscores and small letters."""
    return name.replace("_", "").lower()


def cuda_visible() -> bool:
    """Return whether torch can use a CUDA GPU; torch is imported only where NVML says that there is one."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001 - no library, no driver, no permission: no GPU for us
        return False
    try:
        count = pynvml.nvmlDeviceGetCount()
    except Exception:  # noqa: BLE001
        return False
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
    if not count:
        return False
    import torch

    return torch.cuda.is_available()
