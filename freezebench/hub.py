"""The Hugging Face Hub: whether it can be reached, and a model's folder in its local cache. Imports no torch."""

from __future__ import annotations

import threading
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freezebench.errors import ModelError, one_line
from freezebench.escaping import shell_word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROBE_TIMEOUT_S = 3.0

# Pickled weights are never loaded, so they are not fetched either.
CONFIG_FILES = ("config.json", "adapter_config.json")
MODEL_FILES = (
    *CONFIG_FILES,
    "model.safetensors",
    "model-*.safetensors",
    "model.safetensors.index.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*",
    "merges.txt",
    "*.model",
    "*.tiktoken",
)

_SERVER_ERROR = 500
_SHOWN_FILES = 6


def is_offline() -> bool:
    """Return whether ``HF_HUB_OFFLINE`` forbids requests to the Hub."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def hub_reachable(timeout_s: float = PROBE_TIMEOUT_S) -> bool:
    """Return whether the Hub answers one small request in time; the retries of its own client take 26 s to fail.

    The request is sent to ``HF_ENDPOINT``, through the proxies of the environment. With ``HF_HUB_OFFLINE`` set, none is
    sent.

    Args:
        timeout_s: Limit in seconds, including the look-up of the address.
    """
    from huggingface_hub import constants, get_session

    if is_offline():
        return False
    status_codes: list[int] = []

    def probe() -> None:
        try:
            status_codes.append(get_session().head(constants.ENDPOINT, timeout=timeout_s).status_code)
        except Exception:  # noqa: BLE001 - any failure means that the Hub cannot be reached
            status_codes.append(_SERVER_ERROR)

    # A thread, because the timeout of an HTTP client does not cover a name server that does not answer.
    thread = threading.Thread(target=probe, daemon=True, name="freezebench-hub-probe")
    thread.start()
    thread.join(timeout_s)
    return bool(status_codes) and status_codes[0] < _SERVER_ERROR


def why_out_of_reach() -> str | None:
    """Return why the Hub cannot be used, as a clause; ``None`` if it can."""
    from huggingface_hub import constants

    if is_offline():
        return "HF_HUB_OFFLINE is set"
    return None if hub_reachable() else f"the Hub ({constants.ENDPOINT}) cannot be reached"


def cached_folder(name: str, revision: str | None = None) -> Path | None:
    """Return the folder of a Hub model in the local cache, which may hold only some of its files.

    Args:
        name: Hub name.
        revision: Commit, tag or branch; ``None``: the default branch as it was when last fetched.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    # snapshot_download would not find it: without the pickled weights, it considers a snapshot incomplete.
    try:
        config = try_to_load_from_cache(name, CONFIG_FILES[0], revision=revision)
    except HFValidationError:
        return None
    return Path(config).parent if isinstance(config, str) else None


def fetched_folder(name: str, revision: str | None, patterns: tuple[str, ...]) -> Path:
    """Return the folder of a Hub model after fetching the files that match the patterns.

    Raises:
        ModelError: If the Hub cannot be used, has no such model or revision, or restricts access to it.
    """
    import huggingface_hub.utils
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    hub: Any = huggingface_hub.utils  # its names are defined lazily, so type checkers do not find them
    try:
        hub.validate_repo_id(name)
    except HFValidationError as error:
        raise ModelError(
            f"cannot load the model {name!r}: there is no such folder, and a Hub name looks like "
            "distilbert-base-uncased or owner/name. Check the path or the name."
        ) from error
    why = why_out_of_reach()
    if why is not None:
        raise missing(name, revision, why)
    try:
        with quiet():
            return Path(snapshot_download(name, revision=revision, allow_patterns=list(patterns)))
    except GatedRepoError as error:
        raise ModelError(
            f"cannot load the model {name!r}: the Hub gives it only to users who accepted its terms. Accept them on "
            "its page and run `hf auth login`, or choose another model."
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(
            f"cannot load revision {revision!r} of the model {name!r}: the Hub has no such commit, tag or branch. "
            "Look it up on the model's page."
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"cannot load the model {name!r}: there is no such folder, and no model of that name on the Hub, or "
            "only a private one. Check the spelling, or run `hf auth login`."
        ) from error
    except Exception as error:
        raise ModelError(
            f"cannot fetch the model {name!r} from the Hub: {type(error).__name__}: {one_line(error)}. Try again, or "
            f"run `{download_command(name, revision)}`, or set --freeze-model to a local folder."
        ) from error


def missing(name: str, revision: str | None, why: str) -> ModelError:
    """Return the error for a model that is neither on this machine nor available from the Hub.

    Args:
        name: Hub name.
        revision: Hub revision.
        why: Why the Hub is not used, as a clause.
    """
    folder = cached_folder(name, revision)
    state = "is not in the local cache"
    if folder is not None:
        files = sorted(path.name for path in folder.iterdir())
        state = f"is in the local cache only in part ({', '.join(files[:_SHOWN_FILES])})"
    return ModelError(
        f"cannot load the model {name!r}: it is not a folder here, {state}, and {why}. "
        f"Run `{download_command(name, revision)}` once with network, or set --freeze-model to a local folder, "
        "or use --freeze-preset=embedded."
    )


def download_command(name: str, revision: str | None = None, *, is_dataset: bool = False) -> str:
    """Return the command that fetches a model or a data set into the local cache."""
    kind = "--repo-type dataset " if is_dataset else ""
    return f"hf download {kind}{shell_word(name)}" + (f" --revision {shell_word(revision)}" if revision else "")


@contextmanager
def quiet() -> Iterator[None]:
    """Turn off the progress bars of `huggingface_hub` in a block."""
    import huggingface_hub.utils

    hub: Any = huggingface_hub.utils  # its names are defined lazily, so type checkers do not find them
    with progress_bars_off(
        is_on=not hub.are_progress_bars_disabled(), disable=hub.disable_progress_bars, enable=hub.enable_progress_bars
    ):
        yield


@contextmanager
def progress_bars_off(*, is_on: bool, disable: Callable[[], None], enable: Callable[[], None]) -> Iterator[None]:
    """Turn off a library's progress bars in a block.

    Args:
        is_on: Whether they are on, which is restored afterwards.
        disable: Turns them off.
        enable: Turns them on.
    """

    def switch(change: Callable[[], None]) -> None:
        # Where an environment variable forbids the change, the library warns and keeps the user's setting.
        with warnings.catch_warnings(action="ignore"):
            change()

    switch(disable)
    try:
        yield
    finally:
        # Restored even if off before: transformers turns the bars of huggingface_hub on with its own.
        switch(enable if is_on else disable)
