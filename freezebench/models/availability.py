"""Find out what this machine can use: the Hub, cached models and data sets, a CUDA GPU."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from freezebench import hub
from freezebench.errors import SettingsError
from freezebench.models.source import model_is_cached
from freezebench.specs.presets import PRESETS

_DATA_SUFFIXES = {".jsonl", ".json", ".csv", ".tsv", ".parquet"}


@dataclass(frozen=True, kw_only=True)
class HubState:
    """Whether a model and a data set of the Hub are available here.

    Attributes:
        reachable: Whether the Hub answered; ``None`` if no request was made.
        model_cached: Whether the local cache has all files of the model.
        data_cached: Whether a local cache has the data set.
        reason: The state as a clause that can follow "since" or a comma.
    """

    reachable: bool | None
    model_cached: bool
    data_cached: bool
    reason: str

    @property
    def available(self) -> bool:
        """Whether both are available, from the caches or from the Hub."""
        return bool(self.reachable) or (self.model_cached and self.data_cached)


def hub_state(model: str, data: str) -> HubState:
    """Return whether a model and a data set are available.

    Only if a cache lacks one of them, the Hub is requested once, for at most 3 s; never if ``HF_HUB_OFFLINE`` is set.

    Args:
        model: Hub name of the model.
        data: Hub name of the data set, ``name`` or ``name:config``.
    """
    # The caches come first: a session that has both does not wait for the network.
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
    missing = [name for name, cached in ((model, model_cached), (data, data_cached)) if not cached]
    reason = f"{why} and {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not in the local cache"
    return HubState(
        reachable=reachable,
        model_cached=model_cached,
        data_cached=data_cached,
        reason="the Hub can be reached" if reachable else reason,
    )


def data_is_cached(source: str) -> bool:
    """Return whether a Hub data set is in the cache of `datasets` or in that of ``hf download``.

    Args:
        source: ``name``, ``name:config`` or ``name@revision``.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    name = source.partition("@")[0].partition(":")[0]
    # The same value as `datasets.config`, which takes a second to import.
    prepared = Path(os.environ.get("HF_DATASETS_CACHE", str(Path(constants.HF_HOME) / "datasets"))).expanduser()
    plain_name = _plain(name.replace("/", "___"))
    folders = (
        [folder for folder in prepared.iterdir() if _plain(folder.name) == plain_name] if prepared.is_dir() else []
    )
    if any(any(folder.glob("**/dataset_info.json")) for folder in folders):
        return True
    try:
        fetched = Path(snapshot_download(name, repo_type="dataset", local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return False
    return any(path.suffix in _DATA_SUFFIXES for path in fetched.rglob("*"))


def _plain(name: str) -> str:
    """Return a folder name in small letters and without underscores: `datasets` converts capitals to both."""
    return name.replace("_", "").lower()


def cuda_visible() -> bool:
    """Return whether torch can use a CUDA GPU; torch is imported only if NVML reports a GPU."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001 - without library, driver or permission there is no GPU
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


def default_preset(*, may_fall_back: bool) -> tuple[str, str]:
    """Return ``distilbert-sst2`` if there is a GPU and its assets can be had, else ``embedded``, with the reason.

    Args:
        may_fall_back: Whether ``embedded`` is an answer if there is a GPU, but an asset cannot be had.

    Raises:
        SettingsError: If it is needed and not an answer.
    """
    if not cuda_visible():
        return "embedded", "the default without a CUDA GPU"
    preset = PRESETS["distilbert-sst2"]
    state = hub_state(preset.model, preset.data.source)
    if state.available:
        return preset.name, f"the default with a CUDA GPU, {state.reason}"
    if not may_fall_back:
        # Another experiment than the usual one, chosen where no person reads the header, would mislead.
        raise SettingsError(
            f"the default preset {preset.name} needs {preset.model} and {preset.data.source}, but {state.reason}. "
            "In continuous integration, and where a saved run is compared with, no smaller preset takes its place. "
            "Download them once, or use --freeze-preset=embedded."
        )
    return "embedded", f"the fallback, since {state.reason}"
