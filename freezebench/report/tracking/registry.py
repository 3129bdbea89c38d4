"""The registry of trackers: the names that ``--freeze-log`` takes, and what makes each one."""

from __future__ import annotations

import importlib.util
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from freezebench.errors import FreezebenchError, SettingsError, named
from freezebench.report.tracking.base import without_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from freezebench.report.tracking.base import Tracker


def make_trackers(names: Sequence[str], option: str) -> list[Tracker]:
    """Return the trackers of some names; their libraries are imported here, and nothing is written or sent.

    Args:
        names: Names of the registry.
        option: The option that lists them, for messages.

    Raises:
        FreezebenchError: If a library is not installed, cannot be imported, or is not set up.
    """
    return [_make(name, option) for name in names]


def _make(name: str, option: str) -> Tracker:
    """Return a tracker.

    Raises:
        FreezebenchError: As ``make_trackers``.
    """
    install = f"Install it with: python -m pip install 'freezebench[{name}]'"
    if not is_installed(name):
        raise SettingsError(f"{option}={name} needs the package {name}, which is not installed. {install}")
    try:
        with without_warnings():
            return TRACKERS[name]()
    except FreezebenchError as error:
        raise SettingsError(f"{option}={name}: {error}") from error
    except Exception as error:
        cause = without_credentials(named(error))
        raise SettingsError(f"{option}={name}: the package {name} cannot be used ({cause}). {install}") from error


def is_installed(name: str) -> bool:
    """Return whether the library of a tracker is installed."""
    spec = importlib.util.find_spec(name)
    # A folder of the project may have this name, as that has in which W&B writes.
    return spec is not None and spec.origin is not None


@contextmanager
def without_warnings() -> Iterator[None]:
    """Ignore the warnings of the libraries: under ``-W error``, each of them would be an exception."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _mlflow() -> Tracker:
    from freezebench.report.tracking.mlflow import MlflowTracker

    return MlflowTracker()


def _wandb() -> Tracker:
    from freezebench.report.tracking.wandb import WandbTracker

    return WandbTracker()


def _tensorboard() -> Tracker:
    from freezebench.report.tracking.tensorboard import TensorboardTracker

    return TensorboardTracker()


# Each of these is named like its package and its extra.
TRACKERS: dict[str, Callable[[], Tracker]] = {"mlflow": _mlflow, "wandb": _wandb, "tensorboard": _tensorboard}
