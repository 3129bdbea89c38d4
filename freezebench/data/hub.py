"""Reads a data set of the Hugging Face Hub through `datasets`, from its caches where the Hub is out of reach."""

from __future__ import annotations

import tempfile
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from freezebench.data.files import SPLIT_NAMES, SPLIT_OF
from freezebench.data.table import Table
from freezebench.errors import DataError
from freezebench.hub import hub_reachable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_REASON_CHARS = 300


def read_hub(source: str, wanted: Collection[str]) -> tuple[dict[str, Table], tuple[str, ...]]:
    """Return the tables of a Hub data set by split, and notes.

    Args:
        source: ``name``, ``name:config``, ``name@revision`` or ``name:config@revision``.
        wanted: Names of the columns to read; those that do not exist are left out.

    Raises:
        DataError: If it does not exist, cannot be reached and is not cached, or has no train split.
    """
    from datasets import config
    from huggingface_hub import constants

    rest, _, revision = source.partition("@")
    name, _, config_name = rest.partition(":")
    query = _Query(source, name, config_name or None, revision or None)
    notes: tuple[str, ...] = ()
    with _quiet():
        if config.HF_HUB_OFFLINE or constants.HF_HUB_OFFLINE:
            splits, notes = query.from_caches("HF_HUB_OFFLINE is set")
        elif not hub_reachable():
            splits, notes = query.from_caches(f"the Hub ({constants.ENDPOINT}) cannot be reached")
        else:
            splits = query.from_hub()
        tables, unused = _tables(source, splits, wanted)
    if unused:
        notes += (f"Splits that are not used: {', '.join(unused)}.",)
    return tables, notes


class _Query:
    """One data set that was asked for."""

    def __init__(self, source: str, name: str, config_name: str | None, revision: str | None) -> None:
        self._source = source
        self._name = name
        self._config_name = config_name
        self._revision = revision

    def from_hub(self) -> Mapping[str, Any]:
        """Return the splits as the Hub has them now.

        Raises:
            DataError: If that fails.
        """
        try:
            return self._load(self._name, revision=self._revision)
        except Exception as error:
            raise self._failure(error) from error

    def from_caches(self, why: str) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Return the splits from what `datasets` or ``hf download`` left on this machine, and a note.

        Args:
            why: Why the Hub is not asked.

        Raises:
            DataError: If it is not there, or cannot be read.
        """
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        note = (f"{self._source} was read from the local cache, since {why}.",)
        failure: Exception | None = None
        with _offline():
            # What `datasets` prepared before is not kept by revision, so it may not stand in for a certain one.
            if self._revision is None:
                try:
                    return self._load(self._name), note
                except Exception as error:  # noqa: BLE001 - its classes differ from version to version
                    failure = None if isinstance(error, (ConnectionError, FileNotFoundError)) else error
            # What `hf download` fetched is files that `datasets` never looks for by itself.
            try:
                folder = snapshot_download(
                    self._name, repo_type="dataset", revision=self._revision, local_files_only=True
                )
                with tempfile.TemporaryDirectory(prefix="freezebench-") as cache:
                    return self._load(folder, cache_dir=cache, keep_in_memory=True), note
            except (LocalEntryNotFoundError, HFValidationError, FileNotFoundError) as error:
                if failure is not None:
                    raise self._failure(failure) from failure
                raise DataError(
                    f"cannot load the data set {self._source!r}: it is not a folder here, not in the local cache, and "
                    f"{why}. Run `{self._download}` once with network, or give --freeze-data=FOLDER with train, "
                    "validation and test files, or use --freeze-preset=embedded."
                ) from error
            except Exception as error:
                raise self._failure(error) from error

    @property
    def _download(self) -> str:
        """The command that fetches this data set."""
        revision = f" --revision {self._revision}" if self._revision else ""
        return f"hf download --repo-type dataset {self._name}{revision}"

    def _load(self, path: str, **options: Any) -> Mapping[str, Any]:
        from datasets import load_dataset

        splits: Mapping[str, Any] = load_dataset(path, name=self._config_name, **options)
        return splits

    def _failure(self, error: Exception) -> DataError:
        """Return the error for whatever `datasets` raises: its classes differ from version to version."""
        cause = error.__cause__ if type(error).__name__ == "DatasetGenerationError" and error.__cause__ else error
        reason = " ".join(str(cause).split()) or type(cause).__name__
        reason = reason if len(reason) <= _REASON_CHARS else f"{reason[:_REASON_CHARS]}…"
        return DataError(
            f"cannot load the data set {self._source!r} from the Hub: {reason.rstrip('.')}. Check its name "
            "(name, name:config, name@revision), or give --freeze-data=FOLDER with train, validation and test files."
        )


def _tables(
    source: str, splits: Mapping[str, Any], wanted: Collection[str]
) -> tuple[dict[str, Table], tuple[str, ...]]:
    """Return the known splits as tables, and the names of the others.

    Raises:
        DataError: If there is no train split.
    """
    from datasets import ClassLabel

    tables: dict[str, Table] = {}
    unused = []
    # Exact names first, so that a split called `dev` beside `validation` is the one that is not used.
    for name in sorted(splits, key=lambda name: SPLIT_OF.get(name) != name):
        split = SPLIT_OF.get(name)
        if split is None or split in tables:
            unused.append(name)
            continue
        part = splits[name]
        names = [column for column in wanted if column in part.column_names]
        class_labels = (part.features[column] for column in names if isinstance(part.features[column], ClassLabel))
        class_names = next((tuple(label.names) for label in class_labels), None)
        tables[split] = Table(
            name=f"{source}, split {name}",
            columns=part.select_columns(names).with_format(None)[:] if names else {},
            available=tuple(part.column_names),
            num_rows=part.num_rows,
            class_names=class_names,
        )
    if "train" not in tables:
        raise DataError(
            f"{source} has no split named train: it has {', '.join(splits)}. "
            "Give --freeze-data=FOLDER with train, validation and test files."
        )
    return {split: tables[split] for split in SPLIT_NAMES if split in tables}, tuple(unused)


@contextmanager
def _offline() -> Iterator[None]:
    """Keep `datasets` off the network for a while: its retries would take half a minute to find that out."""
    from datasets import config

    before = config.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = before


@contextmanager
def _quiet() -> Iterator[None]:
    """Turn progress bars and the log lines of `datasets` off for a while."""
    import datasets.utils.logging as log
    import huggingface_hub.utils
    from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    hub: Any = huggingface_hub.utils  # it fills its names in lazily, out of sight of type checkers
    bars = (
        (are_progress_bars_disabled(), disable_progress_bars, enable_progress_bars),
        (hub.are_progress_bars_disabled(), hub.disable_progress_bars, hub.enable_progress_bars),
    )
    verbosity = log.get_verbosity()
    # Both libraries warn where an environment variable forbids the change; then it stays as the user wants it.
    with warnings.catch_warnings(action="ignore"):
        for _, disable, _ in bars:
            disable()
        log.set_verbosity_error()
        try:
            yield
        finally:
            log.set_verbosity(verbosity)
            for were_off, _, enable in bars:
                if not were_off:
                    enable()
