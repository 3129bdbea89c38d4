"""Names that options accept, in a module of their own so that pytest's start-up does not load what they name."""

import re
from typing import Literal, get_args

Isolation = Literal["worker", "run", "none"]
TaskName = Literal["sequence-classification", "regression", "multi-label", "token-classification"]

PRESET_NAMES = ("distilbert-sst2", "embedded", "notebook")
ENGINES = ("standard", "cached", "trainer")
PREFIX_MODES = ("eval", "train")
BATCH_ORDERS = ("bucketed", "shuffled")
PRECISIONS = ("auto", "float32", "bf16")
BAD_ROWS = ("error", "drop")
TRACKERS = ("mlflow", "wandb", "tensorboard")
ISOLATIONS: tuple[str, ...] = get_args(Isolation)
TASKS: tuple[str, ...] = get_args(TaskName)
# numpy's seeds end at 2**32 - 1; the other seeds of a configuration count up from the first one.
LARGEST_SEED = 2**32 - 10_000

_DEVICE = re.compile(r"auto|cpu|cuda(:[0-9]{1,4})?")


def is_device(name: object) -> bool:
    """Return whether something is the name of a device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
    return isinstance(name, str) and _DEVICE.fullmatch(name) is not None
