"""Read a data set of the Hugging Face Hub through `datasets`, or from local caches if the Hub cannot be reached."""

from __future__ import annotations

import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freezebench import hub
from freezebench.data.files import SPLIT_NAMES, SPLIT_OF
from freezebench.data.table import Table
from freezebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from datasets import Dataset

_REASON_CHARS = 300


def read_hub(
    source: str, requested: Collection[str], *, needs_train: bool = True
) -> tuple[dict[str, Table], tuple[str, ...]]:
    """Return the tables of a Hub data set by split, and notes.

    Args:
        source: ``name``, ``name:config``, ``name@revision`` or ``name:config@revision``.
        requested: Names of the columns to read; those that do not exist are left out.
        needs_train: Whether there has to be a train split; else any split is enough.

    Raises:
        DataError: If it does not exist, cannot be reached and is not cached, or has no train split.
    """
    from datasets import config
    from huggingface_hub import constants

    rest, _, revision = source.partition("@")
    name, _, config_name = rest.partition(":")
    data_set = _DataSet(source=source, name=name, config_name=config_name or None, revision=revision or None)
    notes: tuple[str, ...] = ()
    with _quiet():
        if config.HF_HUB_OFFLINE or constants.HF_HUB_OFFLINE:
            splits, notes = data_set.from_caches("HF_HUB_OFFLINE is set")
        elif not hub.hub_reachable():
            splits, notes = data_set.from_caches(f"the Hub ({constants.ENDPOINT}) cannot be reached")
        else:
            splits = data_set.from_hub()
        tables, unused = _tables(source, splits, requested, needs_train=needs_train)
    if unused:
        notes += (f"Splits that are not used: {', '.join(unused)}.",)
    return tables, notes


@dataclass(frozen=True, kw_only=True)
class _DataSet:
    """The name of a data set, taken apart.

    Attributes:
        source: The name as it was given; messages quote it.
        name: Name on the Hub.
        config_name: Name of the configuration; ``None``: the default one.
        revision: Commit, tag or branch; ``None``: the default branch.
    """

    source: str
    name: str
    config_name: str | None
    revision: str | None

    def from_hub(self) -> Mapping[str, Dataset]:
        """Return the splits that the Hub has now.

        Raises:
            DataError: If loading them fails.
        """
        try:
            return self._load(self.name, revision=self.revision)
        except Exception as error:
            raise self._failure(error) from error

    def from_caches(self, why: str) -> tuple[Mapping[str, Dataset], tuple[str, ...]]:
        """Return the splits from the cache of `datasets` or of ``hf download``, and a note.

        Args:
            why: Why the Hub is not used, as a clause.

        Raises:
            DataError: If the data set is in neither cache, or cannot be read.
        """
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        note = (f"{self.source} was read from the local cache, since {why}.",)
        failure: Exception | None = None
        with _offline():
            # The cache of `datasets` does not record revisions, so it cannot serve a request for one.
            if self.revision is None:
                try:
                    return self._load(self.name), note
                except Exception as error:  # noqa: BLE001 - its classes differ from version to version
                    failure = None if isinstance(error, (ConnectionError, FileNotFoundError)) else error
            # `datasets` does not look for the files that `hf download` fetched.
            try:
                folder = snapshot_download(
                    self.name, repo_type="dataset", revision=self.revision, local_files_only=True
                )
                # `datasets` prepares a copy of the files, which is deleted at once: the data are kept in memory.
                with tempfile.TemporaryDirectory(prefix="freezebench-") as cache:
                    return self._load(folder, cache_dir=cache, keep_in_memory=True), note
            except (LocalEntryNotFoundError, HFValidationError, FileNotFoundError) as error:
                if failure is not None:
                    raise self._failure(failure) from failure
                raise DataError(
                    f"cannot load the data set {self.source!r}: it is not a folder here, not in the local cache, and "
                    f"{why}. Run `{self._download}` once with network, or give --freeze-data=FOLDER with train, "
                    "validation and test files, or use --freeze-preset=embedded."
                ) from error
            except Exception as error:
                raise self._failure(error) from error

    @property
    def _download(self) -> str:
        """The command that fetches this data set."""
        return hub.download_command(self.name, self.revision, is_dataset=True)

    def _load(
        self,
        path: str,
        *,
        revision: str | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool | None = None,
    ) -> Mapping[str, Dataset]:
        from datasets import load_dataset

        splits: Mapping[str, Dataset] = load_dataset(
            path, name=self.config_name, revision=revision, cache_dir=cache_dir, keep_in_memory=keep_in_memory
        )
        return splits

    def _failure(self, error: Exception) -> DataError:
        """Return the error for an exception of `datasets`, whose classes differ from version to version."""
        cause = error.__cause__ if type(error).__name__ == "DatasetGenerationError" and error.__cause__ else error
        reason = " ".join(str(cause).split()) or type(cause).__name__
        reason = reason if len(reason) <= _REASON_CHARS else f"{reason[:_REASON_CHARS]}…"
        return DataError(
            f"cannot load the data set {self.source!r} from the Hub: {reason.rstrip('.')}. Check its name "
            "(name, name:config, name@revision), or give --freeze-data=FOLDER with train, validation and test files."
        )


def _tables(
    source: str, splits: Mapping[str, Dataset], requested: Collection[str], *, needs_train: bool = True
) -> tuple[dict[str, Table], tuple[str, ...]]:
    """Return the known splits as tables, and the names of the others.

    Raises:
        DataError: If there is no train split.
    """
    from datasets import ClassLabel

    tables: dict[str, Table] = {}
    unused = []
    # Exact names come first: of splits called `validation` and `dev`, the second is not used.
    for name in sorted(splits, key=lambda name: SPLIT_OF.get(name) != name):
        split = SPLIT_OF.get(name)
        if split is None or split in tables:
            unused.append(name)
            continue
        part = splits[name]
        names = [column for column in requested if column in part.column_names]
        features = {column: _item(part.features[column]) for column in names}
        tables[split] = Table(
            name=f"{source}, split {name}",
            columns=part.select_columns(names).with_format(None)[:] if names else {},
            available=tuple(part.column_names),
            num_rows=part.num_rows,
            class_names={name: tuple(item.names) for name, item in features.items() if isinstance(item, ClassLabel)},
        )
    if "train" not in tables and (needs_train or not tables):
        raise DataError(
            f"{source} has no split named train: it has {', '.join(splits)}. "
            "Give --freeze-data=FOLDER with train, validation and test files."
        )
    return {split: tables[split] for split in SPLIT_NAMES if split in tables}, tuple(unused)


def _item(feature: Any) -> Any:
    """Return the feature of a column's items, or that of the column if it has no lists."""
    if isinstance(feature, list):  # older versions of `datasets` write lists so, too
        return feature[0]
    return getattr(feature, "feature", feature)


@contextmanager
def _offline() -> Iterator[None]:
    """Keep `datasets` off the network in a block: without the Hub, its retries would take half a minute."""
    from datasets import config

    before = config.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = before


@contextmanager
def _quiet() -> Iterator[None]:
    """Turn off progress bars and the log lines of `datasets` in a block."""
    import datasets.utils.logging as log
    from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    verbosity = log.get_verbosity()
    bars_off = hub.progress_bars_off(
        is_on=not are_progress_bars_disabled(), disable=disable_progress_bars, enable=enable_progress_bars
    )
    with hub.quiet(), bars_off, warnings.catch_warnings(action="ignore"):
        log.set_verbosity_error()
        try:
            yield
        finally:
            log.set_verbosity(verbosity)
