"""Names that options accept, in a module of their own so that pytest's start-up does not load what they name."""

from typing import Literal, get_args

Isolation = Literal["worker", "run", "none"]

PRESET_NAMES = ("distilbert-sst2", "embedded", "notebook")
ENGINES = ("standard", "cached", "trainer")
PREFIX_MODES = ("eval", "train")
BATCH_ORDERS = ("bucketed", "shuffled")
PRECISIONS = ("auto", "float32", "bf16")
BAD_ROWS = ("error", "drop")
ISOLATIONS: tuple[str, ...] = get_args(Isolation)
