"""``run``: the public way to train one configuration with one seed, its arguments checked before anything is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.runs import experiment
from freezebench.runs.data_cache import DataCache
from freezebench.specs.fields import brief
from freezebench.specs.run import RunSpec

if TYPE_CHECKING:
    from os import PathLike

    from freezebench.records.run_record import RunRecord
    from freezebench.training.engines.events import Emit


def run(
    spec: RunSpec,
    *,
    emit: Emit = lambda _: None,
    data_cache: DataCache | None = None,
    save_to: str | PathLike[str] | None = None,
) -> RunRecord:
    """Return the record of one run, which is trained and evaluated now: one configuration with one seed.

    A fault in training (out of memory, a loss that is not finite, an error in the model's own code) gives a record with
    the status ``invalid`` and its cause.

    Args:
        spec: What to run.
        emit: Receives the events of training as they happen.
        data_cache: Inputs that several runs share; ``None`` reads all of them anew.
        save_to: An existing, empty folder, to which the best epoch's model and its tokenizer are saved; ``None``: the
            model is discarded.

    Raises:
        SettingsError: If an argument is of another type, or ``save_to`` is no empty folder.
        FreezebenchError: If the spec names a device, model, layer or data set that does not exist, or the model cannot
            be saved.
    """
    if not isinstance(spec, RunSpec):
        raise SettingsError(
            f"run({brief(spec)}): give a RunSpec, such as RunSpec(model='embedded', data=DataSpec(source='reviews'))."
        )
    if not callable(emit):
        raise SettingsError(f"run(emit={brief(emit)}): give a function that takes one event, or leave it out.")
    if data_cache is not None and not isinstance(data_cache, DataCache):
        raise SettingsError(f"run(data_cache={brief(data_cache)}): leave it out.")
    folder = None if save_to is None else _empty_folder(save_to)
    return experiment.run(spec, emit=emit, data_cache=data_cache, save_to=folder)


def _empty_folder(save_to: str | PathLike[str]) -> Path:
    """Return the folder of a saved model.

    Raises:
        SettingsError: If there is no such folder, or it is not empty.
    """
    try:
        folder = Path(save_to)
        is_empty = not any(folder.iterdir())
    except (OSError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"run(save_to={brief(save_to)}): cannot use this folder ({reason}). Give an existing, empty folder."
        ) from error
    if not is_empty:
        raise SettingsError(f"run(save_to={brief(save_to)}): the folder is not empty. Give an existing, empty folder.")
    return folder
